"""PyTensor graphs of a program: its values as xtensors, their lowering and their gradients."""

import operator
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytensor
import pytensor.tensor as pt
from pytensor.compile.sharedvalue import SharedVariable
from pytensor.gradient import pushforward
from pytensor.graph.replace import vectorize_graph as vectorize_tensors
from pytensor.graph.rewriting.utils import rewrite_graph
from pytensor.xtensor import as_xtensor, dot, xtensor
from pytensor.xtensor.math import exp, softmax
from pytensor.xtensor.type import XTensorVariable, xtensor_shared
from pytensor.xtensor.vectorization import vectorize_graph

from refdot.cases.case import Operand
from refdot.programs.case import BATCH_DIM, VECTORIZED_BUILDS, ProgramCase
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
    "build_with",
    "derivatives",
    "dims_with_batch",
    "inputs_of",
    "lower",
    "number_beside",
    "readable",
    "set_shared_value",
]

# Layouts that PyTensor does not accept: such operands of programs are copied.
NOT_ACCEPTED = ("unaligned", "byte-swapped")


def _scalar(number: Any) -> Any:
    """Return a constant that is a tensor, because only compilation lowers xtensor constants."""
    return as_xtensor(pt.constant(number), dims=())


def _isel(x: Any, indices: Sequence[tuple[str, int]]) -> Any:
    return x.isel({dim: _scalar(np.int64(index)) for dim, index in indices})


def _place(x: Any, like: Any, indices: Sequence[tuple[str, int]]) -> Any:
    zeros = pt.zeros_like(like.values, dtype=x.type.dtype)
    return _isel(as_xtensor(zeros, dims=like.type.dims), indices).set(x)


