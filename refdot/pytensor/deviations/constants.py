"""Known deviations: constants, which rewrites fold into the product."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from refdot.cases.case import DotCase, Operand
from refdot.cases.notation import dot_case
from refdot.evaluation import dot
from refdot.judging.expected import expected_answer
from refdot.judging.rounding import correct_answers
from refdot.pytensor.deviations.dtypes import dtype_after, dtypes_of_sums_in_jax
from refdot.pytensor.deviations.numbers import repeated_number, rounded_constants
from refdot.pytensor.deviations.record import (
    has_raised,
    has_valid_names,
    known_deviation,
    unequal_dims,
)
from refdot.targets.mismatch import Mismatch
from refdot.targets.outcome import Outcome
from refdot.tensor import NamedTensor

__all__ = [
    "DTYPES_OF_PYTHON",
    "constants_without_dtype_in_jax",
    "dot_with_zeros",
    "integer_constants_as_floats",
    "product_with_zeros",
]

_OF_ZEROS = {"origin": ("constant", "input"), "content": ("zeros", "drawn")}


@known_deviation(
    "R4 accepted-invalid", dot_case("a b:3", "b:5? c?", **_OF_ZEROS), lowerings="inlined"
)
def dot_with_zeros(mismatch: Mismatch, outcome: Outcome) -> bool:
    """A matrix product with a constant of zeros is zeros, whatever the other operand is.

    `local_0_dot_x` (tensor/rewriting/math.py, in "canonicalize") replaces `dot(x, y)` by zeros of
    the shape `(x.shape[0], y.shape[1])`. Nothing compares the sizes of the contracted dims then,
    and NaN or infinity in the other operand is lost; refdot allows that, as some BLAS skip products
    with 0. In the stock lowering, the dot is inside an `OpFromGraph` until "specialize", where this
    rewrite is not registered.
    """
    case = mismatch.case
    return _is_zeros(case, outcome) and unequal_dims(case) <= {*case.lowering.contracted}


@known_deviation(
    "R4 accepted-invalid",
    dot_case("b:3", "b:5?", (), **_OF_ZEROS),
    lowerings="stock inlined",
)
def product_with_zeros(mismatch: Mismatch, outcome: Outcome) -> bool:
    """An elementwise product with a constant of zeros is zeros, whatever the other operand is.

    `local_mul_canonizer` and `local_mul_specialize` (tensor/rewriting/math.py) replace the product
    by zeros. Nothing compares the sizes of the batch dims then.
    """
    case = mismatch.case
    return _is_zeros(case, outcome) and unequal_dims(case) <= {*case.lowering.batch}


def _is_zeros(case: DotCase, outcome: Outcome) -> bool:
    """Whether a constant is all 0, and the answer as well, in a case whose sizes differ."""
    if not (has_valid_names(case) and unequal_dims(case) and outcome.values):
        return False
    answers_are_zeros = not any(value.data.any() for value in outcome.values)
    return answers_are_zeros and any(number == 0 for number in _numbers(case))


@known_deviation(
    "R6 wrong-value",
    dot_case("", "a?", None, "int64", origin=("constant", "input"), regime="rounding"),
    lowerings="inlined",
)
def integer_constants_as_floats(mismatch: Mismatch, outcome: Outcome) -> bool:
    """An integer constant of one number is converted to float64 and back, and loses digits.

    `mul_calculate` (tensor/rewriting/math.py) collects the constants of a product, and divides
    those of the numerator by those of the denominator. The quotient is of float64 although there
    is no denominator, so integers of more than 53 bits are rounded.
    """
    case = mismatch.case
    found = outcome.values[mismatch.replicate].data
    pairs = _rounded(case, mismatch.replicate)
    return any(np.array_equal(found, dot(x, y, case.lowering.contracted).data) for x, y in pairs)


# The dtype of Python's numbers in JAX, by the kind of the dtype that a constant has.
DTYPES_OF_PYTHON = {"b": "bool", "i": "int64", "u": "int64", "f": "float64", "c": "complex128"}


@known_deviation(
    "R6 R7 R8 rejected-valid wrong-value wrong-dtype wrong-gradient",
    dot_case("", "", None, "float32", origin="constant"),
    backends="jax",
)
def constants_without_dtype_in_jax(mismatch: Mismatch, outcome: Outcome) -> bool:
    """On JAX, a constant of one number loses its dtype.

    `jax_typify_ndarray` (link/jax/dispatch/basic.py) turns each 0-d array into a Python number. If
    rewrites have made the answer a constant, it gets the dtype of Python's numbers. Otherwise JAX
    promotes a Python number to the dtype of the other operand, and computes in that. It rejects
    those that are too large for an int64.
    """
    case = mismatch.case
    if mismatch.kind == "rejected-valid":
        messages = (
            f"^Python int {number} too large to convert" for number in _integer_constants(case)
        )
        return any(has_raised(mismatch, outcome, "OverflowError", each) for each in messages)
    if mismatch.kind == "wrong-value":
        found = outcome.values[mismatch.replicate]
        return found.dtype != case.result_dtype and _is_weak_product(mismatch, found)
    return mismatch.got in map(str, _dtypes_in_jax(case))


def _dtypes_in_jax(case: DotCase) -> Iterator[np.dtype[Any]]:
    """Yield the dtypes that an answer with a constant of no dtype can have."""
    from jax.numpy import result_type

    x, y = _numbers(case)
    is_constant = case.x.origin == case.y.origin == "constant"
    if is_constant or 0 in (x, y):
        yield np.dtype(DTYPES_OF_PYTHON[case.result_dtype.kind])
    x_dtypes, y_dtypes = dtypes_of_sums_in_jax(case)
    for number, others in ((x, y_dtypes), (y, x_dtypes)):
        if number is not None:
            yield from (np.dtype(result_type(number.item(), other)) for other in others)


def _integer_constants(case: DotCase) -> Iterator[int]:
    """Yield the integer in each constant of one number, and in the answer if it is a constant."""
    if case.result_dtype.kind in "iu":
        yield from (int(number) for number in _numbers(case) if number is not None)
        if case.x.origin == case.y.origin == "constant":
            yield from map(int, expected_answer(case).data.flat)
            for x, y in _rounded(case, 0):
                yield from map(int, dot(x, y, case.lowering.contracted).data.flat)


def _is_weak_product(mismatch: Mismatch, found: NamedTensor) -> bool:
    """Whether an answer is the product of operands in the dtype that it has."""
    case, replicate = mismatch.case, mismatch.replicate
    if found.dtype not in _dtypes_in_jax(case):
        return False
    pairs = [_without_own_dims(case, replicate), *_rounded(case, replicate)]
    weak = ([_as_type(tensor, found.dtype) for tensor in pair] for pair in pairs)
    answers = (correct_answers(x, y, case.lowering.contracted) for x, y in weak)
    return any(not each.wrong(found.data).any() for each in answers)


def _as_type(tensor: NamedTensor, dtype: np.dtype[Any]) -> NamedTensor:
    return NamedTensor(tensor.data.astype(dtype), tensor.dims)


def _rounded(case: DotCase, replicate: int) -> Iterator[tuple[NamedTensor, NamedTensor]]:
    """Yield the operands with each constant of one number rounded, and with their product."""
    are_constants = [operand.origin == "constant" for operand in (case.x, case.y)]
    return rounded_constants(*_without_own_dims(case, replicate), are_constants)


def _numbers(case: DotCase) -> list[Any]:
    """Return the number that all elements of each operand are, None if there is none.

    The dims of a constant that it alone has are summed first, in a rewrite.
    """
    pairs = zip((case.x, case.y), _without_own_dims(case), strict=True)
    return [
        repeated_number(tensor.data) if operand.origin == "constant" else None
        for operand, tensor in pairs
    ]


def _without_own_dims(case: DotCase, replicate: int = 0) -> tuple[NamedTensor, NamedTensor]:
    """Return the operands without the dims that are summed alone, in the dtype of such a sum."""
    (x, y), low = case.tensors(replicate), case.lowering

    def summed(tensor: NamedTensor, operand: Operand, dims: tuple[str, ...]) -> NamedTensor:
        one = NamedTensor(np.ones((), dtype_after(operand, bool(dims))), ())
        return dot(tensor, one, dims)

    return summed(x, case.x, low.x_summed), summed(y, case.y, low.y_summed)
