"""A few cases that show most of what can go wrong."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from refdot.cases.case import FLOATS, DimArgument, DotCase, Operand
from refdot.cases.patterns import NAMES, SIZES, Pattern, case_of, distinct_sizes, equal_sizes

__all__ = ["smoke_cases"]


# More terms than any block that they may be summed in.
_LONG = 70
# Between them these have dims of every role, none where it is in the other operand.
_SMOKE_PATTERNS = (
    Pattern(("c", "a", "d"), ("d", "b", "a"), ("a", "d")),
    Pattern(("c", "d", "a", "b"), ("b", "a", "e", "d"), ("d", "a")),
    Pattern(("c", "a"), ("d", "c"), ("c", "a", "d")),
    Pattern(("c", "a"), ("a", "d"), ("a",)),
)
_SMOKE_DTYPES = (
    ("float16", "float16"),
    ("int64", "int64"),
    ("complex128", "complex128"),
    ("float32", "float64"),
)


def smoke_cases() -> Iterator[DotCase]:
    """Give a few cases that show most of what can go wrong, to be judged before all others.

    Four patterns, each with what is seldom drawn: sizes that one operand knows and that the other
    contradicts, gradients of both orders, one variable, other dtypes, spellings and layouts, no
    sum and a long one, and numbers that are not finite.

    Examples
    --------
    >>> for case in list(smoke_cases())[4:6]:
    ...     print(case)
    dot(float64(time: 2?, head: 3?), float64(time: 2?, head: 3?), dim='time')
    dot(float64(time: 2?, head: 3?), float64(time: 2?, head: 3?), dim='embd')
    """
    first, *others = zip(*map(_smoke_cases_of, _SMOKE_PATTERNS), strict=True)
    yield from first
    yield from _singular_cases()
    for alike in others:
        yield from alike
    # Two contracted dims exchange their sizes: their products agree.
    yield DotCase(Operand(("c", "a"), (2, 3)), Operand(("c", "a"), (3, 2)))


def _singular_cases() -> Iterator[DotCase]:
    """Give those of no pattern's kind: names, x @ y, one variable, and what `dim` may not be."""
    words, twice = Operand(("time", "head"), (2, 3)), Operand(("a", "a"), (2, 3))
    yield DotCase(words, words, DimArgument("str", ("time",)))
    yield DotCase(words, words, DimArgument("str", ("embd",)))
    yield DotCase(words, words, DimArgument("object", (5,)))
    yield DotCase(twice, Operand(("a",), (2,)))
    yield DotCase(Operand(("c", "a"), (2, 3)), Operand(("d", "a"), (5, 3)), call="operator")
    many = Pattern(NAMES[:9], NAMES[:2:-1], NAMES[3:5])
    yield case_of(many, dict.fromkeys(NAMES, 1) | dict(zip(NAMES[::3], SIZES, strict=False)))
    batches = (
        Operand(("c", "a", "d", "b"), (2, 3, 5, 7)),
        Operand(("c", "a", "b", "e"), (2, 3, 7, 4)),
    )
    yield DotCase(*batches, DimArgument("str", ("b",)))
    for argument, dtype in (
        (DimArgument(), "float64"),
        (DimArgument("tuple"), "float16"),
        (DimArgument("set", ("c", "a")), "float32"),
    ):
        x = Operand(("c", "a"), (2, 3), dtype)
        yield DotCase(x, x, argument, same_variable=True, gradient_order=1, regime="rounding")


def _smoke_cases_of(pattern: Pattern) -> Iterator[DotCase]:
    """Give those of one pattern."""
    distinct, every = distinct_sizes(pattern), (True, True)
    shared = [dim for dim in pattern.x_dims if dim in pattern.y_dims][-1]
    one, none, more = ({shared: size} for size in (1, 0, distinct[shared] + 1))
    case = case_of(pattern, distinct)
    x, y = replace(case.x, layout="fortran"), replace(case.y, layout="reversed")
    yield replace(case, x=x, y=y, regime="rounding")
    yield case_of(pattern, distinct | one, every, y_sizes=distinct | more)
    yield case_of(pattern, distinct, every)
    yield replace(case, gradient_order=2, call="method")
    yield case_of(pattern, distinct | more, every, y_sizes=distinct)
    yield case_of(pattern, distinct, (False, True), y_sizes=distinct | one)
    yield case_of(pattern, distinct, y_sizes=distinct | more)
    iterator = DimArgument("iterator", pattern.summed_over)
    yield replace(case, dim=iterator, regime="special")
    yield case_of(pattern, equal_sizes(pattern), every, order=1)
    yield case_of(
        pattern, distinct | {pattern.x_dims[0]: 20, pattern.y_dims[-1]: 20, shared: _LONG}
    )
    yield replace(case, dim=DimArgument("list", pattern.summed_over * 2), regime="special", seed=1)
    yield case_of(pattern, distinct | none)
    yield case_of(pattern, distinct | {pattern.x_dims[0]: 0}, every)
    yield case_of(pattern, distinct | none, every, y_sizes=distinct)
    place = _SMOKE_PATTERNS.index(pattern)
    for x_dtype, y_dtype in (_SMOKE_DTYPES[place], _SMOKE_DTYPES[place - 1]):
        x, y = replace(case.x, dtype=x_dtype), replace(case.y, dtype=y_dtype)
        order = int({x_dtype, y_dtype} <= {*FLOATS})
        yield replace(case, x=x, y=y, regime="rounding", gradient_order=order)
