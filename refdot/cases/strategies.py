"""Draws cases with Hypothesis: valid ones, and ones that break a rule of input.

Every choice lists its simplest option first, since that is what Hypothesis shrinks to, and lists
options more than once that should come up more often. All that concerns one dim is drawn
together and in as many draws for every dim: so Hypothesis can take a dim out of a case and leave
the rest as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any, NamedTuple, TypeVar

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from refdot.cases.case import DTYPES, FLOATS, LAYOUTS, DimArgument, DotCase, Operand
from refdot.cases.names import NAME_POOLS

__all__ = ["choices", "dim_arguments", "dot_cases", "invalid_dim_arguments"]


T = TypeVar("T")
# The first two are those that both operands have, so that they mean the same of one variable.
_ROLES = ("contracted", "batch", "x_free", "y_free", "x_summed", "y_summed")
_KEPT_OR_SHARED = ("contracted", "batch", "x_free", "y_free")
# Where many dims are contracted, in an order of their own in each operand, between batch dims and
# free ones, a lowering has the most to permute.
_PERMUTED = ("contracted", "batch", "x_free", "contracted", "y_free")
# What roles the dims of a case may have, and how few and how many there are. What goes wrong with
# several dims of each role is rare among cases of two or three dims; those of more take longer.
_STRUCTURES = (
    ((*_ROLES, *_KEPT_OR_SHARED), 0, 6),
    ((*_ROLES, *_KEPT_OR_SHARED), 0, 3),
    (_ROLES, 1, 3),
    (_ROLES, 2, 4),
    (_KEPT_OR_SHARED, 2, 4),
    (_PERMUTED, 4, 6),
)
_SUMMED_OVER = {"contracted", "x_summed", "y_summed"}
_SHARED = {"contracted", "batch"}
# Small first for shrinking; 0, 1 and squares are there, distinct sizes are likely.
_SIZES = (1, 2, 3, 0, 4, 5, 7, 2, 3, 4, 5, 7, 2, 3, 5, 7)
_PRODUCT_LIMIT = 3000
# Up to 26, past it, past 52 and near 64: where letters and axes run out. Of size 1, all of them.
_MANY_DIMS = (0,) * 64 + (5, 9, 20, 27, 53)
_DTYPE_PAIRS = (
    (("float64", "float64"),) * 300
    + (("float32", "float32"),) * 120
    + (("int64", "int64"),) * 60
    + (("float16", "float16"),) * 20
    + tuple((dtype, dtype) for dtype in DTYPES) * 19
    + tuple((x, y) for x in FLOATS for y in FLOATS if x != y) * 20
    + tuple((x, y) for x in DTYPES for y in DTYPES if x != y)
)
# A case that is wrong on purpose is plain in all else, so that nothing else is wrong with it.
_PLAIN_PAIRS = (("float64", "float64"),) * 6 + (("int64", "int64"), ("complex128", "complex128"))
_SPELLINGS = ("shortest",) * 5 + (
    "tuple",
    "list",
    "ellipsis",
    "str",
    "set",
    "frozenset",
    "keys",
    "iterator",
    "twice",
)
# Hypothesis mixes integers that it finds in the source of whatever modules are loaded into its
# draws; no such integer is as far out as this, so the same seed gives the same cases everywhere.
_FAR_OUT = 7_340_033_000_000


def choices(options: Sequence[T]) -> SearchStrategy[T]:
    """Draw one of `options`, each place in it equally often; shrinks towards the first.

    Unlike `sampled_from`, it draws the same with the same seed whichever modules are loaded.

    Parameters
    ----------
    options : sequence
        Repeated options are drawn more often.
    """
    indices = st.integers(_FAR_OUT, _FAR_OUT + len(options) - 1)
    return indices.map(lambda index: options[index - _FAR_OUT])


class _DrawnDim(NamedTuple):
    """One dim as drawn, before it has a name.

    Attributes
    ----------
    role : int
        Counts in whatever roles the case has.
    size, other_size : int
        Its size, and the one that y has where sizes are to disagree (-1: the same).
    x_place, y_place, dim_place : int
        Where it comes in x's dims, in y's and in `dim`, relative to the others.
    knowledge : int
        Whether its size is known beforehand: 0 in neither operand, 1 in x, 2 in y, 3 in both.
    """

    role: int
    size: int
    other_size: int
    x_place: int
    y_place: int
    dim_place: int
    knowledge: int


def _drawn_dim(role: int, sizes: tuple[int, int], places: int, knowledge: int) -> _DrawnDim:
    """Unpack a dim from its four draws.

    There are no more of them because Hypothesis deletes five draws at once, and no more: these
    and the one that says that there is another dim.
    """
    other_size, size = sizes
    return _DrawnDim(role, size, other_size, places % 8, places // 8 % 8, places // 64, knowledge)


_OTHER_SIZES = (-1, 2, 1, 3, -1, 1, 5, 0, 1, -1)
_DRAWN_DIMS = st.builds(
    _drawn_dim,
    role=choices(range(80)),
    sizes=choices([(other, size) for other in _OTHER_SIZES for size in _SIZES]),
    places=choices(range(8**3)),
    knowledge=choices(range(4)),
)


@st.composite
def dim_arguments(
    draw: DrawFn, summed_over: Sequence[str], shared: Sequence[str], every: Sequence[str]
) -> DimArgument:
    """Draw a spelling of the `dim` argument that sums over just `summed_over`.

    Shrinks towards the shortest spelling: None where that says it, then `...`, a `str`, a tuple.

    Parameters
    ----------
    summed_over : sequence of str
        What to sum over, in the order in which to spell it.
    shared, every : sequence of str
        The dims that both operands have, and all there are.
    """
    items = tuple(summed_over)
    spelling = draw(choices(_SPELLINGS))
    if spelling == "shortest" and set(items) == set(shared):
        return DimArgument("none")
    if spelling in ("shortest", "ellipsis") and set(items) == set(every):
        return DimArgument("ellipsis")
    if spelling in ("shortest", "str") and len(items) == 1:
        return DimArgument("str", items)
    if spelling == "twice":
        return DimArgument("list", items + items[:1])
    return DimArgument(spelling if spelling in _SPELLINGS[9:] + _SPELLINGS[5:7] else "tuple", items)


def invalid_dim_arguments(every: Sequence[str]) -> SearchStrategy[DimArgument]:
    """Draw a `dim` argument that R2 or R3 refuses; shrinks towards a name that is not there."""
    known, near = (every[0], every[0] + "_") if every else ("a", "a_")
    missing = next(name for name in ("z", "w", "v") if name not in every)
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


@st.composite
def dot_cases(draw: DrawFn, valid: bool | None = None) -> DotCase:
    """Draw a case.

    Shrinks towards few dims of size 1, float64, exact data of seed 0, `dim=None`, sizes that are
    not known beforehand, no gradient, `dot(x, y)` rather than `x.dot(y)` or `x @ y`, and valid
    input.

    Parameters
    ----------
    valid : bool, optional
        Whether the case shall obey R1 to R4. By default about two in three do.
    """
    faults = {
        True: ("",),
        False: ("sizes", "dim", "sizes", "dim", "sizes", "sizes", "names"),
        None: ("",) * 16 + ("sizes",) * 5 + ("dim", "dim", "names"),
    }
    fault = draw(choices(faults[valid]))
    same_variable = draw(choices((False,) * 9 + (True,))) and fault in ("", "dim")
    knowledge = draw(choices(("none", "all", "mixed", "mixed", "all")))
    roles, least, most = draw(choices(_STRUCTURES))
    roles += _ROLES[:2] * (3 if fault == "sizes" else 0)
    drawn = draw(st.lists(_DRAWN_DIMS, min_size=max(least, int(fault == "sizes")), max_size=most))
    equal_sizes = draw(choices((False,) * 4 + (True,)))
    names = draw(choices((NAME_POOLS[0], *NAME_POOLS)))

    dims = dict(zip(names, drawn, strict=False))
    role = {name: roles[drawn_dim.role % len(roles)] for name, drawn_dim in dims.items()}
    if same_variable:
        role = {name: "contracted" if role[name] in _SUMMED_OVER else "batch" for name in role}
    if fault == "sizes" and not _SHARED.intersection(role.values()):
        role[names[0]] = "contracted"
    sizes: dict[str, int] = {}
    for name, drawn_dim in dims.items():
        size = min(drawn[0].size, 3) if equal_sizes else drawn_dim.size
        fits = prod(max(1, size) for size in sizes.values()) * size <= _PRODUCT_LIMIT
        sizes[name] = size if fits else 1

    x_dims = [name for name in dims if not role[name].startswith("y_")]
    y_dims = [name for name in dims if not role[name].startswith("x_")]
    summed_over = [name for name in dims if role[name] in _SUMMED_OVER]
    x_dims.sort(key=lambda name: dims[name].x_place)
    y_dims.sort(key=lambda name: dims[name].x_place if same_variable else dims[name].y_place)
    summed_over.sort(key=lambda name: dims[name].dim_place)
    shared = [name for name in x_dims if name in y_dims]

    many = draw(choices(_MANY_DIMS))
    if fault or same_variable:
        many = 0
    padding = [f"p{number}" for number in range(many)]
    padding_role = draw(choices(("x_free", "batch", "contracted")))
    x_dims += padding
    if padding_role != "x_free":
        y_dims += padding
        shared += padding
    if padding_role == "contracted":
        summed_over += padding
    sizes |= dict.fromkeys(padding, 1)

    # Drawn whether needed or not, so that what is drawn after keeps its meaning in shrinking.
    exchanged, swapped = draw(choices((False, False, False, True))), draw(choices((False, True)))
    x_sizes, y_sizes = sizes, dict(sizes)
    if fault == "sizes":
        y_sizes |= _disagreeing(exchanged, shared, sizes, dims)
        if swapped:
            x_sizes, y_sizes = y_sizes, x_sizes
    if fault == "dim":
        dim = draw(invalid_dim_arguments(list(dims)))
    else:
        dim = draw(dim_arguments(summed_over, shared, [*dims, *padding]))
    x_dtype, y_dtype = draw(choices(_PLAIN_PAIRS if fault else _DTYPE_PAIRS))
    layout = choices(("c",) * 6 + LAYOUTS)
    x_layout, y_layout = draw(layout), draw(layout)
    x_names: Sequence[Any] = x_dims
    if fault == "names":
        x_names = draw(_invalid_names(x_dims))

    def is_static(name: Any, operand: int) -> bool:
        mixed = dims[name].knowledge & operand if name in dims else many % 2 == operand % 2
        return knowledge == "all" or (knowledge == "mixed" and bool(mixed))

    x = Operand(
        tuple(x_names),
        tuple(x_sizes.get(name, 2) for name in x_names),
        x_dtype,
        tuple(is_static(name, 1) for name in x_names),
        x_layout,
    )
    y = Operand(
        tuple(y_dims),
        tuple(y_sizes[name] for name in y_dims),
        y_dtype,
        tuple(is_static(name, 2) for name in y_dims),
        y_layout,
    )
    # Compiling a gradient of many dims takes a second; what it shows, fewer dims show too.
    orders = (0, 1, 1, 2) if len(dims) <= 3 else (0, 0, 0, 1)
    gradient_order = draw(choices(orders))
    call = draw(choices(("function", "function", "method", "operator")))
    return DotCase(
        x=x,
        y=x if same_variable else y,
        dim=dim,
        regime=draw(choices(("exact", "exact", "rounding", "exact", "rounding", "special"))),
        seed=draw(choices(range(100))),
        same_variable=same_variable,
        gradient_order=0 if fault else gradient_order,
        call=call if dim.spelling == "none" or call != "operator" else "method",
    )


def _disagreeing(
    exchanged: bool, shared: Sequence[str], sizes: dict[str, int], dims: dict[str, _DrawnDim]
) -> dict[str, int]:
    """Give sizes of y that disagree: two dims exchange theirs, or each has its other one."""
    if exchanged and len(shared) > 1 and sizes[shared[0]] != sizes[shared[1]]:
        # Every product of sizes still agrees.
        first, second = shared[:2]
        return {first: sizes[second], second: sizes[first]}
    others = {
        name: dims[name].other_size
        for name in shared
        if dims[name].other_size not in (-1, sizes[name])
    }
    return others or {shared[0]: 2 if sizes[shared[0]] != 2 else 3}


def _invalid_names(names: Sequence[str]) -> SearchStrategy[list[Any]]:
    """Draw dims that R1 refuses; shrinks towards one dim twice."""
    first = names[0] if names else "a"
    return choices([[first, first], [*names, first, first], ["", *names], [*names, 3]])
