"""The operations of programs, and the types of their results.

The type of a value is an `Operand`: dims, sizes, dtype, and which sizes are static. An operation
whose result has all dims of two operands aligns them by name; a shared dim has one size (R4), and
size 1 does not broadcast.

`power` is the operation that a norm needs: its exponent is a constant, so it is a square, a square
root, a reciprocal or 1/√x, and its derivative is made of `power`, `scale` and `multiply`.
`broadcast_like` and `place` are the transposes of `sum` and `isel`, which gradients need.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import EllipsisType
from typing import Any, TypeAlias

import numpy as np

from refdot.cases.case import Operand
from refdot.errors import DimNameError, DimNotFoundError, SizeMismatchError
from refdot.lowering import dim_names, dim_set, lower_dot
from refdot.text import counted, one_line

__all__ = ["OPERATIONS", "Operation", "Parameter", "ProgramError", "dims_of", "result_type"]

# None, a number, dims, or pairs of a dim and a new name or an index.
Parameter: TypeAlias = Any
_Rule: TypeAlias = Callable[..., Operand]


class ProgramError(ValueError):
    """A program that is not well-formed, for a reason that is not one of the rules of a dot."""


@dataclass(frozen=True)
class Operation:
    """An operation.

    Attributes
    ----------
    arity : int
        The number of its arguments.
    parameter : str
        The kind of its parameter: "" (none), "dim" (None, or the dims to reduce), "dims" (every
        dim, in order), "names" (pairs of a dim and its new name), "indices" (pairs of a dim and
        an index) or "number".
    rule : callable
        A function of the types of the arguments and the parameter that returns the type of the
        result, or raises the error of the rule that they break.
    """

    arity: int
    parameter: str
    rule: _Rule


def result_type(operation: str, operands: Sequence[Operand], parameter: Parameter) -> Operand:
    """Return the type of the result of an operation.

    Raises
    ------
    DotError
        The dims, the sizes or the parameter break a rule, R1 to R4.
    ProgramError
        The number of arguments or the parameter is wrong.

    Examples
    --------
    >>> from refdot.cases.notation import operand
    >>> print(result_type("add", [operand("a:2? b:3"), operand("b:3 c:4")], None))
    float64(a: 2?, b: 3, c: 4)
    """
    known = OPERATIONS[operation]
    if len(operands) != known.arity:
        wanted = counted(known.arity, "argument")
        raise ProgramError(f"{operation} takes {wanted}, got {len(operands)}")
    description, is_valid = _PARAMETERS[known.parameter]
    if not is_valid(parameter):
        raise ProgramError(f"{operation} takes {description}, got {one_line(parameter)}")
    return known.rule(*operands, parameter)


def _is_tuple(parameter: Any) -> bool:
    return isinstance(parameter, tuple)


def _is_pairs(parameter: Any, value: type) -> bool:
    return isinstance(parameter, tuple) and all(
        isinstance(pair, tuple) and list(map(type, pair)) == [str, value] for pair in parameter
    )


def _is_number(parameter: Any) -> bool:
    return type(parameter) in (int, float) and abs(parameter) < 2**63


# For each kind of parameter: its description, and a predicate.
_PARAMETERS: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "": ("no parameter", lambda value: value is None),
    # A dim of another type breaks R2, and `dim_set` raises its error.
    "dim": ("None or a tuple of dims", lambda value: dim_set(value) is None or _is_tuple(value)),
    "dims": ("a tuple of dims", _is_tuple),
    "names": ("a new name for each of some dims", lambda value: _is_pairs(value, str)),
    "indices": ("an integer for each of some dims", lambda value: _is_pairs(value, int)),
    "number": ("a number below 2**63", _is_number),
}


def dims_of(operand: Operand, dim: Sequence[str] | None) -> tuple[str, ...]:
    """Return the dims that an operation reduces, in the order of the operand; None means all."""
    names = dim_set(dim)
    if names is None or isinstance(names, EllipsisType):
        return operand.dims
    _check_dims(operand, names)
    return tuple(name for name in operand.dims if name in names)


def _check_dims(operand: Operand, names: Iterable[str]) -> None:
    if missing := [name for name in names if name not in operand.dims]:
        raise DimNotFoundError(missing, operand.dims)


def _typed(dims: Iterable[str], dtype: Any, *operands: Operand) -> Operand:
    """Return a type whose sizes are those of some operands, static if one of them knows it."""
    dims = tuple(dims)
    sizes = {dim: size for each in operands for dim, size in each.sizes.items()}
    static = {
        dim for each in operands for dim, size in each.static_sizes.items() if size is not None
    }
    shape = tuple(sizes[dim] for dim in dims)
    return Operand(dims, shape, str(dtype), tuple(dim in static for dim in dims))


def _check_sizes(x: Operand, y: Operand) -> None:
    if any(y.sizes.get(dim, size) != size for dim, size in x.sizes.items()):
        raise SizeMismatchError(x.sizes, y.sizes)


def _common_dtype(*dtypes: Any) -> np.dtype[Any]:
    return np.result_type(*(np.dtype(each) if isinstance(each, str) else each for each in dtypes))


def _floating(dtype: str) -> np.dtype[Any]:
    """Return the dtype of a function of real numbers: integers become float64."""
    return _common_dtype(dtype) if np.dtype(dtype).kind == "f" else np.dtype("float64")


def _dot(x: Operand, y: Operand, dim: Sequence[str] | None) -> Operand:
    lowering = lower_dot(x.dims, y.dims, dim)
    _check_sizes(x, y)
    return _typed(lowering.out_dims, _common_dtype(x.dtype, y.dtype), x, y)


def _combine(x: Operand, y: Operand, _: None) -> Operand:
    _check_sizes(x, y)
    return _typed(dict.fromkeys(x.dims + y.dims), _common_dtype(x.dtype, y.dtype), x, y)


def _divide(x: Operand, y: Operand, _: None) -> Operand:
    combined = _combine(x, y, None)
    return _typed(combined.dims, _floating(combined.dtype), combined)


def _same(x: Operand, _: None) -> Operand:
    return _typed(x.dims, x.dtype, x)


def _real_function(x: Operand, _: None) -> Operand:
    return _typed(x.dims, _floating(x.dtype), x)


def _sum(x: Operand, dim: Sequence[str] | None) -> Operand:
    summed = dims_of(x, dim)
    return _typed((name for name in x.dims if name not in summed), x.dtype, x)


def _softmax(x: Operand, dim: Sequence[str] | None) -> Operand:
    dims_of(x, dim)
    return _real_function(x, None)


def _transpose(x: Operand, dims: Sequence[str]) -> Operand:
    _check_dims(x, dims)
    if sorted(dims) != sorted(x.dims):
        raise DimNameError("transpose needs each dim once", "tensor", dims)
    return _typed(dims, x.dtype, x)


def _rename(x: Operand, names: Sequence[tuple[str, str]]) -> Operand:
    new = dict(names)
    _check_dims(x, new)
    every = dict(zip(x.dims, x.dims, strict=True)) | new
    dims = dim_names([every[dim] for dim in x.dims])
    return Operand(dims, x.shape, x.dtype, x.static)


def _isel(x: Operand, indices: Sequence[tuple[str, int]]) -> Operand:
    removed = _checked_indices(x, indices)
    return _typed((dim for dim in x.dims if dim not in removed), x.dtype, x)


def _checked_indices(x: Operand, indices: Sequence[tuple[str, int]]) -> Mapping[str, int]:
    chosen = dict(indices)
    _check_dims(x, chosen)
    for dim, index in chosen.items():
        size = x.sizes[dim]
        if not -size <= index < size:
            raise ProgramError(f"Index {index} is out of range for dim {dim!r} of size {size}")
    return chosen


def _place(x: Operand, like: Operand, indices: Sequence[tuple[str, int]]) -> Operand:
    rest = _isel(like, indices)
    if x.sizes != rest.sizes or x.dims != rest.dims:
        raise ProgramError(f"place needs the dims and sizes of {rest}, got {x}")
    return _typed(like.dims, x.dtype, like, x)


def _broadcast_like(x: Operand, like: Operand, _: None) -> Operand:
    _check_dims(like, x.dims)
    _check_sizes(x, like)
    return _typed(like.dims, x.dtype, x, like)


def _scale(x: Operand, factor: float) -> Operand:
    dtype = x.dtype if isinstance(factor, int) else _floating(x.dtype)
    return _typed(x.dims, dtype, x)


def _power(x: Operand, exponent: float) -> Operand:
    if exponent in (0, 1):
        raise ProgramError(f"power needs an exponent other than 0 and 1, got {exponent}")
    return _real_function(x, None)


OPERATIONS: dict[str, Operation] = {
    "dot": Operation(2, "dim", _dot),
    "add": Operation(2, "", _combine),
    "subtract": Operation(2, "", _combine),
    "multiply": Operation(2, "", _combine),
    "divide": Operation(2, "", _divide),
    "negative": Operation(1, "", _same),
    "exp": Operation(1, "", _real_function),
    "power": Operation(1, "number", _power),
    "scale": Operation(1, "number", _scale),
    "sum": Operation(1, "dim", _sum),
    "softmax": Operation(1, "dim", _softmax),
    "transpose": Operation(1, "dims", _transpose),
    "rename": Operation(1, "names", _rename),
    "isel": Operation(1, "indices", _isel),
    "place": Operation(2, "indices", _place),
    "broadcast_like": Operation(2, "", _broadcast_like),
}
