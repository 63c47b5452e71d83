"""A lowering of xtensor's softmax that does not overflow.

PyTensor recognizes exp(x) / exp(x).sum(dim) as a softmax, but no longer if a rewrite moves a
transposition from the quotient to the numerator. For float64, the quotient then overflows if x
exceeds 709. docs/upstream/contraction.md has the details. The softmax of PyTensor raises if x is
empty, since nothing has no maximum; here the maximum of nothing is -inf.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any

import numpy as np
import pytensor.scalar as ps
import pytensor.tensor as pt
from pytensor.gradient import disconnected_grad
from pytensor.tensor.math import FixedOpCAReduce, Max
from pytensor.tensor.special import Softmax
from pytensor.xtensor.basic import tensor_from_xtensor, xtensor_from_tensor
from pytensor.xtensor.reduction import XReduce
from pytensor.xtensor.vectorization import XElemwise

try:
    from pytensor.tensor.symbolic import FusibleSymbolicOp
except ImportError:  # before PyTensor 3.3.8
    FusibleSymbolicOp = None

__all__ = ["lower_elemwise_and_softmax"]


def lower_elemwise_and_softmax(rewrite: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """Return a rewrite that lowers softmax to a stable one, and other operations as `rewrite`."""
    # It registers the rewrite without which a stable softmax is replaced by PyTensor's own.
    import_module("refdot.pytensor.lowerings.softmax_expansion")
    return lambda fgraph, node: softmax_replacement(node) or rewrite(fgraph, node)


def softmax_replacement(node: Any) -> list[Any] | None:
    """Return a softmax that does not overflow if a node is exp(x) / exp(x).sum(dim)."""
    if node.op.scalar_op != ps.true_div:
        return None
    numerator, denominator = node.inputs
    match numerator.owner_op_and_inputs, denominator.owner_op_and_inputs:
        case (
            (XElemwise(scalar_op=ps.exp), x),
            (XReduce(binary_op=ps.add, dims=dims), summed),
        ) if summed is numerator:
            axes = [x.type.dims.index(dim) for dim in dims]
            tensor = tensor_from_xtensor(x).astype(numerator.type.dtype)
            return [xtensor_from_tensor(stable_softmax(tensor, axes), x.type.dims)]
    return None


def stable_softmax(tensor: Any, axes: Sequence[int]) -> Any:
    """Subtract the maximum first, which does not change the result."""
    if FusibleSymbolicOp is not None:
        # PyTensor would recognize the quotient below, and subtract the maximum once more.
        return SoftmaxOfAnySize(axis=tuple(axes))(tensor)
    # Here PyTensor's own is an `OpFromGraph` to the end, and the time that `ShapeFeature` spends on
    # these grows steeply with their number.
    largest = disconnected_grad(pt.expand_dims(MaxOfAnySize(axis=tuple(axes))(tensor), axes))
    powers = pt.exp(tensor - largest)
    return powers / powers.sum(axis=axes, keepdims=True)


class SoftmaxOfAnySize(Softmax):  # type: ignore[misc]  # PyTensor's types are skipped
    """PyTensor's softmax, but also of nothing."""

    def build_inner_graph(self, x: Any) -> list[Any]:
        """Return the softmax, which later becomes a part of the graph."""
        powers = pt.exp(x - pt.max(x, axis=self.axis, keepdims=True, initial=-np.inf))
        return [powers / powers.sum(axis=self.axis, keepdims=True)]


class MaxOfAnySize(Max):  # type: ignore[misc]  # as above
    """PyTensor's maximum, but -inf of nothing, for versions whose `max` has no `initial`."""

    _c_all = FixedOpCAReduce._c_all  # without the check that `Max` adds

    def perform(self, node: Any, inputs: Sequence[Any], outputs: Sequence[Any]) -> None:
        """Use NumPy's maximum."""
        outputs[0][0] = np.asarray(np.max(inputs[0], axis=self.axis, initial=-np.inf))
