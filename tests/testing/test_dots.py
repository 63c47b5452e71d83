"""Assertions about dots: what is judged, and what the messages show."""

import re
from functools import cache, partial
from unittest import SkipTest

import numpy as np
import pytest
from hypothesis import Phase, example, given, settings

import refdot as rd
from refdot import check
from refdot.check import plan
from refdot.targets import CallableTarget, Deviation, Unsupported
from refdot.tensor import NamedTensor
from refdot.testing import (
    assert_dot_matches,
    check_case,
    check_dot,
    dot_case,
    dot_cases,
    smoke_cases,
)

case_at = cache(plan.case_at)


@pytest.fixture(autouse=True)
def _shared_cases(monkeypatch):
    """Share the cases between the tests of this module: generating them takes longest."""
    monkeypatch.setattr(plan, "case_at", case_at)


@pytest.fixture
def only_random_cases(monkeypatch):
    """Leave out the fixed cases, which take longer."""
    monkeypatch.setattr(check, "run", partial(check.run, fixed=False))


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
    assert re.fullmatch(
        r"y_first: 1 distinct mismatch, of R5, in [\d,]+ cases \(seed 2\):", heading
    )
    assert mismatch == (
        "R5 wrong-dims at run: dims\n"
        "  dot(float64(a: 1?), float64(b: 1?), dim=None)\n"
        "  expected ('a', 'b')\n"
        "  got      ('b', 'a')\n"
        '  case     dot_case("a:1?", "b:1?")'
    )


def cut_y_first(x, y, dim=None):
    """Cut sizes that differ, and put the dims of y first."""
    shared = [name for name in x.dims if name in y.dims]
    cut = {name: slice(min(x.sizes[name], y.sizes[name])) for name in shared}
    return y_first(x.isel(**cut), y.isel(**cut), dim)


DIMS = "R5 wrong-dims at run: dims"


def shown(**options):
    """Return the rule and the kind of each mismatch of `cut_y_first` that is shown."""
    with pytest.raises(AssertionError) as caught:
        check_dot(cut_y_first, cases=20, **options)
    return set(re.findall(r"^(R\d+) ([a-z-]+) at run", str(caught.value), flags=re.MULTILINE))


def test_every_mismatch_is_shown(only_random_cases):
    assert shown() == {("R4", "accepted-invalid"), ("R5", "wrong-dims")}


def test_the_count_is_that_of_mismatches_and_the_rules_are_named(only_random_cases):
    with pytest.raises(AssertionError) as caught:
        check_dot(cut_y_first, cases=20)
    heading = str(caught.value).partition("\n")[0]
    mismatches = len(re.findall(r"^R\d+ ", str(caught.value), flags=re.MULTILINE))
    start = f"cut_y_first: {mismatches} distinct mismatches, of R4 and R5, in "
    assert mismatches > 2
    assert heading.startswith(start)


@pytest.mark.parametrize(
    "options", [{"only": ["values"]}, {"only": "values"}, {"rules": ["R5", "R6"]}, {"rules": "R5"}]
)
def test_aspects_and_rules_may_be_selected(options, only_random_cases):
    assert shown(**options) == {("R5", "wrong-dims")}
    check_dot(cut_y_first, cases=20, only=["values"], rules=["R4"])


def test_a_known_mismatch_is_accepted(only_random_cases):
    check_dot(y_first, cases=20, known=[DIMS])
    check_dot(y_first, cases=20, known=DIMS)
    assert shown(known=[DIMS]) == {("R4", "accepted-invalid")}


def test_a_known_mismatch_that_does_not_occur_is_a_warning(only_random_cases):
    with pytest.warns(UserWarning, match=f"^dot no longer has the mismatch '{DIMS}'$") as caught:
        check_dot(rd.dot, cases=1, known=[DIMS])
    assert caught[0].filename == __file__


RULES = ", ".join(f"R{number}" for number in range(1, 16))
NOTHING_TO_JUDGE = {
    "no case": ({"cases": 0}, "cases must be at least 1, got 0"),
    "fewer": ({"cases": -3}, "cases must be at least 1, got -3"),
    "an unknown rule": ({"rules": ["R16"]}, f"unknown rule 'R16': choose from {RULES}"),
    "an unknown aspect": (
        {"only": ["value"]},
        "unknown aspect 'value': choose from values, gradients, errors, structure, resources",
    ),
    "no gradient": ({"rules": ["R8"]}, "R8 cannot be judged: the target has no gradient"),
    "no gradients": (
        {"only": ["values", "gradients"]},
        "gradients cannot be judged: the target has no gradient",
    ),
    "no graph": ({"rules": ["R6", "R14"]}, "R14 cannot be judged: the target builds no graph"),
    "names": (
        {"rules": ["R1"]},
        "R1 cannot be judged: NamedTensor does not accept dims that break R1",
    ),
}


