"""The smoke cases: a few cases that show most faults."""

from collections.abc import Iterator
from dataclasses import replace

from refdot.cases.case import FLOATS, DimArgument, DotCase, Operand
from refdot.cases.patterns import NAMES, SIZES, Pattern, with_dtypes

__all__ = ["smoke_cases"]

_LONG = 70  # longer than any block in which a sum may be computed
# Together they have dims of every role, and no dim is on the same axis of both operands.
_PATTERNS = (
    Pattern(("c", "a", "d"), ("d", "b", "a"), ("a", "d")),
    Pattern(("c", "d", "a", "b"), ("b", "a", "e", "d"), ("d", "a")),
    Pattern(("c", "a"), ("d", "c"), ("c", "a", "d")),
    Pattern(("c", "a"), ("a", "d"), ("a",)),
)
_DTYPES = (
    ("float16", "float16"),
    ("int64", "int64"),
    ("complex128", "complex128"),
    ("float32", "float64"),
)


def smoke_cases() -> Iterator[DotCase]:
    """Yield a few cases that show most faults, to be judged before all others.

    They are cases of four patterns with properties that random cases seldom have: static sizes
    that the other operand contradicts, gradients of both orders, one variable as both operands,
    other dtypes, spellings and layouts, empty sums and long ones, and numbers that are not finite.
    """
    first, *others = zip(*map(_cases_of, range(len(_PATTERNS))), strict=True)
    yield from first
    yield from _special_cases()
    for cases in others:
        yield from cases
    # Two contracted dims exchange their sizes, so that the numbers of elements agree.
    yield DotCase(Operand(("c", "a"), (2, 3)), Operand(("c", "a"), (3, 2)))


def _special_cases() -> Iterator[DotCase]:
    """Yield the cases that do not exist for each pattern."""
    words, repeated = Operand(("time", "head"), (2, 3)), Operand(("a", "a"), (2, 3))
    yield DotCase(words, words, DimArgument("str", ("time",)))
    yield DotCase(words, words, DimArgument("str", ("embd",)))
    yield DotCase(words, words, DimArgument("str", ("tim",)))
    yield DotCase(words, words, DimArgument("list", (None,)))
    yield DotCase(words, words, DimArgument("object", (5,)))
    yield DotCase(repeated, Operand(("a",), (2,)))
    yield DotCase(Operand(("c", "a"), (2, 3)), Operand(("d", "a"), (5, 3)), call="operator")
    many = Pattern(NAMES[:9], NAMES[:2:-1], NAMES[3:5])
    yield many.case(dict.fromkeys(NAMES, 1) | dict(zip(NAMES[::3], SIZES, strict=False)))
    two_batch_dims = (
        Operand(("c", "a", "d", "b"), (2, 3, 5, 7)),
        Operand(("c", "a", "b", "e"), (2, 3, 7, 4)),
    )
    yield DotCase(*two_batch_dims, DimArgument("str", ("b",)))
    for argument, dtype in (
        (DimArgument(), "float64"),
        (DimArgument("tuple"), "float16"),
        (DimArgument("set", ("c", "a")), "float32"),
    ):
        x = Operand(("c", "a"), (2, 3), dtype)
        yield DotCase(x, x, argument, same_variable=True, gradient_order=1, regime="rounding")
    rows, renamed = Operand(("c", "a"), (2, 3)), Operand(("d", "a"), (2, 3))
    yield DotCase(rows, renamed, same_variable=True)
    yield DotCase(replace(rows, origin="constant"), Operand(("a", "d"), (3, 4)))
    yield DotCase(rows, Operand(("d", "a"), (4, 3), origin="constant"), gradient_order=1)


def _cases_of(number: int) -> Iterator[DotCase]:
    """Yield the cases of one pattern, as many as of every other pattern and in the same order."""
    pattern = _PATTERNS[number]
    distinct, summed_over = pattern.distinct_sizes, pattern.summed_over
    shared, first, last = pattern.shared[-1], pattern.x_dims[0], pattern.y_dims[-1]
    one, zero, more = ({shared: size} for size in (1, 0, distinct[shared] + 1))
    both = (True, True)  # static
    case = pattern.case(distinct)
    x, y = replace(case.x, layout="fortran"), replace(case.y, layout="reversed")
    yield replace(case, x=x, y=y, regime="rounding")
    yield pattern.case(distinct | one, both, y_sizes=distinct | more)
    yield pattern.case(distinct, both)
    yield replace(case, gradient_order=2, call="method")
    yield pattern.case(distinct | more, both, y_sizes=distinct)
    yield pattern.case(distinct, (False, True), y_sizes=distinct | one)
    yield pattern.case(distinct, y_sizes=distinct | more)
    yield replace(case, dim=DimArgument("iterator", summed_over), regime="special")
    yield pattern.case(pattern.equal_sizes, both, order=1)
    yield pattern.case(distinct | {first: 20, last: 20, shared: _LONG})
    yield replace(case, dim=DimArgument("list", summed_over * 2), regime="special", seed=1)
    yield pattern.case(distinct | zero)
    yield pattern.case(distinct | {first: 0}, both)
    yield pattern.case(distinct | zero, both, y_sizes=distinct)
    for dtypes in (_DTYPES[number], _DTYPES[number - 1]):
        order = int({*dtypes} <= {*FLOATS, "complex128"})
        yield replace(with_dtypes(case, *dtypes), regime="rounding", gradient_order=order)
