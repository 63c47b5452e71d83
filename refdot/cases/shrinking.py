"""Makes a case smaller, step by step, for as long as it stays as wrong as it was.

Hypothesis shrinks the draws that a case was made with, and where one draw gives others their
meaning (both operands one variable, say) it stops short. These steps are of the case itself: one
that no step leaves as wrong as it was is minimal, whatever it was drawn from.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from refdot.cases.case import DimArgument, DotCase, Operand

__all__ = ["STEPS", "simplified", "with_sizes"]


T = TypeVar("T")
_SIZES = (1, 2, 3, 0)
_DISAGREEING = ((2, 3), (1, 2), (2, 1), (3, 2), (0, 2), (2, 0))
_SPELLINGS = ("none", "tuple", "str", "list")
# A message may hold the word "a" without meaning the dim: other letters, where that matters.
_LETTERS = ("abcdefgh", "ijklmnop")


def simplified(case: DotCase, is_as_wrong: Callable[[DotCase], bool]) -> DotCase:
    """Give a case that no step makes simpler and leaves as wrong.

    Parameters
    ----------
    case : DotCase
        One that is wrong.
    is_as_wrong : callable
        Says it of any other case.

    Examples
    --------
    >>> x, y = Operand(("time", "embd"), (2, 5)), Operand(("embd",), (5,))
    >>> case = DotCase(x, y, regime="special")
    >>> print(simplified(case, lambda other: len(other.y.dims) == 1))
    dot(float64(), float64(a: 1?), dim=None)
    """
    previous = None
    while case != previous:
        previous = case
        for step in STEPS:
            case = _exhausted(step, case, is_as_wrong)
    return case


def _exhausted(step: _Step, case: DotCase, is_as_wrong: Callable[[DotCase], bool]) -> DotCase:
    """Take a step as often as it leaves the case as wrong."""
    while True:
        simpler = (other for other in step(case) if other != case)
        found = next(filter(is_as_wrong, simpler), None)
        if found is None:
            return case
        case = found


_Step = Callable[[DotCase], Iterator[DotCase]]


def _in_plain_words(case: DotCase) -> Iterator[DotCase]:
    """Make all plain at once, but for dims and sizes."""
    plain = _changed(case, True, True, {"dtype": "float64", "layout": "c", "static": ()})
    yield replace(plain, regime="exact", seed=0, call="function")


def _without_dims(case: DotCase) -> Iterator[DotCase]:
    """Take out a half of the dims, or a quarter, and so on down to one."""
    dims = _dims_of(case)
    length = max(1, len(dims) // 2)
    while dims:
        for start in range(0, len(dims), length):
            gone = dict.fromkeys(dims[start : start + length])
            yield with_sizes(case, gone, gone)
        if length == 1:
            return
        length //= 2


def _without_a_dim_of_one_operand(case: DotCase) -> Iterator[DotCase]:
    """Take a shared dim out of one operand."""
    if not case.same_variable:
        for dim in [dim for dim in case.x.dims if dim in case.y.dims]:
            yield with_sizes(case, {dim: None}, {})
            yield with_sizes(case, {}, {dim: None})


def _with_simpler_sizes(case: DotCase) -> Iterator[DotCase]:
    """Give a dim a simpler size, or a simpler pair where its sizes disagree."""
    for dim in _dims_of(case):
        sizes = case.x.sizes.get(dim), case.y.sizes.get(dim)
        if None in sizes or sizes[0] == sizes[1]:
            for size in _before(_SIZES, sizes[1] if sizes[0] is None else sizes[0]):
                yield with_sizes(case, {dim: size}, {dim: size})
        else:
            for x_size, y_size in _before(_DISAGREEING, sizes):
                yield with_sizes(case, {dim: x_size}, {dim: y_size})


def _with_a_plainer_dim_argument(case: DotCase) -> Iterator[DotCase]:
    """Spell `dim` more plainly, whatever it then means."""
    items = tuple(dict.fromkeys(case.dim.items))
    alone = [DimArgument("str", items[:1])] if items and isinstance(items[0], str) else []
    plainer = (DimArgument(), DimArgument("tuple"), *alone, DimArgument("tuple", items))
    for dim in _before(plainer, case.dim):
        yield replace(case, dim=dim)


def _with_fewer_gradients(case: DotCase) -> Iterator[DotCase]:
    """Differentiate less often."""
    for order in range(case.gradient_order):
        yield replace(case, gradient_order=order)


def _in_a_plainer_word(case: DotCase) -> Iterator[DotCase]:
    """Make one thing plain: of the case, of both operands, or of one."""
    for plain in ({"same_variable": False}, {"regime": "exact"}, {"seed": 0}, {"call": "function"}):
        yield replace(case, **plain)
    for plain_operand in ({"dtype": "float64"}, {"layout": "c"}, {"static": ()}):
        yield _changed(case, True, True, plain_operand)
        if not case.same_variable:
            yield _changed(case, True, False, plain_operand)
            yield _changed(case, False, True, plain_operand)


def _in_one_order(case: DotCase) -> Iterator[DotCase]:
    """Put the dims of y in the order that they have in x."""
    order = _dims_of(case)
    by_x = sorted(range(len(case.y.dims)), key=lambda axis: order.index(case.y.dims[axis]))
    if not case.same_variable:
        yield replace(case, y=_with_axes(case.y, by_x))


def _in_letters(case: DotCase) -> Iterator[DotCase]:
    """Name the dims by letters."""
    dims = _dims_of(case)
    if len(dims) <= len(_LETTERS[0]) and all(isinstance(dim, str) and dim for dim in dims):
        for letters in _before([tuple(letters[: len(dims)]) for letters in _LETTERS], dims):
            yield case.renamed(dict(zip(dims, letters, strict=True)))


# The largest steps first, and what is dearest to run away early.
STEPS: tuple[_Step, ...] = (
    _in_plain_words,
    _with_fewer_gradients,
    _without_dims,
    _without_a_dim_of_one_operand,
    _with_simpler_sizes,
    _in_a_plainer_word,
    _with_a_plainer_dim_argument,
    _in_one_order,
    _in_letters,
)


def _before(options: Sequence[T], option: Any) -> Sequence[T]:
    """Give the options that are simpler than one."""
    return options[: options.index(option)] if option in options else options


def _dims_of(case: DotCase) -> tuple[Any, ...]:
    """Give all dims of a case, x's first."""
    return tuple(dict.fromkeys(case.x.dims + case.y.dims))


