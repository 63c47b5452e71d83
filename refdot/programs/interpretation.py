"""Programs run step by step with the operations of a library; NumPy's are here."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, TypeVar

import numpy as np

from refdot.evaluation import dot
from refdot.programs.operations import OPERATIONS, Parameter
from refdot.programs.program import Program, Step
from refdot.tensor import Array, NamedTensor

__all__ = ["NUMPY", "applied", "interpret"]

_T = TypeVar("_T")


def interpret(
    program: Program, values: Mapping[str, _T], operations: Mapping[str, Callable[..., _T]]
) -> dict[str, _T]:
    """Return every value of a program, computed by functions that operate on its values.

    Parameters
    ----------
    program : Program
    values : mapping of str to object
        The value of each input, an array with named dims of any library.
    operations : mapping of str to callable
        For each operation of the program, a function of its operands and, if it has one, of its
        parameter.

    Examples
    --------
    >>> from refdot.programs.notation import program
    >>> square = program('''
    ... x: int64(a: 2)
    ... y = dot(x, x)
    ... z = scale(y, 10)
    ... return z
    ... ''')
    >>> interpret(square, {"x": NamedTensor([1, 2], "a")}, NUMPY)["z"]
    NamedTensor(int64)
    50
    """
    found = dict(values)
    for step in program.steps:
        operands = [found[name] for name in step.arguments]
        found[step.name] = applied(step, operands, operations)
    return found


def applied(step: Step, operands: Iterable[_T], operations: Mapping[str, Callable[..., _T]]) -> _T:
    """Return the result of a step for some operands.

    Examples
    --------
    >>> from refdot.programs.notation import step
    >>> applied(step("y = scale(x, 10)"), [NamedTensor([1, 2], "a")], NUMPY).data
    array([10, 20])
    """
    parameters = [step.parameter] if OPERATIONS[step.operation].parameter else []
    return operations[step.operation](*operands, *parameters)


def _elementwise(function: Callable[..., Any], x: NamedTensor, y: NamedTensor) -> NamedTensor:
    dims = tuple(dict.fromkeys(x.dims + y.dims))
    return NamedTensor.trusted(np.asarray(function(_along(x, dims), _along(y, dims))), dims)


def _along(tensor: NamedTensor, dims: tuple[str, ...]) -> Array:
    """Return the array of a tensor with its axes in the order of `dims`, and size 1 for others."""
    order = [tensor.dims.index(dim) for dim in dims if dim in tensor.dims]
    absent = tuple(axis for axis, dim in enumerate(dims) if dim not in tensor.dims)
    return np.expand_dims(tensor.data.transpose(order), absent)


def _mapped(function: Callable[..., Any], x: NamedTensor, *parameters: float) -> NamedTensor:
    return NamedTensor.trusted(np.asarray(function(x.data, *parameters)), x.dims)


def _sum(x: NamedTensor, dim: Parameter) -> NamedTensor:
    return x.sum(*x.dims if dim is None else dim) if dim != () else x


def _softmax(x: NamedTensor, dim: Parameter) -> NamedTensor:
    axes = tuple(map(x.dims.index, x.dims if dim is None else dim))
    data = x.data.astype(np.result_type(x.dtype, "float32"), copy=False)  # integers have no -inf
    powers = np.exp(data - data.max(axis=axes, keepdims=True, initial=-np.inf))
    return NamedTensor.trusted(powers / powers.sum(axis=axes, keepdims=True), x.dims)


def _place(x: NamedTensor, like: NamedTensor, indices: Parameter) -> NamedTensor:
    zeros = np.zeros(like.shape, x.dtype)
    zeros[tuple(dict(indices).get(dim, slice(None)) for dim in like.dims)] = x.data
    return NamedTensor.trusted(zeros, like.dims)


def _broadcast_like(x: NamedTensor, like: NamedTensor) -> NamedTensor:
    return NamedTensor.trusted(np.broadcast_to(_along(x, like.dims), like.shape), like.dims)


NUMPY: dict[str, Callable[..., NamedTensor]] = {
    "dot": dot,
    "add": partial(_elementwise, np.add),
    "subtract": partial(_elementwise, np.subtract),
    "multiply": partial(_elementwise, np.multiply),
    "divide": partial(_elementwise, np.divide),
    "negative": partial(_mapped, np.negative),
    "exp": partial(_mapped, np.exp),
    "power": partial(_mapped, lambda array, exponent: array ** float(exponent)),
    "scale": partial(_mapped, lambda array, factor: array * factor),
    "sum": _sum,
    "softmax": _softmax,
    "transpose": lambda x, dims: x.transpose(*dims),
    "rename": lambda x, names: x.rename(**dict(names)),
    "isel": lambda x, indices: x.isel(**dict(indices)),
    "place": _place,
    "broadcast_like": _broadcast_like,
}
