"""The protocol of targets."""

from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol, runtime_checkable

from refdot.cases.case import DotCase
from refdot.programs.case import ProgramCase
from refdot.programs.findings import ProgramDeviation, ProgramFinding, ProgramVerdict
from refdot.targets.mismatch import Deviation, Mismatch
from refdot.targets.outcome import Outcome

__all__ = [
    "Backend",
    "CachingTarget",
    "ProgramTarget",
    "Target",
    "TargetError",
    "TargetNameError",
    "Unsupported",
    "deviation_of",
    "deviations_by_id",
    "unsupported_reason",
]


def _never(case: ProgramCase) -> bool:
    return False


@dataclass(frozen=True)
class Unsupported:
    """Cases that a target or a backend does not support. They are counted, but not judged."""

    reason: str
    applies: Callable[[DotCase], bool]  # whether a case is one of them
    applies_to_program: Callable[[ProgramCase], bool] = _never  # the same for programs


@dataclass(frozen=True)
class Backend:
    """One of the ways in which a target executes.

    Attributes
    ----------
    absent : str
        Why it cannot run here; empty if it can.
    default : bool
        Whether it runs if no backend is named.
    slow_to_compile : bool
        Whether it runs only a sample of the cases.
    share : int
        How many times as large that sample is as for most backends.
    in_look : bool
        Whether a quick look runs it if no backend is named.
    compiles_each_layout : bool
        Whether it compiles its code again for each memory layout of the operands.
    has_own_messages : bool
        Whether its code raises errors of its own, so that a survey of messages needs it.
    unsupported : tuple of Unsupported
        Cases that it does not support although the target does.
    kernels, rewrites : tuple of str
        What it could use for a dot; `Outcome` has what it used for a case.
    """

    name: str
    absent: str = ""
    default: bool = True
    slow_to_compile: bool = False
    unsupported: tuple[Unsupported, ...] = ()
    kernels: tuple[str, ...] = ()
    rewrites: tuple[str, ...] = ()
    has_own_messages: bool = False
    share: int = 1
    in_look: bool = True
    compiles_each_layout: bool = False


class Target(Protocol):
    """An implementation of dot that refdot judges.

    Attributes
    ----------
    stages : tuple of str
        Those of `refdot.rules.STAGES` that it has.
    lowerings : tuple of str
        The names of its lowerings, the standard one first.
    default_lowerings : tuple of str
        The lowerings that run if none is named.
    not_checked : mapping of str to str
        Kinds of mismatch that are not judged, each with the reason.
    deviations : tuple of Deviation
        The known deviations of this version.
    """

    name: str
    version: str
    stages: tuple[str, ...]
    lowerings: tuple[str, ...]
    default_lowerings: tuple[str, ...]
    unsupported: tuple[Unsupported, ...]
    not_checked: Mapping[str, str]
    deviations: tuple[Deviation, ...]

    def backends(self) -> tuple[Backend, ...]:
        """Return all backends, including those that cannot run here.

        The attribute `unsupported` of a backend is read only once, so it must not change.
        """

    def run(self, case: DotCase, backend: str, lowering: str, until: str = "run") -> Outcome:
        """Run a case up to a stage. Exceptions of the target become part of the outcome."""

    def run_all(
        self, cases: Iterable[DotCase], backend: str, lowering: str, until: str = "run"
    ) -> tuple[Outcome, ...]:
        """Run cases in turn. Cases of the same graph may share a compiled function."""

    def reproducer(self, mismatch: Mismatch, backend: str, lowering: str) -> str:
        """Return a standalone script that shows a mismatch, and exits 1 as long as it exists."""


@runtime_checkable
class ProgramTarget(Target, Protocol):
    """A target that can also run programs of several dots.

    Attributes
    ----------
    program_deviations : tuple of ProgramDeviation
        The known deviations of this version that only programs show.
    """

    program_deviations: tuple[ProgramDeviation, ...]

    def judge_program(self, case: ProgramCase, backend: str, lowering: str) -> ProgramVerdict:
        """Return what is wrong with a program, with the known deviations that explain it."""

    def program_reproducer(self, finding: ProgramFinding) -> str:
        """Return a standalone script that shows a finding, and exits 1 as long as it exists."""


@runtime_checkable
class CachingTarget(Target, Protocol):
    """A target that caches compiled code, and uses it again for other cases."""

    def with_empty_cache(self) -> Target:
        """Return the same target with an empty cache; that of this one stays as it is."""


class TargetError(Exception):
    """The requested target does not exist or cannot be imported. The message is one line."""


class TargetNameError(TargetError):
    """The requested target does not exist: its name is wrong. The message says what to write."""


def deviations_by_id(target: Target) -> dict[str, list[Deviation | ProgramDeviation]]:
    """Return the known deviations of a target by their ids.

    Those that both dots and programs show are there twice, that of dots first.
    """
    found: list[Deviation | ProgramDeviation] = [*target.deviations]
    if isinstance(target, ProgramTarget):
        found += target.program_deviations
    by_id: dict[str, list[Deviation | ProgramDeviation]] = {}
    for deviation in found:
        by_id.setdefault(deviation.id, []).append(deviation)
    return by_id


def unsupported_reason(
    target: Target, case: DotCase | ProgramCase, backend: str | None = None
) -> str | None:
    """Return why a target, or one of its backends, does not support a case, or None."""
    if not isinstance(case, DotCase) and not isinstance(target, ProgramTarget):
        return "it cannot run programs"
    unsupported = target.unsupported
    if backend is not None:
        if isinstance(target, Hashable):
            unsupported += _cached_by_backend(target)[backend]
        else:
            unsupported += _unsupported_by_backend(target)[backend]
    if isinstance(case, DotCase):
        return next((each.reason for each in unsupported if each.applies(case)), None)
    return next((each.reason for each in unsupported if each.applies_to_program(case)), None)


def _unsupported_by_backend(target: Target) -> dict[str, tuple[Unsupported, ...]]:
    return {backend.name: backend.unsupported for backend in target.backends()}


# This is needed for every case, and a target may be slow to list its backends.
_cached_by_backend = lru_cache(maxsize=8)(_unsupported_by_backend)


def deviation_of(
    target: Target, mismatch: Mismatch, outcome: Outcome, backend: str, lowering: str
) -> Deviation | None:
    """Return the known deviation that explains a mismatch, or None."""
    matching = (
        deviation
        for deviation in target.deviations
        if (not deviation.backends or backend in deviation.backends)
        and (not deviation.lowerings or lowering in deviation.lowerings)
        and mismatch.rule in deviation.rules
        and mismatch.kind in deviation.kinds
        and deviation.matches(mismatch, outcome)
    )
    return next(matching, None)
