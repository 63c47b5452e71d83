"""PyTensor graphs of a program: its values as xtensors, their lowering and their gradients."""

import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytensor
import pytensor.tensor as pt
from pytensor.gradient import pushforward
from pytensor.graph.rewriting.utils import rewrite_graph
from pytensor.xtensor import as_xtensor, dot
from pytensor.xtensor.math import exp, softmax
from pytensor.xtensor.vectorization import vectorize_graph

from refdot.cases.case import Operand
from refdot.programs.case import ProgramCase
from refdot.programs.interpretation import interpret
from refdot.programs.operations import result_type
from refdot.programs.program import Program
from refdot.pytensor.target.graph import is_input, variable_of
from refdot.tensor import Array

__all__ = [
    "NOT_ACCEPTED",
    "Derivative",
    "ProgramGraph",
    "build",
    "derivatives",
    "inputs_of",
    "lower",
    "readable",
]

# Layouts that PyTensor does not accept: such operands of programs are copied.
NOT_ACCEPTED = ("unaligned", "byte-swapped")


def _scalar(number: float, dtype: str) -> Any:
    """Return a constant that is a tensor, because only compilation lowers xtensor constants."""
    return as_xtensor(pt.constant(np.asarray(number, dtype)), dims=())


def _isel(x: Any, indices: Sequence[tuple[str, int]]) -> Any:
    return x.isel({dim: _scalar(index, "int64") for dim, index in indices})


def _place(x: Any, like: Any, indices: Sequence[tuple[str, int]]) -> Any:
    zeros = pt.zeros_like(like.values, dtype=x.type.dtype)
    return _isel(as_xtensor(zeros, dims=like.type.dims), indices).set(x)


def _with_number(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """Return an operation with a number, which gets the dtype of the result."""

    def apply(x: Any, number: float) -> Any:
        dtype = result_type(name, [Operand((), (), x.type.dtype)], number).dtype
        return function(x, _scalar(number, dtype))

    return apply


# For each operation of programs, a function of xtensors and the parameter.
_XTENSOR: dict[str, Callable[..., Any]] = {
    "dot": lambda x, y, dim: dot(x, y, dim=dim),
    "add": operator.add,
    "multiply": operator.mul,
    "divide": operator.truediv,
    "negative": operator.neg,
    "exp": exp,
    "power": _with_number("power", operator.pow),
    "scale": _with_number("scale", operator.mul),
    "sum": lambda x, dim: x.sum(dim=dim),
    "softmax": lambda x, dim: softmax(x, dim=dim),
    "transpose": lambda x, dims: x.transpose(*dims),
    "rename": lambda x, names: x.rename(dict(names)),
    "isel": _isel,
    "place": _place,
    "broadcast_like": lambda x, like: x.broadcast_like(like).transpose(*like.type.dims),
}


@dataclass(frozen=True)
class ProgramGraph:
    """The graph of a program.

    Attributes
    ----------
    variables : dict
        For each input, its constant, its shared variable or its tensor variable.
    values : dict
        For each input and each result, its xtensor variable.
    """

    variables: dict[str, Any]
    values: dict[str, Any]


def build(case: ProgramCase) -> ProgramGraph:
    """Build the graph of a program; only the sizes that the program marks as static are static."""
    graph = _built(case)
    return _vectorized(case, graph) if case.built == "vectorized" else graph


def _built(case: ProgramCase) -> ProgramGraph:
    program = case.program
    arrays = case.values(program)

    def variable(name: str, operand: Operand) -> Any:
        return variable_of(name, operand, lambda: readable(arrays[name].data))

    variables = {name: variable(name, operand) for name, operand in program.inputs}
    xtensors = {
        name: as_xtensor(variables[name], dims=operand.dims) for name, operand in program.inputs
    }
    return ProgramGraph(variables, interpret(program, xtensors, _XTENSOR))


def _vectorized(case: ProgramCase, graph: ProgramGraph) -> ProgramGraph:
    """Return the graph with a batch dim in its inputs and, first, in its outputs."""
    inputs = dict(case.computed.program.inputs)
    variables, batched = dict(graph.variables), {}
    for name, variable in graph.variables.items():
        if is_input(variable):
            operand = inputs[name]
            variables[name] = pt.tensor(name, dtype=operand.dtype, shape=operand.static_shape)
            batched[graph.values[name]] = as_xtensor(variables[name], dims=operand.dims)
    outputs = list(dict.fromkeys(case.program.outputs))
    found = vectorize_graph([graph.values[name] for name in outputs], batched)
    types = case.computed.program.types
    values = {
        name: value.transpose(*types[name].dims) for name, value in zip(outputs, found, strict=True)
    }
    return ProgramGraph(variables, values)


def lower(case: ProgramCase, graph: ProgramGraph) -> list[Any]:
    """Lower the outputs of a case to tensors, together, with the lowering that is installed."""
    tensors = [graph.values[name].values for name in case.program.outputs]
    more = ("canonicalize", "stabilize") if case.built == "stabilized" else ()
    return _rewritten(tensors, *more)


def _rewritten(tensors: Sequence[Any], *more: str) -> list[Any]:
    return list(rewrite_graph(tensors, include=("lower_xtensor", *more), clone=True))


@dataclass(frozen=True)
class Derivative:
    """The gradients of a lowered program, of first or second order.

    Attributes
    ----------
    program : Program
        The program that they are.
    cotangents : list
        The variables of the cotangents that they have beside the inputs of the last order.
    outputs : list
        The gradient of each input that has one.
    """

    program: Program
    cotangents: list[Any]
    outputs: list[Any]


def derivatives(case: ProgramCase, graph: ProgramGraph, lowered: Sequence[Any]) -> list[Derivative]:
    """Differentiate the lowered outputs of a case, as often as the case says.

    The loss is the sum of the products of outputs and cotangents. Cotangents in `known_grads` would
    replace, and not add to, the gradient of an output that another output depends on.
    """
    inputs = [graph.variables[name] for name in case.differentiable]
    outputs = dict(zip(case.program.outputs, lowered, strict=True))
    if case.built == "unlowered":
        outputs = {name: graph.values[name].values for name in case.program.outputs}
    sources = [outputs[name] for name in case.differentiated]
    found, count = [], len(case.program.inputs)
    for program in case.derivatives:
        cotangents = [
            pt.tensor(name, dtype=operand.dtype, shape=operand.static_shape)
            for name, operand in program.inputs[count:]
        ]
        if case.is_forward:
            sources = pushforward(
                sources,
                inputs,
                cotangents,
                disconnected_outputs="ignore",
                use_op_pushforward=case.built == "pushforward",
            )
        else:
            loss = sum((x * bar).sum() for x, bar in zip(sources, cotangents, strict=True))
            sources = pytensor.grad(loss, inputs, disconnected_inputs="ignore")
        found.append(Derivative(program, cotangents, sources))
        count = len(program.inputs)
    if case.built == "unlowered":
        found = [replace(each, outputs=_rewritten(each.outputs)) for each in found]
    return found


def inputs_of(graph: ProgramGraph, derivatives: Sequence[Derivative]) -> list[Any]:
    """Return the inputs of a function of a program: those of its graph, then the cotangents."""
    inputs = [variable for variable in graph.variables.values() if is_input(variable)]
    return inputs + [bar for derivative in derivatives for bar in derivative.cotangents]


def readable(array: Array) -> Array:
    """Return an array that PyTensor accepts: aligned, with the bytes in the machine's order."""
    return np.require(array, array.dtype.newbyteorder("="), "A")
