"""Explain a lowering as text."""

from collections.abc import Mapping, Sequence
from keyword import iskeyword
from math import prod

from refdot.display.hints import hints
from refdot.display.letters import letters_of, subscripts_of
from refdot.display.notations import quoted
from refdot.display.svg import MEANING
from refdot.lowering import EINSUM_SYMBOLS, Dims, Lowering
from refdot.text import counted, text_width

__all__ = ["Explanation", "explain"]


class Explanation(str):
    """An explanation of a lowering. In a notebook, it has a font of fixed width."""

    __slots__ = ()

    def _repr_html_(self) -> str:
        from html import escape  # slow to import, and only a notebook needs it

        return f'<pre style="font-family: monospace">{escape(self)}</pre>'


def explain(lowering: Lowering, sizes: Mapping[str, int] | None = None) -> Explanation:
    """Explain a lowering: its letters, roles, einsum, loops, cost and gradients.

    Parameters
    ----------
    lowering : Lowering
    sizes : mapping of str to int, optional
        The sizes to show beside the dims. The cost is shown if every size is given.

    Returns
    -------
    Explanation
        A `str` with, in this order: the letters of each operand and the subscripts so far, the role
        of each dim, the einsum, the equivalent loops, their cost, the gradients of the dot, and
        hints about names that are probably misspelt. A dim that is one letter has this letter.

    Examples
    --------
    >>> from refdot.lowering import lower_dot
    >>> sizes = {"time": 2, "embd": 3, "head": 4}
    >>> print(explain(lower_dot(("time", "embd"), ("embd", "head")), sizes))
    x    time  embd
         a     b       ab
    y    embd  head
         b     c       ab,bc
    out  time  head
         a     c       ab,bc->ac
    <BLANKLINE>
    a  time = 2  free        in one, kept
    b  embd = 3  contracted  in both, summed over
    c  head = 4  free        in one, kept
    <BLANKLINE>
    out = np.einsum("ab,bc->ac", x, y)
    <BLANKLINE>
    for time:
        for head:
            out[time, head] = 0
            for embd:
                out[time, head] += x[time, embd] * y[embd, head]
    <BLANKLINE>
    24 multiplications + 16 additions = 40 FLOPs
    6 elements in x, 12 in y, 8 in out: 208 bytes in float64
    <BLANKLINE>
    x_bar = np.einsum("ac,bc->ab", out_bar, y)  # summed over head
    y_bar = np.einsum("ac,ab->bc", out_bar, x)  # summed over time
    """
    sizes = sizes or {}
    parts = [
        _letters(lowering),
        _roles(lowering, sizes),
        [f"out = {_einsum(lowering, subscripts_of(lowering), 'x', 'y')}"],
        _loops(lowering),
        _cost(lowering, sizes),
        _gradients(lowering),
        [f"hint: {hint}" for hint in hints(lowering)],
    ]
    return Explanation("\n\n".join("\n".join(part) for part in parts if part))


def _letters(lowering: Lowering) -> list[str]:
    """Return each operand with a letter below each dim, and beside them the subscripts so far."""
    operands = {"x": lowering.x_dims, "y": lowering.y_dims, "out": lowering.out_dims}
    symbol = letters_of(lowering)
    rows, subscripts = [], ""
    for name, dims in operands.items():
        subscripts += {"x": "", "y": ",", "out": "->"}[name]
        subscripts += "".join(symbol[dim] for dim in dims)
        names = "  ".join(map(quoted, dims)) or "(no dims)"
        letters = [_padded(symbol[dim], text_width(quoted(dim))) for dim in dims]
        rows.append((f"{name:<5}{names}", f"     {'  '.join(letters)}", subscripts))
    width = max(text_width(line) for *lines, _ in rows for line in lines)
    return [
        line.rstrip()
        for names, letters, so_far in rows
        for line in (names, _padded(letters, width + 4) + so_far)
    ]


def _roles(lowering: Lowering, sizes: Mapping[str, int]) -> list[str]:
    """Return a line for each dim, with its letter, size and role."""
    names = {
        dim: f"{quoted(dim)} = {sizes[dim]}" if dim in sizes else quoted(dim)
        for dim in lowering.all_dims
    }
    width = max(map(text_width, names.values()), default=0)
    roles = {dim: lowering.role(dim) for dim in names}
    symbol = letters_of(lowering)
    return [
        f"{symbol[dim]}  {_padded(name, width)}  {roles[dim]:<10}  {MEANING[roles[dim]]}"
        for dim, name in names.items()
    ]


