"""A test case of a program as plain data: the program, its numbers and its derivatives."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from refdot.cases.case import REGIMES, Operand
from refdot.programs.estimates import Estimate
from refdot.programs.evaluation import estimate
from refdot.programs.gradients import gradient, pushforward
from refdot.programs.program import Program
from refdot.programs.vectorization import vectorized
from refdot.tensor import Array, NamedTensor

__all__ = [
    "BATCH_DIM",
    "BUILDS",
    "FORWARD_BUILDS",
    "PROGRAM_REGIMES",
    "VECTORIZED_BUILDS",
    "ProgramCase",
]

PROGRAM_REGIMES = {
    "unit": "numbers between -1 and 1",
    **REGIMES,
    "large": "numbers between -1,000 and 1,000: where they are exponents, exp overflows",
}
# How a target makes a graph of a program and its derivatives.
BUILDS = {
    "plain": "the gradient is taken of the lowered graph",
    "stabilized": "the gradient is taken of the lowered graph after canonicalize and stabilize",
    "unlowered": "the gradient is taken before the graph is lowered",
    "xtensors": (
        "inputs, constants and shared variables are xtensors; a call has transposed DataArrays if "
        "xarray is installed"
    ),
    "vectorized": "a batch dim is added to some inputs of a finished graph",
    "vectorized-after-lowering": "a batch dim is added to some inputs of the lowered graph",
    "forward": "tangents of the inputs are pushed forward, by two pullbacks",
    "pushforward": "tangents of the inputs are pushed through each operation",
    "intermediates": (
        "the first gradient of the lowered graph is also taken with respect to outputs that others "
        "use"
    ),
}
VECTORIZED_BUILDS = ("vectorized", "vectorized-after-lowering")
# Those that have tangents, of first order, in place of gradients.
FORWARD_BUILDS = ("forward", "pushforward")
# No other dim has this name.
BATCH_DIM = "batch_of_all"
_BATCH_SIZE = 2
# The result of these may be the same variable as the argument, after lowering.
_VIEWS = ("rename", "transpose")


@dataclass(frozen=True)
class ProgramCase:
    """A test case: a program, and which of its derivatives to compute.

    Attributes
    ----------
    regime : str
        The kind of numbers in the inputs, one of `PROGRAM_REGIMES`.
    seed : int
        The seed of these numbers.
    gradient_order : int
        The highest order of derivatives to compute: 0, 1 or 2.
    built : str
        How the graph is made, one of `BUILDS`.
    has_wrong_sizes : bool
        Whether to compute the program with sizes that break R4 too, which must raise errors.

    Examples
    --------
    >>> from refdot.programs.notation import program
    >>> case = ProgramCase(program('''
    ... x: float64(a: 2?, b: 3?)
    ... y = dot(x, x, dim="a")
    ... return y
    ... '''), seed=3, gradient_order=1)
    >>> print(case)
    x: float64(a: 2?, b: 3?)
    y = dot(x, x, dim='a')
    return y  [seed 3, gradient]
    >>> first, = case.derivatives
    >>> [name for name, _ in first.inputs], case.differentiable
    (['x', 'y_bar'], ('x',))
    """

    program: Program
    regime: str = "unit"
    seed: int = 0
    gradient_order: int = 0
    built: str = "plain"
    has_wrong_sizes: bool = False

    def __str__(self) -> str:
        notes = [
            "" if self.regime == "unit" else self.regime,
            f"seed {self.seed}" if self.seed else "",
            ["", "gradient", "second gradient"][self.gradient_order],
            "" if self.built == "plain" else self.built,
            "wrong sizes" if self.has_wrong_sizes else "",
        ]
        suffix = f"  [{', '.join(filter(None, notes))}]" if any(notes) else ""
        return f"{self.program}{suffix}"

    @property
    def differentiable(self) -> tuple[str, ...]:
        """The values that have a gradient: floating-point inputs that are no constants.

        With "intermediates", these are followed by the floating-point outputs that other steps use,
        except those that may share a variable with another value.
        """
        inputs = tuple(
            name
            for name, operand in self.program.inputs
            if np.dtype(operand.dtype).kind == "f" and operand.origin != "constant"
        )
        if self.built != "intermediates":
            return inputs
        steps = self.program.steps
        used = {argument for step in steps for argument in step.arguments}
        results = {step.name for step in steps if step.operation not in _VIEWS}
        return inputs + tuple(name for name in self.differentiated if name in used & results)

    @property
    def differentiated(self) -> tuple[str, ...]:
        """The outputs that have a gradient: floating-point numbers, each output once."""
        types = self.program.types
        outputs = dict.fromkeys(self.program.outputs)
        return tuple(name for name in outputs if np.dtype(types[name].dtype).kind == "f")

    @cached_property
    def derivatives(self) -> tuple[Program, ...]:
        """The program of the gradients of each order.

        The first pulls a cotangent of each floating-point output back to the differentiable values.
        The second pulls a cotangent of each of these gradients back to them, too. There are none if
        no input or no output has a gradient. In forward mode, there is only the program of the
        tangents of the outputs. With "intermediates", there are only first gradients: a second one
        depends on how the first is written.
        """
        found: list[Program] = []
        if self.is_forward:
            return (pushforward(self.program, self.differentiated, self.differentiable),)
        program, sources = self.program, self.differentiated
        order = min(self.gradient_order, 1 if self.built == "intermediates" else 2)
        for _ in range(order if sources and self.differentiable else 0):
            program = gradient(program, sources, self.differentiable)
            sources = program.outputs
            found.append(program)
        return tuple(found)

    @property
    def is_forward(self) -> bool:
        """Whether tangents of outputs are computed in place of gradients."""
        can_differentiate = self.gradient_order and self.differentiated and self.differentiable
        return self.built in FORWARD_BUILDS and bool(can_differentiate)

    @property
    def computed(self) -> ProgramCase:
        """The case that the graph computes: it has the batch dim that is added.

        Counted from the last input, every second one has the dim. It is the first dim, but with
        "vectorized", every second of these inputs has it last.
        """
        if self.built not in VECTORIZED_BUILDS:
            return self
        inputs = [name for name, operand in self.program.inputs if operand.origin == "input"][::-2]
        last = inputs[1::2] if self.built == "vectorized" else ()
        program = vectorized(self.program, BATCH_DIM, _BATCH_SIZE, inputs, last)
        return replace(self, program=program, built="plain")

    def values(self, program: Program, replicate: int = 0) -> dict[str, NamedTensor]:
        """Return the value of each input of the program or of one of its derivatives.

        Each replicate has different numbers, except in constants. Cotangents are finite.
        """
        return {
            name: NamedTensor(self.array(number, operand, replicate), operand.dims)
            for number, (name, operand) in enumerate(program.inputs)
        }

    def array(self, number: int, operand: Operand, replicate: int = 0) -> Array:
        """Return the numbers of an operand in the place of the input that has this number."""
        is_finite = self.regime in ("exact", "rounding")
        is_input = number < len(self.program.inputs)
        regime = self.regime if is_finite or is_input else "unit"
        return operand.values(regime, self.seed, replicate, number)

    def estimates(
        self, program: Program, replicate: int = 0, unit: float = 0.0
    ) -> dict[str, Estimate]:
        """Return the estimates of the values of the program or of one of its derivatives."""
        return estimate(program, self.values(program, replicate), unit)
