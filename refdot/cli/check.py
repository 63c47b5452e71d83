"""The commands check and merge."""

from __future__ import annotations

import argparse
import gc
import os
import sys
from collections.abc import Sequence
from concurrent.futures import Executor
from contextlib import nullcontext
from dataclasses import replace
from importlib.util import find_spec
from typing import TYPE_CHECKING

from refdot.cli.arguments import UsageError, check_choices
from refdot.cli.files import make_folder, usage_errors
from refdot.cli.interruption import signals_as_interrupt
from refdot.cli.listing import list_deviations, print_statistics
from refdot.cli.output import Excuses, Output, read_report
from refdot.cli.progress import ProgressDisplay
from refdot.cli.targets import requested_target, target_of_report
from refdot.rules import ASPECTS
from refdot.targets import ProgramTarget, Target

if TYPE_CHECKING:
    from refdot.check import Profile, Report
    from refdot.programs.case import ProgramCase

__all__ = ["run_check", "run_merge"]


# Each process takes about a gigabyte of memory.
_MAX_DEFAULT_JOBS = 4


def run_check(arguments: argparse.Namespace) -> int:
    """Run `refdot check`."""
    from rich.console import Console

    from refdot import check
    from refdot.check.pool import WorkerPool

    if arguments.statistics:
        return print_statistics(arguments)
    jobs = _jobs(arguments)
    target = requested_target(arguments)
    if arguments.list is not None:
        return list_deviations(target, arguments.list)
    check_choices("--only", arguments.only, ASPECTS)
    check_choices("--effort", [arguments.effort], check.PROFILES)
    named = _named_programs(arguments, target)
    make_folder(arguments.report)
    make_folder(arguments.database, "--database")
    output = Output(arguments, target, Console(), Excuses(arguments))
    # While this process judges the first cases, the workers import what it has imported.
    preload = type(target).__module__ if arguments.jobs is None else ""
    # A target loads many objects that stay. Searching them for garbage takes an eighth of the time.
    gc.freeze()
    try:
        with (
            signals_as_interrupt(),
            WorkerPool(jobs, preload) if jobs else nullcontext() as executor,
        ):
            report = _run(arguments, target, named, output, executor)
            # Another interrupt, while the workers stop, comes too late to lose it.
            return output.finish(report)
    finally:
        gc.unfreeze()


def _jobs(arguments: argparse.Namespace) -> int:
    """Return the number of worker processes; 0 stands for this process.

    By default, a check of PyTensor has one for each processor, if there are several. It has none if
    this process has imported PyTensor, and may have patched it, nor for a quick look, which the
    import would delay.
    """
    if arguments.jobs is not None:
        return int(arguments.jobs)
    is_pytensor = arguments.target in (None, "pytensor") and find_spec("pytensor") is not None
    if arguments.quick or not is_pytensor or "pytensor" in sys.modules:
        return 0
    cpus = _cpus()
    return min(cpus, _MAX_DEFAULT_JOBS) if cpus > 1 else 0


def _cpus() -> int:
    """Return the number of processors that this process may use."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


def _run(
    arguments: argparse.Namespace,
    target: Target,
    named: Sequence[ProgramCase],
    output: Output,
    executor: Executor | None,
) -> Report:
    from refdot import check
    from refdot.check.plan import WHOLE

    with ProgressDisplay(output.console, hidden=arguments.verbosity < 0) as progress:
        return check.run(
            target,
            **vars(_profile(arguments, target)),
            named_programs=named,
            program_backends=arguments.backend if named or arguments.programs else (),
            seed=arguments.seed,
            backends=arguments.backend or _look_backends(arguments, target),
            lowerings=arguments.lowering or _look_lowerings(arguments, target),
            only=arguments.only,
            shard=arguments.shard or WHOLE,
            maxfail=arguments.maxfail,
            hours=arguments.hours,
            timeout=arguments.timeout,
            # A target can change the working folder.
            database=arguments.database and arguments.database.absolute(),
            executor=executor,
            starts_here=arguments.jobs is None,
            progress=progress,
            listener=output.add,
            checkpoint=output.checkpoint,
        )


def _named_programs(arguments: argparse.Namespace, target: Target) -> list[ProgramCase]:
    """Return the named programs, each with small and with large numbers."""
    from refdot.programs.case import ProgramCase
    from refdot.programs.named import named_program

    if (arguments.programs or arguments.program) and not isinstance(target, ProgramTarget):
        raise UsageError(f"{target.name} cannot run programs")
    cases = []
    for text in arguments.program:
        with usage_errors(f"--program {text}"):
            program = named_program(text)
        cases += [ProgramCase(program, regime, gradient_order=1) for regime in ("unit", "large")]
    return cases


def _look_backends(arguments: argparse.Namespace, target: Target) -> tuple[str, ...]:
    if not arguments.quick:
        return ()
    backends = target.backends()
    return tuple(b.name for b in backends if b.in_look and b.default and not b.absent)


def _look_lowerings(arguments: argparse.Namespace, target: Target) -> tuple[str, ...]:
    return target.default_lowerings[:1] if arguments.quick else ()


def _profile(arguments: argparse.Namespace, target: Target) -> Profile:
    """Return the profile with what the more specific options add to it."""
    from refdot.check import LOOK, PROFILES

    profile = LOOK if arguments.quick else PROFILES[arguments.effort].for_target(target)
    if more := arguments.cases:
        # Backends that compile slowly run a share of these, unless the user names them.
        share = more if arguments.backend else more // 50
        sample = (profile.sample or 0) + share
        profile = replace(profile, cases=profile.cases + more, sample_cases=sample)
    if arguments.programs:
        profile = replace(profile, programs=profile.programs + arguments.programs)
    if arguments.exhaustive is not None:
        rank = max(arguments.exhaustive, profile.exhaustive or 0)
        sample = None if arguments.backend else profile.sample
        profile = replace(profile, exhaustive=rank, thorough=True, sample=sample)
    return profile


def run_merge(arguments: argparse.Namespace) -> int:
    """Run `refdot merge`."""
    from rich.console import Console

    from refdot.check.merge import MergeError, merge_reports

    shards = [read_report(path) for path in arguments.reports]
    excuses = Excuses(arguments)
    try:
        report = merge_reports(shards)
    except MergeError as error:
        raise UsageError(str(error)) from None
    # The target writes the reproducers.
    target = None
    if arguments.report is not None:
        target = target_of_report(report.target, arguments.target)
    make_folder(arguments.report)
    return Output(arguments, target, Console(), excuses).finish(report)
