"""Two operations that the lowering "direct" needs and PyTensor lacks.

`EqualSizes` checks at run time that each shared dim has one size (R4). It is one node for all dims
of a dot, so it adds little to the time that PyTensor needs to rewrite a graph. `DiscreteDot` is a
matrix product of integers or bools that stays in their dtype on every backend. PyTensor's own `Dot`
uses floating point on Numba, where large integers lose digits.
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

__all__ = ["DiscreteDot", "EqualSizes", "discrete_matmul"]


class EqualSizes(Op):  # type: ignore[misc]  # PyTensor's types are skipped
    """Return x and y unchanged, or raise if a shared dim has two sizes.

    `axes` holds the axis of each shared dim in x and in y. Each output has the static sizes of both
    inputs.

    Examples
    --------
    >>> import pytensor.tensor as pt
    >>> x, y = pt.matrix("x", shape=(2, None)), pt.matrix("y", shape=(None, 3))
    >>> [out.type.shape for out in EqualSizes(("a", "b"), ((0, 0), (1, 1)))(x, y)]
    [(2, 3), (2, 3)]
    """

    # Without names, so that dots that differ only in their names are one operation (R10).
    __props__ = ("axes",)
    view_map: ClassVar[dict[int, list[int]]] = {0: [0], 1: [1]}

    def __init__(self, dims: Sequence[str], axes: Sequence[tuple[int, int]]) -> None:
        self.dims, self.axes = tuple(dims), tuple(axes)

    def compare(self, x_shape: Sequence[int], y_shape: Sequence[int]) -> None:
        """Raise for the first dim with two sizes."""
        for dim, (i, j) in zip(self.dims, self.axes, strict=True):
            if x_shape[i] != y_shape[j]:
                # A plain `ValueError`, because PyTensor creates the error again from its class and
                # message to add where in a graph it was raised.
                raise ValueError(
                    f"Size of dim '{dim}' does not match: {x_shape[i]} in x, {y_shape[j]} in y"
                )

    def make_node(self, x: Any, y: Any) -> Apply:
        """Merge the static sizes of x and y."""
        x_shape, y_shape = list(x.type.shape), list(y.type.shape)
        for i, j in self.axes:
            x_shape[i] = y_shape[j] if x_shape[i] is None else x_shape[i]
            y_shape[j] = x_shape[i] if y_shape[j] is None else y_shape[j]
        self.compare(x_shape, y_shape)
        outputs = [x.type.clone(shape=x_shape)(), y.type.clone(shape=y_shape)()]
        return Apply(self, [x, y], outputs)

    def perform(self, node: Apply, inputs: Sequence[Any], outputs: Sequence[Any]) -> None:
        """Compare the sizes at run time."""
        x, y = inputs
        self.compare(x.shape, y.shape)
        outputs[0][0], outputs[1][0] = x, y

    def infer_shape(self, *arguments: Any) -> Any:
        """Return the shapes of the inputs, with x's symbol for the size of each shared dim."""
        x_shape, y_shape = map(list, arguments[-1])  # the last argument in every version
        for i, j in self.axes:
            y_shape[j] = x_shape[i]
        return [tuple(x_shape), tuple(y_shape)]

    def connection_pattern(self, node: Apply) -> list[list[bool]]:
        """Connect each output to the input that it is."""
        return [[True, False], [False, True]]

    def pullback(
        self, inputs: Sequence[Any], outputs: Sequence[Any], cotangents: Sequence[Any]
    ) -> list[Any]:
        """Return the cotangents unchanged."""
        return list(cotangents)

    pushforward = pullback  # tangents are unchanged too


@_vectorize_node.register(EqualSizes)  # type: ignore[untyped-decorator]  # PyTensor's types are skipped
def vectorize_equal_sizes(op: EqualSizes, node: Apply, x: Any, y: Any) -> Apply:
    """Check stacked operands: the new axes come before those of the dims."""
    x_new, y_new = (
        new.type.ndim - old.type.ndim for new, old in zip((x, y), node.inputs, strict=True)
    )
    axes = [(i + x_new, j + y_new) for i, j in op.axes]
    return EqualSizes(op.dims, axes).make_node(x, y)


class DiscreteDot(Op):  # type: ignore[misc]  # PyTensor's types are skipped
    """The product of two matrices of one integer or bool dtype, computed in that dtype."""

    __props__ = ()
    gufunc_signature = Dot.gufunc_signature
    gufunc_spec = Dot.gufunc_spec

    def make_node(self, x: Any, y: Any) -> Apply:
        """Return a node with one output, a matrix of the same dtype."""
        return Apply(self, [x, y], [x.type.clone(shape=(x.type.shape[0], y.type.shape[1]))()])

    def perform(self, node: Apply, inputs: Sequence[Any], outputs: Sequence[Any]) -> None:
        """Use NumPy's product, which wraps integers, and of bools is `any` of `and`."""
        outputs[0][0] = np.matmul(*inputs)

    def infer_shape(self, *arguments: Any) -> Any:
        """Return the number of rows of x and of columns of y."""
        x_shape, y_shape = arguments[-1]
        return [(x_shape[0], y_shape[1])]

    def pullback(
        self, inputs: Sequence[Any], outputs: Sequence[Any], cotangents: Sequence[Any]
    ) -> list[Any]:
        """Return zeros, PyTensor's gradient with respect to discrete variables."""
        return [operand.zeros_like(dtype="floatX") for operand in inputs]


discrete_matmul = Blockwise(DiscreteDot())
