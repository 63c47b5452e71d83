"""From a case to PyTensor's symbolic graphs: the dot, its lowering, and their gradients."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pytensor.tensor as pt
import pytensor.xtensor
from pytensor.graph.rewriting.utils import rewrite_graph

from refdot.cases.case import DotCase

__all__ = ["Graph", "build", "first_gradients", "lower", "second_gradients"]


@dataclass(frozen=True)
class Graph:
    """A case as symbols.

    Attributes
    ----------
    inputs : list of variables
        Tensors, without names of dims: x and y, or x alone where both are one variable.
    out : variable
        The xtensor that `dot` gave.
    """

    inputs: list[Any]
    out: Any


def build(case: DotCase) -> Graph:
    """Build the graph of a case, with just those sizes static that the case says are known."""
    x = pt.tensor("x", dtype=case.x.dtype, shape=case.x.static_shape)
    inputs = [x]
    x_named = pytensor.xtensor.as_xtensor(x, dims=case.x.dims)
    y_named = x_named
    if not case.same_variable:
        y = pt.tensor("y", dtype=case.y.dtype, shape=case.y.static_shape)
        inputs.append(y)
        y_named = pytensor.xtensor.as_xtensor(y, dims=case.y.dims)
    if case.call == "operator":
        return Graph(inputs, x_named @ y_named)
    if case.call == "method":
        return Graph(inputs, x_named.dot(y_named, dim=case.dim.value))
    return Graph(inputs, pytensor.xtensor.dot(x_named, y_named, dim=case.dim.value))


def lower(graph: Graph) -> Any:
    """Lower the output of a graph to a tensor, by the lowering that is installed."""
    return rewrite_graph(graph.out.values, include=("lower_xtensor",), clone=True)


def first_gradients(lowered: Any, operands: Sequence[Any], cotangent: Any) -> list[Any]:
    """Differentiate a lowered dot with respect to some operands."""
    return list(
        pytensor.grad(
            None,
            list(operands),
            known_grads={lowered: cotangent},
            disconnected_inputs="ignore",
        )
    )


def second_gradients(
    gradients: Sequence[Any], operands: Sequence[Any], tangents: Sequence[Any]
) -> list[Any]:
    """Differentiate the first gradients, each paired with a tangent, once more."""
    return list(
        pytensor.grad(
            None,
            list(operands),
            known_grads=dict(zip(gradients, tangents, strict=True)),
            disconnected_inputs="ignore",
        )
    )
