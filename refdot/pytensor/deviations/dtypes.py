"""Known deviations: wrong dtypes, and gradients of integers."""

from collections.abc import Callable, Sequence
from itertools import product
from typing import Any

import numpy as np

from refdot.cases.case import DotCase, Operand
from refdot.cases.notation import dot_case
from refdot.evaluation import dot
from refdot.judging.rounding import correct_answers
from refdot.pytensor.deviations.record import (
    has_raised,
    has_valid_names,
    is_error,
    known_deviation,
    static_sizes,
)
from refdot.pytensor.deviations.values import summed_first
from refdot.targets.mismatch import Mismatch
from refdot.targets.outcome import Outcome
from refdot.tensor import NamedTensor

__all__ = ["dtype_after", "dtypes_of_sums_in_jax", "is_widened_sum"]

_DType = np.dtype[Any]


@known_deviation(
    "R6 R13 rejected-valid wrong-error",
    dot_case("", "a:2?", ("a",), ("int8", "int8")),
    dot_case("a:2?", "", ("a",), ("int8", "int8")),
    upstream="pull/1879",
)
def small_integers_do_not_lower(mismatch: Mismatch, outcome: Outcome) -> bool:
    """A dot that sums a dim of one operand cannot be lowered for small integers or bools.

    `einsum` (tensor/einsum.py) sums them with `.sum`, which returns int64 or uint64. The result
    then has another dtype than `Dot.make_node` declares, and the rewriter rejects it.
    """
    return is_widened_sum(mismatch, outcome)


@known_deviation("R6 wrong-value", dot_case("", "", None, ("uint32", "int8")), backends="c c-blas")
def products_in_types_of_c(mismatch: Mismatch, outcome: Outcome) -> bool:
    """Operands of two dtypes are multiplied in the type to which C converts them.

    `Mul.c_code` (scalar/basic.py) writes `x * y` without a cast to the wider dtype of the result.
    In C, uint32 times int8 is unsigned; so is uint64 times int8, for which NumPy gives float64; and
    int64 times float32 is a float32.
    """
    dtype = _dtype_in_c(*_dtypes_after_sums(mismatch.case))
    return dtype is not None and _is_product_in(dtype, mismatch, outcome)


@known_deviation(
    "R6 R7 wrong-value wrong-dtype",
    dot_case("", "", None, ("uint64", "int8"), regime="rounding"),
    backends="numba",
)
def products_in_types_of_numba(mismatch: Mismatch, outcome: Outcome) -> bool:
    """Numba multiplies uint64 with a signed integer or a bool as int64.

    This is Numba's own promotion. The graph declares float64, or with a bool uint64, and the result
    is not always cast to that.
    """
    dtypes = _dtypes_after_sums(mismatch.case)
    has_uint64 = np.dtype("uint64") in dtypes
    if not has_uint64 or {dtype.kind for dtype in dtypes} not in ({"u", "i"}, {"u", "b"}):
        return False
    return mismatch.got == "int64" or _is_product_in(np.dtype("int64"), mismatch, outcome)


@known_deviation(
    "R6 wrong-value",
    dot_case("a:1", "b:1", ("a", "b"), ("uint64", "int16"), regime="rounding"),
    backends="python",
)
def fused_products_as_python_numbers(mismatch: Mismatch, outcome: Outcome) -> bool:
    """A product of uint64 and smaller integers that is fused with a cast has wrong digits.

    The sum of smaller integers over a dim of static size 1 is a cast to 64 bits. Fused with that,
    `Mul.impl` (scalar/basic.py) gets a number of Python and one of NumPy, and computes their
    product in the dtype of an array of both, which may be int64 or float64.
    """
    case, low = mismatch.case, mismatch.case.lowering
    value = outcome.values[mismatch.replicate].data
    numbers = [_fused_number(case.x, low.x_summed), _fused_number(case.y, low.y_summed)]
    has_uint64 = "uint64" in (case.x.dtype, case.y.dtype)
    if low.contracted or not has_uint64 or numbers == [int, int]:
        return False
    x, y = summed_first(mismatch)
    dims = {*x.dims, *y.dims}.difference(low.out_dims)
    x_values = dot(x, _ones(y, x.dtype), dims).data
    y_values = dot(_ones(x, y.dtype), y, dims).data
    to_x, to_y = numbers
    with np.errstate(all="ignore"):
        products = np.frompyfunc(lambda a, b: np.prod([to_x(a), to_y(b)]), 2, 1)(x_values, y_values)
        return np.array_equal(np.asarray(products, value.dtype), value)


