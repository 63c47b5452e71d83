"""Kernel cases: each kind of product that a backend computes, in each family of dtypes.

A backend computes a dot with one of a few kernels, such as a product of two matrices or of a batch
of them. A kernel may have separate code for each family of dtypes, for each memory layout and for
large sizes. Compiling a graph is what takes time, so no size of these is static: all cases of a
kernel with the same dtypes share one graph. Other cases have static sizes, or are pairs of similar
graphs.
"""

from collections.abc import Iterator
from dataclasses import replace
from math import prod
from typing import NamedTuple

from refdot.cases.case import DTYPES, FLOATS, LAYOUTS, DotCase
from refdot.cases.notation import dot_case, operand
from refdot.cases.patterns import MIXED_DTYPES, Pattern, with_dtypes
from refdot.cases.shrinking import with_sizes

__all__ = ["KERNELS", "kernel_cases_of", "similar_graph_cases", "static_kernel_cases"]

# The pairs of dtypes in each family. A run judges one of them.
_FAMILIES = {
    "float64": (("float64", "float64"),),
    "complex": (("complex128", "complex128"), ("complex64", "complex64")),
    "float32": (("float32", "float32"),),
    "integer": tuple((dtype, dtype) for dtype in DTYPES if "int" in dtype),
    "bool": (("bool", "bool"),),
    "mixed floats": (("float32", "float64"), ("float64", "float32")),
    # Few backends have float16.
    "mixed": tuple(
        pair[::order]
        for pair in MIXED_DTYPES
        for order in (1, -1)
        if not {"float16", *pair} <= {"float16", *FLOATS}
    ),
    # NumPy promotes this pair to float64, C and Numba do not.
    "promoted": (("uint64", "int8"),),
}


class _Kernel(NamedTuple):
    pattern: Pattern
    families: tuple[str, ...] = ()  # those that every run judges, besides float64
    has_every_layout: bool = False  # of memory; else those with gaps, and one other
    is_slow_to_compile: bool = False  # so that only C order is judged where each layout is compiled
    has_both_orders: bool = False  # of the dims of x, in float64 and in float32


KERNELS = {
    "two matrices": _Kernel(Pattern(("c", "a"), ("a", "d"), ("a",)), tuple(_FAMILIES), True),
    "a batch of matrices": _Kernel(
        Pattern(("c", "d", "a"), ("c", "a", "b"), ("a",)), ("float32", "complex", "mixed floats")
    ),
    # The transposition of y is not its own inverse.
    "elements": _Kernel(
        Pattern(("c", "a", "b"), ("b", "c", "a"), ()), ("promoted", "complex", "bool"), True
    ),
    "a matrix and a vector": _Kernel(
        Pattern(("c", "a"), ("a",), ("a",)), ("float32",), True, has_both_orders=True
    ),
    "two vectors": _Kernel(Pattern(("a",), ("a",), ("a",))),
    "an outer product": _Kernel(Pattern(("c",), ("a",), ()), (), True),
    "a batch of matrices and of vectors": _Kernel(Pattern(("c", "d", "a"), ("c", "a"), ("a",))),
    "a batch of matrices and a matrix": _Kernel(
        Pattern(("c", "d", "a"), ("a", "b"), ("a",)), is_slow_to_compile=True
    ),
    "sums alone": _Kernel(
        Pattern(("c", "a", "b"), ("c", "d"), ("a", "b", "d")), ("float32",), is_slow_to_compile=True
    ),
    "a sum": _Kernel(Pattern(("a", "b"), (), ("a", "b"))),
    # A BLAS multiplies both as they are, without copies.
    "a batch of transposed matrices": _Kernel(
        Pattern(("c", "a", "d"), ("c", "b", "a"), ("a",)), is_slow_to_compile=True
    ),
    "reshaped matrices": _Kernel(Pattern(("c", "a", "b"), ("a", "b", "d"), ("a", "b"))),
}
# A backend that compiles for each layout does so once for all arrays with gaps, and once for all
# that overlap, which cannot be written to.
_LAYOUTS_WITH_GAPS = ("reversed", "strided", "slice")
_LAYOUTS_THAT_OVERLAP = ("windows", "broadcast")
# A BLAS has separate code for rows and for columns in each of its operands, and a kernel may have
# code for rows that overlap.
_ORDERS = (("c", "fortran"), ("fortran", "c"), ("fortran", "fortran"), ("windows", "c"))
# More than the blocks of matrix products and of sums: of a dim that is kept, and one that is not.
_LARGEST_SIZES = (1025, 32_768)
_LARGE_SIZES = (9, 129, 257, 4097)
_BLOCK = 67  # for all dims at once
_ELEMENTS_LIMIT = 600_000


