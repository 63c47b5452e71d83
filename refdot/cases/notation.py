"""A short notation for cases: `dot_case("batch:2? embd:3", "embd:3 head:4")`."""

from collections.abc import Sequence
from typing import Any

from refdot.cases.case import DimArgument, DotCase, Operand

__all__ = ["dot_case", "operand"]

# By the first letter of a dim. The default size of other dims is 2.
_DEFAULT_SIZES = {"a": 2, "b": 3, "c": 4}


def operand(notation: str | Sequence[str], dtype: str = "float64", **options: Any) -> Operand:
    """Return the operand with the axes in a text, separated by spaces, or in a list of texts.

    `a:5` has size 5, `a` has a default size, and the sizes of `a:5?` and `a?` are not static.
    """
    axes = notation.split() if isinstance(notation, str) else notation
    names, sizes = zip(*map(_name_and_size, axes), strict=True) if axes else ((), ())
    static = tuple(not axis.endswith("?") for axis in axes)
    return Operand(names, sizes, dtype, static, **options)


def _name_and_size(axis: str) -> tuple[str, int]:
    name, colon, size = axis.removesuffix("?").rpartition(":")
    return (name, int(size)) if colon else (size, _DEFAULT_SIZES.get(size[0], 2))


def dot_case(
    x: str | Sequence[str] | Operand,
    y: str | Sequence[str] | Operand,
    dim: Any = None,
    dtypes: str | tuple[str, str] = "float64",
    layout: str | tuple[str, str] = "c",
    origin: str | tuple[str, str] = "input",
    content: str | tuple[str, str] = "drawn",
    **options: Any,
) -> DotCase:
    """Return a case from a short notation.

    Parameters
    ----------
    x, y : str, sequence of str, or Operand
        The axes of an operand, separated by spaces, or in a list if a name has a space. `a:5` has
        size 5, and `a:5?` too, but it is not static. The default sizes of `a`, `b` and `c` are 2, 3
        and 4, and that of any other dim is 2.
    dim : optional
        The `dim` argument: a value, or a `DimArgument`.
    dtypes, layout, origin, content : str or tuple of str, optional
        Fields of `Operand` that the notation lacks: one value for both operands, or a pair.
    **options
        Other fields of `DotCase`.

    Examples
    --------
    >>> print(dot_case("a:2? b:3", "b:3 c:4", ("a", "b"), gradient_order=1))
    dot(float64(a: 2?, b: 3), float64(b: 3, c: 4), dim=('a', 'b'))  [gradient]
    >>> print(dot_case("a b", "b?", origin=("constant", "input"), content=("zeros", "drawn")))
    dot(float64 constant zeros(a: 2, b: 3), float64(b: 3?), dim=None)
    >>> print(dot_case("a b", "a c:3", same_variable=True))
    dot(float64(a: 2, b: 3), x.rename(b='c'), dim=None)
    >>> dot_case("a b?", "b:3?", ("b",), "int8")
    dot_case("a:2 b:3?", "b:3?", dim=('b',), dtypes='int8')
    """
    properties = {"dtype": dtypes, "layout": layout, "origin": origin, "content": content}
    of_x, of_y = (
        {
            name: value if isinstance(value, str) else value[number]
            for name, value in properties.items()
        }
        for number in (0, 1)
    )
    return DotCase(
        x if isinstance(x, Operand) else operand(x, **of_x),
        y if isinstance(y, Operand) else operand(y, **of_y),
        dim if isinstance(dim, DimArgument) else DimArgument.of(dim),
        **options,
    )
