"""Conversion of cases to JSON and back; msgspec validates them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Set
from math import prod
from typing import Annotated, Any, TypeAlias

import msgspec
from msgspec import Meta, Struct

from refdot.cases.case import (
    CALLS,
    CONTENTS,
    DTYPES,
    LAYOUTS,
    ORIGINS,
    REGIMES,
    DimArgument,
    DotCase,
)
from refdot.cases.values import NEAR_CONTENTS
from refdot.errors import DotError

__all__ = [
    "CaseRecord",
    "OperandRecord",
    "case_from_json",
    "case_to_json",
    "check_choice",
    "check_elements",
]

# The largest arrays and dots that are read. The judge needs about 150 bytes for each element.
_MOST_ELEMENTS = 10_000_000
_MOST_PRODUCTS = 1_000_000_000
_MOST_AXES = 64  # of an array in NumPy 2

_Dim: TypeAlias = str | int
_Item: TypeAlias = str | int | float | bool | None


# The records have the fields of the dataclasses. In JSON, some keep the names in earlier files.
class OperandRecord(Struct, forbid_unknown_fields=True, rename={"static": "known"}):
    """The JSON of an operand, for use as a field of other records."""

    dims: Annotated[list[_Dim], Meta(max_length=_MOST_AXES)]
    shape: list[Annotated[int, Meta(ge=0)]]
    dtype: str = "float64"
    static: list[bool] = []
    layout: str = "c"
    origin: str = "input"
    content: str = "drawn"

    def __post_init__(self) -> None:
        check_choice("dtype", self.dtype, DTYPES)
        check_choice("layout", self.layout, LAYOUTS)
        check_choice("origin", self.origin, ORIGINS)
        check_choice("content", self.content, CONTENTS + NEAR_CONTENTS)
        if not len(self.dims) == len(self.shape) == len(self.static or self.dims):
            raise ValueError("dims, shape and known differ in length")
        if self.origin == "constant" and not all(self.static):
            raise ValueError("the sizes of a constant are known")
        check_elements("an operand", self.shape)


class _DimRecord(Struct, forbid_unknown_fields=True):
    spelling: str
    items: list[_Item] = []

    def __post_init__(self) -> None:
        check_choice("spelling", self.spelling, DimArgument.SPELLINGS)
        needs_text = self.spelling in ("str", "bytes")
        needs_one = needs_text or self.spelling == "object"
        if (
            (needs_one and len(self.items) != 1)
            or (needs_text and not isinstance(self.items[0], str))
            or (self.spelling in ("none", "ellipsis") and self.items)
        ):
            raise ValueError(f"wrong items for the spelling {self.spelling!r}: {self.items}")


class CaseRecord(Struct, forbid_unknown_fields=True, rename={"regime": "tier"}):
    """The JSON of a case, for use as a field of other records."""

    x: OperandRecord
    y: OperandRecord
    dim: _DimRecord = msgspec.field(default_factory=lambda: _DimRecord("none"))
    regime: str = "exact"
    seed: Annotated[int, Meta(ge=0, lt=1 << 32)] = 0
    same_variable: bool = False
    gradient_order: Annotated[int, Meta(ge=0, le=2)] = 0
    call: str = "function"
    same_array: bool = False

    def __post_init__(self) -> None:
        check_choice("tier", self.regime, REGIMES)
        check_choice("call", self.call, CALLS)
        if self.call == "operator" and self.dim.spelling != "none":
            raise ValueError(f"the operator takes no dim, got the spelling {self.dim.spelling!r}")
        if self.same_variable and self.same_array:
            raise ValueError("same_variable and same_array exclude each other")
        if self.same_variable and self._differ_beyond({"dims"}):
            raise ValueError("same_variable requires y to equal x, except for its dims")
        if self.same_array and not self.x.origin == self.y.origin == "input":
            raise ValueError("same_array requires two inputs")
        if self.same_array and self._differ_beyond({"dims", "static"}):
            raise ValueError("same_array requires y to equal x, except for its dims and known")
        _check_answer(self.case)

    def _differ_beyond(self, ignored: Set[str]) -> bool:
        """Whether a field of x other than those ignored differs from that of y."""
        x, y = (msgspec.structs.asdict(operand) for operand in (self.x, self.y))
        return any(x[name] != y[name] for name in x if name not in ignored)

    @classmethod
    def of(cls, case: DotCase) -> CaseRecord:
        """Return the record of a case."""
        return msgspec.convert(case, cls, from_attributes=True)

    @property
    def case(self) -> DotCase:
        """The case that has this record."""
        return msgspec.convert(self, DotCase, from_attributes=True)


def check_elements(what: str, shape: Collection[int]) -> None:
    """Raise an error if an array of a shape is too large to be computed and judged.

    A size of 0 counts as 1: NumPy has no arrays whose other sizes are too large, either.
    """
    if _product(shape) > _MOST_ELEMENTS:
        note = " (a size of 0 counts as 1)" if 0 in shape else ""
        raise ValueError(f"{what} has more than {_MOST_ELEMENTS:,} elements: {list(shape)}{note}")


def _product(sizes: Collection[int]) -> int:
    return prod(max(size, 1) for size in sizes)


def _check_answer(case: DotCase) -> None:
    """Raise an error if the dot of a valid case is too large to be computed and judged."""
    try:
        check_elements("the answer", case.out_sizes.values())
    except DotError:
        return
    sizes = case.x.sizes | case.y.sizes
    if _product(sizes.values()) > _MOST_PRODUCTS:
        raise ValueError(f"the dot has more than {_MOST_PRODUCTS:,} products: {sizes}")


def check_choice(name: str, value: str, choices: Iterable[str]) -> None:
    """Raise an error if a field of a record has none of the known values."""
    if value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(choices)}, got {value!r}")


def case_to_json(case: DotCase) -> dict[str, Any]:
    """Return a case as an object that `json.dump` can write.

    Examples
    --------
    >>> from refdot.cases.notation import dot_case
    >>> case = dot_case("a:2?", "")
    >>> case_to_json(case)["x"]
    {'dims': ['a'], 'shape': [2], 'dtype': 'float64', 'known': [False], 'layout': 'c',
     'origin': 'input', 'content': 'drawn'}
    >>> case_from_json(case_to_json(case)) == case
    True
    """
    data: dict[str, Any] = msgspec.to_builtins(CaseRecord.of(case))
    return data


def case_from_json(data: Any) -> DotCase:
    """Return the case in JSON, given as text or as the object that `json.loads` returns.

    Raises
    ------
    ValueError
        The data are not a case. The message has the location of the error.
    """
    try:
        if isinstance(data, str | bytes):
            return msgspec.json.decode(data, type=CaseRecord).case
        return msgspec.convert(data, CaseRecord).case
    except msgspec.MsgspecError as error:
        raise ValueError(str(error)) from None
