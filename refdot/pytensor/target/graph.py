"""PyTensor graphs of a case: the dot, its lowering and their gradients."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pytensor.tensor as pt
import pytensor.xtensor
from pytensor.graph.rewriting.utils import rewrite_graph

from refdot.cases.case import DotCase, Operand

__all__ = ["Graph", "build", "first_gradients", "lower", "operands", "second_gradients"]


@dataclass(frozen=True)
class Graph:
    """The graph of a case.

    Attributes
    ----------
    inputs : list of variables
        Tensors without dim names: x and y, or only x if both operands are the same variable.
    out : variable
        The xtensor that `dot` returned.
    """

    inputs: list[Any]
    out: Any


def operands(case: DotCase) -> dict[str, Operand]:
    """Return the operands by name; only x if both are the same variable."""
    return {"x": case.x} if case.same_variable else {"x": case.x, "y": case.y}


def build(case: DotCase) -> Graph:
    """Build the graph of a case; only the sizes that the case marks as static are static."""
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
    """Lower the output of a graph to a tensor, with the lowering that is installed."""
    return rewrite_graph(graph.out.values, include=("lower_xtensor",), clone=True)


def first_gradients(lowered: Any, operands: Sequence[Any], cotangent: Any) -> list[Any]:
    """Differentiate a lowered dot with respect to some operands."""
    return _gradients({lowered: cotangent}, operands)


def second_gradients(
    gradients: Sequence[Any], operands: Sequence[Any], tangents: Sequence[Any]
) -> list[Any]:
    """Differentiate the first gradients again, each with its own tangent."""
    return _gradients(dict(zip(gradients, tangents, strict=True)), operands)


def _gradients(cotangents: dict[Any, Any], operands: Sequence[Any]) -> list[Any]:
    return list(
        pytensor.grad(None, list(operands), known_grads=cotangents, disconnected_inputs="ignore")
    )
