"""The comparison: each outcome of the table has the signatures of its mismatches."""

import subprocess
import sys
import warnings
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from outcome_table import OUTCOMES
from outcomes import (
    CONTRACTED,
    CONTRACTED_STATIC,
    DERIVED,
    MATRICES,
    MISSING,
    NUMBER,
    PLAIN,
    SIZES,
    SQUARE,
    STAGED,
    ZONE,
    anything,
    case,
    element,
    gradients,
    right,
)

import refdot as rd
from refdot.cases.case import DotCase
from refdot.cases.strategies import dot_cases
from refdot.judging.comparison import compare, judge_answer, show
from refdot.judging.expected import correct_gradient
from refdot.judging.references import dot_by_definition
from refdot.rules import ASPECTS, KINDS, STAGES
from refdot.targets.mismatch import Mismatch
from refdot.targets.outcome import Gradient, Outcome, Raised
from refdot.tensor import NamedTensor


def found(of: DotCase, outcome: Outcome, target=STAGED) -> list[str]:
    """Return the signatures of the mismatches in an outcome."""
    return [mismatch.signature for mismatch in compare(of, outcome, target)]


@pytest.mark.parametrize(("of", "outcome", "signatures"), OUTCOMES.values(), ids=OUTCOMES)
def test_an_outcome_has_the_expected_signatures(of, outcome, signatures):
    mismatches = compare(of, outcome(of), STAGED)
    assert [mismatch.signature for mismatch in mismatches] == signatures
    for mismatch in mismatches:
        assert mismatch.case == of
        assert mismatch.kind in KINDS
        assert mismatch.stage in STAGES
        assert "\n" not in mismatch.expected + mismatch.got


# The texts of expected and got, for outcomes of the table with one mismatch.
TEXTS = {
    "dims in the wrong order": ("('a', 'c')", "('c', 'a')"),
    "a size that is too small": ("(2, 4)", "(2, 3)"),
    "an upcast": ("float32", "float64"),
    "wrong declared dims": ("('a', 'c')", "('c', 'a')"),
    "wrong declared dtype": ("float64", "float32"),
    "static size of y forgotten": ("c: 4", "c: None"),
    "26 dims rejected": ("25 dims", "ValueError at lower: Too many dimensions"),
    "unknown name rejected when lowered": (
        "ValueError at build: Dimension zone not found in either input; the dims are a, b, c",
        "ValueError at lower: Dimension zone not found in either input",
    ),
    "error of a wrong type": (None, "KeyError at build: 'zone'"),
    "error that names no dim": (None, "ValueError at run: sizes differ: absurd"),
    "wrong shape of a gradient": ("(3, 4)", "(4, 3)"),
    "wrong dtype of a gradient": ("float64", "float32"),
    "no gradient": ("a gradient", "TypeError at compile: no"),
    "side effect": ("unchanged inputs, and an output with its own memory", "x was written to"),
    "unlowered node": ("only tensor operations", "Einsum"),
    "memory that grows with a size": (
        "1 MB, as for small sizes",
        "2 MB for dot(float64(a: 2?, b: 3?), float64(b: 3?, c: 4?), dim=None)",
    ),
    "nondeterminism": ("no difference", "the op: Dot{b} and Dot{c}"),
}


@pytest.mark.parametrize(("name", "texts"), TEXTS.items(), ids=TEXTS)
def test_a_mismatch_shows_the_expected_and_the_actual_result(name, texts):
    of, outcome, _ = OUTCOMES[name]
    (mismatch,) = compare(of, outcome(of), STAGED)
    assert (texts[0] and mismatch.expected, mismatch.got) == texts


def test_a_gradient_of_integers_is_reported_for_each_operand():
    of, outcome, _ = OUTCOMES["gradients of integers"]
    for mismatch, operand in zip(compare(of, outcome(of), STAGED), "xy", strict=True):
        assert mismatch == Mismatch(
            "R8",
            "accepted-invalid",
            "lower",
            mismatch.detail,
            f"an error: {operand} has no gradient",
            "a gradient",
            of,
            earliest_stage="lower",
            order=1,
            operand=operand,
        )


