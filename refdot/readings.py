"""Readings of a lowering: the ways to compute a dot, and the choice of a fast one.

A reading is a function of the arrays of two operands. It sums over the dims that one operand has
alone, before or after the product, which is one of matrices for each index of the batch dims:

    (n, a, b) by (n, b, c) gives (n, a, c),

where n stands for all batch dims, b for all contracted ones, and a and c for the free ones. Nothing
is ever repeated, so a reading needs little more memory than the operands and the answer.
"""

from collections.abc import Callable
from contextvars import Context
from functools import lru_cache, partial
from itertools import product
from math import prod
from typing import Any, TypeAlias

import numpy as np

from refdot.lowering import EINSUM_SYMBOLS, Dims, Lowering, lower
from refdot.tensor import Array

__all__ = ["Reading", "evaluate", "reading", "silently"]

Reading: TypeAlias = Callable[[Array, Array], Array]
_View: TypeAlias = Callable[[Array], Array]
_Shape: TypeAlias = tuple[int, ...]
_DType: TypeAlias = np.dtype[Any]
_Sizes: TypeAlias = dict[str, int]

# Up to this number of products, preparing the operands takes longer than multiplying them.
FEW = 1 << 10
_MAX_AXES = 64  # of an array
# In this context overflow, underflow and NaN are silent (R6); it costs less than `np.errstate`.
_SILENT = Context()
_SILENT.run(np.seterr, all="ignore")


def evaluate(lowering: Lowering, x: Array, y: Array) -> Array:
    """Evaluate a lowering on arrays whose sizes agree; the axes of the result are `out_dims`."""
    return silently(reading(lowering, x.shape, y.shape, x.dtype, y.dtype), x, y)


def silently(read: Reading, x: Array, y: Array) -> Array:
    """Return the result of a reading, without warnings whatever `np.errstate` is in force."""
    return np.asarray(_SILENT.copy().run(read, x, y))


@lru_cache(maxsize=4096)
def reading(
    lowering: Lowering, x_shape: _Shape, y_shape: _Shape, x_dtype: _DType, y_dtype: _DType
) -> Reading:
    """Return a function that evaluates a lowering on arrays of these shapes and dtypes."""
    sizes = dict(zip(lowering.x_dims + lowering.y_dims, x_shape + y_shape, strict=True))
    dtype = np.result_type(x_dtype, y_dtype).newbyteorder("=")
    if 0 in sizes.values():
        # An empty sum is 0, even beside an infinity.
        return lambda x, y: np.zeros([sizes[dim] for dim in lowering.out_dims], dtype)
    read = _with_sums if lowering.x_summed or lowering.y_summed else _without_sums
    return read(lowering, sizes, x_dtype, y_dtype, dtype)


def _without_sums(
    lowering: Lowering, sizes: _Sizes, x_dtype: _DType, y_dtype: _DType, dtype: _DType
) -> Reading:
    """Return a reading of a lowering in which no operand has a dim to sum over alone."""
    are_few = prod(sizes.values()) <= FEW
    terms, rows, columns = (
        prod(sizes[dim] for dim in dims)
        for dims in (lowering.contracted, lowering.x_free, lowering.y_free)
    )
    is_simple = dtype.char in "fd" or (are_few and dtype.kind != "c")
    if is_simple and terms > 1 and _is_natural(lowering):
        return np.ndarray.dot
    working = _accumulator(dtype) if terms > 1 else dtype
    if x_dtype != working or y_dtype != working:
        read = _without_sums(lowering, sizes, working, working, working)
        return _to(dtype, _of(working, read))
    # BLAS is fast for outer products, too, but it does not multiply by a scalar that is 0.
    is_outer = not lowering.batch and rows > 1 and columns > 1
    if terms == 1 and not (is_outer and dtype.char in "fd"):
        return elementwise(lowering, sizes)
    multiply = np.matmul if are_few else _multiplication(dtype.kind, bool(lowering.batch))
    read = matrix_product(lowering, sizes, multiply)
    if dtype.kind == "c":
        return _checked(read, matrix_product(lowering, sizes, by_einsum))
    is_thin = 1 in (rows, columns)
    if is_thin and (dtype.kind in "iu" or (dtype.kind == "f" and _has_scattered_terms(lowering))):
        return without_copies(lowering, read)
    return read


