"""Cases as JSON: the schema, which msgspec checks, and the conversion in both directions."""

from __future__ import annotations

from math import prod
from typing import Annotated, Any, TypeAlias

import msgspec
from msgspec import Meta, Struct

from refdot.cases.case import CALLS, DTYPES, LAYOUTS, REGIMES, DimArgument, DotCase, Operand

__all__ = ["CaseRecord", "case_from_json", "case_to_json"]

_MOST_ELEMENTS = 10_000_000  # of an operand that is read
_MOST_AXES = 64  # of an array, in NumPy 2

_Name: TypeAlias = str | int
_Item: TypeAlias = str | int | float | bool | None


class _OperandRecord(Struct, forbid_unknown_fields=True):
    dims: Annotated[list[_Name], Meta(max_length=_MOST_AXES)]
    shape: list[Annotated[int, Meta(ge=0)]]
    dtype: str = "float64"
    known: list[bool] = []
    layout: str = "c"

    def __post_init__(self) -> None:
        _check_choice("dtype", self.dtype, DTYPES)
        _check_choice("layout", self.layout, LAYOUTS)
        if not len(self.dims) == len(self.shape) == len(self.known or self.dims):
            raise ValueError("dims, shape and known differ in length")
        if prod(self.shape) > _MOST_ELEMENTS:
            raise ValueError(f"more than {_MOST_ELEMENTS:,} elements: {self.shape!r}")


class _DimRecord(Struct, forbid_unknown_fields=True):
    spelling: str
    items: list[_Item] = []

    def __post_init__(self) -> None:
        _check_choice("spelling", self.spelling, DimArgument.SPELLINGS)
        needs_text = self.spelling in ("str", "bytes")
        needs_one = needs_text or self.spelling == "object"
        if (
            (needs_one and len(self.items) != 1)
            or (needs_text and not isinstance(self.items[0], str))
            or (self.spelling in ("none", "ellipsis") and self.items)
        ):
            raise ValueError(f"items do not suit the spelling {self.spelling!r}: {self.items!r}")


class CaseRecord(Struct, forbid_unknown_fields=True):
    """A case as it is in JSON. Some fields keep the names that earlier files have."""

    x: _OperandRecord
    y: _OperandRecord
    dim: _DimRecord = msgspec.field(default_factory=lambda: _DimRecord("none"))
    tier: str = "exact"
    seed: Annotated[int, Meta(ge=0, lt=1 << 32)] = 0
    same_variable: bool = False
    gradient_order: Annotated[int, Meta(ge=0, le=2)] = 0
    call: str = "function"

    def __post_init__(self) -> None:
        _check_choice("tier", self.tier, REGIMES)
        _check_choice("call", self.call, CALLS)
        if self.call == "operator" and self.dim.spelling != "none":
            raise ValueError(f"the operator has no dim, got the spelling {self.dim.spelling!r}")
        if self.same_variable and self.x != self.y:
            raise ValueError("same_variable needs y to be equal to x")

    @classmethod
    def of(cls, case: DotCase) -> CaseRecord:
        """Return the record of a case."""
        return cls(
            x=_record_of(case.x),
            y=_record_of(case.y),
            dim=_DimRecord(case.dim.spelling, list(case.dim.items)),
            tier=case.regime,
            seed=case.seed,
            same_variable=case.same_variable,
            gradient_order=case.gradient_order,
            call=case.call,
        )

    @property
    def case(self) -> DotCase:
        """The case that this is the record of."""
        return DotCase(
            x=_operand_of(self.x),
            y=_operand_of(self.y),
            dim=DimArgument(self.dim.spelling, tuple(self.dim.items)),
            regime=self.tier,
            seed=self.seed,
            same_variable=self.same_variable,
            gradient_order=self.gradient_order,
            call=self.call,
        )


def _record_of(operand: Operand) -> _OperandRecord:
    return _OperandRecord(
        dims=list(operand.dims),
        shape=list(operand.shape),
        dtype=operand.dtype,
        known=list(operand.static),
        layout=operand.layout,
    )


def _operand_of(record: _OperandRecord) -> Operand:
    return Operand(
        dims=tuple(record.dims),
        shape=tuple(record.shape),
        dtype=record.dtype,
        static=tuple(record.known),
        layout=record.layout,
    )


def _check_choice(what: str, value: str, choices: Any) -> None:
    if value not in choices:
        raise ValueError(f"{what} must be one of {', '.join(choices)}, got {value!r}")


def case_to_json(case: DotCase) -> dict[str, Any]:
    """Return a case as what `json` can write.

    Examples
    --------
    >>> case = DotCase(Operand(("a",), (2,)), Operand((), ()))
    >>> case_to_json(case)["y"]
    {'dims': [], 'shape': [], 'dtype': 'float64', 'known': [], 'layout': 'c'}
    >>> case_from_json(case_to_json(case)) == case
    True
    """
    data: dict[str, Any] = msgspec.to_builtins(CaseRecord.of(case))
    return data


def case_from_json(data: Any) -> DotCase:
    """Return the case that `case_to_json` wrote.

    Parameters
    ----------
    data : str, bytes or object
        JSON as text, or what `json` makes of it.

    Raises
    ------
    ValueError
        The data do not describe a case; the message says where.
    """
    try:
        if isinstance(data, str | bytes):
            return msgspec.json.decode(data, type=CaseRecord).case
        return msgspec.convert(data, CaseRecord).case
    except msgspec.MsgspecError as error:
        raise ValueError(str(error)) from None
