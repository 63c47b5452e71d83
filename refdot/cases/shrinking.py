"""Shrinking: edits that make a case simpler, applied as long as it still fails.

Hypothesis shrinks the choices that a case was generated from. Where the meaning of one choice
depends on another (such as whether both operands are the same variable), it stops too early.
These edits change the case itself, so they also shrink cases that Hypothesis did not generate.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeAlias, TypeVar

from refdot.cases.case import CONTENTS, DimArgument, DotCase, Operand

__all__ = [
    "ALPHABETS",
    "EDITS",
    "OPERAND_DEFAULTS",
    "SIZES",
    "apply_edits",
    "shrink_case",
    "simpler",
    "with_axes",
    "with_sizes",
]

Edit: TypeAlias = Callable[[DotCase], Iterator[DotCase]]
_T = TypeVar("_T")

_CASE_DEFAULTS: dict[str, Any] = {
    "same_variable": False,
    "same_array": False,
    "regime": "exact",
    "seed": 0,
    "call": "function",
}
OPERAND_DEFAULTS: dict[str, Any] = {
    "dtype": "float64",
    "layout": "c",
    "origin": "input",
    "content": "drawn",
    "static": (),
}
# The simplest options first.
SIZES = (1, 2, 3, 0)
_DISAGREEING_SIZES = ((2, 3), (1, 2), (2, 1), (3, 2), (0, 2), (2, 0))
# The second alphabet is for a case that fails only if the word "a" in a message is not a dim.
ALPHABETS = ("abcdefgh", "ijklmnop")


def shrink_case(case: DotCase, still_fails: Callable[[DotCase], bool]) -> DotCase:
    """Return a case that still fails, but passes after any edit that makes it simpler.

    Examples
    --------
    >>> x, y = Operand(("time", "embd"), (2, 5)), Operand(("embd",), (5,))
    >>> case = DotCase(x, y, regime="special")
    >>> print(shrink_case(case, lambda other: len(other.y.dims) == 1))
    dot(float64(), float64(a: 1?), dim=None)
    """
    return apply_edits(EDITS, case, still_fails)


def apply_edits(
    edits: Sequence[Callable[[_T], Iterator[_T]]], case: _T, still_fails: Callable[[_T], bool]
) -> _T:
    """Apply edits to a case of any kind as long as one of them gives a case that still fails."""
    previous = None
    while case != previous:
        previous = case
        for edit in edits:
            case = _edit_repeatedly(edit, case, still_fails)
    return case


def _edit_repeatedly(
    edit: Callable[[_T], Iterator[_T]], case: _T, still_fails: Callable[[_T], bool]
) -> _T:
    while True:
        found = next((each for each in edit(case) if each != case and still_fails(each)), None)
        if found is None:
            return case
        case = found


def simplify_all_but_shapes(case: DotCase) -> Iterator[DotCase]:
    """Simplify everything at once, except dims and sizes."""
    plain = _with_changes(case, "xy", OPERAND_DEFAULTS)
    kept = {"same_variable": case.same_variable, "same_array": case.same_array}
    yield replace(plain, **_CASE_DEFAULTS | kept)


def lower_gradient_order(case: DotCase) -> Iterator[DotCase]:
    """Differentiate less often."""
    for order in range(case.gradient_order):
        yield replace(case, gradient_order=order)


def remove_dims(case: DotCase) -> Iterator[DotCase]:
    """Remove half of the dims, then a quarter, and so on down to one dim."""
    dims = case.dims
    length = max(1, len(dims) // 2)
    while dims:
        for start in range(0, len(dims), length):
            removed = dict.fromkeys(dims[start : start + length])
            yield with_sizes(case, removed, removed)
        if length == 1:
            return
        length //= 2


def remove_dim_from_one_operand(case: DotCase) -> Iterator[DotCase]:
    """Remove a shared dim from one of the operands."""
    if not case.share_memory:
        for dim in [dim for dim in case.x.dims if dim in case.y.dims]:
            yield with_sizes(case, {dim: None}, {})
            yield with_sizes(case, {}, {dim: None})


def simplify_sizes(case: DotCase) -> Iterator[DotCase]:
    """Replace the size of a dim by a simpler one, or two sizes that disagree by simpler ones."""
    for dim in case.dims:
        x_size, y_size = case.x.sizes.get(dim), case.y.sizes.get(dim)
        if None in (x_size, y_size) or x_size == y_size:
            for size in simpler(SIZES, y_size if x_size is None else x_size):
                yield with_sizes(case, {dim: size}, {dim: size})
        else:
            for simpler_x, simpler_y in simpler(_DISAGREEING_SIZES, (x_size, y_size)):
                yield with_sizes(case, {dim: simpler_x}, {dim: simpler_y})


def simplify_one_property(case: DotCase) -> Iterator[DotCase]:
    """Simplify one property of the case, of both operands or of one operand."""
    for name, value in _CASE_DEFAULTS.items():
        yield replace(case, **{name: value})
    for operands in ("xy",) if case.share_memory else ("xy", "x", "y"):
        for name, value in OPERAND_DEFAULTS.items():
            yield _with_changes(case, operands, {name: value})
        # The simpler contents are not random, so what fails with one fails with every seed.
        for content in simpler(CONTENTS, getattr(case, operands[0]).content):
            yield _with_changes(case, operands, {"content": content})


def simplify_dim_argument(case: DotCase) -> Iterator[DotCase]:
    """Write `dim` more simply, even if that changes its meaning."""
    items = tuple(dict.fromkeys(case.dim.items))
    first_name = [DimArgument("str", items[:1])] if items and isinstance(items[0], str) else []
    options = (DimArgument(), DimArgument("tuple"), *first_name, DimArgument("tuple", items))
    for dim in simpler(options, case.dim):
        yield replace(case, dim=dim)


def sort_dims_of_y(case: DotCase) -> Iterator[DotCase]:
    """Put the dims of y in the same order as in x."""
    axes = sorted(range(len(case.y.dims)), key=lambda axis: case.dims.index(case.y.dims[axis]))
    if not case.share_memory:
        yield replace(case, y=with_axes(case.y, axes))


def name_dims_of_y_as_in_x(case: DotCase) -> Iterator[DotCase]:
    """Give the same variable or array the same names in both operands, in one axis or in all."""
    if case.share_memory:
        yield _with_dims_of_y(case, case.x.dims)
        for axis, dim in enumerate(case.x.dims):
            yield _with_dims_of_y(case, (*case.y.dims[:axis], dim, *case.y.dims[axis + 1 :]))


def rename_dims_to_letters(case: DotCase) -> Iterator[DotCase]:
    """Rename the dims to single letters."""
    dims = case.dims
    if len(dims) <= len(ALPHABETS[0]) and all(isinstance(dim, str) and dim for dim in dims):
        for letters in simpler([tuple(letters[: len(dims)]) for letters in ALPHABETS], dims):
            yield case.renamed(dict(zip(dims, letters, strict=True)))


# The largest edits come first, and those that make a case faster to run.
EDITS: tuple[Edit, ...] = (
    simplify_all_but_shapes,
    lower_gradient_order,
    remove_dims,
    remove_dim_from_one_operand,
    simplify_sizes,
    simplify_one_property,
    simplify_dim_argument,
    sort_dims_of_y,
    name_dims_of_y_as_in_x,
    rename_dims_to_letters,
)


def simpler(options: Sequence[_T], option: Any) -> Sequence[_T]:
    """Return the options before a given one, or all of them if it is not among them."""
    return options[: options.index(option)] if option in options else options


def _with_changes(case: DotCase, operands: str, changes: Mapping[str, Any]) -> DotCase:
    """Return a case with changes to x, y or both ("xy")."""
    return replace(case, **{name: replace(getattr(case, name), **changes) for name in operands})


def with_sizes(
    case: DotCase, x_sizes: Mapping[Any, int | None], y_sizes: Mapping[Any, int | None]
) -> DotCase:
    """Return a case with the sizes of some dims replaced; None removes a dim from an operand.

    If the operands share memory, a change to an axis of one is a change to both.
    """
    x_shape, y_shape = _new_shape(case.x, x_sizes), _new_shape(case.y, y_sizes)
    if case.share_memory:
        axes = zip(case.x.shape, x_shape, y_shape, strict=True)
        x_shape = y_shape = [of_y if of_x == size else of_x for size, of_x, of_y in axes]
    changed = replace(case, x=_with_shape(case.x, x_shape), y=_with_shape(case.y, y_shape))
    return _without_absent_items(case, changed)


def _without_absent_items(before: DotCase, case: DotCase) -> DotCase:
    """Return a case whose `dim` has no names of dims that only the case before has."""
    removed = {*before.dims}.difference(case.dims)
    items = tuple(item for item in case.dim.items if item not in removed)
    dim = DimArgument("tuple") if case.dim.items and not items else replace(case.dim, items=items)
    return replace(case, dim=dim)


def _with_dims_of_y(case: DotCase, dims: tuple[Any, ...]) -> DotCase:
    return _without_absent_items(case, replace(case, y=replace(case.y, dims=dims)))


def _new_shape(operand: Operand, sizes: Mapping[Any, int | None]) -> list[int | None]:
    pairs = zip(operand.dims, operand.shape, strict=True)
    return [sizes.get(dim, size) for dim, size in pairs]


def _with_shape(operand: Operand, shape: Sequence[int | None]) -> Operand:
    """Return an operand with other sizes, without the axes whose size is None."""
    kept = [axis for axis, size in enumerate(shape) if size is not None]
    return with_axes(replace(operand, shape=tuple(size or 0 for size in shape)), kept)


def with_axes(operand: Operand, axes: Sequence[int]) -> Operand:
    """Return an operand with only the given axes, in the given order."""
    return replace(
        operand,
        dims=tuple(operand.dims[axis] for axis in axes),
        shape=tuple(operand.shape[axis] for axis in axes),
        static=tuple(operand.static[axis] for axis in axes),
    )
