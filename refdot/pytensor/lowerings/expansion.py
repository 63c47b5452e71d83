"""Replace contractions by the tensor code that one would write by hand.

Dims that are summed alone are summed first. Then both operands are aligned to (batch, free,
contracted), and the simplest operation that fits computes the product: elementwise if nothing is
contracted, else a (batched) matrix product.

The rewrite runs after `stabilize`, so that the reshapes are not there when most rewrites run, and
before PyTensor's rewrites to BLAS, which need the products of matrices.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from math import prod
from operator import mul
from typing import Any

import numpy as np
import pytensor.tensor as pt
from pytensor.compile.mode import optdb
from pytensor.graph.rewriting.basic import node_rewriter, out2in
from pytensor.scalar import upcast
from pytensor.tensor.shape import Shape_i
from pytensor.tensor.type import discrete_dtypes

from refdot.lowering import Dims, Lowering
from refdot.pytensor.lowerings.contraction import Contraction
from refdot.pytensor.lowerings.ops import discrete_matmul

__all__ = ["MAX_FACTORS", "expand_contraction"]

# PyTensor's Python mode cannot run an elementwise operation of more than 32 operands, and may fuse
# a product of sizes with other operations.
MAX_FACTORS = 8
# After `stabilize` (1.5), and before `reassociate_matmul_chain` (1.65) and `BlasOpt` (1.7).
POSITION = 1.64


@node_rewriter([Contraction])  # type: ignore[untyped-decorator]  # PyTensor's types are skipped
def expand_contraction(fgraph: Any, node: Any) -> list[Any] | None:
    """Replace a contraction, unless a static size is 0 or PyTensor would compute wrong numbers."""
    op, (x, y) = node.op, node.inputs
    if x.dtype != y.dtype and upcast(x.dtype, y.dtype) == "uint64":
        # In Python code, a product of uint64 that is fused with a cast has wrong digits.
        return None
    sizes = _sizes(fgraph, op, x, y)
    if 0 in sizes.values():
        # The product would be a constant, and PyTensor would remove what compares the sizes.
        return None
    product = expanded(op.lowering, x, y, sizes)
    if op.out_order != sorted(op.out_order):
        product = product.dimshuffle(op.out_order)
    return [product]


optdb.register("expand_contractions", out2in(expand_contraction), "fast_run", position=POSITION)


def _sizes(fgraph: Any, op: Contraction, x: Any, y: Any) -> dict[str, Any]:
    """Return the size of each axis: an int if it is static in either operand, else a symbol."""
    # PyTensor keeps the symbol that it found simplest, if it runs its shape rewrites.
    feature = getattr(fgraph, "shape_feature", None)
    symbol = feature.get_shape if feature else lambda tensor, axis: Shape_i(axis)(tensor)
    sizes: dict[str, Any] = {}
    for tensor, letters in ((x, op.x), (y, op.y)):
        for axis, (letter, size) in enumerate(zip(letters, tensor.type.shape, strict=True)):
            if size is not None:
                sizes[letter] = size
            elif letter not in sizes:
                sizes[letter] = symbol(tensor, axis)
    return sizes


def expanded(lowering: Lowering, x: Any, y: Any, sizes: Mapping[str, Any]) -> Any:
    """Build the simplest graph that computes a lowered dot; its axes are the output's dims.

    `sizes` has the size of each dim: an int if it is static, else a symbol.

    Examples
    --------
    >>> from refdot.lowering import lower_dot
    >>> x, y = pt.tensor("x", shape=(2, 3)), pt.tensor("y", shape=(3, 5))
    >>> low = lower_dot(("a", "b"), ("b", "c"))
    >>> expanded(low, x, y, {"a": 2, "b": 3, "c": 5}).owner.op
    Dot()
    """
    # Backends do not agree on the dtype of a product of two dtypes (R7).
    dtype = upcast(x.dtype, y.dtype)
    left = Operand(x.astype(dtype), lowering.x_dims).sum(lowering.x_summed)
    right = Operand(y.astype(dtype), lowering.y_dims).sum(lowering.y_summed)
    if not lowering.contracted:
        product = elementwise_product(left, right, lowering.out_dims)
    elif lowering.batch and not (lowering.x_free or lowering.y_free):
        product = elementwise_product(left, right, left.dims)
        product = Operand(product, left.dims).sum(lowering.contracted).tensor
    else:
        product = matrix_product(lowering, left, right, sizes)
    return zero_if_empty(product, [sizes[dim] for dim in lowering.x_summed + lowering.y_summed])


@dataclass(frozen=True)
class Operand:
    """A tensor whose axes have names."""

    tensor: Any
    dims: Dims

    def sum(self, dims: Dims) -> Operand:
        """Sum over dims in the dtype of the tensor (R7). A sum of bools is `any`."""
        if not dims:
            return self
        axes, dtype = [self.dims.index(dim) for dim in dims], self.tensor.dtype
        if dtype == "bool":
            total = pt.any(self.tensor, axis=axes)
        else:
            # On JAX, the result has the dtype in which it was accumulated.
            total = pt.sum(self.tensor, axis=axes, dtype=dtype, acc_dtype=dtype)
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
        if all(len(group) <= 1 for group in groups):
            return self.aligned([dim for group in groups for dim in group or (None,)])
        # Only the reshape adds the axes of empty groups: a tensor has at most 64 axes.
        tensor = self.aligned([dim for group in groups for dim in group])
        return reshaped(tensor, [total_size(sizes[dim] for dim in group) for group in groups])


def ungrouped(tensor: Any, groups: Sequence[Dims], sizes: Mapping[str, Any]) -> Operand:
    """Split the axis of each group of dims into one axis for each dim."""
    dims = tuple(dim for group in groups for dim in group)
    if any(len(group) > 1 for group in groups):
        tensor = reshaped(tensor, [sizes[dim] for dim in dims])
    elif len(dims) < len(groups):
        tensor = tensor.squeeze([axis for axis, group in enumerate(groups) if not group])
    return Operand(tensor, dims)


def matrix_product(
    lowering: Lowering, left: Operand, right: Operand, sizes: Mapping[str, Any]
) -> Any:
    """Multiply (batch, free, contracted) by (batch, contracted, free), one axis for each group."""
    x_free, y_free, contracted = lowering.x_free, lowering.y_free, lowering.contracted
    batch = [lowering.batch] if lowering.batch else []
    x = left.grouped([*batch, x_free, contracted], sizes)
    y = right.grouped([*batch, contracted, y_free], sizes)
    if x.dtype in discrete_dtypes:
        product = discrete_matmul(x, y)
    else:
        product = pt.matmul(x, y) if batch else pt.dot(x, y)
    return ungrouped(product, [*batch, x_free, y_free], sizes).aligned(lowering.out_dims)


def elementwise_product(left: Operand, right: Operand, dims: Dims) -> Any:
    """Align both operands to these dims and multiply them. A product of bools is `and` (R7)."""
    x, y = left.aligned(dims), right.aligned(dims)
    return x & y if x.dtype == "bool" else x * y


def zero_if_empty(product: Any, summed_sizes: Sequence[Any]) -> Any:
    """Make a product 0 if one of the sizes summed alone is 0: 0 times inf would be NaN (R6)."""
    if product.dtype in discrete_dtypes or all(
        isinstance(size, int) and size > 0 for size in summed_sizes
    ):
        return product
    # A plain 0 would be an int8, to which JAX converts the size before it compares them.
    is_empty = pt.eq(total_size(summed_sizes), np.int64(0))
    return pt.switch(is_empty, np.zeros((), product.dtype), product)


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
