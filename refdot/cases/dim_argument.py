"""The `dim` argument of a case, and how it is written."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from math import isfinite
from types import EllipsisType
from typing import Any, ClassVar

import numpy as np

__all__ = ["DimArgument"]

# The spellings of which `DimArgument.of` recognizes the value.
_PLAIN = ("none", "ellipsis", "str", "tuple", "list", "object")
_SETS = ("set", "frozenset")


@dataclass(frozen=True, repr=False)
class DimArgument:
    """The `dim` argument of a call, and how it is written.

    Attributes
    ----------
    spelling : str
        One of `DimArgument.SPELLINGS`.
    items : tuple
        The names in the argument; for the spelling "object", the argument itself.

    Examples
    --------
    >>> DimArgument("list", ("b", "a")).value
    ['b', 'a']
    >>> str(DimArgument("iterator", ("b",))), str(DimArgument("ellipsis"))
    ("iter(['b'])", '...')
    """

    spelling: str = "none"
    items: tuple[Any, ...] = ()

    # For each spelling, its expression as a template, and a function that evaluates it.
    SPELLINGS: ClassVar[dict[str, tuple[str, Callable[[tuple[Any, ...]], Any]]]] = {
        "none": ("None", lambda items: None),
        "ellipsis": ("...", lambda items: ...),
        "str": ("{0!r}", lambda items: items[0]),
        "tuple": ("{tuple!r}", tuple),
        "list": ("{list!r}", list),
        "set": ("set({list!r})", set),
        "frozenset": ("frozenset({list!r})", frozenset),
        "keys": ("dict.fromkeys({list!r})", dict.fromkeys),
        "iterator": ("iter({list!r})", iter),
        "object": ("{0!r}", lambda items: items[0]),
        "array": ("np.array({list!r})", lambda items: np.array(items)),
        "bytes": ("{0!r}.encode()", lambda items: items[0].encode()),
    }

    @classmethod
    def of(cls, value: Any) -> DimArgument:
        """Return the `DimArgument` whose value is a given `dim` argument."""
        if value is None or value is ...:
            return cls("none" if value is None else "ellipsis")
        spelling = type(value).__name__
        if spelling in ("tuple", "list", *_SETS):
            return cls(spelling, tuple(value))
        return cls("str" if spelling == "str" else "object", (value,))

    @property
    def value(self) -> Any:
        """The argument itself, created at each access because an iterator works only once."""
        return self.SPELLINGS[self.spelling][1](self.items)

    @property
    def notation(self) -> str:
        """The argument as an expression for `dot_case`: its value, or else a `DimArgument`."""
        # The order of a set of several names depends on the process.
        is_plain = self.spelling in _PLAIN or (self.spelling in _SETS and len(self.items) == 1)
        is_literal = all(_expression(item) == repr(item) for item in self.items)
        is_same = is_plain and is_literal and DimArgument.of(self.value) == self
        return str(self) if is_same else repr(self)

    @property
    def names(self) -> frozenset[str] | EllipsisType | None:
        """The set of names in a valid argument, or None or `...`."""
        if self.spelling in ("none", "ellipsis"):
            return None if self.spelling == "none" else ...
        return frozenset(self.items)

    def renamed(self, names: Mapping[Any, Any]) -> DimArgument:
        """Return the argument with its names replaced according to a mapping."""
        return replace(self, items=tuple(names.get(item, item) for item in self.items))

    def __repr__(self) -> str:
        items = ", ".join(map(_expression, self.items))
        return f"DimArgument({self.spelling!r}, ({items}{',' if len(self.items) == 1 else ''}))"

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        # Hypothesis would print the table of spellings, too.
        printer.text(repr(self))

    def __str__(self) -> str:
        template = self.SPELLINGS[self.spelling][0]
        return template.format(*self.items, tuple=self.items, list=list(self.items))


def _expression(item: Any) -> str:
    """Return the `repr` of an item, or an expression for a float that has none."""
    is_number = not isinstance(item, float) or isfinite(item)
    return repr(item) if is_number else f"float({str(item)!r})"
