"""Trials: a program is judged again while a part of PyTensor, or what it reads, is changed."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from contextvars import ContextVar
from dataclasses import replace
from functools import cache, partial, reduce
from typing import Any, TypeAlias
from unittest.mock import patch

import numpy as np
import pytensor
from pytensor.scalar.basic import Add, Mul, Pow, Reciprocal, ScalarOp, Sub, TrueDiv, upcast
from pytensor.tensor.basic import cast
from pytensor.tensor.rewriting.math import local_mul_canonizer
from pytensor.tensor.rewriting.special import local_softmax_stabilize
from pytensor.tensor.type import integer_dtypes
from pytensor.xtensor.rewriting.utils import lower_xtensor_db

from refdot.programs.case import ProgramCase
from refdot.programs.findings import Observation, signature
from refdot.programs.judgement import Difference
from refdot.pytensor.lowerings.softmax import lower_elemwise_and_softmax
from refdot.pytensor.programs import graph as graphs
from refdot.pytensor.programs.judge import compiled_outputs, judge_program
from refdot.pytensor.target import PyTensorTarget
from refdot.pytensor.target.configuration import without_rewrites
from refdot.pytensor.target.stages import StageError
from refdot.tensor import Array

__all__ = [
    "Trial",
    "compiled_output",
    "is_gone",
    "judged_again",
    "shared_trials",
    "shares_elements",
    "with_added_tangents",
    "with_added_tangents_and_stable_softmax",
    "with_aligned_softmax",
    "with_constant_exponents",
    "with_converted_factors",
    "with_exact_constants",
    "with_exact_reciprocals",
    "with_python_numbers",
    "with_separate_elements",
    "with_stable_softmax",
    "without",
]


Trial: TypeAlias = Callable[[], AbstractContextManager[Any]]

# What is wrong with a program in a trial; None stands for no trial.
_Shown: TypeAlias = dict[tuple[ProgramCase, Trial | None], tuple[Difference, ...]]
_shown: ContextVar[_Shown | None] = ContextVar("_shown", default=None)


@contextmanager
def shared_trials(case: ProgramCase, differences: tuple[Difference, ...]) -> Iterator[None]:
    """Make each trial of a program only once, for all differences on a backend and a lowering."""
    token = _shown.set({(_without_wrong_sizes(case), None): differences, (case, None): differences})
    try:
        yield
    finally:
        _shown.reset(token)


def _without_wrong_sizes(case: ProgramCase) -> ProgramCase:
    return replace(case, has_wrong_sizes=False)


def is_gone(seen: Observation, target: PyTensorTarget, trial: Trial) -> bool:
    """Return whether a program does not show a difference while PyTensor is changed.

    What it shows then, of another kind or in another replicate, it has to show without the change
    as well, where it has a cause of its own.
    """
    changed = set(map(_place, judged_again(seen, target, trial)))
    if _place(seen.difference) in changed:
        return False
    return changed <= set(map(_place, judged_again(seen, target)))


def judged_again(
    seen: Observation, target: PyTensorTarget, trial: Trial | None = None
) -> tuple[Difference, ...]:
    """Return what is wrong with a program in a trial, or without one.

    Sizes that break R4 are judged only if one of them is what was seen.
    """
    has_sizes = seen.difference.rule == "R4"
    case = seen.case if has_sizes else _without_wrong_sizes(seen.case)
    shown = _shown.get()
    if shown is None:
        shown = {}
    if (case, trial) not in shown:
        changed = trial() if trial else None
        shown[case, trial] = judge_program(target, case, seen.backend, seen.lowering, changed)
    return shown[case, trial]


def _place(difference: Difference) -> tuple[str, int, str]:
    # One input may have several sizes that are accepted.
    kind = difference.got if difference.rule == "R4" else signature(difference)
    return difference.name, difference.replicate, kind


@cache
def without(*names: str) -> Trial:
    """Return the trial that leaves some rewrites out, which is the same one for the same names."""
    return partial(without_rewrites, *names)


def compiled_output(seen: Observation, target: PyTensorTarget) -> Any:
    """Return the variable of an answer in the graph that is compiled without fusion."""
    with without_rewrites("fusion"):
        try:
            outputs = compiled_outputs(target, seen.case, seen.backend, seen.lowering)
        except StageError:  # the gradients fail, so that the values were judged without them
            alone = replace(seen.case, gradient_order=0)
            outputs = compiled_outputs(target, alone, seen.backend, seen.lowering)
    return outputs[seen.difference.name]


@contextmanager
def with_stable_softmax() -> Iterator[None]:
    """Lower each softmax to one that subtracts the maximum first."""
    rewrite = lower_xtensor_db["lower_elemwise"]
    with patch.object(rewrite, "fn", lower_elemwise_and_softmax(rewrite.fn)):
        yield


@contextmanager
def with_added_tangents() -> Iterator[None]:
    """Pull back the sum of all products with cotangents: only `pullback` itself replaces some.

    Each result gets the dtype of the tangent that it is.
    """
    pullback, dtypes = pytensor.gradient.pullback, dict[Any, str]()

    def pullback_of_sum(
        f: Sequence[Any], wrt: Sequence[Any], cotangents: Sequence[Any], **options: Any
    ) -> list[Any]:
        dtypes.update((bar, x.type.dtype) for x, bar in zip(f, cotangents, strict=True))
        total = sum((x * bar).sum() for x, bar in zip(f, cotangents, strict=True))
        found = pullback([total], wrt, [total.ones_like()], **options)
        return [
            each.astype(dtypes.get(x, x.type.dtype)) for x, each in zip(wrt, found, strict=True)
        ]

    with patch("pytensor.gradient.pullback", pullback_of_sum):
        yield


@contextmanager
def with_added_tangents_and_stable_softmax() -> Iterator[None]:
    """Add tangents, and lower each softmax to a stable one."""
    with with_added_tangents(), with_stable_softmax():
        yield


def with_constant_exponents() -> AbstractContextManager[Any]:
    """Differentiate a power for its base only."""
    pullback = Pow.pullback

    def pullback_to_base(power: Pow, inputs: Any, outputs: Any, cotangents: Any) -> list[Any]:
        base, _ = pullback(power, inputs, outputs, cotangents)
        return [base, inputs[1].zeros_like(dtype=base.type.dtype)]

    return patch.object(Pow, "pullback", pullback_to_base)


def with_exact_reciprocals() -> AbstractContextManager[Any]:
    """Divide 1, instead of a 1 of float32, by a number."""
    return patch.object(Reciprocal, "impl", lambda _, x: 1.0 / x)


@contextmanager
def with_python_numbers() -> Iterator[None]:
    """Convert a number of float32 to a Python number, if it is computed with one."""
    with ExitStack() as stack:
        stack.enter_context(with_exact_reciprocals())
        for operation in (Add, Mul, Pow, Sub, TrueDiv):
            stack.enter_context(_with_python_numbers(operation))
        yield


def _with_python_numbers(operation: type[ScalarOp]) -> AbstractContextManager[Any]:
    compute = operation.impl

    def compute_exactly(self: ScalarOp, *numbers: Any) -> Any:
        if any(type(number) is float for number in numbers):
            numbers = tuple(float(x) if type(x) is np.float32 else x for x in numbers)
        return compute(self, *numbers)

    return patch.object(operation, "impl", compute_exactly)


def with_aligned_softmax() -> AbstractContextManager[Any]:
    """Recognize a softmax only if the sum has the place of the axes that it is over."""
    recognize = local_softmax_stabilize.fn

    def recognize_aligned(fgraph: Any, node: Any) -> Any:
        found = recognize(fgraph, node)
        return found if found and _is_aligned(node.inputs[1], found[0].owner.op.axis) else None

    return patch.object(local_softmax_stabilize, "fn", recognize_aligned)


def _is_aligned(divisor: Any, axes: Sequence[int] | None) -> bool:
    """Return whether a sum is broadcast along the axes that it is over."""
    order = getattr(divisor.owner.op, "new_order", ())
    summed = {axis for axis, place in enumerate(order) if place == "x"}
    kept = [place for place in order if place != "x"]
    return summed == {*range(divisor.type.ndim)} & {*(axes or range(divisor.type.ndim))} and (
        kept == sorted(kept)
    )


def with_exact_constants() -> AbstractContextManager[Any]:
    """Leave the product of integer constants as it is, where it is only divided by 1."""
    calculate = local_mul_canonizer.calculate

    def calculate_exactly(
        factors: Sequence[Any], divisors: Sequence[Any], aslist: bool = False, out_type: Any = None
    ) -> Any:
        found = calculate(factors, divisors, aslist, out_type)
        if not factors or divisors or out_type is None or out_type.dtype not in integer_dtypes:
            return found
        product = reduce(np.multiply, factors, np.asarray(1, out_type.dtype))
        if [*np.atleast_1d(found)] != [product / 1]:
            return found
        return [product] if aslist else product

    return patch.object(local_mul_canonizer, "calculate", calculate_exactly)


def with_converted_factors() -> AbstractContextManager[Any]:
    """Convert a factor of a product to its dtype, if those that are left have narrower ones."""
    simplify = local_mul_canonizer.simplify

    def simplify_and_convert(
        factors: list[Any], divisors: list[Any], out_type: Any
    ) -> tuple[list[Any], list[Any]]:
        factors, divisors = simplify(factors, divisors, out_type)
        dtypes = [each.type.dtype for each in factors + divisors]
        if factors and upcast(*dtypes) != out_type.dtype:
            factors = [cast(factors[0], out_type.dtype), *factors[1:]]
        return factors, divisors

    return patch.object(local_mul_canonizer, "simplify", simplify_and_convert)


def with_separate_elements() -> AbstractContextManager[Any]:
    """Copy each array in which elements share memory, so that it has the strides of a new array."""
    readable = graphs.readable

    def separate(array: Array) -> Array:
        array = readable(array)
        return array.copy() if shares_elements(array) else array

    return patch.object(graphs, "readable", separate)


def shares_elements(array: Array) -> bool:
    """Return whether some elements of an array share memory, as in `broadcast_to`."""
    low, high = np.lib.array_utils.byte_bounds(array)
    return high - low < array.nbytes
