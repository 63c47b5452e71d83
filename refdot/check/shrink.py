"""Make the case of a finding as small as possible."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import replace
from functools import cache

from refdot.cases.case import DotCase
from refdot.cases.shrinking import simplified
from refdot.check.batch import DIED, found_in
from refdot.check.findings import Finding, Report
from refdot.check.pool import results
from refdot.targets.protocol import Target, unsupported_reason

__all__ = ["Progress", "shrink_findings"]


# How long making one counterexample smaller may take: unless a case takes very long, it ends
# long before, at a minimum.
_SHRINK_SECONDS = 10.0
Progress = Callable[[str, int, int], None]


def shrink_findings(
    report: Report, target: Target, executor: Executor | None, progress: Progress
) -> None:
    """Make the case of each finding as small as it can be."""
    report.forget_the_number_of_dims()
    found = list(report.findings)
    shrunk = results(_shrink, target, found, executor)
    for number, (finding, smaller) in enumerate(shrunk, 1):
        # What kills the process that shrinks it stays as it is.
        report.findings[number - 1] = smaller or finding
        progress("shrinking", number, len(found))


def _shrink(target: Target, finding: Finding) -> Finding:
    """Make the case of a finding as small as it can be with the same signature, and as new.

    What the finding is not about is not run: gradients, and stages after its own. A known
    deviation has a case already, its witness.
    """
    if finding.mismatch.detail == DIED:
        return finding
    if finding.known is not None:
        return _with_example(target, finding)
    kind = finding.mismatch.kind
    about_gradients = kind in ("wrong-gradient", "structure") or finding.mismatch.order > 0
    until = "run" if kind == "accepted-invalid" else finding.mismatch.stage
    deadline = time.monotonic() + _SHRINK_SECONDS
    configuration, smallest = finding.configuration, finding.mismatch

    @cache
    def is_as_wrong(case: DotCase) -> bool:
        nonlocal smallest
        if time.monotonic() > deadline or unsupported_reason(target, case, configuration.backend):
            return False
        for found in found_in(target, [case], configuration, until=until):
            if found.key == finding.key:
                smallest = found.mismatch
                return True
        return False

    if not about_gradients:
        is_as_wrong(replace(smallest.case, gradient_order=0))
    simplified(smallest.case, is_as_wrong)
    return replace(finding, mismatch=smallest)


def _with_example(target: Target, finding: Finding) -> Finding:
    """Give a known finding the witness of its deviation, if that shows the same."""
    (deviation,) = (each for each in target.deviations if each.id == finding.known)
    for found in found_in(target, [deviation.example], finding.configuration):
        if found.key == finding.key:
            return replace(finding, mismatch=found.mismatch)
    return finding
