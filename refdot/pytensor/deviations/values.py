"""Known deviations: answers and gradients with wrong elements."""

from collections.abc import Sequence
from functools import partial
from math import prod

import numpy as np

from refdot.cases.case import DotCase, Operand
from refdot.cases.notation import dot_case
from refdot.evaluation import dot, pull_back
from refdot.judging.expected import correct_gradient
from refdot.judging.rounding import (
    CorrectAnswers,
    correct_answers,
    correct_pull_back,
    unit_roundoff,
)
from refdot.pytensor.deviations.record import has_wrong_elements, known_deviation
from refdot.targets.mismatch import Mismatch
from refdot.targets.outcome import Outcome
from refdot.tensor import Array, NamedTensor

__all__ = ["summed_first"]


@known_deviation(
    "R6 R8 wrong-value wrong-gradient",
    dot_case("", "a:2?", ("a",), ("float64", "uint64"), regime="rounding", seed=1),
    dot_case("a:2?", "", ("a",), ("uint64", "float64"), regime="rounding", seed=1),
)
def summed_alone_first(mismatch: Mismatch, outcome: Outcome) -> bool:
    """A dim of one operand is summed in that operand's dtype, before the product.

    `einsum` (tensor/einsum.py) does so in `sum_uniques`. If the other operand has a wider dtype,
    float16, float32 and complex64 lose digits, float16 overflows, and 64-bit integers wrap around.
    An empty sum becomes 0 times the other operand, which is NaN if that is not finite.
    """
    case, low = mismatch.case, mismatch.case.lowering
    if not (low.x_summed or low.y_summed) or not has_wrong_elements(mismatch, outcome):
        return False
    unit = max(_own_unit(case.x, low.x_summed), _own_unit(case.y, low.y_summed))
    answer = _answer(mismatch, outcome)
    wrong = _answers_of_sums_first(mismatch).wrong(answer, unit)
    return not (wrong & ~(_overflows(mismatch) & ~np.isfinite(answer))).any()


@known_deviation(
    "R6 R8 wrong-value wrong-gradient",
    dot_case("a:2?", "b:3?", None, ("complex128", "complex128")),
    versions=">=3.0.3,<3.3.5",
    backends="python c c-blas",
)
def outer_product_conjugated(mismatch: Mismatch, outcome: Outcome) -> bool:
    """The outer product of complex vectors uses the conjugate of one of them.

    `Ger.perform` (tensor/blas.py) gets `ger` from SciPy, which for complex numbers is `gerc`. A
    gradient that is an outer product is wrong in the same way.
    """
    case = mismatch.case
    if case.result_dtype.kind != "c" or not has_wrong_elements(mismatch, outcome):
        return False
    x, y = case.tensors(mismatch.replicate)
    if mismatch.kind == "wrong-value":
        first, second = x, y
        correct = partial(correct_answers, dim=case.dim.names)
    else:
        first, second = _factors_of_gradient(mismatch, x, y)
        correct = partial(correct_pull_back, operand=x if mismatch.operand == "x" else y)
    if not _is_outer_product(case, first, second):
        return False
    pairs = ((_conjugate(first), second), (first, _conjugate(second)))
    return any(not correct(*pair).wrong(_answer(mismatch, outcome)).any() for pair in pairs)


def _is_outer_product(case: DotCase, first: NamedTensor, second: NamedTensor) -> bool:
    """Return whether all dims that two factors share have the static size 1, and are dropped."""
    shared = {*first.dims}.intersection(second.dims)
    return all(1 in (case.x.static_sizes.get(d), case.y.static_sizes.get(d)) for d in shared)


@known_deviation(
    "R6 wrong-value",
    dot_case("a:2", "a:2", None, ("int64", "int64"), regime="rounding"),
    backends="numba",
)
def integers_as_floats_in_numba(mismatch: Mismatch, outcome: Outcome) -> bool:
    """Numba multiplies integers in floating point, and large products are not exact.

    `numba_funcify_Dot` (link/numba/dispatch/elemwise.py) casts them to float32, or 64-bit ones to
    float64, for BLAS.
    """
    case, answer = mismatch.case, _answer(mismatch, outcome)
    if case.result_dtype.kind not in "iu" or answer.dtype != case.result_dtype:
        return False
    x, y = (
        NamedTensor(operand.data.astype(float), operand.dims)
        for operand in case.tensors(mismatch.replicate)
    )
    estimate = dot(x, y, case.dim.names).data
    x_size, y_size = (NamedTensor(np.abs(tensor.data), tensor.dims) for tensor in (x, y))
    magnitude = dot(x_size, y_size, case.dim.names).data
    unit = 2.0**-53 if case.result_dtype.itemsize == 8 else 2.0**-24
    roundings = prod(case.x.sizes[dim] for dim in case.lowering.contracted) + 2
    error = 2 * roundings * unit * magnitude
    # A number that is too large for the dtype becomes any other one.
    is_too_large = np.abs(estimate) + error >= np.iinfo(case.result_dtype).max
    is_near = np.abs(answer.astype(float) - estimate) <= error
    return bool((is_near | is_too_large).all())


