"""Two operations that PyTensor lacks and the lowering "direct" needs.

`EqualSizes` is the check of R4 at run time: one node for all the dims of a dot, so that it costs
next to nothing when a graph is rewritten. `DiscreteDot` is a matrix product of integers or bools
that stays in their dtype on every backend: PyTensor's own `Dot` goes through floating point in
numba, where large integers lose digits.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from pytensor.graph.basic import Apply
from pytensor.graph.op import Op
from pytensor.graph.replace import _vectorize_node
from pytensor.tensor.blockwise import Blockwise
from pytensor.tensor.math import Dot

__all__ = ["DiscreteDot", "EqualSizes", "discrete_matmul", "unequal_sizes"]


def unequal_sizes(dim: str, x_size: int, y_size: int) -> ValueError:
    """Say that a dim that both operands have is of two sizes, in the words of R4's error.

    It is a plain `ValueError`, since PyTensor makes an error again from its class and its message,
    to say where in a graph it was raised.
    """
    return ValueError(f"Size of dim '{dim}' does not match: {x_size} in x, {y_size} in y")


class EqualSizes(Op):  # type: ignore[misc]  # PyTensor has no types
    """Gives x and y as they are, or raises: the dims that both have must be of one size in both.

    Its outputs know each static size that either of its inputs knows.

    Parameters
    ----------
    dims : tuple of str
        The dims that both inputs have.
    axes : tuple of (int, int)
        Which axis of x and of y each of those is.

    Examples
    --------
    >>> import pytensor.tensor as pt
    >>> x, y = pt.matrix("x", shape=(2, None)), pt.matrix("y", shape=(None, 3))
    >>> [out.type.shape for out in EqualSizes(("a", "b"), ((0, 0), (1, 1)))(x, y)]
    [(2, 3), (2, 3)]
    """

    __props__ = ("dims", "axes")
    view_map: ClassVar[dict[int, list[int]]] = {0: [0], 1: [1]}

    def __init__(self, dims: Sequence[str], axes: Sequence[tuple[int, int]]) -> None:
        self.dims, self.axes = tuple(dims), tuple(axes)

    def make_node(self, x: Any, y: Any) -> Apply:
        """Give both outputs each size that is known of either input."""
        x_shape, y_shape = list(x.type.shape), list(y.type.shape)
        for dim, (x_axis, y_axis) in zip(self.dims, self.axes, strict=True):
            x_size, y_size = x_shape[x_axis], y_shape[y_axis]
            if x_size is None:
                x_shape[x_axis] = y_size
            elif y_size is None:
                y_shape[y_axis] = x_size
            elif x_size != y_size:
                raise unequal_sizes(dim, x_size, y_size)
        outputs = [x.type.clone(shape=x_shape)(), y.type.clone(shape=y_shape)()]
        return Apply(self, [x, y], outputs)

    def perform(self, node: Apply, inputs: Sequence[Any], outputs: Sequence[Any]) -> None:
        """Compare the actual sizes."""
        x, y = inputs
        for dim, (x_axis, y_axis) in zip(self.dims, self.axes, strict=True):
            if x.shape[x_axis] != y.shape[y_axis]:
                raise unequal_sizes(dim, x.shape[x_axis], y.shape[y_axis])
        outputs[0][0], outputs[1][0] = x, y

    def infer_shape(self, *arguments: Any) -> Any:
        """Give the shapes of the inputs, with one symbol for what is of one size."""
        x_shape, y_shape = map(list, arguments[-1])  # the last argument in every version
        for x_axis, y_axis in self.axes:
            y_shape[y_axis] = x_shape[x_axis]
        return [tuple(x_shape), tuple(y_shape)]

    def connection_pattern(self, node: Apply) -> list[list[bool]]:
        """Each output is one of the inputs."""
        return [[True, False], [False, True]]

    def pullback(
        self, inputs: Sequence[Any], outputs: Sequence[Any], cotangents: Sequence[Any]
    ) -> list[Any]:
        """Give the cotangents as they are."""
        return list(cotangents)

    def pushforward(
        self, inputs: Sequence[Any], outputs: Sequence[Any], tangents: Sequence[Any]
    ) -> list[Any]:
        """Give the tangents as they are."""
        return list(tangents)


@_vectorize_node.register(EqualSizes)  # type: ignore[untyped-decorator]  # PyTensor has no types
def vectorize_equal_sizes(op: EqualSizes, node: Apply, x: Any, y: Any) -> Apply:
    """Check a stack of operands: the dims are as many axes further on as were put before them."""
    x_more, y_more = (
        new.type.ndim - old.type.ndim for new, old in zip((x, y), node.inputs, strict=True)
    )
    axes = [(x_axis + x_more, y_axis + y_more) for x_axis, y_axis in op.axes]
    return EqualSizes(op.dims, axes).make_node(x, y)


class DiscreteDot(Op):  # type: ignore[misc]  # PyTensor has no types
    """A product of two matrices of one integer or bool dtype, in that dtype throughout."""

    __props__ = ()
    gufunc_signature = Dot.gufunc_signature
    gufunc_spec = Dot.gufunc_spec

    def make_node(self, x: Any, y: Any) -> Apply:
        """Give a matrix of the rows of x and the columns of y."""
        return Apply(self, [x, y], [x.type.clone(shape=(x.type.shape[0], y.type.shape[1]))()])

    def perform(self, node: Apply, inputs: Sequence[Any], outputs: Sequence[Any]) -> None:
        """Let NumPy multiply: integers wrap, and of bools it is any of alls."""
        outputs[0][0] = np.matmul(*inputs)

    def infer_shape(self, *arguments: Any) -> Any:
        """Give the rows of x and the columns of y."""
        x_shape, y_shape = arguments[-1]
        return [(x_shape[0], y_shape[1])]

    def pullback(
        self, inputs: Sequence[Any], outputs: Sequence[Any], cotangents: Sequence[Any]
    ) -> list[Any]:
        """Give zeros, as PyTensor does where nothing is continuous."""
        return [operand.zeros_like(dtype="floatX") for operand in inputs]


discrete_matmul = Blockwise(DiscreteDot())
