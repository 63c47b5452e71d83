"""What a target is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from refdot.cases.case import DotCase
from refdot.targets.mismatch import Deviation, Mismatch
from refdot.targets.outcome import Outcome

__all__ = ["Backend", "Target", "TargetError", "Unsupported", "deviation_of", "unsupported_reason"]


@dataclass(frozen=True)
class Unsupported:
    """What a target, or a backend of it, does not claim to do: such cases are not judged on it."""

    reason: str
    applies: Callable[[DotCase], bool]


@dataclass(frozen=True)
class Backend:
    """One way in which a target executes.

    Attributes
    ----------
    name : str
    absent : str
        Why it cannot run here; empty if it can.
    default : bool
        Whether it runs unless others are asked for.
    dear : bool
        Whether it is given a sample of graphs alone, since a graph takes it long to compile or
        what it does with each graph is much the same.
    unsupported : tuple of Unsupported
        What it does not claim to do, beside the limits of its target.
    """

    name: str
    absent: str = ""
    default: bool = True
    slow_to_compile: bool = False
    unsupported: tuple[Unsupported, ...] = ()


class Target(Protocol):
    """What is judged.

    Attributes
    ----------
    name, version : str
    stages : tuple of str
        Which of `STAGES` it tells apart.
    lowerings : tuple of str
        Its lowerings by name, the standard one first.
    default_lowerings : tuple of str
        Those that run unless others are asked for.
    unsupported : tuple of Unsupported
        What it does not claim to do.
    not_checked : mapping of str to str
        Kinds of mismatch that say nothing about it, each with the reason.
    deviations : tuple of Deviation
        Those on record for this version of it.
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
        """List every way in which it can execute, those absent here included."""

    def run(self, case: DotCase, backend: str, lowering: str, until: str = "run") -> Outcome:
        """Run a case as far as a stage. Whatever the target raises is part of the outcome."""

    def run_all(
        self, cases: Iterable[DotCase], backend: str, lowering: str, until: str = "run"
    ) -> tuple[Outcome, ...]:
        """Run cases in turn, and share between them what is the same for several."""

    def reproducer(self, mismatch: Mismatch, backend: str, lowering: str) -> str:
        """Write a standalone script that shows a mismatch, and exits 1 while it is there."""


class TargetError(Exception):
    """A target that was asked for cannot be had; the message says why, in one line."""


def unsupported_reason(target: Target, case: DotCase, backend: str | None = None) -> str | None:
    """Say why a case is not judged on a target, or on a backend of it, if it is not."""
    unsupported = target.unsupported
    if backend is not None:
        unsupported += next(
            there.unsupported for there in target.backends() if there.name == backend
        )
    return next((each.reason for each in unsupported if each.applies(case)), None)


def deviation_of(
    target: Target, mismatch: Mismatch, outcome: Outcome, backend: str
) -> Deviation | None:
    """Find the known deviation that a mismatch is, if it is one."""
    for deviation in target.deviations:
        there = not deviation.backends or backend in deviation.backends
        such = mismatch.rule in deviation.rules and mismatch.kind in deviation.kinds
        if there and such and deviation.matches(mismatch, outcome):
            return deviation
    return None
