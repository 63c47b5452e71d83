"""The commands check, merge and replay."""

from __future__ import annotations

import argparse
import gc
import json
from contextlib import nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING

from refdot.cli.arguments import UsageError, check_choices
from refdot.cli.files import make_folder, read_text, usage_errors
from refdot.cli.programs import (
    has_programs,
    is_program,
    print_program_deviations,
    print_program_statistics,
    replay_program,
    run_programs,
    run_programs_of_profile,
)
from refdot.cli.progress import ProgressDisplay
from refdot.cli.targets import requested_target, target_of_report
from refdot.rules import ASPECTS
from refdot.targets import Target

if TYPE_CHECKING:
    from rich.console import Console

    from refdot.check import Profile, Report

__all__ = ["INTERRUPTED", "run_check", "run_merge", "run_replay"]

INTERRUPTED = 130


def run_check(arguments: argparse.Namespace) -> int:
    """Run `refdot check`."""
    from rich.console import Console

    from refdot import check
    from refdot.check.plan import WHOLE
    from refdot.check.pool import WorkerPool

    target = requested_target(arguments)
    if arguments.list:
        return _list_deviations(target)
    if arguments.statistics:
        return _print_statistics(arguments)
    if arguments.programs or arguments.program:
        return run_programs(arguments, target)
    check_choices("--only", arguments.only, ASPECTS)
    check_choices("--profile", [arguments.profile], check.PROFILES)
    make_folder(arguments.report)
    make_folder(arguments.database, "--database")
    console = Console()
    # A target loads many objects that stay. Searching them for garbage takes an eighth of the time.
    gc.freeze()
    try:
        with (
            ProgressDisplay(console) as progress,
            WorkerPool(arguments.jobs) if arguments.jobs else nullcontext() as executor,
        ):
            report = check.run(
                target,
                **vars(_profile(arguments, target)),
                seed=arguments.seed,
                backends=arguments.backend,
                lowerings=arguments.lowering,
                only=arguments.only,
                shard=arguments.shard or WHOLE,
                hours=arguments.hours,
                timeout=arguments.timeout,
                database=arguments.database,
                executor=executor,
                progress=progress,
            )
    finally:
        gc.unfreeze()
    code = _finish(report, target, arguments, console)
    if code != INTERRUPTED and has_programs(arguments, target):
        code = max(code, run_programs_of_profile(arguments, target))
    return code


def _list_deviations(target: Target) -> int:
    from refdot.reporting.deviations import deviation_markdown

    for deviation in target.deviations:
        print(deviation_markdown(deviation, target))
    if target.name == "pytensor":
        print_program_deviations(target)
    return 0


def _print_statistics(arguments: argparse.Namespace) -> int:
    from rich.console import Console

    from refdot.cases.random_cases import case_at
    from refdot.reporting.terminal import print_statistics

    if arguments.programs:
        print_program_statistics(arguments.seed, arguments.programs)
        return 0
    count = arguments.cases or 1000
    print_statistics([case_at(arguments.seed, number) for number in range(count)], Console())
    return 0


def _profile(arguments: argparse.Namespace, target: Target) -> Profile:
    """Return the profile; the more specific options replace parts of it."""
    from refdot.check import PROFILES

    profile = PROFILES[arguments.profile].for_target(target)
    if arguments.cases is not None:
        # Backends that compile slowly run the same share of the cases as in `standard`.
        sample = max(profile.sample or 0, arguments.cases // 50)
        profile = replace(profile, cases=arguments.cases, exhaustive=None, sample=sample)
    if arguments.exhaustive is not None:
        profile = replace(profile, exhaustive=arguments.exhaustive, thorough=True)
    if arguments.backend and (arguments.cases, arguments.exhaustive) != (None, None):
        profile = replace(profile, sample=None)
    return profile


def _finish(
    report: Report, target: Target | None, arguments: argparse.Namespace, console: Console
) -> int:
    """Print a report, write it if requested, and return the exit code."""
    from refdot.reporting.files import write_report
    from refdot.reporting.terminal import print_lines, print_report

    print_report(report, console)
    folder = arguments.report
    if folder is not None and target is not None:
        with usage_errors(f"--report {folder}"):
            write_report(report, target, folder, arguments.line)
        print_lines([(f"report in {folder}", "")], console)
    _check_judged(report, target)
    if report.lost or any(arguments.strict or not each.known for each in report.findings):
        return 1
    return INTERRUPTED if report.interrupted else 0


def _check_judged(report: Report, target: Target | None) -> None:
    """Raise a `UsageError` if nothing was judged, since then there is no verdict."""
    if report.cases or report.lost or report.interrupted or report.shard.of > 1:
        return
    not_checked = target.not_checked if target else {}
    kinds = (kind for aspect in report.only for kind in ASPECTS[aspect])
    reasons = dict.fromkeys(not_checked[kind] for kind in kinds if kind in not_checked)
    raise UsageError(": ".join(filter(None, ["nothing was judged", "; ".join(reasons)])))


def run_merge(arguments: argparse.Namespace) -> int:
    """Run `refdot merge`."""
    from rich.console import Console

    from refdot.check.merge import MergeError, merge_reports
    from refdot.reporting.codec import report_from_json

    shards = []
    for path in arguments.reports:
        with usage_errors(path):
            shards.append(report_from_json(json.loads(read_text(path))))
    try:
        report = merge_reports(shards)
    except MergeError as error:
        raise UsageError(str(error)) from None
    # The target writes the reproducers.
    target = None
    if arguments.report is not None:
        target = target_of_report(report.target, arguments.target)
    make_folder(arguments.report)
    return _finish(report, target, arguments, Console())


def run_replay(arguments: argparse.Namespace) -> int:
    """Run `refdot replay`."""
    from refdot.cases.codec import case_from_json
    from refdot.check import Configuration, judge
    from refdot.targets.protocol import unsupported_reason

    text = read_text(arguments.case)
    if is_program(text):
        return replay_program(arguments, requested_target(arguments), text)
    with usage_errors(arguments.case):
        case = case_from_json(text)
    target = requested_target(arguments)
    print(case)
    if reason := unsupported_reason(target, case):
        raise UsageError(f"not judged on {target.name}: {reason}")
    available = [each.name for each in target.backends() if each.default and not each.absent]
    is_wrong = False
    for backend in arguments.backend or available:
        for lowering in arguments.lowering or target.default_lowerings:
            mismatches = judge(target, case, Configuration(backend, lowering))
            is_wrong = is_wrong or bool(mismatches)
            print(f"{target.name}, {backend}, {lowering}: {'wrong' if mismatches else 'right'}")
            for mismatch in mismatches:
                print(f"  {mismatch.signature}")
                print(f"    expected  {mismatch.expected}")
                print(f"    got       {mismatch.got}")
    return 1 if is_wrong else 0
