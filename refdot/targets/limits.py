"""Limits that several targets and backends have."""

import numpy as np

from refdot.cases.case import DotCase
from refdot.targets.outcome import REPLICATES
from refdot.targets.protocol import Unsupported

__all__ = ["NO_SUBNORMALS"]


def _holds_subnormals(case: DotCase) -> bool:
    return case.regime == "special" and any(
        ((part != 0) & (np.abs(part) < np.finfo(part.dtype).smallest_normal)).any()
        for replicate in range(REPLICATES)
        for array in case.arrays(replicate)
        if array.dtype.kind in "fc"
        for part in (array.real, array.imag)
    )


NO_SUBNORMALS = Unsupported("XLA treats subnormal numbers as 0", _holds_subnormals)
