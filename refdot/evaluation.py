"""The dot of two named tensors, and its derivatives, which are dots themselves."""

from math import prod

import numpy as np

from refdot.errors import (
    CotangentError,
    DimNotFoundError,
    DTypeError,
    NoGradientError,
    SizeMismatchError,
)
from refdot.lowering import EINSUM_SYMBOLS, Dim, Dims, Lowering, dim_set, lower
from refdot.tensor import Array, NamedTensor, silent

__all__ = ["dot", "dot_jvp", "dot_vjp", "evaluate", "pull_back"]

_NUMERIC = frozenset("?bhilqBHILQefdgFDG")
_CONTINUOUS = frozenset("efdgFDG")
# From this number of multiplications on, BLAS saves more time than aligning the operands costs.
MATMUL_THRESHOLD = 1 << 15


@silent
def dot(x: NamedTensor, y: NamedTensor, dim: Dim = None) -> NamedTensor:
    """Multiply two tensors, aligned by the names of their dims, and sum over `dim`.

    Parameters
    ----------
    x, y : NamedTensor
        The operands, of bool, integer, floating-point or complex dtypes.
    dim : None, ..., str or iterable of str, optional
        The dims to sum over. None means every dim in both operands, and `...` means every dim.

    Returns
    -------
    NamedTensor
        Its dims are x's dims, then the dims only in y, without those summed over (R5). Its dtype
        is `np.result_type(x, y)` (R7). It shares no memory with x or y (R12).

    Raises
    ------
    DimTypeError, DimNotFoundError
        R2, R3: `dim` has the wrong type, or has a name that is not a dim of either operand.
    SizeMismatchError
        R4: a dim in both operands has two sizes.
    DTypeError
        R7: an operand is neither numeric nor bool.

    Examples
    --------
    >>> x = NamedTensor(np.array([[1, 2, 3], [4, 5, 6]]), ("time", "embd"))
    >>> w = NamedTensor(np.array([[1, 0], [0, 1], [1, 1]]), ("embd", "head"))
    >>> dot(x, w)
    NamedTensor(time: 2, head: 2; int64)
    [[ 4  5]
     [10 11]]
    >>> dot(x, w, dim=("time", "embd"))
    NamedTensor(head: 2; int64)
    [14 16]
    """
    if not (isinstance(x, NamedTensor) and isinstance(y, NamedTensor)):
        wrong = type(y if isinstance(x, NamedTensor) else x).__name__
        raise TypeError(f"dot takes two NamedTensors, got {wrong}")
    lowering = checked_lowering(x, y, dim)
    for name, operand in (("x", x), ("y", y)):
        if operand.data.dtype.char not in _NUMERIC:
            raise DTypeError(name, operand.data.dtype)
    return NamedTensor.trusted(evaluate(lowering, x.data, y.data), lowering.out_dims)


def checked_lowering(x: NamedTensor, y: NamedTensor, dim: Dim) -> Lowering:
    """Lower the dot of two tensors, after checking `dim` and the sizes (R2 to R4)."""
    try:
        lowering = lower(x.dims, y.dims, dim_set(dim))
    except DimNotFoundError as error:
        error.note_operands(x.sizes, y.sizes)
        raise
    x_shape, y_shape = x.data.shape, y.data.shape
    for x_axis, y_axis in lowering.shared_axes:
        if x_shape[x_axis] != y_shape[y_axis]:
            raise SizeMismatchError(x.sizes, y.sizes)
    return lowering


def evaluate(lowering: Lowering, x: Array, y: Array) -> Array:
    """Evaluate a lowering on arrays whose sizes agree; the axes of the result are `out_dims`.

    The result is that of its einsum. For large floating-point operands, one (batched) matrix
    product computes it, so that BLAS does the work.
    """
    if not (x.size and y.size):
        # An empty sum is 0, but einsum may multiply it by infinity.
        sizes = _sizes_of(lowering, x, y)
        return np.zeros([sizes[dim] for dim in lowering.out_dims], np.result_type(x, y))
    if len(lowering.x_dims) + len(lowering.y_dims) > EINSUM_SYMBOLS:
        return _evaluate_without_unit_dims(lowering, x, y)
    # Einsum sums a dim of one operand first if the other one lacks it, or repeats itself along it.
    sums_first = lowering.x_summed or lowering.y_summed or 0 in x.strides or 0 in y.strides
    if sums_first and not _may_sum_first(x, y):
        return _evaluate_product_first(lowering, x, y)
    if _is_matmul_faster(lowering, x, y):
        product = as_matmul(lowering, x, y)
        # BLAS multiplies a complex sum by 1 + 0j, so that infinity in one component makes both NaN.
        if x.dtype.kind == "f" or np.isfinite(product).all():
            return product
    return np.asarray(np.einsum(lowering.subscripts, x, y))


def _sizes_of(lowering: Lowering, x: Array, y: Array) -> dict[str, int]:
    return dict(zip(lowering.x_dims + lowering.y_dims, x.shape + y.shape, strict=True))


