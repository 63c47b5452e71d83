"""A campaign of programs: judges many, groups what is wrong, and shrinks a program of each kind."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import product

from refdot.programs.case import ProgramCase
from refdot.programs.judgement import Difference
from refdot.programs.shrinking import shrink_program
from refdot.pytensor.programs.judge import judge_program
from refdot.pytensor.target import PyTensorTarget

__all__ = ["ProgramFinding", "check_programs", "signature"]

_MOST_SECONDS = 60.0  # to shrink a program
# The differences that a known deviation of a dot makes in every program, and its id.
_KNOWN = {
    "the inner graph of OpFromGraph is left in the compiled gradient graph": (
        "gradients-in-an-inner-graph"
    )
}


@dataclass
class ProgramFinding:
    """What is wrong in the same way with some programs.

    Attributes
    ----------
    case : ProgramCase
        The smallest program that shows it.
    difference : Difference
        What is wrong with that program.
    backend, lowering : str
        Where it was found first, and the program shrunk.
    backends, lowerings : list of str
        All on which it was found.
    count : int
        How often it was found, on all of these.
    """

    case: ProgramCase
    difference: Difference
    backend: str
    lowering: str
    backends: list[str] = field(default_factory=list)
    lowerings: list[str] = field(default_factory=list)
    count: int = 0

    @property
    def known(self) -> str | None:
        """The id of the known deviation that explains it; None if it is new."""
        return _KNOWN.get(self.difference.got)


def signature(difference: Difference) -> str:
    """Return the text that differences of the same kind share.

    Examples
    --------
    >>> print(signature(Difference("y", "R6", "wrong-value", "a=0: 1.0", "a=0: nan")))
    R6 wrong-value: NaN
    """
    rule, kind, got = difference.rule, difference.kind, difference.got
    if rule in ("R6", "R8"):
        manner = "NaN" if got.endswith("nan") else "a number"
        return f"{rule} {kind}: {manner}"
    if rule in ("R11", "R14"):
        # The rest of a message has sizes and variables of the graph.
        return f"{rule} {kind} at {difference.name}: {got.partition('(')[0].strip()}"
    return f"{rule} {kind}"


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
    found: dict[str, ProgramFinding] = {}
    for number, case in enumerate(cases, 1):
        for backend, lowering in product(backends, lowerings):
            for difference in judge_program(target, case, backend, lowering):
                _collect(found, ProgramFinding(case, difference, backend, lowering))
        progress("programs", number, len(cases))
    for number, finding in enumerate(found.values(), 1):
        if finding.known is None:
            _shrink(finding, target)
        progress("shrinking programs", number, len(found))
    return sorted(found.values(), key=lambda each: (each.known is not None, each.difference.rule))


def _collect(found: dict[str, ProgramFinding], new: ProgramFinding) -> None:
    """Count a finding with the first one of its signature."""
    first = found.setdefault(signature(new.difference), new)
    first.backends = list(dict.fromkeys([*first.backends, new.backend]))
    first.lowerings = list(dict.fromkeys([*first.lowerings, new.lowering]))
    first.count += 1


def _shrink(finding: ProgramFinding, target: PyTensorTarget) -> None:
    """Replace the program of a finding by the smallest one with the same signature."""
    wanted, end = signature(finding.difference), time.monotonic() + _MOST_SECONDS

    @cache
    def still_fails(case: ProgramCase) -> bool:
        if time.monotonic() > end:
            return False
        for difference in judge_program(target, case, finding.backend, finding.lowering):
            if signature(difference) == wanted:
                finding.case, finding.difference = case, difference
                return True
        return False

    shrink_program(finding.case, still_fails)
