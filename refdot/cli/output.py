"""The output of the commands check and merge: what they print and write, and the exit code."""

from __future__ import annotations

import argparse
import json
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from refdot.cli.arguments import UsageError
from refdot.cli.files import read_text, usage_errors
from refdot.reporting.writing import write_file
from refdot.rules import ASPECTS
from refdot.targets import Target

if TYPE_CHECKING:
    from rich.console import Console

    from refdot.check import Finding, Report
    from refdot.check.baseline import Comparison, Expectation
    from refdot.programs.findings import ProgramFinding

__all__ = ["INTERRUPTED", "Excuses", "Output", "read_report"]

INTERRUPTED = 130


class Excuses:
    """What does not fail a check: the mismatches of a baseline, and those that a user expects."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self.baseline = None
        self.expectations: tuple[Expectation, ...] = ()
        if arguments.baseline is not None:
            self.baseline = read_report(arguments.baseline)
        if arguments.expect is not None:
            from refdot.check.baseline import read_expectations

            with usage_errors(arguments.expect):
                self.expectations = read_expectations(read_text(arguments.expect))

    def compare(self, report: Report) -> Comparison:
        """Return the states of the findings of a report."""
        from refdot.check.baseline import compare

        return compare(report, self.baseline, self.expectations)


class Output:
    """Prints and writes the report of a command."""

    def __init__(
        self,
        arguments: argparse.Namespace,
        target: Target | None,
        console: Console,
        excuses: Excuses,
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
            entry = entry_of(finding, named_where=report.has_choice)
            print_new(entry, folder, self.console)

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
        self._print(report, comparison, is_written=failure is None)
        if failure is not None:
            raise failure
        _check_judged(report, self._target)
        if report.lost or comparison.count("new") or (self._arguments.strict and comparison.states):
            return 1
        return INTERRUPTED if report.interrupted else 0

    def _print(self, report: Report, comparison: Comparison, is_written: bool) -> None:
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
        if is_written and self._arguments.report is not None and self._target is not None:
            print_lines([(f"report in {self._arguments.report}", "")], self.console)

    def _write(self, report: Report, comparison: Comparison) -> None:
        if self._folder is not None and self._target is not None:
            from refdot.reporting.files import write_report  # it needs more packages

            with usage_errors(f"--report {self._arguments.report}"):
                write_report(report, self._target, self._folder, self._arguments.line, comparison)
        if self._junitxml is not None:
            from refdot.reporting.annotations import junit_xml

            with usage_errors(f"--junitxml {self._arguments.junitxml}"):
                write_file(self._junitxml, junit_xml(report, comparison, self._target))


def read_report(path: Path) -> Report:
    """Read a report.json of this version of refdot."""
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
