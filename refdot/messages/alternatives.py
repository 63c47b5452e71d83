"""Find the alternatives of a regex."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

__all__ = ["Alternative", "alternatives", "without_nested"]


class Alternative(NamedTuple):
    """One side of a `|` in a pattern, with its position."""

    start: int
    end: int
    text: str
    isolated: str  # the pattern with the other alternatives of the same group disabled


_TOKEN = r"""
    \\.                                 # an escape
  | \[\^?\]?(?:\\.|[^\]\\])*\]           # a set
  | \(\?\#(?:\\.|[^)\\])*\)             # a comment, which an escaped ) does not end
  | (?P<flags>\(\?[aiLmsux]+\))          # flags of the whole pattern
  | \(\?P=\w+\)                          # a reference
  | (?P<opaque>\(\?<?! | \(\?\(\w+\))    # a negative assertion or a condition: skip its |
  | (?P<open>\((?:\?(?:P<\w+>|<?=|:|>|[aimsuxL]*-?[imsx]*:))?)
  | (?P<close>\))
  | (?P<bar>\|)
  | .
"""
_TOKENS = {  # by whether the group is verbose
    False: re.compile(_TOKEN, re.VERBOSE | re.DOTALL),
    True: re.compile(rf"\#(?:\\.|[^\n\\])* | {_TOKEN}", re.VERBOSE | re.DOTALL),
}
_NEVER = "(?!)"  # matches nothing


@dataclass
class _Group:
    """A group that is being read, or the whole pattern."""

    starts: list[int]  # of its alternatives
    is_matched: bool  # False in a negative assertion or a condition: its | do not count
    is_verbose: bool  # so that it may contain comments


def alternatives(pattern: str) -> list[Alternative]:
    r"""Return every alternative of a pattern, including those inside groups.

    Examples
    --------
    >>> [part.text for part in alternatives(r"size (1|n) differs|[|]|\|")]
    ['1', 'n', 'size (1|n) differs', '[|]', '\\|']
    """
    found: list[Alternative] = []
    groups = [_Group([0], True, bool(re.compile(pattern).flags & re.VERBOSE))]
    end = 0
    while token := _TOKENS[groups[-1].is_verbose].match(pattern, end):
        start, end = token.span()
        group = groups[-1]
        if token.lastgroup == "flags":
            group.starts[0] = end
        elif token.lastgroup in ("open", "opaque"):
            is_matched = group.is_matched and token.lastgroup == "open"
            groups.append(_Group([end], is_matched, _is_verbose(token[0], group)))
        elif token.lastgroup == "bar":
            group.starts.append(end)
        elif token.lastgroup == "close":
            found += _alternatives_of(pattern, groups.pop(), start)
    return found + _alternatives_of(pattern, groups.pop(), len(pattern))


def _is_verbose(opening: str, outer: _Group) -> bool:
    """Return whether the group that starts with `opening` may contain comments."""
    flags = re.fullmatch(r"\(\?(\w*)-?(\w*):", opening)
    if flags is None:
        return outer.is_verbose
    return "x" in flags[1] or (outer.is_verbose and "x" not in flags[2])


def _alternatives_of(pattern: str, group: _Group, end: int) -> list[Alternative]:
    starts = group.starts
    if not group.is_matched or len(starts) == 1:
        return []
    ends = [start - 1 for start in starts[1:]] + [end]
    parts = []
    for kept, kept_end in zip(starts, ends, strict=True):
        isolated = pattern
        # Insert from the right, so that the positions on the left stay valid.
        for start in reversed(starts):
            if start != kept:
                isolated = isolated[:start] + _NEVER + isolated[start:]
        parts.append(Alternative(kept, kept_end, pattern[kept:kept_end], isolated))
    return parts


def without_nested(parts: Sequence[Alternative]) -> list[Alternative]:
    """Return the alternatives that are not inside another one, in order."""
    return sorted(
        part
        for part in parts
        if not any(
            other is not part and other.start <= part.start and part.end <= other.end
            for other in parts
        )
    )
