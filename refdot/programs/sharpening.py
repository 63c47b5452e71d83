"""Sharper bounds for deep programs, from the sensitivity of their outputs to each rounding.

The bounds of `refdot.programs.evaluation` take the absolute value of every factor in every step, so
they grow with the number of dots that follow each other, even where the errors do not. Let ρᵢ be
the bound on the rounding of the result i alone, and Jᵢ the derivative of an output with respect to
that result. To first order, the error of the output is the sum of the roundings times Jᵢ, so

    |answer − reference| ≤ Σᵢ |Jᵢ|·ρᵢ + higher order

(Linnainmaa, *Taylor expansion of the accumulated rounding error*, BIT 16, 1976). The terms of
higher order are smaller by about the size of the bound, relative to the output. So twice the sum is
taken as a bound, where it is at most a thousandth of the output.

The derivatives are those of the gradient program, for all elements of the output at once.
"""

from collections.abc import Mapping
from dataclasses import replace
from math import prod

import numpy as np

from refdot.programs.bounds import ESTIMATORS
from refdot.programs.estimates import Estimate, Precision
from refdot.programs.evaluation import estimate
from refdot.programs.gradients import gradient
from refdot.programs.interpretation import NUMPY, interpret
from refdot.programs.program import Program
from refdot.programs.vectorization import vectorized
from refdot.tensor import Array, NamedTensor

__all__ = ["sharpened"]

_ELEMENT = "element of the output"  # the dim that counts them
_SMALL = 1e-3
_MOST_ELEMENTS = 1000


def sharpened(
    program: Program, values: Mapping[str, NamedTensor], unit: float = 0.0
) -> dict[str, Estimate]:
    """Return estimates of the outputs with sharper bounds, where these are smaller.

    The work is proportional to the number of elements of an output. Outputs of more than a thousand
    elements keep their bounds.

    Parameters
    ----------
    program, values, unit
        As for `estimate`.

    Examples
    --------
    >>> from refdot.programs.case import ProgramCase
    >>> from refdot.programs.named import named_program
    >>> case = ProgramCase(named_program("attention:layers=3"))
    >>> values = case.values(case.program)
    >>> loose = estimate(case.program, values)["loss"]
    >>> sharp = sharpened(case.program, values)["loss"]
    >>> bool(sharp.bound < loose.bound / 1000)
    True
    """
    estimates = estimate(program, values, unit)
    with np.errstate(all="ignore"):
        roundings = _roundings(program, estimates, unit)
        return {
            name: _sharpened(program, name, values, estimates[name], roundings)
            for name in dict.fromkeys(program.outputs)
        }


def _roundings(
    program: Program, estimates: Mapping[str, Estimate], unit: float
) -> dict[str, Array]:
    """Return the bound on the rounding of each result alone, of exact arguments, if it rounds."""
    roundings = {}
    for step in program.steps:
        out = program.types[step.name]
        dtype = np.dtype(out.dtype)
        precision = Precision.of(dtype, unit)
        arguments = [
            replace(each, bound=np.zeros_like(each.bound)).rounded_to(dtype, precision)
            for each in (estimates[name] for name in step.arguments)
        ]
        bound = ESTIMATORS[step.operation](out, precision, *arguments, step.parameter).bound
        if dtype.kind == "f" and bound.any():
            roundings[step.name] = bound
    return roundings


def _sharpened(
    program: Program,
    output: str,
    values: Mapping[str, NamedTensor],
    loose: Estimate,
    roundings: Mapping[str, Array],
) -> Estimate:
    needed = Program(program.inputs, program.steps, (output,)).pruned(keep_inputs=True)
    rounded = [step.name for step in needed.steps if step.name in roundings]
    count = prod(loose.value.shape)
    if not rounded or not 0 < count <= _MOST_ELEMENTS:
        return loose
    derivatives = _derivatives(needed, output, rounded, values, count)
    first_order = np.zeros(count)
    for name, derivative in zip(rounded, derivatives, strict=True):
        axes = tuple(range(1, derivative.ndim))
        first_order = first_order + (np.abs(derivative) * roundings[name]).sum(axis=axes)
    bound = 2 * first_order.reshape(loose.value.shape)
    is_sharper = (bound < loose.bound) & (bound <= _SMALL * np.abs(loose.value).max())
    return replace(loose, bound=np.where(is_sharper, bound, loose.bound))


def _derivatives(
    program: Program,
    output: str,
    names: list[str],
    values: Mapping[str, NamedTensor],
    count: int,
) -> list[Array]:
    """Return the derivatives of the elements of an output with respect to some results."""
    back = gradient(program, output, names)
    together = vectorized(back, _ELEMENT, count)
    cotangent = np.eye(count).reshape(count, *program.types[output].shape)
    arrays = {name: tensor.data for name, tensor in values.items()}
    inputs = {
        name: NamedTensor(
            np.broadcast_to(arrays[name], operand.shape) if name in arrays else cotangent,
            operand.dims,
        )
        for name, operand in together.inputs
    }
    found = interpret(together, inputs, NUMPY)
    return [found[name].data for name in together.outputs]
