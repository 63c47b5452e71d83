"""Shows messages, what changed in them, and verdicts on patterns: as text and as HTML."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import TypeAlias

from rich.console import Console
from rich.text import Text

from refdot.messages.regex import TIME_LIMIT
from refdot.messages.scenarios import SCENARIOS
from refdot.messages.suggestion import Verdict
from refdot.messages.survey import Change, Message, Survey, by_stage
from refdot.text import counted, one_line, shortened

__all__ = [
    "LEGEND",
    "as_text",
    "by_situation",
    "change_lines",
    "print_lines",
    "summary",
    "survey_lines",
    "verdict_lines",
    "where",
]


# Each with its style, a word of rich's.
_Lines: TypeAlias = Iterator[tuple[str, str]]
_SILENT = "bold red"
_INDENT = " " * 28
LEGEND = "<dim>, <n>, <shape>, <array> and <address> stand for what varies from case to case"


def survey_lines(survey: Survey) -> _Lines:
    """Give one block for each situation, with one row for each message that is distinct."""
    for messages in by_situation(survey.messages):
        situation = messages[0].situation
        yield f"{situation.name}  {situation.rule}  {situation.meaning}", "bold"
        for essence, group in by_stage(messages):
            yield f"  {_row(essence)}", _SILENT if group[0].is_silent else ""
            yield f"  {_INDENT}{where(group, messages)}", "dim"
            for case in _some_cases(group, messages):
                yield f"  {_INDENT}{case}", "dim"
        yield "", ""
    yield LEGEND, "dim"
    yield str(survey), ""
    for name, reason in survey.absent.items():
        yield f"backend {name} is absent: {reason}", ""
    yield summary(survey), "bold"


def _some_cases(group: Sequence[Message], among: Sequence[Message]) -> list[str]:
    """Name the cases of a message, unless they are all that there are."""
    cases = dict.fromkeys(str(message.case) for message in group)
    return [] if len(cases) == len({message.case for message in among}) else list(cases)


def summary(survey: Survey) -> str:
    """Say in one line how often an error is due and nothing is raised."""
    asked = counted(sum(not message.not_checked for message in survey.messages), "time")
    silent = counted(sum(message.is_silent for message in survey.messages), "time")
    return f"asked {asked}; nothing raised {silent} where an error is due"


def as_text(lines: _Lines) -> str:
    """Join lines, without their styles."""
    return "\n".join(line for line, _ in lines)


def print_lines(lines: _Lines, console: Console) -> None:
    """Print lines as they are, whatever is in them."""
    for line, style in lines:
        console.print(Text(line, style=style), soft_wrap=True)


def by_situation(messages: Sequence[Message]) -> Iterator[list[Message]]:
    """Group messages by situation, in their order."""
    for _, group in groupby(messages, key=lambda message: message.situation.name):
        yield list(group)


def _row(essence: tuple[str, str, str]) -> str:
    """Write a stage, a type and a message in columns."""
    stage, exception, line = essence
    return f"{stage:<8}{exception:<19} {shortened(line)}"


def where(group: Sequence[Message], among: Sequence[Message]) -> str:
    """Say on which backends and lowerings a message is seen, and in how many of their cases."""
    total = Counter((message.backend, message.lowering) for message in among)
    seen = Counter((message.backend, message.lowering) for message in group)
    if seen == total and len(total) > 1:
        return "on every backend and lowering"
    return ", ".join(
        f"{backend} {lowering}"
        + ("" if count == total[backend, lowering] else f" ({count} of {total[backend, lowering]})")
        for (backend, lowering), count in seen.items()
    )


def change_lines(found: Sequence[Change], before: Survey, after: Survey) -> _Lines:
    """Give what is answered otherwise in a second survey, by situation."""
    yield f"- {before}", ""
    yield f"+ {after}", ""
    groups: dict[tuple[str, ...], list[Change]] = {}
    for change in found:
        key = change.before.situation.name, *change.before.essence, *change.after.essence
        groups.setdefault(key, []).append(change)
    heading = ""
    for (name, *_), group in sorted(groups.items(), key=lambda item: _place_of(item[1])):
        if name != heading:
            yield "", ""
            yield name, "bold"
        heading = name
        old, new = group[0].before, group[0].after
        yield f"- {_row(old.essence)}", _SILENT if old.is_silent else "red"
        yield f"+ {_row(new.essence)}", _SILENT if new.is_silent else "green"
        yield f"  {_INDENT}{_tally(change.after for change in group)}", "dim"
    yield "", ""
    yield f"{counted(len(found), 'message')} changed", "bold"


def _place_of(group: Sequence[Change]) -> int:
    """Give the place of a situation among all."""
    names = list(SCENARIOS)
    name = group[0].before.situation.name
    return names.index(name) if name in names else len(names)


def _tally(messages: Iterable[Message]) -> str:
    """Count messages by backend and lowering."""
    seen = Counter(f"{message.backend} {message.lowering}" for message in messages)
    return ", ".join(
        name if count == 1 else f"{name} ({count} cases)" for name, count in seen.items()
    )


def verdict_lines(verdict: Verdict, suggested: Verdict | None, survey: Survey) -> _Lines:
    """Give what a pattern misses, what else it matches, and what would be right.

    Parameters
    ----------
    verdict : Verdict
    suggested : Verdict, optional
        That on the suggestion, if there is one.
    survey : Survey
    """
    yield f"pytest.raises({verdict.exception}, match={verdict.pattern!r})", "bold"
    yield f"for {', '.join(verdict.situations)} of {survey}", ""
    yield "", ""
    if not verdict.asked:
        yield (
            "no message to match: the target is not asked, or raises nothing and is right",
            _SILENT,
        )
    if verdict.endless:
        yield f"catastrophic: no end within {TIME_LIMIT:g} s", _SILENT
        start = one_line(verdict.endless[:40])
        yield f"  on a text of {len(verdict.endless)} characters that begins {start}", ""
    if verdict.missed:
        yield f"misses {len(verdict.missed)} of {counted(verdict.asked, 'message')}", _SILENT
        yield from _grouped((miss.why, miss.message) for miss in verdict.missed)
    if verdict.too_wide:
        yield f"also matches {counted(len(verdict.too_wide), 'message')} of other errors", _SILENT
        yield from _grouped(("", message) for message in verdict.too_wide)
    for alternative in verdict.dead:
        yield f"dead alternative, no message matches it: {alternative}", "yellow"
    if verdict.is_right:
        matched = f"all {verdict.asked} messages" if verdict.asked > 1 else "the one message"
        yield f"right: matches {matched} and no other error", "green"
    elif suggested is not None:
        yield from _suggestion_lines(suggested)
    elif verdict.asked:
        yield "no suggestion: no fragment of these messages is in no other error", _SILENT


def _grouped(found: Iterable[tuple[str, Message]]) -> _Lines:
    """Give messages, each with its reason, once for all that are alike."""
    groups: dict[tuple[str, str, tuple[str, str, str]], list[Message]] = {}
    for reason, message in found:
        groups.setdefault((message.situation.name, reason, message.essence), []).append(message)
    for (situation, reason, essence), messages in groups.items():
        yield f"  {situation}{': ' if reason else ''}{reason}", ""
        if messages[0].raised:
            yield f"    {_row(essence)}", ""
        yield f"    {_INDENT}{_tally(messages)}", "dim"


def _suggestion_lines(suggested: Verdict) -> _Lines:
    """Give a suggestion, and what even that does not match."""
    matched = suggested.asked - len(suggested.missed)
    yield f"suggestion, matches {matched} of {counted(suggested.asked, 'message')}:", ""
    yield f"  {suggested.pattern}", "green"
    reasons = Counter(miss.why for miss in suggested.missed)
    if reasons:
        told = ", ".join(f"{why} ({counted(times, 'time')})" for why, times in reasons.items())
        yield f"no pattern matches the rest: {told}", _SILENT
