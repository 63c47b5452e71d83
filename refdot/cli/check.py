"""The commands check and merge."""

from __future__ import annotations

import argparse
import gc
import json
from collections.abc import Sequence
from concurrent.futures import Executor
from contextlib import nullcontext, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from refdot.cli.arguments import UsageError, check_choices
from refdot.cli.files import make_folder, read_text, usage_errors
from refdot.cli.interruption import termination_as_interrupt
from refdot.cli.listing import list_deviations, print_statistics
from refdot.cli.progress import ProgressDisplay
from refdot.cli.targets import requested_target, target_of_report
from refdot.reporting.writing import write_file
from refdot.rules import ASPECTS
from refdot.targets import ProgramTarget, Target

if TYPE_CHECKING:
    from rich.console import Console

    from refdot.check import Finding, Profile, Report
    from refdot.check.baseline import Comparison, Expectation
    from refdot.programs.case import ProgramCase
    from refdot.programs.findings import ProgramFinding

__all__ = ["INTERRUPTED", "run_check", "run_merge"]

INTERRUPTED = 130


def run_check(arguments: argparse.Namespace) -> int:
    """Run `refdot check`."""
    from rich.console import Console

    from refdot import check
    from refdot.check.pool import WorkerPool

    target = requested_target(arguments)
    if arguments.list is not None:
        return list_deviations(target, arguments.list)
    if arguments.statistics:
        return print_statistics(arguments)
    check_choices("--only", arguments.only, ASPECTS)
    check_choices("--effort", [arguments.effort], check.PROFILES)
    named = _named_programs(arguments, target)
    make_folder(arguments.report)
    make_folder(arguments.database, "--database")
    output = _Output(arguments, target, Console(), _Excuses(arguments))
    # A target loads many objects that stay. Searching them for garbage takes an eighth of the time.
    gc.freeze()
    try:
        with (
            termination_as_interrupt(),
            WorkerPool(arguments.jobs) if arguments.jobs else nullcontext() as executor,
        ):
            report = _run(arguments, target, named, output, executor)
            # Another interrupt, while the workers stop, comes too late to lose it.
            return output.finish(report)
    finally:
        gc.unfreeze()


def _run(
    arguments: argparse.Namespace,
    target: Target,
    named: Sequence[ProgramCase],
    output: _Output,
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


class _Excuses:
    """What does not fail a check: the mismatches of a baseline, and those that a user expects."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self.baseline = None
        self.expectations: tuple[Expectation, ...] = ()
        if arguments.baseline is not None:
            self.baseline = _read_report(arguments.baseline)
        if arguments.expect is not None:
            from refdot.check.baseline import read_expectations

            with usage_errors(arguments.expect):
                self.expectations = read_expectations(read_text(arguments.expect))

    def compare(self, report: Report) -> Comparison:
        """Return the states of the findings of a report."""
        from refdot.check.baseline import compare

        return compare(report, self.baseline, self.expectations)


class _Output:
    """Prints and writes the report of a command."""

    def __init__(
        self,
        arguments: argparse.Namespace,
        target: Target | None,
        console: Console,
        excuses: _Excuses,
    ) -> None:
        self._arguments = arguments
        self._target = target
        self.console = console
        self._excuses = excuses
        self._has_printed = False
        # A target can change the working folder.
        self._folder = arguments.report and arguments.report.absolute()
        self._junitxml = arguments.junitxml and arguments.junitxml.absolute()

    def add(self, report: Report, finding: Finding | ProgramFinding) -> None:
        """Print a new mismatch and write the report so far, during a run."""
        from refdot.reporting.entries import entry_of
        from refdot.reporting.terminal import print_new

        comparison = self._excuses.compare(report)
        if comparison.states.get(finding.key) != "new":
            return
        self.checkpoint(report)
        if self._arguments.verbosity >= 0:
            self._has_printed = True
            folder = self._arguments.report
            print_new(entry_of(finding), folder, self.console)

    def checkpoint(self, report: Report) -> None:
        """Write the report so far, during a run."""
        report = replace(report, interrupted=True)
        with suppress(UsageError):  # the last report says what cannot be written
            self._write(report, self._excuses.compare(report))

    def finish(self, report: Report) -> int:
        """Write and print a report, and return the exit code."""
        comparison = self._excuses.compare(report)
        failure = None
        try:
            self._write(report, comparison)
        except UsageError as error:
            failure = error
        self._print(report, comparison)
        if failure is not None:
            raise failure
        _check_judged(report, self._target)
        if report.lost or comparison.count("new") or (self._arguments.strict and comparison.states):
            return 1
        return INTERRUPTED if report.interrupted else 0

    def _print(self, report: Report, comparison: Comparison) -> None:
        from refdot.reporting.annotations import github_annotations
        from refdot.reporting.terminal import print_lines, print_report

        print_report(
            report,
            self.console,
            comparison,
            verbosity=self._arguments.verbosity,
            new_is_printed=self._has_printed,
        )
        if self._arguments.format == "github":
            for line in github_annotations(report, comparison):
                print(line)
        if self._arguments.report is not None and self._target is not None:
            print_lines([(f"report in {self._arguments.report}", "")], self.console)

    def _write(self, report: Report, comparison: Comparison) -> None:
        if self._folder is not None and self._target is not None:
            from refdot.reporting.files import write_report  # it needs more packages

            with usage_errors(f"--report {self._arguments.report}"):
                write_report(report, self._target, self._folder, self._arguments.line, comparison)
        if self._junitxml is not None:
            from refdot.reporting.annotations import junit_xml

            with usage_errors(f"--junitxml {self._arguments.junitxml}"):
                write_file(self._junitxml, junit_xml(report, comparison))


def _read_report(path: Path) -> Report:
    from refdot.reporting.codec import report_from_json

    with usage_errors(path):
        return report_from_json(json.loads(read_text(path)))


def _check_judged(report: Report, target: Target | None) -> None:
    """Raise a `UsageError` if nothing was judged, since then there is no verdict."""
    if report.cases or report.programs or report.lost or report.interrupted or report.shard.of > 1:
        return
    not_checked = target.not_checked if target else {}
    kinds = (kind for aspect in report.only for kind in ASPECTS[aspect])
    reasons = dict.fromkeys(not_checked[kind] for kind in kinds if kind in not_checked)
    raise UsageError(": ".join(filter(None, ["nothing was judged", "; ".join(reasons)])))


def run_merge(arguments: argparse.Namespace) -> int:
    """Run `refdot merge`."""
    from rich.console import Console

    from refdot.check.merge import MergeError, merge_reports

    shards = [_read_report(path) for path in arguments.reports]
    excuses = _Excuses(arguments)
    try:
        report = merge_reports(shards)
    except MergeError as error:
        raise UsageError(str(error)) from None
    # The target writes the reproducers.
    target = None
    if arguments.report is not None:
        target = target_of_report(report.target, arguments.target)
    make_folder(arguments.report)
    return _Output(arguments, target, Console(), excuses).finish(report)
