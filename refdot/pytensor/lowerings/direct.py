"""The lowering "direct": xtensor's dot as the tensor code that one would write by hand.

It reads the same `Lowering` as the oracle. A dim summed alone is summed first; then both operands
are aligned to (batch, free, contracted), and the plainest operation that fits does the rest: an
elementwise product where nothing is contracted, else a (batched) matrix product.

xtensor's softmax is lowered beside it, since PyTensor does not recognise it in such a graph.
`pytensor.xtensor.math.softmax` is exp(x) / exp(x).sum(dim), which overflows to inf / inf where x
is above some 700. It is PyTensor's rewrite `local_softmax_stabilize`, in the pass "stabilize", that
puts a `Softmax` in its place: where a numerator exp(x) is the very variable that the denominator
sums. "canonicalize" comes before that, and in it `local_dimshuffle_lift` moves a transposition of
the quotient, such as the next matrix product needs, through the division to both operands. The
numerator is then the transposed exp(x), the denominator still sums the one that is not, and
nothing is recognised. In the stock lowering an `OpFromGraph` hides the transposition until
"specialize", so the loss is finite. But the gradient is built before any rewriting, from the
quotient as it stands: it is NaN with the stock lowering too. (Without `local_dimshuffle_lift`,
the loss of the inlined lowering is finite as well, and its gradient is not.)
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

__all__ = ["lower_dot", "lower_elemwise_and_softmax"]


Dims = tuple[str, ...]
# PyTensor's Python mode cannot run an elementwise operation of more than 32 operands, and may
# fuse this one with others.
MOST_FACTORS = 8


def lower_dot(node: Any) -> list[Any]:
    """Rewrite xtensor's dot to operations on tensors."""
    # PyTensor has accepted the names when the graph was built: here is not the place for R1.
    x_dims, y_dims = (operand.type.dims for operand in node.inputs)
    lowering = lower(x_dims, y_dims, frozenset(node.op.dims))
    x, y = map(tensor_from_xtensor, node.inputs)
    return [xtensor_from_tensor(dot(lowering, x, y), lowering.out_dims)]


def dot(lowering: Lowering, x: Any, y: Any) -> Any:
    """Evaluate a lowering on two tensors, symbolically.

    Parameters
    ----------
    lowering : Lowering
    x, y : tensor variables
        Axes as `lowering.x_dims` and `lowering.y_dims`.

    Returns
    -------
    tensor variable
        Axes as `lowering.out_dims`, dtype the result type of x and y.

    Raises
    ------
    ValueError
        R4: two static sizes of a dim differ. Sizes that are not static are compared at run time.

    Examples
    --------
    >>> from refdot.lowering import lower_dot
    >>> x, y = pt.tensor("x", shape=(None, 3)), pt.tensor("y", shape=(3, 5))
    >>> dot(lower_dot(("a", "b"), ("b", "c")), x, y).type.shape
    (None, 5)
    """
    sizes = sizes_of(lowering, x, y)
    if shared := lowering.contracted + lowering.batch:
        x, y = of_equal_sizes(lowering, x, y, shared)
    left, right = Operand(x, lowering.x_dims), Operand(y, lowering.y_dims)
    summed_alone = [sizes[dim] for dim in lowering.x_summed + lowering.y_summed]
    dtype = upcast(x.dtype, y.dtype)
    left = left.sum_over(lowering.x_summed, dtype)
    right = right.sum_over(lowering.y_summed, dtype)
    if not lowering.contracted:
        product = elementwise_product(left, right, lowering.out_dims)
    elif lowering.batch and not (lowering.x_free or lowering.y_free):
        product = elementwise_product(left, right, left.dims)
        product = Operand(product, left.dims).sum_over(lowering.contracted, dtype).tensor
    else:
        product = matrix_product(lowering, left, right, sizes)
    return zero_if_empty(product, summed_alone)


@dataclass(frozen=True)
class Operand:
    """A tensor whose axes have names."""

    tensor: Any
    dims: Dims

    def sum_over(self, summed: Dims, dtype: str) -> Operand:
        """Sum over some dims in a dtype (R7); of bools the sum is any."""
        if not summed:
            return self
        axes = [self.dims.index(dim) for dim in summed]
        if dtype == "bool":
            total = pt.any(self.tensor, axis=axes)
        else:
            total = pt.sum(self.tensor.astype(dtype), axis=axes, dtype=dtype)
        return Operand(total, tuple(dim for dim in self.dims if dim not in summed))

    def aligned(self, dims: Sequence[str | None]) -> Any:
        """Give the tensor with these dims, in order; what it lacks becomes an axis of size 1."""
        if tuple(dims) == self.dims:
            return self.tensor
        return self.tensor.dimshuffle(
            [self.dims.index(dim) if dim in self.dims else "x" for dim in dims]
        )

    def grouped(self, groups: Sequence[Dims], sizes: Mapping[str, Any]) -> Any:
        """Give the tensor with one axis for each group of dims; no dim makes an axis of size 1."""
        tensor = self.aligned([dim for group in groups for dim in group or (None,)])
        if any(len(group) > 1 for group in groups):
            return reshaped(tensor, [extent(sizes[dim] for dim in group) for group in groups])
        return tensor


