"""A campaign of programs: judges many, groups what is wrong, and shrinks a program of each kind."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import replace
from functools import cache, partial
from itertools import product

from refdot.programs.case import ProgramCase
from refdot.programs.shrinking import shrink_program
from refdot.pytensor.programs.deviations import known_cause
from refdot.pytensor.programs.findings import Observation, ProgramFinding, signature
from refdot.pytensor.programs.judge import judge_program
from refdot.pytensor.target import PyTensorTarget

__all__ = ["check_programs"]

_MOST_SECONDS = 60.0  # to shrink a program


def check_programs(
    target: PyTensorTarget,
    cases: Sequence[ProgramCase],
    backends: Sequence[str],
    lowerings: Sequence[str],
    progress: Callable[[str, int, int], None] = lambda *_: None,
    executor: Executor | None = None,
) -> list[ProgramFinding]:
    """Judge programs on each backend and lowering, and return the findings, shrunk.

    Parameters
    ----------
    target : PyTensorTarget
    cases : sequence of ProgramCase
    backends, lowerings : sequence of str
    progress : callable, optional
        Called with the stage, how much of it is done, and how much there is.
    executor : concurrent.futures.Executor, optional
        Where to judge; by default in this process, where findings are shrunk in any case.

    Examples
    --------
    >>> from refdot.programs.named import named_program
    >>> gram = ProgramCase(named_program("gram"), gradient_order=1)
    >>> check_programs(PyTensorTarget(), [gram], ["python"], ["inlined", "direct"])
    []
    """
    # A known deviation does not hide a new mismatch that looks the same.
    found: dict[tuple[str, str | None], ProgramFinding] = {}
    judge = partial(_observations, target, backends, lowerings)
    each_seen = executor.map(judge, cases) if executor else map(judge, cases)
    for number, observations in enumerate(each_seen, 1):
        for seen, known in observations:
            key = signature(seen.difference), known
            found.setdefault(key, ProgramFinding(seen, known)).add(seen)
        progress("programs", number, len(cases))
    new = [finding for finding in found.values() if finding.known is None]
    for number, finding in enumerate(new, 1):
        finding.first = _shrunk(finding.first, target)
        progress("shrinking programs", number, len(new))
    return sorted(found.values(), key=lambda each: (each.known is not None, each.signature))


def _observations(
    target: PyTensorTarget, backends: Sequence[str], lowerings: Sequence[str], case: ProgramCase
) -> list[tuple[Observation, str | None]]:
    """Return all that is wrong with a program, each with its known cause."""
    observations = [
        Observation(case, difference, backend, lowering)
        for backend, lowering in product(backends, lowerings)
        for difference in judge_program(target, case, backend, lowering)
    ]
    return [(seen, known_cause(seen, target)) for seen in observations]


def _shrunk(seen: Observation, target: PyTensorTarget) -> Observation:
    """Return the smallest program with the same signature that no known deviation explains."""
    wanted, end = signature(seen.difference), time.monotonic() + _MOST_SECONDS
    smallest = seen

    @cache
    def still_fails(case: ProgramCase) -> bool:
        nonlocal smallest
        if time.monotonic() > end:
            return False
        for difference in judge_program(target, case, seen.backend, seen.lowering):
            other = replace(seen, case=case, difference=difference)
            if signature(difference) == wanted and known_cause(other, target) is None:
                smallest = other
                return True
        return False

    shrink_program(seen.case, still_fails)
    return smallest
