"""Every pattern of dims of two operands up to a rank, and its cases.

A lowering depends only on the pattern of names. Up to renaming, a rank has a finite number of
patterns, so that all of them can be tested. `refdot.cases.strategies` draws the rest: sizes,
dtypes, numbers and spellings.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import combinations, permutations, product
from typing import NamedTuple

from refdot.cases.case import DTYPES, FLOATS, DimArgument, DotCase, Operand

__all__ = [
    "MIXED_DTYPES",
    "NAMES",
    "SIZES",
    "Pattern",
    "disagreeing_cases_of",
    "dtype_cases_of",
    "forward_cases_of",
    "gradient_cases_of",
    "patterns",
    "slow_cases_of",
    "with_dtypes",
]

# Neither in alphabetical order nor in reverse, to detect targets that sort names.
NAMES = ("c", "a", "d", "b", "f", "e", "h", "g", "j", "i", "l", "k")
# Distinct for up to six dims; the others are small, so that arrays of all dims stay small.
SIZES = (2, 3, 5, 7, 4, 6, 2, 3, 2, 3, 2, 3)
_BOTH = (True, True)
MIXED_DTYPES = (
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
    """The dims of two operands, and which dims are summed over."""

    x_dims: tuple[str, ...]
    y_dims: tuple[str, ...]
    summed_over: tuple[str, ...]  # in the order of `dims`

    @property
    def dims(self) -> tuple[str, ...]:
        """The distinct dims, those of x first."""
        return tuple(dict.fromkeys(self.x_dims + self.y_dims))

    @property
    def shared(self) -> tuple[str, ...]:
        """The dims that both operands have, in the order of x."""
        return tuple(dim for dim in self.x_dims if dim in self.y_dims)

    @property
    def distinct_sizes(self) -> dict[str, int]:
        """A different size for each dim."""
        return dict(zip(self.dims, SIZES, strict=False))

    @property
    def equal_sizes(self) -> dict[str, int]:
        """The same size for every dim."""
        return dict.fromkeys(self.dims, 3)

    @property
    def degenerate_sizes(self) -> list[dict[str, int]]:
        """Distinct sizes in which one dim has size 1 or 0, for each dim in turn."""
        distinct = self.distinct_sizes
        return [distinct | {dim: size} for dim in distinct for size in (1, 0)]

    def case(
        self,
        sizes: Mapping[str, int],
        static: tuple[bool, bool] = (False, False),
        order: int = 0,
        y_sizes: Mapping[str, int] | None = None,
    ) -> DotCase:
        """Return a case of this pattern, with static sizes in x, in y, in both or in neither.

        In a case with disagreeing sizes, `sizes` are those of x.
        """

        def operand(dims: tuple[str, ...], sizes: Mapping[str, int], is_static: bool) -> Operand:
            shape = tuple(sizes[dim] for dim in dims)
            return Operand(dims, shape, static=(is_static,) * len(dims))

        x = operand(self.x_dims, sizes, static[0])
        y = operand(self.y_dims, y_sizes or sizes, static[1])
        dim = DimArgument("tuple", self.summed_over)
        if {*self.shared} == {*self.summed_over}:
            dim = DimArgument("none")
        elif len(self.dims) > 2 and len(self.summed_over) == len(self.dims):
            dim = DimArgument("ellipsis")
        return DotCase(x, y, dim, gradient_order=order)


def patterns(rank: int) -> Iterator[Pattern]:
    """Yield every pattern of two operands up to a rank, once up to renaming, low ranks first.

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
    for x_rank, y_rank in sorted(product(range(rank + 1), repeat=2), key=max):
        x_dims = NAMES[:x_rank]
        for y_dims in permutations(NAMES[: x_rank + y_rank], y_rank):
            new = tuple(dim for dim in y_dims if dim not in x_dims)
            # Other new names, or another order of them, would be a renaming.
            if new == NAMES[x_rank : x_rank + len(new)]:
                dims = x_dims + new
                for count in range(len(dims) + 1):
                    yield from (Pattern(x_dims, y_dims, over) for over in combinations(dims, count))


