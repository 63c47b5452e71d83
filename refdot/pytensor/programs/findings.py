"""What is wrong with programs: one observation, and a finding of many."""

from __future__ import annotations

from dataclasses import dataclass, field

from refdot.programs.case import ProgramCase
from refdot.programs.judgement import Difference

__all__ = ["Observation", "ProgramFinding", "signature"]


@dataclass(frozen=True)
class Observation:
    """Something that is wrong with one program, and where it was seen."""

    case: ProgramCase
    difference: Difference
    backend: str
    lowering: str


@dataclass
class ProgramFinding:
    """What is wrong in the same way with some programs.

    Attributes
    ----------
    first : Observation
        Of the smallest program that shows it.
    known : str, optional
        The id of the known deviation that explains it; None if it is new.
    backends, lowerings : list of str
        All on which it was found.
    count : int
        How often it was found, on all of these.
    """

    first: Observation
    known: str | None = None
    backends: list[str] = field(default_factory=list)
    lowerings: list[str] = field(default_factory=list)
    count: int = 0

    def add(self, seen: Observation) -> None:
        """Count one more observation."""
        self.backends = list(dict.fromkeys([*self.backends, seen.backend]))
        self.lowerings = list(dict.fromkeys([*self.lowerings, seen.lowering]))
        self.count += 1

    @property
    def signature(self) -> str:
        """The text that findings of the same kind share."""
        return signature(self.first.difference)


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
