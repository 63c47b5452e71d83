"""Boundary cases: numbers of dims at the limits of lowerings, and static sizes of 1 and 0.

A lowering can run out of letters (26 or 52) or of axes (32 or 64), and it can treat a size that it
knows to be 1 or 0 in another way. Random cases seldom have exactly these numbers.
"""

from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations, permutations, product

from refdot.cases.case import DimArgument, DotCase, Operand
from refdot.cases.shrinking import with_sizes

__all__ = [
    "DIM_COUNTS",
    "dim_count_cases",
    "exchanged_size_cases",
    "static_size_cases",
    "summed_dims_cases",
]

# The last numbers of dims that letters and axes suffice for, and the next ones.
DIM_COUNTS = (26, 27, 32, 33, 52, 53, 63, 64)


def dim_count_cases(count: int) -> Iterator[DotCase]:
    """Yield cases with exactly as many dims: in both operands, in x, or only in the output.

    All sizes are 1, except for those of the first dim and the last.

    Examples
    --------
    >>> for case in dim_count_cases(26):
    ...     print(len(case.x.dims), len(case.y.dims), len(case.out_sizes))
    26 26 0
    26 26 26
    26 0 26
    13 13 26
    """
    names = tuple(f"d{number}" for number in range(count))
    sizes = (2, *(1,) * (count - 2), 3)
    every, scalar = Operand(names, sizes), Operand((), ())
    half = count // 2
    first, second = Operand(names[:half], sizes[:half]), Operand(names[half:], sizes[half:])
    yield DotCase(every, replace(every, dims=names[::-1], shape=sizes[::-1]))
    yield DotCase(every, every, DimArgument("tuple"))
    yield DotCase(every, scalar)
    yield DotCase(first, second)


def exchanged_size_cases() -> Iterator[DotCase]:
    """Yield cases in which two of two to four contracted dims have the sizes of each other in y.

    If contracted dims are reshaped to one, its size is right. In some cases, all sizes of one
    operand are static.

    Examples
    --------
    >>> for case in list(exchanged_size_cases())[:2]:
    ...     print(case)
    dot(float64(d0: 2?, d1: 3?), float64(d0: 3?, d1: 2?), dim=None)
    dot(float64(d0: 2, d1: 3), float64(d0: 3?, d1: 2?), dim=None)
    """
    for count in (2, 3, 4):
        names, sizes = tuple(f"d{number}" for number in range(count)), tuple(range(2, count + 2))
        for first, second in combinations(range(count), 2):
            exchanged = list(sizes)
            exchanged[first], exchanged[second] = sizes[second], sizes[first]
            x, y = Operand(names, sizes), Operand(names, tuple(exchanged))
            yield DotCase(x, y)
            if (first, second) == (0, 1):
                yield DotCase(_with_static_sizes(x), y)
                yield DotCase(x, _with_static_sizes(y))


def _with_static_sizes(operand: Operand) -> Operand:
    return replace(operand, static=(True,) * len(operand.dims))


# Where a size can be static: in which operand, for a dim of each role.
_OWNERS = {
    "contracted": ("x", "y", "xy"),
    "batch": ("x", "y", "xy"),
    "x_free": ("x",),
    "y_free": ("y",),
    "x_summed": ("x",),
    "y_summed": ("y",),
}
_OTHER_SIZES = {"c": 3, "a": 2, "x free": 4, "y free": 5}


# The static size, and whether its dim is on the first axis of the operand that has it.
_STATIC_SIZES = ((1, True), (1, False), (0, False))


def static_size_cases(seed: int = 0, thorough: bool = False) -> Iterator[DotCase]:
    """Yield cases in which only one dim has a static size, and that is 1 or 0.

    The dim has each role, its size is static in one operand, in the other or in both, and the
    operand has two to four dims, which are in another order in the other operand. Unless thorough,
    every second case has a gradient; the seed determines which. Where it has none, a case with a
    size that does not match calls the same function.

    Examples
    --------
    >>> for case in list(static_size_cases())[:3]:
    ...     print(case)
    dot(float64(s: 1, c: 3?), float64(c: 3?, s: 1?), dim=('c', 's'))
    dot(float64(s: 1, c: 3?), float64(c: 3?, s: 3?), dim=('c', 's'))
    dot(float64(c: 3?, s: 1), float64(s: 1?, c: 3?), dim=('c', 's'))  [gradient]
    """
    places = [(role, owners) for role, every in _OWNERS.items() for owners in every]
    variants = product(places, (2, 3, 4), _STATIC_SIZES)
    for number, ((role, owners), rank, (size, is_first)) in enumerate(variants, seed):
        for order in (0, 1) if thorough else (number % 2,):
            yield from _static_size_cases(role, owners, rank, size, order, is_first)


def _static_size_cases(
    role: str, owners: str, rank: int, size: int, order: int, is_first: bool
) -> Iterator[DotCase]:
    x_dims = ["c", "a", "x free"][: rank - 1]
    y_dims = ["y free", "a", "c"][4 - rank :]
    axes = (0, rank - 1) if is_first else (rank // 2, (rank - 1) // 2)
    x_axis, y_axis = axes[::-1] if owners == "y" else axes
    if not role.startswith("y_"):
        x_dims.insert(x_axis, "s")
    if not role.startswith("x_"):
        y_dims.insert(y_axis, "s")
    summed = ("c", "s") if role in ("contracted", "x_summed", "y_summed") else ("c",)
    sizes = _OTHER_SIZES | {"s": size}

    def operand(name: str, dims: list[str]) -> Operand:
        static = tuple(dim == "s" and name in owners for dim in dims)
        return Operand(tuple(dims), tuple(sizes[dim] for dim in dims), static=static)

    x, y = operand("x", x_dims), operand("y", y_dims)
    case = DotCase(x, y, DimArgument("tuple", summed), gradient_order=order)
    yield case
    if len(owners) == 1 and "s" in x_dims and "s" in y_dims and order == 0:
        other = "y" if owners == "x" else "x"
        yield with_sizes(case, *({"s": 3} if name == other else {} for name in "xy"))


def summed_dims_cases() -> Iterator[DotCase]:
    """Yield cases in which x has two or three dims to sum over alone, and static sizes of 1.

    One or two of these dims have the static size 1, and another dim is kept. Three dims have every
    order, and four have every order in which `s` is first: if axes of size 1 are removed before a
    sum, the other axes have other numbers. Every second case has a gradient.

    Examples
    --------
    >>> for case in list(summed_dims_cases())[:2]:
    ...     print(case)
    dot(float64(s: 1, a: 2?, c: 3?), float64(), dim=('s', 'a'))
    dot(float64(s: 1, a: 2?, c: 3?), float64(c: 3?), dim=('s', 'a'))  [gradient]
    """
    sizes = {"s": 1, "t": 1, "a": 2, "c": 3}
    orders = [*permutations("sac"), *(("s", *rest) for rest in permutations("tac"))]
    for dims in orders:
        x = Operand(dims, tuple(sizes[dim] for dim in dims), static=tuple(d in "st" for d in dims))
        summed = DimArgument("tuple", tuple(dim for dim in "sta" if dim in dims))
        yield DotCase(x, Operand((), ()), summed)
        yield DotCase(x, Operand(("c",), (3,)), summed, gradient_order=1)
