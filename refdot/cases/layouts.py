"""The memory layouts that the array of an operand can have.

Each function is complete in itself, because reproducers contain its source. The strides of an empty
array have the layout, too: some code looks at them.
"""

from collections.abc import Callable
from inspect import getdoc

import numpy as np

from refdot.tensor import Array

__all__ = ["LAYOUTS", "layout_description", "layout_function", "with_layout"]


def fortran(array: Array) -> Array:
    """Store the first axis contiguously."""
    return np.array(array, order="F")


def reversed_axes(array: Array) -> Array:
    """Store every axis backwards, with negative strides."""
    return np.asarray(np.flip(np.flip(array).copy()))


def strided(array: Array) -> Array:
    """Leave a gap after each element."""
    # Not one more axis, since an array may have as many as NumPy allows.
    wide = np.zeros(2 * array.size, array.dtype)
    with_gaps = wide[::2].reshape(array.shape)
    with_gaps[...] = array
    return with_gaps


def read_only(array: Array) -> Array:
    """Make the array read-only."""
    array = array.copy()
    array.flags.writeable = False
    return array


def broadcast(array: Array) -> Array:
    """Repeat the first values along the longest axis, with a stride of 0."""
    if array.ndim == 0:
        return array
    longest = array.shape.index(max(array.shape))
    first = array[(*[slice(None)] * longest, slice(1))]
    return np.broadcast_to(first, array.shape)


def windows(array: Array) -> Array:
    """Make the last axis a window that slides along the axis before it."""
    if array.ndim < 2:
        return array
    *_, count, length = array.shape
    series = np.zeros((*array.shape[:-2], max(count, 1) + max(length, 1) - 1), array.dtype)
    if array.size:
        series[..., :count] = array[..., 0]
        series[..., count:] = array[..., -1, 1:]
    views = np.lib.stride_tricks.sliding_window_view(series, max(length, 1), axis=-1)
    return np.asarray(views[..., :count, :length])


def unaligned(array: Array) -> Array:
    """Start at an address that is not a multiple of the size of an element."""
    memory = np.zeros(array.nbytes + 1, "uint8")
    shifted = np.ndarray(array.shape, array.dtype, memory, offset=1)
    shifted[...] = array
    return shifted


def byte_swapped(array: Array) -> Array:
    """Store the bytes of each element in the order that is not that of this machine."""
    return array.astype(array.dtype.newbyteorder())


def part_of_larger(array: Array) -> Array:
    """Put the array among NaN, or among the largest numbers of its dtype."""
    others = np.nan if array.dtype.kind in "fc" else True
    if array.dtype.kind in "iu":
        others = np.iinfo(array.dtype).max
    # Not at the ends of every axis, since an array of many axes would become huge.
    longer = {0, array.ndim - 1, *(axis for axis, size in enumerate(array.shape) if size == 0)}
    shape = [size + 2 * (axis in longer) for axis, size in enumerate(array.shape)]
    inside = tuple(slice(1, -1) if axis in longer else slice(None) for axis in range(array.ndim))
    larger = np.full(shape, others, array.dtype)
    larger[inside] = array
    return np.asarray(larger[inside])


_FUNCTIONS: dict[str, Callable[[Array], Array] | None] = {
    "c": None,
    "fortran": fortran,
    "reversed": reversed_axes,
    "strided": strided,
    "read-only": read_only,
    "broadcast": broadcast,
    "windows": windows,
    "unaligned": unaligned,
    "byte-swapped": byte_swapped,
    "slice": part_of_larger,
}
LAYOUTS = tuple(_FUNCTIONS)


def layout_function(layout: str) -> Callable[[Array], Array] | None:
    """Return the function that gives an array in C order a layout, or None for C order itself."""
    return _FUNCTIONS[layout]


def layout_description(layout: str) -> str:
    """Return what a layout does to an array, in a sentence; nothing for C order.

    Examples
    --------
    >>> layout_description("windows")
    'Make the last axis a window that slides along the axis before it.'
    """
    function = _FUNCTIONS[layout]
    return (function and getdoc(function)) or ""


def with_layout(array: Array, layout: str) -> Array:
    """Return an array in a memory layout, one of `LAYOUTS`.

    It has the values of a given array in C order, except that "broadcast" makes them equal along
    the longest axis, and "windows" makes the last axis a window that slides along the axis before.
    """
    function = _FUNCTIONS[layout]
    return function(array) if function else array