def test_a_failing_rewrite_is_reported_with_its_error():
    of, outcome, _ = OUTCOMES["failing rewrites"]
    assert [(m.expected, m.got, m.case) for m in compare(of, outcome(of), STAGED)] == [
        ("no failing rewrite", "TypeError at compile: no 1", of),
        ("no failing rewrite", "TypeError at compile: never", of),
    ]


def test_a_wrong_gradient_is_reported_with_operand_order_and_replicate():
    of = replace(case(dtypes=("float32", "float32"), regime="rounding"), gradient_order=1)
    x, y = of.tensors(1)
    cotangent, _, _ = of.cotangents(1)
    _, y_bar = rd.dot_vjp(x, y, cotangent, of.dim.names)
    assert compare(of, Outcome(gradients=(Gradient(1, "y", 1, y_bar.data),)), STAGED) == ()
    zeros = Gradient(1, "y", 1, np.zeros_like(y_bar.data))
    (wrong,) = compare(of, Outcome(gradients=(zeros,)), STAGED)
    assert (wrong.order, wrong.operand, wrong.replicate) == (1, "y", 1)
    assert wrong.got == "0.0 at b=0, c=0"
    shown, place = wrong.expected.split(" at ")
    assert place == "b=0, c=0"
    assert len(shown) <= 13  # the precision of the gradient
    assert float(shown) == pytest.approx(y_bar.data[0, 0], rel=1e-5)


@pytest.mark.parametrize("order", ["=", "S"])
def test_a_gradient_may_have_any_byte_order(order):
    plain = replace(case(dtypes=("float32", "float32")), gradient_order=1)
    of = replace(plain, x=replace(plain.x, layout="byte-swapped"))
    x, y = of.tensors()
    assert not x.data.dtype.isnative
    x_bar, _ = rd.dot_vjp(x, y, of.cotangents()[0], of.dim.names)
    gradient = Gradient(1, "x", 0, x_bar.data.astype(x_bar.dtype.newbyteorder(order)))
    assert compare(of, Outcome(gradients=(gradient,)), STAGED) == ()


def test_an_element_without_dims_is_shown_without_a_location():
    of, outcome, _ = OUTCOMES["wrong answer without dims"]
    (wrong,) = compare(of, outcome(of), STAGED)
    exact = rd.dot(*of.tensors()).data
    assert (wrong.expected, wrong.got) == (str(exact), str(exact + 1))


SHOWN = {
    "few numbers": (np.array([[1, 2], [3, 4]]), ("a", "b"), "int64(a: 2, b: 2) [[1, 2], [3, 4]]"),
    "60 characters": (np.array([10] * 15), ("a",), f"int64(a: 15) {[10] * 15}"),
    "61 characters": (np.array([10] * 14 + [100]), ("a",), f"int64(a: 15) [{'10, ' * 14}…"),
    "a shape of 59 characters": (np.array([7]), ("d" * 56,), f"int64({'d' * 56}: 1) [7]"),
    "a shape of 60 characters": (np.array([7]), ("d" * 57,), "1 dims"),
}


@pytest.mark.parametrize(("data", "dims", "shown"), SHOWN.values(), ids=SHOWN)
def test_a_large_tensor_is_shown_in_part(data, dims, shown):
    assert show(NamedTensor(data.astype("int64"), dims)) == shown


def test_every_kind_is_in_the_table():
    kinds = {line.split()[1] for _, _, signatures in OUTCOMES.values() for line in signatures}
    assert kinds == set(KINDS)
    assert sorted(KINDS) == sorted(kind for kinds in ASPECTS.values() for kind in kinds)


