"""Targets: the implementations that refdot judges, and the outcomes of their runs."""

from refdot.targets.callable import CallableTarget
from refdot.targets.mismatch import Deviation, Mismatch
from refdot.targets.outcome import Declared, Gradient, Outcome, Raised
from refdot.targets.protocol import (
    Backend,
    ProgramTarget,
    Target,
    TargetError,
    Unsupported,
)
from refdot.targets.registry import find_target

__all__ = [
    "Backend",
    "CallableTarget",
    "Declared",
    "Deviation",
    "Gradient",
    "Mismatch",
    "Outcome",
    "ProgramTarget",
    "Raised",
    "Target",
    "TargetError",
    "Unsupported",
    "find_target",
]
