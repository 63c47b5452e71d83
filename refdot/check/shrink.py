"""Shrinks the case of each finding."""

import os
import time
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import replace
from functools import cache, partial

from refdot.cases.case import DotCase
from refdot.cases.shrinking import shrink_case
from refdot.check.batch import is_fatal, judge_cases
from refdot.check.findings import Finding, Report
from refdot.check.plan import Configuration
from refdot.check.pool import ProcessDied, run_tasks
from refdot.targets.protocol import Target, unsupported_reason

__all__ = ["Progress", "shrink_findings"]


def _processor_time() -> float:
    """Return the seconds that this process and its children, such as compilers, have computed."""
    return sum(os.times()[:4])


# The clocks that limit the shrinking of one counterexample, and their seconds. Only very slow cases
# reach a limit before the minimum. On a busy machine, the second one leaves enough time.
_LIMITS = ((_processor_time, 10.0), (time.monotonic, 60.0))
Progress = Callable[[str, int, int], None]


def shrink_findings(
    report: Report,
    target: Target,
    executor: Executor | None,
    progress: Progress,
    timeout: float | None,
) -> None:
    """Replace the case of each finding by the smallest one with the same signature."""
    report.merge_many_dims()
    found = list(report.findings)
    tasks = run_tasks(partial(_shrink, timeout=timeout), target, found, executor)
    for number, (_, shrunk) in enumerate(tasks, 1):
        if not isinstance(shrunk, ProcessDied):
            report.findings[number - 1] = shrunk
        progress("shrinking counterexamples", number, len(found))
    # Findings of deviations that the target does not have may be the same one.
    report.findings, shrunk_findings = [], report.findings
    report.collect(shrunk_findings)


def _shrink(target: Target, finding: Finding, timeout: float | None) -> Finding:
    """Return the finding with the smallest case that has its signature, and is as new.

    A known deviation has an example already.
    """
    if is_fatal(finding.mismatch):
        return finding
    if finding.known is None:
        return _with_smallest_case(target, finding, timeout)
    shown = _by_example(target, finding, timeout)
    if shown is not None:
        return shown
    # The target does not have the deviation: something else looks like it.
    return replace(_with_smallest_case(target, finding, timeout), known=None)


def _by_example(target: Target, finding: Finding, timeout: float | None) -> Finding | None:
    """Return a known finding if its deviation's example still deviates, else None.

    The example becomes its case if it has the same signature. It need not deviate on each lowering.
    """
    (deviation,) = (each for each in target.deviations if each.id == finding.known)
    backend, own = finding.configuration.backend, finding.configuration.lowering
    if unsupported_reason(target, deviation.example, backend):
        return finding
    for lowering in dict.fromkeys((own, *target.default_lowerings)):
        configuration = Configuration(backend, lowering)
        judged = judge_cases(target, [deviation.example], configuration, timeout=timeout)
        shown = {found.key: found for found in judged if found.known == finding.known}
        if finding.key in shown and lowering == own:
            return replace(finding, mismatch=shown[finding.key].mismatch)
        if shown:
            return finding
    return None


def _with_smallest_case(target: Target, finding: Finding, timeout: float | None) -> Finding:
    """Return a finding with the smallest case that has its signature, and is as new.

    Gradients and later stages run only if the finding is about them.
    """
    kind = finding.mismatch.kind
    about_gradients = kind in ("wrong-gradient", "structure") or finding.mismatch.order > 0
    until = "run" if kind == "accepted-invalid" else finding.mismatch.stage
    deadlines = [(clock, clock() + seconds) for clock, seconds in _LIMITS]
    configuration, smallest = finding.configuration, finding.mismatch

    @cache
    def still_fails(case: DotCase) -> bool:
        nonlocal smallest
        if any(clock() > end for clock, end in deadlines):
            return False
        if unsupported_reason(target, case, configuration.backend):
            return False
        for found in judge_cases(target, [case], configuration, until=until, timeout=timeout):
            if found.key == finding.key:
                smallest = found.mismatch
                return True
        return False

    if not about_gradients:
        still_fails(replace(smallest.case, gradient_order=0))
    shrink_case(smallest.case, still_fails)
    return replace(finding, mismatch=smallest)
