"""Pairwise cases: every two properties of operands occur together in one of a few cases.

Most faults show only where two properties meet, such as a constant and a batch dim, or an array in
reverse and complex numbers. Random cases have each property often, and many pairs of them never.
"""

from collections.abc import Iterator
from itertools import combinations, product
from random import Random
from typing import Any

from refdot.cases.case import DTYPES, DimArgument, DotCase, Operand
from refdot.cases.patterns import Pattern

__all__ = ["pairwise_cases"]

# The dims have every role, up to three dims at once, and other axes in x than in y.
_PATTERNS = (
    Pattern(("c", "a"), ("a", "d"), ("a",)),
    Pattern(("c", "a"), ("d", "a"), ()),
    Pattern(("c", "a"), ("d",), ("c", "d")),
    Pattern(("c", "a", "d"), ("d", "c", "a"), ("a", "c", "d")),
    Pattern(("c", "a", "d"), ("a", "e", "d", "c"), ("a",)),
    Pattern(("c", "a", "d", "b"), ("d", "b", "a", "c"), ("a",)),
    Pattern(("c", "a", "d", "b"), ("b", "d", "a", "c"), ("a", "b")),
    Pattern(("c", "d", "b", "a"), ("a", "e"), ("a",)),
    Pattern(("e", "a"), ("d", "b", "a", "c"), ("a",)),
    Pattern(("c", "a", "d", "b"), ("e", "b", "a", "f"), ("a", "b")),
    Pattern(("c", "a", "d", "b"), ("f", "a", "e", "c"), ("a", "b", "f")),
    Pattern(("c", "a", "d"), ("a", "b", "e", "d"), ("a", "d", "c", "e")),
)
_LAYOUTS = ("c", "fortran", "reversed", "strided", "read-only", "broadcast", "windows", "slice")
# Where an operand comes from, what it contains, and which of its sizes are static.
_SOURCES = (
    ("input", "drawn", "none"),
    ("input", "drawn", "one"),
    ("input", "drawn", "all"),
    ("shared", "drawn", "none"),
    ("constant", "drawn", "all"),
    ("constant", "zeros", "all"),
    ("constant", "ones", "all"),
    ("constant", "identity", "all"),
    ("constant", "diagonal", "all"),
    ("constant", "one-hot", "all"),
)
_SIZES = ("distinct", "equal", "1", "136")  # each alone is the size of one dim
_PROPERTIES: dict[str, tuple[Any, ...]] = {
    "pattern": _PATTERNS,
    "x_dtype": DTYPES,
    "y_dtype": DTYPES,
    "x_layout": _LAYOUTS,
    "y_layout": _LAYOUTS,
    "x_source": _SOURCES,
    "y_source": _SOURCES,
    "sizes": _SIZES,
    "regime": ("exact", "rounding", "special"),
    "gradient_order": (0, 1),
}
_CANDIDATES = 20  # of which each case is the one with the most new pairs


def pairwise_cases(seed: int = 0) -> Iterator[DotCase]:
    """Yield cases in which each value of a property meets each value of every other one.

    Examples
    --------
    >>> cases = list(pairwise_cases())
    >>> len(cases)
    260
    >>> print(cases[16])
    dot(bool(c: 2?, a: 3?), complex64 windows(d: 5?, a: 3), dim=())  [rounding, gradient]
    """
    random = Random(seed)
    missing = {
        ((a, first), (b, second))
        for a, b in combinations(_PROPERTIES, 2)
        for first, second in product(_PROPERTIES[a], _PROPERTIES[b])
    }
    while missing:
        start = dict(min(missing, key=repr))
        candidates = [_filled(start, random) for _ in range(_CANDIDATES)]
        best = max(candidates, key=lambda chosen: len(missing & _pairs(chosen)))
        missing -= _pairs(best)
        yield _case(random, **best)


def _filled(start: dict[str, Any], random: Random) -> dict[str, Any]:
    """Return a value for each property, at random where it is not given."""
    return {name: start.get(name, random.choice(values)) for name, values in _PROPERTIES.items()}


def _pairs(chosen: dict[str, Any]) -> set[Any]:
    return set(combinations(chosen.items(), 2))


def _case(random: Random, pattern: Pattern, sizes: str, **chosen: Any) -> DotCase:
    by_dim = pattern.equal_sizes if sizes == "equal" else pattern.distinct_sizes
    if sizes.isdecimal():
        by_dim = {dim: min(size, 3) for dim, size in by_dim.items()}
        by_dim[random.choice(pattern.dims)] = int(sizes)

    def operand(name: str, dims: tuple[str, ...]) -> Operand:
        origin, content, known = chosen[f"{name}_source"]
        one = random.choice(dims)
        return Operand(
            dims,
            tuple(by_dim[dim] for dim in dims),
            chosen[f"{name}_dtype"],
            tuple(known == "all" or (known == "one" and dim == one) for dim in dims),
            chosen[f"{name}_layout"],
            origin,
            content,
        )

    return DotCase(
        operand("x", pattern.x_dims),
        operand("y", pattern.y_dims),
        DimArgument("tuple", pattern.summed_over),
        regime=chosen["regime"],
        gradient_order=chosen["gradient_order"],
    )
