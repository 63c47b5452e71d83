"""Every structure that a dot can have up to a rank, and the cases that try each of them.

What a lowering does depends on the pattern of names alone; up to renaming there are finitely many
of a rank, so that all of them can be tried. Sizes, dtypes, numbers and spellings without end are
left to `refdot.strategies`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from typing import NamedTuple

from refdot.cases.case import DTYPES, FLOATS, DimArgument, DotCase, Operand

__all__ = [
    "NAMES",
    "SIZES",
    "Pattern",
    "case_of",
    "disagreeing_cases_of",
    "distinct_sizes",
    "dtype_cases_of",
    "equal_sizes",
    "forward_cases_of",
    "gradient_cases_of",
    "patterns",
    "slow_cases_of",
]


# Neither in alphabetical order nor in its reverse: what sorts names would go unseen otherwise.
NAMES = ("c", "a", "d", "b", "f", "e", "h", "g", "j", "i", "l", "k")
# Distinct for as long as arrays of all of them stay small.
SIZES = (2, 3, 5, 7, 4, 6, 2, 3, 2, 3, 2, 3)
_SQUARE = 3
_NARROW_AND_WIDE = (
    ("float16", "float32"),
    ("float16", "float64"),
    ("float32", "float64"),
    ("int8", "uint8"),
    ("int8", "int64"),
    ("uint32", "int64"),
    ("uint64", "int64"),
    ("int64", "float32"),
    ("uint64", "float64"),
    ("complex64", "float64"),
    ("complex128", "int16"),
    ("bool", "int32"),
    ("bool", "float64"),
)


class Pattern(NamedTuple):
    """Which dims there are, where, and which of them are summed over.

    Attributes
    ----------
    x_dims, y_dims : tuple of str
    summed_over : tuple of str
        In the order of `dims`.
    """

    x_dims: tuple[str, ...]
    y_dims: tuple[str, ...]
    summed_over: tuple[str, ...]

    @property
    def dims(self) -> tuple[str, ...]:
        """All dims, x's first."""
        return tuple(dict.fromkeys(self.x_dims + self.y_dims))


def patterns(rank: int) -> Iterator[Pattern]:
    """Give every pattern of two operands of at most some rank, once up to renaming.

    Parameters
    ----------
    rank : int
        The most dims that an operand has.

    Yields
    ------
    Pattern
        Those of lower rank first.

    Examples
    --------
    >>> [sum(1 for _ in patterns(rank)) for rank in range(4)]
    [1, 11, 107, 1243]
    >>> for pattern in patterns(1):
    ...     print(*pattern)
    () () ()
    () ('c',) ()
    () ('c',) ('c',)
    ('c',) () ()
    ('c',) () ('c',)
    ('c',) ('c',) ()
    ('c',) ('c',) ('c',)
    ('c',) ('a',) ()
    ('c',) ('a',) ('c',)
    ('c',) ('a',) ('a',)
    ('c',) ('a',) ('c', 'a')
    """
    for highest in range(rank + 1):
        for x_rank in range(highest + 1):
            x_dims = NAMES[:x_rank]
            y_ranks = range(highest + 1) if x_rank == highest else (highest,)
            for y_rank in y_ranks:
                for y_dims in _orders(x_dims, NAMES[x_rank:], y_rank):
                    dims = tuple(dict.fromkeys(x_dims + y_dims))
                    for count in range(len(dims) + 1):
                        for summed_over in combinations(dims, count):
                            yield Pattern(x_dims, y_dims, summed_over)


def _orders(shared: Sequence[str], new: Sequence[str], length: int) -> Iterator[tuple[str, ...]]:
    """Give every sequence of distinct names, of which new ones come in their own order."""
    if length == 0:
        yield ()
        return
    for place, name in enumerate(shared):
        left = (*shared[:place], *shared[place + 1 :])
        yield from ((name, *rest) for rest in _orders(left, new, length - 1))
    yield from ((new[0], *rest) for rest in _orders(shared, new[1:], length - 1))