def _with_number(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """Return an operation with a number."""

    def apply(x: Any, number: float) -> Any:
        return function(x, _scalar(number_beside(x.type.dtype, name, number)))

    return apply


def number_beside(dtype: str, operation: str, number: float) -> Any:
    """Return a number as users write it in an operation with a value of a dtype.

    PyTensor gives a Python number the smallest dtype that holds it. Many numbers would make a
    float32 result a float64, and an integer exponent would make a power of integers an integer.
    Where `config.floatX` is float32, it rounds Python floats to that dtype, also beside float64.
    """
    result = result_type(operation, [Operand((), (), dtype)], number).dtype
    if result == "float32" or pytensor.config.floatX != "float64":
        return np.dtype(result).type(number)
    return number if result == dtype else float(number)


# For each operation of programs, a function of xtensors and the parameter.
_XTENSOR: dict[str, Callable[..., Any]] = {
    "dot": lambda x, y, dim: dot(x, y, dim=dim),
    "add": operator.add,
    "subtract": operator.sub,
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
    graph = build_with(case, case.program.inputs)
    if case.built in VECTORIZED_BUILDS:
        return _vectorized(case, graph)
    return graph


def build_with(case: ProgramCase, inputs: Sequence[tuple[str, Operand]]) -> ProgramGraph:
    """Build the graph of a program with inputs whose sizes may be wrong; no batch dim is added."""

    def variable(name: str, operand: Operand, number: int) -> Any:
        kind = _xtensor_of if case.built == "xtensors" else variable_of
        return kind(name, operand, lambda: readable(case.array(number, operand)))

    variables = {
        name: variable(name, operand, number) for number, (name, operand) in enumerate(inputs)
    }
    xtensors = {
        name: variables[name]
        if isinstance(variables[name], XTensorVariable)
        else as_xtensor(variables[name], dims=operand.dims)
        for name, operand in inputs
    }
    return ProgramGraph(variables, interpret(case.program, xtensors, _XTENSOR))


def _xtensor_of(name: str, operand: Operand, values: Callable[[], Array]) -> Any:
    """Return an operand's xtensor variable; `values` gives the numbers that it may need."""
    if operand.origin == "input":
        shape = operand.static_shape
        return xtensor(name, dims=operand.dims, shape=shape, dtype=operand.dtype)
    if operand.origin == "constant":
        return as_xtensor(values(), dims=operand.dims, name=name)
    with _overwritten_later(values()) as array:
        shape = operand.static_shape
        return xtensor_shared(array, name=name, dims=operand.dims, shape=shape)


def set_shared_value(variable: SharedVariable, array: Array) -> None:
    """Set the value of a shared variable.

    A tensor reads the memory of the array, so that its layout is judged. An xtensor has to copy it.
    """
    if isinstance(variable, XTensorVariable):
        with _overwritten_later(array) as copy:
            variable.set_value(copy)
    else:
        variable.set_value(array, borrow=True)


@contextmanager
def _overwritten_later(array: Array) -> Iterator[Array]:
    """Yield a copy of an array, and overwrite it afterwards, as users may do with their arrays."""
    copy = array.copy()
    yield copy
    copy[...] = 0


def _vectorized(case: ProgramCase, graph: ProgramGraph) -> ProgramGraph:
    """Return the graph with a batch dim in its inputs and in its outputs."""
    program = case.computed.program
    variables, batched = dict(graph.variables), {}
    for name, operand in program.inputs:
        if BATCH_DIM in operand.dims:
            variables[name] = pt.tensor(name, dtype=operand.dtype, shape=operand.static_shape)
            batched[name] = as_xtensor(variables[name], dims=operand.dims)
    outputs = {name: graph.values[name] for name in dict.fromkeys(program.outputs)}
    if case.built == "vectorized":
        larger = {graph.values[name]: value for name, value in batched.items()}
        found = vectorize_graph([*outputs.values()], larger)
    else:
        larger = {graph.variables[name]: variables[name] for name in batched}
        tensors = vectorize_tensors(_rewritten([each.values for each in outputs.values()]), larger)
        found = [
            as_xtensor(tensor, dims=dims_with_batch(case, name))
            for name, tensor in zip(outputs, tensors, strict=True)
        ]
    values = {
        name: value.transpose(*program.types[name].dims)
        for name, value in zip(outputs, found, strict=True)
    }
    return ProgramGraph(variables, values)


def dims_with_batch(case: ProgramCase, name: str) -> tuple[str, ...]:
    """Return the dims of an output after a batch dim is added to its tensor, as the first."""
    has_batch = BATCH_DIM in case.computed.program.types[name].dims
    return (BATCH_DIM,) * has_batch + case.program.types[name].dims


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
        The gradient of each value that has one: `ProgramCase.differentiable`.
    """

    program: Program
    cotangents: list[Any]
    outputs: list[Any]


def derivatives(case: ProgramCase, graph: ProgramGraph, lowered: Sequence[Any]) -> list[Derivative]:
    """Differentiate the lowered outputs of a case, as often as the case says.

    The loss is the sum of the products of outputs and cotangents. Cotangents in `known_grads` would
    replace, and not add to, the gradient of an output that another output depends on.
    """
    outputs = dict(zip(case.program.outputs, lowered, strict=True))
    variables = outputs | graph.variables
    inputs = [variables[name] for name in case.differentiable]
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
            if case.built == "xtensors":
                sources = _rewritten([_as_tensor(source) for source in sources])
        found.append(Derivative(program, cotangents, sources))
        count = len(program.inputs)
    if case.built == "unlowered":
        found = [replace(each, outputs=_rewritten(each.outputs)) for each in found]
    return found


def _as_tensor(variable: Any) -> Any:
    """Return the tensor of a variable, which may be an xtensor."""
    return variable.values if isinstance(variable, XTensorVariable) else variable


def inputs_of(graph: ProgramGraph, derivatives: Sequence[Derivative]) -> list[Any]:
    """Return the inputs of a function of a program: those of its graph, then the cotangents."""
    inputs = [variable for variable in graph.variables.values() if is_input(variable)]
    return inputs + [bar for derivative in derivatives for bar in derivative.cotangents]


def readable(array: Array) -> Array:
    """Return an array that PyTensor accepts: aligned, with the bytes in the machine's order."""
    return np.require(array, array.dtype.newbyteorder("="), "A")
