"""An array whose axes have names."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from types import EllipsisType
from typing import TYPE_CHECKING, Any, NoReturn, TypeAlias

import numpy as np

from refdot.errors import DimNameError, DimNotFoundError
from refdot.lowering import dim_names, plain_str
from refdot.text import printable

if TYPE_CHECKING:
    import numpy.typing as npt
    import xarray

__all__ = ["Array", "NamedTensor", "check_tensors", "silent"]

Array: TypeAlias = np.ndarray[tuple[int, ...], np.dtype[Any]]
# A decorator: overflow, underflow and NaN travel silently (R6), whatever `np.errstate` is in force.
silent = np.errstate(all="ignore")


class NamedTensor:
    """An array whose axes have names. It has no coordinates and does no alignment.

    Parameters
    ----------
    data : array_like
        The values. An array is not copied. A masked array is rejected: its mask would be lost.
    dims : iterable of str
        A distinct, non-empty name for each axis. A single `str` names one axis.

    Raises
    ------
    DimNameError
        R1: the dims are not distinct, non-empty `str`, one for each axis.
    TypeError
        `data` is a masked array.

    Examples
    --------
    >>> x = NamedTensor(np.arange(6).reshape(2, 3), ("batch", "time"))
    >>> x
    NamedTensor(batch: 2, time: 3; int64)
    [[0 1 2]
     [3 4 5]]
    >>> x.sum("time")
    NamedTensor(batch: 2; int64)
    [ 3 12]
    """

    __slots__ = ("data", "dims")
    # Without this, NumPy's operators would combine an array and a tensor by position.
    __array_ufunc__ = None
    __hash__ = None  # type: ignore[assignment]  # the values of `data` can change
    data: Array
    dims: tuple[str, ...]

    def __init__(self, data: npt.ArrayLike, dims: Iterable[str]) -> None:
        if isinstance(data, np.ma.MaskedArray):
            raise TypeError("a NamedTensor has no mask: fill the masked array first")
        array, names = np.asarray(data), dim_names(dims)
        if array.ndim != len(names):
            problem = f"Number of dims ({len(names)}) differs from number of axes ({array.ndim})"
            raise DimNameError(problem, "tensor", names)
        _set_data(self, array)
        _set_dims(self, names)

    @classmethod
    def trusted(cls, data: Array, dims: tuple[str, ...]) -> NamedTensor:
        """Make a tensor without checking `dims`, which must have been checked already."""
        tensor = cls.__new__(cls)
        _set_data(tensor, data)
        _set_dims(tensor, dims)
        return tensor

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"a NamedTensor is frozen: cannot set {name}")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"a NamedTensor is frozen: cannot delete {name}")

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.data, self.dims)

    @property
    def shape(self) -> tuple[int, ...]:
        """The size of each axis."""
        return self.data.shape

    @property
    def sizes(self) -> dict[str, int]:
        """The size of each dim, in order."""
        return dict(zip(self.dims, self.data.shape, strict=True))

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype of the values in the byte order of this machine, whatever theirs is."""
        return self.data.dtype.newbyteorder("=")

    @property
    def ndim(self) -> int:
        """The number of dims."""
        return self.data.ndim

    def transpose(self, *dims: str | EllipsisType) -> NamedTensor:
        """Return a view with the dims in another order; `...` means all other dims.

        Examples
        --------
        >>> x = NamedTensor(np.zeros((2, 3, 4)), ("batch", "time", "embd"))
        >>> x.transpose("embd", ...).dims
        ('embd', 'batch', 'time')
        """
        dims = tuple(dim if isinstance(dim, EllipsisType) else plain_str(dim) for dim in dims)
        named = [dim for dim in dims if not isinstance(dim, EllipsisType)]
        self._check_has(named)
        rest = [dim for dim in self.dims if dim not in named]
        order = [
            name for dim in dims for name in (rest if isinstance(dim, EllipsisType) else [dim])
        ]
        if len(dims) - len(named) > 1 or sorted(order) != sorted(self.dims):
            raise DimNameError("transpose needs each dim once, or one ...", "tensor", dims)
        return NamedTensor(self.data.transpose([self.dims.index(dim) for dim in order]), order)

    def rename(self, /, **names: str) -> NamedTensor:
        """Rename dims: `x.rename(time="t")`."""
        self._check_has(names)
        return NamedTensor(self.data, [names.get(dim, dim) for dim in self.dims])

    def isel(self, /, **indices: int | slice) -> NamedTensor:
        """Select by position: an integer removes its dim, a slice keeps it."""
        self._check_has(indices)
        key = tuple(indices.get(dim, slice(None)) for dim in self.dims)
        kept = [dim for dim, at in zip(self.dims, key, strict=True) if isinstance(at, slice)]
        return NamedTensor(self.data[key], kept)

    @silent
    def sum(self, *dims: str) -> NamedTensor:
        """Sum over the given dims, or over all dims if none is given; the dtype is kept (R7)."""
        dims = tuple(map(plain_str, dims))
        self._check_has(dims)
        axes = tuple(self.dims.index(dim) for dim in dims or self.dims)
        summed = self.data.sum(axis=axes, dtype=self.dtype)
        return NamedTensor(summed, [dim for dim in self.dims if dims and dim not in dims])

    def _check_has(self, dims: Iterable[str]) -> None:
        if missing := [dim for dim in dims if dim not in self.dims]:
            raise DimNotFoundError(missing, self.dims)

    def dot(self, other: NamedTensor, dim: Any = None) -> NamedTensor:
        """Return `refdot.dot(self, other, dim)`."""
        from refdot.evaluation import dot

        return dot(self, other, dim)

    def __matmul__(self, other: NamedTensor) -> NamedTensor:
        return self.dot(other) if isinstance(other, NamedTensor) else NotImplemented

    def __eq__(self, other: object) -> bool:
        """Return whether dims (in order), dtype and values are equal; NaN equals NaN."""
        if not isinstance(other, NamedTensor):
            return NotImplemented
        return (
            self.dims == other.dims
            and self.dtype == other.dtype
            and np.array_equal(self.data, other.data, equal_nan=self.dtype.kind in "fc")
        )

    def __array__(self, dtype: npt.DTypeLike | None = None, copy: bool | None = None) -> Array:
        return np.array(self.data, dtype=dtype, copy=copy)

    def __repr__(self) -> str:
        shape = ", ".join(f"{dim}: {size}" for dim, size in self.sizes.items())
        return f"NamedTensor({shape + '; ' if shape else ''}{self.dtype})\n{self.data}"

    def _repr_html_(self) -> str:
        from html import escape  # slow to import, and only a notebook needs it

        sizes = "".join(
            f"<tr><th>{escape(printable(dim))}</th><td>{size}</td></tr>"
            for dim, size in self.sizes.items()
        )
        table = f"<table>{sizes}</table>" if sizes else ""
        dtype, values = escape(str(self.dtype)), escape(str(self.data))
        shown = f'<pre style="font-family: monospace">{values}</pre>'
        return f"<b>NamedTensor</b> of {dtype}{table}{shown}"

    @classmethod
    def from_xarray(cls, array: xarray.DataArray) -> NamedTensor:
        """Make a tensor of the values and dims of an `xarray.DataArray`; ignore its coordinates."""
        library: Any = sys.modules.get("xarray")  # if it is not imported, there is no DataArray
        if library is None or not isinstance(array, library.DataArray):
            hint = "write NamedTensor(array, dims) for an array"
            if library is not None and isinstance(array, library.Dataset):
                hint = "take one of its variables, such as dataset['name']"
            raise TypeError(f"from_xarray takes a DataArray, got {type(array).__name__}; {hint}")
        return cls(array.values, array.dims)

    def to_xarray(self) -> xarray.DataArray:
        """Return an `xarray.DataArray` of the same values and dims, without coordinates."""
        import xarray

        return xarray.DataArray(self.data, dims=self.dims)


# The setters of the slots bypass `__setattr__`, in half the time of `object.__setattr__`.
_set_data = NamedTensor.__dict__["data"].__set__
_set_dims = NamedTensor.__dict__["dims"].__set__


def check_tensors(function: str, *values: object) -> None:
    """Raise a `TypeError` that names a function if one of its operands is no `NamedTensor`."""
    for value in values:
        if not isinstance(value, NamedTensor):
            raise TypeError(f"{function} takes NamedTensors, got {type(value).__name__}")
