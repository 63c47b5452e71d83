"""Other notations for two operands, such as einsum strings, and the same as a command."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Sequence

from refdot.lowering import Dims
from refdot.text import printable

__all__ = ["command_for", "command_for_einsum", "quoted"]

_BRACKETS = r"()\[\]{}"
_NAME = rf"""'[^']+'|"[^"]+"|[^\s,:='"{_BRACKETS}]+"""
_SIZED = rf"({_NAME})\s*[:=]\s*(\d+)\??"


def quoted(name: str) -> str:
    """Return a name as it can be printed and read again: in quotes if it has spaces or the like.

    Examples
    --------
    >>> print(quoted("time"), quoted("batch size"))
    time 'batch size'
    """
    shown = printable(name)
    if shown[:1] not in "'\"" and not re.search(rf"[\s,:={_BRACKETS}]|->|→", shown):
        return shown
    mark = '"' if "'" in shown else "'"
    return f"{mark}{shown}{mark}"


def command_for_einsum(text: str) -> str:
    """Return a command for an einsum string, after a colon; empty if it is not two operands.

    Examples
    --------
    >>> command_for_einsum("ij,jk->ik")
    ': refdot explain "i j, j k" --dim j'
    >>> command_for_einsum("b t d, b s d -> b t s")
    ': refdot explain "b t d, b s d" --dim d'
    """
    outside = rf"[^'\"{_BRACKETS}]*"
    found = re.search(rf"({outside})(?:->|→)({outside})", text)
    inputs, output = found.groups() if found else ("", "")
    parts = [part.strip() for part in (*inputs.split(","), output)]
    has_names = any(len(part.split()) > 1 for part in parts)
    dims = [tuple(part.split() if has_names else part) for part in parts]
    if len(dims) != 3:
        return ""
    x, y, out = dims
    if any(len(set(each)) < len(each) for each in dims) or not {*out} <= {*x, *y}:
        return ""
    summed = [dim for dim in dict.fromkeys(x + y) if dim not in out]
    is_default = not summed and not {*x} & {*y}
    return _command(x, y, "" if is_default else f" --dim {_as_argument(_spaced(summed))}")


def command_for(text: str) -> str:
    """Return a command for two operands in another notation, after a colon; empty if it is unclear.

    Examples
    --------
    >>> command_for("('a', 'b'), ('b', 'c')")
    ': refdot explain "a b, b c"'
    >>> command_for("a:2 b:3, b:3")
    ': refdot explain "a b, b" --sizes "a=2 b=3"'
    """
    sizes = dict.fromkeys(f"{quoted(_bare(dim))}={size}" for dim, size in re.findall(_SIZED, text))
    operands = _operands(re.sub(_SIZED, r"\1", text))
    if len(operands) != 2:
        return ""
    x, y = (tuple(map(_bare, re.findall(_NAME, operand))) for operand in operands)
    return _command(x, y, f" --sizes {_as_argument(' '.join(sizes))}" if sizes else "")


def _operands(text: str) -> Sequence[str]:
    """Return the parts of a text that seem to be its operands."""
    groups = re.findall(rf"[(\[{{]([^{_BRACKETS}]*)[)\]}}]", text)
    if len(groups) == 2:
        return groups
    if len(groups) == 1:
        (text,) = groups
    separators = [r"\s[@*·×]\s|[;|]", ","]
    if text.count(",") > 1:
        separators.append(r"\s+")  # a,b b,c
    for separator in separators:
        parts = re.split(separator, text.strip())
        if len(parts) == 2:
            return parts
    return ()


def _bare(name: str) -> str:
    return name.strip("'\"")


def _spaced(dims: Iterable[str]) -> str:
    return " ".join(map(quoted, dims))


def _command(x: Dims, y: Dims, options: str) -> str:
    return f": refdot explain {_as_argument(f'{_spaced(x)}, {_spaced(y)}')}{options}"


def _as_argument(text: str) -> str:
    """Return a text as an argument in a shell, in double quotes where these are enough."""
    if re.search(r'["$`\\!]', text):
        return shlex.quote(text)
    return text if re.fullmatch(r"[\w.=-]+", text) else f'"{text}"'
