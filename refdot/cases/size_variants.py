"""Other cases that are the same graph: what is compiled for one case can be called for them all.

A target that builds graphs spends nearly all of its time before the first call. What the graph is
not told, the sizes that come at run time, can therefore be tried in many ways for little.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from math import prod

from refdot.cases.case import DotCase
from refdot.cases.shrinking import with_sizes

__all__ = ["size_variants"]


# Others than most cases have: of no elements, of one, and past the 16 that loops are unrolled to.
_SIZES = (0, 1, 3, 17)
_PRODUCT_LIMIT = 20_000


def size_variants(case: DotCase) -> Iterator[DotCase]:
    """Give cases that differ from one in the sizes that its graph is not told.

    One of those sizes in turn is 0, 1, 3 and 17, with other numbers. In a case without gradients
    the sizes of a shared dim disagree, by one and as 1 against n; and where they did disagree,
    they agree.

    Parameters
    ----------
    case : DotCase
        One whose dims are names.

    Examples
    --------
    >>> from refdot.cases.case import Operand
    >>> for other in size_variants(DotCase(Operand(("a",), (2,)), Operand(("a",), (2,)))):
    ...     print(other)
    dot(float64(a: 0?), float64(a: 0?), dim=None)  [seed 1]
    dot(float64(a: 1?), float64(a: 1?), dim=None)  [seed 1]
    dot(float64(a: 3?), float64(a: 3?), dim=None)  [seed 1]
    dot(float64(a: 17?), float64(a: 17?), dim=None)  [seed 1]
    dot(float64(a: 2?), float64(a: 3?), dim=None)  [seed 1]
    dot(float64(a: 1?), float64(a: 2?), dim=None)  [seed 1]
    """
    static = {
        dim
        for operand in (case.x, case.y)
        for dim, is_static in zip(operand.dims, operand.static, strict=True)
        if is_static
    }
    x_sizes, y_sizes = case.x.sizes, case.y.sizes
    unknown = [dim for dim in {**x_sizes, **y_sizes} if dim not in static]
    shared = [dim for dim in unknown if dim in x_sizes and dim in y_sizes]
    if not unknown:
        return
    agreeing = {dim: x_sizes[dim] for dim in shared}
    other = replace(with_sizes(case, {}, agreeing), seed=case.seed + 1)
    if agreeing != {dim: y_sizes[dim] for dim in shared}:
        yield other
    for turn, size in enumerate(_SIZES):
        dim = unknown[(case.seed + turn) % len(unknown)]
        sizes = {**x_sizes, **y_sizes, dim: size}
        if (
            size != other.x.sizes.get(dim, other.y.sizes.get(dim))
            and prod(sizes.values()) <= _PRODUCT_LIMIT
        ):
            yield with_sizes(other, {dim: size}, {dim: size})
    if shared and not case.gradient_order:
        dim = shared[case.seed % len(shared)]
        yield with_sizes(other, {}, {dim: x_sizes[dim] + 1})
        yield with_sizes(other, {dim: 1}, {dim: max(x_sizes[dim], 2)})
