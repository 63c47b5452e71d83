"""Tests of refdot.testing: assertions about answers, and about regexes for errors."""

import re
from functools import cache

import numpy as np
import pytest

import refdot as rd
from refdot import testing
from refdot.check import plan
from refdot.messages.regex import PatternError
from refdot.targets.callable import CallableTarget
from refdot.tensor import NamedTensor
from refdot.testing import assert_dot_matches, assert_error_pattern, check_dot, mismatch_pattern

case_at = cache(plan.case_at)


@pytest.fixture(autouse=True)
def _shared_cases(monkeypatch):
    """Share the cases between the tests of this module: generating them takes longest."""
    monkeypatch.setattr(plan, "case_at", case_at)


def y_first(x, y, dim=None):
    """Put the dims of y first."""
    return rd.dot(y, x, dim)


def with_vjp(vjp):
    """Return a correct dot with a rule for gradients."""

    def dot(x, y, dim=None):
        return rd.dot(x, y, dim)

    dot.vjp = vjp
    return dot


def swapped(x, y, cotangent, dim=None):
    """Return the cotangents in the wrong order."""
    return rd.dot_vjp(x, y, cotangent, dim)[::-1]


def test_correct_function_passes():
    assert check_dot(rd.dot) is None
    assert check_dot(rd.dot, cases=5, seed=4) is None


def test_correct_gradients_pass_with_and_without_a_rule():
    check_dot(with_vjp(rd.dot_vjp), gradients=True)
    check_dot(rd.dot, cases=60, gradients=True)


def test_gradients_are_judged_on_request():
    check_dot(with_vjp(swapped), cases=50)
    with pytest.raises(AssertionError, match=r"R8 wrong-gradient at run: first order, of x"):
        check_dot(with_vjp(swapped), cases=50, gradients=True)


def test_mismatch_is_shown_with_its_smallest_case():
    with pytest.raises(AssertionError) as caught:
        check_dot(y_first, cases=40, seed=2)
    heading, _, mismatch = str(caught.value).partition("\n\n")
    # Besides the 40 random cases, there are fixed ones.
    assert re.fullmatch(r"y_first: 1 mismatch in \d{3} cases \(seed 2\):", heading)
    assert mismatch == (
        "R5 wrong-dims at run: dims\n"
        "  dot(float64(a: 1?), float64(b: 1?), dim=None)\n"
        "  expected ('a', 'b')\n"
        "  got      ('b', 'a')"
    )


def test_every_mismatch_is_shown():
    def dot(x, y, dim=None):
        shared = [name for name in x.dims if name in y.dims]
        cut = {name: slice(min(x.sizes[name], y.sizes[name])) for name in shared}
        return y_first(x.isel(**cut), y.isel(**cut), dim)

    with pytest.raises(AssertionError) as caught:
        check_dot(dot, cases=40)
    shown = re.findall(r"^(R\d+) ([a-z-]+) at run", str(caught.value), flags=re.MULTILINE)
    assert set(shown) == {("R4", "accepted-invalid"), ("R5", "wrong-dims")}


@pytest.mark.parametrize("answer", [None, 3, SystemExit])
def test_invalid_return_value_is_a_mismatch(answer):
    def dot(x, y, dim=None):
        if answer is SystemExit:
            raise SystemExit
        return answer

    with pytest.raises(AssertionError, match="R6 rejected-valid at run"):
        check_dot(dot, cases=10)


def test_interrupt_propagates():
    def dot(x, y, dim=None):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        check_dot(dot, cases=5)


def test_warnings_are_not_mismatches():
    def dot(x, y, dim=None):
        np.multiply(np.float64(1e308), 10)  # an overflow warning, which pytest turns into an error
        return rd.dot(x, y, dim)

    check_dot(dot, cases=20)


X = NamedTensor(np.array([[0.1, 0.2], [0.3, 0.4]]), ("a", "b"))
Y = NamedTensor(np.array([3.0, 5.0]), "b")
RIGHT = rd.dot(X, Y)
WRONG = {
    "dims": (NamedTensor(RIGHT.data, "z"), "R5 wrong-dims: expected ('a',), got ('z',)"),
    "shape": (RIGHT.isel(a=slice(1)), "R9 wrong-shape: expected (2,), got (1,)"),
    "dtype": (
        NamedTensor(RIGHT.data.astype("float32"), "a"),
        "R7 wrong-dtype: expected float64, got float32",
    ),
    "value": (
        NamedTensor(RIGHT.data + np.array([0, 0.5]), "a"),
        f"R6 wrong-value: expected {RIGHT.data[1]} at a=1, got {RIGHT.data[1] + 0.5} at a=1",
    ),
    "dtype and value": (
        NamedTensor(np.array([0, 3]), "a"),
        "R7 wrong-dtype: expected float64, got int64; "
        f"R6 wrong-value: expected {RIGHT.data[0]} at a=0, got 0 at a=0",
    ),
}


