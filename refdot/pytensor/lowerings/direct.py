"""The lowering "direct": dot as the tensor code one would write by hand.

It reads the same `Lowering` as the oracle. Dims that are summed alone are summed first. Then both
operands are aligned to (batch, free, contracted), and the simplest operation that fits computes the
product: elementwise if nothing is contracted, else a (batched) matrix product.

xtensor's softmax, exp(x) / exp(x).sum(dim), is lowered too, because PyTensor no longer recognizes
it if a rewrite moves a transposition from the quotient to the numerator. It would then overflow if
x exceeds some 700. docs/upstream/pull-request.md has the details.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from math import prod
from operator import mul
from typing import Any

import numpy as np
import pytensor.scalar as ps
import pytensor.tensor as pt
from pytensor.gradient import disconnected_grad
from pytensor.scalar import upcast
from pytensor.tensor.shape import Shape_i
from pytensor.tensor.type import discrete_dtypes
from pytensor.xtensor.basic import tensor_from_xtensor, xtensor_from_tensor
from pytensor.xtensor.reduction import XReduce
from pytensor.xtensor.vectorization import XElemwise

from refdot.lowering import Lowering, lower
from refdot.pytensor.lowerings.ops import EqualSizes, discrete_matmul

__all__ = ["MAX_FACTORS", "lower_dot", "lower_elemwise_and_softmax"]


Dims = tuple[str, ...]
# PyTensor's Python mode cannot run an elementwise operation of more than 32 operands, and may fuse
# a product of sizes with other operations.
MAX_FACTORS = 8


def lower_dot(node: Any) -> list[Any]:
    """Replace xtensor's dot by operations on tensors."""
    # `lower` does not check the names (R1): PyTensor accepted them when the graph was built.
    x_dims, y_dims = (operand.type.dims for operand in node.inputs)
    lowering = lower(x_dims, y_dims, frozenset(node.op.dims))
    x, y = map(tensor_from_xtensor, node.inputs)
    return [xtensor_from_tensor(dot(lowering, x, y), lowering.out_dims)]


def dot(lowering: Lowering, x: Any, y: Any) -> Any:
    """Build the graph of a lowered dot of two tensors, whose axes are the dims of the lowering.

    A dim with two static sizes raises a `ValueError` (R4). Sizes that are not static are compared
    at run time.

    Examples
    --------
    >>> from refdot.lowering import lower_dot
    >>> x, y = pt.tensor("x", shape=(None, 3)), pt.tensor("y", shape=(3, 5))
    >>> dot(lower_dot(("a", "b"), ("b", "c")), x, y).type.shape
    (None, 5)
    """
    sizes = sizes_of(lowering, x, y)
    x, y = with_checked_sizes(lowering, x, y)
    dtype = upcast(x.dtype, y.dtype)
    left = Operand(x, lowering.x_dims).sum(lowering.x_summed, dtype)
    right = Operand(y, lowering.y_dims).sum(lowering.y_summed, dtype)
    if not lowering.contracted:
        product = elementwise_product(left, right, lowering.out_dims)
    elif lowering.batch and not (lowering.x_free or lowering.y_free):
        product = elementwise_product(left, right, left.dims)
        product = Operand(product, left.dims).sum(lowering.contracted, dtype).tensor
    else:
        product = matrix_product(lowering, left, right, sizes)
    return zero_if_empty(product, [sizes[dim] for dim in lowering.x_summed + lowering.y_summed])


@dataclass(frozen=True)
class Operand:
    """A tensor whose axes have names."""

    tensor: Any
    dims: Dims

    def sum(self, dims: Dims, dtype: str) -> Operand:
        """Sum over dims in a dtype (R7). A sum of bools is `any`."""
        if not dims:
            return self
        axes = [self.dims.index(dim) for dim in dims]
        if dtype == "bool":
            total = pt.any(self.tensor, axis=axes)
        else:
            total = pt.sum(self.tensor.astype(dtype), axis=axes, dtype=dtype)
        return Operand(total, tuple(dim for dim in self.dims if dim not in dims))

    def aligned(self, dims: Sequence[str | None]) -> Any:
        """Return the tensor with its axes in this order, and of size 1 for dims that it lacks."""
        if tuple(dims) == self.dims:
            return self.tensor
        return self.tensor.dimshuffle(
            [self.dims.index(dim) if dim in self.dims else "x" for dim in dims]
        )

    def grouped(self, groups: Sequence[Dims], sizes: Mapping[str, Any]) -> Any:
        """Return the tensor with one axis for each group of dims, of size 1 for an empty group."""
        tensor = self.aligned([dim for group in groups for dim in group or (None,)])
        if any(len(group) > 1 for group in groups):
            return reshaped(tensor, [total_size(sizes[dim] for dim in group) for group in groups])
        return tensor


