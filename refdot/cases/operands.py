"""Operand cases: one variable or array twice, constants, shared variables, memory layouts.

A rewrite or a fast path may look at where an operand comes from: whether both operands are the same
variable, or whether its numbers are known when the graph is built. A product may be computed in
another way in each memory layout. Random cases seldom show that this goes wrong, because it takes
numbers and dims that make a difference, too.
"""

from collections.abc import Iterator
from itertools import product
from typing import TypeAlias

from refdot.cases.case import LAYOUTS, DotCase
from refdot.cases.notation import dot_case
from refdot.cases.values import CONTENTS, NEAR_CONTENTS

__all__ = ["operand_cases"]

_Dots: TypeAlias = tuple[tuple[str, str, str | tuple[str, ...] | None], ...]

# The dims of a variable, its names in y, and the `dim` argument. Sizes are equal where that hides
# an error of transposition.
_NAMES: _Dots = (
    ("a? b?", "a? b?", None),
    ("d? e?", "e? d?", ()),
    ("d? e?", "f? e?", None),
    ("d? e?", "d? f?", "d"),
    ("a?", "a?", None),
    ("d?", "e?", None),
    ("a b", "b:2 a:3", ("a",)),
)
# The dims of x and y, and the `dim` argument: a product of matrices in both orders, sums alone, and
# products without a sum.
_DIMS: _Dots = (
    ("a b", "b? c?", None),
    ("d e", "c? e?", None),
    ("a b", "b? c?", ("a", "b")),
    ("a b", "a? b?", ()),
)
_NEAR_DIMS: _Dots = (
    ("a:5 b:5", "b:5? c?", None),
    ("b:5 a:3", "b:5? c?", None),
    ("a b", "a? b?", ()),
)
# Products that the kernel cases judge with only some of the layouts.
_LAYOUT_DIMS: _Dots = (
    ("a:3? b? c?", "a:3? c? d?", "c"),
    ("a:3? b? c?", "a:3? c?", "c"),
    ("a? b? c?", "c? d?", None),
    ("a? b? c?", "b? c? d?", None),
    ("a? b?", "b?", None),
    ("a? b?", "c?", "b"),
)


def operand_cases() -> Iterator[DotCase]:
    """Yield cases in which it matters where the operands of a graph come from.

    Examples
    --------
    >>> for case in list(operand_cases())[2:4]:
    ...     print(case)
    dot(float64(d: 2?, e: 2?), x.rename(d='e', e='d'), dim=())  [gradient]
    dot(complex128(d: 2?, e: 2?), x.rename(d='e', e='d'), dim=())
    """
    for (x, y, dim), dtype in product(_NAMES, ("float64", "complex128")):
        order = int(dtype == "float64")
        yield dot_case(x, y, dim, dtype, same_variable=True, gradient_order=order)
    # A fast path for one variable may ignore its dtype, its origin, its sizes or its values.
    for dtype in ("float32", "complex64", "int64", "uint8", "bool"):
        yield dot_case("d? e?", "f? e?", None, dtype, same_variable=True, regime="rounding")
        yield dot_case("d? e?", "d? e?", None, dtype, same_variable=True, regime="rounding")
    for x, y in (("d e", "f e"), ("d? e? a?", "e? a? f?"), ("d:136? e?", "f:136? e?")):
        yield dot_case(x, y, same_variable=True)
    yield dot_case("d? e?", "f? e?", same_variable=True, origin="shared")
    yield dot_case("d? e?", "f? e?", same_variable=True, origin="constant")
    yield dot_case("d? e?", "f? e?", same_variable=True, regime="special")
    yield dot_case("d? e?", "f? e?", same_variable=True, gradient_order=2)
    for y, dim in (("c:2? e?", None), ("d? e?", ()), ("e? d?", None)):
        yield dot_case("d? e?", y, dim, same_array=True)
    for (x, y, dim), content in product(_DIMS, CONTENTS):
        regime = "special" if content == "zeros" else "rounding"
        yield from _with_constant(x, y, dim, content, regime)
    # Rewrites recognize square matrices, and one-hot columns of others.
    for (x, y, dim), content in product(_NEAR_DIMS, NEAR_CONTENTS):
        yield from _with_constant(x, y, dim, content, "rounding")
    # The size of y is known when it is called, and differs from that of the constant.
    for content in CONTENTS:
        for size in (5, 2, 1):
            yield from _with_constant("a:3 b:3", f"b:{size}? c:2?", None, content, "exact")
        yield from _with_constant("b:3", "b:5? c:2?", (), content, "exact")
    # Data in a model has larger static sizes than the operands of other cases.
    yield from _with_constant("a:130 b", "b? c?", None, "drawn", "exact")
    yield dot_case("a b", "b c", origin="constant", regime="rounding")
    in_x = ("constant", "input")
    for layout in ("fortran", "reversed", "strided"):
        yield dot_case("a b", "b? c?", origin=in_x, layout=(layout, "c"))
    yield dot_case("a b", "b?", None, ("int64", "int8"), origin=in_x, regime="rounding")
    for origin in (("shared", "input"), ("input", "shared"), ("shared", "shared")):
        yield dot_case("a? b?", "b? c?", origin=origin, gradient_order=1)
    yield dot_case("a? b?", "a? b?", (), origin=("shared", "input"))
    # A constant 1 can be left out: then the output is the other operand itself.
    for of_x in ("input", "shared"):
        yield dot_case("a?", "", (), origin=(of_x, "constant"), content=("drawn", "ones"))
    for (x, y, dim), layout in product(_LAYOUT_DIMS, LAYOUTS):
        yield dot_case(x, y, dim, layout=layout)


def _with_constant(x: str, y: str, dim: object, content: str, regime: str) -> Iterator[DotCase]:
    """Yield a case with a constant in x, and one with a constant in y."""
    first, second = ("constant", "input"), (content, "drawn")
    yield dot_case(x, y, dim, origin=first, content=second, regime=regime)
    yield dot_case(y, x, dim, origin=first[::-1], content=second[::-1], regime=regime)
