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
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

from refdot.messages import PLACEHOLDER, Message, Survey
from refdot.situations import check_situations
from refdot.targets import qualified_name

__all__ = ["Miss", "PatternError", "Verdict", "alternatives", "judge", "suggestion"]

FEWEST_WORDS = 3
# Seconds for all messages and probes together. A sound regex takes some thousandths of that.
TIME_LIMIT = 5.0
# Long enough that a regex with exponentially many ways to match never ends, and short enough
# that one with cubically many ends at once.
PROBE_LENGTH = 250
LONG_MESSAGE = 2000


class PatternError(ValueError):
    """A pattern is malformed; the message marks where, in one line."""


@dataclass(frozen=True)
class Miss:
    """A message that a pattern should match and does not, or that is not there."""

    message: Message
    why: str


@dataclass(frozen=True)
class Verdict:
    """What there is to say of a pattern.

    Attributes
    ----------
    pattern, exception : str
        As in `pytest.raises(exception, match=pattern)`.
    situations : tuple of str
        What it should match.
    asked : int
        How many messages that is.
    missed : tuple of Miss
        Those that it does not match.
    too_wide : tuple of Message
        Other errors that it also matches.
    dead : tuple of str
        Alternatives in it that match no message at all.
    endless : str
        A text on which the time limit ended it; empty if there is none.
    suggestion : str, optional
        The shortest alternation of fragments that matches what it should and nothing else; None
        if no fragment does.
    """

    pattern: str
    exception: str
    situations: tuple[str, ...]
    asked: int
    missed: tuple[Miss, ...] = ()
    too_wide: tuple[Message, ...] = ()
    dead: tuple[str, ...] = ()
    endless: str = ""
    suggestion: str | None = None

    @property
    def is_right(self) -> bool:
        """Whether it matches something, all that it should, nothing else, and in time."""
        return self.asked > 0 and not (self.missed or self.too_wide or self.endless)


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
    >>> from refdot.messages import survey
    >>> from refdot.targets import CallableTarget
    >>> found = survey(CallableTarget(refdot.dot, "dot"))
    >>> verdict = judge("does not match|did not match", found, ["contracted-unknown"])
    >>> verdict.is_right, verdict.dead
    (True, ('did not match',))
    """
    check_pattern(pattern)
    asked, others = split(survey, situations)
    texts = list(dict.fromkeys(message.text for message in survey.messages if message.raised))
    parts = alternatives(pattern)
    whole = [(pattern, text) for text in texts + probes(pattern, texts)]
    searches = whole + [(part.alone, text) for part in parts for text in texts]
    results = search(searches)
    found = dict(zip(searches, results, strict=False))
    dead = [part for part in parts if all(found.get((part.alone, t)) is False for t in texts)]
    return Verdict(
        pattern=pattern,
        exception=exception.__name__,
        situations=tuple(situations),
        asked=len(asked),
        missed=tuple(misses(pattern, asked, found, exception)),
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


def split(survey: Survey, situations: Sequence[str]) -> tuple[list[Message], list[Message]]:
    """Divide the messages into those asked for and other errors.

    Left out are cases that the target was not asked about or that are valid and raise nothing,
    and what has the whole of an asked message in it.
    """
    check_situations(situations)
    asked, others = [], []
    for message in survey.messages:
        if message.situation.name in situations and (message.raised or message.is_silent):
            asked.append(message)
        elif message.situation.name not in situations and message.raised:
            others.append(message)
    same = {message.normalised for message in asked}
    contained = [line for line in same if any(stable_runs(line))]
    return asked, [
        message
        for message in others
        if message.normalised not in same
        and not any(line in message.normalised for line in contained)
    ]


def is_a(message: Message, exception: type[BaseException]) -> bool:
    """Whether what was raised is an exception of that class."""
    return message.raised is not None and qualified_name(exception) in message.raised.bases


def misses(
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

SEARCHER = """
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
    command = [sys.executable, "-I", "-S", "-W", "ignore", "-c", SEARCHER]
    given = json.dumps(searches).encode()
    try:
        printed = subprocess.run(
            command, input=given, capture_output=True, timeout=TIME_LIMIT, check=True
        ).stdout
    except subprocess.TimeoutExpired as stopped:
        printed = stopped.stdout or b""
    return [character == "1" for character in printed.decode()]


