"""Every structure that a dot can have up to a rank, and the cases that try each of them.

What a lowering does depends on the pattern of names alone; up to renaming there are finitely many
of a rank, so that all of them can be tried. Sizes, dtypes, numbers and spellings without end are
left to `refdot.strategies`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import combinations
from typing import NamedTuple

from refdot.case import TIERS, DimArgument, DotCase, Operand

__all__ = ["Pattern", "cases_of", "patterns"]

# Neither in alphabetical order nor in its reverse: what sorts names would go unseen otherwise.
NAMES = ("c", "a", "d", "b", "f", "e", "h", "g", "j", "i", "l", "k")
# Distinct for as long as arrays of all of them stay small.
SIZES = (2, 3, 5, 7, 4, 6, 2, 3, 2, 3, 2, 3)
SQUARE = 3


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
                for y_dims in orders(x_dims, NAMES[x_rank:], y_rank):
                    dims = tuple(dict.fromkeys(x_dims + y_dims))
                    for count in range(len(dims) + 1):
                        for summed_over in combinations(dims, count):
                            yield Pattern(x_dims, y_dims, summed_over)


def orders(shared: Sequence[str], new: Sequence[str], length: int) -> Iterator[tuple[str, ...]]:
    """Give every sequence of distinct names, of which new ones come in their own order."""
    if length == 0:
        yield ()
        return
    for place, name in enumerate(shared):
        left = (*shared[:place], *shared[place + 1 :])
        yield from ((name, *rest) for rest in orders(left, new, length - 1))
    yield from ((new[0], *rest) for rest in orders(shared, new[1:], length - 1))


def cases_of(pattern: Pattern, thorough: bool = True) -> Iterator[DotCase]:
    """Give the cases that try one pattern.

    Distinct sizes, each dim in turn of size 1 and of size 0, and all sizes equal, none of them
    known beforehand; distinct and equal ones that are known; numbers of every tier. Those that
    are one graph to a target come in a row.

    Parameters
    ----------
    pattern : Pattern
    thorough : bool, optional
        Whether to give those too that take a target long: second gradients, gradients of known
        sizes, sizes of 1 and 0 that are known, and sizes that only one operand knows.

    Examples
    --------
    >>> for case in list(cases_of(Pattern(("c",), ("c", "a"), ("a",))))[2:5]:
    ...     print(case)
    dot(float64(c: 2?), float64(c: 2?, a: 3?), dim=('a',))  [special, second gradient]
    dot(float64(c: 1?), float64(c: 1?, a: 3?), dim=('a',))  [second gradient]
    dot(float64(c: 0?), float64(c: 0?, a: 3?), dim=('a',))  [second gradient]
    """
    distinct = dict(zip(pattern.dims, SIZES, strict=False))
    equal = dict.fromkeys(distinct, SQUARE)
    degenerate = [distinct | {dim: size} for dim in distinct for size in (1, 0)]
    for same_variable in (False, True)[: 1 + (pattern.x_dims == pattern.y_dims)]:
        unknown = partial(case_of, pattern, same_variable=same_variable, order=1 + thorough)
        yield from (replace(unknown(distinct), tier=tier) for tier in TIERS)
        yield from map(unknown, (*degenerate, equal))
        known = partial(unknown, known=(True, True))
        yield known(equal, order=1)
        for sizes in (distinct, *(degenerate if thorough else ())):
            yield known(sizes, order=int(thorough))
    if thorough:
        for known_in in ((True, False), (False, True)):
            yield case_of(pattern, distinct, known_in)


def case_of(
    pattern: Pattern,
    sizes: Mapping[str, int],
    known: tuple[bool, bool] = (False, False),
    same_variable: bool = False,
    order: int = 0,
) -> DotCase:
    """Give the case of a pattern with some sizes, and which operand's are known beforehand."""
    x, y = (
        Operand(dims, tuple(sizes[dim] for dim in dims), known=(is_known,) * len(dims))
        for dims, is_known in zip((pattern.x_dims, pattern.y_dims), known, strict=True)
    )
    shared = {*pattern.x_dims}.intersection(pattern.y_dims)
    is_default = shared == {*pattern.summed_over}
    dim = DimArgument() if is_default else DimArgument("tuple", pattern.summed_over)
    return DotCase(x, y, dim, same_variable=same_variable, gradient_order=order)
