"""Known deviations about products and dtypes."""

from __future__ import annotations

from typing import Any

import numpy as np

from refdot.cases.case import DotCase
from refdot.cases.notation import dot_case, operand
from refdot.evaluation import dot
from refdot.judging.rounding import correct_answers, correct_pull_back, unit_roundoff
from refdot.pytensor.deviations.record import (
    answer_of,
    correct_of,
    has_wrong_elements,
    known_sizes,
    lowering_of,
    on_record,
)
from refdot.pytensor.deviations.values import answers_of_sums_first, dtype_of_sum, summed_alone
from refdot.targets.mismatch import Mismatch
from refdot.targets.outcome import Outcome
from refdot.tensor import NamedTensor

__all__ = []


@on_record(
    "R6",
    "wrong-value",
    example=dot_case("a:2", "a:2", None, ("int64", "int64"), regime="rounding"),
    backends=("numba",),
)
def integers_as_floats_in_numba(mismatch: Mismatch, outcome: Outcome) -> bool:
    """Numba multiplies integers as floats, which have not as many digits.

    `numba_funcify_Dot` (link/numba/dispatch/elemwise.py) casts them to float32, or 64-bit ones to
    float64, for BLAS.
    """
    x, y = mismatch.case.tensors(mismatch.replicate)
    dtype = np.result_type(x.data, y.data)
    if dtype.kind not in "iu":
        return False
    value = outcome.values[mismatch.replicate].data
    wrong = correct_answers(x, y, mismatch.case.dim.names).wrong(value)
    x_size, y_size = (NamedTensor(np.abs(t.data.astype(float)), t.dims) for t in (x, y))
    magnitude = dot(x_size, y_size, mismatch.case.dim.names).data
    return bool((magnitude[wrong] >= 2.0 ** (53 if dtype.itemsize == 8 else 24)).all())


@on_record(
    "R6 R8",
    "wrong-value wrong-gradient",
    example=dot_case("a:2?", "b:3?", None, ("complex128", "complex128")),
    versions=">=3.0,<3.1",
    backends=("python", "c"),
)
def outer_product_conjugated(mismatch: Mismatch, outcome: Outcome) -> bool:
    """The outer product of complex vectors is taken with the conjugate of one.

    `ScipyGer` (tensor/blas.py) asks SciPy for `ger`, which of complex numbers is `gerc`. Where
    that rewrite applies, a gradient that is an outer product is wrong in the same way.
    """
    case = mismatch.case
    x, y = case.tensors(mismatch.replicate)
    is_complex = np.result_type(x.data, y.data).kind == "c"
    if not is_complex or not has_wrong_elements(mismatch, outcome):
        return False
    answer = answer_of(mismatch, outcome)
    if mismatch.kind == "wrong-value":
        either = (correct_answers(*pair, case.dim.names) for pair in one_conjugated(x, y))
    else:
        cotangent, v, w = case.cotangents(mismatch.replicate)
        beside, operand = (y, x) if mismatch.operand == "x" else (x, y)
        if mismatch.order == 2:
            beside = w if mismatch.operand == "x" else v
        pairs = one_conjugated(cotangent, beside)
        either = (correct_pull_back(*pair, operand) for pair in pairs)
    return any(not correct.wrong(answer).any() for correct in either)


def one_conjugated(
    first: NamedTensor, second: NamedTensor
) -> tuple[tuple[NamedTensor, NamedTensor], ...]:
    """Give two tensors with the complex conjugate of one, and of the other."""
    return (conjugate(first), second), (first, conjugate(second))


def conjugate(tensor: NamedTensor) -> NamedTensor:
    """Give the complex conjugate."""
    return NamedTensor(tensor.data.conj(), tensor.dims)