def probes(pattern: str, texts: Sequence[str]) -> list[str]:
    """Make long texts that a catastrophic pattern does not get through.

    Each repeats something that the pattern may repeat, and ends in what it may not expect.
    """
    words = re.findall(r"\w+", pattern)
    pieces = dict.fromkeys([*pattern, *"a0_ .", *words, *(f"{word} " for word in words)])
    repeated = [piece * (1 + PROBE_LENGTH // len(piece)) + "\n\0\n" for piece in pieces]
    longest = sorted(texts, key=len)[-3:]
    return repeated + [
        (text * (1 + LONG_MESSAGE // max(1, len(text))))[:LONG_MESSAGE] for text in longest
    ]


# Alternatives


class Alternative(NamedTuple):
    """One side of a `|` in a pattern.

    Attributes
    ----------
    start, end : int
        Where it is.
    text : str
        How it is written.
    alone : str
        The pattern, with the others beside it made impossible.
    """

    start: int
    end: int
    text: str
    alone: str


TOKEN = r"""
    \\.                                 # an escape
  | \[\^?\]?(?:\\.|[^\]\\])*\]           # a set
  | \(\?\#[^)]*\)                        # a comment
  | (?P<flags>\(\?[aiLmsux]+\))          # flags of the whole pattern
  | \(\?P=\w+\)                          # a reference
  | (?P<opaque>\(\?<?! | \(\?\(\w+\))    # what is beside a | here is not matched, or no alternative
  | (?P<open>\((?:\?(?:P<\w+>|<?=|:|>|[aimsuxL]*-?[imsx]*:))?)
  | (?P<close>\))
  | (?P<bar>\|)
  | .
"""
TOKENS = {
    False: re.compile(TOKEN, re.VERBOSE | re.DOTALL),
    True: re.compile(rf"\#[^\n]* | {TOKEN}", re.VERBOSE | re.DOTALL),
}
NEVER = "(?!)"


@dataclass
class Group:
    """A group of a pattern, or the whole of it, while it is read.

    Attributes
    ----------
    starts : list of int
        Where its alternatives start.
    is_matched : bool
        Whether what is in it is matched, rather than being what must not follow.
    is_verbose : bool
        Whether there may be comments in it.
    """

    starts: list[int]
    is_matched: bool
    is_verbose: bool


def alternatives(pattern: str) -> list[Alternative]:
    r"""List every alternative in a pattern, those within groups too.

    Examples
    --------
    >>> [part.text for part in alternatives(r"size (1|n) differs|[|]|\|")]
    ['1', 'n', 'size (1|n) differs', '[|]', '\\|']
    """
    found: list[Alternative] = []
    groups = [Group([0], True, bool(re.compile(pattern).flags & re.VERBOSE))]
    end = 0
    while token := TOKENS[groups[-1].is_verbose].match(pattern, end):
        start, end = token.span()
        innermost = groups[-1]
        if token.lastgroup == "flags":
            innermost.starts[0] = end
        elif token.lastgroup in ("open", "opaque"):
            is_matched = innermost.is_matched and token.lastgroup == "open"
            groups.append(Group([end], is_matched, is_verbose_in(token[0], innermost)))
        elif token.lastgroup == "bar":
            innermost.starts.append(end)
        elif token.lastgroup == "close":
            found += divided(pattern, groups.pop(), start)
    return found + divided(pattern, groups.pop(), len(pattern))


def is_verbose_in(opening: str, outer: Group) -> bool:
    """Whether there may be comments in a group that opens so."""
    flags = re.fullmatch(r"\(\?(\w*)-?(\w*):", opening)
    if flags is None:
        return outer.is_verbose
    return "x" in flags[1] or (outer.is_verbose and "x" not in flags[2])


def divided(pattern: str, group: Group, end: int) -> list[Alternative]:
    """Divide a group at its bars, if it has any and its alternatives are ones to be matched."""
    starts = group.starts
    if not group.is_matched or len(starts) == 1:
        return []
    ends = [start - 1 for start in starts[1:]] + [end]
    parts = []
    for kept, kept_end in zip(starts, ends, strict=True):
        alone = pattern
        # From the right, so that what is put in does not move what is still to be found.
        for start in reversed(starts):
            if start != kept:
                alone = alone[:start] + NEVER + alone[start:]
        parts.append(Alternative(kept, kept_end, pattern[kept:kept_end], alone))
    return parts


def outermost(parts: Sequence[Alternative]) -> list[Alternative]:
    """Leave out alternatives within others, and put the rest in order."""
    return sorted(
        part
        for part in parts
        if not any(
            other is not part and other.start <= part.start and part.end <= other.end
            for other in parts
        )
    )


# The suggestion


def suggestion(
    survey: Survey, situations: Sequence[str], exception: type[BaseException] = Exception
) -> str | None:
    """Give the shortest alternation of literal fragments that covers some situations exactly.

    Messages that no fragment tells from others, silence, and exceptions of another type cannot be
    covered by any, and are left out.

    Parameters
    ----------
    survey : Survey
    situations : sequence of str
    exception : type, optional
        The exception that must be raised.

    Returns
    -------
    str or None
        None if nothing can be covered.

    Examples
    --------
    >>> import refdot
    >>> from refdot.messages import survey
    >>> from refdot.targets import CallableTarget
    >>> found = survey(CallableTarget(refdot.dot, "dot"))
    >>> suggestion(found, ["contracted-unknown"])
    'Size of dim'
    """
    asked, others = split(survey, situations)
    texts = {message.text: message for message in asked if is_a(message, exception)}
    other_texts = {message.text for message in others if is_a(message, exception)}
    telling = {
        fragment
        for text, message in texts.items()
        for fragment in fragments(text, message, other_texts)
    }
    if not telling:
        return None
    covers = {
        fragment: frozenset(text for text in texts if fragment in text) for fragment in telling
    }
    coverable = frozenset[str]().union(*covers.values())
    return "|".join(map(literal, shortest_cover(covers, coverable)))


def fragments(text: str, message: Message, others: Iterable[str]) -> set[str]:
    """Give the fragments of a message that tell it from other errors.

    Of those with too few words, and of those with something that varies, only as many as it takes
    to have any.
    """
    stable = list(stable_runs(message.normalised))
    whole = [message.raised.message.split()] if message.raised else []
    for runs in (stable, whole):
        for fewest in range(FEWEST_WORDS, 0, -1):
            # What is written over several lines is not found as it is in one.
            telling = {
                fragment
                for fragment in parts_of(runs, fewest)
                if fragment in text and not any(fragment in other for other in others)
            }
            if telling:
                return telling
    return set()


def parts_of(runs: Iterable[Sequence[str]], fewest: int) -> Iterator[str]:
    """Give all runs within runs of words that have no fewer than some number of words."""
    for run in runs:
        for start in range(len(run)):
            for end in range(start + fewest, len(run) + 1):
                yield " ".join(run[start:end])


def stable_runs(line: str) -> Iterator[list[str]]:
    """Give the runs of whole words of a normalised message in which nothing varies.

    Examples
    --------
    >>> list(stable_runs("input<n> of size <n> is not that of dim '<dim>'"))
    [['of', 'size'], ['is', 'not', 'that', 'of', 'dim']]
    """
    run: list[str] = []
    for word in line.split():
        if not PLACEHOLDER.search(word):
            run.append(word)
        elif run:
            yield run
            run = []
    if run:
        yield run


def literal(fragment: str) -> str:
    """Escape what a regex would read as more than itself; a space it would not."""
    return re.escape(fragment).replace("\\ ", " ")


def shortest_cover(covers: dict[str, frozenset[str]], wanted: frozenset[str]) -> tuple[str, ...]:
    """Choose the fragments that cover all that is wanted, in the shortest pattern.

    Examples
    --------
    >>> covers = {"long enough": frozenset("abc"), "of a": frozenset("a"), "of b": frozenset("bc")}
    >>> shortest_cover(covers, frozenset("abc"))
    ('of a', 'of b')
    """
    shortest: dict[frozenset[str], str] = {}
    for fragment in sorted(covers, key=lambda fragment: (len(literal(fragment)), fragment)):
        shortest.setdefault(covers[fragment], fragment)
    order = sorted(wanted)

    @cache
    def cheapest(left: frozenset[str]) -> tuple[int, tuple[str, ...]]:
        if not left:
            return 0, ()
        # Something has to cover the first that is left: try all that do.
        first = next(line for line in order if line in left)
        costs = []
        for covered, fragment in shortest.items():
            if first in covered:
                cost, rest = cheapest(left - covered)
                costs.append((cost + len(literal(fragment)) + len("|"), (fragment, *rest)))
        return min(costs)

    return tuple(sorted(cheapest(wanted)[1]))
