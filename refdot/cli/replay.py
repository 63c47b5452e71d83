"""The command replay: one case again, of a dot or of a program."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

from refdot.cli.arguments import UsageError
from refdot.cli.files import case_in, read_text, usage_errors
from refdot.cli.targets import requested_target
from refdot.targets.protocol import Target, unsupported_reason
from refdot.targets.registry import is_built_in

if TYPE_CHECKING:
    from refdot.cases.case import DotCase
    from refdot.check import Configuration
    from refdot.programs.case import ProgramCase
    from refdot.reporting.entries import Entry

__all__ = ["run_replay"]


def run_replay(arguments: argparse.Namespace) -> int:
    """Run `refdot replay`."""
    number = _read_words(arguments)
    case = _read_case(arguments, number)
    target = requested_target(arguments)
    _print(*str(case).splitlines())
    if reason := unsupported_reason(target, case):
        raise UsageError(f"not judged on {target.name}: {reason}")
    is_new = False
    has_choice = len(target.backends()) > 1 or len(target.lowerings) > 1
    for where in _configurations(arguments, target):
        found = list(_judge(target, case, where))
        is_new = is_new or any(each.known is None for each in found)
        place = f", {where.backend}, {where.lowering}" if has_choice else ""
        _print(f"{target.name}{place}: {'wrong' if found else 'right'}")
        for each in found:
            _print(f"  {each.signature}; {each.known or 'NEW'}")
            if each.case != str(case):  # a message is judged under names that it has by no accident
                _print(f"    as {each.case}")
            if each.about:
                _print(f"    {each.about}")
            _print(f"    expected  {each.expected}", f"    got       {each.got}")
    return 1 if is_new else 0


def _print(*lines: str) -> None:
    from rich.console import Console

    from refdot.reporting.terminal import print_lines

    print_lines([(line, "") for line in lines], Console())


def _read_words(arguments: argparse.Namespace) -> int | None:
    """Return the number among the words after the file, and make the other one the target."""
    words = list(arguments.words)
    number = int(words.pop(0)) if words and words[0].isdecimal() else None
    arguments.target = words.pop(0) if words else None
    if words:
        raise UsageError(f"unrecognized arguments: {' '.join(words)}")
    return number


def _read_case(arguments: argparse.Namespace, number: int | None) -> DotCase | ProgramCase:
    """Read the case in a file, or the one that has a number in a report."""
    text = read_text(arguments.case)
    with usage_errors(arguments.case):
        data = json.loads(text)
        if isinstance(data, dict) and "mismatches" in data:
            return _case_of_report(data, number, arguments)
        if number is not None:
            raise ValueError("a number is for a report, and this is a case")
        return case_in(data)


def _case_of_report(
    data: object, number: int | None, arguments: argparse.Namespace
) -> DotCase | ProgramCase:
    """Return the case of a mismatch; by default it is replayed where it was seen."""
    from refdot.reporting.codec import report_from_json

    report = report_from_json(data)
    findings = report.all_findings
    if number is None and len(findings) == 1:
        number = 1
    if number is None or not 1 <= number <= len(findings):
        raise ValueError(f"add the number of one of its mismatches, from 1 to {len(findings)}")
    found = findings[number - 1]
    if arguments.target is None and not is_built_in(report.target):
        raise ValueError(f"add the target, which was {report.target}")
    arguments.target = arguments.target or report.target
    if arguments.target == report.target and not arguments.backend:
        arguments.backend = found.backends
        arguments.lowering = arguments.lowering or found.lowerings
    return found.case


def _configurations(arguments: argparse.Namespace, target: Target) -> Iterator[Configuration]:
    from refdot.check import Configuration

    available = [each.name for each in target.backends() if each.default and not each.absent]
    for backend in arguments.backend or available:
        for lowering in arguments.lowering or target.default_lowerings:
            yield Configuration(backend, lowering)


def _judge(
    target: Target, case: DotCase | ProgramCase, configuration: Configuration
) -> Iterator[Entry]:
    """Judge a case on one configuration, and yield the entries of its mismatches."""
    from refdot.check.batch import judge_alone
    from refdot.reporting.entries import entry_of

    yield from map(entry_of, judge_alone(target, case, configuration))
