"""The commands errors and regex."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from fnmatch import filter as filter_names
from pathlib import Path
from typing import TYPE_CHECKING

from refdot.cli.arguments import (
    UsageError,
    chosen_target,
    make_folder,
    open_for,
    require,
    require_check_extra,
    write,
)
from refdot.cli.progress import ProgressDisplay

if TYPE_CHECKING:
    from rich.console import Console

    from refdot.messages.survey import Survey

__all__ = ["run_errors", "run_regex"]


def run_errors(arguments: argparse.Namespace) -> int:
    """Do `refdot errors`."""
    require_check_extra()
    from rich.console import Console

    from refdot.reporting.messages import print_lines, survey_lines
    from refdot.reporting.messages_html import errors_html

    if arguments.diff is not None:
        others = ("target", "backend", "lowering", "situation", "json", "report")
        if any(getattr(arguments, other) for other in others):
            raise UsageError("--diff compares two files, and takes nothing else")
        return _run_diff(*arguments.diff)
    # What cannot be written is better known before messages are asked for, which takes time.
    make_folder(arguments.report)
    if arguments.json not in (None, "-"):
        open_for(arguments.json, "a", "--json").close()
    console = Console(stderr=arguments.json == "-")
    found = _surveyed(arguments, _situations_named(arguments.situation), console)
    if arguments.json is not None:
        text = json.dumps(found.to_json(), indent=2, ensure_ascii=False) + "\n"
        if arguments.json == "-":
            sys.stdout.write(text)
        else:
            write(text, Path(arguments.json), "--json")
    if arguments.json != "-":
        print_lines(survey_lines(found), console)
    if arguments.report is not None:
        write(errors_html(found), arguments.report / "errors.html", "--report")
        console.print(f"report in {arguments.report}", highlight=False, soft_wrap=True)
    return 0


def _run_diff(before_path: Path, after_path: Path) -> int:
    """Do `refdot errors --diff`."""
    from rich.console import Console

    from refdot.messages.survey import Survey, SurveyError, changes
    from refdot.reporting.messages import change_lines, print_lines

    surveys = []
    for path in (before_path, after_path):
        try:
            surveys.append(Survey.from_json(path.read_text(encoding="utf-8")))
        except OSError as error:
            raise UsageError(f"{path}: {error.strerror}") from None
        except (SurveyError, UnicodeDecodeError) as error:
            raise UsageError(f"{path}: {error}") from None
    before, after = surveys
    try:
        found = changes(before, after)
    except SurveyError as error:
        raise UsageError(f"{before_path}, {after_path}: {error}") from None
    print_lines(change_lines(found, before, after), Console())
    return 1 if found else 0


def run_regex(arguments: argparse.Namespace) -> int:
    """Do `refdot regex`."""
    require_check_extra()
    from rich.console import Console

    from refdot.messages.regex import check_pattern, judge
    from refdot.messages.scenarios import DEFAULT
    from refdot.messages.suggestion import PatternError
    from refdot.reporting.messages import print_lines, verdict_lines

    try:
        check_pattern(arguments.pattern)
    except PatternError as error:
        raise UsageError(str(error)) from None
    situations = _situations_named(arguments.situation) or DEFAULT
    console = Console()
    found = _surveyed(arguments, (), console)
    verdict = judge(arguments.pattern, found, situations, arguments.type)
    suggested = verdict.suggestion and judge(verdict.suggestion, found, situations, arguments.type)
    print_lines(verdict_lines(verdict, suggested or None, found), console)
    return 0 if verdict.is_right else 1


def _situations_named(patterns: Sequence[str]) -> tuple[str, ...]:
    """Find situations by their names, in which `*` stands for anything."""
    from refdot.messages.scenarios import SCENARIOS

    for pattern in patterns:
        if not filter_names(SCENARIOS, pattern):
            require([pattern], tuple(SCENARIOS), "--situation")
    return tuple(
        name for name in SCENARIOS if any(filter_names([name], pattern) for pattern in patterns)
    )


def _surveyed(arguments: argparse.Namespace, situations: Sequence[str], console: Console) -> Survey:
    """Ask the target chosen for its messages, and show how far it has come."""
    from refdot.messages.survey import survey

    target = chosen_target(arguments)
    with ProgressDisplay(console) as progress:
        return survey(
            target,
            situations=situations,
            backends=arguments.backend,
            lowerings=arguments.lowering,
            progress=progress,
        )
