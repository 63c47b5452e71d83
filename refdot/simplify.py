"""Steps from a case to simpler ones, for the end of shrinking.

Hypothesis shrinks the draws that a case was made with, and where one draw gives others their
meaning (both operands one variable, say) it stops short. These steps are of the case itself: one
that no step leaves as wrong as it was is minimal, whatever it was drawn from.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from refdot.case import DimArgument, DotCase, Operand

__all__ = ["simplifications"]

SIZES = (1, 2, 3, 0)
LETTERS = "abcdefgh"


def simplifications(case: DotCase) -> Iterator[DotCase]:
    """Give the cases that are one step simpler, the largest steps first.

    A dim less; a simpler size, in both operands or where they differ; a plainer word for all
    else that there is to a case.

    Examples
    --------
    >>> case = DotCase(Operand(("time",), (1,)), Operand((), ()))
    >>> for simpler in simplifications(case):
    ...     print(simpler)
    dot(float64(), float64(), dim=None)
    dot(float64(a: 1?), float64(), dim=None)
    """
    for candidate in candidates(case):
        if candidate != case:
            yield candidate


def candidates(case: DotCase) -> Iterator[DotCase]:
    """Give what may be simpler, and may be the case itself."""
    dims = tuple(dict.fromkeys(case.x.dims + case.y.dims))
    for dim in dims:
        yield with_sizes(case, {dim: None}, {dim: None})
    if not case.same_variable:
        for dim in [dim for dim in case.x.dims if dim in case.y.dims]:
            yield with_sizes(case, {dim: None}, {})
            yield with_sizes(case, {}, {dim: None})
    for dim in dims:
        x_size, y_size = case.x.sizes.get(dim), case.y.sizes.get(dim)
        if x_size is None or y_size is None or x_size == y_size:
            size = y_size if x_size is None else x_size
            simpler = SIZES[: SIZES.index(size)] if size in SIZES else SIZES
            for other in simpler:
                yield with_sizes(case, {dim: other}, {dim: other})
        else:
            pairs = [(2, 3), (1, 2), (2, 1), (3, 2), (0, 2), (2, 0)]
            known = pairs.index((x_size, y_size)) if (x_size, y_size) in pairs else len(pairs)
            for x_other, y_other in pairs[:known]:
                yield with_sizes(case, {dim: x_other}, {dim: y_other})
    yield replace(case, dim=DimArgument())
    if case.gradient_order:
        yield replace(case, gradient_order=case.gradient_order - 1)
    yield replace(case, same_variable=False)
    yield replace(case, tier="exact")
    yield replace(case, seed=0)
    yield replace(case, method=False)
    for plain in ({"dtype": "float64"}, {"layout": "c"}, {"known": ()}):
        yield changed(case, True, True, plain)
        if not case.same_variable:
            yield changed(case, True, False, plain)
            yield changed(case, False, True, plain)
    if len(dims) <= len(LETTERS) and all(isinstance(dim, str) and dim for dim in dims):
        yield case.renamed(dict(zip(dims, LETTERS, strict=False)))


def changed(case: DotCase, of_x: bool, of_y: bool, changes: Mapping[str, Any]) -> DotCase:
    """Give a case with one or both operands changed."""
    return replace(
        case,
        x=replace(case.x, **changes) if of_x else case.x,
        y=replace(case.y, **changes) if of_y else case.y,
    )


def with_sizes(
    case: DotCase, x_sizes: Mapping[Any, int | None], y_sizes: Mapping[Any, int | None]
) -> DotCase:
    """Give a case with other sizes; None takes a dim out."""
    x, y = resized(case.x, x_sizes), resized(case.y, y_sizes)
    gone = {*case.x.dims, *case.y.dims}.difference(x.dims, y.dims)
    items = tuple(item for item in case.dim.items if item not in gone)
    dim = DimArgument("tuple") if case.dim.items and not items else replace(case.dim, items=items)
    return replace(case, x=x, y=y, dim=dim)


def resized(operand: Operand, sizes: Mapping[Any, int | None]) -> Operand:
    """Give an operand with other sizes; None takes a dim out."""
    kept = [axis for axis, dim in enumerate(operand.dims) if sizes.get(dim, 0) is not None]
    shape = [sizes.get(operand.dims[axis], operand.shape[axis]) for axis in kept]
    return replace(
        operand,
        dims=tuple(operand.dims[axis] for axis in kept),
        shape=tuple(size for size in shape if size is not None),
        known=tuple(operand.known[axis] for axis in kept),
    )
