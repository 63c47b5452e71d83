"""The estimates of operations that move elements and do not round."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from refdot.cases.case import Operand
from refdot.programs.estimates import Estimate, Precision
from refdot.programs.operations import Parameter
from refdot.tensor import Array

__all__ = ["MOVES"]


def _negative(out: Operand, _: Precision, x: Estimate, parameter: None) -> Estimate:
    return replace(x, value=np.asarray(-x.value))


def _transpose(out: Operand, _: Precision, x: Estimate, parameter: Parameter) -> Estimate:
    return x.along(out.dims)


def _rename(out: Operand, _: Precision, x: Estimate, parameter: Parameter) -> Estimate:
    return x.moved(lambda array: array, out.dims)


def _isel(out: Operand, _: Precision, x: Estimate, indices: Parameter) -> Estimate:
    key = _key(x.dims, indices)
    return x.moved(lambda array: np.asarray(array[key]), out.dims)


def _place(out: Operand, _: Precision, x: Estimate, like: Estimate, indices: Parameter) -> Estimate:
    key = _key(out.dims, indices)

    def placed(array: Array) -> Array:
        zeros = np.zeros(out.shape, array.dtype)
        zeros[key] = array
        return zeros

    return x.moved(placed, out.dims)


def _broadcast_like(
    out: Operand, _: Precision, x: Estimate, like: Estimate, parameter: None
) -> Estimate:
    return x.along(out.dims).moved(lambda array: np.broadcast_to(array, out.shape), out.dims)


def _key(dims: tuple[str, ...], indices: Parameter) -> tuple[Any, ...]:
    """Return the index of an array that selects the given positions."""
    return tuple(dict(indices).get(dim, slice(None)) for dim in dims)


MOVES: dict[str, Callable[..., Estimate]] = {
    "negative": _negative,
    "transpose": _transpose,
    "rename": _rename,
    "isel": _isel,
    "place": _place,
    "broadcast_like": _broadcast_like,
}