def _changed(case: DotCase, of_x: bool, of_y: bool, changes: Mapping[str, Any]) -> DotCase:
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
    x, y = _resized(case.x, x_sizes), _resized(case.y, y_sizes)
    gone = {*case.x.dims, *case.y.dims}.difference(x.dims, y.dims)
    items = tuple(item for item in case.dim.items if item not in gone)
    dim = DimArgument("tuple") if case.dim.items and not items else replace(case.dim, items=items)
    return replace(case, x=x, y=y, dim=dim)


def _resized(operand: Operand, sizes: Mapping[Any, int | None]) -> Operand:
    """Give an operand with other sizes; None takes a dim out."""
    pairs = zip(operand.dims, operand.shape, strict=True)
    shape = [sizes.get(dim, size) for dim, size in pairs]
    kept = [axis for axis, size in enumerate(shape) if size is not None]
    return _with_axes(replace(operand, shape=tuple(size or 0 for size in shape)), kept)


def _with_axes(operand: Operand, axes: Sequence[int]) -> Operand:
    """Give an operand with just these axes, in this order."""
    return replace(
        operand,
        dims=tuple(operand.dims[axis] for axis in axes),
        shape=tuple(operand.shape[axis] for axis in axes),
        static=tuple(operand.static[axis] for axis in axes),
    )
