"""Suggest a regex: the shortest alternation of literal fragments that is correct.

A fragment is a run of whole words of a message that no other error contains, none with a size or
another part that varies between cases (a number, an array or an address). If possible, it has three
words or more, and no name of a dim. Choosing the fragments that cover all messages in the shortest
pattern is a minimal set cover, which is solved exactly unless there are very many choices.

A suggestion is correct for one survey: other backends or versions may have other messages.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from itertools import count, groupby
from typing import TypeAlias

from refdot.judging.fingerprints import PLACEHOLDER, without_sizes
from refdot.messages.scenarios import check_scenarios
from refdot.messages.survey import Message, Survey

__all__ = ["split_by_scenario", "suggest_pattern"]

_MIN_WORDS = 3
# A long message, such as a printed graph, has too many longer runs.
_MAX_WORDS = 12
# A second of work. PyTensor's messages take a few hundred.
_MAX_CHOICES = 100_000
_Covers: TypeAlias = dict[frozenset[str], str]  # the shortest fragment in all of some texts


def split_by_scenario(
    survey: Survey, scenarios: Sequence[str]
) -> tuple[list[Message], list[Message]]:
    """Return the messages of some error scenarios, and the other errors.

    Cases that were not run, and valid cases without an error, are in neither. Nor is a message of
    another scenario that contains a whole expected one, apart from the parts that vary between
    cases: no literal text could tell the two apart.
    """
    check_scenarios(scenarios)
    expected = [
        message
        for message in survey.messages
        if message.scenario.name in scenarios and (message.raised or message.is_missing_error)
    ]
    same = {message.normalised for message in expected}
    contained = [line for line in same if any(stable_runs(line))]
    return expected, [
        message
        for message in survey.messages
        if message.scenario.name not in scenarios
        and message.raised
        and message.normalised not in same
        and not any(line in message.normalised for line in contained)
    ]


def suggest_pattern(
    survey: Survey, scenarios: Sequence[str], exception: type[BaseException] = Exception
) -> str | None:
    """Return the shortest alternation of literal fragments that is correct.

    It does not cover missing errors, exceptions of another type, and messages that only sizes and
    other numbers tell from other errors. If no message can be covered, return None.

    Examples
    --------
    >>> import refdot
    >>> from refdot.messages.survey import survey
    >>> from refdot.targets.callable import CallableTarget
    >>> messages = survey(CallableTarget(refdot.dot, "dot"))
    >>> suggest_pattern(messages, ["contracted-unknown"])
    'Size of dim'
    """
    expected, others = split_by_scenario(survey, scenarios)
    texts = {message.text: message for message in expected if message.is_instance(exception)}
    other_texts = {message.text for message in others if message.is_instance(exception)}
    covers = {
        fragment: frozenset(text for text in texts if fragment in text)
        for message in texts.values()
        for fragment in distinctive_fragments(message, other_texts)
    }
    coverable = frozenset[str]().union(*covers.values())
    return "|".join(map(escaped, shortest_cover(covers, coverable))) or None


def distinctive_fragments(message: Message, others: Iterable[str]) -> set[str]:
    """Return the fragments of a message that no other error contains.

    If there are none of `_MIN_WORDS` words, shorter ones are used. If all contain names of dims,
    these are used.
    """
    lines = [message.normalised, without_sizes(message.raised.message)] if message.raised else []
    for line in lines:
        runs = list(stable_runs(line))
        for min_words in range(_MIN_WORDS, 0, -1):
            distinctive = {
                fragment
                for fragment in _subruns(runs, min_words)
                # A fragment that spans two lines of the message is not in its text.
                if fragment in message.text and not any(fragment in other for other in others)
            }
            if distinctive:
                return distinctive
    return set()


def _subruns(runs: Iterable[Sequence[str]], min_words: int) -> Iterator[str]:
    for run in runs:
        for start in range(len(run)):
            for end in range(start + min_words, min(start + _MAX_WORDS, len(run)) + 1):
                yield " ".join(run[start:end])


def stable_runs(line: str) -> Iterator[list[str]]:
    """Yield the runs of whole words of a normalised message in which nothing varies.

    Examples
    --------
    >>> list(stable_runs("input<n> of size <n> is not that of dim '<dim>'"))
    [['of', 'size'], ['is', 'not', 'that', 'of', 'dim']]
    """
    for is_stable, words in groupby(line.split(), key=lambda word: not PLACEHOLDER.search(word)):
        if is_stable:
            yield list(words)


def escaped(fragment: str) -> str:
    """Return a fragment as a regex that matches it, with its spaces unescaped."""
    return re.escape(fragment).replace("\\ ", " ")


def shortest_cover(covers: Mapping[str, frozenset[str]], wanted: frozenset[str]) -> tuple[str, ...]:
    """Return the fragments that cover all wanted texts in the shortest pattern.

    `covers` has for each fragment the texts that contain it. If there are too many choices to try,
    the pattern is short, but another one may be shorter.

    Examples
    --------
    >>> covers = {"long enough": frozenset("abc"), "of a": frozenset("a"), "of b": frozenset("bc")}
    >>> shortest_cover(covers, frozenset("abc"))
    ('of a', 'of b')
    """
    shortest: _Covers = {}
    for fragment in sorted(covers, key=lambda fragment: (len(escaped(fragment)), fragment)):
        shortest.setdefault(covers[fragment], fragment)
    try:
        return _exact_cover(shortest, wanted)
    except _TooManyChoicesError:
        return _greedy_cover(shortest, wanted)


class _TooManyChoicesError(Exception):
    """There are more choices than `_MAX_CHOICES`."""


def _exact_cover(shortest: _Covers, wanted: frozenset[str]) -> tuple[str, ...]:
    containing = {
        text: [(covered, fragment) for covered, fragment in shortest.items() if text in covered]
        for text in wanted
    }
    choices = count(1)

    @cache
    def cheapest(uncovered: frozenset[str]) -> tuple[int, tuple[str, ...]]:
        if not uncovered:
            return 0, ()
        # Some fragment has to cover the first uncovered text: try all that do.
        costs = []
        for covered, fragment in containing[min(uncovered)]:
            if next(choices) > _MAX_CHOICES:
                raise _TooManyChoicesError
            cost, rest = cheapest(uncovered - covered)
            costs.append((cost + len(escaped(fragment)) + len("|"), (fragment, *rest)))
        return min(costs)

    return tuple(sorted(cheapest(wanted)[1]))


def _greedy_cover(
    shortest: Mapping[frozenset[str], str], wanted: frozenset[str]
) -> tuple[str, ...]:
    """Take the fragment with the fewest characters for each text that it adds, again and again."""
    chosen: list[str] = []
    while wanted:
        useful = ((covered, text) for covered, text in shortest.items() if covered & wanted)
        covered, fragment = min(
            useful, key=lambda each: (len(escaped(each[1])) / len(each[0] & wanted), each[1])
        )
        chosen.append(fragment)
        wanted = wanted - covered
    return tuple(sorted(chosen))
