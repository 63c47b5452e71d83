"""Hypothesis strategies for cases: valid cases, and cases that break R1, R2, R3 or R4.

Every choice lists its simplest option first, because Hypothesis shrinks towards it, and repeats
the options that should be drawn more often. All properties of a dim are drawn together, in the
same number of draws for every dim. So Hypothesis can remove a dim from a case without changing
the rest.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import prod
from typing import Any, NamedTuple, TypeVar

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from refdot.cases.boundaries import DIM_COUNTS
from refdot.cases.case import (
    CONTENTS,
    DTYPES,
    FLOATS,
    LAYOUTS,
    ORIGINS,
    DimArgument,
    DotCase,
    Operand,
)
from refdot.cases.names import NAME_POOLS

__all__ = ["choices", "dim_arguments", "dot_cases", "invalid_dim_arguments"]

_T = TypeVar("_T")
# The first two are the shared roles, the only ones if both operands are the same variable.
_ROLES = ("contracted", "batch", "x_free", "y_free", "x_summed", "y_summed")
_KEPT_OR_SHARED = ("contracted", "batch", "x_free", "y_free")
# A lowering has the most to permute where many contracted dims, in a different order in each
# operand, are between batch dims and free dims.
_PERMUTED = ("contracted", "batch", "x_free", "contracted", "y_free")
# The roles that the dims of a case can have, and the lowest and highest number of dims. Defects
# that need several dims of each role are rare in cases of two or three dims; larger cases take
# longer.
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
# Small sizes first, for shrinking. 0 and 1 are included, and sizes are likely to be distinct.
_SIZES = (1, 2, 3, 0, 4, 5, 7, 2, 3, 4, 5, 7, 2, 3, 5, 7)
_PRODUCT_LIMIT = 3000
# A size for one dim, unless it is 0: larger than the blocks of matrix products and of sums.
_LARGE_SIZES = (0,) * 60 + (9, 129, 257, 1025, 4097)
_LARGE_PRODUCT_LIMIT = 30_000
# The number of dims to which a case is padded, unless it has more.
_PADDED_COUNTS = (0,) * 40 + (9, *DIM_COUNTS)
_MOST_DIMS = max(DIM_COUNTS)
# The last one is x_free and y_free in turn, so that only the output has so many dims.
_PADDING_ROLES = ("x_free", "batch", "contracted", "y_free", "free")
# Whether both operands are one variable or one array, and whether its dims have other names in y.
_SHARING = (
    *(("nothing", False),) * 26,
    *(("variable", False), ("variable", True)) * 2,
    ("array", False),
    ("array", True),
)
_SOURCES = (
    *((ORIGINS[0], CONTENTS[0]),) * 30,
    *((ORIGINS[0], content) for content in CONTENTS[1:]),
    *((origin, content) for origin in ORIGINS[1:] for content in CONTENTS),
)
_DTYPE_PAIRS = (
    (("float64", "float64"),) * 300
    + (("float32", "float32"),) * 120
    + (("int64", "int64"),) * 60
    + (("float16", "float16"),) * 20
    + tuple((dtype, dtype) for dtype in DTYPES) * 19
    + tuple((x, y) for x in FLOATS for y in FLOATS if x != y) * 20
    + tuple((x, y) for x in DTYPES for y in DTYPES if x != y)
)
# An invalid case has common dtypes, so that its one fault is all that can go wrong.
_COMMON_DTYPE_PAIRS = (
    *(("float64", "float64"),) * 6,
    ("int64", "int64"),
    ("complex128", "complex128"),
)
_ITERABLES = ("set", "frozenset", "keys", "iterator")
_SPELLINGS = (*("shortest",) * 5, "tuple", "list", "ellipsis", "str", *_ITERABLES, "twice")
# The faults that a valid, an invalid and any case can have; "" is none.
_FAULTS = {
    True: ("",),
    False: ("sizes", "dim", "sizes", "dim", "sizes", "sizes", "names"),
    None: ("",) * 16 + ("sizes",) * 5 + ("dim", "dim", "names"),
}
# Hypothesis mixes integer constants from the source of the loaded modules into its draws. No such
# constant is this large, so the same seed gives the same cases in every process.
_LARGE = 7_340_033_000_000


def choices(options: Sequence[_T]) -> SearchStrategy[_T]:
    """Return a strategy for one of `options`, each position being equally likely.

    It shrinks towards the first option. Unlike `sampled_from`, it draws the same options with the
    same seed, even if other modules are loaded.
    """
    indices = st.integers(_LARGE, _LARGE + len(options) - 1)
    return indices.map(lambda index: options[index - _LARGE])


class _DrawnDim(NamedTuple):
    """The properties of one dim, before it has a name."""

    role: int  # an index into the roles of the case, modulo their number
    size: int
    y_size: int  # the size in y if sizes are to disagree; -1 means the same size
    x_place: int  # a sort key: the order of the dims in x
    y_place: int
    dim_place: int
    static: int  # bits: 1 if the size is static in x, 2 if it is static in y


def _drawn_dim(role: int, sizes: tuple[int, int], places: int, static: int) -> _DrawnDim:
    # Four draws, since Hypothesis deletes at most five consecutive draws in shrinking: these, and
    # the draw that adds a dim to the list.
    y_size, size = sizes
    return _DrawnDim(role, size, y_size, places % 8, places // 8 % 8, places // 64, static)


_Y_SIZES = (-1, 2, 1, 3, -1, 1, 5, 0, 1, -1)
_DRAWN_DIMS = st.builds(
    _drawn_dim,
    role=choices(range(80)),
    sizes=choices([(y_size, size) for y_size in _Y_SIZES for size in _SIZES]),
    places=choices(range(8**3)),
    static=choices(range(4)),
)


@st.composite
def dim_arguments(
    draw: DrawFn, summed_over: Sequence[str], shared: Sequence[str], dims: Sequence[str]
) -> DimArgument:
    """Draw a spelling of the `dim` argument that sums over exactly `summed_over`.

    It shrinks towards the shortest spelling that has this meaning: None, then `...`, a `str` and
    a tuple.
    """
    items = tuple(summed_over)
    spelling = draw(choices(_SPELLINGS))
    if spelling == "shortest" and set(items) == set(shared):
        return DimArgument("none")
    if spelling in ("shortest", "ellipsis") and set(items) == set(dims):
        return DimArgument("ellipsis")
    if spelling in ("shortest", "str") and len(items) == 1:
        return DimArgument("str", items)
    if spelling == "twice":
        return DimArgument("list", items + items[:1])
    return DimArgument(spelling if spelling in ("list", *_ITERABLES) else "tuple", items)


def invalid_dim_arguments(dims: Sequence[str]) -> SearchStrategy[DimArgument]:
    """Return a strategy for `dim` arguments that break R2 or R3.

    It shrinks towards a name that is not in `dims`.
    """
    present, near = (dims[0], dims[0] + "_") if dims else ("a", "a_")
    missing = next(name for name in ("z", "w", "v") if name not in dims)
    near = near if near not in dims else missing
    names = [present, missing] if dims else [missing]
    return choices(
        [
            *map(DimArgument.of, (missing, (missing,), names, (missing, near))),
            DimArgument("set", (near, missing)),
            *map(DimArgument.of, (near, 5, True, 1.5, (5,), [None], [present, 5])),
            DimArgument("array", (present,)),
            DimArgument("bytes", (present,)),
        ]
    )


@st.composite
def dot_cases(draw: DrawFn, valid: bool | None = None) -> DotCase:
    """Draw a case.

    It shrinks towards a valid case with few dims of size 1, float64, exact numbers, seed 0,
    `dim=None`, no static sizes, no gradient, and `dot(x, y)` rather than `x.dot(y)` or `x @ y`.

    Parameters
    ----------
    valid : bool, optional
        Whether the case obeys R1 to R4. By default, about two of three cases do.
    """
    fault = draw(choices(_FAULTS[valid]))
    shared_memory, other_names = draw(choices(_SHARING))
    if fault not in ("", "dim"):
        shared_memory = "nothing"
    is_shared = shared_memory != "nothing"
    static = draw(choices(("none", "all", "mixed", "mixed", "all")))
    dims, x_dims, y_dims, summed_over, sizes = _draw_dims(
        draw, fault == "sizes", is_shared, is_shared and other_names
    )
    padding, padding_role = _draw_padding(draw, 0 if fault or is_shared else _MOST_DIMS, len(dims))
    x_dims += {"y_free": [], "free": [*padding][::2]}.get(padding_role, padding)
    y_dims += {"x_free": [], "free": [*padding][1::2]}.get(padding_role, padding)
    summed_over += padding if padding_role == "contracted" else []
    sizes |= padding
    shared = [name for name in x_dims if name in y_dims]

    # Drawn even if not needed, so that the draws after them keep their meaning in shrinking.
    exchange, swap = draw(choices((False, False, False, True))), draw(choices((False, True)))
    x_sizes, y_sizes = sizes, dict(sizes)
    if fault == "sizes":
        y_sizes |= _disagreeing_sizes(exchange, shared, sizes, dims)
        if swap:
            x_sizes, y_sizes = y_sizes, x_sizes
    every = [*dict.fromkeys(x_dims + y_dims)]
    if fault == "dim":
        dim = draw(invalid_dim_arguments(every))
    else:
        dim = draw(dim_arguments(summed_over, shared, every))
    x_dtype, y_dtype = draw(choices(_COMMON_DTYPE_PAIRS if fault else _DTYPE_PAIRS))
    layouts, sources = choices(("c",) * 10 + LAYOUTS), choices(_SOURCES)
    x_layout, y_layout = draw(layouts), draw(layouts)
    x_source, y_source = draw(sources), draw(sources)
    if fault == "names" or shared_memory == "array":
        # An invalid constant would break a rule of NumPy, and one array is two inputs.
        x_source, y_source = (ORIGINS[0], x_source[1]), (ORIGINS[0], y_source[1])
    x_names: Sequence[Any] = draw(_invalid_names(x_dims)) if fault == "names" else x_dims
    if prod(x_sizes.get(name, 1) for name in x_names) > _LARGE_PRODUCT_LIMIT:  # a large dim twice
        x_sizes = y_sizes = {name: min(size, max(_SIZES)) for name, size in sizes.items()}

    def is_static(name: Any, bit: int) -> bool:
        if static != "mixed":
            return static == "all"
        return bool(dims[name].static & bit) if name in dims else len(padding) % 2 == bit % 2

    def operand(
        names: Sequence[Any], sizes: Mapping[str, int], bit: int, *properties: str
    ) -> Operand:
        dtype, layout, origin, content = properties
        return Operand(
            dims=tuple(names),
            shape=tuple(sizes.get(name, 2) for name in names),
            dtype=dtype,
            static=tuple(is_static(name, bit) for name in names),
            layout=layout,
            origin=origin,
            content=content,
        )

    x = operand(x_names, x_sizes, 1, x_dtype, x_layout, *x_source)
    y = operand(y_dims, y_sizes, 2, y_dtype, y_layout, *y_source)
    # Compiling a gradient of many dims takes a second, and fewer dims show the same defects.
    gradient_order = draw(choices((0, 1, 1, 2) if len(every) <= 3 else (0, 0, 0, 1)))
    call = draw(choices(("function", "function", "method", "operator")))
    return DotCase(
        x=x,
        y=replace(x, dims=tuple(y_dims)) if is_shared else y,
        dim=dim,
        regime=draw(choices(("exact", "exact", "rounding", "exact", "rounding", "special"))),
        seed=draw(choices(range(100))),
        same_variable=shared_memory == "variable",
        gradient_order=0 if fault else gradient_order,
        call=call if dim.spelling == "none" or call != "operator" else "method",
        same_array=shared_memory == "array",
    )


class _DrawnDims(NamedTuple):
    """The dims of a case, in the order of each operand and of the `dim` argument."""

    dims: dict[str, _DrawnDim]
    x_dims: list[str]
    y_dims: list[str]
    summed_over: list[str]
    sizes: dict[str, int]


def _draw_dims(
    draw: DrawFn, sizes_disagree: bool, is_shared: bool, other_names: bool
) -> _DrawnDims:
    """Draw dims; there is a shared one if sizes are to disagree.

    If both operands share memory, every dim is in both, perhaps with another name in y.
    """
    roles, least, most = draw(choices(_STRUCTURES))
    roles += _ROLES[:2] * (3 if sizes_disagree else 0)
    drawn = draw(st.lists(_DRAWN_DIMS, min_size=max(least, int(sizes_disagree)), max_size=most))
    equal_sizes, large = draw(choices((False,) * 4 + (True,))), draw(choices(_LARGE_SIZES))
    names = draw(choices((NAME_POOLS[0], *NAME_POOLS)))

    dims = dict(zip(names, drawn, strict=False))
    role = {name: roles[dim.role % len(roles)] for name, dim in dims.items()}
    if is_shared:
        role = {name: "contracted" if role[name] in _SUMMED_OVER else "batch" for name in role}
    if sizes_disagree and not _SHARED.intersection(role.values()):
        role[names[0]] = "contracted"
    sizes = _limited_sizes(dims, equal_sizes, large, other_names)
    x_dims = [name for name in dims if not role[name].startswith("y_")]
    y_dims = [name for name in dims if not role[name].startswith("x_")]
    summed_over = [name for name in dims if role[name] in _SUMMED_OVER]
    x_dims.sort(key=lambda name: dims[name].x_place)
    # The axes of a shared operand can only be in another order if they have the same size.
    keeps_order = is_shared and not (other_names and len({*sizes.values()}) == 1)
    y_dims.sort(key=lambda name: dims[name].x_place if keeps_order else dims[name].y_place)
    summed_over.sort(key=lambda name: dims[name].dim_place)
    if other_names:
        new_names = _new_names(dims, names)
        y_dims = [new_names.get(name, name) for name in y_dims]
        summed_over += [new_names[name] for name in summed_over if name in new_names]
        sizes |= {new: sizes[name] for name, new in new_names.items()}
    return _DrawnDims(dims, x_dims, y_dims, summed_over, sizes)


def _draw_padding(draw: DrawFn, most: int, present: int) -> tuple[dict[str, int], str]:
    """Draw the sizes of further dims, so that there are at most so many, and their role."""
    count, role = min(draw(choices(_PADDED_COUNTS)), most), draw(choices(_PADDING_ROLES))
    last_size = draw(choices((1, 2)))
    names = [f"p{number}" for number in range(count - present)]
    return dict.fromkeys(names, 1) | dict.fromkeys(names[-1:], last_size), role


def _new_names(dims: Mapping[str, _DrawnDim], names: Sequence[str]) -> dict[str, str]:
    """Return other names for some of the dims, as many as there are unused ones."""
    renamed = [name for name in dims if dims[name].y_place % 2] or list(dims)[:1]
    return dict(zip(renamed, names[len(dims) :], strict=False))


def _limited_sizes(
    dims: Mapping[str, _DrawnDim], equal: bool, large: int, twice: bool
) -> dict[str, int]:
    """Return the size of each dim, replaced by 1 where the product would exceed the limit.

    `twice` says whether the dims are also there under other names.
    """
    sizes: dict[str, int] = {}
    for name, dim in dims.items():
        size = min(next(iter(dims.values())).size, 3) if equal else dim.size
        fits = prod(max(1, size) for size in sizes.values()) * size <= _PRODUCT_LIMIT
        sizes[name] = size if fits else 1
    first = next(iter(sizes), None)
    if first is not None and large and not equal:
        changed = sizes | {first: large}
        # A size of 0 that is summed over does not make the output small.
        products = prod(max(1, size) for size in changed.values()) ** (2 if twice else 1)
        sizes = changed if products <= _LARGE_PRODUCT_LIMIT else sizes
    return sizes


def _disagreeing_sizes(
    exchange: bool, shared: Sequence[str], sizes: Mapping[str, int], dims: Mapping[str, _DrawnDim]
) -> dict[str, int]:
    """Return sizes for y that disagree with those of x."""
    if exchange and len(shared) > 1 and sizes[shared[0]] != sizes[shared[1]]:
        # Two dims exchange their sizes, so that the numbers of elements agree.
        first, second = shared[:2]
        return {first: sizes[second], second: sizes[first]}
    disagreeing = {
        name: dims[name].y_size for name in shared if dims[name].y_size not in (-1, sizes[name])
    }
    return disagreeing or {shared[0]: 2 if sizes[shared[0]] != 2 else 3}


def _invalid_names(names: Sequence[str]) -> SearchStrategy[list[Any]]:
    """Return a strategy for dims that break R1. It shrinks towards a repeated dim."""
    first = names[0] if names else "a"
    return choices([[first, first], [*names, first, first], ["", *names], [*names, 3]])