def ungrouped(tensor: Any, groups: Sequence[Dims], sizes: Mapping[str, Any]) -> Operand:
    """Give each dim its own axis again."""
    dims = tuple(dim for group in groups for dim in group)
    if any(len(group) > 1 for group in groups):
        tensor = reshaped(tensor, [sizes[dim] for dim in dims])
    elif len(dims) < len(groups):
        tensor = tensor.squeeze([axis for axis, group in enumerate(groups) if not group])
    return Operand(tensor, dims)


def sizes_of(lowering: Lowering, x: Any, y: Any) -> dict[str, Any]:
    """Give the size of each dim: an int where either operand knows it, else a symbol."""
    sizes: dict[str, Any] = {}
    for tensor, dims in ((x, lowering.x_dims), (y, lowering.y_dims)):
        for axis, (dim, size) in enumerate(zip(dims, tensor.type.shape, strict=True)):
            if size is not None:
                sizes[dim] = size
            elif dim not in sizes:
                sizes[dim] = Shape_i(axis)(tensor)
    return sizes


def of_equal_sizes(lowering: Lowering, x: Any, y: Any, shared: Dims) -> tuple[Any, Any]:
    """Give two operands that know each other's static sizes, with a check of those not static."""
    axes = [(lowering.x_dims.index(dim), lowering.y_dims.index(dim)) for dim in shared]
    known = all(x.type.shape[x_axis] == y.type.shape[y_axis] is not None for x_axis, y_axis in axes)
    if known:
        return x, y
    x, y = EqualSizes(shared, axes)(x, y)
    return x, y


def matrix_product(
    lowering: Lowering, left: Operand, right: Operand, sizes: Mapping[str, Any]
) -> Any:
    """Multiply (batch, free, contracted) by (batch, contracted, free): one axis for each group."""
    batch, x_free, y_free = lowering.batch, lowering.x_free, lowering.y_free
    stack = [batch] if batch else []
    x = left.grouped([*stack, x_free, lowering.contracted], sizes)
    y = right.grouped([*stack, lowering.contracted, y_free], sizes)
    dtype = upcast(x.dtype, y.dtype)
    if dtype in discrete_dtypes:
        product = discrete_matmul(x.astype(dtype), y.astype(dtype))
    else:
        product = pt.matmul(x, y) if batch else pt.dot(x, y)
    return ungrouped(product, [*stack, x_free, y_free], sizes).aligned(lowering.out_dims)


def elementwise_product(left: Operand, right: Operand, dims: Dims) -> Any:
    """Multiply element by element, aligned to these dims; of bools the product is all (R7)."""
    x, y = left.aligned(dims), right.aligned(dims)
    return x & y if x.dtype == y.dtype == "bool" else x * y


def zero_if_empty(product: Any, summed_alone: Sequence[Any]) -> Any:
    """Make a product 0 where a dim summed alone is empty: 0 times inf would be NaN (R6)."""
    if product.dtype in discrete_dtypes or all(
        isinstance(size, int) and size > 0 for size in summed_alone
    ):
        return product
    return pt.switch(pt.eq(extent(summed_alone), 0), np.zeros((), product.dtype), product)


def extent(sizes: Iterable[Any]) -> Any:
    """Multiply sizes: an int where all are static, else a symbol."""
    sizes = list(sizes)
    static = prod(size for size in sizes if isinstance(size, int))
    symbols = [size for size in sizes if not isinstance(size, int)]
    if len(symbols) > MOST_FACTORS:
        symbols = [pt.prod(pt.stack(symbols))]
    if symbols and static != 1:
        symbols.append(np.int64(static))
    return reduce(mul, symbols) if symbols else static


def reshaped(tensor: Any, shape: Sequence[Any]) -> Any:
    """Reshape with little of a graph about sizes: it is what takes long to rewrite."""
    unknown = [size for size in shape if not isinstance(size, int)]
    if len(unknown) == 1 and 0 not in [size for size in shape if isinstance(size, int)]:
        shape = [size if isinstance(size, int) else -1 for size in shape]
    # A plain int would be of the shortest dtype that holds it, and cast in the graph.
    return tensor.reshape([np.int64(size) if isinstance(size, int) else size for size in shape])


def lower_elemwise_and_softmax(rewrite: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """Give a rewrite that lowers softmax stably, and all else as `rewrite` does.

    Parameters
    ----------
    rewrite : callable
        PyTensor's own rewrite of xtensor's elementwise operations.
    """

    def lower_elemwise(fgraph: Any, node: Any) -> Any:
        return lowered_softmax(node) or rewrite(fgraph, node)

    return lower_elemwise


def lowered_softmax(node: Any) -> list[Any] | None:
    """Lower exp(x) / exp(x).sum(dim) so that nothing overflows."""
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
    """Give the softmax of what is left when the largest is taken off, which changes nothing.

    PyTensor's own `Softmax` would do, but is an `OpFromGraph` in 3.0, and what `ShapeFeature` does
    to one for each of several layers grows out of hand.
    """
    largest = disconnected_grad(pt.max(tensor, axis=axes, keepdims=True))
    powers = pt.exp(tensor - largest)
    return powers / powers.sum(axis=axes, keepdims=True)