@given(dot_cases())
@settings(max_examples=150, database=None, deadline=None, derandomize=True)
def test_a_right_implementation_has_no_mismatch(of):
    if of.gradient_order and {np.dtype(o.dtype).kind for o in (of.x, of.y)} != {"f"}:
        of = replace(of, gradient_order=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        try:
            outcome = right(of)
        except ValueError:
            return  # NamedTensor rejects the dims: there is no answer
        assert compare(of, outcome, STAGED) == ()


@given(dot_cases(valid=True))
@settings(max_examples=100, database=None, deadline=None, derandomize=True)
def test_the_reference_by_definition_has_no_mismatch(of):
    x, y = of.tensors()
    with np.errstate(all="ignore"):
        value = dot_by_definition(x, y, of.dim.names)
    assert judge_answer(value, x, y, of) == []


@given(dot_cases(valid=True))
@settings(max_examples=100, database=None, deadline=None, derandomize=True)
def test_one_wrong_value_is_found(of):
    x, y = of.tensors()
    value = rd.dot(x, y, of.dim.names)
    if not value.data.size or not np.isfinite(value.data).all() or value.dtype.kind not in "bi":
        return
    data = value.data.ravel().copy()
    data[-1] = not data[-1]
    wrong = NamedTensor(data.reshape(value.shape), value.dims)
    assert [mismatch.kind for mismatch in judge_answer(wrong, x, y, of)] == ["wrong-value"]


def test_a_target_with_one_stage_must_raise_errors_at_that_stage():
    for of, error in ((CONTRACTED_STATIC, SIZES), (MISSING, ZONE)):
        assert found(of, Outcome(raised=Raised.at("run", error)), PLAIN) == []
        assert found(of, Outcome(), PLAIN)[0].split(":")[0].endswith("accepted-invalid at run")


def test_kinds_that_are_not_checked_are_left_out():
    target = replace(PLAIN, not_checked={"wrong-error": "its errors are of other types"})
    outcome = Outcome(raised=Raised.at("run", KeyError("zone")))
    assert found(MISSING, outcome, PLAIN) != []
    assert found(MISSING, outcome, target) == []


def test_one_cause_is_reported_once_for_all_replicates():
    value = rd.dot(*MATRICES.tensors())
    other = NamedTensor(value.data + 1, value.dims)
    assert found(MATRICES, Outcome(values=(other, other))) == [
        "R6 wrong-value at run: float wrong by more than rounding"
    ]
    second = compare(MATRICES, Outcome(values=(value, value)), STAGED)
    assert [mismatch.replicate for mismatch in second] == [1]


def test_a_mismatch_shows_the_location_by_dims():
    (wrong,) = compare(MATRICES, element((1, 2), 0.5)(MATRICES), STAGED)
    exact = rd.dot(*MATRICES.tensors()).data[1, 2]
    assert (wrong.expected, wrong.got) == (f"{exact} at a=1, c=2", "0.5 at a=1, c=2")
    assert str(wrong) == (
        "R6 wrong-value at run: float wrong by more than rounding\n"
        "  dot(float64(a: 2?, b: 3?), float64(b: 3?, c: 4?), dim=None)\n"
        f"  expected {exact} at a=1, c=2\n"
        "  got      0.5 at a=1, c=2"
    )


def test_an_expected_error_is_shown_with_its_stage():
    (wrong,) = compare(CONTRACTED, anything(CONTRACTED), STAGED)
    assert wrong.expected == ("ValueError at run: Size of dim 'b' does not match: 3 in x, 5 in y")
    assert wrong.got == "no error, but float64(z: 1) [7.0]"
    assert wrong.earliest_stage == "run"
    (wrong,) = compare(NUMBER, Outcome(), STAGED)
    assert wrong.expected == (
        "TypeError at build: dim must be None, ..., a str or an iterable of str, got 5"
    )
    assert wrong.got == "no error"


def test_right_gradients_are_the_gradients_of_the_oracle():
    for of in (DERIVED, SQUARE):
        for gradient in gradients(of):
            correct = correct_gradient(of, gradient.order, gradient.operand)
            assert not correct.wrong(gradient.value).any()
            assert np.allclose(np.asarray(correct.reference, float), gradient.value)


def test_judging_does_not_need_hypothesis():
    blocked = "import sys; sys.modules['hypothesis'] = None; import refdot.judging.comparison"
    subprocess.run([sys.executable, "-c", blocked], check=True)
