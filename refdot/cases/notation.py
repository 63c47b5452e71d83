"""A short notation for cases: `dot_case("batch:2? embd:3", "embd:3 head:4")`."""

from typing import Any

from refdot.cases.case import DimArgument, DotCase, Operand

__all__ = ["dot_case", "operand"]

# By the first letter of a dim. The default size of other dims is 2.
_DEFAULT_SIZES = {"a": 2, "b": 3, "c": 4}


def operand(text: str, dtype: str = "float64", **options: Any) -> Operand:
    """Return the operand with the dims in a text, separated by spaces.

    `a:5` has size 5, `a` has a default size, and the sizes of `a:5?` and `a?` are not static.
    """
    axes = [axis.rstrip("?").partition(":") for axis in text.split()]
    return Operand(
        dims=tuple(dim for dim, _, _ in axes),
        shape=tuple(int(size or _DEFAULT_SIZES.get(dim[0], 2)) for dim, _, size in axes),
        dtype=dtype,
        static=tuple(not axis.endswith("?") for axis in text.split()),
        **options,
    )


def dot_case(
    x: str,
    y: str,
    dim: Any = None,
    dtypes: str | tuple[str, str] = "float64",
    layout: str | tuple[str, str] = "c",
    origin: str | tuple[str, str] = "input",
    content: str | tuple[str, str] = "drawn",
    **options: Any,
) -> DotCase:
    """Return a case with operands in the notation of `operand`, and other fields of `DotCase`.

    A property of the operands is one value for both, or a pair.

    Examples
    --------
    >>> print(dot_case("a:2? b:3", "b:3 c:4", ("a", "b"), gradient_order=1))
    dot(float64(a: 2?, b: 3), float64(b: 3, c: 4), dim=('a', 'b'))  [gradient]
    >>> print(dot_case("a b", "b?", origin=("constant", "input"), content=("zeros", "drawn")))
    dot(float64 constant zeros(a: 2, b: 3), float64(b: 3?), dim=None)
    >>> print(dot_case("a b", "a c:3", same_variable=True))
    dot(float64(a: 2, b: 3), x.rename(b='c'), dim=None)
    """
    properties = {"dtype": dtypes, "layout": layout, "origin": origin, "content": content}
    of_x, of_y = (
        {
            name: value if isinstance(value, str) else value[number]
            for name, value in properties.items()
        }
        for number in (0, 1)
    )
    return DotCase(operand(x, **of_x), operand(y, **of_y), DimArgument.of(dim), **options)
