"""`xarray.dot` of arrays in chunks, which dask computes, as a target."""

import warnings
from importlib.metadata import version
from typing import Any

from refdot.cases.notation import dot_case
from refdot.targets.mismatch import Deviation, Mismatch
from refdot.targets.outcome import Outcome
from refdot.targets.xarray import XarrayTarget
from refdot.tensor import NamedTensor

__all__ = ["XarrayDaskTarget"]


def _is_promoted(mismatch: Mismatch, outcome: Outcome) -> bool:
    low = mismatch.case.lowering
    summed_over = low.contracted + low.x_summed + low.y_summed
    return bool(summed_over) and mismatch.detail == "promoted as by np.sum"


_DEVIATIONS = (
    Deviation(
        id="sums-of-chunks-promoted",
        title="Small integers give int64 or uint64, and bools give a count, unlike in xarray with "
        "NumPy arrays.",
        rules=("R7",),
        kinds=("wrong-dtype",),
        versions="",
        backends=(),
        matches=_is_promoted,
        example=dot_case("a:2?", "a:2?", dtypes="int8"),
        cause="`einsum` (dask/array/einsumfuncs.py) adds the products of the chunks with "
        "`Array.sum`, which has the dtype of `np.sum`. It does so for a single chunk as well, so "
        "int8 `[100, 100] · [1, 1]` gives int64 200, where NumPy gives int8 -56.",
    ),
)


class XarrayDaskTarget(XarrayTarget):
    """`xarray.dot` of arrays in chunks: each dim has two, unless its size is 0 or 1."""

    def __init__(self) -> None:
        super().__init__(
            _chunked_dot,
            name="xarray-dask",
            version=f"{version('xarray')} with dask {version('dask')}",
            deviations=_DEVIATIONS,
            is_slow=True,
        )


def _chunked_dot(x: NamedTensor, y: NamedTensor, dim: Any = None) -> NamedTensor:
    import dask
    import xarray

    # The scheduler of threads would take longer, and the order of its sums could vary.
    with warnings.catch_warnings(), dask.config.set(scheduler="synchronous"):
        warnings.simplefilter("ignore")
        return NamedTensor.from_xarray(xarray.dot(_chunked(x), _chunked(y), dim=dim).compute())


def _chunked(tensor: NamedTensor) -> Any:
    return tensor.to_xarray().chunk(
        {dim: max(1, -(-size // 2)) for dim, size in tensor.sizes.items()}
    )
