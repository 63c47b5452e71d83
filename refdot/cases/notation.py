"""Cases written as short text: `dot_case("batch:2? embd:3", "embd:3 head:4")`."""

from __future__ import annotations

from typing import Any

from refdot.cases.case import DimArgument, DotCase, Operand

__all__ = ["dot_case", "operand"]

# A name without a size has this one: distinct sizes for the letters that cases use most.
_DEFAULT_SIZES = {"a": 2, "b": 3, "c": 4}
_OTHER_SIZE = 2


def operand(text: str, dtype: str = "float64", layout: str = "c") -> Operand:
    """Read an operand: names separated by spaces, each with an optional size.

    Parameters
    ----------
    text : str
        `a:5` has size 5, and `a` a default size. A `?` at the end marks a size that is not static.
    dtype, layout : str, optional

    Examples
    --------
    >>> print(operand("a:5 b?"))
    float64(a: 5, b: 3?)
    """
    axes = [axis.rstrip("?").partition(":") for axis in text.split()]
    return Operand(
        dims=tuple(dim for dim, _, _ in axes),
        shape=tuple(int(size or _DEFAULT_SIZES.get(dim[0], _OTHER_SIZE)) for dim, _, size in axes),
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
    """Return a case from the text of its operands.

    Parameters
    ----------
    x, y : str
        As `operand` reads them.
    dim : object, optional
        The `dim` argument, as `DimArgument.of` takes it.
    dtypes : (str, str), optional
    layout : str, optional
        Of both operands.
    **options
        Further fields of `DotCase`.

    Examples
    --------
    >>> print(dot_case("a:2? b:3", "b:3 c:4", ("a", "b"), gradient_order=1))
    dot(float64(a: 2?, b: 3), float64(b: 3, c: 4), dim=('a', 'b'))  [gradient]
    """
    x_dtype, y_dtype = dtypes
    return DotCase(
        operand(x, x_dtype, layout), operand(y, y_dtype, layout), DimArgument.of(dim), **options
    )
