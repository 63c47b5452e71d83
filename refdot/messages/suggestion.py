"""The shortest alternation of literal fragments that is right."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache

from refdot.judging.fingerprints import PLACEHOLDER
from refdot.messages.scenarios import check_scenarios
from refdot.messages.survey import Message, Survey
from refdot.targets.outcome import qualified_name

__all__ = ["Miss", "PatternError", "Verdict", "is_a", "split", "suggestion"]


_FEWEST_WORDS = 3


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


def split(survey: Survey, situations: Sequence[str]) -> tuple[list[Message], list[Message]]:
    """Divide the messages into those asked for and other errors.

    Left out are cases that the target was not asked about or that are valid and raise nothing,
    and what has the whole of an asked message in it.
    """
    check_scenarios(situations)
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
    >>> from refdot.messages.survey import survey
    >>> from refdot.targets.callable import CallableTarget
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
        for fewest in range(_FEWEST_WORDS, 0, -1):
            # What is written over several lines is not found as it is in one.
            telling = {
                fragment
                for fragment in _parts_of(runs, fewest)
                if fragment in text and not any(fragment in other for other in others)
            }
            if telling:
                return telling
    return set()


def _parts_of(runs: Iterable[Sequence[str]], fewest: int) -> Iterator[str]:
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
