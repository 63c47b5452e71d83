"""Draws cases with Hypothesis: valid ones, and ones that break a rule of input.

Every choice is listed with its simplest option first, since that is what Hypothesis shrinks to,
and options that should come up more often are listed more than once.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations
from math import factorial, prod
from typing import Any, TypeVar

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from refdot.case import DTYPES, FLOATS, LAYOUTS, DimArgument, DotCase, Operand

__all__ = ["choices", "dim_arguments", "dot_cases", "orders"]

T = TypeVar("T")

ROLES = ("contracted", "x_free", "y_free", "batch", "x_summed", "y_summed")
SUMMED_OVER = {"contracted", "x_summed", "y_summed"}
NAMES = (
    ("a", "b", "c", "d", "e", "f", "g", "h"),
    ("time", "time_k", "t", "tim", "time_q", "k", "q", "batch"),
    ("embd", "head", "é", "dim 0", "x", "y", "Head", "dim"),
)
# Small first for shrinking; 0, 1 and squares are there, distinct sizes are likely.
SIZES = (1, 2, 3, 0, 4, 5, 7, 2, 3, 4, 5, 7, 2, 3, 5, 7)
PRODUCT_LIMIT = 3000
# Past 26, past 52 and near 64: where letters and axes run out. Names alone, of size 1.
MANY_DIMS = (0,) * 47 + (27, 53, 40)

# Hypothesis mixes integers that it finds in the source of whatever modules are loaded into its
# draws; no such integer is as far out as this, so the same seed gives the same cases everywhere.
FAR_OUT = 7_340_033_000_000


def choices(options: Sequence[T]) -> SearchStrategy[T]:
    """Draw one of `options`, each place in it equally often; shrinks towards the first.

    Unlike `sampled_from`, it draws the same with the same seed whichever modules are loaded.

    Parameters
    ----------
    options : sequence
        Repeated options are drawn more often.
    """
    indices = st.integers(FAR_OUT, FAR_OUT + len(options) - 1)
    return indices.map(lambda index: options[index - FAR_OUT])


def orders(count: int) -> SearchStrategy[tuple[int, ...]]:
    """Draw an order of `count` things; shrinks towards the order they have."""
    if count <= 6:
        table = list(permutations(range(count)))
        return choices(range(factorial(count))).map(lambda index: table[index])

    def permuted(draws: tuple[int, ...]) -> tuple[int, ...]:
        left = list(range(count))
        return tuple(left.pop(draw) for draw in draws)

    return st.tuples(*(choices(range(left)) for left in range(count, 0, -1))).map(permuted)


@st.composite
def dim_arguments(
    draw: DrawFn, summed_over: Sequence[str], shared: Sequence[str], every: Sequence[str]
) -> DimArgument:
    """Draw a spelling of the `dim` argument that sums over just `summed_over`.

    Shrinks towards None where that says it, then `...`, a `str`, and a tuple.

    Parameters
    ----------
    summed_over : sequence of str
        What to sum over.
    shared, every : sequence of str
        The dims that both operands have, and all there are.
    """
    named = draw(orders(len(summed_over)).map(lambda order: [summed_over[i] for i in order]))
    spellings = []
    if set(summed_over) == set(shared):
        spellings += [DimArgument("none")] * 4
    if set(summed_over) == set(every):
        spellings += [DimArgument("ellipsis")] * 2
    if len(summed_over) == 1:
        spellings += [DimArgument("str", tuple(summed_over))] * 2
    spellings += [
        DimArgument(spelling, tuple(named))
        for spelling in ("tuple", "list", "tuple", "set", "frozenset", "keys", "iterator")
    ]
    if named:
        spellings.append(DimArgument("list", (*named, named[0])))
    return draw(choices(spellings))


def invalid_dim_arguments(every: Sequence[str]) -> SearchStrategy[DimArgument]:
    """Draw a `dim` argument that R2 or R3 refuses; shrinks towards a name that is not there."""
    known, near = (every[0], every[0] + "_") if every else ("a", "a_")
    missing = next(name for name in ("z", "y", "x", "zz") if name not in every)
    near = near if near not in every else missing
    return choices(
        [
            DimArgument("str", (missing,)),
            DimArgument("tuple", (missing,)),
            DimArgument("list", (known, missing) if every else (missing,)),
            DimArgument("tuple", (missing, near)),
            DimArgument("set", (near, missing)),
            DimArgument("str", (near,)),
            DimArgument("object", (5,)),
            DimArgument("object", (True,)),
            DimArgument("object", (1.5,)),
            DimArgument("tuple", (5,)),
            DimArgument("list", (None,)),
            DimArgument("list", (known, 5)),
            DimArgument("array", (known,)),
            DimArgument("bytes", (known,)),
        ]
    )


def dtype_pairs() -> SearchStrategy[tuple[str, str]]:
    """Draw two dtypes, alike more often than not; shrinks towards float64 for both."""
    alike = [(dtype, dtype) for dtype in DTYPES]
    floats = [(x, y) for x in FLOATS for y in FLOATS if x != y]
    mixed = [(x, y) for x in DTYPES for y in DTYPES if x != y]
    kinds = choices([[("float64", "float64")]] * 4 + [alike] * 3 + [floats] + [mixed] * 2)
    return kinds.flatmap(choices)


@st.composite
def dot_cases(draw: DrawFn, valid: bool | None = None) -> DotCase:
    """Draw a case.

    Shrinks towards few dims of size 1, float64, exact data of seed 0, `dim=None`, shapes that
    are not known beforehand, no gradient, `dot(x, y)` rather than `x.dot(y)`, and valid input.

    Parameters
    ----------
    valid : bool, optional
        Whether the case shall obey R1 to R4. By default about three in four do.
    """
    faults: list[str] = []
    if valid is not True:
        faults = ["sizes", "sizes", "dim", "sizes", "dim", "sizes", "names"]
    if valid is not False:
        faults = [""] * (3 * len(faults) or 1) + faults
    fault = draw(choices(faults))
    same_variable = fault in ("", "dim") and draw(choices((False,) * 9 + (True,)))
    knowledge = draw(choices(("unknown", "known", "mixed", "mixed")))
    natural = draw(choices((True, False)))
    roles: tuple[str, ...] = ROLES[:3] if natural else ROLES
    if same_variable:
        roles = ("contracted", "batch")
    if fault == "sizes":
        roles = ("contracted", "batch", *roles)

    def known() -> bool:
        return knowledge == "known" or (knowledge == "mixed" and draw(choices((False, True))))

    one_dim = st.tuples(choices(roles), choices(SIZES))
    drawn = draw(st.lists(one_dim, min_size=1 if fault == "sizes" else 0, max_size=7))
    names = draw(choices((NAMES[0], NAMES[0], NAMES[1], NAMES[2])))
    role = dict(zip(names, (role for role, _ in drawn), strict=False))
    if fault == "sizes" and role[names[0]] not in ("contracted", "batch"):
        role[names[0]] = "contracted"
    sizes: dict[str, int] = {}
    for name, (_, size) in zip(names, drawn, strict=False):
        fits = prod(max(1, other) for other in sizes.values()) * size <= PRODUCT_LIMIT
        sizes[name] = size if fits else 1

    every = list(role)
    x_dims = reordered(draw, [name for name in every if not role[name].startswith("y_")])
    y_dims = reordered(draw, [name for name in every if not role[name].startswith("x_")])
    if same_variable:
        y_dims = x_dims
    shared = [name for name in x_dims if name in y_dims]
    summed_over = [name for name in every if role[name] in SUMMED_OVER]
    many = 0 if same_variable or fault == "names" else draw(choices(MANY_DIMS))
    padding = [f"p{number}" for number in range(many)]
    x_dims = [*x_dims, *padding]
    sizes |= dict.fromkeys(padding, 1)

    y_sizes = dict(sizes)
    if fault == "sizes":
        y_sizes |= draw(other_sizes(shared, sizes))
    if fault == "dim":
        dim = draw(invalid_dim_arguments(every))
    else:
        dim = draw(dim_arguments(summed_over, shared, every + padding))
    x_dtype, y_dtype = draw(dtype_pairs())
    x_layout, y_layout = draw(st.tuples(*[choices(("c",) * 6 + LAYOUTS)] * 2))
    x_names: Sequence[Any] = x_dims
    if fault == "names":
        x_names = draw(invalid_names(x_dims))
        sizes = dict(zip(x_names, [sizes.get(name, 2) for name in x_names], strict=True))
    x = Operand(
        tuple(x_names),
        tuple(sizes[name] for name in x_names),
        x_dtype,
        tuple(known() for _ in x_names),
        x_layout,
    )
    y = Operand(
        tuple(y_dims),
        tuple(y_sizes[name] for name in y_dims),
        y_dtype,
        tuple(known() for _ in y_dims),
        y_layout,
    )
    return DotCase(
        x=x,
        y=x if same_variable else y,
        dim=dim,
        tier=draw(choices(("exact", "exact", "rounding", "exact", "rounding", "special"))),
        seed=draw(choices(range(100))),
        same_variable=same_variable,
        gradient_order=draw(choices((0, 1, 1, 2))) if not fault else 0,
        method=draw(choices((False, False, True))),
    )


def reordered(draw: DrawFn, names: list[str]) -> list[str]:
    """Draw another order of names."""
    return [names[index] for index in draw(orders(len(names)))]


@st.composite
def other_sizes(draw: DrawFn, shared: Sequence[str], sizes: dict[str, int]) -> dict[str, int]:
    """Draw what makes the sizes of y disagree; shrinks towards one dim of another small size."""
    several = draw(choices((False, False, False, True)))
    if several and len(shared) > 1 and sizes[shared[0]] != sizes[shared[1]]:
        # Two sizes exchanged: every product of sizes still agrees.
        first, second = shared[:2]
        return {first: sizes[second], second: sizes[first]}
    chosen = shared if several else [shared[draw(choices(range(len(shared))))]]
    return {
        name: draw(choices([size for size in (2, 1, 3, 5, 0, 4) if size != sizes[name]]))
        for name in chosen
    }


def invalid_names(names: Sequence[str]) -> SearchStrategy[list[Any]]:
    """Draw dims that R1 refuses; shrinks towards one dim twice."""
    first = names[0] if names else "a"
    return choices([[first, first], [*names, first, first], ["", *names], [*names, 3]])
