"""PyTensor graphs of a case: the dot, its lowering and their gradients."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pytensor.tensor as pt
import pytensor.xtensor
from pytensor.graph.rewriting.utils import rewrite_graph

from refdot.cases.case import DotCase, Operand

__all__ = ["Graph", "build", "gradients", "lower", "operands"]


@dataclass(frozen=True)
class Graph:
    """The graph of a case."""

    inputs: list[Any]  # tensor variables: x and y, or only x if both operands are the same one
    out: Any  # the xtensor variable that `dot` returned


def operands(case: DotCase) -> dict[str, Operand]:
    """Return the operands by name; only x if both are the same variable."""
    return {"x": case.x} if case.same_variable else {"x": case.x, "y": case.y}


def build(case: DotCase) -> Graph:
    """Build the graph of a case; only the sizes that the case marks as static are static."""
    inputs = [
        pt.tensor(name, dtype=operand.dtype, shape=operand.static_shape)
        for name, operand in operands(case).items()
    ]
    x = y = pytensor.xtensor.as_xtensor(inputs[0], dims=case.x.dims)
    if not case.same_variable:
        y = pytensor.xtensor.as_xtensor(inputs[1], dims=case.y.dims)
    if case.call == "operator":
        return Graph(inputs, x @ y)
    if case.call == "method":
        return Graph(inputs, x.dot(y, dim=case.dim.value))
    return Graph(inputs, pytensor.xtensor.dot(x, y, dim=case.dim.value))


def lower(graph: Graph) -> Any:
    """Lower the output of a graph to a tensor, with the lowering that is installed."""
    return rewrite_graph(graph.out.values, include=("lower_xtensor",), clone=True)


def gradients(cotangents: Mapping[Any, Any], operands: Sequence[Any]) -> list[Any]:
    """Pull cotangents, each given with its variable, back to some operands."""
    return list(pytensor.grad(None, operands, known_grads=cotangents, disconnected_inputs="ignore"))
