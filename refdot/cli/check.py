"""The commands check, merge and replay."""

from __future__ import annotations

import argparse
import gc
import json
from contextlib import nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING

from refdot.cases.codec import case_from_json
from refdot.cli.arguments import (
    INTERRUPTED,
    UsageError,
    chosen_target,
    make_folder,
    require,
    require_check_extra,
)
from refdot.cli.progress import ProgressDisplay

if TYPE_CHECKING:
    from rich.console import Console

    from refdot.check.findings import Report
    from refdot.check.plan import Profile
    from refdot.targets.protocol import Target

__all__ = ["run_check", "run_merge", "run_replay"]


def run_check(arguments: argparse.Namespace) -> int:
    """Do `refdot check`."""
    require_check_extra()
    from rich.console import Console

    from refdot import check
    from refdot.cases.random_cases import case_at
    from refdot.check.plan import PROFILES, WHOLE
    from refdot.check.pool import WorkerPool
    from refdot.reporting.deviations import deviation_text
    from refdot.reporting.terminal import print_statistics
    from refdot.rules import ASPECTS
    from refdot.targets.protocol import TargetError

    target = chosen_target(arguments)
    if arguments.list:
        for deviation in target.deviations:
            print(deviation_text(deviation, target))
        return 0
    if arguments.statistics:
        drawn = [case_at(arguments.seed, number) for number in range(arguments.cases or 1000)]
        print_statistics(drawn, Console())
        return 0
    require(arguments.only, tuple(ASPECTS), "--only")
    require([arguments.profile], tuple(PROFILES), "--profile")
    profile = _chosen_profile(arguments, target)
    make_folder(arguments.report)
    make_folder(arguments.database, "--database")
    console = Console()
    # To look for garbage, again and again, among all that a target has loaded takes an eighth of
    # the time; it is there to stay.
    gc.freeze()
    try:
        with (
            ProgressDisplay(console) as progress,
            WorkerPool(arguments.jobs) if arguments.jobs else nullcontext() as executor,
        ):
            found = check.run(
                target,
                **vars(profile),
                seed=arguments.seed,
                backends=arguments.backend,
                lowerings=arguments.lowering,
                only=arguments.only,
                shard=arguments.shard or WHOLE,
                hours=arguments.hours,
                database=arguments.database,
                executor=executor,
                progress=progress,
            )
    except TargetError as error:
        raise UsageError(str(error)) from None
    finally:
        gc.unfreeze()
    return _reported(found, target, arguments, console)


def _chosen_profile(arguments: argparse.Namespace, target: Target) -> Profile:
    """Say how much to judge: what is said exactly goes before the profile."""
    from refdot.check.plan import PROFILES

    profile = PROFILES[arguments.profile].for_target(target)
    exactly = arguments.cases is not None or arguments.exhaustive is not None
    if arguments.cases is not None:
        # Backends to which graphs are dear get a part of them, as they do in `standard`.
        sample = max(profile.sample or 0, arguments.cases // 50)
        profile = replace(profile, cases=arguments.cases, exhaustive=None, sample=sample)
    if arguments.exhaustive is not None:
        profile = replace(profile, exhaustive=arguments.exhaustive, thorough=True)
    if exactly and arguments.backend:
        profile = replace(profile, sample=None)
    return profile


def _reported(
    found: Report, target: Target | None, arguments: argparse.Namespace, console: Console
) -> int:
    """Print a report, write it if that is asked for, and give the exit code."""
    from refdot.reporting.files import write_report
    from refdot.reporting.terminal import print_report

    print_report(found, console)
    folder = arguments.report
    if folder is not None and target is not None:
        try:
            write_report(found, target, folder, arguments.line)
        except OSError as error:
            raise UsageError(f"--report {folder}: {error.strerror}") from None
        console.print(f"report in {folder}", highlight=False, soft_wrap=True)
    if found.lost or any(arguments.strict or each.known is None for each in found.findings):
        return 1
    return INTERRUPTED if found.interrupted else 0


def run_merge(arguments: argparse.Namespace) -> int:
    """Do `refdot merge`."""
    require_check_extra()
    from rich.console import Console

    from refdot.check.merge import MergeError, merged
    from refdot.reporting.codec import from_json
    from refdot.targets.protocol import TargetError
    from refdot.targets.registry import find_target

    shards = []
    for path in arguments.reports:
        try:
            shards.append(from_json(json.loads(path.read_text(encoding="utf-8"))))
        except OSError as error:
            raise UsageError(f"{path}: {error.strerror}") from None
        except json.JSONDecodeError as error:
            raise UsageError(f"{path}: not JSON: {error}") from None
        except ValueError as error:
            raise UsageError(f"{path}: {error}") from None
    try:
        found = merged(shards)
        # The reproducers are written by the target.
        target = find_target(found.target) if arguments.report is not None else None
    except (MergeError, TargetError) as error:
        raise UsageError(str(error)) from None
    make_folder(arguments.report)
    return _reported(found, target, arguments, Console())


def run_replay(arguments: argparse.Namespace) -> int:
    """Do `refdot replay`."""
    require_check_extra()
    from refdot import check
    from refdot.check.plan import Configuration
    from refdot.targets.protocol import unsupported_reason

    try:
        text = arguments.case.read_text(encoding="utf-8")
        case = case_from_json(text)
    except OSError as error:
        raise UsageError(f"{arguments.case}: {error.strerror}") from None
    except ValueError as error:
        raise UsageError(f"{arguments.case}: {error}") from None
    target = chosen_target(arguments)
    print(case)
    if reason := unsupported_reason(target, case):
        print(f"{target.name} is not judged on this: {reason}")
        return 0
    there = [backend for backend in target.backends() if not backend.absent]
    backends = arguments.backend or [backend.name for backend in there if backend.default]
    broken = False
    for backend in backends:
        for lowering in arguments.lowering or target.default_lowerings:
            configuration = Configuration(backend, lowering)
            mismatches = check.judge(target, case, configuration)
            broken = broken or bool(mismatches)
            print(f"{target.name}, {backend}, {lowering}: {'wrong' if mismatches else 'right'}")
            for mismatch in mismatches:
                print(f"  {mismatch.signature}")
                print(f"    expected  {mismatch.expected}")
                print(f"    got       {mismatch.got}")
    return 1 if broken else 0