def _padded(text: str, width: int) -> str:
    return text + " " * (width - text_width(text))


def _einsum(lowering: Lowering, subscripts: str, first: str, second: str) -> str:
    """Return a call of einsum, or only the subscripts if einsum has too few letters."""
    if len(lowering.all_dims) > EINSUM_SYMBOLS:
        return f"{subscripts} of {first} and {second} (more dims than einsum has letters)"
    return f'np.einsum("{subscripts}", {first}, {second})'


def _loops(lowering: Lowering) -> list[str]:
    index = _indices(lowering.all_dims)

    def element(name: str, dims: Dims) -> str:
        return f"{name}[{', '.join(index[dim] for dim in dims)}]" if dims else name

    out = element("out", lowering.out_dims)
    summed_over = [dim for dim in lowering.all_dims if dim not in lowering.out_dims]
    product = f"{element('x', lowering.x_dims)} * {element('y', lowering.y_dims)}"
    statements = [
        *(f"for {index[dim]}:" for dim in lowering.out_dims),
        f"{out} = 0",
        *(f"for {index[dim]}:" for dim in summed_over),
        f"{out} += {product}",
    ]
    lines, indent = [], ""
    for statement in statements:
        lines.append(indent + statement)
        if statement.startswith("for "):
            indent += "    "
    return lines


def _indices(dims: Dims) -> dict[str, str]:
    """Return the name of the index of each dim: the dim's, unless an array or a keyword has it."""
    index = {dim: quoted(dim) for dim in dims}
    for dim in dims:
        if dim in ("x", "y", "out") or iskeyword(dim):
            while index[dim] in dims:
                index[dim] += "_"
    return index


def _cost(lowering: Lowering, sizes: Mapping[str, int]) -> list[str]:
    """Return the number of operations, and the sizes of the operands and the output."""
    if not set(lowering.all_dims) <= set(sizes):
        return []
    groups = lowering.x_dims, lowering.y_dims, lowering.out_dims, lowering.all_dims
    x, y, out, products = (prod(sizes[dim] for dim in dims) for dims in groups)
    # A sum of k products takes k - 1 additions; an empty sum takes none.
    additions = max(0, products - out)
    return [
        f"{counted(products, 'multiplication')} + {counted(additions, 'addition')} "
        f"= {counted(products + additions, 'FLOP')}",
        f"{counted(x, 'element')} in x, {y:,} in y, {out:,} in out: "
        f"{8 * (x + y + out):,} bytes in float64",
    ]


def _gradients(lowering: Lowering) -> list[str]:
    """Return the dots that pull `out_bar`, the cotangent of the output, back to x and y (R8)."""
    symbol = letters_of(lowering)
    calls, notes = [], []
    for operand, own, other, others in (
        ("x", lowering.x_dims, "y", lowering.y_dims),
        ("y", lowering.y_dims, "x", lowering.x_dims),
    ):
        available = tuple(dict.fromkeys(lowering.out_dims + others))
        groups = lowering.out_dims, others, [dim for dim in own if dim in available]
        out_bar, beside, bar = ("".join(symbol[dim] for dim in dims) for dims in groups)
        call = _einsum(lowering, f"{out_bar},{beside}->{bar}", "out_bar", other)
        if len(bar) < len(own) and call.startswith("np."):
            call = f"np.broadcast_to({call}{_axes(own, available)}, {operand}.shape)"
        calls.append(f"{operand}_bar = {call}")
        changes = {
            "summed over": [dim for dim in available if dim not in own],
            "broadcast over": [dim for dim in own if dim not in available],
        }
        lists = [
            f"{words} {' '.join(map(quoted, dims))}" for words, dims in changes.items() if dims
        ]
        notes.append(f"# {', '.join(lists)}" if lists else "")
    width = max(map(text_width, calls))
    return [
        f"{_padded(call, width)}  {note}".rstrip() for call, note in zip(calls, notes, strict=True)
    ]


def _axes(dims: Dims, available: Sequence[str]) -> str:
    """Return the index that adds an axis for each missing dim; NumPy adds the first ones itself."""
    axes = ", ".join(":" if dim in available else "None" for dim in dims)
    axes = axes[axes.find(":") :]
    return f"[{axes}]" if "None" in axes else ""
