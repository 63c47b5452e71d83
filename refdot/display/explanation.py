"""A lowering, explained as text."""

from __future__ import annotations

import re
from collections.abc import Mapping
from math import prod

from refdot.display.svg import MEANING
from refdot.errors import DimNameError, DimNotFoundError, DotError, SizeMismatchError
from refdot.lowering import Dims, Lowering
from refdot.text import counted, in_columns, printable

__all__ = ["explain", "parse_operands", "underlined", "with_culprit_underlined"]


_EINSUM_SYMBOLS = 52
_FLOAT64_BYTES = 8


def parse_operands(text: str) -> tuple[Dims, Dims]:
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
    """Explain a lowering: how the einsum is made, what it computes, costs and differentiates to.

    Parameters
    ----------
    lowering : Lowering
    sizes : mapping of str to int, optional
        Sizes of dims, to be shown beside them. If all are given, the work is counted.

    Returns
    -------
    str
        The letters of each operand, the einsum as it grows by them, the role of each dim, the
        loops that it stands for, what they cost, and the two dots that pull a cotangent back.

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
        _letter_by_letter(lowering),
        _legend(lowering, sizes),
        [f"out = {_einsum(lowering, lowering.subscripts, 'x', 'y')}"],
        _loops(lowering),
        _cost(lowering, sizes),
        _gradients(lowering),
    ]
    return "\n\n".join("\n".join(part) for part in parts if part)


def _letter_by_letter(lowering: Lowering) -> list[str]:
    """Put under each dim its letter, and beside them the einsum as far as it is written."""
    operands = {"x": lowering.x_dims, "y": lowering.y_dims, "out": lowering.out_dims}
    rows, written = [], ""
    for name, dims in operands.items():
        written += {"x": "", "y": ",", "out": "->"}[name]
        written += "".join(lowering.symbol[dim] for dim in dims)
        names = [printable(dim) for dim in dims] or ["(no dims)"]
        letters = [_padded(lowering.symbol[dim], in_columns(printable(dim))) for dim in dims]
        rows.append((f"{name:<5}{'  '.join(names)}", f"     {'  '.join(letters)}", written))
    width = max(in_columns(row) for names, letters, _ in rows for row in (names, letters))
    return [
        line.rstrip()
        for names, letters, so_far in rows
        for line in (names, _padded(letters, width + 4) + so_far)
    ]


def _legend(lowering: Lowering, sizes: Mapping[str, int]) -> list[str]:
    """List every dim with its letter, its size and its role."""
    named = {
        dim: f"{printable(dim)} = {sizes[dim]}" if dim in sizes else printable(dim)
        for dim in lowering.all_dims
    }
    width = max(map(in_columns, named.values()), default=0)
    roles = {dim: lowering.role(dim) for dim in lowering.all_dims}
    return [
        f"{lowering.symbol[dim]}  {_padded(named[dim], width)}  {role:<10}  {MEANING[role]}"
        for dim, role in roles.items()
    ]


def _padded(text: str, width: int) -> str:
    """Fill a text with spaces up to a number of columns."""
    return text + " " * (width - in_columns(text))


def _einsum(lowering: Lowering, subscripts: str, first: str, second: str) -> str:
    """Write a call of einsum, or for more dims than it has letters the subscripts alone."""
    if len(lowering.all_dims) > _EINSUM_SYMBOLS:
        return f"{subscripts} of {first} and {second} (more dims than einsum has letters)"
    return f'np.einsum("{subscripts}", {first}, {second})'


def _loops(lowering: Lowering) -> list[str]:
    """Write the loops that a lowering stands for."""
    out = _element("out", lowering.out_dims)
    summed_over = [dim for dim in lowering.all_dims if dim not in lowering.out_dims]
    product = f"{_element('x', lowering.x_dims)} * {_element('y', lowering.y_dims)}"
    statements = [
        *(f"for {printable(dim)}:" for dim in lowering.out_dims),
        f"{out} = 0",
        *(f"for {printable(dim)}:" for dim in summed_over),
        f"{out} += {product}",
    ]
    depth, indented = 0, []
    for statement in statements:
        indented.append("    " * depth + statement)
        depth += statement.startswith("for ")
    return indented


def _element(name: str, dims: Dims) -> str:
    """Write an element of an operand."""
    return f"{name}[{', '.join(map(printable, dims))}]" if dims else name


def _cost(lowering: Lowering, sizes: Mapping[str, int]) -> list[str]:
    """Count the operations of the loops, and what must be read and written at least once."""
    if not set(lowering.all_dims) <= set(sizes):
        return []

    def elements(dims: Dims) -> int:
        return prod(sizes[dim] for dim in dims)

    x, y, out = map(elements, (lowering.x_dims, lowering.y_dims, lowering.out_dims))
    products = elements(lowering.all_dims)
    # A sum of k products takes k - 1 additions, and one of none takes none.
    additions = max(0, products - out)
    return [
        f"{counted(products, 'multiplication')} + {counted(additions, 'addition')} "
        f"= {counted(products + additions, 'FLOP')}",
        f"{counted(x, 'element')} in x, {y:,} in y, {out:,} in out: "
        f"{_FLOAT64_BYTES * (x + y + out):,} bytes in float64",
    ]


def _gradients(lowering: Lowering) -> list[str]:
    """Write the dots that pull `out_bar`, the cotangent of the output, back to x and to y (R8)."""
    calls, notes = [], []
    for operand, other in (("x", "y"), ("y", "x")):
        own = lowering.x_dims if operand == "x" else lowering.y_dims
        others = lowering.y_dims if operand == "x" else lowering.x_dims
        there = tuple(dict.fromkeys(lowering.out_dims + others))
        groups = lowering.out_dims, others, tuple(dim for dim in own if dim in there)
        out_bar, beside, bar = ("".join(lowering.symbol[dim] for dim in dims) for dims in groups)
        call = _einsum(lowering, f"{out_bar},{beside}->{bar}", "out_bar", other)
        calls.append(f"{operand}_bar = {call}")
        note = _names_after("summed over", [dim for dim in there if dim not in own])
        spread = _names_after("spread over", [dim for dim in own if dim not in there])
        notes.append(", ".join(filter(None, (note, spread))))
    width = max(map(in_columns, calls))
    return [
        f"{_padded(call, width)}  {note}".rstrip() for call, note in zip(calls, notes, strict=True)
    ]


def _names_after(words: str, dims: list[str]) -> str:
    """Write words and the dims that they are about, or nothing if there are none."""
    return f"{words} {' '.join(map(printable, dims))}" if dims else ""


def with_culprit_underlined(error: DotError, texts: Mapping[str, str]) -> str:
    """Give an error's message, and below it the text that it is about with a caret.

    Parameters
    ----------
    error : DotError
    texts : mapping of str to str
        What was written where: "operands" as `parse_operands` reads them, "--dim" and "--sizes".

    Examples
    --------
    >>> error = DimNotFoundError(["emdb"], ("time", "embd"))
    >>> print(with_culprit_underlined(error, {"--dim": "time,emdb"}))
    Dimension emdb not found in either input; the dims are time, embd; did you mean embd?
      --dim time,emdb
                 ^^^^
    """
    if isinstance(error, DimNotFoundError):
        return f"{error}\n{underlined('--dim', texts['--dim'], error.missing[0])}"
    if isinstance(error, SizeMismatchError):
        return f"{error}\n{underlined('--sizes', texts['--sizes'], error.dims[0], occurrence=1)}"
    if isinstance(error, DimNameError):
        operands = texts["operands"]
        culprit = next(str(dim) for dim in error.dims if error.dims.count(dim) > 1)
        before = operands.partition(",")[0].split().count(culprit) if error.operand == "y" else 0
        return f"{error}\n{underlined('', operands, culprit, occurrence=before + 1)}"
    return str(error)


def underlined(option: str, text: str, name: str, occurrence: int = 0) -> str:
    """Show what was written, with a caret under a name in it.

    Parameters
    ----------
    option : str
        What the text was given to, to be shown before it.
    text : str
        Names between spaces, commas and equals signs.
    name : str
    occurrence : int, optional
        Which of the places where the name stands, from 0.
    """
    shown = f"  {option} {text}" if option else f"  {text}"
    whole_name = rf"(?<![^\s,=]){re.escape(name)}(?![^\s,=])"
    places = [match.start() for match in re.finditer(whole_name, text)]
    start = len(shown) - len(text) + places[occurrence]
    return f"{shown}\n{' ' * in_columns(shown[:start])}{'^' * in_columns(name)}"