def kernel_cases_of(
    name: str, seed: int = 0, thorough: bool = False, every_layout: bool = True
) -> Iterator[DotCase]:
    """Yield the cases of a kernel, one graph after another.

    Unless thorough, they have float64, the families of dtypes in which faults are likely, and one
    other. The seed determines which, and the order of the dims in each operand of rank 2. With
    `every_layout`, they have every memory layout that matters for the kernel. Else they have arrays
    with gaps, unless these take long to compile, and at most arrays that overlap and one other
    layout.

    Examples
    --------
    >>> cases = list(kernel_cases_of("two vectors"))
    >>> for case in (cases[0], cases[9], cases[-1]):
    ...     print(case)
    dot(float64(a: 2?), float64(a: 2?), dim=None)  [rounding, as x @ y]
    dot(float64(a: 32768?), float64(a: 32768?), dim=None)  [as x @ y]
    dot(float32(a: 1025?), float64(a: 1025?), dim=None)  [as a method]
    """
    kernel = KERNELS[name]
    pattern, families = kernel.pattern, kernel.families
    turn = seed + [*KERNELS].index(name)
    other_layout = LAYOUTS[turn % len(LAYOUTS)]
    if every_layout:
        some = dict.fromkeys((*_LAYOUTS_WITH_GAPS, other_layout))
        layouts = LAYOUTS if kernel.has_every_layout else tuple(some)
    elif kernel.has_every_layout:
        some = dict.fromkeys((*_LAYOUTS_WITH_GAPS, *_LAYOUTS_THAT_OVERLAP, other_layout))
        layouts = tuple(some)
    else:
        layouts = () if kernel.is_slow_to_compile else _LAYOUTS_WITH_GAPS
    others = [each for each in _FAMILIES if each not in ("float64", *families)]
    if others and not thorough:
        others = [others[turn % len(others)]]
    for number, family in enumerate(dict.fromkeys(("float64", *families, *others))):
        pairs = _FAMILIES[family]
        case = with_dtypes(_case_of(pattern, turn + number), *pairs[turn % len(pairs)])
        if family == "float64":
            yield from _cases_of_float64(case, turn, layouts)
        else:
            yield from _cases_of_other_dtypes(case, turn)
        if every_layout and kernel.has_every_layout and case.result_dtype.kind in "fc":
            yield from (_with_layouts(case, *order) for order in _ORDERS)
        is_real = family in ("float64", "float32")
        if every_layout and is_real and kernel.has_both_orders:
            # For a matrix and a vector, a BLAS has separate code for each dtype, order and stride.
            reverse = _case_of(pattern, turn + number + 1)
            for each in (case, with_dtypes(reverse, case.x.dtype, case.y.dtype)):
                yield from (_with_layouts(each, layout, layout) for layout in ("strided", "slice"))


def static_kernel_cases() -> Iterator[DotCase]:
    """Yield cases of static sizes, for which each backend has code of its own.

    y has static sizes, and x has the same sizes or others; the static size of the batch dim is 1 or
    2. Then a constant selects rows of the other operand, or adds them up. In the last cases, both
    operands are reshaped, and all sizes are static.

    Examples
    --------
    >>> for case in list(static_kernel_cases())[:3]:
    ...     print(case)
    dot(float64(a: 1?, b: 3?), float64(a: 1, b: 3), dim=('b',))
    dot(float64(a: 3?, b: 3?), float64(a: 1, b: 3), dim=('b',))
    dot(float64(a: 1?, b: 4?), float64(a: 1, b: 3), dim=('b',))
    """
    pattern = Pattern(("a", "b"), ("a", "b"), ("b",))
    for size in (1, 2):
        sizes = {"a": size, "b": 3}
        for other in ({}, {"a": 3}, {"b": 4}):
            yield pattern.case(sizes | other, (False, True), y_sizes=sizes)
    for dtype in ("bool", "complex64"):
        x = operand("a:2 b:3", dtype, origin="constant", content="one-hot")
        yield dot_case(x, operand("b:3? c:4?", dtype))
    y = operand("b:3 a:2", "complex128", origin="constant", content="one-hot")
    yield dot_case(operand("c:4? b:3?", "complex128"), y)
    yield dot_case("c:2 a:3 b:4", "a:3 b:4 d:5", ("a", "b"))
    yield dot_case("c:2 d:3 e:4 a:5", "d:3 c:2 a:5", "a")


