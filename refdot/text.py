"""Write values, names and counts as text on one line."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from unicodedata import east_asian_width

__all__ = ["counted", "in_columns", "listed", "nearest_name", "one_line", "printable", "shortened"]


def one_line(value: object) -> str:
    """Show `value` on one line, whatever its `repr` does, and a set in a settled order.

    Examples
    --------
    >>> one_line({"b", "a"})
    "{'a', 'b'}"
    """
    if isinstance(value, set | frozenset) and value:
        return "{" + ", ".join(sorted(map(one_line, value))) + "}"
    if type(value) is tuple:
        return f"({', '.join(map(one_line, value))}{',' if len(value) == 1 else ''})"
    if type(value) is list:
        return f"[{', '.join(map(one_line, value))}]"
    return " ".join(repr(value).split())


def nearest_name(name: str, names: Sequence[str]) -> str | None:
    """Give the one of `names` that is spelt most like `name`, if any is at all like it.

    Examples
    --------
    >>> nearest_name("ebmd", ("batch", "embd"))
    'embd'
    """
    # Imported here because it is slow to import and only an error needs it.
    from difflib import get_close_matches

    return next(iter(get_close_matches(name, names, n=1)), None)


def counted(number: int, noun: str) -> str:
    """Write a number of things.

    Examples
    --------
    >>> counted(1, "FLOP"), counted(2048, "FLOP")
    ('1 FLOP', '2,048 FLOPs')
    """
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def listed(words: Iterable[str]) -> str:
    """Join words as a sentence does.

    Examples
    --------
    >>> listed(["c", "numba", "jax"])
    'c, numba and jax'
    """
    *others, last = words
    return f"{', '.join(others)} and {last}" if others else last


def shortened(text: str, limit: int = 300) -> str:
    """Cut the middle out of a long line."""
    return text if len(text) <= limit else f"{text[: limit - 60]} … {text[-50:]}"


def printable(name: str) -> str:
    r"""Write a name so that no character of it can break a line or a document.

    Examples
    --------
    >>> print(printable("two\nlines"))
    two\nlines
    """
    return name if name.isprintable() else repr(name)[1:-1]


def in_columns(text: str) -> int:
    """Count the columns that a text takes in a monospaced font.

    Examples
    --------
    >>> in_columns("time"), in_columns("時間")
    (4, 4)
    """
    return sum(2 if east_asian_width(character) in "WF" else 1 for character in text)
