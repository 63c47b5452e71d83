"""Replays at the end of a run: new mismatches on other backends, and known deviations not seen."""

from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import replace
from functools import partial

from refdot.check.batch import is_fatal, judge_cases
from refdot.check.findings import Finding, Report
from refdot.check.plan import Configuration
from refdot.check.pool import run_tasks
from refdot.targets.protocol import Target, unsupported_reason

__all__ = ["deviations_that_are_gone", "with_other_backends"]

# Each may compile a graph on every backend.
_MOST_REPLAYED = 10


def with_other_backends(
    report: Report, target: Target, executor: Executor | None, timeout: float | None
) -> list[Finding]:
    """Return the findings of a report; the first new ones have the other backends that show them.

    They are replayed on the backends that can run here and run by default. A case that killed its
    process is not replayed.
    """
    able = [each.name for each in target.backends() if each.default and not each.absent]
    new = [each for each in report.findings if each.known is None]
    replayed = [each for each in new if not is_fatal(each.mismatch.detail)][:_MOST_REPLAYED]
    items = [(each, name) for each in replayed for name in able if name not in each.backends]
    also_on = defaultdict(list)
    task = partial(_shows, timeout=timeout)
    for (finding, backend), shows in run_tasks(task, target, items, executor):
        if shows is True:  # and not that the process died
            also_on[finding.key].append(backend)
    return [replace(each, also_on=also_on[each.key]) for each in report.findings]


def _shows(target: Target, item: tuple[Finding, str], timeout: float | None) -> bool:
    finding, backend = item
    if unsupported_reason(target, finding.case, backend):
        return False
    configuration = Configuration(backend, finding.configuration.lowering)
    found = judge_cases(target, [finding.case], configuration, timeout=timeout)
    return any(each.signature == finding.signature for each in found)


def deviations_that_are_gone(
    report: Report, target: Target, executor: Executor | None, timeout: float | None
) -> list[str]:
    """Return the ids of known deviations that a run did not see, and whose example is right now."""
    seen = {finding.known for finding in report.all_findings}
    unseen = [deviation.id for deviation in target.deviations if deviation.id not in seen]
    task = partial(_is_gone, backends=report.backends, lowerings=report.lowerings, timeout=timeout)
    tasks = run_tasks(task, target, unseen, executor)
    return [name for name, is_gone in tasks if is_gone is True]


def _is_gone(
    target: Target,
    name: str,
    backends: Sequence[str],
    lowerings: Sequence[str],
    timeout: float | None,
) -> bool:
    """Return whether the example of a deviation can be judged, and does not show it."""
    [deviation] = [each for each in target.deviations if each.id == name]
    able = [
        backend
        for backend in backends
        if backend in (deviation.backends or backends)
        and unsupported_reason(target, deviation.example, backend) is None
    ]
    judged = [
        Configuration(backend, lowering)
        for backend in able[:1]
        for lowering in deviation.lowerings or target.default_lowerings
        if lowering in lowerings
    ]
    found = [
        each
        for configuration in judged
        for each in judge_cases(target, [deviation.example], configuration, timeout=timeout)
    ]
    return bool(judged) and all(each.known != name for each in found)