def forward_cases_of(pattern: Pattern) -> Iterator[DotCase]:
    """Yield the cases of a pattern without gradients.

    They have distinct sizes, with numbers of every regime; one dim of size 1 or 0; and equal
    sizes, none of them static. A last case has static sizes and complex numbers.
    """
    distinct = pattern.case(pattern.distinct_sizes)
    for regime, seeds in {"exact": 1, "rounding": 1, "special": 4}.items():
        yield from (replace(distinct, regime=regime, seed=seed) for seed in range(seeds))
    for sizes in (*pattern.degenerate_sizes, pattern.equal_sizes):
        yield pattern.case(sizes)
    yield _as_complex(pattern.case(pattern.distinct_sizes, _BOTH))


def gradient_cases_of(pattern: Pattern) -> Iterator[DotCase]:
    """Yield the cases of a pattern with gradients.

    They have the sizes of `forward_cases_of`, and the same variable as both operands, if the
    operands have the same dims.
    """
    distinct = pattern.case(pattern.distinct_sizes, order=1)
    yield distinct
    for sizes in (*pattern.degenerate_sizes, pattern.equal_sizes):
        yield pattern.case(sizes, order=1)
    if pattern.x_dims == pattern.y_dims:
        yield replace(distinct, same_variable=True)


def slow_cases_of(pattern: Pattern) -> Iterator[DotCase]:
    """Yield the cases of a pattern that take a target long.

    They have second gradients; gradients of complex numbers; gradients with static sizes, also
    with one dim of size 1 or 0; and sizes that are static in only one operand.
    """
    distinct = pattern.distinct_sizes
    yield _as_complex(pattern.case(pattern.equal_sizes, _BOTH, order=1))
    yield pattern.case(distinct, order=2)
    for sizes in (distinct, *pattern.degenerate_sizes):
        yield pattern.case(sizes, _BOTH, order=1)
    for static in ((True, False), (False, True)):
        yield pattern.case(distinct, static)


def disagreeing_cases_of(pattern: Pattern, thorough: bool = True) -> Iterator[DotCase]:
    """Yield the cases of a pattern in which the sizes of shared dims disagree.

    The first shared dim disagrees, or all of them: size n vs n + 1, n vs 1 and 1 vs n. In a last
    pair of shapes, two dims exchange their sizes, so that the numbers of elements agree. The sizes
    are static in neither operand, in one, or in both. Unless thorough, the operand with static
    sizes is x in every second pair, and y in the others.
    """
    distinct, shared = pattern.distinct_sizes, pattern.shared
    groups = [shared[:count] for count in sorted({1, len(shared)}) if shared]
    ones = [distinct | dict.fromkeys(dims, 1) for dims in groups]
    others = [distinct | {dim: distinct[dim] + 1 for dim in dims} for dims in groups]
    pairs = [(distinct, sizes) for sizes in others + ones]
    pairs += [(sizes, distinct) for sizes in ones]
    if len(shared) > 1:
        first, second = shared[:2]
        exchanged = {first: distinct[second], second: distinct[first]}
        pairs.append((distinct, distinct | exchanged))
    for number, (x_sizes, y_sizes) in enumerate(pairs):
        yield pattern.case(x_sizes, (False, False), y_sizes=y_sizes)
        if thorough or number % 2 == 0:
            yield pattern.case(x_sizes, (True, False), y_sizes=y_sizes)
        if thorough or number % 2 == 1:
            # The static sizes are those of x, which most pairs have: so most of these cases call
            # the same function.
            yield pattern.case(y_sizes, (False, True), y_sizes=x_sizes)
        yield pattern.case(x_sizes, _BOTH, y_sizes=y_sizes)


def dtype_cases_of(pattern: Pattern) -> Iterator[DotCase]:
    """Yield the cases of a pattern with each dtype, and with operands of two dtypes.

    The numbers are small integers, and numbers that use the whole range or precision of a dtype.
    Cases of floats have gradients.
    """
    case = pattern.case(pattern.distinct_sizes)
    for pair in (*((dtype, dtype) for dtype in DTYPES), *MIXED_DTYPES):
        for dtypes in dict.fromkeys((pair, pair[::-1])):
            typed = replace(with_dtypes(case, *dtypes), gradient_order=int({*dtypes} <= {*FLOATS}))
            yield typed
            yield replace(typed, regime="rounding")


def with_dtypes(case: DotCase, x_dtype: str, y_dtype: str) -> DotCase:
    """Return a case with other dtypes."""
    return replace(case, x=replace(case.x, dtype=x_dtype), y=replace(case.y, dtype=y_dtype))


def _as_complex(case: DotCase) -> DotCase:
    """Return a case of complex numbers, which show whether a target conjugates them."""
    return with_dtypes(case, "complex128", "complex128")