@known_deviation(
    "R7 R8 wrong-dtype wrong-gradient",
    dot_case("", "a:2", ("a",), ("float32", "float32")),
    backends="jax",
)
def sums_widened_in_jax(mismatch: Mismatch, outcome: Outcome) -> bool:
    """On JAX, a sum of float16, float32 or complex64 has a wider dtype.

    `jax_funcify_CAReduce` (link/jax/dispatch/elemwise.py) casts to the dtype in which PyTensor
    accumulates, and never back to the dtype of the result.
    """
    case = mismatch.case
    x_dtypes, y_dtypes = dtypes_of_sums_in_jax(case, mismatch.kind == "wrong-gradient")
    widened = {np.result_type(*dtypes) for dtypes in product(x_dtypes, y_dtypes)}
    return mismatch.got in map(str, widened - {case.result_dtype})


def dtypes_of_sums_in_jax(case: DotCase, of_gradient: bool = False) -> tuple[set[_DType], ...]:
    """Return the dtypes that x, and that y, has or has after PyTensor's sums on JAX."""
    low, (squeezed_x, squeezed_y) = case.lowering, _squeezed_sums(case)
    sums_x, sums_y = bool(low.x_summed) or squeezed_x, bool(low.y_summed) or squeezed_y
    if of_gradient:
        # It is also summed over the free dims of the other operand.
        sums_x = sums_y = sums_x or sums_y or bool(low.x_free or low.y_free)
    x, y = np.dtype(case.x.dtype), np.dtype(case.y.dtype)
    return {x, _accumulator(x, sums_x)}, {y, _accumulator(y, sums_y)}


@known_deviation(
    "R6 R7 R8 wrong-value wrong-dtype wrong-gradient",
    dot_case("", "", None, ("float32", "int64")),
    backends="jax",
)
def promotion_of_jax(mismatch: Mismatch, outcome: Outcome) -> bool:
    """On JAX, two dtypes give the dtype of JAX's own promotion, such as float32 with int64.

    PyTensor's dispatch for JAX casts neither operands nor result to the dtype that the graph
    declares. An integer that is converted to float32 also loses digits.
    """
    from jax.numpy import promote_types

    case = mismatch.case
    if case.x.dtype == case.y.dtype:
        return False
    pairs = product(*dtypes_of_sums_in_jax(case, mismatch.kind == "wrong-gradient"))
    promoted = {np.dtype(promote_types(*pair)) for pair in pairs}
    if mismatch.kind != "wrong-value":
        return mismatch.got in map(str, promoted)
    found = outcome.values[mismatch.replicate].dtype
    return found in promoted and _is_product_in(found, mismatch, outcome)


@known_deviation(
    "R7 R8 wrong-dtype wrong-gradient",
    dot_case("", "", None, ("bool", "bool"), same_variable=True),
    backends="jax",
)
def products_of_bools_in_jax(mismatch: Mismatch, outcome: Outcome) -> bool:
    """On JAX, the product of two bools may be an integer.

    `jax_funcify_scalar_Mul` (link/jax/dispatch/scalar.py) multiplies 0-d operands with 1. And the
    product of a variable with itself becomes `sqr`, which is `jax.numpy.square`.
    """
    case = mismatch.case
    if not case.x.dtype == case.y.dtype == "bool":
        return False
    if mismatch.got == "int32":
        return case.same_variable
    return mismatch.got == "int64" and case.x.shape == case.y.shape == ()


@known_deviation(
    "R8 accepted-invalid",
    dot_case("", "", None, ("int64", "float64"), gradient_order=1),
    upstream="issues/1827",
)
def gradient_of_integers(mismatch: Mismatch, outcome: Outcome) -> bool:
    """An integer or bool operand has a gradient.

    `pytensor.grad` differentiates with respect to discrete variables if the operations allow it. It
    only refuses a gradient that is discrete itself, because the answer is.
    """
    return mismatch.case.result_dtype.kind == "f"