def similar_graph_cases() -> Iterator[DotCase]:
    """Yield pairs of cases with similar graphs: the second must not get the code of the first.

    The first of a pair has a static size of 1, a sum over another axis, or another dim in y. A
    script shows one graph only, so it may pass although the second graph got the wrong code.

    Examples
    --------
    >>> for case in list(similar_graph_cases())[:2]:
    ...     print(case)
    dot(float64(b: 3?, a: 1), float64(b: 3?, c: 4?), dim=None)
    dot(float64(b: 3?, a: 5?), float64(b: 3?, c: 4?), dim=None)
    """
    yield dot_case("b:3? a:1", "b:3? c:4?")
    yield dot_case("b:3? a:5?", "b:3? c:4?")
    yield dot_case("a:3? b:3?", "", ("a",))
    yield dot_case("a:3? b:3?", "", ("b",))
    yield dot_case("a:3? b:3?", "a:3?", ())
    yield dot_case("a:3? b:3?", "b:3?", ())


def _case_of(pattern: Pattern, turn: int) -> DotCase:
    """Return a case of a pattern, with the dims of x, of y, of both or of neither in reverse.

    Batches stay as they are: Numba compiles a product of transposed ones for seconds.
    """
    if len(pattern.x_dims) > 2:
        turn = 0
    x_step, y_step = 1 - 2 * (turn % 2), 1 - 2 * (turn // 2 % 2)
    turned = Pattern(pattern.x_dims[::x_step], pattern.y_dims[::y_step], pattern.summed_over)
    case = turned.case(pattern.distinct_sizes)
    calls = ("operator", "method") if case.dim.value is None else ("function", "method")
    return replace(case, call=calls[turn % 2])


def _cases_of_float64(case: DotCase, turn: int, layouts: tuple[str, ...]) -> Iterator[DotCase]:
    yield replace(case, regime="rounding")
    yield replace(case, regime="special")
    for layout in layouts:
        yield _with_layouts(case, layout, layout)
    for number, dim in enumerate(case.dims):
        largest = _LARGEST_SIZES[dim not in case.lowering.out_dims]
        for size in (0, 1, 64, largest, _LARGE_SIZES[(turn + number) % len(_LARGE_SIZES)]):
            yield _with_one_size(case, dim, size)
    block = dict.fromkeys(case.dims, _BLOCK)
    if prod(block.values()) <= _ELEMENTS_LIMIT:
        yield with_sizes(case, block, block)
    for dim in case.lowering.contracted + case.lowering.batch:
        yield with_sizes(case, {}, {dim: case.x.sizes[dim] + 1})
    if len(contracted := case.lowering.contracted) > 1:
        # A reshape to a matrix does not notice sizes that are exchanged.
        exchanged = [case.x.sizes[dim] for dim in reversed(contracted)]
        yield with_sizes(case, {}, dict(zip(contracted, exchanged, strict=True)))


def _cases_of_other_dtypes(case: DotCase, turn: int) -> Iterator[DotCase]:
    dim = case.dims[turn % len(case.dims)]
    yield replace(case, regime="rounding")
    # In a longer sum, what is allowed to be lost in rounding hides what is lost in each term.
    yield replace(_with_one_size(case, dim, _LARGE_SIZES[1]), regime="rounding")
    yield case
    yield _with_one_size(case, dim, _LARGEST_SIZES[0])
    summed = [dim for dim in case.dims if dim not in case.lowering.out_dims]
    if case.result_dtype == "bool" and summed:
        many = _with_one_size(case, summed[0], 256)  # so many ones are 0 in eight bits
        x, y = (replace(operand, content="ones") for operand in (many.x, many.y))
        yield replace(many, x=x, y=y)


def _with_layouts(case: DotCase, x_layout: str, y_layout: str) -> DotCase:
    return replace(case, x=replace(case.x, layout=x_layout), y=replace(case.y, layout=y_layout))


def _with_one_size(case: DotCase, dim: str, size: int) -> DotCase:
    """Return a case in which a dim has the given size, and every other one at most 3."""
    sizes = {name: min(each, 3) for name, each in (case.x.sizes | case.y.sizes).items()}
    return with_sizes(case, sizes | {dim: size}, sizes | {dim: size})