def _with_sums(
    lowering: Lowering, sizes: _Sizes, x_dtype: _DType, y_dtype: _DType, dtype: _DType
) -> Reading:
    """Return a reading of a lowering in which an operand has dims to sum over alone."""
    if prod(sizes.values()) <= FEW and len(sizes) <= _MAX_AXES:
        return sums_last(lowering, sizes, x_dtype, y_dtype)
    working = _accumulator(dtype)
    read = sums_first(lowering, sizes, x_dtype, y_dtype, working)
    if dtype.kind in "biu":  # sums and products modulo 2ⁿ, or of truth values, are distributive
        return read
    careful = by_components if dtype.kind == "c" else nonfinite_apart
    return _to(dtype, _checked(read, _of(working, partial(careful, lowering))))


def _is_natural(lowering: Lowering) -> bool:
    """Return whether a lowering is the product of vectors or matrices as they are."""
    x_free, contracted, y_free = lowering.x_free, lowering.contracted, lowering.y_free
    are_single = len(x_free) <= 1 and len(contracted) == 1 and len(y_free) <= 1
    in_order = lowering.x_dims == x_free + contracted and lowering.y_dims == contracted + y_free
    return are_single and in_order


def _has_scattered_terms(lowering: Lowering) -> bool:
    """Return whether contracted dims are between free ones, so that merging them takes a copy."""

    def are_between(dims: Dims) -> bool:
        places = [place for place, dim in enumerate(dims) if dim in lowering.contracted]
        is_run = places[-1] - places[0] == len(places) - 1
        return not (is_run and (places[0] == 0 or places[-1] == len(dims) - 1))

    dims = lowering.x_dims, lowering.y_dims
    return not lowering.batch and any(map(are_between, dims))


def _accumulator(dtype: _DType) -> _DType:
    """Return the dtype for sums: BLAS has no float16, and sums in float32 do not overflow (R7)."""
    return np.dtype(np.float32) if dtype == np.float16 else dtype


def _of(dtype: _DType, read: Reading) -> Reading:
    """Return a reading of operands that are converted first."""
    return lambda x, y: read(x.astype(dtype, copy=False), y.astype(dtype, copy=False))


def _to(dtype: _DType, read: Reading) -> Reading:
    """Return a reading whose answer is converted."""
    return lambda x, y: read(x, y).astype(dtype, copy=False)


def _checked(read: Reading, careful: Reading) -> Reading:
    """Return a reading that is careful where a fast one gives an answer that is not finite.

    A number or a sum that is not finite always shows: its products are not finite either.
    """

    def read_checked(x: Array, y: Array) -> Array:
        answer = read(x, y)
        return answer if np.isfinite(answer).all() else careful(x, y)

    return read_checked


# Products of elements, and of matrices


def elementwise(lowering: Lowering, sizes: _Sizes) -> Reading:
    """Multiply operands that have nothing to sum over but dims of size 1."""

    def aligned(dims: Dims) -> _View:
        kept = [dims.index(dim) for dim in lowering.out_dims if dim in dims]
        others = [axis for axis in range(len(dims)) if axis not in kept]
        shape = [sizes[dim] if dim in dims else 1 for dim in lowering.out_dims]
        return _view([sizes[dim] for dim in dims], kept + others, shape)

    of_x, of_y = aligned(lowering.x_dims), aligned(lowering.y_dims)
    return lambda x, y: np.multiply(of_x(x), of_y(y))


