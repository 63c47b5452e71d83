"""Assertions about dots: a function on many cases, on one case, and one answer."""

import unittest
import warnings
from collections.abc import Iterable, Sequence
from itertools import product

import hypothesis

from refdot import check
from refdot.cases.case import DimArgument, DotCase, Operand
from refdot.cases.notation import dot_case
from refdot.cases.smoke import smoke_cases as every_smoke_case
from refdot.check.batch import judge_cases
from refdot.check.plan import Configuration
from refdot.judging.comparison import judge_answer
from refdot.lowering import Dim, dim_set
from refdot.rules import ASPECTS, RULES
from refdot.targets.callable import CallableTarget
from refdot.targets.mismatch import Mismatch
from refdot.targets.protocol import Target, unsupported_reason
from refdot.tensor import NamedTensor, check_tensors
from refdot.testing.targets import AnyTarget, as_target
from refdot.text import counted, listed

__all__ = ["assert_dot_matches", "check_case", "check_dot", "smoke_cases"]


def check_dot(
    fn: AnyTarget,
    cases: int = 200,
    gradients: bool = False,
    seed: int = 0,
    *,
    only: Sequence[str] = (),
    rules: Sequence[str] = (),
    known: Sequence[str] = (),
) -> None:
    """Judge a function on many cases, valid and invalid: fixed ones, and random ones.

    Parameters
    ----------
    fn : callable, Target or str
        `fn(x: NamedTensor, y: NamedTensor, dim) -> NamedTensor`. For invalid input it must raise
        a `ValueError` or `TypeError` that names the dim. Or a target, or its name as on the
        command line; its known deviations are no mismatches.
    cases : int, optional
        The number of distinct random cases, at least 1.
    gradients : bool, optional
        Whether to judge the gradients `(x_bar, y_bar)` that `fn.vjp(x, y, cotangent, dim)`
        returns or, without that attribute, those that the values of `fn` imply.
    seed : int, optional
        The same seed generates the same cases.
    only : sequence of str, optional
        Aspects to judge, of `refdot.rules.ASPECTS`; by default all.
    rules : sequence of str, optional
        Rules to judge, such as "R4"; by default all.
    known : sequence of str, optional
        Mismatches that are accepted, by the first line of each, such as "R5 wrong-dims at run:
        dims". One that does not occur is a warning.

    Raises
    ------
    AssertionError
        A rule is broken; the message shows each distinct mismatch with its smallest case, and the
        expression of that case, which `check_case` takes.
    ValueError
        Nothing would be judged, or there is no such aspect or rule.

    Examples
    --------
    >>> import refdot as rd
    >>> check_dot(lambda x, y, dim=None: rd.dot(y, x, dim), cases=1)  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    AssertionError: <lambda>: 1 distinct mismatch, of R5, in ... cases (seed 0):
    <BLANKLINE>
    R5 wrong-dims at run: dims
      dot(float64(a: 1?), float64(b: 1?), dim=None)
      expected ('a', 'b')
      got      ('b', 'a')
      case     dot_case("a:1?", "b:1?")
    """
    __tracebackhide__ = True
    if cases < 1:
        raise ValueError(f"cases must be at least 1, got {cases}")
    target = as_target(fn, gradients)
    only = _choices("aspect", only, ASPECTS)
    rules = _choices("rule", rules, RULES)
    _check_that_all_are_judged(target, only, rules)
    report = check.run(target, cases=cases, seed=seed, only=only)
    if report.interrupted:
        raise KeyboardInterrupt
    if report.cases == 0:
        raise ValueError(f"{target.name} supports none of the {report.skipped} cases")
    found = [
        finding.mismatch
        for finding in report.findings
        if finding.known is None and finding.mismatch.rule in (rules or RULES)
    ]
    known = (known,) if isinstance(known, str) else known
    _warn_of_stale(known, found, target)
    if new := [mismatch for mismatch in found if mismatch.signature not in known]:
        raise AssertionError(
            f"{target.name}: {_counts(new)} in {counted(report.cases, 'case')} (seed {seed}):\n\n"
            + "\n\n".join(map(_with_case, new))
        )


def _choices(noun: str, names: Sequence[str], choices: Iterable[str]) -> tuple[str, ...]:
    """Return the names as a tuple, after checking that there are such aspects or rules."""
    names = (names,) if isinstance(names, str) else tuple(names)
    for name in names:
        if name not in choices:
            raise ValueError(f"unknown {noun} {name!r}: choose from {', '.join(choices)}")
    return names


def _check_that_all_are_judged(target: Target, only: Sequence[str], rules: Sequence[str]) -> None:
    """Raise an error if the target leaves out all that an aspect or a rule is about."""
    kinds = {name: ASPECTS[name] for name in only} | {name: RULES[name].kinds for name in rules}
    for name, of_name in kinds.items():
        if target.not_checked.keys() >= {*of_name}:
            raise ValueError(f"{name} cannot be judged: {target.not_checked[of_name[0]]}")
    reason = unsupported_reason(target, dot_case("a:2 a:2", ""))
    if "R1" in rules and reason is not None:
        raise ValueError(f"R1 cannot be judged: {reason}")


