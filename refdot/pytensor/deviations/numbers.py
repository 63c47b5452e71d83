"""Constants of one number, which rewrites round to floating point."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from refdot.tensor import Array, NamedTensor

__all__ = ["repeated_number", "rounded_constants"]


def repeated_number(data: Array) -> Any:
    """Return the number that all elements are, None if there is none."""
    if data.size == 0:
        return None
    first = data[(0,) * data.ndim]
    return first if (data == first).all() else None


def rounded_constants(
    x: NamedTensor, y: NamedTensor, are_constants: Sequence[bool]
) -> Iterator[tuple[NamedTensor, NamedTensor]]:
    """Yield operands with each constant of one integer rounded, and with their product."""
    dtype = np.result_type(x.dtype, y.dtype)
    if dtype.kind not in "iu":
        return

    def with_numbers(*replaced: Any) -> tuple[NamedTensor, NamedTensor]:
        new_x, new_y = (
            tensor if number is None else NamedTensor(np.full(tensor.shape, number), tensor.dims)
            for tensor, number in zip((x, y), replaced, strict=True)
        )
        return new_x, new_y

    def through_float(number: Any) -> Any:
        return (np.asarray(number, dtype) / np.ones((), dtype)).astype(dtype)

    of_x, of_y = (
        repeated_number(tensor.data) if is_constant else None
        for tensor, is_constant in zip((x, y), are_constants, strict=True)
    )
    with np.errstate(all="ignore"):
        if of_x is not None:
            yield with_numbers(through_float(of_x), None)
        if of_y is not None:
            yield with_numbers(None, through_float(of_y))
        if of_x is not None and of_y is not None:
            yield with_numbers(through_float(of_x * of_y), np.ones((), dtype))
