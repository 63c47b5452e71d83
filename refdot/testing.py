"""What the author of a test needs: hold any dot, and any regex for its errors, to the rules."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from refdot import check
from refdot.cases.strategies import dim_arguments, dot_cases
from refdot.judging.comparison import flaws
from refdot.lowering import Dim
from refdot.messages.regex import check_pattern, judge
from refdot.messages.scenarios import DEFAULT
from refdot.messages.suggestion import suggestion
from refdot.messages.survey import Survey, survey
from refdot.reporting.messages import as_text, verdict_lines
from refdot.targets.callable import CallableTarget
from refdot.targets.protocol import Target
from refdot.targets.registry import find_target
from refdot.tensor import NamedTensor

__all__ = [
    "assert_dot_matches",
    "assert_error_pattern",
    "check_dot",
    "dim_arguments",
    "dot_cases",
    "mismatch_pattern",
]


_AnyTarget: TypeAlias = str | Target | Callable[..., Any]


def check_dot(
    fn: Callable[..., Any], cases: int = 200, gradients: bool = False, seed: int = 0
) -> None:
    """Hold a function against the oracle, on random cases, valid and invalid.

    Parameters
    ----------
    fn : callable
        `fn(x: NamedTensor, y: NamedTensor, dim) -> NamedTensor`, or raises a `ValueError` or
        `TypeError` that names the dim.
    cases : int, optional
        How many distinct cases.
    gradients : bool, optional
        Whether to judge gradients too: those of `fn.vjp(x, y, cotangent, dim)`, which gives
        `(x_bar, y_bar)`, or without such an attribute those that the function's values on basis
        vectors imply, since a dot is bilinear.
    seed : int, optional
        The same seed draws the same cases.

    Raises
    ------
    AssertionError
        A rule is broken: the message shows each distinct mismatch with its smallest case.

    Examples
    --------
    >>> import refdot as rd
    >>> check_dot(rd.dot, cases=50)
    """
    target = CallableTarget(fn, getattr(fn, "__qualname__", repr(fn)), gradients=gradients)
    report = check.run(target, cases=cases, seed=seed)
    if report.interrupted:
        raise KeyboardInterrupt
    if report.findings:
        shown = "\n\n".join(str(finding.mismatch) for finding in report.findings)
        raise AssertionError(
            f"{target.name} breaks {len(report.findings)} of the rules of dot "
            f"in {report.cases} cases (seed {seed}):\n\n{shown}"
        )


def assert_dot_matches(
    actual: NamedTensor, x: NamedTensor, y: NamedTensor, dim: Dim = None
) -> None:
    """Assert that an answer to `dot(x, y, dim)` is a correct one: dims, dtype and values.

    Integers and bools must be equal, and floats as near as rounding allows: see
    `refdot.rounding`.

    Raises
    ------
    AssertionError
        It is not; the message shows the first wrong element, its place named by dims.

    Examples
    --------
    >>> x = NamedTensor([0.1, 0.2, 0.3], "a")
    >>> assert_dot_matches(NamedTensor(0.14, ()), x, x)
    >>> assert_dot_matches(NamedTensor(0.15, ()), x, x)
    Traceback (most recent call last):
    AssertionError: R6 wrong-value: expected 0.14, got 0.15
    """
    if found := flaws(actual, x, y, dim):
        raise AssertionError(
            "; ".join(
                f"{flaw.rule} {flaw.kind}: expected {flaw.expected}, got {flaw.got}"
                for flaw in found
            )
        )


def assert_error_pattern(
    pattern: str,
    situations: Sequence[str] = DEFAULT,
    target: _AnyTarget = "pytensor",
    *,
    exception: type[BaseException] = Exception,
    backends: Sequence[str] = (),
    lowerings: Sequence[str] = (),
) -> None:
    """Assert that `pytest.raises(exception, match=pattern)` is right for some situations.

    Parameters
    ----------
    pattern : str
        It must match every message of those situations, and no other error.
    situations : sequence of str, optional
        Names of `refdot.situations.SCENARIOS`; by default a contracted dim of two sizes that
        are known at the first call only.
    target : str, Target or callable, optional
        As on the command line, or a function on `NamedTensor`s.
    exception : type, optional
        The exception that must be raised.
    backends, lowerings : sequence of str, optional
        By default every lowering, and every backend that can run here. To compile for all of
        PyTensor's takes about half a minute.

    Raises
    ------
    AssertionError
        It is not right; the message shows what it misses, what else it matches, and a
        suggestion.
    PatternError
        It is malformed.

    Examples
    --------
    >>> import refdot as rd
    >>> assert_error_pattern("does not match", target=rd.dot)
    >>> assert_error_pattern("not", target=rd.dot)  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    AssertionError: pytest.raises(Exception, match='not')
    for contracted-unknown of dot on Python ..., backends call, lowerings stock
    ...
    """
    check_pattern(pattern)
    found = _all_messages(target, backends, lowerings)
    verdict = judge(pattern, found, situations, exception)
    if not verdict.is_right:
        best = verdict.suggestion
        suggested = judge(best, found, situations, exception) if best else None
        raise AssertionError(as_text(verdict_lines(verdict, suggested, found)))


def mismatch_pattern(
    target: _AnyTarget = "pytensor",
    situations: Sequence[str] = DEFAULT,
    *,
    backends: Sequence[str] = (),
    lowerings: Sequence[str] = (),
) -> str:
    """Give the right pattern for the version of a target that is installed.

    Parameters
    ----------
    target : str, Target or callable, optional
    situations : sequence of str, optional
        As for `assert_error_pattern`: by default, where sizes do not match.
    backends, lowerings : sequence of str, optional
        As for `assert_error_pattern`.

    Returns
    -------
    str
        For `pytest.raises(..., match=...)`: the shortest alternation of literal fragments that
        matches every message there, and no other error. See `refdot.messages.regex`.

    Raises
    ------
    LookupError
        No fragment tells these messages from others, or nothing is raised.

    Examples
    --------
    >>> import refdot as rd
    >>> mismatch_pattern(rd.dot)
    'Size of dim'
    """
    found = _all_messages(target, backends, lowerings)
    pattern = suggestion(found, situations)
    if pattern is None:
        raise LookupError(f"no pattern for {', '.join(situations)} of {found}")
    return pattern


def _all_messages(target: _AnyTarget, backends: Sequence[str], lowerings: Sequence[str]) -> Survey:
    """Ask a target for all its messages, on all its backends unless some are named.

    Anew at each call, so that a target that was patched meanwhile is what is judged.
    """
    asked: Any = find_target(target) if isinstance(target, str) else target
    if not hasattr(asked, "backends"):
        asked = CallableTarget(asked, getattr(asked, "__qualname__", repr(asked)))
    there = tuple(b.name for b in asked.backends() if b.default and not b.absent)
    return survey(asked, backends=backends or there, lowerings=lowerings)
