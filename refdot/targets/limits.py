"""Limits that several targets and backends have."""

from collections.abc import Iterable

import numpy as np

from refdot.cases.case import DotCase
from refdot.programs.case import ProgramCase
from refdot.targets.outcome import REPLICATES
from refdot.targets.protocol import Unsupported
from refdot.tensor import Array

__all__ = ["NO_SUBNORMALS"]


def _are_subnormal(arrays: Iterable[Array]) -> bool:
    """Return whether one of the arrays has a subnormal number."""
    return any(
        ((part != 0) & (np.abs(part) < np.finfo(part.dtype).smallest_normal)).any()
        for array in arrays
        if array.dtype.kind in "fc"
        for part in (array.real, array.imag)
    )


def _holds_subnormals(case: DotCase) -> bool:
    return case.regime == "special" and any(
        _are_subnormal(case.arrays(replicate)) for replicate in range(REPLICATES)
    )


def _program_holds_subnormals(case: ProgramCase) -> bool:
    return case.regime == "special" and any(
        _are_subnormal(tensor.data for tensor in case.values(case.program, replicate).values())
        for replicate in range(REPLICATES)
    )


NO_SUBNORMALS = Unsupported(
    "XLA treats subnormal numbers as 0", _holds_subnormals, _program_holds_subnormals
)