def forward_cases_of(pattern: Pattern) -> Iterator[DotCase]:
    """Give cases of one pattern without gradients.

    Distinct sizes with numbers of every tier, each dim in turn of size 1 and of size 0, and all
    sizes equal, none of them known beforehand; and distinct sizes that are known, of complex
    numbers.

    Examples
    --------
    >>> for case in list(forward_cases_of(Pattern(("c",), ("c", "a"), ("a",))))[5:8]:
    ...     print(case)
    dot(float64(c: 2?), float64(c: 2?, a: 3?), dim=('a',))  [special, seed 3]
    dot(float64(c: 1?), float64(c: 1?, a: 3?), dim=('a',))
    dot(float64(c: 0?), float64(c: 0?, a: 3?), dim=('a',))
    """
    distinct = case_of(pattern, distinct_sizes(pattern))
    for tier, seeds in {"exact": 1, "rounding": 1, "special": 4}.items():
        yield from (replace(distinct, regime=tier, seed=seed) for seed in range(seeds))
    for sizes in (*_degenerate_sizes(pattern), equal_sizes(pattern)):
        yield case_of(pattern, sizes)
    yield _of_complex(case_of(pattern, distinct_sizes(pattern), (True, True)))


def gradient_cases_of(pattern: Pattern) -> Iterator[DotCase]:
    """Give cases of one pattern with gradients.

    The same sizes as without; equal ones that are known, of complex numbers; and both operands one
    variable, where that can be.

    Examples
    --------
    >>> for case in list(gradient_cases_of(Pattern(("c",), ("c",), ())))[4:]:
    ...     print(case)
    dot(complex128(c: 3), complex128(c: 3), dim=())  [gradient]
    dot(float64(c: 2?), x, dim=())  [gradient]
    """
    for sizes in (distinct_sizes(pattern), *_degenerate_sizes(pattern), equal_sizes(pattern)):
        yield case_of(pattern, sizes, order=1)
    yield _of_complex(case_of(pattern, equal_sizes(pattern), (True, True), order=1))
    if pattern.x_dims == pattern.y_dims:
        yield replace(case_of(pattern, distinct_sizes(pattern), order=1), same_variable=True)


def slow_cases_of(pattern: Pattern) -> Iterator[DotCase]:
    """Give those cases of one pattern that take a target long.

    Second gradients; sizes that are known, each dim in turn of size 1 and of size 0; and sizes
    that only one operand knows.

    Examples
    --------
    >>> for case in slow_cases_of(Pattern(("c",), (), ())):
    ...     print(case)
    dot(float64(c: 2?), float64(), dim=None)  [second gradient]
    dot(float64(c: 2), float64(), dim=None)  [gradient]
    dot(float64(c: 1), float64(), dim=None)  [gradient]
    dot(float64(c: 0), float64(), dim=None)  [gradient]
    dot(float64(c: 2), float64(), dim=None)
    dot(float64(c: 2?), float64(), dim=None)
    """
    distinct = distinct_sizes(pattern)
    yield case_of(pattern, distinct, order=2)
    for sizes in (distinct, *_degenerate_sizes(pattern)):
        yield case_of(pattern, sizes, (True, True), order=1)
    for static in ((True, False), (False, True)):
        yield case_of(pattern, distinct, static)


