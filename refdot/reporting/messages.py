"""Error messages, changes in them, and verdicts on regexes, as styled lines of text."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from refdot.messages.regex import Verdict
from refdot.messages.search import TIME_LIMIT
from refdot.messages.survey import Change, Message, Survey, group_by_summary
from refdot.reporting.terminal import StyledLines, environment_text
from refdot.text import counted, one_line, shortened

__all__ = [
    "LEGEND",
    "change_lines",
    "configurations_text",
    "group_by_scenario",
    "plain_text",
    "suggestion_lines",
    "survey_lines",
    "survey_summary",
    "verdict_lines",
]

_ALARM = "bold red"
_INDENT = " " * 28
LEGEND = "<dim>, <n>, <shape>, <array> and <address> stand for the parts that vary between cases"


def plain_text(lines: StyledLines) -> str:
    """Return lines as text, without their styles."""
    return "\n".join(line for line, _ in lines)


def survey_lines(survey: Survey) -> StyledLines:
    """Yield one block for each error scenario, with one row for each distinct message."""
    for messages in group_by_scenario(survey.messages):
        scenario = messages[0].scenario
        yield f"{scenario.name}  {scenario.rule}  {scenario.meaning}", "bold"
        case_count = len({message.case for message in messages})
        for summary, group in group_by_summary(messages):
            yield f"  {_columns(summary)}", _ALARM if group[0].is_missing_error else ""
            if survey.has_choice:
                yield f"  {_INDENT}{configurations_text(group, messages)}", "dim"
            cases = dict.fromkeys(message.case for message in group)
            if len(cases) < case_count:
                for case in cases:
                    yield f"  {_INDENT}{case}", "dim"
        yield "", ""
    yield LEGEND, "dim"
    yield str(survey), ""
    if survey.environment:
        yield f"environment: {environment_text(survey.environment)}", ""
    for name, reason in survey.absent.items():
        yield f"backend {name} is absent: {reason}", ""
    yield survey_summary(survey), "bold"


def survey_summary(survey: Survey) -> str:
    """Return one line with the number of calls and of missing errors."""
    calls = counted(sum(not message.not_checked for message in survey.messages), "call")
    missing = counted(sum(message.is_missing_error for message in survey.messages), "error")
    return f"{calls}, {missing} missing"


def group_by_scenario(messages: Sequence[Message]) -> Iterator[list[Message]]:
    """Yield the messages of each error scenario, in their order."""
    for _, group in groupby(messages, key=lambda message: message.scenario.name):
        yield list(group)


def configurations_text(group: Sequence[Message], messages: Sequence[Message]) -> str:
    """Return the backends and lowerings of a group, and its share of all their messages."""
    total, seen = _configurations(messages), _configurations(group)
    if seen == total and len(total) > 1:
        return "on every backend and lowering"
    return ", ".join(
        name if count == total[name] else f"{name} ({count} of {total[name]})"
        for name, count in seen.items()
    )


def _configurations(messages: Iterable[Message]) -> Counter[str]:
    return Counter(f"{message.backend} {message.lowering}" for message in messages)


def _columns(summary: tuple[str, str, str]) -> str:
    stage, exception, line = summary
    return f"{stage:<8}{exception:<19} {shortened(line)}"


def _case_counts(messages: Iterable[Message]) -> str:
    return ", ".join(
        name if count == 1 else f"{name} ({count} cases)"
        for name, count in _configurations(messages).items()
    )


def change_lines(changes: Sequence[Change], before: Survey, after: Survey) -> StyledLines:
    """Yield the messages that differ between two surveys, by error scenario."""
    yield f"- {before}", ""
    yield f"+ {after}", ""
    groups: dict[tuple[str, ...], list[Change]] = {}
    for change in changes:
        key = change.before.scenario.name, *change.before.summary, *change.after.summary
        groups.setdefault(key, []).append(change)
    heading = ""
    for (name, *_), group in groups.items():
        if name != heading:
            yield "", ""
            yield name, "bold"
        heading = name
        old, new = group[0].before, group[0].after
        yield f"- {_columns(old.summary)}", _ALARM if old.is_missing_error else "red"
        yield f"+ {_columns(new.summary)}", _ALARM if new.is_missing_error else "green"
        if before.has_choice or after.has_choice:
            yield f"  {_INDENT}{_case_counts(change.after for change in group)}", "dim"
    yield "", ""
    yield f"{counted(len(changes), 'message')} changed", "bold"


def verdict_lines(verdict: Verdict, survey: Survey) -> StyledLines:
    """Yield the messages that a pattern misses or should not match, and a better pattern."""
    yield f"pytest.raises({verdict.exception}, match={verdict.pattern!r})", "bold"
    yield from _subject_lines(verdict.scenarios, survey)
    count = verdict.message_count
    if not count:
        yield "no message to match: no case was run, or all are valid and raise no error", _ALARM
    if text := verdict.timed_out_on:
        yield f"catastrophic: not finished after {TIME_LIMIT:g} s", _ALARM
        yield f"  on a text of {len(text)} characters that starts with {one_line(text[:40])}", ""
    if verdict.unmatched:
        yield f"misses {len(verdict.unmatched)} of {counted(count, 'message')}", _ALARM
        yield from _grouped_lines(
            survey, ((each.reason, each.message) for each in verdict.unmatched)
        )
    if verdict.also_matched:
        others = counted(len(verdict.also_matched), "message")
        yield f"also matches {others} of other errors", _ALARM
        yield from _grouped_lines(survey, (("", message) for message in verdict.also_matched))
    for alternative in verdict.unused_alternatives:
        yield f"unused alternative, matches no message: {alternative}", "yellow"
    if verdict.is_correct:
        matched = f"all {count} messages" if count > 1 else "the only message"
        yield f"correct: matches {matched} and no other error", "green"
    elif count:
        yield from _suggested_lines(
            verdict.suggestion, verdict.exception, verdict.scenarios, survey
        )


def suggestion_lines(
    suggested: Verdict | None, exception: str, scenarios: Sequence[str], survey: Survey
) -> StyledLines:
    """Yield a suggested pattern for an exception in some error scenarios, or why there is none."""
    yield from _subject_lines(scenarios, survey)
    yield from _suggested_lines(suggested, exception, scenarios, survey)


def _subject_lines(scenarios: Sequence[str], survey: Survey) -> StyledLines:
    yield f"for {', '.join(scenarios)}", ""
    yield f"on {survey}", ""
    yield "", ""


def _grouped_lines(
    survey: Survey, reasons_and_messages: Iterable[tuple[str, Message]]
) -> StyledLines:
    groups: dict[tuple[str, str, tuple[str, str, str]], list[Message]] = {}
    for reason, message in reasons_and_messages:
        groups.setdefault((message.scenario.name, reason, message.summary), []).append(message)
    for (scenario, reason, summary), messages in groups.items():
        yield f"  {scenario}: {reason}" if reason else f"  {scenario}", ""
        if messages[0].raised:
            yield f"    {_columns(summary)}", ""
        if survey.has_choice:
            yield f"    {_INDENT}{_case_counts(messages)}", "dim"


def _no_suggestion(exception: str, scenarios: Sequence[str], survey: Survey) -> str:
    """Return one line that says why there is no suggestion."""
    raised = [
        each.raised for each in survey.messages if each.raised and each.scenario.name in scenarios
    ]
    types = {base.rpartition(".")[2] for each in raised for base in (each.type, *each.bases)}
    if exception in types or (raised and exception == "Exception"):
        return "no suggestion: only sizes or the like tell the messages from those of other errors"
    return f"no suggestion: no {'error' if exception == 'Exception' else exception} is raised"


def _suggested_lines(
    suggested: Verdict | None, exception: str, scenarios: Sequence[str], survey: Survey
) -> StyledLines:
    if suggested is None:
        yield _no_suggestion(exception, scenarios, survey), _ALARM
        return
    matched = suggested.message_count - len(suggested.unmatched)
    messages = counted(suggested.message_count, "message")
    yield f"suggestion, matches {matched} of {messages}:", ""
    yield f"  {suggested.pattern}", "green"
    if suggested.unmatched:
        reasons = Counter(
            each.reason.replace("no match", "only sizes or the like tell it from other errors")
            for each in suggested.unmatched
        )
        rest = ", ".join(f"{why} ({counted(times, 'time')})" for why, times in reasons.items())
        yield f"no pattern matches the rest: {rest}", _ALARM
