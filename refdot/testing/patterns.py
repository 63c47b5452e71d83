"""Assertions about regexes for the errors of a dot, and correct regexes."""

from collections.abc import Sequence

from refdot.messages.regex import check_pattern, judge
from refdot.messages.scenarios import DEFAULT_SCENARIOS
from refdot.messages.suggestion import suggest_pattern
from refdot.messages.survey import Survey, survey
from refdot.reporting.messages import plain_text, verdict_lines
from refdot.testing.targets import AnyTarget, as_target

__all__ = ["assert_error_pattern", "mismatch_pattern"]


def assert_error_pattern(
    pattern: str,
    situations: Sequence[str] = DEFAULT_SCENARIOS,
    target: AnyTarget = "pytensor",
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
        The pattern is malformed or too large.

    Examples
    --------
    >>> import refdot as rd
    >>> assert_error_pattern("does not match", target=rd.dot)
    >>> assert_error_pattern("not", target=rd.dot)  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    AssertionError: pytest.raises(Exception, match='not')
    for contracted-unknown
    on dot on Python ..., backend call, lowering stock
    ...
    """
    __tracebackhide__ = True
    check_pattern(pattern)
    messages = _messages(target, backends, lowerings)
    verdict = judge(pattern, messages, situations, exception)
    if not verdict.is_correct:
        raise AssertionError(plain_text(verdict_lines(verdict, messages)))


def mismatch_pattern(
    target: AnyTarget = "pytensor",
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


def _messages(target: AnyTarget, backends: Sequence[str], lowerings: Sequence[str]) -> Survey:
    # Nothing is kept between calls, so that a target that was patched meanwhile is judged.
    resolved = as_target(target)
    available = tuple(b.name for b in resolved.backends() if b.default and not b.absent)
    return survey(resolved, backends=backends or available, lowerings=lowerings)