def matrix_product(lowering: Lowering, sizes: _Sizes, multiply: Reading) -> Reading:
    """Multiply operands as matrices, or batches of them: merge the dims of each other role."""

    def matrices(dims: Dims, *groups: Dims) -> _View:
        axes = [dims.index(dim) for group in groups for dim in group]
        merged = [prod(sizes[dim] for dim in group) for group in groups]
        return _view([sizes[dim] for dim in dims], axes, merged)

    batch = lowering.batch
    # In the order of the larger operand, which then needs no copy.
    larger = max(
        lowering.x_dims, lowering.y_dims, key=lambda dims: prod(sizes[dim] for dim in dims)
    )
    contracted = tuple(dim for dim in larger if dim in lowering.contracted)
    # Merging batch dims may take a copy, but einsum needs an axis for each, and for a, b and c.
    batches = [(dim,) for dim in batch] if len(batch) + 3 <= _MAX_AXES else [batch]
    of_x = matrices(lowering.x_dims, *batches, lowering.x_free, contracted)
    of_y = matrices(lowering.y_dims, *batches, contracted, lowering.y_free)
    dims = batch + lowering.x_free + lowering.y_free
    shape, axes = [sizes[dim] for dim in dims], [dims.index(dim) for dim in lowering.out_dims]
    if axes == sorted(axes):
        return lambda x, y: multiply(of_x(x), of_y(y)).reshape(shape)
    return lambda x, y: multiply(of_x(x), of_y(y)).reshape(shape).transpose(axes)


def _view(shape: list[int], axes: list[int], new_shape: list[int]) -> _View:
    """Return a function that transposes and reshapes arrays of a shape, if they need it."""
    if shape == new_shape and axes == sorted(axes):
        return lambda array: array
    return lambda array: array.transpose(axes).reshape(new_shape)


def without_copies(lowering: Lowering, otherwise: Reading) -> Reading:
    """Multiply operands by the einsum of the lowering, which copies nothing.

    Where an operand is broadcast (a stride is 0), einsum sums the other one first; then this
    returns what `otherwise` does.
    """
    if len(lowering.all_dims) > EINSUM_SYMBOLS:
        return otherwise

    def read(x: Array, y: Array) -> Array:
        if 0 in x.strides or 0 in y.strides:
            return otherwise(x, y)
        return np.asarray(np.einsum(lowering.subscripts, x, y))

    return read


def _multiplication(kind: str, is_batched: bool) -> Reading:
    """Return the function that multiplies matrices, or batches of them, of a kind of dtype."""
    if kind == "b":
        return by_bools
    if kind in "iu":
        return by_integer_batches if is_batched else by_integers
    return by_batches if is_batched else np.ndarray.dot


def by_bools(x: Array, y: Array) -> Array:
    """Multiply matrices of bools, or batches of them: find out where there is a pair of Trues.

    Matmul stops at the first pair. Where pairs are rare, it is faster to count them with BLAS.
    """
    if min(x.shape[-2], y.shape[-1]) >= 8:
        density = np.count_nonzero(x) / x.size * np.count_nonzero(y) / y.size
        if density * x.shape[-1] < 32:
            return np.asarray(np.matmul(x.astype(np.float32), y.astype(np.float32)) > 0)
    return np.asarray(np.matmul(x, y))


def by_integers(x: Array, y: Array) -> Array:
    """Multiply two matrices of integers: BLAS has none, and einsum is faster than matmul.

    Its innermost loop is fast if it is long, and runs along a contiguous axis of both operands.
    """
    longest = max(x.shape[0], *y.shape)
    x_order = np.ascontiguousarray if longest in y.shape else np.asfortranarray
    y_order = np.ascontiguousarray if longest == y.shape[1] else np.asfortranarray
    return np.asarray(np.einsum("ab,bc->ac", x_order(x), y_order(y)))