def disagreeing_cases_of(pattern: Pattern) -> Iterator[DotCase]:
    """Give cases of one pattern in which sizes of shared dims disagree.

    The first one (in some other pattern each is), or all of them: n against another size, against
    1, and 1 against n; and two dims that exchange their sizes, so that the products agree. The
    sizes are known beforehand in neither operand, in one, or in both.

    Examples
    --------
    >>> for case in list(disagreeing_cases_of(Pattern(("c",), ("c",), ("c",))))[:4]:
    ...     print(case)
    dot(float64(c: 2?), float64(c: 3?), dim=None)
    dot(float64(c: 2), float64(c: 3?), dim=None)
    dot(float64(c: 3?), float64(c: 2), dim=None)
    dot(float64(c: 2), float64(c: 3), dim=None)
    """
    distinct = distinct_sizes(pattern)
    shared = [dim for dim in pattern.x_dims if dim in pattern.y_dims]
    groups = [shared[:count] for count in sorted({1, len(shared)}) if shared]
    ones = [distinct | dict.fromkeys(dims, 1) for dims in groups]
    others = [distinct | {dim: distinct[dim] + 1 for dim in dims} for dims in groups]
    pairs = [(distinct, sizes) for sizes in others + ones]
    pairs += [(sizes, distinct) for sizes in ones]
    if len(shared) > 1:
        first, second = shared[:2]
        exchanged = distinct | {first: distinct[second], second: distinct[first]}
        pairs.append((distinct, exchanged))
    for x_sizes, y_sizes in pairs:
        yield case_of(pattern, x_sizes, (False, False), y_sizes=y_sizes)
        yield case_of(pattern, x_sizes, (True, False), y_sizes=y_sizes)
        # What is known differs less than what is not: most of these are calls of one function.
        yield case_of(pattern, y_sizes, (False, True), y_sizes=x_sizes)
        yield case_of(pattern, x_sizes, (True, True), y_sizes=y_sizes)


def dtype_cases_of(pattern: Pattern) -> Iterator[DotCase]:
    """Give cases of one pattern with operands of each dtype, and of narrow and wide ones.

    With small integers, and with numbers that use all of a dtype's range or digits; of floats
    the gradients too.

    Examples
    --------
    >>> for case in list(dtype_cases_of(Pattern(("c",), (), ("c",))))[-2:]:
    ...     print(case)
    dot(float64(c: 2?), bool(), dim=('c',))
    dot(float64(c: 2?), bool(), dim=('c',))  [rounding]
    """
    case = case_of(pattern, distinct_sizes(pattern))
    for pair in (*((dtype, dtype) for dtype in DTYPES), *_NARROW_AND_WIDE):
        for x_dtype, y_dtype in dict.fromkeys((pair, pair[::-1])):
            x, y = replace(case.x, dtype=x_dtype), replace(case.y, dtype=y_dtype)
            order = int({x_dtype, y_dtype} <= {*FLOATS})
            yield replace(case, x=x, y=y, gradient_order=order)
            yield replace(case, x=x, y=y, gradient_order=order, regime="rounding")


def _of_complex(case: DotCase) -> DotCase:
    """Give the same case of complex numbers: only they tell a conjugate."""
    x, y = (replace(operand, dtype="complex128") for operand in (case.x, case.y))
    return replace(case, x=x, y=y)


def distinct_sizes(pattern: Pattern) -> dict[str, int]:
    """Give each dim a size of its own."""
    return dict(zip(pattern.dims, SIZES, strict=False))


def _degenerate_sizes(pattern: Pattern) -> list[dict[str, int]]:
    """Give each dim in turn the size 1, and 0."""
    distinct = distinct_sizes(pattern)
    return [distinct | {dim: size} for dim in distinct for size in (1, 0)]


def equal_sizes(pattern: Pattern) -> dict[str, int]:
    """Give all dims one size."""
    return dict.fromkeys(pattern.dims, _SQUARE)


def case_of(
    pattern: Pattern,
    sizes: Mapping[str, int],
    static: tuple[bool, bool] = (False, False),
    order: int = 0,
    y_sizes: Mapping[str, int] | None = None,
) -> DotCase:
    """Give the case of a pattern with some sizes, and which operand's are known beforehand."""
    x, y = (
        Operand(dims, tuple(of[dim] for dim in dims), static=(is_static,) * len(dims))
        for dims, of, is_static in zip(
            (pattern.x_dims, pattern.y_dims), (sizes, y_sizes or sizes), static, strict=True
        )
    )
    shared = {*pattern.x_dims}.intersection(pattern.y_dims)
    spelling = "tuple"
    if shared == {*pattern.summed_over}:
        spelling = "none"
    elif len(pattern.dims) > 2 and len(pattern.summed_over) == len(pattern.dims):
        spelling = "ellipsis"
    items = pattern.summed_over if spelling == "tuple" else ()
    dim = DimArgument(spelling, items)
    return DotCase(x, y, dim, gradient_order=order)
