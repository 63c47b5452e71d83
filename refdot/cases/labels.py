"""Short labels of cases, for the ids of tests."""

from collections.abc import Iterable, Iterator
from typing import Any

from refdot.cases.case import DotCase
from refdot.errors import DotError

__all__ = ["case_id"]

_LARGE = 9  # the size of a dim that is as large is worth a word
_GRADIENTS = {1: "gradient", 2: "second-gradient"}


def case_id(case: DotCase) -> str:
    """Return a label of a case, with what sets it apart: for the id of a test.

    Examples
    --------
    >>> from refdot.cases.notation import dot_case
    >>> case_id(dot_case("c:2? a:3?", "a:3? d:5?", gradient_order=1))
    'ca,ad-gradient'
    >>> case_id(dot_case("time:2 head:3", "time:4 head:3", "time", ("int8", "int64")))
    'time.head,time.head-over-time-R4-time-2-vs-4-static-int8.int64'
    """
    return "-".join([f"{_joined(case.x.dims)},{_joined(case.y.dims)}", *_words(case)])


def _joined(dims: Iterable[Any]) -> str:
    """Join names as in an einsum if each is one letter, or else with dots."""
    names = list(map(str, dims))
    return ("" if all(len(name) == 1 for name in names) else ".").join(names)


def _words(case: DotCase) -> Iterator[str]:
    yield from _words_of_dim(case)
    yield from _words_of_fault(case)
    sizes = case.x.sizes | case.y.sizes
    yield from (f"{dim}-{size}" for dim, size in sizes.items() if size == 0 or size >= _LARGE)
    static = [name for name, operand in (("x", case.x), ("y", case.y)) if any(operand.static)]
    if static:
        yield "static" if len(static) == 2 else f"static-{static[0]}"
    for name, usual in (("dtype", "float64"), ("layout", "c"), ("origin", "input")):
        values = dict.fromkeys(getattr(operand, name) for operand in (case.x, case.y))
        if [*values] != [usual]:
            yield ".".join(values)
    yield from () if case.regime == "exact" else (case.regime,)
    if case.share_memory:
        yield "same-variable" if case.same_variable else "same-array"
    yield from filter(None, [_GRADIENTS.get(case.gradient_order)])
    yield from () if case.call == "function" else (case.call,)


def _words_of_dim(case: DotCase) -> Iterator[str]:
    """Yield the spelling of the `dim` argument, unless it is None, and what is summed over."""
    spelling, items = case.dim.spelling, case.dim.items
    if spelling == "ellipsis":
        yield "over-all"
    elif spelling != "none":
        usual = ("str", "tuple", "object")
        yield "-".join(
            ["over", *([] if spelling in usual else [spelling]), _joined(items) or "none"]
        )


def _words_of_fault(case: DotCase) -> Iterator[str]:
    """Yield the rule that a case breaks, and the sizes that differ."""
    try:
        low = case.lowering
    except DotError as error:
        yield error.rule
        return
    x, y = case.x.sizes, case.y.sizes
    if differing := [dim for dim in low.contracted + low.batch if x[dim] != y[dim]]:
        yield "R4"
        yield from (f"{dim}-{x[dim]}-vs-{y[dim]}" for dim in differing)
