"""Implementations of programs, in several arithmetics: all of them are correct.

Each is a class whose methods combine arrays; `run` aligns them by name. `Exact` computes with 50
digits. The others round as a dtype does, by different formulas and in different orders.
"""

from __future__ import annotations

import mpmath
import numpy as np

from refdot.lowering import lower_dot
from refdot.programs.operations import dims_of
from refdot.programs.program import Program, Step
from refdot.tensor import NamedTensor

__all__ = ["Exact", "Perturbed", "Plain", "Rearranged", "Unstable", "aligned", "run"]

CONTEXT = mpmath.MPContext()
CONTEXT.dps = 50


class Plain:
    """The arithmetic of NumPy: the formulas that come to mind first."""

    def number(self, array, dtype):
        return array.astype(dtype)

    def constant(self, factor, dtype):
        return np.asarray(factor, dtype)

    def add(self, x, y):
        return x + y

    def multiply(self, x, y):
        return x * y

    def divide(self, x, y):
        return x / y

    def exp(self, x):
        return np.exp(x)

    def power(self, x, exponent):
        return x ** x.dtype.type(exponent)

    def scale(self, x, factor):
        return x * self.constant(factor, x.dtype)

    def total(self, x, axis):
        return np.asarray(x.sum(axis=axis, dtype=x.dtype))

    def softmax(self, x, axis):
        powers = self.exp(x - x.max(axis=axis, keepdims=True, initial=-np.inf))
        return self.divide(powers, np.expand_dims(self.total(powers, axis), axis))


class Rearranged(Plain):
    """Other formulas: reciprocals, powers of 2, sums from the end, one term after the other."""

    def divide(self, x, y):
        return x * (1 / y)

    def exp(self, x):
        return np.exp2(x * x.dtype.type(1 / np.log(2)))

    def power(self, x, exponent):
        if exponent == -0.5:
            return 1 / np.sqrt(x)
        if exponent == int(exponent):
            result = x
            for _ in range(abs(int(exponent)) - 1):
                result = result * x
            return 1 / result if exponent < 0 else result
        return super().power(x, exponent)

    def scale(self, x, factor):
        if factor == 0 or x.dtype.kind != "f":
            return super().scale(x, factor)
        return x / (1 / self.constant(factor, x.dtype))

    def total(self, x, axis):
        moved = np.moveaxis(x, axis, range(len(axis)))
        kept = moved.shape[len(axis) :]
        flat = moved.reshape(int(np.prod(moved.shape[: len(axis)])), *kept)
        total = np.zeros(flat.shape[1:], x.dtype)
        for number, row in enumerate(flat[::-1]):
            total = total + row if number else row
        return np.asarray(total)

    def softmax(self, x, axis):
        """Return exp(x − log Σ exp(x)), which compilers prefer."""
        largest = x.max(axis=axis, keepdims=True, initial=-np.inf)
        total = np.expand_dims(self.total(self.exp(x - largest), axis), axis)
        return self.exp(x - (largest + np.log(total)))


class Unstable(Plain):
    """Softmax by its definition, which is correct as long as exp does not overflow."""

    def softmax(self, x, axis):
        powers = self.exp(x)
        return self.divide(powers, np.expand_dims(self.total(powers, axis), axis))


class Exact(Plain):
    """Numbers of 50 digits."""

    def number(self, array, dtype):
        if array.dtype == object or np.dtype(dtype).kind == "i":
            return array
        return _each(lambda number: CONTEXT.mpf(number.item()), array)

    def constant(self, factor, dtype):
        return factor if np.dtype(dtype).kind == "i" else CONTEXT.mpf(factor)

    def divide(self, x, y):
        return x * self.power(y, -1)

    def exp(self, x):
        # Infinite from where the digits of the exponent would be too many.
        return _each(lambda number: CONTEXT.exp(number) if number < 1e6 else CONTEXT.inf, x)

    def power(self, x, exponent):
        at_zero = CONTEXT.mpf(0) if exponent > 0 else CONTEXT.nan
        return _each(lambda number: CONTEXT.power(number, exponent) if number else at_zero, x)

    def total(self, x, axis):
        return np.asarray(x.sum(axis=axis))

    def softmax(self, x, axis):
        if not x.size:
            return x
        powers = self.exp(x - x.max(axis=axis, keepdims=True))
        return powers / powers.sum(axis=axis, keepdims=True)