def _warn_of_stale(known: Sequence[str], found: Sequence[Mismatch], target: Target) -> None:
    for signature in known:
        if signature not in {mismatch.signature for mismatch in found}:
            warnings.warn(f"{target.name} no longer has the mismatch {signature!r}", stacklevel=3)


def _counts(found: Sequence[Mismatch]) -> str:
    """Return the number of distinct mismatches and the rules that they break, as text."""
    rules = listed(dict.fromkeys(mismatch.rule for mismatch in found))
    noun = "distinct mismatch" if len(found) == 1 else "distinct mismatches"
    return f"{len(found)} {noun}, of {rules},"


def _with_case(mismatch: Mismatch) -> str:
    return f"{mismatch}\n  case     {mismatch.case!r}"


def check_case(fn: AnyTarget, case: DotCase, gradients: bool = False) -> None:
    """Judge a function on one case: its answer, or its error for a case that breaks a rule.

    Parameters
    ----------
    fn : callable, Target or str
        As for `check_dot`.
    case : DotCase
        Such as `dot_case("a:2 b:3", "b:3")`, or what `dot_cases()` draws. One that the target does
        not support is rejected in a test of Hypothesis, and skips another test.
    gradients : bool, optional
        As for `check_dot`, for a case that has a `gradient_order`.

    Raises
    ------
    AssertionError
        A rule is broken.

    Examples
    --------
    >>> import refdot as rd
    >>> check_case(rd.dot, dot_case("a:2 b:3", "b:3"))
    >>> check_case(rd.dot, dot_case("a:2 b:3", "b:1"))  # it raises a SizeMismatchError
    >>> check_case(lambda x, y, dim=None: rd.dot(x, y, ...), dot_case("a:2 b:3", "b:3"))
    Traceback (most recent call last):
    AssertionError: <lambda>: R5 wrong-dims at run: dims
      dot(float64(a: 2, b: 3), float64(b: 3), dim=None)
      expected ('a',)
      got      ()
      case     dot_case("a:2 b:3", "b:3")
    """
    __tracebackhide__ = True
    target = as_target(fn, gradients)
    backends = [each.name for each in target.backends() if each.default and not each.absent]
    supported = [name for name in backends if unsupported_reason(target, case, name) is None]
    if not supported:
        _skip(f"{target.name} does not support {case}")
    found: dict[str, Mismatch] = {}
    for names in product(supported, target.default_lowerings):
        for finding in judge_cases(target, [case], Configuration(*names)):
            if finding.known is None:
                found.setdefault(finding.mismatch.signature, finding.mismatch)
    if found:
        texts = [f"{target.name}: {_with_case(mismatch)}" for mismatch in found.values()]
        raise AssertionError("\n\n".join(texts))


def _skip(reason: str) -> None:
    __tracebackhide__ = True
    if hypothesis.currently_in_test_context():
        hypothesis.reject()
    raise unittest.SkipTest(reason)


def smoke_cases() -> tuple[DotCase, ...]:
    """Return a few cases that show most faults, without those that no `NamedTensor` can have.

    Examples
    --------
    >>> import refdot as rd
    >>> for case in smoke_cases():
    ...     check_case(rd.dot, case)
    """
    limits = CallableTarget.unsupported
    return tuple(c for c in every_smoke_case() if not any(limit.applies(c) for limit in limits))


def assert_dot_matches(
    actual: NamedTensor, x: NamedTensor, y: NamedTensor, dim: Dim = None
) -> None:
    """Assert that an answer to `dot(x, y, dim)` is correct: its dims, dtype and values.

    Integers and bools must be exact. Floats may differ by the bound of `refdot.judging.rounding`.
    Long doubles are not judged where the magnitudes of the products may add up to an overflow.

    Raises
    ------
    AssertionError
        It is wrong; the message shows the first wrong element and its location by dims.

    Examples
    --------
    >>> x = NamedTensor([0.1, 0.2, 0.3], "a")
    >>> assert_dot_matches(NamedTensor(0.14, ()), x, x)
    >>> assert_dot_matches(NamedTensor(0.15, ()), x, x)
    Traceback (most recent call last):
    AssertionError: R6 wrong-value: expected 0.14, got 0.15
    """
    __tracebackhide__ = True
    check_tensors("assert_dot_matches", actual, x, y)
    x_operand, y_operand = (Operand(t.dims, t.shape, str(t.dtype)) for t in (x, y))
    case = DotCase(x_operand, y_operand, DimArgument.of(dim_set(dim)))
    if found := judge_answer(actual, x, y, case):
        raise AssertionError(
            "; ".join(f"{m.rule} {m.kind}: expected {m.expected}, got {m.got}" for m in found)
        )