@on_record(
    "R6 R8",
    "wrong-value wrong-gradient",
    example=dot_case("a:4", "", None, ("complex64", "float64"), regime="rounding"),
    backends=("c",),
)
def complex_products_in_c(mismatch: Mismatch, outcome: Outcome) -> bool:
    """Beside complex64, what is in double precision loses digits in C.

    The `operator*` of complex numbers in C (scalar/basic.py) converts what it multiplies with to
    its own type, which is that of the first factor.
    """
    dtypes = [mismatch.case.x.dtype, mismatch.case.y.dtype]
    in_double = np.result_type(*map(np.dtype, dtypes)) == "complex128"
    if "complex64" not in dtypes or not in_double or not has_wrong_elements(mismatch, outcome):
        return False
    single = unit_roundoff(np.dtype("complex64"))
    if mismatch.kind == "wrong-value":
        correct = answers_of_sums_first(mismatch, lowering_of(mismatch.case))
    else:
        correct = correct_of(mismatch)
    return not correct.wrong(answer_of(mismatch, outcome), single).any()


@on_record(
    "R6",
    "wrong-value",
    example=dot_case("", "", None, ("uint32", "int8")),
    backends=("c",),
)
def products_in_types_of_c(mismatch: Mismatch, outcome: Outcome) -> bool:
    """Operands of two dtypes are multiplied in the type that C converts them to.

    `Mul.c_code` (scalar/basic.py) writes `x * y` and no casts to the dtype of the result, which
    is wider: uint32 times int8 is unsigned in C, uint64 times int8 is, too, where NumPy gives
    float64, and int64 times float32 is a float32.
    """
    low = lowering_of(mismatch.case)
    x_dtype = dtype_of_sum(mismatch.case.x, low.x_summed)
    y_dtype = dtype_of_sum(mismatch.case.y, low.y_summed)
    in_c = type_in_c(x_dtype, y_dtype)
    return in_c is not None and is_product_in(in_c, mismatch, outcome)


def is_product_in(dtype: np.dtype[Any], mismatch: Mismatch, outcome: Outcome) -> bool:
    """Whether an answer is that of operands summed alone first, and then multiplied in a dtype."""
    value, low = outcome.values[mismatch.replicate].data, lowering_of(mismatch.case)
    operands = mismatch.case.tensors(mismatch.replicate)
    with np.errstate(all="ignore"):
        x, y = (
            NamedTensor(tensor.data.astype(dtype), tensor.dims)
            for tensor in map(summed_alone, operands, (low.x_summed, low.y_summed))
        )
        dims = {*x.dims, *y.dims}.difference(low.out_dims)
        if dtype.kind in "iu":
            return np.array_equal(dot(x, y, dims).data.astype(value.dtype), value)
    return not correct_answers(x, y, dims).wrong(value).any()


@on_record(
    "R6 R7",
    "wrong-value wrong-dtype",
    example=dot_case("", "", None, ("uint64", "int8"), regime="rounding"),
    backends=("numba",),
)
def products_in_types_of_numba(mismatch: Mismatch, outcome: Outcome) -> bool:
    """Beside a signed integer or a bool, uint64 is multiplied as an int64 in Numba.

    That is Numba's own promotion, where the graph declares float64, or with a bool uint64; the
    result is not always cast to what is declared.
    """
    low = lowering_of(mismatch.case)
    x_dtype = dtype_of_sum(mismatch.case.x, low.x_summed)
    y_dtype = dtype_of_sum(mismatch.case.y, low.y_summed)
    if {x_dtype.kind, y_dtype.kind} not in ({"u", "i"}, {"u", "b"}):
        return False
    if np.dtype("uint64") not in (x_dtype, y_dtype):
        return False
    return mismatch.got == "int64" or is_product_in(np.dtype("int64"), mismatch, outcome)


