"""A lowering, explained as text."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod

from refdot.lowering import Lowering

__all__ = ["explain", "parse_operands"]

MEANING = {
    "contracted": "in both, summed over",
    "batch": "in both, kept",
    "free": "in one, kept",
    "summed": "in one, summed over alone",
}


def parse_operands(text: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Read two operands' dims: names between spaces, one comma between the operands.

    Raises
    ------
    ValueError
        There is not just one comma.

    Examples
    --------
    >>> parse_operands("batch time embd, embd head")
    (('batch', 'time', 'embd'), ('embd', 'head'))
    """
    operands = text.split(",")
    if len(operands) != 2:
        raise ValueError(
            f"two operands with one comma between them, such as 'a b, b c', not {text!r}"
        )
    x, y = operands
    return tuple(x.split()), tuple(y.split())


def explain(lowering: Lowering, sizes: Mapping[str, int] | None = None) -> str:
    """Explain a lowering: the role of each dim, the einsum, and the loops that it stands for.

    Parameters
    ----------
    lowering : Lowering
    sizes : mapping of str to int, optional
        Sizes of dims, to be shown beside them. If all are given, the multiplications are counted.

    Examples
    --------
    >>> from refdot.lowering import lower_dot
    >>> print(explain(lower_dot(("time", "embd"), ("embd", "head")), {"time": 2}))
    x    (time, embd)
    y    (embd, head)
    out  (time, head)
    <BLANKLINE>
    a  time = 2  free        in one, kept
    b  embd      contracted  in both, summed over
    c  head      free        in one, kept
    <BLANKLINE>
    np.einsum("ab,bc->ac", x, y)
    <BLANKLINE>
    for time:
        for head:
            out[time, head] = 0
            for embd:
                out[time, head] += x[time, embd] * y[embd, head]
    """
    sizes = sizes or {}
    shapes = {"x": lowering.x_dims, "y": lowering.y_dims, "out": lowering.out_dims}
    operands = [f"{name:<3}  ({', '.join(dims)})" for name, dims in shapes.items()]
    parts = [operands, legend(lowering, sizes), [f'np.einsum("{lowering.subscripts}", x, y)']]
    parts.append(loops(lowering))
    if lowering.all_dims and set(lowering.all_dims) <= set(sizes):
        count = prod(sizes[dim] for dim in lowering.all_dims)
        parts.append([f"{count:,} multiplications"])
    return "\n\n".join("\n".join(part) for part in parts if part)


def legend(lowering: Lowering, sizes: Mapping[str, int]) -> list[str]:
    """List every dim with its symbol, its size and its role."""
    x, rest = lowering.subscripts.split(",")
    y = rest.split("->")[0]
    symbol = dict(zip(lowering.x_dims + lowering.y_dims, x + y, strict=True))
    named = {dim: f"{dim} = {sizes[dim]}" if dim in sizes else dim for dim in lowering.all_dims}
    width = max(map(len, named.values()), default=0)
    roles = {dim: lowering.role(dim) for dim in lowering.all_dims}
    return [
        f"{symbol[dim]}  {named[dim]:<{width}}  {role:<10}  {MEANING[role]}"
        for dim, role in roles.items()
    ]


def loops(lowering: Lowering) -> list[str]:
    """Write the loops that a lowering stands for."""

    def element(name: str, dims: tuple[str, ...]) -> str:
        return f"{name}[{', '.join(dims)}]" if dims else name

    out = element("out", lowering.out_dims)
    lines = []
    for dim in lowering.out_dims:
        lines.append(f"for {dim}:")
    lines.append(f"{out} = 0")
    summed_over = [dim for dim in lowering.all_dims if dim not in lowering.out_dims]
    lines += [f"for {dim}:" for dim in summed_over]
    product = f"{element('x', lowering.x_dims)} * {element('y', lowering.y_dims)}"
    lines.append(f"{out} += {product}")
    depth, indented = 0, []
    for line in lines:
        indented.append("    " * depth + line)
        depth += line.startswith("for ")
    return indented
