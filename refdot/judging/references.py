"""Two reference implementations of dot that do not use the lowering.

The suite compares the oracle with both, so that it is not only compared with itself.
`dot_by_definition` aligns the operands by name, multiplies and sums. `dot_by_records` loops over
single elements in exact arithmetic. Neither uses a `Lowering`, subscripts, `np.einsum` or
`np.matmul`.
"""

from collections.abc import Iterator
from fractions import Fraction
from itertools import product
from types import EllipsisType
from typing import Any

import numpy as np

from refdot.lowering import Dim
from refdot.tensor import Array, NamedTensor, silent

__all__ = ["dot_by_definition", "dot_by_records"]


def _split_dims(x: NamedTensor, y: NamedTensor, dim: Dim) -> tuple[list[str], list[str]]:
    """Return the dims of the output and the dims to sum over, for a valid `dim`."""
    all_dims = list(dict.fromkeys(x.dims + y.dims))
    if dim is None:
        summed = [name for name in all_dims if name in x.dims and name in y.dims]
    elif isinstance(dim, EllipsisType):
        summed = all_dims
    else:
        named = {dim} if isinstance(dim, str) else set(dim)
        summed = [name for name in all_dims if name in named]
    return [name for name in all_dims if name not in summed], summed


@silent
def dot_by_definition(x: NamedTensor, y: NamedTensor, dim: Dim = None) -> NamedTensor:
    """Compute a dot as it is defined: align by name, multiply, sum.

    The parameters and the result are those of `refdot.dot`, for valid input with up to 64 dims. All
    products are in memory at once.

    Examples
    --------
    >>> x = NamedTensor([[1, 2], [3, 4]], ("a", "b"))
    >>> dot_by_definition(x, NamedTensor([10, 1], "b")).data.tolist()
    [12, 34]
    """
    kept, summed = _split_dims(x, y, dim)
    order = kept + summed
    dtype = np.result_type(x.data, y.data)

    def aligned(tensor: NamedTensor) -> Array:
        axes = [tensor.dims.index(name) for name in order if name in tensor.dims]
        absent = tuple(axis for axis, name in enumerate(order) if name not in tensor.dims)
        return np.expand_dims(tensor.data.transpose(axes), absent).astype(dtype)

    products = aligned(x) * aligned(y)
    total = products.sum(axis=tuple(range(len(kept), len(order))), dtype=dtype)
    return NamedTensor(np.asarray(total), kept)


def dot_by_records(x: NamedTensor, y: NamedTensor, dim: Dim = None) -> dict[tuple[int, ...], Any]:
    """Compute a dot by explicit loops over records, in exact arithmetic.

    A record is an index for every dim. Real, finite values are read as `Fraction`, so nothing is
    rounded and nothing wraps.

    Returns
    -------
    dict
        The value of each element of the output by its index, in the order of the output's dims.

    Examples
    --------
    >>> x = NamedTensor([0.1, 0.2], "a")
    >>> dot_by_records(x, x)[()] == Fraction(0.1) ** 2 + Fraction(0.2) ** 2
    True
    """
    kept, summed = _split_dims(x, y, dim)
    sizes = x.sizes | y.sizes

    def exact(tensor: NamedTensor, record: dict[str, int]) -> Fraction:
        value = tensor.data[tuple(record[name] for name in tensor.dims)].item()
        return Fraction(*value.as_integer_ratio())

    def indices(names: list[str]) -> Iterator[tuple[int, ...]]:
        return product(*(range(sizes[name]) for name in names))

    totals: dict[tuple[int, ...], Any] = {}
    for place in indices(kept):
        totals[place] = 0
        for term in indices(summed):
            record = dict(zip(kept + summed, place + term, strict=True))
            totals[place] += exact(x, record) * exact(y, record)
    return totals