def _is_matmul_faster(lowering: Lowering, x: Array, y: Array) -> bool:
    # First an upper bound on the work, since it is quick to compute.
    if not lowering.contracted or x.size * y.size < MATMUL_THRESHOLD:
        return False
    if x.dtype.char not in "fdFD" or y.dtype.char != x.dtype.char:
        return False
    y_free = prod(y.shape[lowering.y_dims.index(dim)] for dim in lowering.y_free)
    return x.size * y_free >= MATMUL_THRESHOLD


def _may_sum_first(x: Array, y: Array) -> bool:
    """Return whether a dim of one operand may be summed over before multiplying.

    This changes the result if a value is not finite, since (1 - 1) * inf differs from inf - inf,
    or if a sum of values overflows where the sum of their products does not.
    """
    if x.dtype.kind not in "fc" and y.dtype.kind not in "fc":
        return True
    return all(bool(np.isfinite(np.abs(operand).sum())) for operand in (x, y))


def _evaluate_product_first(lowering: Lowering, x: Array, y: Array) -> Array:
    """Evaluate a lowering with every product taken before any sum.

    Einsum may sum over a dim of one operand before it multiplies. So this repeats the other operand
    along each such dim first, which makes it a contracted dim.
    """
    sizes = _sizes_of(lowering, x, y)

    def spread(operand: Array, absent: Dims) -> Array:
        shape = (*operand.shape, *(sizes[dim] for dim in absent))
        axes = tuple(range(operand.ndim, len(shape)))
        return np.broadcast_to(np.expand_dims(operand, axes), shape).copy()

    contracting = lower(
        lowering.x_dims + lowering.y_summed,
        lowering.y_dims + lowering.x_summed,
        frozenset(sizes).difference(lowering.out_dims),
    )
    return evaluate(contracting, spread(x, lowering.y_summed), spread(y, lowering.x_summed))


def as_matmul(lowering: Lowering, x: Array, y: Array) -> Array:
    """Evaluate as a matrix product: (batch, x free, contracted) by (batch, contracted, y free)."""
    sizes = _sizes_of(lowering, x, y)
    x, x_dims = sum_over(x, lowering.x_dims, lowering.x_summed)
    y, y_dims = sum_over(y, lowering.y_dims, lowering.y_summed)
    batch, contracted = lowering.batch, lowering.contracted

    def matrices(operand: Array, dims: Dims, rows: Dims, columns: Dims) -> Array:
        order = [dims.index(dim) for dim in batch + rows + columns]
        extents = [prod(sizes[dim] for dim in group) for group in (rows, columns)]
        return operand.transpose(order).reshape(*(sizes[dim] for dim in batch), *extents)

    product: Array = np.matmul(
        matrices(x, x_dims, lowering.x_free, contracted),
        matrices(y, y_dims, contracted, lowering.y_free),
    )
    dims = batch + lowering.x_free + lowering.y_free
    order = [dims.index(dim) for dim in lowering.out_dims]
    return product.reshape([sizes[dim] for dim in dims]).transpose(order)


def sum_over(operand: Array, dims: Dims, summed: Dims) -> tuple[Array, Dims]:
    """Sum over some dims of a floating-point array; return the sums and the remaining dims."""
    if not summed:
        return operand, dims
    axes = tuple(dims.index(dim) for dim in summed)
    return np.asarray(operand.sum(axis=axes)), tuple(dim for dim in dims if dim not in summed)


def _evaluate_without_unit_dims(lowering: Lowering, x: Array, y: Array) -> Array:
    """Evaluate a lowering without its dims of size 1, since einsum has only 52 symbols (R11).

    An array with more than 52 dims of size 2 or more would not fit into memory.
    """
    sizes = _sizes_of(lowering, x, y)
    x_dims, y_dims = (
        tuple(dim for dim in dims if sizes[dim] != 1) for dims in (lowering.x_dims, lowering.y_dims)
    )
    shorter = lower(x_dims, y_dims, frozenset(x_dims + y_dims).difference(lowering.out_dims))
    out_shape = [sizes[dim] for dim in lowering.out_dims]
    return evaluate(shorter, x.squeeze(), y.squeeze()).reshape(out_shape)


