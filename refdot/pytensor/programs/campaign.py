"""A campaign of programs: judges many, groups what is wrong, and shrinks a program of each kind."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
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
) -> list[ProgramFinding]:
    """Judge programs on each backend and lowering, and return the findings, shrunk.

    Examples
    --------
    >>> from refdot.programs.named import named_program
    >>> gram = ProgramCase(named_program("gram"), gradient_order=1)
    >>> check_programs(PyTensorTarget(), [gram], ["python"], ["inlined", "direct"])
    []
    """
    # A known deviation does not hide a new mismatch that looks the same.
    found: dict[tuple[str, str | None], ProgramFinding] = {}
    for number, case in enumerate(cases, 1):
        for backend, lowering in product(backends, lowerings):
            for difference in judge_program(target, case, backend, lowering):
                seen = Observation(case, difference, backend, lowering)
                known = known_cause(seen, target)
                key = signature(difference), known
                found.setdefault(key, ProgramFinding(seen, known)).add(seen)
        progress("programs", number, len(cases))
    new = [finding for finding in found.values() if finding.known is None]
    for number, finding in enumerate(new, 1):
        finding.first = _shrunk(finding.first, target)
        progress("shrinking programs", number, len(new))
    return sorted(found.values(), key=lambda each: (each.known is not None, each.signature))


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