def _each(function, array):
    numbers = [function(number) for number in np.asarray(array).flat]
    return np.array(numbers, object).reshape(np.shape(array))


class Perturbed(Plain):
    """The largest possible rounding errors, of random signs, in a wide arithmetic.

    A sum is computed exactly, and then off by as much as one rounding.
    """

    def __init__(self, unit: float, seed: int) -> None:
        self.unit, self.random = np.longdouble(unit), np.random.default_rng(seed)

    def rounded(self, x, roundings=1.0):
        if x.dtype.kind != "f":
            return x
        signs = self.random.choice([-1.0, 1.0], x.shape)
        is_exact = x == x.astype(np.float64)
        return np.where(is_exact, x, x * (1 + signs * roundings * self.unit))

    def number(self, array, dtype):
        return array.astype(np.longdouble if np.dtype(dtype).kind == "f" else dtype)

    def add(self, x, y):
        return self.rounded(x + y)

    def multiply(self, x, y):
        return self.rounded(x * y)

    def divide(self, x, y):
        return self.rounded(self.rounded(x / y))

    def exp(self, x):
        return self.rounded(np.exp(self.rounded(x)), 8)

    def power(self, x, exponent):
        return self.rounded(super().power(x, exponent), 8)

    def scale(self, x, factor):
        is_power = abs(np.frexp(factor)[0]) == 0.5
        return self.rounded(super().scale(x, factor), 0 if is_power else 3)

    def total(self, x, axis):
        for _ in range(int(np.prod([x.shape[each] for each in axis])) - 1):
            x = self.rounded(x)
        return super().total(x, axis)


def run(program: Program, values: dict[str, NamedTensor], arithmetic: Plain) -> dict[str, object]:
    """Return the array of every value of a program."""
    arrays: dict[str, np.ndarray] = {}
    for name, operand in program.inputs:
        arrays[name] = arithmetic.number(values[name].data, operand.dtype)
    with np.errstate(all="ignore"):
        for step in program.steps:
            arrays[step.name] = _step(program, step, arrays, arithmetic)
    return arrays


def _step(program: Program, step: Step, arrays, arithmetic):
    out, parameter = program.types[step.name], step.parameter
    x, *others = (
        NamedTensor(arithmetic.number(arrays[name], out.dtype), program.types[name].dims)
        for name in step.arguments
    )
    match step.operation:
        case "transpose":
            return x.transpose(*parameter).data
        case "rename" | "isel":
            return getattr(x, step.operation)(**dict(parameter)).data
        case "negative":
            result = -x.data
        case "scale" | "power":
            result = getattr(arithmetic, step.operation)(x.data, parameter)
        case "exp":
            result = arithmetic.exp(x.data)
        case "sum" | "softmax":
            axes = tuple(map(x.dims.index, dims_of(program.types[step.arguments[0]], parameter)))
            method = arithmetic.total if step.operation == "sum" else arithmetic.softmax
            result = method(x.data, axes)
        case "place":
            result = np.zeros(out.shape, x.dtype)
            result[tuple(dict(parameter).get(dim, slice(None)) for dim in out.dims)] = x.data
        case "broadcast_like":
            result = np.broadcast_to(aligned(x, out.dims), out.shape)
        case "dot":
            dims = lower_dot(x.dims, others[0].dims, parameter).all_dims
            product = np.asarray(arithmetic.multiply(aligned(x, dims), aligned(others[0], dims)))
            summed = tuple(axis for axis, dim in enumerate(dims) if dim not in out.dims)
            result = arithmetic.total(product, summed)
        case "subtract":
            y = NamedTensor(-others[0].data, others[0].dims)
            result = arithmetic.add(aligned(x, out.dims), aligned(y, out.dims))
        case operation:
            method = getattr(arithmetic, operation)
            result = method(aligned(x, out.dims), aligned(others[0], out.dims))
    return np.asarray(result)


def aligned(tensor: NamedTensor, dims: tuple[str, ...]):
    """Return the array of a tensor with its axes in the order of `dims`."""
    order = [tensor.dims.index(dim) for dim in dims if dim in tensor.dims]
    absent = tuple(axis for axis, dim in enumerate(dims) if dim not in tensor.dims)
    return np.expand_dims(tensor.data.transpose(order), absent)
