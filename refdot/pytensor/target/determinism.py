"""The determinism check: equivalent calls must give the same graph (R10)."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from refdot.cases.case import DimArgument, DotCase
from refdot.pytensor.target import graph as graphs
from refdot.pytensor.target.stages import StageError, stage

__all__ = ["HashedName", "check_determinism", "over_other_dims", "reordered"]


class HashedName(str):
    """A dim with a chosen hash, which determines the order of a set of dims."""

    __slots__ = ("hash",)
    hash: int

    def __hash__(self) -> int:
        return self.hash

    __eq__ = str.__eq__


def check_determinism(case: DotCase) -> tuple[str, ...]:
    """Build the graph of a case from equivalent calls, and describe the differences (R10).

    The calls differ in the hashes of the names (ascending, descending and all equal, as under
    different hash seeds) and in the order of `dim`. A dot over other dims, which is not equivalent,
    must give an operation that is not equal.
    """
    first, *others = (
        _built(_with_hashes(case, lambda position: position)),
        _built(_with_hashes(case, lambda position: 0xFFFF - position)),
        _built(_with_hashes(replace(case, dim=reordered(case.dim)), lambda position: 0)),
    )
    found = [
        f"the {part} {verb}: {first.get(part, 'none')}, then {other.get(part, 'none')}"
        for other in others
        for part, verb in (("op", "differs"), ("dims", "differ"), ("error", "differs"))
        if first.get(part) != other.get(part)
    ][:1]
    other = _built(over_other_dims(case))
    if "op" in first and first["op"] == other.get("op") and first["dims"] != other["dims"]:
        # PyTensor merges equal operations on the same inputs.
        found.append(f"the op is that of other dims: {first['op']} for {other['dims']}")
    return tuple(found)


def reordered(dim: DimArgument) -> DimArgument:
    """Return an equivalent `dim` argument: a list of its names in reverse, with one of them twice.

    A `dim` that is not a collection of names is returned unchanged: an error shows its items.
    """
    is_collection = dim.spelling in ("tuple", "list", "set", "frozenset", "keys", "iterator")
    if not is_collection or not all(isinstance(item, str) for item in dim.items):
        return dim
    return DimArgument("list", (*dim.items[::-1], *dim.items[:1]))


def over_other_dims(case: DotCase) -> DotCase:
    """Return the same case summed over no dims, or over all of them if it sums over none."""
    sums_nothing = case.dim == DimArgument("tuple")
    other = DimArgument("ellipsis" if sums_nothing else "tuple")
    return replace(case, dim=other, call="function")


def _with_hashes(case: DotCase, hash_of: Callable[[int], int]) -> DotCase:
    """Return the same case with names whose hashes are chosen by their positions."""
    dims = (*case.dims, *case.dim.items)
    names = {dim: HashedName(dim) for dim in dims if isinstance(dim, str)}
    for position, name in enumerate(names.values()):
        name.hash = hash_of(position)
    return case.renamed(names)


def _built(case: DotCase) -> dict[str, Any]:
    """Build the graph of a case, and return the parts that must not depend on the spelling."""
    try:
        with stage("build"):
            out = graphs.build(case).out
            return {"op": out.owner.op, "dims": out.type.dims}
    except StageError as stopped:
        return {"error": f"{stopped.raised.type}: {stopped.raised.message}"}
