"""Explain a lowering as text."""

import re
from collections.abc import Mapping
from math import prod

from refdot.display.svg import MEANING
from refdot.errors import DimNameError, DimNotFoundError, DotError, SizeMismatchError
from refdot.lowering import EINSUM_SYMBOLS, Dims, Lowering
from refdot.text import counted, printable, text_width

__all__ = ["explain", "message_with_underline", "parse_operands", "underline"]


def parse_operands(text: str) -> tuple[Dims, Dims]:
    """Parse the dims of two operands: names separated by spaces, operands by a comma.

    Raises
    ------
    ValueError
        The text does not have exactly one comma.

    Examples
    --------
    >>> parse_operands("batch time embd, embd head")
    (('batch', 'time', 'embd'), ('embd', 'head'))
    """
    operands = text.split(",")
    if len(operands) != 2:
        raise ValueError(
            f"expected two operands separated by one comma, such as 'a b, b c', got {text!r}"
        )
    x, y = operands
    return tuple(x.split()), tuple(y.split())


def explain(lowering: Lowering, sizes: Mapping[str, int] | None = None) -> str:
    """Explain a lowering: its letters, roles, einsum, loops, cost and gradients.

    Parameters
    ----------
    lowering : Lowering
    sizes : mapping of str to int, optional
        The sizes to show beside the dims. The cost is shown if every size is given.

    Returns
    -------
    str
        In this order: the letters of each operand and the subscripts so far, the role of each
        dim, the einsum, the equivalent loops, their cost, and the gradients of the dot.

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
    x_bar = np.einsum("ac,bc->ab", out_bar, y)  summed over head
    y_bar = np.einsum("ac,ab->bc", out_bar, x)  summed over time
    """
    sizes = sizes or {}
    parts = [
        _letters(lowering),
        _roles(lowering, sizes),
        [f"out = {_einsum(lowering, lowering.subscripts, 'x', 'y')}"],
        _loops(lowering),
        _cost(lowering, sizes),
        _gradients(lowering),
    ]
    return "\n\n".join("\n".join(part) for part in parts if part)


def _letters(lowering: Lowering) -> list[str]:
    """Return each operand with a letter below each dim, and beside them the subscripts so far."""
    operands = {"x": lowering.x_dims, "y": lowering.y_dims, "out": lowering.out_dims}
    rows, subscripts = [], ""
    for name, dims in operands.items():
        subscripts += {"x": "", "y": ",", "out": "->"}[name]
        subscripts += "".join(lowering.symbol[dim] for dim in dims)
        names = "  ".join(map(printable, dims)) or "(no dims)"
        letters = [_padded(lowering.symbol[dim], text_width(printable(dim))) for dim in dims]
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
        dim: f"{printable(dim)} = {sizes[dim]}" if dim in sizes else printable(dim)
        for dim in lowering.all_dims
    }
    width = max(map(text_width, names.values()), default=0)
    roles = {dim: lowering.role(dim) for dim in names}
    return [
        f"{lowering.symbol[dim]}  {_padded(name, width)}  {roles[dim]:<10}  {MEANING[roles[dim]]}"
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
    out = _element("out", lowering.out_dims)
    summed_over = [dim for dim in lowering.all_dims if dim not in lowering.out_dims]
    product = f"{_element('x', lowering.x_dims)} * {_element('y', lowering.y_dims)}"
    statements = [
        *(f"for {printable(dim)}:" for dim in lowering.out_dims),
        f"{out} = 0",
        *(f"for {printable(dim)}:" for dim in summed_over),
        f"{out} += {product}",
    ]
    lines, indent = [], ""
    for statement in statements:
        lines.append(indent + statement)
        if statement.startswith("for "):
            indent += "    "
    return lines


def _element(name: str, dims: Dims) -> str:
    return f"{name}[{', '.join(map(printable, dims))}]" if dims else name


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
    calls, notes = [], []
    for operand, own, other, others in (
        ("x", lowering.x_dims, "y", lowering.y_dims),
        ("y", lowering.y_dims, "x", lowering.x_dims),
    ):
        available = tuple(dict.fromkeys(lowering.out_dims + others))
        groups = lowering.out_dims, others, [dim for dim in own if dim in available]
        out_bar, beside, bar = ("".join(lowering.symbol[dim] for dim in dims) for dims in groups)
        call = _einsum(lowering, f"{out_bar},{beside}->{bar}", "out_bar", other)
        calls.append(f"{operand}_bar = {call}")
        changes = {
            "summed over": [dim for dim in available if dim not in own],
            "broadcast over": [dim for dim in own if dim not in available],
        }
        lists = [
            f"{words} {' '.join(map(printable, dims))}" for words, dims in changes.items() if dims
        ]
        notes.append(", ".join(lists))
    width = max(map(text_width, calls))
    return [
        f"{_padded(call, width)}  {note}".rstrip() for call, note in zip(calls, notes, strict=True)
    ]


def message_with_underline(error: DotError, texts: Mapping[str, str]) -> str:
    """Return the message of an error, and below it the argument with the wrong name underlined.

    `texts` has the text of each argument: "operands" (see `parse_operands`), "--dim", "--sizes".

    Examples
    --------
    >>> error = DimNotFoundError(["emdb"], ("time", "embd"))
    >>> print(message_with_underline(error, {"--dim": "time,emdb"}))
    Dimension emdb not found in either input; the dims are time, embd; did you mean embd?
      --dim time,emdb
                 ^^^^
    """
    if isinstance(error, DimNotFoundError):
        return f"{error}\n{underline('--dim', texts['--dim'], error.missing[0])}"
    if isinstance(error, SizeMismatchError):
        return f"{error}\n{underline('--sizes', texts['--sizes'], error.dims[0], occurrence=1)}"
    if isinstance(error, DimNameError):
        operands = texts["operands"]
        name = next(str(dim) for dim in error.dims if error.dims.count(dim) > 1)
        in_x = operands.partition(",")[0].split().count(name) if error.operand == "y" else 0
        return f"{error}\n{underline('', operands, name, occurrence=in_x + 1)}"
    return str(error)


def underline(option: str, text: str, name: str, occurrence: int = 0) -> str:
    """Return the text of an argument, with carets below an occurrence (from 0) of a name."""
    shown = f"  {option} {text}" if option else f"  {text}"
    whole_name = rf"(?<![^\s,=]){re.escape(name)}(?![^\s,=])"
    starts = [match.start() for match in re.finditer(whole_name, text)]
    start = len(shown) - len(text) + starts[occurrence]
    return f"{shown}\n{' ' * text_width(shown[:start])}{'^' * text_width(name)}"
