"""The dot of two named tensors, and its derivatives, which are dots themselves."""

from functools import lru_cache
from typing import Any

import numpy as np

from refdot.errors import (
    CotangentError,
    DimNotFoundError,
    DTypeError,
    NoGradientError,
    SizeMismatchError,
)
from refdot.lowering import Dim, Dims, Lowering, dim_set, lower
from refdot.readings import Reading, reading, silently
from refdot.tensor import NamedTensor, check_tensors, silent

__all__ = ["dot", "dot_jvp", "dot_vjp", "pull_back"]

_NUMERIC = frozenset("?bhilqBHILQefdgFDG")
_CONTINUOUS = frozenset("efdgFDG")


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
    one, other = x.data, y.data
    read, out_dims = _prepared(
        x.dims, one.shape, one.dtype, y.dims, other.shape, other.dtype, dim_set(dim)
    )
    return NamedTensor.trusted(silently(read, one, other), out_dims)


@lru_cache(maxsize=4096)
def _prepared(
    x_dims: Dims,
    x_shape: tuple[int, ...],
    x_dtype: np.dtype[Any],
    y_dims: Dims,
    y_shape: tuple[int, ...],
    y_dtype: np.dtype[Any],
    dim: Dim,
) -> tuple[Reading, Dims]:
    """Return the function that computes a dot, and the dims of its result, after all checks."""
    x_sizes = dict(zip(x_dims, x_shape, strict=True))
    y_sizes = dict(zip(y_dims, y_shape, strict=True))
    lowering = checked_lowering(x_sizes, y_sizes, dim)
    for name, dtype in (("x", x_dtype), ("y", y_dtype)):
        if dtype.char not in _NUMERIC:
            raise DTypeError(name, dtype)
    return reading(lowering, x_shape, y_shape, x_dtype, y_dtype), lowering.out_dims


def checked_lowering(x_sizes: dict[str, int], y_sizes: dict[str, int], dim: Dim) -> Lowering:
    """Lower the dot of tensors with these sizes, after checking `dim` and the sizes (R2 to R4)."""
    try:
        lowering = lower(tuple(x_sizes), tuple(y_sizes), dim_set(dim))
    except DimNotFoundError as error:
        error.note_operands(x_sizes, y_sizes)
        raise
    x_shape, y_shape = tuple(x_sizes.values()), tuple(y_sizes.values())
    if any(x_shape[x_axis] != y_shape[y_axis] for x_axis, y_axis in lowering.shared_axes):
        raise SizeMismatchError(x_sizes, y_sizes)
    return lowering


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
    check_tensors("dot_jvp", x, y, x_dot, y_dot)
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
    check_tensors("dot_vjp", x, y, cotangent)
    _check_continuous(x, y)
    lowering = checked_lowering(x.sizes, y.sizes, dim)
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