@pytest.mark.parametrize(("actual", "message"), WRONG.values(), ids=WRONG)
def test_wrong_answer_is_shown_with_its_rule_and_location(actual, message):
    with pytest.raises(AssertionError) as caught:
        assert_dot_matches(actual, X, Y)
    assert str(caught.value) == message


def test_correct_answer_passes_for_any_order_of_summation():
    assert_dot_matches(RIGHT, X, Y)
    assert_dot_matches(NamedTensor((X.data * Y.data)[:, ::-1].sum(axis=1), "a"), X, Y)
    assert_dot_matches(rd.dot(X, Y, iter("ab")), X, Y, iter("ab"))
    assert_dot_matches(rd.dot(X, Y, ...), X, Y, ...)


def test_invalid_input_is_rejected():
    with pytest.raises(rd.DimNotFoundError):
        assert_dot_matches(RIGHT, X, Y, "z")


# Patterns for errors


def dot_with_own_message(x, y, dim=None):
    """Raise its own error for sizes that differ."""
    try:
        return rd.dot(x, y, dim)
    except rd.SizeMismatchError as error:
        raise ValueError(f"operands of {len(error.dims)} wrong sizes") from None


def test_correct_pattern_passes():
    assert_error_pattern("Size of dim .* does not match", target=rd.dot)
    assert_error_pattern("wrong sizes", target=dot_with_own_message, exception=ValueError)
    assert_error_pattern("not found", ["dim-not-found", "dim-misspelt"], target="refdot:dot")
    assert_error_pattern("Size", ["batch-static"], CallableTarget(rd.dot, "dot"), backends=["call"])


WRONG_PATTERNS = {
    "too narrow": ("3 in x", {}, "misses 1 of 5 messages"),
    "too wide": ("Size|found", {}, "also matches 4 messages of other errors"),
    "wrong type": ("Size", {"exception": TypeError}, "SizeMismatchError instead of TypeError"),
    "another scenario": ("Size", {"situations": ["dim-not-found"]}, "misses 3 of 3 messages"),
    "not run": ("x", {"situations": ["dims-repeated"]}, "no message to match"),
}


@pytest.mark.parametrize(
    ("pattern", "options", "shown"), WRONG_PATTERNS.values(), ids=WRONG_PATTERNS
)
def test_wrong_pattern_is_shown_with_the_reason(pattern, options, shown):
    with pytest.raises(AssertionError, match=re.escape(shown)) as caught:
        assert_error_pattern(pattern, target=rd.dot, **options)
    first = f"pytest.raises({options.get('exception', Exception).__name__}, match='{pattern}')\n"
    assert str(caught.value).startswith(first)


def test_malformed_pattern_is_rejected():
    message = "malformed pattern, nothing to repeat at position 0: >>>*"
    with pytest.raises(PatternError, match=f"^{re.escape(message)}$"):
        assert_error_pattern("*", target=rd.dot)


def test_unknown_scenario_is_rejected():
    for call in (lambda *_: assert_error_pattern("x", *_), lambda *_: mismatch_pattern(*_[::-1])):
        with pytest.raises(ValueError, match=r"^unknown error scenario 'batch'"):
            call(["batch"], rd.dot)


@pytest.mark.parametrize(
    "target", [rd.dot, dot_with_own_message, "xarray", CallableTarget(rd.dot, "dot")]
)
def test_suggested_pattern_is_correct(target):
    pattern = mismatch_pattern(target)
    assert_error_pattern(pattern, target=target)
    with pytest.raises(AssertionError, match=r"misses 5 of 5 messages"):
        assert_error_pattern(pattern, target=lambda x, y, dim=None: rd.dot(x, x, ...))


def test_no_pattern_without_errors():
    def never_raises(x, y, dim=None):
        return rd.dot(x, x, ...)

    with pytest.raises(LookupError, match=r"^no pattern for contracted-unknown of "):
        mismatch_pattern(never_raises)


def test_suggested_pattern_for_pytensor_is_correct():
    pattern = mismatch_pattern(backends=["python"])
    assert_error_pattern(pattern, exception=ValueError, backends=["python"])


def test_patched_target_is_surveyed_again(monkeypatch):
    import pytensor.xtensor

    def refuse(x, y, dim=None):
        raise ValueError("nothing fits anything")

    assert_error_pattern("in its core", backends=["python"], lowerings=["stock"])
    monkeypatch.setattr(pytensor.xtensor, "dot", refuse)
    assert_error_pattern("nothing fits", backends=["python"], lowerings=["stock"])


def test_strategies_are_exported():
    assert {"dot_cases", "dim_arguments"} < set(testing.__all__)