@pytest.mark.parametrize(("options", "message"), NOTHING_TO_JUDGE.values(), ids=NOTHING_TO_JUDGE)
def test_to_judge_nothing_is_an_error(options, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        check_dot(rd.dot, **options)


def test_a_target_that_supports_no_case_is_an_error(only_random_cases):
    nothing = CallableTarget(rd.dot, "dot", unsupported=(Unsupported("never", lambda case: True),))
    with pytest.raises(ValueError, match=r"^dot supports none of the \d+ cases$"):
        check_dot(nothing, cases=1)


def test_what_is_no_function_is_an_error():
    with pytest.raises(TypeError, match=r"^expected a function or a target, got 5$"):
        check_dot(5)


def reversed_target(**more):
    """Return a target whose only mismatch is a known deviation."""
    known = Deviation(
        id="y-first",
        title="The dims of y come first.",
        rules=("R5",),
        kinds=("wrong-dims",),
        versions="",
        backends=(),
        matches=lambda mismatch, outcome: True,
        example=dot_case("a?", "b?"),
        cause="It calls rd.dot(y, x).",
    )
    return CallableTarget(y_first, "y_first", deviations=(known,), **more)


def test_a_target_brings_its_known_deviations_and_limits(only_random_cases):
    case = dot_case("a", "b")
    check_dot(reversed_target(), cases=20)
    check_case(reversed_target(), case)
    limit = Unsupported("no", lambda case: len(case.dims) > 1)
    with pytest.raises(SkipTest, match=r"^y_first does not support dot"):
        check_case(reversed_target(unsupported=(limit,)), case)


def test_a_target_is_found_by_its_name(only_random_cases):
    check_dot("xarray", cases=5)
    check_case("refdot:dot", dot_case("a", "a"))


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (None, "an object of type NoneType, not a NamedTensor"),
        (
            np.ones(3),
            r"an object of type ndarray, not a NamedTensor: write NamedTensor\(array, dims\)",
        ),
    ],
    ids=["None", "array"],
)
def test_a_function_that_returns_no_tensor_fails_with_one_line(answer, said):
    def dot(x, y, dim=None):
        return answer

    for judge in (check_dot, lambda fn: check_case(fn, dot_case("a", "a"))):
        with pytest.raises(AssertionError, match=rf"<locals>\.dot returned {said}$"):
            judge(dot)


def test_an_exit_is_a_mismatch():
    def dot(x, y, dim=None):
        raise SystemExit

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


# One case


def test_a_right_answer_and_a_right_error_pass():
    for case in (dot_case("a b", "b c"), dot_case("a:2", "a:3"), dot_case("a", "b", 5)):
        assert check_case(rd.dot, case) is None


def test_a_mismatch_is_shown_with_the_expression_of_the_case():
    with pytest.raises(AssertionError) as caught:
        check_case(cut_y_first, dot_case("a:2", "b:3", seed=1))
    assert str(caught.value) == (
        "cut_y_first: R5 wrong-dims at run: dims\n"
        "  dot(float64(a: 2), float64(b: 3), dim=None)  [seed 1]\n"
        "  expected ('a', 'b')\n"
        "  got      ('b', 'a')\n"
        '  case     dot_case("a:2", "b:3", seed=1)'
    )


def test_a_missing_error_is_a_mismatch():
    with pytest.raises(AssertionError, match="R4 accepted-invalid at run: contracted"):
        check_case(cut_y_first, dot_case("a:2", "a:3"))


def test_gradients_of_a_case_are_judged_on_request():
    case = dot_case("a b", "b c", gradient_order=1)
    check_case(with_vjp(swapped), case)
    with pytest.raises(AssertionError) as caught:
        check_case(with_vjp(swapped), case, gradients=True)
    signatures = re.findall(r"^with_vjp\S+ (.*)$", str(caught.value), re.MULTILINE)
    assert signatures == [
        f"R8 wrong-gradient at run: first order, of {name}: shape" for name in "xy"
    ]


def test_a_case_that_no_named_tensor_has_skips_a_test():
    with pytest.raises(SkipTest, match=r"^dot does not support dot\(float64\(a: 2, a: 3\), "):
        check_case(rd.dot, dot_case("a:2 a:3", "a"))


@given(case=dot_cases())
@example(case=dot_case("a:2 a:3", "a"))
def test_hypothesis_draws_cases_of_which_some_are_rejected(case):
    check_case(rd.dot, case)


def test_a_counterexample_is_printed_as_an_expression():
    """That can be pasted into the test as an `@example`."""

    @settings(database=None, derandomize=True, phases=[Phase.generate, Phase.shrink])
    @given(case=dot_cases())
    def test(case):
        check_case(y_first, case)

    with pytest.raises(AssertionError) as caught:
        test()
    (printed,) = re.findall(r"^ +case=(.*),$", "\n".join(caught.value.__notes__), re.MULTILINE)
    assert f"  case     {printed}" in str(caught.value)
    with pytest.raises(AssertionError, match=re.escape(str(caught.value))):
        check_case(y_first, eval(printed))


def test_smoke_cases_are_all_supported():
    cases = smoke_cases()
    assert len(cases) == 79
    for case in cases:
        check_case(rd.dot, case)
    failed = 0
    for case in cases:
        try:
            check_case(y_first, case)
        except AssertionError:
            failed += 1
    assert failed > 30
