"""Known deviations about names and the argument dim."""

from __future__ import annotations

import re
from ast import literal_eval
from itertools import permutations

from refdot.cases.case import DimArgument, DotCase, Operand
from refdot.cases.notation import dot_case, operand
from refdot.pytensor.deviations.record import disagreeing, on_record, raised
from refdot.targets.mismatch import Mismatch
from refdot.targets.outcome import Outcome

__all__ = []


# --- what is accepted, and how it is refused


@on_record(
    "R1",
    "accepted-invalid",
    example=DotCase(Operand((3,), (2,)), Operand((), ())),
    upstream="https://github.com/pymc-devs/pytensor/pull/2129",
)
def names_unchecked(mismatch: Mismatch, outcome: Outcome) -> bool:
    """Anything hashable is taken for a dim, and so is the empty string.

    `XTensorType.__init__` (xtensor/type.py) checks that dims are distinct, and no more.
    """
    dims = (mismatch.case.x.dims, mismatch.case.y.dims)
    return all(len(set(names)) == len(names) for names in dims)


@on_record(
    "R2",
    "accepted-invalid",
    example=DotCase(operand("a:2"), operand("a:2"), DimArgument("array", ("a",))),
    upstream="https://github.com/pymc-devs/pytensor/issues/1793",
)
def array_of_dims(mismatch: Mismatch, outcome: Outcome) -> bool:
    """An array is taken for a list of dims.

    `dot` (xtensor/math.py) takes any iterable.
    """
    return mismatch.case.dim.spelling == "array"


@on_record(
    "R13",
    "wrong-error",
    example=DotCase(operand("a:2"), operand("a:2"), DimArgument("object", (5,))),
)
def dim_not_iterable(mismatch: Mismatch, outcome: Outcome) -> bool:
    """A `dim` that cannot be iterated over is an UnboundLocalError.

    `dot` (xtensor/math.py) assigns `dim_set` in an `if` and its `elif`s, which have no `else`.
    """
    return mismatch.case.dim.spelling == "object" and raised(outcome, "UnboundLocalError", "")


@on_record("R10", "nondeterminism", example=dot_case("a:2", "b:3", ("a", "b")))
def order_of_a_set(mismatch: Mismatch, outcome: Outcome) -> bool:
    """Dot's props are in the order of a set, so that equal dots are different operations.

    `dot` (xtensor/math.py) makes `Dot(dims=tuple(dim_set))`. The order is that of the hashes of
    the names, which depend on the hash seed: dots that are the same are not merged, and which of
    several wrong dims an error names differs from one process to the next.
    """
    case = mismatch.case
    found = re.fullmatch(r"the op differs: Dot{dims=(.*)}, then Dot{dims=(.*)}", mismatch.got)
    if found:
        shared, every = {*case.x.dims} & {*case.y.dims}, {*case.x.dims, *case.y.dims}
        names = case.dim.names
        summed_over = shared if names is None else every if names is ... else names
        return all(sorted(map(repr, summed_over)) == sorted_dims(text) for text in found.groups())
    messages = [f"Size of dim '{dim}' does not match" for dim in disagreeing(case)]
    missing = [item for item in case.dim.items if item not in case.x.dims + case.y.dims]
    messages += [f"Dimension {item} not found in either input" for item in missing]
    said = {
        f"the error differs: ValueError: {one}, then ValueError: {other}"
        for one, other in permutations(messages, 2)
    }
    return mismatch.got in said


def sorted_dims(text: str) -> list[str] | None:
    """Sort what is written in a tuple of dims; None if the text is of anything else."""
    try:
        dims = literal_eval(text)
    except (SyntaxError, ValueError):
        return None
    return sorted(map(repr, dims)) if isinstance(dims, tuple) else None
