"""Judge a regex for error messages, as `pytest.raises(T, match=PATTERN)` would use it.

pytest calls `re.search` on the `str` of the exception, followed by its notes.

A regex in a test should match every message of the error scenarios that the test is about, on
every backend and lowering, and no message of any other scenario.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from refdot.messages.alternatives import alternatives, without_nested
from refdot.messages.search import probe_texts, search
from refdot.messages.suggestion import split_by_scenario, suggest_pattern
from refdot.messages.survey import Message, Survey

__all__ = ["PatternError", "Unmatched", "Verdict", "check_pattern", "judge", "suggest"]

# The time to judge a pattern grows with both. A regex for error messages is far below.
MAX_LENGTH, MAX_ALTERNATIVES = 4000, 100
_TOO_LARGE = (
    f"not judged: too large; at most {MAX_LENGTH:,} characters and {MAX_ALTERNATIVES} alternatives "
    "are judged"
)


class PatternError(ValueError):
    """A pattern is malformed or too large; the message shows where or how, in one line."""


@dataclass(frozen=True)
class Unmatched:
    """A message that a pattern should match but does not, with the reason."""

    message: Message
    reason: str


@dataclass(frozen=True)
class Verdict:
    """The judgement of `pytest.raises(exception, match=pattern)` for some error scenarios."""

    pattern: str
    exception: str
    scenarios: tuple[str, ...]
    message_count: int  # of these scenarios
    unmatched: tuple[Unmatched, ...] = ()
    also_matched: tuple[Message, ...] = ()  # of other scenarios
    unused_alternatives: tuple[str, ...] = ()  # those that match no message at all
    timed_out_on: str = ""  # the text on which the search did not end in time
    suggestion: Verdict | None = None  # on another pattern, if this one is incorrect

    @property
    def is_correct(self) -> bool:
        """Whether the pattern matches all messages that it should, no others, and in time."""
        wrong = self.unmatched or self.also_matched or self.timed_out_on
        return self.message_count > 0 and not wrong


def judge(
    pattern: str,
    survey: Survey,
    scenarios: Sequence[str],
    exception: type[BaseException] = Exception,
) -> Verdict:
    """Judge a pattern for some error scenarios on the messages of a survey of all scenarios.

    Raise a `PatternError` if the pattern is malformed or too large, and a `ValueError` for an
    unknown scenario.

    Examples
    --------
    >>> import refdot
    >>> from refdot.messages.survey import survey
    >>> from refdot.targets.callable import CallableTarget
    >>> messages = survey(CallableTarget(refdot.dot, "dot"))
    >>> verdict = judge("does not match|did not match", messages, ["contracted-unknown"])
    >>> verdict.is_correct, verdict.unused_alternatives
    (True, ('did not match',))
    """
    check_pattern(pattern)
    verdict = _judge(pattern, survey, scenarios, exception)
    if verdict.is_correct:
        return verdict
    return replace(verdict, suggestion=suggest(survey, scenarios, exception))


def suggest(
    survey: Survey, scenarios: Sequence[str], exception: type[BaseException] = Exception
) -> Verdict | None:
    """Suggest a pattern for some error scenarios, and judge it; return None if there is none."""
    best = suggest_pattern(survey, scenarios, exception)
    return _judge(best, survey, scenarios, exception) if best and _is_small(best) else None


def _judge(
    pattern: str, survey: Survey, scenarios: Sequence[str], exception: type[BaseException]
) -> Verdict:
    expected, others = split_by_scenario(survey, scenarios)
    texts = list(dict.fromkeys(message.text for message in survey.messages if message.raised))
    all_texts = texts + probe_texts(pattern, texts)
    parts = alternatives(pattern)
    matches = search(
        [(pattern, text) for text in all_texts]
        + [(part.isolated, text) for part in parts for text in texts]
    )
    matched = {text for text in texts if matches.get((pattern, text))}
    unmatched = {text for text in texts if matches.get((pattern, text)) is False}
    unused = [p for p in parts if all(matches.get((p.isolated, text)) is False for text in texts)]
    return Verdict(
        pattern=pattern,
        exception=exception.__name__,
        scenarios=tuple(scenarios),
        message_count=len(expected),
        unmatched=tuple(_unmatched(expected, exception, unmatched)),
        also_matched=tuple(m for m in others if m.is_instance(exception) and m.text in matched),
        unused_alternatives=tuple(part.text for part in without_nested(unused)),
        timed_out_on=next((text for text in all_texts if (pattern, text) not in matches), ""),
    )


def _unmatched(
    expected: Iterable[Message], exception: type[BaseException], unmatched: Container[str]
) -> Iterator[Unmatched]:
    for message in expected:
        if message.raised is None:
            yield Unmatched(message, "no error raised")
        elif not message.is_instance(exception):
            yield Unmatched(message, f"{message.raised.type} instead of {exception.__name__}")
        elif message.text in unmatched:
            yield Unmatched(message, "no match")


def check_pattern(pattern: str) -> None:
    """Raise a `PatternError` if a pattern is malformed or too large to be judged."""
    # `re` compiles groups by recursion, and how deep it can go depends on the caller.
    if len(pattern) > MAX_LENGTH or pattern.count("(") > MAX_ALTERNATIVES:
        raise PatternError(_TOO_LARGE)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            re.compile(pattern)
    except re.error as error:
        place, marked = "", pattern
        if error.pos is not None:
            place = f" at position {error.pos}"
            marked = f"{pattern[: error.pos]}>>>{pattern[error.pos :]}"
        shown = marked.replace("\n", "\\n")
        raise PatternError(f"malformed pattern, {error.msg}{place}: {shown}") from None
    except OverflowError as error:
        raise PatternError(f"malformed pattern, {error}") from None
    except RecursionError:
        raise PatternError(_TOO_LARGE) from None
    if not _is_small(pattern):
        raise PatternError(_TOO_LARGE)


def _is_small(pattern: str) -> bool:
    return len(pattern) <= MAX_LENGTH and len(alternatives(pattern)) <= MAX_ALTERNATIVES
