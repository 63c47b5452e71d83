"""Size variants: cases that are the same graph, called with other sizes.

A target that builds graphs spends nearly all of its time before the first call. Testing its
compiled function on many sizes that are not static therefore costs little.
"""

from collections.abc import Iterator
from dataclasses import replace
from math import prod
from typing import Any

from refdot.cases.case import DotCase
from refdot.cases.shrinking import with_sizes
from refdot.errors import DotError

__all__ = ["size_variants"]

# Sizes that few cases have: empty, one element, and more than the 16 that loops are unrolled to.
_SIZES = (0, 1, 3, 17)
# Larger than the blocks of matrix products and of sums. The other sizes are then at most 2.
_LARGE_SIZES = (1025, 129, 4097, 257, 32_768)
_PRODUCT_LIMIT = 20_000
_LARGE_PRODUCT_LIMIT = 200_000


def size_variants(case: DotCase) -> Iterator[DotCase]:
    """Yield cases of the same graph as a case that obeys R1, with other sizes and another seed.

    If the sizes of the given case disagree, the first variant has sizes that agree. In others, one
    size is 0, 1, 3, 17 or a large one. In the last ones, the sizes of a shared dim disagree: n vs
    n + 1, and 1 vs n. They are those of a dim without a static size, and of one that has a static
    size in one operand only. A case with a gradient, or with operands that share memory, has no
    such variants. A case with a constant keeps its seed, because the numbers of the constant are a
    part of the graph.

    Examples
    --------
    >>> from refdot.cases.notation import dot_case
    >>> for variant in size_variants(dot_case("a:2?", "a:2?")):
    ...     print(variant)
    dot(float64(a: 0?), float64(a: 0?), dim=None)  [seed 1]
    dot(float64(a: 1?), float64(a: 1?), dim=None)  [seed 1]
    dot(float64(a: 3?), float64(a: 3?), dim=None)  [seed 1]
    dot(float64(a: 17?), float64(a: 17?), dim=None)  [seed 1]
    dot(float64(a: 129?), float64(a: 129?), dim=None)  [seed 1]
    dot(float64(a: 2?), float64(a: 3?), dim=None)  [seed 1]
    dot(float64(a: 1?), float64(a: 2?), dim=None)  [seed 1]
    """
    for variant in _variants(case):
        # An axis of a variable under two names can be in two shared dims, which then disagree.
        if not case.gradient_order or _sizes_agree(variant):
            yield variant


def _sizes_agree(case: DotCase) -> bool:
    y_sizes = case.y.sizes
    return all(y_sizes.get(dim, size) == size for dim, size in case.x.sizes.items())


def _variants(case: DotCase) -> Iterator[DotCase]:
    x_sizes, y_sizes = case.x.sizes, case.y.sizes
    both_static_sizes = (*case.x.static_sizes.items(), *case.y.static_sizes.items())
    static = {dim for dim, size in both_static_sizes if size is not None}
    dynamic = [dim for dim in case.dims if dim not in static]
    shared = [dim for dim in dynamic if dim in x_sizes and dim in y_sizes]
    agreeing = {dim: x_sizes[dim] for dim in shared}
    has_constant = "constant" in (case.x.origin, case.y.origin)
    variant = replace(with_sizes(case, {}, agreeing), seed=case.seed + (not has_constant))
    if any(x_sizes[dim] != y_sizes[dim] for dim in shared):
        yield variant
    if dynamic:
        yield from _with_other_sizes(variant, dynamic)
        yield from _with_a_large_size(variant, dynamic)
    if case.gradient_order or case.share_memory:
        return
    if shared:
        dim = shared[case.seed % len(shared)]
        yield with_sizes(variant, {}, {dim: x_sizes[dim] + 1})
        yield with_sizes(variant, {dim: 1}, {dim: max(x_sizes[dim], 2)})
    yield from _with_sizes_unlike_static_ones(variant)


def _with_other_sizes(case: DotCase, dynamic: list[Any]) -> Iterator[DotCase]:
    sizes = case.y.sizes | case.x.sizes
    for turn, size in enumerate(_SIZES):
        dim = dynamic[(case.seed + turn) % len(dynamic)]
        changed = with_sizes(case, {dim: size}, {dim: size})
        if size != sizes[dim] and _products(changed) <= _PRODUCT_LIMIT:
            yield changed


def _with_sizes_unlike_static_ones(case: DotCase) -> Iterator[DotCase]:
    """Yield the case with other sizes of dims that are static in one operand only.

    One dim has another size, or two contracted dims have the sizes of each other.
    """
    x_static, y_static = case.x.static_sizes, case.y.static_sizes
    shared = [dim for dim in x_static if dim in y_static]
    dims = [dim for dim in shared if (x_static[dim] is None) != (y_static[dim] is None)]
    if not dims:
        return
    dim = dims[case.seed % len(dims)]
    is_in_x = x_static[dim] is not None
    static = case.x.sizes[dim] if is_in_x else case.y.sizes[dim]
    for size in (static + 1, 1):
        other = {dim: size}
        if size != static:
            yield with_sizes(case, {}, other) if is_in_x else with_sizes(case, other, {})
    contracted = [dim for dim in _contracted(case) if dim in dims]
    for is_in_x in (True, False):
        pair = [dim for dim in contracted if (x_static[dim] is not None) == is_in_x][:2]
        sizes = [case.x.sizes[dim] for dim in reversed(pair)]
        if len({*sizes}) == 2:
            exchanged = dict(zip(pair, sizes, strict=True))
            yield with_sizes(case, {}, exchanged) if is_in_x else with_sizes(case, exchanged, {})


def _contracted(case: DotCase) -> tuple[Any, ...]:
    """Return the dims that a case contracts; none if its dims are not valid."""
    try:
        return case.lowering.contracted
    except DotError:
        return ()


def _with_a_large_size(case: DotCase, dynamic: list[Any]) -> Iterator[DotCase]:
    """Yield the case with a large size, if its static sizes are small enough for that."""
    sizes = case.y.sizes | case.x.sizes
    large = _LARGE_SIZES[case.seed // len(dynamic) % len(_LARGE_SIZES)]
    changed = {dim: min(sizes[dim], 2) for dim in dynamic}
    changed[dynamic[case.seed % len(dynamic)]] = large
    variant = with_sizes(case, changed, changed)
    if _products(variant) <= _LARGE_PRODUCT_LIMIT:
        yield variant


def _products(case: DotCase) -> int:
    """Return the number of products of a case, with the larger of two sizes that disagree.

    A size of 0 counts as 1: the answer of a case that sums over nothing can be large.
    """
    x_sizes, y_sizes = case.x.sizes, case.y.sizes
    return prod(max(x_sizes.get(dim, 1), y_sizes.get(dim, 1), 1) for dim in case.dims)
