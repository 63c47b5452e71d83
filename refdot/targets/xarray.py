"""`xarray.dot` as a target."""

import warnings
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

from refdot.targets.callable import CallableTarget
from refdot.targets.protocol import Unsupported
from refdot.tensor import NamedTensor

__all__ = ["XarrayTarget"]

_UNSUPPORTED = (
    Unsupported(
        "np.einsum, which xarray calls, may multiply an empty sum by NaN or infinity",
        lambda case: case.regime == "special" and 0 in case.x.shape + case.y.shape,
    ),
    Unsupported(
        "np.einsum, which xarray calls, may sum before it multiplies by a repeated number",
        lambda case: case.regime == "special" and "broadcast" in (case.x.layout, case.y.layout),
    ),
    Unsupported(
        "xarray replaces dims by letters, of which it has 26",
        lambda case: len(case.dims) > 26,
    ),
    Unsupported(
        "xarray accepts any hashable as a dim, and arrays and mappings as lists of dims",
        lambda case: (
            case.dim.spelling in ("object", "array", "bytes", "keys", "iterator")
            or not all(isinstance(item, str) for item in case.dim.items)
        ),
    ),
)


class XarrayTarget(CallableTarget):
    """`xarray.dot`, the model of the rules: it is expected to have no mismatch."""

    def __init__(self, function: Callable[..., Any] | None = None, **more: Any) -> None:
        settings = {
            "name": "xarray",
            "version": version("xarray"),
            "unsupported": _UNSUPPORTED,
            "not_checked": {"wrong-error": "xarray raises its own exception types"},
        }
        super().__init__(function or _xarray_dot, **settings | more)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), ()


def _xarray_dot(x: NamedTensor, y: NamedTensor, dim: Any = None) -> NamedTensor:
    import xarray

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return NamedTensor.from_xarray(xarray.dot(x.to_xarray(), y.to_xarray(), dim=dim))
