"""Judges a regex for error messages, as `pytest.raises(T, match=PATTERN)` would use it.

That is `re.search` on the `str` of what is raised, and on the notes after it.

A regex for a test of errors should match what is raised in the situations that the test is
about, on every backend and lowering, and nothing that is raised in any other. Both are seen by
trying it on all messages that there are. A message of another situation that has the whole of an
asked one in it, but for what varies from case to case, is no other error: no literal text could
tell them apart.

The suggestion is the shortest alternation of literal fragments that does so. A fragment is a run
of whole words of an asked message that no other error contains: `FEWEST_WORDS` or more, and such
in which nothing varies from case to case (no number, array, address or dim), where the message
has one that is so. Which fragments cover all asked messages in the shortest pattern is a
minimal set cover, solved exactly. It rests on the messages that were seen: a backend, a version
or an error that was not asked for may say something else.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import warnings
from collections.abc import Iterable, Iterator, Sequence

from refdot.messages.alternatives import alternatives, outermost
from refdot.messages.suggestion import Miss, PatternError, Verdict, is_a, split, suggestion
from refdot.messages.survey import Message, Survey

__all__ = ["TIME_LIMIT", "check_pattern", "judge"]


# Seconds for all messages and probes together. A sound regex takes some thousandths of that.
TIME_LIMIT = 5.0
# Long enough that a regex with exponentially many ways to match never ends, and short enough
# that one with cubically many ends at once.
_PROBE_LENGTH = 250
_LONG_MESSAGE = 2000


# Judging


def judge(
    pattern: str,
    survey: Survey,
    situations: Sequence[str],
    exception: type[BaseException] = Exception,
) -> Verdict:
    """Judge a pattern on the messages of a survey.

    Parameters
    ----------
    pattern : str
    survey : Survey
        Of every situation, for what is too wide shows on those that are not asked for.
    situations : sequence of str
        Those that the pattern is for.
    exception : type, optional
        The exception that must be raised.

    Returns
    -------
    Verdict

    Raises
    ------
    PatternError
        The pattern is malformed.
    ValueError
        There is no such situation.

    Examples
    --------
    >>> import refdot
    >>> from refdot.messages.survey import survey
    >>> from refdot.targets.callable import CallableTarget
    >>> found = survey(CallableTarget(refdot.dot, "dot"))
    >>> verdict = judge("does not match|did not match", found, ["contracted-unknown"])
    >>> verdict.is_right, verdict.dead
    (True, ('did not match',))
    """
    check_pattern(pattern)
    asked, others = split(survey, situations)
    texts = list(dict.fromkeys(message.text for message in survey.messages if message.raised))
    parts = alternatives(pattern)
    whole = [(pattern, text) for text in texts + _probes(pattern, texts)]
    searches = whole + [(part.alone, text) for part in parts for text in texts]
    results = search(searches)
    found = dict(zip(searches, results, strict=False))
    dead = [part for part in parts if all(found.get((part.alone, t)) is False for t in texts)]
    return Verdict(
        pattern=pattern,
        exception=exception.__name__,
        situations=tuple(situations),
        asked=len(asked),
        missed=tuple(_misses(pattern, asked, found, exception)),
        too_wide=tuple(m for m in others if is_a(m, exception) and found.get((pattern, m.text))),
        dead=tuple(part.text for part in outermost(dead)),
        endless=whole[len(results)][1] if len(results) < len(whole) else "",
        suggestion=suggestion(survey, situations, exception),
    )


def check_pattern(pattern: str) -> None:
    """Refuse a pattern that is malformed, and mark where."""
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
    except (OverflowError, RecursionError) as error:
        raise PatternError(f"malformed pattern, {error}") from None


def _misses(
    pattern: str,
    asked: Iterable[Message],
    found: dict[tuple[str, str], bool],
    exception: type[BaseException],
) -> Iterator[Miss]:
    """Say what a pattern misses of what is asked for, and why."""
    for message in asked:
        if message.raised is None:
            yield Miss(message, "nothing is raised")
        elif not is_a(message, exception):
            yield Miss(message, f"{message.raised.type} is no {exception.__name__}")
        elif found.get((pattern, message.text)) is False:
            yield Miss(message, "no match")


# Searching, in a process that can be stopped


_SEARCHER = """
import json, re, sys
for pattern, text in json.load(sys.stdin):
    found = re.search(pattern, text)
    sys.stdout.write("0" if found is None else "1")
    sys.stdout.flush()
"""


def search(searches: Sequence[tuple[str, str]]) -> list[bool]:
    """Search texts for patterns; give as many results as there are within the time limit.

    Examples
    --------
    >>> search([("a+", "baa"), ("c", "baa")])
    [True, False]
    """
    # A search holds the interpreter until it ends: no thread and no signal handler can stop it.
    command = [sys.executable, "-I", "-S", "-W", "ignore", "-c", _SEARCHER]
    given = json.dumps(searches).encode()
    try:
        printed = subprocess.run(
            command, input=given, capture_output=True, timeout=TIME_LIMIT, check=True
        ).stdout
    except subprocess.TimeoutExpired as stopped:
        printed = stopped.stdout or b""
    return [character == "1" for character in printed.decode()]


def _probes(pattern: str, texts: Sequence[str]) -> list[str]:
    """Make long texts that a catastrophic pattern does not get through.

    Each repeats something that the pattern may repeat, and ends in what it may not expect.
    """
    words = re.findall(r"\w+", pattern)
    pieces = dict.fromkeys([*pattern, *"a0_ .", *words, *(f"{word} " for word in words)])
    repeated = [piece * (1 + _PROBE_LENGTH // len(piece)) + "\n\0\n" for piece in pieces]
    longest = sorted(texts, key=len)[-3:]
    return repeated + [
        (text * (1 + _LONG_MESSAGE // max(1, len(text))))[:_LONG_MESSAGE] for text in longest
    ]