def by_integer_batches(x: Array, y: Array) -> Array:
    """Multiply batches of matrices of integers: by matmul if they are small, or by einsum."""
    rows, terms, columns = *x.shape[-2:], y.shape[-1]
    if _is_batch_innermost(max(x, y, key=np.size)):
        return np.asarray(np.einsum("...ab,...bc->...ac", x, y))
    if rows * terms * columns <= 8 * FEW:
        return np.asarray(np.matmul(x, y))
    answer = np.empty((*x.shape[:-1], columns), x.dtype)
    for index in np.ndindex(x.shape[:-2]):
        answer[index] = by_integers(x[index], y[index])
    return answer


def by_batches(x: Array, y: Array) -> Array:
    """Multiply batches of matrices: by matmul, or by einsum if they are too small for it."""
    rows, terms, columns = *x.shape[-2:], y.shape[-1]
    copied = sum(data.size for data in (x, y) if _is_batch_innermost(data))  # by matmul
    are_small = 1 in (rows, columns) and rows * terms * columns <= 100
    # Where one operand is broadcast, einsum sums the other one first.
    is_broadcast = 0 in (x.strides[-1], y.strides[-2])
    if (are_small or x.size * columns < 4 * copied) and not is_broadcast:
        return np.asarray(np.einsum("...ab,...bc->...ac", x, y))
    return np.asarray(np.matmul(x, y))


def _is_batch_innermost(data: Array) -> bool:
    """Return whether the shortest stride of a batch of matrices is that of a batch dim."""
    pairs = zip(data.strides, data.shape, strict=True)
    strides = [abs(stride) if size > 1 else data.nbytes for stride, size in pairs]
    return min(strides[:-2]) < min(strides[-2:])


def by_einsum(x: Array, y: Array) -> Array:
    """Multiply complex matrices, or batches of them, product by product.

    BLAS multiplies a complex sum by 1 + 0j, so that infinity in one component makes both NaN.
    Einsum does not; but where one operand is broadcast, it sums the other one first.
    """
    x, y = np.ascontiguousarray(x), np.ascontiguousarray(y)
    return np.asarray(np.einsum("...ab,...bc->...ac", x, y))


# Sums over the dims that one operand has alone


def sums_last(lowering: Lowering, sizes: _Sizes, x_dtype: _DType, y_dtype: _DType) -> Reading:
    """Multiply, then sum over the dims that one operand has alone: quick for few products."""
    longer = lower(lowering.x_dims, lowering.y_dims, frozenset(lowering.contracted))
    read = _reading_of(longer, sizes, x_dtype, y_dtype)
    axes = tuple(map(longer.out_dims.index, lowering.x_summed + lowering.y_summed))

    def read_and_sum(x: Array, y: Array) -> Array:
        products = read(x, y)
        # The method `sum` takes longer.
        reduce: Any = np.add.reduce  # the types of some versions of NumPy do not admit this call
        total: Array = reduce(products, axes, products.dtype)
        return total

    return read_and_sum


def sums_first(
    lowering: Lowering, sizes: _Sizes, x_dtype: _DType, y_dtype: _DType, working: _DType
) -> Reading:
    """Sum over the dims that one operand has alone, then multiply; the sums may overflow."""
    x_axes = tuple(map(lowering.x_dims.index, lowering.x_summed))
    y_axes = tuple(map(lowering.y_dims.index, lowering.y_summed))
    x_dims = tuple(dim for dim in lowering.x_dims if dim not in lowering.x_summed)
    y_dims = tuple(dim for dim in lowering.y_dims if dim not in lowering.y_summed)
    shorter = lower(x_dims, y_dims, frozenset(lowering.contracted))
    dtypes = working if x_axes else x_dtype, working if y_axes else y_dtype
    read = _reading_of(shorter, sizes, *dtypes)

    return lambda x, y: read(_sum(x, x_axes, working), _sum(y, y_axes, working))


