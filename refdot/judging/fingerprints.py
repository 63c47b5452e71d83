"""Messages without the parts that vary from case to case or from run to run."""

import re
from collections.abc import Iterable
from itertools import chain
from typing import Any

from refdot.cases.case import DotCase
from refdot.cases.names import NAME_POOLS
from refdot.targets.outcome import Raised

__all__ = ["PLACEHOLDER", "fingerprint", "normalise", "without_sizes"]

# Placeholders and the patterns that they replace, in this order. Names of dims are replaced first.
_PATTERNS = (
    ("<address>", r"\b0x[0-9a-fA-F]+"),
    (  # Brackets around numbers and further brackets. A single number is an index, not an array.
        "<array>",
        r"\[(?=[^\]]*[\s.,\[])[-+\d\s.,\[\]]*(?:(?:nan|inf|True|False|e|j)[-+\d\s.,\[\]]*)*\]",
    ),
    ("<shape>", r"\((?:\d+,\s*)+\d*\)|\(\)"),
    ("<n>", r"(?<![\w<])-?\d+(?:\.\d+)?(?:e[-+]?\d+)?(?!\w)"),
)
# Two errors with one cause may differ in all of this, too.
_FINGERPRINT_PATTERNS = (
    *_PATTERNS,
    ("…", r"'[^']*'|\"[^\"]*\"|\{[^}]*\}|<(?!n>)(?:[^<>]|<\w+>)*>"),
    ("<dtype>", r"\b(u?int|float|complex)\d+\b|\bbool\b"),
    ("…", r"[\[(][^\[\]()]*[\])]"),
    ("<n>", r"-?\d+(\.\d+)?"),
)
_LONGEST_LINE = 2000  # The patterns take quadratic time for some lines.
PLACEHOLDER = re.compile("|".join(["<dim>", *(placeholder for placeholder, _ in _PATTERNS)]))


def normalise(text: str, case: DotCase) -> str:
    """Return a message on one line, with placeholders for the parts that vary.

    The placeholders are `<dim>`, `<address>`, `<array>`, `<shape>` and `<n>`.

    Examples
    --------
    >>> from refdot.cases.case import Operand
    >>> case = DotCase(Operand(("r", "b"), (2, 3)), Operand(("b",), (4,)))
    >>> normalise("Size of dim 'b' does not match: (2, 3) and 4", case)
    "Size of dim '<dim>' does not match: <shape> and <n>"
    >>> normalise("Inputs [[1. 2.]] of <Op object at 0x7f12>", case)
    'Inputs <array> of <Op object at <address>>'
    """
    return _replace(text, (*case.dims, *case.dim.items), _PATTERNS)


def without_sizes(text: str) -> str:
    """Return a message on one line, with all these placeholders but `<dim>`.

    Examples
    --------
    >>> without_sizes("Size of dim 'b' does not match: (2, 3) and 4")
    "Size of dim 'b' does not match: <shape> and <n>"
    """
    return _replace(text, (), _PATTERNS)


def fingerprint(raised: Raised, case: DotCase) -> str:
    """Return the first line of a message, with placeholders for all that one cause can vary.

    The names that random cases choose from are replaced in every message, even if they are not in
    this case: some are English words, and a message must not change with the names of its case.
    """
    line = next((line for line in raised.message.splitlines() if line.strip()), "")
    names = chain(*NAME_POOLS, case.dims)
    return _replace(line[:_LONGEST_LINE], names, _FINGERPRINT_PATTERNS)[:120].rstrip()


def _replace(text: str, names: Iterable[Any], patterns: tuple[tuple[str, str], ...]) -> str:
    """Replace names as whole words, then all that the patterns match, and join the lines."""
    # A name can start with another one.
    words = sorted({name for name in names if isinstance(name, str) and name}, key=len)
    if words:
        either = "|".join(map(re.escape, reversed(words)))
        text = re.sub(rf"(?<!\w)(?:{either})(?!\w)", "<dim>", text)
    for placeholder, pattern in patterns:
        # Brackets can be nested.
        while (replaced := re.sub(pattern, placeholder, text)) != text:
            text = replaced
    return " ".join(text.split())
