"""A short notation for cases: `dot_case("batch:2? embd:3", "embd:3 head:4")`."""

from typing import Any

from refdot.cases.case import DimArgument, DotCase, Operand

__all__ = ["dot_case", "operand"]

# By the first letter of a dim. The default size of other dims is 2.
_DEFAULT_SIZES = {"a": 2, "b": 3, "c": 4}


def operand(text: str, dtype: str = "float64", layout: str = "c") -> Operand:
    """Return the operand with the dims in a text, separated by spaces.

    `a:5` has size 5, `a` has a default size, and the sizes of `a:5?` and `a?` are not static.
    """
    axes = [axis.rstrip("?").partition(":") for axis in text.split()]
    return Operand(
        dims=tuple(dim for dim, _, _ in axes),
        shape=tuple(int(size or _DEFAULT_SIZES.get(dim[0], 2)) for dim, _, size in axes),
        dtype=dtype,
        static=tuple(not axis.endswith("?") for axis in text.split()),
        layout=layout,
    )


def dot_case(
    x: str,
    y: str,
    dim: Any = None,
    dtypes: tuple[str, str] = ("float64", "float64"),
    layout: str = "c",
    **options: Any,
) -> DotCase:
    """Return a case with operands in the notation of `operand`, and other fields of `DotCase`.

    Examples
    --------
    >>> print(dot_case("a:2? b:3", "b:3 c:4", ("a", "b"), gradient_order=1))
    dot(float64(a: 2?, b: 3), float64(b: 3, c: 4), dim=('a', 'b'))  [gradient]
    """
    x_dtype, y_dtype = dtypes
    return DotCase(
        operand(x, x_dtype, layout), operand(y, y_dtype, layout), DimArgument.of(dim), **options
    )
