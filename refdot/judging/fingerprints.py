"""Messages without what varies from case to case."""

from __future__ import annotations

import re

from refdot.cases.case import DotCase
from refdot.cases.names import NAME_POOLS
from refdot.targets.outcome import Raised

__all__ = ["PLACEHOLDER", "fingerprint", "normalised"]


_ADDRESS = re.compile(r"\b0x[0-9a-fA-F]+")
# Brackets around numbers and further brackets. One number alone is an index, not an array.
_ARRAY = re.compile(
    r"\[(?=[^\]]*[\s.,\[])[-+\d\s.,\[\]]*(?:(?:nan|inf|True|False|e|j)[-+\d\s.,\[\]]*)*\]"
)
_SHAPE = re.compile(r"\((?:\d+,\s*)+\d*\)|\(\)")
_NUMBER = re.compile(r"(?<![\w<])-?\d+(?:\.\d+)?(?:e[-+]?\d+)?(?!\w)")
PLACEHOLDER = re.compile(r"<(?:dim|address|array|shape|n)>")


def normalised(text: str, case: DotCase) -> str:
    """Give a message without what varies from case to case and from run to run, on one line.

    Parameters
    ----------
    text : str
    case : DotCase
        The names of its dims are left out, too.

    Returns
    -------
    str
        With `<dim>`, `<address>`, `<array>`, `<shape>` and `<n>` in their places.

    Examples
    --------
    >>> from refdot.cases.case import Operand
    >>> case = DotCase(Operand(("r", "b"), (2, 3)), Operand(("b",), (4,)))
    >>> normalised("Size of dim 'b' does not match: (2, 3) and 4", case)
    "Size of dim '<dim>' does not match: <shape> and <n>"
    >>> normalised("Inputs [[1. 2.]] of <Op object at 0x7f12>", case)
    'Inputs <array> of <Op object at <address>>'
    """
    names = {*case.x.dims, *case.y.dims, *case.dim.items}
    words = sorted((name for name in names if isinstance(name, str) and name), key=len)
    if words:
        either = "|".join(map(re.escape, reversed(words)))
        text = re.sub(rf"(?<!\w)(?:{either})(?!\w)", "<dim>", text)
    for pattern, placeholder in (
        (_ADDRESS, "<address>"),
        (_ARRAY, "<array>"),
        (_SHAPE, "<shape>"),
        (_NUMBER, "<n>"),
    ):
        text = pattern.sub(placeholder, text)
    return " ".join(text.split())


def fingerprint(raised: Raised, case: DotCase) -> str:
    """Give a message without what varies from case to case: names, numbers, addresses.

    Names that cases are drawn with are left out of every message, whether or not this case has
    them: some are words of English too, and would tell one cause from itself.
    """
    names = {name for pool in NAME_POOLS for name in pool}.union(case.x.dims, case.y.dims)
    # Of two names that begin alike the longer one comes first, and is left out whole.
    words = sorted((str(name) for name in names if name != ""), reverse=True)
    line = next((line for line in raised.message.splitlines() if line.strip()), "")
    line = re.sub(r"0x[0-9a-f]+", "#", line)
    line = re.sub(r"'[^']*'|\"[^\"]*\"|\{[^}]*\}|<[^>]*>", "…", line)
    line = re.sub(rf"(?<!\w)({'|'.join(map(re.escape, words))})(?!\w)", "…", line)
    line = re.sub(r"\b(u?int|float|complex)\d+\b|\bbool\b", "dtype", line)
    inner = re.compile(r"[\[(][^\[\]()]*[\])]")
    while inner.search(line):
        line = inner.sub("…", line)
    return re.sub(r"-?\d+(\.\d+)?", "n", line).strip()[:120]
