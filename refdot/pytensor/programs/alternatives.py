"""What programs give with the mistakes of known deviations, computed by NumPy.

Each alternative is a function of a case, one of its answers and a replicate that yields arrays. A
known deviation explains a wrong answer if each of its wrong elements is in one of these arrays.
Other mistakes are those of another program, or of operations that round more.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Mapping
from itertools import count
from math import prod
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from refdot.lowering import lower_dot
from refdot.programs.case import ProgramCase
from refdot.programs.findings import Observation
from refdot.programs.interpretation import NUMPY, applied, interpret
from refdot.programs.operations import Parameter
from refdot.programs.program import Program, Step
from refdot.pytensor.programs.answers import Answer, answers_of, estimates_of
from refdot.tensor import Array, NamedTensor

__all__ = [
    "SINGLE_PRECISION",
    "Alternative",
    "integer_factors",
    "is_explained",
    "is_right_with",
    "with_integer_dots_as_floats",
    "with_integer_exponents",
    "with_integer_factors",
    "with_integer_powers",
    "with_products_as_floats",
    "with_promoted_integers",
    "with_scalars_after_dots",
    "with_sums_first",
]

Alternative: TypeAlias = Callable[[ProgramCase, Answer, int], Iterator[Array]]

# The mistakes of the deviations are much larger.
_TOLERANCE = 1e-4
SINGLE_PRECISION = 2.0**-24  # the unit roundoff of float32


def is_explained(
    seen: Observation, alternative: Alternative, integer_tolerance: float = 0.0
) -> bool:
    """Return whether each wrong element of an answer is what an alternative gives.

    Integers have to be equal, unless there is a tolerance, relative to them.
    """
    got, replicate, case = seen.difference.evidence, seen.difference.replicate, seen.case.computed
    if not isinstance(got, np.ndarray):
        return False
    answer = _answer(case, seen.difference.name)
    estimate = estimates_of(case, answer.program, replicate)[answer.output]
    unexplained = estimate.wrong(got)
    with np.errstate(all="ignore"):
        for other in alternative(case, answer, replicate):
            # An answer that is only near the correct one is not what a mistake gives.
            is_near = _is_near(got, other, integer_tolerance)
            unexplained = unexplained & ~(is_near & estimate.wrong(other))
    return not unexplained.any()


def is_right_with(
    seen: Observation,
    change: Callable[[Program], Program] | None = None,
    unit: float = 0.0,
    overflowing: Alternative | None = None,
) -> bool:
    """Return whether an answer that is wrong is right under other conditions.

    Parameters
    ----------
    seen : Observation
        The wrong answer.
    change : callable, optional
        Returns the program to compare the answer with.
    unit : float, optional
        The least unit roundoff of its operations.
    overflowing : callable, optional
        An alternative. The answer may be infinite or NaN where its arrays are.
    """
    got, replicate, case = seen.difference.evidence, seen.difference.replicate, seen.case.computed
    if not isinstance(got, np.ndarray):
        return False
    answer = _answer(case, seen.difference.name)
    program = change(answer.program) if change else answer.program
    with np.errstate(all="ignore"):
        wrong = estimates_of(case, program, replicate, unit)[answer.output].wrong(got)
        for other in overflowing(case, answer, replicate) if overflowing else ():
            wrong = wrong & (np.isfinite(got) | np.isfinite(other))
    return not wrong.any()


def with_sums_first(program: Program) -> Program:
    """Return a program in which a dim of only one operand of a dot is summed before the dot."""
    steps: list[Step] = []
    for step in program.steps:
        if step.operation != "dot":
            steps.append(step)
            continue
        x, y = step.arguments
        lowering = lower_dot(program.types[x].dims, program.types[y].dims, step.parameter)
        arguments = []
        for name, dims in ((x, lowering.x_summed), (y, lowering.y_summed)):
            if dims:
                total = _unused_name(f"{step.name}_{name}", program.types)
                steps.append(Step(total, "sum", (name,), dims))
                name = total
            arguments.append(name)
        steps.append(Step(step.name, "dot", tuple(arguments), lowering.contracted))
    return Program(program.inputs, tuple(steps), program.outputs)


def _unused_name(stem: str, names: Container[str]) -> str:
    return next(name for number in count() if (name := stem + "_" * number) not in names)


def _answer(case: ProgramCase, name: str) -> Answer:
    return next(each for each in answers_of(case) if each.name == name)


def _is_near(got: Array, other: Array, integer_tolerance: float) -> Array:
    if got.dtype.kind != "f":
        wide = got.astype("longdouble"), other.astype("longdouble")
        return np.asarray(np.isclose(*wide, rtol=integer_tolerance, atol=0))
    both_overflow = ~np.isfinite(got) & ~np.isfinite(other)
    return np.asarray(both_overflow | np.isclose(got, other, _TOLERANCE, _TOLERANCE))


def with_integer_powers(case: ProgramCase, answer: Answer, replicate: int) -> Iterator[Array]:
    """Yield the answer with powers of integers computed in integers."""

    def power(x: NamedTensor, exponent: float) -> NamedTensor:
        if x.dtype.kind != "i" or exponent != int(exponent) or exponent < 0:
            return NUMPY["power"](x, exponent)
        return NamedTensor((x.data ** int(exponent)).astype("float64"), x.dims)

    yield _evaluated(answer, case, replicate, NUMPY | {"power": power})


class _Product(NamedTuple):
    """A value with its dtype, and as a product of floats that was never an integer."""

    declared: NamedTensor
    unwrapped: NamedTensor


_NO_PRODUCTS = ("add", "subtract", "sum", "exp", "power", "softmax")


def with_products_as_floats(case: ProgramCase, answer: Answer, replicate: int) -> Iterator[Array]:
    """Yield the answer with products of integers as factors of a product of floats."""

    def operation(name: str) -> Callable[..., _Product]:
        def apply(*arguments: Any) -> _Product:
            operands = [each for each in arguments if isinstance(each, _Product)]
            parameters = arguments[len(operands) :]
            function = NUMPY[name]
            declared = function(*(each.declared for each in operands), *parameters)
            dims = set().union(*(each.declared.dims for each in operands))
            if name in _NO_PRODUCTS or (name == "dot" and {*declared.dims} < dims):
                return _product(declared)
            unwrapped = function(*(each.unwrapped for each in operands), *parameters)
            return _Product(declared if declared.dtype.kind == "i" else unwrapped, unwrapped)

        return apply

    values = case.values(answer.program, replicate)
    given = {name: _product(value) for name, value in values.items()}
    operations = {name: operation(name) for name in NUMPY}
    yield interpret(answer.program, given, operations)[answer.output].declared.data


def _product(declared: NamedTensor) -> _Product:
    return _Product(declared, NamedTensor(declared.data.astype("float64"), declared.dims))


class _Factors(NamedTuple):
    """A value, and the integers and the other numbers that it is the product of."""

    value: NamedTensor
    integers: NamedTensor
    others: NamedTensor


_OF_OTHER_FACTORS = ("scale", "negative")
_OF_ALL_FACTORS = ("multiply", "dot", "transpose", "rename", "isel", "place", "broadcast_like")


def with_integer_factors(case: ProgramCase, answer: Answer, replicate: int) -> Iterator[Array]:
    """Yield the answer with a product of floats in integers if all other factors cancel."""
    values = case.values(answer.program, replicate)
    yield _factors(answer.program, values)[answer.output].value.data


def integer_factors(program: Program, values: Mapping[str, NamedTensor]) -> dict[str, NamedTensor]:
    """Return the product of the integers in each value of a program.

    If the values of integer inputs are given as floats, the products do not wrap around.
    """
    return {name: each.integers for name, each in _factors(program, values).items()}


def with_scalars_after_dots(case: ProgramCase, answer: Answer, replicate: int) -> Iterator[Array]:
    """Yield the answer with dots of scaled integers as scaled dots of integers."""
    values = case.values(answer.program, replicate)
    for dot in (NUMPY["dot"], _dot_as_floats):
        factors = _factors(answer.program, values, NUMPY | {"dot": dot}, scalars_after_dots=True)
        yield factors[answer.output].value.data


def with_integer_dots_as_floats(
    case: ProgramCase, answer: Answer, replicate: int
) -> Iterator[Array]:
    """Yield the answer with dots of integers computed in float64."""
    yield _evaluated(answer, case, replicate, NUMPY | {"dot": _dot_as_floats})


def _dot_as_floats(x: NamedTensor, y: NamedTensor, dim: Parameter) -> NamedTensor:
    exact = NUMPY["dot"](x, y, dim)
    if exact.dtype.kind != "i" or {*x.dims} & {*y.dims} <= {*exact.dims}:
        return exact
    floats = (NamedTensor(each.data.astype("float64"), each.dims) for each in (x, y))
    return NamedTensor(NUMPY["dot"](*floats, dim).data.astype(exact.dtype), exact.dims)


def _factors(
    program: Program,
    values: Mapping[str, NamedTensor],
    operations: Mapping[str, Callable[..., NamedTensor]] = NUMPY,
    scalars_after_dots: bool = False,
) -> dict[str, _Factors]:
    types = program.types
    found = {name: _factor(value, types[name].dtype) for name, value in values.items()}
    for step in program.steps:
        operands, dtype = [found[name] for name in step.arguments], types[step.name].dtype
        value = applied(step, [each.value for each in operands], operations)
        sums = step.operation == "dot" and {*value.dims} < {
            dim for each in operands for dim in each.value.dims
        }
        if np.dtype(dtype).kind == "i":
            found[step.name] = _factor(value, dtype)
        elif sums and scalars_after_dots and all(map(_is_scaled, operands)):
            found[step.name] = _scaled_dot(step, operands, operations)
        elif sums or step.operation not in _OF_OTHER_FACTORS + _OF_ALL_FACTORS:
            found[step.name] = _factor(value, dtype)
        else:
            integers = operands[0].integers
            if step.operation in _OF_ALL_FACTORS:
                integers = applied(step, [each.integers for each in operands], operations)
            others = applied(step, [each.others for each in operands], operations)
            found[step.name] = _product_of(value, integers, others)
    return found


def _factor(value: NamedTensor, dtype: str) -> _Factors:
    """Return a value of a dtype as a product of itself alone."""
    if np.dtype(dtype).kind == "i":
        return _Factors(value, value, NamedTensor(np.ones(value.shape), value.dims))
    return _Factors(value, NamedTensor(np.ones(value.shape, "int8"), value.dims), value)


def _product_of(value: NamedTensor, integers: NamedTensor, others: NamedTensor) -> _Factors:
    """Return a product of floats, which is one of integers if all other factors cancel."""
    if (others.data == 1).all():
        value = NUMPY["multiply"](integers, others)
    return _Factors(value, integers, others)


def _is_scaled(factors: _Factors) -> bool:
    """Return whether all integers of a product have the same factor."""
    return np.unique(factors.others.data).size == 1


def _scaled_dot(
    step: Step, operands: list[_Factors], operations: Mapping[str, Callable[..., NamedTensor]]
) -> _Factors:
    """Return the dot of the integers in both operands, times the factors of both."""
    integers = applied(step, [each.integers for each in operands], operations)
    factor = prod(each.others.data.flat[0] for each in operands)
    others = NamedTensor(np.full(integers.shape, factor), integers.dims)
    return _Factors(NUMPY["multiply"](integers, others), integers, others)


def with_integer_exponents(case: ProgramCase, answer: Answer, replicate: int) -> Iterator[Array]:
    """Yield the answer with softmax of integers less their maximum, subtracted in integers."""

    def softmax(x: NamedTensor, dim: Parameter) -> NamedTensor:
        if x.dtype.kind != "i":
            return NUMPY["softmax"](x, dim)
        axes = tuple(map(x.dims.index, x.dims if dim is None else dim))
        largest = x.data.max(axis=axes, keepdims=True, initial=np.iinfo(x.dtype).min)
        powers = np.exp((x.data - largest).astype("float64"))
        return NamedTensor(powers / powers.sum(axis=axes, keepdims=True), x.dims)

    yield _evaluated(answer, case, replicate, NUMPY | {"softmax": softmax})


def with_promoted_integers(case: ProgramCase, answer: Answer, replicate: int) -> Iterator[Array]:
    """Yield the answer with integers converted to float32 beside a float32, as on JAX."""

    def promoted(function: Callable[..., NamedTensor]) -> Callable[..., NamedTensor]:
        def apply(*arguments: Any) -> NamedTensor:
            operands = [each for each in arguments if isinstance(each, NamedTensor)]
            if any(each.dtype == "float32" for each in operands):
                operands = [
                    NamedTensor(each.data.astype("float32"), each.dims)
                    if each.dtype.kind == "i"
                    else each
                    for each in operands
                ]
            return function(*operands, *arguments[len(operands) :])

        return apply

    operations = {name: promoted(function) for name, function in NUMPY.items()}
    values = case.values(answer.program, replicate)
    yield interpret(with_sums_first(answer.program), values, operations)[answer.output].data


def _evaluated(
    answer: Answer,
    case: ProgramCase,
    replicate: int,
    operations: Mapping[str, Callable[..., NamedTensor]] = NUMPY,
) -> Array:
    values = case.values(answer.program, replicate)
    return interpret(answer.program, values, operations)[answer.output].data
