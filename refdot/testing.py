"""Assertions and strategies for tests of a dot and of regexes for its errors."""

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from refdot import check
from refdot.cases.case import DimArgument, DotCase, Operand
from refdot.cases.strategies import dim_arguments, dot_cases
from refdot.judging.comparison import judge_answer
from refdot.lowering import Dim, dim_set
from refdot.messages.regex import check_pattern, judge
from refdot.messages.scenarios import DEFAULT_SCENARIOS
from refdot.messages.suggestion import suggest_pattern
from refdot.messages.survey import Survey, survey
from refdot.reporting.messages import plain_text, verdict_lines
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
    """Judge a function on random cases, valid and invalid.

    Parameters
    ----------
    fn : callable
        `fn(x: NamedTensor, y: NamedTensor, dim) -> NamedTensor`. For invalid input it must raise
        a `ValueError` or `TypeError` that names the dim.
    cases : int, optional
        The number of distinct cases.
    gradients : bool, optional
        Whether to judge the gradients `(x_bar, y_bar)` that `fn.vjp(x, y, cotangent, dim)`
        returns or, without that attribute, those that the values of `fn` imply.
    seed : int, optional
        The same seed generates the same cases.

    Raises
    ------
    AssertionError
        A rule is broken; the message shows each distinct mismatch with its smallest case.

    Examples
    --------
    >>> import refdot as rd
    >>> check_dot(rd.dot, cases=50)
    """
    target = CallableTarget(fn, getattr(fn, "__qualname__", repr(fn)), gradients=gradients)
    report = check.run(target, cases=cases, seed=seed)
    if report.interrupted:
        raise KeyboardInterrupt
    if count := len(report.findings):
        mismatches = "1 mismatch" if count == 1 else f"{count} mismatches"
        heading = f"{target.name}: {mismatches} in {report.cases} cases (seed {seed}):"
        raise AssertionError("\n\n".join([heading, *(str(f.mismatch) for f in report.findings)]))


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
    x_operand, y_operand = (Operand(t.dims, t.shape, str(t.dtype)) for t in (x, y))
    case = DotCase(x_operand, y_operand, DimArgument.of(dim_set(dim)))
    if found := judge_answer(actual, x, y, case):
        raise AssertionError(
            "; ".join(f"{m.rule} {m.kind}: expected {m.expected}, got {m.got}" for m in found)
        )


def assert_error_pattern(
    pattern: str,
    situations: Sequence[str] = DEFAULT_SCENARIOS,
    target: _AnyTarget = "pytensor",
    *,
    exception: type[BaseException] = Exception,
    backends: Sequence[str] = (),
    lowerings: Sequence[str] = (),
) -> None:
    """Assert that `pytest.raises(exception, match=pattern)` is correct for error scenarios.

    Parameters
    ----------
    pattern : str
        Must match every message of these scenarios, and no other error.
    situations : sequence of str, optional
        Names of error scenarios; by default a contracted dim whose sizes differ, none static.
    target : str, Target or callable, optional
        As on the command line, or a function of `NamedTensor`s.
    exception : type, optional
        The exception that must be raised.
    backends, lowerings : sequence of str, optional
        By default every backend that can run here, and the target's default lowerings. PyTensor
        takes about half a minute to compile for all of them.

    Raises
    ------
    AssertionError
        The pattern is wrong; the message shows why, and suggests another.
    PatternError
        The pattern is malformed.

    Examples
    --------
    >>> import refdot as rd
    >>> assert_error_pattern("does not match", target=rd.dot)
    >>> assert_error_pattern("not", target=rd.dot)  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    AssertionError: pytest.raises(Exception, match='not')
    for contracted-unknown
    on dot on Python ..., backends call, lowerings stock
    ...
    """
    check_pattern(pattern)
    messages = _messages(target, backends, lowerings)
    verdict = judge(pattern, messages, situations, exception)
    if not verdict.is_correct:
        raise AssertionError(plain_text(verdict_lines(verdict, messages)))


def mismatch_pattern(
    target: _AnyTarget = "pytensor",
    situations: Sequence[str] = DEFAULT_SCENARIOS,
    *,
    backends: Sequence[str] = (),
    lowerings: Sequence[str] = (),
) -> str:
    """Return a correct regex for the errors of the installed version of a target.

    Parameters
    ----------
    target, situations, backends, lowerings : optional
        As in `assert_error_pattern`.

    Returns
    -------
    str
        The shortest alternation of literal fragments that is correct for the error scenarios.

    Raises
    ------
    LookupError
        No error is raised, or every fragment of its message is in another error too.

    Examples
    --------
    >>> import refdot as rd
    >>> mismatch_pattern(rd.dot)
    'Size of dim'
    """
    messages = _messages(target, backends, lowerings)
    if pattern := suggest_pattern(messages, situations):
        return pattern
    raise LookupError(f"no pattern for {', '.join(situations)} of {messages}")


def _messages(target: _AnyTarget, backends: Sequence[str], lowerings: Sequence[str]) -> Survey:
    # Nothing is kept between calls, so that a target that was patched meanwhile is judged.
    resolved: Any = find_target(target) if isinstance(target, str) else target
    if not hasattr(resolved, "backends"):
        resolved = CallableTarget(resolved, getattr(resolved, "__qualname__", repr(resolved)))
    available = tuple(b.name for b in resolved.backends() if b.default and not b.absent)
    return survey(resolved, backends=backends or available, lowerings=lowerings)
