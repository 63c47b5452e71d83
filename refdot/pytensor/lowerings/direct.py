"""The lowering "direct": a dot is one operation until late.

It reads the same `Lowering` as the oracle: see `refdot.pytensor.lowerings.contraction` for the
operation, and `refdot.pytensor.lowerings.expansion` for the tensor code that replaces it.
"""

from __future__ import annotations

from typing import Any

from pytensor.xtensor.basic import tensor_from_xtensor, xtensor_from_tensor

from refdot.lowering import Lowering, lower
from refdot.pytensor.lowerings.contraction import Contraction
from refdot.pytensor.lowerings.ops import EqualSizes

__all__ = ["lower_dot"]


def lower_dot(node: Any) -> list[Any]:
    """Replace xtensor's dot by a contraction of tensors, whose sizes are checked (R4).

    A dim with two static sizes raises a `ValueError`; other sizes are compared at run time.
    """
    # `lower` does not check the names (R1): PyTensor accepted them when the graph was built.
    x_dims, y_dims = (operand.type.dims for operand in node.inputs)
    lowering = lower(x_dims, y_dims, frozenset(node.op.dims))
    x, y = with_equal_sizes(lowering, *map(tensor_from_xtensor, node.inputs))
    return [xtensor_from_tensor(Contraction(lowering.subscripts)(x, y), lowering.out_dims)]


def with_equal_sizes(lowering: Lowering, x: Any, y: Any) -> tuple[Any, Any]:
    """Add the static sizes of each operand to the other one, and check the rest at run time."""
    shared = lowering.contracted + lowering.batch
    axes = [(lowering.x_dims.index(dim), lowering.y_dims.index(dim)) for dim in shared]
    if all(x.type.shape[i] == y.type.shape[j] is not None for i, j in axes):
        return x, y
    x, y = EqualSizes(shared, axes)(x, y)
    return x, y