@silent
def dot_jvp(
    x: NamedTensor, y: NamedTensor, x_dot: NamedTensor, y_dot: NamedTensor, dim: Dim = None
) -> NamedTensor:
    """Push tangents through a dot: `dot(x_dot, y) + dot(x, y_dot)`, since dot is bilinear (R8).

    Parameters
    ----------
    x, y : NamedTensor
        The primals, of floating-point or complex dtypes.
    x_dot, y_dot : NamedTensor
        The tangents of x and y, with the same dims (in any order) and sizes.
    dim : None, ..., str or iterable of str, optional
        As for `dot`.

    Returns
    -------
    NamedTensor
        The tangent of `dot(x, y, dim)`, with the same dims.

    Raises
    ------
    NoGradientError, CotangentError
        R8: an operand is integer or bool, or a tangent does not have the shape of its primal.

    Examples
    --------
    >>> x = NamedTensor([1.0, 2.0], "a")
    >>> y = NamedTensor([3.0, 4.0], "a")
    >>> x_dot, y_dot = NamedTensor([1.0, 0.0], "a"), NamedTensor([0.0, 1.0], "a")
    >>> float(dot_jvp(x, y, x_dot, y_dot).data)
    5.0
    """
    dim = dim_set(dim)  # an iterator can be read only once
    _check_continuous(x, y)
    x_dot = _aligned(x_dot, x.sizes, "the tangent of x", "x")
    y_dot = _aligned(y_dot, y.sizes, "the tangent of y", "y")
    from_x, from_y = dot(x_dot, y, dim), dot(x, y_dot, dim)
    return NamedTensor.trusted(np.asarray(from_x.data + from_y.data), from_x.dims)


@silent
def dot_vjp(
    x: NamedTensor, y: NamedTensor, cotangent: NamedTensor, dim: Dim = None
) -> tuple[NamedTensor, NamedTensor]:
    """Pull a cotangent back through a dot, to both operands (R8).

    The cotangent of x is itself a dot: the dot of `cotangent` and y over the dims that are not in
    x, broadcast over the dims that were summed over in x alone. The cotangent of y is analogous.
    No complex conjugate is taken, since this is the transpose of a linear map, as in JAX. If one
    operand is real and the other complex, the real one gets the real part.

    Parameters
    ----------
    x, y : NamedTensor
        The primals, of floating-point or complex dtypes.
    cotangent : NamedTensor
        The cotangent of `dot(x, y, dim)`, with the same dims (in any order) and sizes.
    dim : None, ..., str or iterable of str, optional
        As for `dot`.

    Returns
    -------
    x_bar, y_bar : NamedTensor
        The cotangents of x and y, with the same dims (in order), sizes and dtypes. If x and y are
        the same variable, its cotangent is the sum of the two.

    Raises
    ------
    NoGradientError, CotangentError
        R8: an operand is integer or bool, or the cotangent does not have the output's shape.

    Examples
    --------
    >>> x = NamedTensor([[1.0, 2.0], [3.0, 4.0]], ("a", "b"))
    >>> y = NamedTensor([5.0, 6.0], "b")
    >>> x_bar, y_bar = dot_vjp(x, y, NamedTensor([1.0, 10.0], "a"))
    >>> x_bar.data.tolist(), y_bar.data.tolist()
    ([[5.0, 6.0], [50.0, 60.0]], [31.0, 42.0])
    """
    _check_continuous(x, y)
    lowering = checked_lowering(x, y, dim)
    sizes = x.sizes | y.sizes
    out_sizes = {dim: sizes[dim] for dim in lowering.out_dims}
    cotangent = _aligned(cotangent, out_sizes, "the cotangent", "the output")
    return pull_back(cotangent, y, x), pull_back(cotangent, x, y)


def pull_back(cotangent: NamedTensor, other: NamedTensor, operand: NamedTensor) -> NamedTensor:
    """Return the cotangent of an operand, given the output's cotangent and the other operand."""
    if operand.dtype.kind != "c":
        cotangent, other = real_factors(cotangent, other)
    product = dot(cotangent, other, {*cotangent.dims, *other.dims}.difference(operand.dims))
    order = [product.dims.index(dim) for dim in operand.dims if dim in product.dims]
    absent = tuple(axis for axis, dim in enumerate(operand.dims) if dim not in product.dims)
    aligned = np.expand_dims(product.data.transpose(order), absent)
    if operand.dtype.kind != "c":
        aligned = aligned.real
    spread = np.broadcast_to(aligned, operand.shape).astype(operand.dtype.newbyteorder("="))
    return NamedTensor.trusted(spread, operand.dims)


def real_factors(one: NamedTensor, other: NamedTensor) -> tuple[NamedTensor, NamedTensor]:
    """Return factors whose products have the same real parts, without parts that do not matter.

    Beside a real factor, an infinite imaginary part would turn the real part into NaN.
    """
    if one.dtype.kind == other.dtype.kind == "c":
        return one, other
    one, other = (NamedTensor.trusted(each.data.real, each.dims) for each in (one, other))
    return one, other


def _check_continuous(x: NamedTensor, y: NamedTensor) -> None:
    for name, operand in (("x", x), ("y", y)):
        if operand.dtype.char not in _CONTINUOUS:
            raise NoGradientError(name, operand.dtype)


def _aligned(tensor: NamedTensor, sizes: dict[str, int], name: str, of: str) -> NamedTensor:
    """Transpose a tangent or cotangent to the shape of its primal, after checking it (R8)."""
    if tensor.sizes != sizes:
        raise CotangentError(name, tensor.sizes, of, sizes)
    return tensor.transpose(*sizes)
