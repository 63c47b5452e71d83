"""Evaluates a lowering: dot, and its derivatives, which are dots again."""

from __future__ import annotations

from math import prod

import numpy as np

from refdot.errors import (
    CotangentError,
    DimNotFoundError,
    DTypeError,
    NoGradientError,
    SizeMismatchError,
)
from refdot.lowering import Dim, Lowering, dim_set, lower
from refdot.tensor import Array, NamedTensor

__all__ = ["dot", "dot_jvp", "dot_vjp", "evaluate", "pull_back"]


_NUMERIC = frozenset("?bhilqBHILQefdgFDG")
_CONTINUOUS = frozenset("efdgFDG")
_EINSUM_SYMBOLS = 52
# Multiply-adds from which BLAS earns back what aligning the operands for it costs.
WORTH_A_MATMUL = 1 << 15


def dot(x: NamedTensor, y: NamedTensor, dim: Dim = None) -> NamedTensor:
    """Multiply two tensors, aligned by name, and sum over `dim`.

    Parameters
    ----------
    x, y : NamedTensor
        Operands of any shapes in which the dims that both have are of one size, and of any bool,
        integer, floating-point or complex dtypes.
    dim : None, ..., str or iterable of str, optional
        What to sum over. None: every dim that both operands have; `...`: every dim there is;
        otherwise the dims named.

    Returns
    -------
    NamedTensor
        Dims: x's in order, then those that only y has, less those summed over (R5). Dtype:
        `np.result_type(x, y)`, also while accumulating (R7). Shares no memory with x or y (R12).

    Raises
    ------
    DimTypeError, DimNotFoundError
        R2, R3: `dim` is of the wrong type, or names something that neither operand has.
    SizeMismatchError
        R4: a dim that both operands have is of two sizes.
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
    if x.data.dtype.char not in _NUMERIC:
        raise DTypeError("x", x.data.dtype)
    if y.data.dtype.char not in _NUMERIC:
        raise DTypeError("y", y.data.dtype)
    return NamedTensor.trusted(evaluate(lowering, x.data, y.data), lowering.out_dims)


def checked_lowering(x: NamedTensor, y: NamedTensor, dim: Dim) -> Lowering:
    """Lower a dot of two tensors, if `dim` and their sizes are right (R2 to R4)."""
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
    """Evaluate a lowering on arrays whose sizes have been checked.

    One of two readings of the same lowering: the einsum that it spells, or for much work in a
    floating-point dtype one (batched) matrix product, so that BLAS does it.

    Parameters
    ----------
    lowering : Lowering
    x, y : ndarray
        Axes as `lowering.x_dims` and `lowering.y_dims`.

    Returns
    -------
    ndarray
        Axes as `lowering.out_dims`, dtype `np.result_type(x, y)`, new memory.
    """
    if not (x.size and y.size):
        # Nothing to add up, or nowhere to put it. Einsum would multiply 0 by what there is.
        sizes = _sizes_of(lowering, x, y)
        return np.zeros([sizes[dim] for dim in lowering.out_dims], np.result_type(x, y))
    if len(lowering.x_dims) + len(lowering.y_dims) > _EINSUM_SYMBOLS:
        return _as_einsum_of_long_dims(lowering, x, y)
    if (lowering.x_summed or lowering.y_summed) and not _may_sum_first(x, y):
        return _as_contractions_alone(lowering, x, y)
    if (
        lowering.contracted
        and x.size * y.size >= WORTH_A_MATMUL
        and _worth_a_matmul(lowering, x, y)
    ):
        return as_matmul(lowering, x, y)
    return np.asarray(np.einsum(lowering.subscripts, x, y))


def _sizes_of(lowering: Lowering, x: Array, y: Array) -> dict[str, int]:
    """Give the size of every dim."""
    x_sizes = dict(zip(lowering.x_dims, x.shape, strict=True))
    return x_sizes | dict(zip(lowering.y_dims, y.shape, strict=True))


def _worth_a_matmul(lowering: Lowering, x: Array, y: Array) -> bool:
    """Whether BLAS would do this lowering faster."""
    if x.dtype.char not in "fdFD" or y.dtype.char != x.dtype.char:
        return False
    y_free = prod(y.shape[lowering.y_dims.index(dim)] for dim in lowering.y_free)
    return x.size * y_free >= WORTH_A_MATMUL


def _may_sum_first(x: Array, y: Array) -> bool:
    """Whether a dim may be summed alone before the product is taken.

    That is right for numbers only: (1 - 1) * inf is not inf - inf, and a sum of large numbers can
    overflow where a sum of their small products does not.
    """
    if x.dtype.kind not in "fc" and y.dtype.kind not in "fc":
        return True
    with np.errstate(all="ignore"):
        return all(bool(np.isfinite(np.abs(operand).sum())) for operand in (x, y))


def _as_contractions_alone(lowering: Lowering, x: Array, y: Array) -> Array:
    """Read a lowering with no dim summed alone: the other operand is spread over each such dim.

    Einsum too sums such a dim before it multiplies, unless the other operand has it in memory.
    """
    sizes = _sizes_of(lowering, x, y)

    def spread(operand: Array, absent: tuple[str, ...]) -> Array:
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
    """Read a lowering as a batched matrix product: (batch, free, contracted) by the like."""
    x, x_dims = sum_over(x, lowering.x_dims, lowering.x_summed)
    y, y_dims = sum_over(y, lowering.y_dims, lowering.y_summed)
    x_sizes = dict(zip(x_dims, x.shape, strict=True))
    y_sizes = dict(zip(y_dims, y.shape, strict=True))
    batch, contracted = lowering.batch, lowering.contracted

    def extent(dims: tuple[str, ...], sizes: dict[str, int]) -> int:
        return prod(sizes[dim] for dim in dims)

    def aligned(
        operand: Array, dims: tuple[str, ...], rows: tuple[str, ...], columns: tuple[str, ...]
    ) -> Array:
        sizes = dict(zip(dims, operand.shape, strict=True))
        order = [dims.index(dim) for dim in batch + rows + columns]
        return operand.transpose(order).reshape(
            *(sizes[dim] for dim in batch), extent(rows, sizes), extent(columns, sizes)
        )

    # Einsum does not warn of what overflows or is not a number; neither shall this reading.
    with np.errstate(all="ignore"):
        product: Array = np.matmul(
            aligned(x, x_dims, lowering.x_free, contracted),
            aligned(y, y_dims, contracted, lowering.y_free),
        )
    sizes = x_sizes | y_sizes
    dims = batch + lowering.x_free + lowering.y_free
    order = [dims.index(dim) for dim in lowering.out_dims]
    return product.reshape([sizes[dim] for dim in dims]).transpose(order)


def sum_over(
    operand: Array, dims: tuple[str, ...], summed: tuple[str, ...]
) -> tuple[Array, tuple[str, ...]]:
    """Sum over some dims of an operand that BLAS knows; give what is left, and its dims."""
    if not summed:
        return operand, dims
    axes = tuple(dims.index(dim) for dim in summed)
    kept = tuple(dim for dim in dims if dim not in summed)
    return np.asarray(operand.sum(axis=axes)), kept


def _as_einsum_of_long_dims(lowering: Lowering, x: Array, y: Array) -> Array:
    """Read a lowering as the einsum of those dims alone whose size is not 1 (R11).

    Einsum's symbols end at 52, but a dim of size 1 needs none: it adds neither a product nor a
    place. What still has more than 52 dims of size 2 and above does not fit into any memory.
    """
    sizes = _sizes_of(lowering, x, y)
    shape = [sizes[dim] for dim in lowering.out_dims]

    def long(dims: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(dim for dim in dims if sizes[dim] != 1)

    summed_over = frozenset(sizes).difference(lowering.out_dims)
    short = lower(long(lowering.x_dims), long(lowering.y_dims), frozenset(long(tuple(summed_over))))
    return evaluate(short, x.squeeze(), y.squeeze()).reshape(shape)


def dot_jvp(
    x: NamedTensor,
    y: NamedTensor,
    x_dot: NamedTensor,
    y_dot: NamedTensor,
    dim: Dim = None,
) -> NamedTensor:
    """Push tangents through a dot: `dot(x_dot, y) + dot(x, y_dot)`, for dot is bilinear (R8).

    Parameters
    ----------
    x, y : NamedTensor
        The primals, of floating-point or complex dtypes.
    x_dot, y_dot : NamedTensor
        Their tangents, of the same dims (in any order) and sizes.
    dim : None, ..., str or iterable of str, optional
        As for `dot`.

    Returns
    -------
    NamedTensor
        The tangent of `dot(x, y, dim)`, of the same dims.

    Raises
    ------
    NoGradientError, CotangentError
        R8: an operand is of a discrete dtype, or a tangent is not of its primal's shape.

    Examples
    --------
    >>> x = NamedTensor([1.0, 2.0], "a")
    >>> y = NamedTensor([3.0, 4.0], "a")
    >>> x_dot, y_dot = NamedTensor([1.0, 0.0], "a"), NamedTensor([0.0, 1.0], "a")
    >>> float(dot_jvp(x, y, x_dot, y_dot).data)
    5.0
    """
    dim = dim_set(dim)  # an iterator can be read once only
    _check_continuous(x, y)
    x_dot = _aligned_to(x_dot, x, "the tangent of x", "x")
    y_dot = _aligned_to(y_dot, y, "the tangent of y", "y")
    from_x, from_y = dot(x_dot, y, dim), dot(x, y_dot, dim)
    return NamedTensor.trusted(np.asarray(from_x.data + from_y.data), from_x.dims)


def dot_vjp(
    x: NamedTensor, y: NamedTensor, cotangent: NamedTensor, dim: Dim = None
) -> tuple[NamedTensor, NamedTensor]:
    """Pull a cotangent back through a dot, to both operands (R8).

    The cotangent of x is again a dot: of the cotangent with y, over the dims that x lacks,
    spread over the dims of x that were summed alone. For y likewise. No complex conjugate is
    taken: this is the transpose of a linear map, as in JAX; a real operand beside a complex one
    gets the real part.

    Parameters
    ----------
    x, y : NamedTensor
        The primals, of floating-point or complex dtypes.
    cotangent : NamedTensor
        Of the dims (in any order) and sizes of `dot(x, y, dim)`.
    dim : None, ..., str or iterable of str, optional
        As for `dot`.

    Returns
    -------
    x_bar, y_bar : NamedTensor
        Of the dims, in order, the sizes and the dtype of x and y. If both operands are one
        variable, its cotangent is their sum.

    Raises
    ------
    NoGradientError, CotangentError
        R8: an operand is of a discrete dtype, or the cotangent is not of the output's shape.

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
    out_shape = tuple(sizes[dim] for dim in lowering.out_dims)
    out = NamedTensor.trusted(np.broadcast_to(0.0, out_shape), lowering.out_dims)
    cotangent = _aligned_to(cotangent, out, "the cotangent", "the output")
    return pull_back(cotangent, y, x), pull_back(cotangent, x, y)


