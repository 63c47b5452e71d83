"""The commands errors and regex."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Sequence
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING

from refdot.cli.arguments import UsageError, check_choices
from refdot.cli.files import make_folder, read_text, usage_errors, write_text
from refdot.cli.progress import ProgressDisplay
from refdot.cli.targets import requested_target
from refdot.text import json_text

if TYPE_CHECKING:
    from rich.console import Console

    from refdot.messages.survey import Survey

__all__ = ["run_errors", "run_regex"]


def run_errors(arguments: argparse.Namespace) -> int:
    """Run `refdot errors`."""
    if arguments.diff is not None:
        return _run_diff(arguments)
    # A file that cannot be written is refused before the survey, which takes time.
    make_folder(arguments.report)
    to_stdout = arguments.json == Path("-")
    json_path = None if to_stdout else arguments.json
    if json_path is not None:
        with usage_errors(f"--json {json_path}"):
            json_path.open("a").close()
    from rich.console import Console

    from refdot.reporting.messages import survey_lines
    from refdot.reporting.terminal import print_lines

    console = Console(stderr=to_stdout)
    survey = _survey(arguments, _scenario_names(arguments.situation), console)
    if json_path is not None:
        write_text(json_path, _json_text(survey), "--json")
    if arguments.report is not None:
        from refdot.reporting.html import errors_html  # it needs Jinja

        write_text(arguments.report / "errors.html", errors_html(survey), "--report")
    if to_stdout:
        sys.stdout.write(_json_text(survey))
    else:
        print_lines(survey_lines(survey), console)
    if arguments.report is not None:
        print_lines([(f"report in {arguments.report}", "")], console)
    return 0


def _json_text(survey: Survey) -> str:
    from refdot.messages.codec import survey_to_json  # it needs msgspec

    return json_text(survey_to_json(survey))


def _run_diff(arguments: argparse.Namespace) -> int:
    others = ("target", "backend", "lowering", "situation", "json", "report")
    if any(getattr(arguments, other) for other in others):
        raise UsageError("--diff compares two files and takes no other option")
    from rich.console import Console

    from refdot.messages.codec import survey_from_json
    from refdot.messages.survey import changes
    from refdot.reporting.messages import change_lines
    from refdot.reporting.terminal import print_lines

    surveys = []
    for path in arguments.diff:
        with usage_errors(path):
            surveys.append(survey_from_json(read_text(path)))
    before, after = surveys
    with usage_errors(", ".join(map(str, arguments.diff))):
        found = changes(before, after)
    print_lines(change_lines(found, before, after), Console())
    return 1 if found else 0


def run_regex(arguments: argparse.Namespace) -> int:
    """Run `refdot regex`."""
    if arguments.suggest:
        return _run_suggest(arguments)
    if arguments.pattern is None:
        raise UsageError("give a PATTERN to judge, or --suggest")
    from rich.console import Console

    from refdot.messages.regex import PatternError, check_pattern, judge
    from refdot.messages.scenarios import DEFAULT_SCENARIOS
    from refdot.reporting.messages import verdict_lines
    from refdot.reporting.terminal import print_lines

    try:
        check_pattern(arguments.pattern)
    except PatternError as error:
        raise UsageError(str(error)) from None
    scenarios = _scenario_names(arguments.situation) or DEFAULT_SCENARIOS
    console = Console()
    survey = _survey(arguments, (), console)
    verdict = judge(arguments.pattern, survey, scenarios, arguments.type)
    print_lines(verdict_lines(verdict, survey), console)
    return 0 if verdict.is_correct else 1


def _run_suggest(arguments: argparse.Namespace) -> int:
    if arguments.target is not None:
        raise UsageError("--suggest takes no PATTERN, only a target")
    from rich.console import Console

    from refdot.messages.regex import suggest
    from refdot.messages.scenarios import DEFAULT_SCENARIOS
    from refdot.reporting.messages import suggestion_lines
    from refdot.reporting.terminal import print_lines

    arguments.target = arguments.pattern
    scenarios = _scenario_names(arguments.situation) or DEFAULT_SCENARIOS
    console = Console()
    survey = _survey(arguments, (), console)
    suggested = suggest(survey, scenarios, arguments.type)
    lines = suggestion_lines(suggested, arguments.type.__name__, scenarios, survey)
    print_lines(lines, console)
    return 0 if suggested is not None and suggested.is_correct else 1


def _scenario_names(patterns: Iterable[str]) -> tuple[str, ...]:
    """Return the names of the error scenarios that match a pattern such as `batch-*`."""
    from refdot.messages.scenarios import SCENARIOS

    for pattern in patterns:
        if not any(fnmatch(name, pattern) for name in SCENARIOS):
            check_choices("--situation", [pattern], SCENARIOS)
    return tuple(name for name in SCENARIOS if any(fnmatch(name, each) for each in patterns))


def _survey(arguments: argparse.Namespace, scenarios: Sequence[str], console: Console) -> Survey:
    from refdot.messages.survey import survey

    target = requested_target(arguments)
    with ProgressDisplay(console) as progress:
        return survey(
            target,
            scenarios=scenarios,
            backends=arguments.backend,
            lowerings=arguments.lowering,
            progress=progress,
        )