def ungrouped(tensor: Any, groups: Sequence[Dims], sizes: Mapping[str, Any]) -> Operand:
    """Split the axis of each group of dims into one axis for each dim."""
    dims = tuple(dim for group in groups for dim in group)
    if any(len(group) > 1 for group in groups):
        tensor = reshaped(tensor, [sizes[dim] for dim in dims])
    elif len(dims) < len(groups):
        tensor = tensor.squeeze([axis for axis, group in enumerate(groups) if not group])
    return Operand(tensor, dims)


def sizes_of(lowering: Lowering, x: Any, y: Any) -> dict[str, Any]:
    """Return the size of each dim: an int if it is static in either operand, else a symbol."""
    sizes: dict[str, Any] = {}
    for tensor, dims in ((x, lowering.x_dims), (y, lowering.y_dims)):
        for axis, (dim, size) in enumerate(zip(dims, tensor.type.shape, strict=True)):
            if size is not None:
                sizes[dim] = size
            elif dim not in sizes:
                sizes[dim] = Shape_i(axis)(tensor)
    return sizes


def with_checked_sizes(lowering: Lowering, x: Any, y: Any) -> tuple[Any, Any]:
    """Add the static sizes of each operand to the other one, and check the rest at run time."""
    shared = lowering.contracted + lowering.batch
    axes = [(lowering.x_dims.index(dim), lowering.y_dims.index(dim)) for dim in shared]
    if all(x.type.shape[i] == y.type.shape[j] is not None for i, j in axes):
        return x, y
    x, y = EqualSizes(shared, axes)(x, y)
    return x, y


def matrix_product(
    lowering: Lowering, left: Operand, right: Operand, sizes: Mapping[str, Any]
) -> Any:
    """Multiply (batch, free, contracted) by (batch, contracted, free), one axis for each group."""
    x_free, y_free, contracted = lowering.x_free, lowering.y_free, lowering.contracted
    batch = [lowering.batch] if lowering.batch else []
    x = left.grouped([*batch, x_free, contracted], sizes)
    y = right.grouped([*batch, contracted, y_free], sizes)
    dtype = upcast(x.dtype, y.dtype)
    if dtype in discrete_dtypes:
        product = discrete_matmul(x.astype(dtype), y.astype(dtype))
    else:
        product = pt.matmul(x, y) if batch else pt.dot(x, y)
    return ungrouped(product, [*batch, x_free, y_free], sizes).aligned(lowering.out_dims)


def elementwise_product(left: Operand, right: Operand, dims: Dims) -> Any:
    """Align both operands to these dims and multiply them. A product of bools is `and` (R7)."""
    x, y = left.aligned(dims), right.aligned(dims)
    return x & y if x.dtype == y.dtype == "bool" else x * y


def zero_if_empty(product: Any, summed_sizes: Sequence[Any]) -> Any:
    """Make a product 0 if one of the sizes summed alone is 0: 0 times inf would be NaN (R6)."""
    if product.dtype in discrete_dtypes or all(
        isinstance(size, int) and size > 0 for size in summed_sizes
    ):
        return product
    return pt.switch(pt.eq(total_size(summed_sizes), 0), np.zeros((), product.dtype), product)


def total_size(sizes: Iterable[Any]) -> Any:
    """Multiply sizes: return an int if all are static, else a symbol."""
    sizes = list(sizes)
    static = prod(size for size in sizes if isinstance(size, int))
    symbols = [size for size in sizes if not isinstance(size, int)]
    if len(symbols) > MAX_FACTORS:
        symbols = [pt.prod(pt.stack(symbols))]
    if symbols and static != 1:
        symbols.append(np.int64(static))
    return reduce(mul, symbols) if symbols else static


def reshaped(tensor: Any, shape: Sequence[Any]) -> Any:
    """Reshape with -1 where possible: graphs of sizes are what takes long to rewrite."""
    static = [size for size in shape if isinstance(size, int)]
    if len(static) == len(shape) - 1 and 0 not in static:
        shape = [size if isinstance(size, int) else -1 for size in shape]
    # A plain int would get the shortest dtype that holds it, and a cast in the graph.
    return tensor.reshape([np.int64(size) if isinstance(size, int) else size for size in shape])


def lower_elemwise_and_softmax(rewrite: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """Return a rewrite that lowers softmax to a stable one, and other operations as `rewrite`."""
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
    """Subtract the maximum first, which does not change the result.

    PyTensor's own `Softmax` is not used: in 3.0 it is an `OpFromGraph`, and the time that
    `ShapeFeature` spends on these grows steeply with their number.
    """
    largest = disconnected_grad(pt.max(tensor, axis=axes, keepdims=True))
    powers = pt.exp(tensor - largest)
    return powers / powers.sum(axis=axes, keepdims=True)
