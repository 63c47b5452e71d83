"""Constants: what inlining changes, and that its records hide nothing else."""

from __future__ import annotations

import numpy as np
import pytensor
import pytest
from planting import Edit, Fault, planted
from pytensor.tensor.rewriting.linalg import products

from refdot.cases.case import DotCase
from refdot.cases.notation import dot_case
from refdot.judging.comparison import compare
from refdot.pytensor.deviations.constants import constants_without_dtype_in_jax
from refdot.pytensor.target import graph
from refdot.pytensor.target.backends import BACKENDS
from refdot.pytensor.target.configuration import configured
from refdot.pytensor.target.target import PyTensorTarget
from refdot.targets.mismatch import Mismatch
from refdot.targets.outcome import Outcome
from refdot.targets.protocol import deviation_of

TARGET = PyTensorTarget()
REWRITES = "pytensor.tensor.rewriting.math"
needs_selections = pytest.mark.skipif(
    not hasattr(products, "selection_dot_to_indexing"), reason="PyTensor has no such rewrite"
)


def a_constant_of(content: str, x: str, y: str, dim=None) -> DotCase:
    return dot_case(x, y, dim, origin=("constant", "input"), content=(content, "drawn"))


def verdicts(case: DotCase, lowering: str, backend: str = "python") -> list[tuple[str, str | None]]:
    """Return the kind of each mismatch of a case, and its known deviation."""
    outcome = TARGET.run(case, backend, lowering)
    found = []
    for mismatch in compare(case, outcome, TARGET):
        known = deviation_of(TARGET, mismatch, outcome, backend, lowering)
        found.append((mismatch.kind, known and known.id))
    return found


ZEROS = a_constant_of("zeros", "a b:3", "b:5? c?")


def test_inlining_accepts_any_size_beside_a_constant_of_zeros():
    assert verdicts(ZEROS, "inlined") == [("accepted-invalid", "dot-with-zeros")]
    assert verdicts(ZEROS, "stock") == [("wrong-error", "sizes-without-names")]
    assert verdicts(ZEROS, "direct") == []


def test_a_product_with_a_constant_of_zeros_accepts_any_size():
    case = a_constant_of("zeros", "b:3", "b:5?", ())
    for lowering in ("stock", "inlined"):
        assert verdicts(case, lowering) == [("accepted-invalid", "product-with-zeros")]
    assert verdicts(case, "direct") == []


def a_selection_in_y(x: str, y: str, content: str = "one-hot") -> DotCase:
    return dot_case(x, y, origin=("input", "constant"), content=("drawn", content))


SELECTION = a_selection_in_y("c:2? b:5?", "b:3 a:3")


@needs_selections
@pytest.mark.parametrize("size", [5, 2, 1, 0])
@pytest.mark.parametrize("backend", ["python", "numba", "jax"])
def test_inlining_accepts_other_sizes_beside_a_constant_that_selects(backend, size):
    if BACKENDS[backend].absent:
        pytest.skip(BACKENDS[backend].absent)
    for shape in ("b:3 a:3", "a:3 b:3"):
        first = a_constant_of("one-hot", shape, f"b:{size}? c:2?")
        for case in (first, a_selection_in_y(f"b:{size}? c:2?", shape)):
            assert all(known for _, known in verdicts(case, "inlined", backend))
            assert verdicts(case, "direct", backend) == []


@needs_selections
def test_a_constant_that_selects_takes_the_first_elements_of_a_longer_operand():
    assert verdicts(SELECTION, "inlined") == [("accepted-invalid", "selections-compare-no-sizes")]
    assert verdicts(SELECTION, "stock") == [("wrong-error", "sizes-without-names")]
    of_nothing = dot_case("a:2? b:1?", "a:3 b:1 c:0", ("a",), origin=("input", "constant"))
    assert verdicts(of_nothing, "inlined") == [("accepted-invalid", "selections-compare-no-sizes")]
    shorter = a_selection_in_y("c:2? b:2?", "b:3 a:3")
    assert verdicts(shorter, "inlined") == [("wrong-error", "selections-compare-no-sizes")]
    outcome = TARGET.run(SELECTION, "python", "inlined")
    x, y = SELECTION.tensors()
    assert (outcome.values[0].data == x.data[:, :3] @ y.data).all()


@needs_selections
def test_a_rewrite_fails_on_an_empty_constant():
    case = a_selection_in_y("a:0?", "a:0 b:0", "drawn")
    assert ("structure", "selection-of-nothing") in verdicts(case, "inlined")
    assert verdicts(case, "direct") == []


@pytest.mark.parametrize(("lowering", "is_lost"), [("stock", 0), ("inlined", 1), ("direct", 0)])
def test_inlining_loses_nan_beside_a_constant_of_zeros(lowering, is_lost):
    built = graph.build(a_constant_of("zeros", "a b:3", "b? c?"))
    with configured(BACKENDS["python"], lowering) as mode:
        function = pytensor.function(built.inputs, graph.lower(built), mode=mode)
        answer = function(np.full((3, 4), np.nan))
    assert np.isnan(answer).all() == (not is_lost)


