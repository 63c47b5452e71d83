"""Replays at the end of a run: new mismatches on other backends, and known deviations not seen."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from concurrent.futures import Executor
from dataclasses import replace
from functools import partial
from itertools import islice
from operator import attrgetter
from typing import TypeVar

from refdot.check.batch import is_fatal, judge_alone
from refdot.check.findings import Finding, Report
from refdot.check.plan import Configuration
from refdot.check.pool import run_tasks
from refdot.programs.findings import ProgramDeviation, ProgramFinding
from refdot.targets.mismatch import Deviation
from refdot.targets.protocol import Target, deviations_by_id, unsupported_reason

__all__ = ["deviations_that_are_gone", "with_other_backends"]

# Of dots, and of programs: each may compile a graph on every backend.
_MOST_REPLAYED = 10
_Found = TypeVar("_Found", Finding, ProgramFinding)


def with_other_backends(
    report: Report, target: Target, executor: Executor | None, timeout: float | None
) -> tuple[list[Finding], list[ProgramFinding]]:
    """Return the findings of a report; the first new ones have the other backends that show them.

    They are replayed on the backends that can run here and run by default. A case that killed its
    process is not replayed.
    """
    able = [each.name for each in target.backends() if each.default and not each.absent]
    replayed: list[Finding | ProgramFinding] = [
        *_first_new(report.findings),
        *_first_new(report.program_findings),
    ]
    items = [(each, name) for each in replayed for name in able if name not in each.backends]
    also_on = defaultdict(list)
    task = partial(_shows, timeout=timeout)
    for (finding, backend), shows in run_tasks(task, target, items, executor):
        if shows is True:  # and not that the process died
            also_on[finding.key].append(backend)
    return (
        [replace(each, also_on=also_on[each.key]) for each in report.findings],
        [replace(each, also_on=also_on[each.key]) for each in report.program_findings],
    )


def _first_new(findings: Iterable[_Found]) -> list[_Found]:
    """Return the first new findings that can be replayed."""
    new = (each for each in findings if each.known is None and not is_fatal(each.detail))
    return list(islice(new, _MOST_REPLAYED))


def _shows(
    target: Target, item: tuple[Finding | ProgramFinding, str], timeout: float | None
) -> bool:
    finding, backend = item
    _, lowering = finding.where
    found = judge_alone(target, finding.case, Configuration(backend, lowering), timeout)
    return any(each.signature == finding.signature for each in found)


def deviations_that_are_gone(
    report: Report, target: Target, executor: Executor | None, timeout: float | None
) -> list[str]:
    """Return the ids of known deviations that a run did not see, and whose example is right now."""
    seen = {finding.known for finding in report.all_findings}
    unseen = [name for name in deviations_by_id(target) if name not in seen]
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
    """Return whether examples of a deviation can be judged, and none of them shows it."""
    work = [
        (example, configuration)
        for deviation in deviations_by_id(target)[name]
        for configuration in _configurations(target, deviation, backends, lowerings)
        for example in deviation.examples
        if unsupported_reason(target, example, configuration.backend) is None
    ]
    found = [each for case, where in work for each in judge_alone(target, case, where, timeout)]
    return bool(work) and all(each.known != name for each in found)


def _configurations(
    target: Target,
    deviation: Deviation | ProgramDeviation,
    backends: Sequence[str],
    lowerings: Sequence[str],
) -> list[Configuration]:
    """Return the lowerings on which the example of a deviation shows, on one backend.

    If only some backends have the deviation, that is the first of them that can run here, and the
    run must have it, too. Else it is the first that compiles fast, whether the run has it or not:
    on a mode with few rewrites, the deviation may need another example.
    """
    present = [each for each in target.backends() if not each.absent]
    by_speed = [each.name for each in sorted(present, key=attrgetter("slow_to_compile"))]
    able = [name for name in deviation.backends or by_speed if name in by_speed][:1]
    if deviation.backends:
        able = [name for name in able if name in backends]
    return [
        Configuration(backend, lowering)
        for backend in able
        for lowering in deviation.lowerings or target.default_lowerings
        if lowering in lowerings
    ]