def type_in_c(x: np.dtype[Any], y: np.dtype[Any]) -> np.dtype[Any] | None:
    """Give the dtype that C multiplies two dtypes in, if it is another than NumPy's.

    Examples
    --------
    >>> type_in_c(np.dtype("uint32"), np.dtype("int8"))
    dtype('uint32')
    >>> type_in_c(np.dtype("int64"), np.dtype("float32"))
    dtype('float32')
    >>> type_in_c(np.dtype("uint16"), np.dtype("int8")) is None
    True
    """
    wide = [dtype for dtype in (x, y) if dtype.itemsize >= 4]
    if {x.kind, y.kind} == {"u", "i"}:
        unsigned, signed = (x, y) if x.kind == "u" else (y, x)
        wins = unsigned in wide and unsigned.itemsize >= signed.itemsize
        return unsigned if wins else None
    single = np.dtype("float32")
    with_integer = {x.kind, y.kind} in ({"f", "i"}, {"f", "u"})
    return single if with_integer and single in (x, y) and len(wide) == 2 else None


@on_record(
    "R7 R8",
    "wrong-dtype wrong-gradient",
    example=dot_case("", "a:2", ("a",), ("float32", "float32")),
    backends=("jax",),
)
def sums_widened_in_jax(mismatch: Mismatch, outcome: Outcome) -> bool:
    """A sum of float16, float32 or complex64 comes out of JAX in a wider precision.

    `jax_funcify_CAReduce` (link/jax/dispatch/elemwise.py) casts to the dtype in which PyTensor
    accumulates, and never back to the one of the result.
    """
    low = lowering_of(mismatch.case)
    dtypes = {mismatch.case.x.dtype, mismatch.case.y.dtype}
    # A gradient is also summed over the dims that the other operand has for itself; and where one
    # operand is known to have size 1, the other one is summed alone.
    free = (low.x_free, low.y_free) if mismatch.kind == "wrong-gradient" else ()
    beside_one = any(1 in known_sizes(mismatch, dim) for dim in low.contracted)
    is_summed = beside_one or any((low.x_summed, low.y_summed, *free))
    wider = {"float64", "complex128"} if dtypes & {"float16", "float32", "complex64"} else set()
    if "float16" in dtypes:
        wider.add("float32")
    return is_summed and mismatch.got in wider


@on_record(
    "R6 R7 R8",
    "wrong-value wrong-dtype wrong-gradient",
    example=dot_case("", "", None, ("float32", "int64")),
    backends=("jax",),
)
def promotion_of_jax(mismatch: Mismatch, outcome: Outcome) -> bool:
    """Operands of two dtypes give the dtype of JAX's own promotion, such as float32 with int64.

    PyTensor's dispatch for JAX casts neither operands nor result to the dtype that the graph
    declares; an integer that is taken for a float32 loses digits, too.
    """
    from jax.numpy import promote_types

    dtypes = (mismatch.case.x.dtype, mismatch.case.y.dtype)
    promoted = np.dtype(promote_types(*dtypes))
    if mismatch.kind != "wrong-value":
        return dtypes[0] != dtypes[1] and mismatch.got == str(promoted)
    answers_so = outcome.values[mismatch.replicate].dtype == promoted
    return answers_so and is_product_in(promoted, mismatch, outcome)


@on_record(
    "R7 R8",
    "wrong-dtype wrong-gradient",
    example=DotCase(operand("", "bool"), operand("", "bool"), same_variable=True),
    backends=("jax",),
)
def products_of_bools_in_jax(mismatch: Mismatch, outcome: Outcome) -> bool:
    """The product of two bools may be an integer in JAX.

    `jax_funcify_scalar_Mul` (link/jax/dispatch/scalar.py) multiplies 0-d operands with 1; and
    `sqr`, which the product of a variable with itself becomes, is `jax.numpy.square`.
    """
    case = mismatch.case
    if not case.x.dtype == case.y.dtype == "bool":
        return False
    scalars = case.x.shape == case.y.shape == ()
    return (case.same_variable and mismatch.got == "int32") or (scalars and mismatch.got == "int64")