def _sum(data: Array, axes: tuple[int, ...], dtype: _DType) -> Array:
    """Sum over some axes: einsum takes less time for short innermost loops, and for integers.

    For long ones, `np.sum` rounds less.
    """
    if not axes:
        return data
    innermost = min(range(data.ndim), key=lambda axis: abs(data.strides[axis]))
    is_long = data.shape[innermost] >= 100 or len(axes) == data.ndim
    if (is_long and dtype.kind not in "iu") or data.ndim > EINSUM_SYMBOLS:
        return np.asarray(data.sum(axes, dtype=dtype))
    kept = [axis for axis in range(data.ndim) if axis not in axes]
    return np.asarray(np.einsum(data, range(data.ndim), kept, dtype=dtype, casting="unsafe"))


def _reading_of(lowering: Lowering, sizes: _Sizes, x_dtype: _DType, y_dtype: _DType) -> Reading:
    shapes = (tuple(sizes[dim] for dim in dims) for dims in (lowering.x_dims, lowering.y_dims))
    return reading(lowering, *shapes, x_dtype, y_dtype)


def by_components(lowering: Lowering, x: Array, y: Array) -> Array:
    """Evaluate a lowering on complex numbers as four real dots."""
    real = evaluate(lowering, x.real, y.real) - evaluate(lowering, x.imag, y.imag)
    answer = np.empty(real.shape, x.dtype)
    answer.real = real
    answer.imag = evaluate(lowering, x.real, y.imag) + evaluate(lowering, x.imag, y.real)
    return answer


def nonfinite_apart(lowering: Lowering, x: Array, y: Array) -> Array:
    """Evaluate a lowering on real numbers that are not all finite, or whose sums are not.

    Sums come first here, but (2 - 1) * inf differs from 2 * inf - 1 * inf. So the finite numbers
    are summed alone, and then two questions about the products are asked for each element. These
    are dots of bools, in which sums may come first.
    """
    finite_x, finite_y = (np.where(np.isfinite(data), data, 0) for data in (x, y))
    answer = finite_dot(lowering, finite_x, finite_y)
    has_plus, has_minus = has_infinity(lowering, x, y), has_infinity(lowering, -x, y)
    np.copyto(answer, np.inf, where=has_plus)
    np.copyto(answer, -np.inf, where=has_minus)
    np.copyto(answer, np.nan, where=has_plus & has_minus)
    return answer


def has_infinity(lowering: Lowering, x: Array, y: Array) -> Array:
    """Return which elements have a product that is +inf, or NaN."""

    def masks(data: Array) -> tuple[Array, Array, Array, Array]:
        # NaN is in all of them, and 0 in the last two.
        is_nan = np.isnan(data)
        return is_nan | (data == np.inf), is_nan | (data == -np.inf), ~(data < 0), ~(data > 0)

    x_plus, x_minus, x_nonnegative, x_nonpositive = masks(x)
    y_plus, y_minus, y_nonnegative, y_nonpositive = masks(y)
    return (
        evaluate(lowering, x_plus, y_nonnegative)
        | evaluate(lowering, x_minus, y_nonpositive)
        | evaluate(lowering, x_nonnegative, y_plus)
        | evaluate(lowering, x_nonpositive, y_minus)
    )


def finite_dot(lowering: Lowering, x: Array, y: Array) -> Array:
    """Evaluate a lowering on finite real numbers, of which sums may overflow, but no products.

    The large numbers are summed apart, scaled by a power of two, which rounds none of them.
    """
    sizes = dict(zip(lowering.x_dims + lowering.y_dims, x.shape + y.shape, strict=True))
    read = sums_first(lowering, sizes, x.dtype, y.dtype, x.dtype)
    parts = product(_summable(x), _summable(y))
    terms = (read(one, other) * (scale * more) for (one, scale), (other, more) in parts)
    return np.asarray(sum(terms))


def _summable(data: Array) -> list[tuple[Array, float]]:
    """Return arrays whose sums do not overflow, with the factors by which they add up to `data`."""
    large = np.abs(data) > np.sqrt(np.finfo(data.dtype).max)
    if not large.any():
        return [(data, 1.0)]
    scale = 2.0 ** data.size.bit_length()
    return [(np.where(large, 0, data), 1.0), (np.where(large, data, 0) / scale, scale)]
