"""Spelling cases: dims whose names differ in so little that some code takes them for one."""

from collections.abc import Iterator

from refdot.cases.case import DotCase
from refdot.cases.notation import dot_case

__all__ = ["spelling_cases"]

# In each pair: case, spaces, Unicode normalization in two forms, a long common start, digits,
# underscores, and characters with a meaning in subscripts, in format strings and in Python.
_NAMES = (
    ("a", "A"),
    ("time", "time "),
    ("\N{LATIN SMALL LETTER E WITH ACUTE}", "e\N{COMBINING ACUTE ACCENT}"),
    ("\N{LATIN SMALL LIGATURE FI}", "fi"),
    ("\N{GRINNING FACE}", "\N{GRINNING FACE WITH SMILING EYES}"),
    (64 * "n", 65 * "n"),
    ("0", "1"),
    ("1", "01"),
    ("_", "__"),
    ("a,b", "a"),
    ("->", "..."),
    ("{dim}", "%s"),
    ("None", "dim"),
)


def spelling_cases() -> Iterator[DotCase]:
    """Yield three cases for each pair of names; in the last one, `dim` is the wrong one of them.

    Examples
    --------
    >>> for case in list(spelling_cases())[:3]:
    ...     print(case)
    dot(float64(a: 2?, A: 3?), float64(A: 3?, z: 2?), dim=None)
    dot(float64(a: 2?, A: 2?), float64(A: 2?, a: 2?), dim=('a',))
    dot(float64(a: 2?), float64(a: 2?), dim='A')
    """
    for first, second in _NAMES:
        yield dot_case([f"{first}:2?", f"{second}:3?"], [f"{second}:3?", "z:2?"])
        yield dot_case([f"{first}:2?", f"{second}:2?"], [f"{second}:2?", f"{first}:2?"], (first,))
        yield dot_case([f"{first}:2?"], [f"{first}:2?"], second)