@known_deviation(
    "R6 R8 wrong-value wrong-gradient",
    dot_case("a:4", "", None, ("complex64", "float64"), regime="rounding"),
    backends="c c-blas",
)
def complex_products_in_c(mismatch: Mismatch, outcome: Outcome) -> bool:
    """In C, complex64 with a double-precision operand is multiplied in single precision.

    The `operator*` of complex numbers in C (scalar/basic.py) converts its second operand to the
    type of its first one.
    """
    case = mismatch.case
    is_mixed = "complex64" in (case.x.dtype, case.y.dtype) and case.result_dtype == "complex128"
    if not is_mixed or not has_wrong_elements(mismatch, outcome):
        return False
    if mismatch.kind == "wrong-value":
        correct = _answers_of_sums_first(mismatch)
    else:
        correct = correct_gradient(case, mismatch.order, mismatch.operand, mismatch.replicate)
    unit = unit_roundoff(np.dtype("complex64"))
    return not correct.wrong(_answer(mismatch, outcome), unit).any()


def _answer(mismatch: Mismatch, outcome: Outcome) -> Array:
    """Return the answer, or the gradient, that is wrong."""
    if mismatch.kind == "wrong-value":
        return outcome.values[mismatch.replicate].data
    wanted = (mismatch.order, mismatch.operand, mismatch.replicate)
    return next(
        gradient.value
        for gradient in outcome.gradients
        if (gradient.order, gradient.operand, gradient.replicate) == wanted
    )


def _answers_of_sums_first(mismatch: Mismatch) -> CorrectAnswers:
    """Return the correct answers, or gradients, if each operand is summed alone first."""
    x, y = summed_first(mismatch)
    if mismatch.kind == "wrong-value":
        return correct_answers(x, y, {*x.dims, *y.dims}.difference(mismatch.case.lowering.out_dims))
    operand = mismatch.case.tensors(mismatch.replicate)["xy".index(mismatch.operand)]
    return correct_pull_back(*_factors_of_gradient(mismatch, x, y), operand)


def _factors_of_gradient(
    mismatch: Mismatch, x: NamedTensor, y: NamedTensor
) -> tuple[NamedTensor, NamedTensor]:
    """Return the factors of a gradient: the cotangent, and the other operand or its tangent."""
    cotangent, x_tangent, y_tangent = mismatch.case.cotangents(mismatch.replicate)
    others = (y, x) if mismatch.order == 1 else (y_tangent, x_tangent)
    return cotangent, others["xy".index(mismatch.operand)]


def summed_first(mismatch: Mismatch) -> tuple[NamedTensor, NamedTensor]:
    """Return the operands, summed alone if this changes more than rounding.

    64-bit integers wrap around, and an empty sum is 0, also if it is multiplied by infinity.
    """
    low = mismatch.case.lowering
    x, y = mismatch.case.tensors(mismatch.replicate)

    def summed(tensor: NamedTensor, dims: Sequence[str]) -> NamedTensor:
        wraps = tensor.dtype.kind in "iu" and tensor.dtype.itemsize == 8
        is_empty = any(tensor.sizes[dim] == 0 for dim in dims)
        return tensor.sum(*dims) if dims and (wraps or is_empty) else tensor

    return summed(x, low.x_summed), summed(y, low.y_summed)


def _own_unit(operand: Operand, dims: Sequence[str]) -> float:
    """Return the unit roundoff of an operand's dtype if it is summed over dims, else 0."""
    dtype = np.dtype(operand.dtype)
    return unit_roundoff(dtype) if dims and dtype.kind in "fc" else 0.0


def _overflows(mismatch: Mismatch) -> Array:
    """Return for each element of the answer whether a sum in it overflows in its own dtype."""
    case, low = mismatch.case, mismatch.case.lowering
    x, y = case.tensors(mismatch.replicate)
    x_flags, y_flags = _too_large(x, low.x_summed), _too_large(y, low.y_summed)
    if mismatch.kind == "wrong-gradient":
        cotangent, _, _ = case.cotangents(mismatch.replicate)
        ones = NamedTensor(np.ones(cotangent.shape), cotangent.dims)
        flags, operand = (y_flags, x) if mismatch.operand == "x" else (x_flags, y)
        return pull_back(ones, flags, NamedTensor(operand.data.real, operand.dims)).data > 0
    x_trues, y_trues = (
        NamedTensor(np.ones(flags.shape, bool), flags.dims) for flags in (x_flags, y_flags)
    )
    from_x = dot(x_flags, y_trues, low.contracted).data
    return np.asarray(from_x | dot(x_trues, y_flags, low.contracted).data)


def _too_large(tensor: NamedTensor, dims: Sequence[str]) -> NamedTensor:
    """Return which sums of magnitudes over dims are too large for the tensor's dtype."""
    if not dims:
        return NamedTensor(np.zeros(tensor.shape, bool), tensor.dims)
    with np.errstate(all="ignore"):
        magnitude = np.nan_to_num(np.abs(tensor.data).astype(float))
        sums = NamedTensor(magnitude, tensor.dims).sum(*dims)
    largest = np.finfo(tensor.dtype).max if tensor.dtype.kind in "fc" else np.inf
    return NamedTensor(sums.data >= largest, sums.dims)


def _conjugate(tensor: NamedTensor) -> NamedTensor:
    return NamedTensor(tensor.data.conj(), tensor.dims)