@pytest.mark.parametrize("lowering", ["stock", "inlined"])
@pytest.mark.parametrize("content", ["ones", "drawn"])
def test_other_constants_change_nothing(content, lowering):
    case = a_constant_of(content, "a b:3", "b:5? c?")
    assert verdicts(case, lowering) == [("wrong-error", "sizes-without-names")]
    assert verdicts(a_constant_of(content, "a b:3", "b? c?"), lowering) == []


INTEGER = dot_case("", "a?", None, "int64", origin=("constant", "input"), regime="rounding")


def test_an_integer_constant_is_rounded_to_a_float():
    assert verdicts(INTEGER, "inlined") == [("wrong-value", "integer-constants-as-floats")]
    assert verdicts(INTEGER, "stock") == verdicts(INTEGER, "direct") == []


# Each: a fault with the symptom of a deviation, as old and new source, and a case that shows it.
IMPOSTORS = {
    "a dot with ones is zeros": (
        Edit(f"{REWRITES}:local_0_dot_x.fn", "== 0", "in (0, 1)"),
        a_constant_of("ones", "a b:3", "b:5? c?"),
        "accepted-invalid",
    ),
    "a dot with zeros is not zeros": (
        Edit(f"{REWRITES}:local_0_dot_x.fn", "return [zeros(", "return [1 + zeros("),
        ZEROS,
        "accepted-invalid",
    ),
    "an integer constant is doubled": (
        Edit(f"{REWRITES}:mul_calculate", "reduce(np.multiply, num, one) /", "2 * num[0] /"),
        INTEGER,
        "wrong-value",
    ),
}


@pytest.mark.parametrize(("edit", "case", "kind"), IMPOSTORS.values(), ids=IMPOSTORS)
def test_a_fault_with_the_symptom_of_a_deviation_is_new(edit, case, kind):
    with planted(Fault("an impostor", "values", (edit,), case)):
        assert (kind, None) in verdicts(case, "inlined")


@pytest.mark.parametrize(
    ("case", "got", "is_known"),
    [
        (dot_case("", "", None, "float32", origin="constant"), "float64", True),
        (dot_case("", "", None, "float32", origin="constant"), "float16", False),
        (dot_case("", "", None, "float32"), "float64", False),
        (dot_case("", "", None, "float32", origin="shared"), "float64", False),
        (dot_case("a", "b", (), "float32", origin=("constant", "input")), "float64", False),
    ],
    ids=str,
)
def test_only_a_constant_of_one_number_loses_its_dtype_in_jax(case, got, is_known):
    pytest.importorskip("jax")
    mismatch = Mismatch("R7", "wrong-dtype", "run", "dtype", "float32", got, case)
    assert constants_without_dtype_in_jax(mismatch, Outcome()) == is_known


def test_jax_rejects_a_constant_that_is_too_large_for_an_int64():
    pytest.importorskip("jax")
    square = {"same_variable": True, "origin": "constant", "regime": "rounding"}
    case = dot_case("a:3 b:2", "a:3 b:2", None, "uint64", **square)
    assert ("rejected-valid", "constants-without-dtype-in-jax") in verdicts(case, "stock", "jax")


@pytest.mark.parametrize(
    ("x_dtype", "y_dtype", "lowering", "kinds"),
    [
        ("uint64", "int8", "stock", {"wrong-dtype", "wrong-value"}),
        ("int64", "int8", "inlined", {"wrong-dtype", "wrong-value"}),
    ],
)
def test_on_jax_the_sum_of_a_constant_is_a_number_without_dtype(x_dtype, y_dtype, lowering, kinds):
    pytest.importorskip("jax")
    case = dot_case(
        "c:2 a:2",
        "",
        ("c", "a"),
        (x_dtype, y_dtype),
        origin=("constant", "input"),
        regime="rounding",
        seed=3,
    )
    found = verdicts(case, lowering, "jax")
    assert None not in [known for _, known in found]
    assert {kind for kind, known in found if known == "constants-without-dtype-in-jax"} == kinds


@needs_selections
@pytest.mark.parametrize("dtype", ["float16", "float32", "int8", "uint64", "complex64", "bool"])
def test_on_jax_a_selection_of_rows_loses_its_dtype_or_is_rejected(dtype):
    pytest.importorskip("jax")
    case = dot_case(
        "a:2 b:3",
        "b:3? c:4?",
        None,
        dtype,
        origin=("constant", "input"),
        content=("one-hot", "drawn"),
        regime="rounding",
    )
    if dtype == "bool":
        expected = [("rejected-valid", "bools-added-up-in-jax")]
    else:
        expected = [("wrong-dtype", "selections-without-dtype-in-jax")]
    assert verdicts(case, "inlined", "jax") == expected
    assert verdicts(case, "stock", "jax") == []
