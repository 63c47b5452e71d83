"""Confirms each finding of a run when it is first seen, so that a user can read it at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from dataclasses import replace
from functools import partial
from typing import TypeVar

from refdot.check.findings import Finding, Report
from refdot.check.pool import ProcessDied, run_tasks
from refdot.check.shrink import confirmed, confirmed_program
from refdot.programs.findings import ProgramFinding
from refdot.targets.protocol import Target

__all__ = ["Confirmations"]

_Found = TypeVar("_Found", Finding, ProgramFinding)
_Key = tuple[str, str | None]


class Confirmations:
    """The confirmed findings of a run.

    A finding is confirmed once: with a smaller case if it is new, and with an example of its known
    deviation if it is not. If the target does not have that deviation, it is new after all.
    """

    def __init__(
        self, target: Target, report: Report, executor: Executor | None, timeout: float | None
    ) -> None:
        self._target = target
        self._report = report
        self._executor = executor
        self._timeout = timeout
        self._examples = {case for each in target.deviations for case in each.examples}
        # By the key that each had before; of dots and of programs, whose signatures differ.
        self._dots: dict[_Key, Finding] = {}
        self._programs: dict[_Key, ProgramFinding] = {}

    def add(self) -> Iterator[Finding | ProgramFinding]:
        """Confirm the report's findings that are not confirmed yet, and yield these."""
        report = self._report
        few_dims = {finding.key for finding in report.findings if finding.mismatch.rule == "R6"}
        dots = [each for each in report.findings if each.key_with_few_dims not in few_dims]
        yield from self._confirm(confirmed, self._dots, dots)
        yield from self._confirm(confirmed_program, self._programs, report.program_findings)

    @property
    def new(self) -> int:
        """The number of distinct new findings."""
        keys = {each.key for each in self._dots.values()}
        keys |= {each.key for each in self._programs.values()}
        return sum(known is None for _, known in keys)

    def drop_others(self) -> None:
        """Remove the findings that are not confirmed from the report."""
        report = self._report
        report.findings = [each for each in report.findings if each.key in self._dots]
        report.program_findings = [
            each for each in report.program_findings if each.key in self._programs
        ]

    def settle(self) -> None:
        """Shrink a new finding again if the run found a smaller case than the one it shrank."""
        size = self._report.representative_key
        smaller = [
            finding
            for finding in self._report.findings
            if finding.known is None
            and finding.key in self._dots
            and size(finding) < size(self._dots[finding.key])
        ]
        task = partial(confirmed, timeout=self._timeout)
        for finding, result in run_tasks(task, self._target, smaller, self._executor):
            if not isinstance(result, ProcessDied):
                self._dots[finding.key] = min(self._dots[finding.key], result, key=size)

    def report(self) -> Report:
        """Return the report so far, with the confirmed cases."""
        shown = replace(self._report, findings=[], program_findings=[])
        shown.collect(map(self._as_confirmed, self._report.findings))
        shown.collect_programs(map(self._as_confirmed_program, self._report.program_findings))
        shown.merge_many_dims()
        shown.sort()
        return shown

    def _as_confirmed(self, finding: Finding) -> Finding:
        found = self._dots.get(finding.key, finding)
        # A known deviation is not shrunk: a later case can be smaller, unless this is its example.
        if found.known is not None and found.case not in self._examples:
            found = min(found, finding, key=self._report.representative_key)
        mismatch, where = found.mismatch, found.configuration
        return replace(finding, mismatch=mismatch, configuration=where, known=found.known)

    def _as_confirmed_program(self, finding: ProgramFinding) -> ProgramFinding:
        found = self._programs.get(finding.key, finding)
        if found.known is not None:
            found = min(found, finding, key=self._report.representative_key)
        return replace(finding, observation=found.observation, known=found.known)

    def _confirm(
        self,
        confirm: Callable[..., _Found],
        so_far: dict[_Key, _Found],
        findings: list[_Found],
    ) -> Iterator[_Found]:
        """Confirm findings that are new here, or that are now seen on an earlier configuration."""
        left = [each for each in findings if self._is_first(each, so_far.get(each.key))]
        task = partial(confirm, timeout=self._timeout)
        for finding, result in run_tasks(task, self._target, left, self._executor):
            seen_before = finding.key in so_far
            shown = finding if isinstance(result, ProcessDied) else result
            so_far[finding.key] = shown
            if not seen_before:
                yield shown

    def _is_first(self, finding: _Found, so_far: _Found | None) -> bool:
        return so_far is None or self._report.place(finding) < self._report.place(so_far)
