"""The text form of operands: names of dims separated by spaces, and a comma between operands."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from refdot.display.notations import command_for, command_for_einsum
from refdot.errors import DimNameError, DimNotFoundError, DotError, SizeMismatchError
from refdot.lowering import Dims
from refdot.text import text_width

__all__ = [
    "Word",
    "message_with_underline",
    "parse_operands",
    "read_names",
    "split_words",
    "underline",
]

_QUOTED = r"""(?<![^\s,=])(?P<quote>['"])(?P<inside>.+?)(?P=quote)(?![^\s,=])"""

_BRACKETS = r"[()\[\]{}]"


class Word(NamedTuple):
    """A name or a separator in a text, and its position there, with its quotes."""

    name: str
    start: int
    end: int
    is_separator: bool


def split_words(text: str, separators: str = ",") -> list[Word]:
    """Split a text into names and separators. A name in quotes may contain any character.

    Raises
    ------
    ValueError
        A quote at the start of a name has no end.

    Examples
    --------
    >>> [word.name for word in split_words("'batch size' time, time")]
    ['batch size', 'time', ',', 'time']
    """
    pattern = rf"{_QUOTED}|(?P<separator>[{separators}])|(?P<bare>[^\s{separators}]+)"
    words = []
    for match in re.finditer(pattern, text):
        if match["bare"] and match["bare"][0] in "'\"":
            raise ValueError(f"a quote has no end: {text[match.start() :]}")
        name = match["inside"] or match["bare"] or match["separator"]
        words.append(Word(name, *match.span(), is_separator=bool(match["separator"])))
    return words


def read_names(text: str) -> Dims:
    """Return the names in a text, separated by commas or spaces.

    Raises
    ------
    ValueError
        There are brackets outside quotes; the message has the text without them.
    """
    if re.search(_BRACKETS, re.sub(_QUOTED, "", text)):
        without = re.sub(rf"{_BRACKETS}|['\"]", "", text)
        raise ValueError(f"names have no brackets unless in quotes: {without!r}")
    return tuple(word.name for word in split_words(text) if not word.is_separator)


def parse_operands(text: str) -> tuple[Dims, Dims]:
    """Parse the dims of two operands: names separated by spaces, operands by a comma.

    Raises
    ------
    ValueError
        The text is in another notation; where its meaning is clear, the message has the right form.

    Examples
    --------
    >>> parse_operands("batch time embd, embd head")
    (('batch', 'time', 'embd'), ('embd', 'head'))
    >>> parse_operands("'batch size' time, time")
    (('batch size', 'time'), ('time',))
    >>> parse_operands("(a b), (b c)")
    Traceback (most recent call last):
    ValueError: names have no brackets unless in quotes: refdot explain "a b, b c"
    """
    bare = re.sub(_QUOTED, "", text)
    if re.search("->|→", bare):
        raise ValueError(
            f"{text!r} is an einsum string; write the dims of both operands, and what is summed "
            f"with --dim{command_for_einsum(text)}"
        )
    if re.search(_BRACKETS, bare):
        raise ValueError(f"names have no brackets unless in quotes{command_for(text)}")
    if re.search("[:=]", bare):
        raise ValueError(f"sizes are given with --sizes{command_for(text)}")
    words = split_words(text)
    if "..." in bare.replace(",", " ").split():
        raise ValueError("... stands for no dim; write every dim of both operands")
    commas = [number for number, word in enumerate(words) if word.is_separator]
    if len(commas) != 1:
        raise ValueError(
            "expected two operands separated by one comma, such as 'a b, b c', "
            f"got {text!r}{command_for(text)}"
        )
    names = tuple(word.name for word in words)
    return names[: commas[0]], names[commas[0] + 1 :]


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
        in_x = parse_operands(operands)[0].count(name) if error.operand == "y" else 0
        return f"{error}\n{underline('', operands, name, occurrence=in_x + 1)}"
    return str(error)


def underline(option: str, text: str, name: str, occurrence: int = 0) -> str:
    """Return the text of an argument, with carets below an occurrence (from 0) of a name."""
    shown = f"  {option} {text}" if option else f"  {text}"
    separators = ",=" if option == "--sizes" else ","
    found = [word for word in split_words(text, separators) if word.name == name][occurrence]
    offset = len(shown) - len(text)
    before, width = shown[: offset + found.start], text_width(text[found.start : found.end])
    return f"{shown}\n{' ' * text_width(before)}{'^' * width}"