def is_widened_sum(mismatch: Mismatch, outcome: Outcome) -> bool:
    """Return whether a dot cannot be lowered since a sum has another dtype than the graph."""
    case = mismatch.case
    if not has_valid_names(case):
        return False
    low, (squeezed_x, squeezed_y) = case.lowering, _squeezed_sums(case)
    dtype = np.result_type(
        dtype_after(case.x, bool(low.x_summed) or squeezed_x),
        dtype_after(case.y, bool(low.y_summed) or squeezed_y),
    )
    is_declared = outcome.declared is not None and outcome.declared.dtype == dtype
    message = rf"Cannot convert Type XTensorType{{dtype='{dtype}'"
    return not is_declared and has_raised(mismatch, outcome, "TypeError", message)


def _squeezed_sums(case: DotCase) -> tuple[bool, bool]:
    """Return whether x, and whether y, is summed alone over a contracted dim.

    That is so if the dim has the static size 1 in the other operand, where it is squeezed.
    """
    static = [static_sizes(case, dim) for dim in case.lowering.contracted]
    sums_x = any(y_size == 1 != x_size for x_size, y_size in static)
    return sums_x, any(x_size == 1 != y_size for x_size, y_size in static)


def _accumulator(dtype: _DType, is_summed: bool) -> _DType:
    """Return the dtype in which PyTensor accumulates a sum."""
    wider = {"float16": "float32", "float32": "float64", "complex64": "complex128"}
    return np.dtype(wider.get(str(dtype), dtype)) if is_summed else dtype


def _dtypes_after_sums(case: DotCase) -> tuple[_DType, _DType]:
    low = case.lowering
    return dtype_after(case.x, bool(low.x_summed)), dtype_after(case.y, bool(low.y_summed))


def dtype_after(operand: Operand, is_summed: bool) -> _DType:
    """Return the dtype of an operand, or that of PyTensor's sum of it."""
    dtype = np.dtype(operand.dtype)
    if not is_summed or dtype.kind not in "biu":
        return dtype
    return np.dtype("uint64" if dtype.kind == "u" else "int64")


def _fused_number(operand: Operand, summed: Sequence[str]) -> Callable[[Any], Any]:
    """Return the type of an operand's elements in a product that is fused with casts of sums."""
    is_cast = summed and all(operand.static_sizes[dim] == 1 for dim in summed)
    is_small = np.dtype(operand.dtype).kind in "biu" and operand.dtype not in ("int64", "uint64")
    return dtype_after(operand, True).type if is_cast and is_small else int


def _ones(tensor: NamedTensor, dtype: _DType) -> NamedTensor:
    return NamedTensor(np.ones(tensor.shape, dtype), tensor.dims)


def _is_product_in(dtype: _DType, mismatch: Mismatch, outcome: Outcome) -> bool:
    """Return whether operands summed alone, then multiplied in a dtype, give the answer."""
    value = outcome.values[mismatch.replicate].data
    with np.errstate(all="ignore"):
        x, y = (
            NamedTensor(tensor.data.astype(dtype), tensor.dims) for tensor in summed_first(mismatch)
        )
        dims = {*x.dims, *y.dims}.difference(mismatch.case.lowering.out_dims)
        if dtype.kind in "iu":
            return np.array_equal(dot(x, y, dims).data.astype(value.dtype), value)
    return not correct_answers(x, y, dims).wrong(value).any()


def _dtype_in_c(x: _DType, y: _DType) -> _DType | None:
    """Return the dtype in which C multiplies two dtypes, if it is not NumPy's.

    Examples
    --------
    >>> _dtype_in_c(np.dtype("uint32"), np.dtype("int8"))
    dtype('uint32')
    >>> _dtype_in_c(np.dtype("int64"), np.dtype("float32"))
    dtype('float32')
    >>> _dtype_in_c(np.dtype("uint16"), np.dtype("int8")) is None
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


@known_deviation(
    "R8 wrong-gradient", dot_case("a:2?", "a:2?", None, ("complex128",) * 2, gradient_order=1)
)
def no_complex_gradients(mismatch: Mismatch, outcome: Outcome) -> bool:
    """The gradient of a dot of complex operands is rejected.

    `grad` (gradient.py) rejects a cotangent whose dtype has not "float" in its name, and
    `_populate_grad_dict` rejects each gradient of an operation of another dtype. The pullbacks of
    `Mul` (scalar/basic.py) and `Sum` (tensor/math.py) would handle complex numbers, but that of
    `Dot` (tensor/math.py) rejects them again.
    """
    error, is_complex = outcome.gradient_raised, mismatch.case.result_dtype.kind == "c"
    message = r"Gradients must always be .* given a known_grad of type \w+\(complex"
    return is_complex and error is not None and is_error(error, "TypeError", message, "grad")
