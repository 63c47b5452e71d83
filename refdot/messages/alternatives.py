"""The alternatives in a regex."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

__all__ = ["alternatives", "outermost"]


# Alternatives


class _Alternative(NamedTuple):
    """One side of a `|` in a pattern.

    Attributes
    ----------
    start, end : int
        Where it is.
    text : str
        How it is written.
    alone : str
        The pattern, with the others beside it made impossible.
    """

    start: int
    end: int
    text: str
    alone: str


_TOKEN = r"""
    \\.                                 # an escape
  | \[\^?\]?(?:\\.|[^\]\\])*\]           # a set
  | \(\?\#[^)]*\)                        # a comment
  | (?P<flags>\(\?[aiLmsux]+\))          # flags of the whole pattern
  | \(\?P=\w+\)                          # a reference
  | (?P<opaque>\(\?<?! | \(\?\(\w+\))    # what is beside a | here is not matched, or no alternative
  | (?P<open>\((?:\?(?:P<\w+>|<?=|:|>|[aimsuxL]*-?[imsx]*:))?)
  | (?P<close>\))
  | (?P<bar>\|)
  | .
"""
_TOKENS = {
    False: re.compile(_TOKEN, re.VERBOSE | re.DOTALL),
    True: re.compile(rf"\#[^\n]* | {_TOKEN}", re.VERBOSE | re.DOTALL),
}
_NEVER = "(?!)"


@dataclass
class _Group:
    """A group of a pattern, or the whole of it, while it is read.

    Attributes
    ----------
    starts : list of int
        Where its alternatives start.
    is_matched : bool
        Whether what is in it is matched, rather than being what must not follow.
    is_verbose : bool
        Whether there may be comments in it.
    """

    starts: list[int]
    is_matched: bool
    is_verbose: bool


def alternatives(pattern: str) -> list[_Alternative]:
    r"""List every alternative in a pattern, those within groups too.

    Examples
    --------
    >>> [part.text for part in alternatives(r"size (1|n) differs|[|]|\|")]
    ['1', 'n', 'size (1|n) differs', '[|]', '\\|']
    """
    found: list[_Alternative] = []
    groups = [_Group([0], True, bool(re.compile(pattern).flags & re.VERBOSE))]
    end = 0
    while token := _TOKENS[groups[-1].is_verbose].match(pattern, end):
        start, end = token.span()
        innermost = groups[-1]
        if token.lastgroup == "flags":
            innermost.starts[0] = end
        elif token.lastgroup in ("open", "opaque"):
            is_matched = innermost.is_matched and token.lastgroup == "open"
            groups.append(_Group([end], is_matched, _is_verbose_in(token[0], innermost)))
        elif token.lastgroup == "bar":
            innermost.starts.append(end)
        elif token.lastgroup == "close":
            found += _divided(pattern, groups.pop(), start)
    return found + _divided(pattern, groups.pop(), len(pattern))


def _is_verbose_in(opening: str, outer: _Group) -> bool:
    """Whether there may be comments in a group that opens so."""
    flags = re.fullmatch(r"\(\?(\w*)-?(\w*):", opening)
    if flags is None:
        return outer.is_verbose
    return "x" in flags[1] or (outer.is_verbose and "x" not in flags[2])


def _divided(pattern: str, group: _Group, end: int) -> list[_Alternative]:
    """Divide a group at its bars, if it has any and its alternatives are ones to be matched."""
    starts = group.starts
    if not group.is_matched or len(starts) == 1:
        return []
    ends = [start - 1 for start in starts[1:]] + [end]
    parts = []
    for kept, kept_end in zip(starts, ends, strict=True):
        alone = pattern
        # From the right, so that what is put in does not move what is still to be found.
        for start in reversed(starts):
            if start != kept:
                alone = alone[:start] + _NEVER + alone[start:]
        parts.append(_Alternative(kept, kept_end, pattern[kept:kept_end], alone))
    return parts


def outermost(parts: Sequence[_Alternative]) -> list[_Alternative]:
    """Leave out alternatives within others, and put the rest in order."""
    return sorted(
        part
        for part in parts
        if not any(
            other is not part and other.start <= part.start and part.end <= other.end
            for other in parts
        )
    )
