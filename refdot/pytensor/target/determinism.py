"""Asks PyTensor the same in other words, which must not matter (R10)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from refdot.cases.case import DimArgument, DotCase
from refdot.pytensor.target import graph as graphs
from refdot.pytensor.target.stages import StageError, stage

__all__ = ["HashedName", "check_determinism", "over_other_dims"]


class HashedName(str):
    """A dim whose hash is chosen, so that the order of a set of them is, too."""

    __slots__ = ("order",)
    order: int

    def __hash__(self) -> int:
        return self.order

    __eq__ = str.__eq__


def _hashed(case: DotCase, order: Callable[[int], int]) -> DotCase:
    """Give the same case as if the hash seed had been another one."""
    dims = [dim for dim in {**case.x.sizes, **case.y.sizes} if isinstance(dim, str)]
    dims += [item for item in case.dim.items if isinstance(item, str)]
    names = {}
    for position, dim in enumerate(dict.fromkeys(dims)):
        names[dim] = HashedName(dim)
        names[dim].order = order(position)
    return case.renamed(names)


def check_determinism(case: DotCase) -> tuple[str, ...]:
    """Ask the same in other words (R10), and list what comes out otherwise.

    The words are: the hashes of the names in rising and in falling order, and all alike with
    `dim` written backwards. And what is not the same, a dot over other dims, must be another
    operation.
    """
    backwards, items = case, case.dim.items
    written = case.dim.spelling in ("tuple", "list", "set", "frozenset", "keys", "iterator")
    # What is no str is shown in an error as it was written, and may differ with that.
    if written and all(isinstance(item, str) for item in items):
        backwards = replace(case, dim=DimArgument("list", (*items[::-1], *items[:1])))
    asked = [
        _hashed(case, lambda position: position),
        _hashed(case, lambda position: 0xFFFF - position),
        _hashed(backwards, lambda position: 0),
    ]
    first, *others = map(_answer, asked)
    found = [
        f"the {what} differs: {first.get(what, 'none')}, then {other.get(what, 'none')}"
        for other in others
        for what in ("op", "dims", "error")
        if first.get(what) != other.get(what)
    ][:1]
    other = _answer(over_other_dims(case))
    if "op" in first and first["op"] == other.get("op") and first["dims"] != other["dims"]:
        # Equal operations on the same operands are merged into one.
        found.append(f"the op is that of other dims: {first['op']} for {other['dims']}")
    return tuple(found)


def over_other_dims(case: DotCase) -> DotCase:
    """Give the same case summed over nothing, or over everything if it was nothing."""
    summed_over_nothing = case.dim == DimArgument("tuple")
    other = DimArgument("ellipsis" if summed_over_nothing else "tuple")
    return replace(case, dim=other, call="function")


def _answer(case: DotCase) -> dict[str, Any]:
    """Build the graph of a case, and give what of it must not depend on the words."""
    try:
        with stage("build"):
            out = graphs.build(case).out
            return {"op": out.owner.op, "dims": out.type.dims}
    except StageError as stopped:
        return {"error": f"{stopped.raised.type}: {stopped.raised.message}"}