def pull_back(cotangent: NamedTensor, other: NamedTensor, operand: NamedTensor) -> NamedTensor:
    """Give the cotangent of one operand, from the output's and the other operand."""
    there = set(cotangent.dims) | set(other.dims)
    product = dot(cotangent, other, there.difference(operand.dims))
    summed_alone = [dim for dim in operand.dims if dim not in product.dims]
    order = [product.dims.index(dim) for dim in operand.dims if dim in product.dims]
    aligned = np.expand_dims(
        product.data.transpose(order), tuple(operand.dims.index(dim) for dim in summed_alone)
    )
    if operand.dtype.kind != "c":
        aligned = aligned.real
    spread = np.broadcast_to(aligned, operand.shape).astype(operand.dtype)
    return NamedTensor.trusted(spread, operand.dims)


def _check_continuous(x: NamedTensor, y: NamedTensor) -> None:
    """Refuse the gradient of operands that cannot vary continuously (R8)."""
    for name, operand in (("x", x), ("y", y)):
        if operand.dtype.char not in _CONTINUOUS:
            raise NoGradientError(name, operand.dtype)


def _aligned_to(tensor: NamedTensor, primal: NamedTensor, name: str, of: str) -> NamedTensor:
    """Transpose a tangent or cotangent to its primal's dims, if it is of its primal's shape."""
    if tensor.sizes != primal.sizes:
        raise CotangentError(name, tensor.sizes, of, primal.sizes)
    return tensor.transpose(*primal.dims)
