"""The faults that are planted in PyTensor: each is a small mistake, with a case that shows it.

`tests/faults/kill_table.py` writes a table of what catches each of them.
"""

from planted import (
    c_kernels,
    declared,
    einsum,
    errors,
    gradients,
    inputs,
    jax_kernels,
    layouts,
    limits,
    lowering,
    modes,
    names,
    numba_kernels,
    products,
    resources,
    rewrites,
    structure,
)

__all__ = ["FAULTS"]

_AREAS = (
    names,
    declared,
    errors,
    inputs,
    layouts,
    limits,
    lowering,
    einsum,
    products,
    gradients,
    rewrites,
    structure,
    resources,
    modes,
    c_kernels,
    numba_kernels,
    jax_kernels,
)
# A fault that has no edits is none of the installed version.
FAULTS = [fault for area in _AREAS for fault in area.FAULTS if fault.edits]
