"""A dot as one operation on tensors, and its derivatives.

A graph of reshapes to sizes that are not static takes PyTensor long to rewrite, since each of its
early rewrites walks the graph of these sizes. A `Contraction` has no reshapes, and reads its shape
off its inputs. `refdot.pytensor.lowerings.expansion` replaces it late by products of matrices.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytensor.tensor as pt
from pytensor.configdefaults import config
from pytensor.gradient import DisconnectedType, disconnected_type
from pytensor.graph.basic import Apply
from pytensor.graph.op import Op
from pytensor.graph.replace import _vectorize_node
from pytensor.scalar import upcast
from pytensor.tensor.type import complex_dtypes, discrete_dtypes

from refdot.lowering import Lowering, lower, symbols
from refdot.readings import evaluate

__all__ = ["Contraction"]


class Contraction(Op):  # type: ignore[misc]  # PyTensor's types are skipped
    """The product of two tensors, summed over axes.

    Parameters
    ----------
    subscripts : str
        The axes of x, y and the output, with a letter for each axis, as in an einsum. Contractions
        with the same subscripts are equal, whatever the names of their dims were (R10).

    Examples
    --------
    >>> x, y = pt.tensor("x", shape=(None, 3)), pt.tensor("y", shape=(3, 5))
    >>> Contraction("ab,bc->ac")(x, y).type.shape
    (None, 5)
    """

    __props__ = ("subscripts",)

    def __init__(self, subscripts: str) -> None:
        self.subscripts = subscripts
        operands, self.out = subscripts.split("->")
        self.x, self.y = operands.split(",")

    @property
    def lowering(self) -> Lowering:
        """The lowering whose dims are the letters; its output may have them in another order."""
        return lower(tuple(self.x), tuple(self.y), frozenset(self.x + self.y).difference(self.out))

    @property
    def out_order(self) -> list[int]:
        """The axes of the lowering's output in the order of this one's."""
        return [self.lowering.out_dims.index(letter) for letter in self.out]

    def make_node(self, x: Any, y: Any) -> Apply:
        """Return a node whose output has the static sizes of either operand."""
        x, y = map(pt.as_tensor_variable, (x, y))
        shape = self._out_shape(x, y, x.type.shape, y.type.shape)
        return Apply(self, [x, y], [pt.tensor(dtype=upcast(x.dtype, y.dtype), shape=shape)])

    def infer_shape(self, *arguments: Any) -> Any:
        """Return the size of each axis in the operand that knows it, by preference in x."""
        *_, node, (x_shape, y_shape) = arguments  # only older versions pass the graph first
        x, y = node.inputs
        return [self._out_shape(x, y, x_shape, y_shape)]

    def _out_shape(self, x: Any, y: Any, x_shape: Any, y_shape: Any) -> tuple[Any, ...]:
        sizes = dict(zip(self.y, y_shape, strict=True))
        static = dict(zip(self.y, y.type.shape, strict=True))
        for letter, size, own in zip(self.x, x_shape, x.type.shape, strict=True):
            if own is not None or static.get(letter) is None:
                sizes[letter] = size
        return tuple(sizes[letter] for letter in self.out)

    def perform(self, node: Apply, inputs: Sequence[Any], outputs: Sequence[Any]) -> None:
        """Evaluate the lowering as the oracle does, in a mode that does not expand it."""
        x, y = inputs
        outputs[0][0] = np.asarray(evaluate(self.lowering, x, y).transpose(self.out_order))

    def pullback(
        self, inputs: Sequence[Any], outputs: Sequence[Any], cotangents: Sequence[Any]
    ) -> list[Any]:
        """Return the cotangent of each operand: a contraction with the other operand (R8)."""
        (x, y), (cotangent,) = inputs, cotangents
        return [
            _pull_back(cotangent, self.out, y, self.y, x, self.x),
            _pull_back(cotangent, self.out, x, self.x, y, self.y),
        ]

    def pushforward(
        self, inputs: Sequence[Any], outputs: Sequence[Any], tangents: Sequence[Any]
    ) -> list[Any]:
        """Return the tangent of the output, since a contraction is bilinear (R8)."""
        (x, y), (x_dot, y_dot) = inputs, tangents
        terms = [self(x_dot, y)] if not isinstance(x_dot.type, DisconnectedType) else []
        terms += [self(x, y_dot)] if not isinstance(y_dot.type, DisconnectedType) else []
        return [sum(terms[1:], start=terms[0]) if terms else disconnected_type()]


def _pull_back(cotangent: Any, out: str, other: Any, others: str, operand: Any, own: str) -> Any:
    """Return the cotangent of an operand, with its axes, sizes and dtype."""
    if operand.dtype in discrete_dtypes:
        return operand.zeros_like(dtype=config.floatX)
    kept = "".join(letter for letter in own if letter in out + others)
    product = Contraction(_relettered(out, others, kept))(cotangent, other)
    if operand.dtype not in complex_dtypes and product.dtype in complex_dtypes:
        product = product.real
    product = product.astype(operand.dtype)
    if kept == own:
        return product
    # An axis that was summed over alone has the same cotangent everywhere.
    order = [kept.index(letter) if letter in kept else "x" for letter in own]
    return pt.second(operand, product.dimshuffle(order))


def _relettered(x: str, y: str, out: str) -> str:
    """Return subscripts with the letters a, b, c, … in the order of their first use."""
    used = dict.fromkeys(x + y)
    table = str.maketrans(dict(zip(used, symbols(len(used)), strict=True)))
    return f"{x},{y}->{out}".translate(table)


@_vectorize_node.register(Contraction)  # type: ignore[untyped-decorator]  # as above
def vectorize_contraction(op: Contraction, node: Apply, x: Any, y: Any) -> Apply:
    """Contract stacked operands: their new axes are batch axes, before the others."""
    x_new, y_new = (
        new.type.ndim - old.type.ndim for new, old in zip((x, y), node.inputs, strict=True)
    )
    count = max(x_new, y_new)
    new = symbols(len({*op.x, *op.y}) + count)[-count:] if count else ""
    stacked = []
    for tensor, own, added in ((x, op.x, x_new), (y, op.y, y_new)):
        # An axis of size 1 is broadcast against the other operand's, as everywhere in PyTensor.
        ones = [axis for axis in range(added) if tensor.type.shape[axis] == 1]
        letters = "".join(
            letter for axis, letter in enumerate(new[count - added :]) if axis not in ones
        )
        stacked.append((tensor.squeeze(ones) if ones else tensor, letters + own))
    (x, x_letters), (y, y_letters) = stacked
    missing = [letter for letter in new if letter not in x_letters + y_letters]
    present = "".join(letter for letter in new if letter not in missing)
    product = Contraction(_relettered(x_letters, y_letters, present + op.out))(x, y)
    if missing:
        product = pt.expand_dims(product, [new.index(letter) for letter in missing])
    return product.owner
