"""Hints: dims of x and y with two names that are probably one dim."""

from collections.abc import Iterator
from itertools import product

from refdot.display.notations import quoted
from refdot.lowering import Lowering
from refdot.text import caseless, told_apart

__all__ = ["hints"]

_LEAST_LENGTH = 3


def hints(lowering: Lowering) -> list[str]:
    """Return a hint for each name of x that is probably misspelt in y, or the other way round.

    Names that seem to differ on purpose, such as time and time_k, d1 and d2, or xpos and ypos, get
    no hint.

    Examples
    --------
    >>> from refdot.lowering import lower_dot
    >>> hints(lower_dot(("batch", "emdb"), ("embd", "head")))
    ['emdb in x and embd in y are two dims; is one of them misspelt?']
    """
    return [*_near_names(lowering), *_letters_in_a_row(lowering)]


def _near_names(lowering: Lowering) -> Iterator[str]:
    only_x = [dim for dim in lowering.x_dims if dim not in lowering.y_dims]
    only_y = [dim for dim in lowering.y_dims if dim not in lowering.x_dims]
    for first, second in product(only_x, only_y):
        x, y = quoted(first), quoted(second)
        shown = told_apart(first, second)
        if shown != (first, second):
            yield f"{shown[0]} in x and {shown[1]} in y are two dims, whose names look alike"
        elif caseless(first) == caseless(second):
            yield f"{x} in x and {y} in y are two dims, whose names differ only in case"
        elif _is_misspelling(first, second):
            yield f"{x} in x and {y} in y are two dims; is one of them misspelt?"


def _is_misspelling(first: str, second: str) -> bool:
    """Return whether two names differ in one slip of typing in one word, or in a plural s."""
    words = first.split("_"), second.split("_")
    differing = [pair for pair in zip(*words, strict=False) if len(set(pair)) > 1]
    if len(words[0]) != len(words[1]) or len(differing) != 1:
        return False
    short, long = sorted(differing[0], key=len)
    if len(short) < _LEAST_LENGTH or not (short + long).isalpha():
        return False
    same = 0
    while short[same:] and short[same] == long[same]:
        same += 1
    rest, other = short[same:], long[same:]
    if len(short) == len(long):
        is_swapped = rest[:2] == other[1::-1] and rest[2:] == other[2:]
        is_replaced = 0 < same < len(short) - 1 and rest[1:] == other[1:]
        return is_swapped or (is_replaced and len(short) > _LEAST_LENGTH)
    is_left_out = 0 < same < len(short) and rest == other[1:]
    return is_left_out or long in (short + "s", short + short[-1])


def _letters_in_a_row(lowering: Lowering) -> Iterator[str]:
    """Yield a hint for operands such as ijk and jkl, which are subscripts rather than names."""
    dims = lowering.x_dims + lowering.y_dims
    if len(lowering.x_dims) == len(lowering.y_dims) == 1 and lowering.contracted == ():
        x, y = dims
        if x != y and set(x) & set(y) and all(map(_is_like_subscripts, dims)):
            yield f"each word is one dim; if each letter is, write {' '.join(x)}, {' '.join(y)}"


def _is_like_subscripts(name: str) -> bool:
    return 1 < len(name) < 6 and name.isascii() and list(name) == sorted(set(name))
