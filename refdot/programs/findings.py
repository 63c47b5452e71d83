"""What is wrong with programs: one observation, and a finding of many."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from refdot.cases.case import DTYPES
from refdot.programs.case import ProgramCase
from refdot.programs.judgement import Difference

__all__ = [
    "Observation",
    "ProgramDeviation",
    "ProgramFinding",
    "ProgramVerdict",
    "finding_without_answer",
    "signature",
]


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
    observation : Observation
        Of the smallest program that shows it.
    known : str, optional
        The id of the known deviation that explains it; None if it is new.
    backends, lowerings : list of str
        All on which it was found.
    count : int
        How often it was found, on all of these.
    also_on : list of str
        Other backends on which the program, replayed at the end of the run, shows it too.
    """

    observation: Observation
    known: str | None = None
    backends: list[str] = field(default_factory=list)
    lowerings: list[str] = field(default_factory=list)
    count: int = 1
    also_on: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.backends = self.backends or [self.observation.backend]
        self.lowerings = self.lowerings or [self.observation.lowering]

    @property
    def case(self) -> ProgramCase:
        """The smallest program."""
        return self.observation.case

    @property
    def where(self) -> tuple[str, str]:
        """The backend and the lowering on which the smallest program shows it."""
        return self.observation.backend, self.observation.lowering

    @property
    def detail(self) -> str:
        """What is wrong, in words."""
        return self.observation.difference.got

    @property
    def signature(self) -> str:
        """The text that findings of the same kind share."""
        return signature(self.observation.difference)

    @property
    def key(self) -> tuple[str, str | None]:
        """What makes it distinct: a known deviation does not hide a new one that looks the same."""
        return self.signature, self.known


@dataclass(frozen=True)
class ProgramVerdict:
    """What is wrong with one program, and what the target used to compute it.

    Attributes
    ----------
    findings : tuple of ProgramFinding
    kernels, rewrites : frozenset of str
        See `refdot.targets.outcome.Outcome`.
    """

    findings: tuple[ProgramFinding, ...] = ()
    kernels: frozenset[str] = frozenset()
    rewrites: frozenset[str] = frozenset()


@dataclass(frozen=True)
class ProgramDeviation:
    """A known deviation of programs; see `refdot.targets.mismatch.Deviation`."""

    id: str
    title: str
    kinds: tuple[str, ...]
    versions: str
    backends: tuple[str, ...]
    lowerings: tuple[str, ...]
    matches: Callable[[Observation, Any], bool]  # called with the target too
    example: ProgramCase
    cause: str

    @property
    def examples(self) -> tuple[ProgramCase, ...]:
        """Return the example, as `Deviation.examples` does."""
        return (self.example,)


def finding_without_answer(
    case: ProgramCase, backend: str, lowering: str, got: str
) -> ProgramFinding:
    """Return the finding that a program gave no answer: it took too long, or its process died."""
    difference = Difference("run", "R6", "rejected-valid", "an answer", got)
    return ProgramFinding(Observation(case, difference, backend, lowering))


def signature(difference: Difference) -> str:
    """Return the text that differences of the same kind share.

    Examples
    --------
    >>> print(signature(Difference("y", "R6", "wrong-value", "a=0: 1.0", "a=0: nan")))
    R6 wrong-value: NaN
    """
    rule, kind, got = difference.rule, difference.kind, difference.got
    if kind in ("rejected-valid", "structure"):
        # A dot may be rejected with the same message, whose rest has variables of the graph.
        of = " of a program" if kind == "rejected-valid" else ""
        return f"{rule} {kind}{of} at {difference.name}: {got.partition('(')[0].strip()}"
    if rule in ("R6", "R8"):
        return f"{rule} {kind}: {_manner(got)}"
    if rule == "R4":
        # "none for static size 1 of dim 'a'"
        static, size = ("static " if "static" in got else ""), ("1" if " 1 of" in got else "n")
        return f"{rule} {kind}: {static}size {size}"
    return f"{rule} {kind}"


def _manner(got: str) -> str:
    """Return what is wrong with an answer: a gradient may also have a wrong dtype or shape."""
    if got in DTYPES:
        return "a dtype"
    if got.startswith("("):
        return "a shape"
    return "NaN" if got.endswith("nan") else "a number"
