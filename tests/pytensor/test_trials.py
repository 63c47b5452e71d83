"""A failure on empty arrays is on record for a rewrite only if it is gone without that."""

from __future__ import annotations

from typing import Any

import pytensor
import pytest
from catching import can_run
from planted.places import MATMUL, fault
from planting import Fault, planted
from pytensor.tensor.rewriting.linalg import products

from refdot.cases.case import DotCase
from refdot.cases.notation import dot_case
from refdot.check.batch import judge_cases
from refdot.check.plan import Configuration
from refdot.pytensor.target.target import PyTensorTarget

DROPPED, SELECTION = "reshape-of-nothing-dropped", "selection-of-nothing"
JAX_DOT = "pytensor.link.jax.dispatch.math:jax_funcify_Dot"
needs_selections = pytest.mark.skipif(
    not hasattr(products, "selection_dot_to_indexing"), reason="PyTensor has no such rewrite"
)


def of_diagonals(origin_of_x: str) -> dict[str, Any]:
    return {"origin": (origin_of_x, "constant"), "content": ("drawn", "diagonal")}


def verdicts(
    case: DotCase, lowering: str = "stock", backend: str = "python"
) -> dict[str, str | None]:
    """Return the record of each kind of mismatch, but for those of the order of a set."""
    found = judge_cases(PyTensorTarget(), [case], Configuration(backend, lowering))
    return {
        f"{each.mismatch.rule} {each.mismatch.kind}": each.known
        for each in found
        if each.mismatch.rule != "R10"
    }


def test_a_dropped_reshape_can_give_a_wrong_shape() -> None:
    is_wrong = not pytensor.__version__.startswith("3.0.")
    expected = {"R9 wrong-shape": DROPPED} if is_wrong else {}
    assert verdicts(dot_case("a:0?", "a:0 c:2? b:0")) == expected


@pytest.mark.parametrize(
    ("case", "expected"),
    [
        # Without the rewrite, the sizes that differ are accepted for another reason.
        (dot_case("b:0 a:0 c:3", "c:4? a:0"), {"R13 wrong-error": DROPPED}),
        # Without it, they have the error that they have elsewhere.
        (
            dot_case("a:0? c:4? b:1? d:0?", "d:0 b:0 c:4", ("a", "b", "d")),
            {"R13 wrong-error": DROPPED},
        ),
        # The gradient fails with and without it.
        (
            dot_case("b:2 c:0", "a:1 c:0 b:2", None, "complex128", gradient_order=1),
            {"R8 wrong-gradient": "no-complex-gradients", "R14 structure": DROPPED},
        ),
    ],
    ids=str,
)
def test_a_dropped_reshape_can_hide_or_stand_beside_another_deviation(
    case: DotCase, expected: dict[str, str]
) -> None:
    assert verdicts(case) == expected


@needs_selections
@pytest.mark.parametrize(
    ("case", "mismatch"),
    [
        (dot_case("a:3 c:0 b:0", "b:0", **of_diagonals("constant")), "R6 rejected-valid"),
        (dot_case("c:4? d:1", "a:0 d:2 b:0 c:4", "c", **of_diagonals("input")), "R13 late-error"),
    ],
    ids=str,
)
def test_a_call_fails_where_a_selection_is_computed(case: DotCase, mismatch: str) -> None:
    assert verdicts(case, "inlined")[mismatch] == SELECTION


# Found at random. Which of them deviate depends on the version.
FOUND = [
    dot_case("a:0?", "a:0 c:0? b:0"),
    dot_case("b:2? a:0", "a:0? b:3?", None, ("int64", "uint64")),
    dot_case("c:1 b:1 a:0", "a:1?", (), "int64", origin=("constant", "input")),
    dot_case("a:0 b:0", "b:1 a:0", "a", origin=("input", "constant"), content=("drawn", "zeros")),
    dot_case("d:0 a:2 c:1", "b:1? a:2 d:1?", (), "int8", origin=("constant", "input")),
    dot_case(
        "c:0 b:0",
        "c:0? a:1?",
        "c",
        origin=("constant", "shared"),
        content=("identity", "zeros"),
        gradient_order=1,
    ),
    # Without the rewrite, `Blockwise` fails on the reshape of the constant.
    dot_case("d:2 c:0?", "c:0 d:2 a:0 b:0", (), origin=("input", "constant")),
    dot_case("b:0", "c:2 a:0 b:0", origin=("constant", "shared"), content=("drawn", "identity")),
]


@pytest.mark.parametrize("lowering", ["stock", "inlined"])
@pytest.mark.parametrize("case", FOUND, ids=str)
def test_failures_of_the_released_pytensor_are_on_record(case: DotCase, lowering: str) -> None:
    assert None not in verdicts(case, lowering).values()


EMPTY = dot_case("a:2? b:0?", "b:0? c:3?")
DIFFERENT = dot_case("a:2? b:0?", "b:4? c:3?")


@pytest.mark.parametrize(
    ("planted_fault", "mismatch"),
    [
        (
            fault(
                "an empty product has a wrong shape", "values", EMPTY,
                MATMUL, "np.matmul(*inputs)",
                "np.matmul(*inputs)[: 1 if inputs[0].size == 0 else None]"),
            "R9 wrong-shape",
        ),
        (
            fault(
                "an empty product cannot be reshaped", "values", EMPTY,
                MATMUL, "np.matmul(*inputs)",
                "np.matmul(*inputs) if inputs[0].size else inputs[0].reshape(4)"),
            "R6 rejected-valid",
        ),
        (
            fault(
                "sizes that differ cannot be reshaped", "errors", DIFFERENT,
                MATMUL, "np.matmul(*inputs)",
                "np.matmul(*inputs) if inputs[0].size else inputs[0].reshape(4)"),
            "R13 wrong-error",
        ),
        (
            fault(
                "an assertion about a shape fails", "errors", DIFFERENT,
                MATMUL, "np.matmul(*inputs)",
                "(_ for _ in ()).throw(AssertionError("
                "'SpecifyShape: Got shape (2, 0), expected (1, None).'))"),
            "R13 wrong-error",
        ),
        (
            fault(
                "JAX's product divides by the number of its elements", "values", EMPTY,
                JAX_DOT, "jnp.dot(x, y)", "jnp.dot(x, y) + 1 // x.size", backend="jax"),
            "R6 rejected-valid",
        ),
    ],
    ids=lambda value: value.name if isinstance(value, Fault) else value,
)  # fmt: skip
def test_a_fault_on_empty_arrays_is_new(planted_fault: Fault, mismatch: str) -> None:
    if not can_run(planted_fault):
        pytest.skip(f"{planted_fault.backend} cannot run here")
    with planted(planted_fault):
        found = verdicts(planted_fault.example, backend=planted_fault.backend)
    assert found[mismatch] is None


@pytest.mark.parametrize("origin", ["input", "constant", "shared"])
def test_a_size_that_a_reshape_deduces_of_nothing_is_known(origin: str) -> None:
    case = dot_case("c:1? a:0", "c:1 d:0", "a", origin=("input", origin), gradient_order=2)
    found = verdicts(case, "inlined")
    assert found["R8 wrong-gradient"] == "sizes-of-nothing-deduced"
    assert None not in found.values()
