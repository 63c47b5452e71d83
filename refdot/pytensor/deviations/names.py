"""Known deviations: dim names, and the `dim` argument."""

import re
from ast import literal_eval
from itertools import permutations

from refdot.cases.case import DimArgument, DotCase, Operand
from refdot.cases.notation import dot_case, operand
from refdot.lowering import lower_dot
from refdot.pytensor.deviations.record import has_raised, known_deviation, unequal_dims
from refdot.targets.mismatch import Mismatch
from refdot.targets.outcome import Outcome


@known_deviation(
    "R1 accepted-invalid", DotCase(Operand((3,), (2,)), Operand((), ())), upstream="pull/2129"
)
def names_unchecked(mismatch: Mismatch, outcome: Outcome) -> bool:
    """Any hashable object is accepted as a dim name, and so is the empty string.

    `XTensorType.__init__` (xtensor/type.py) only checks that the dims are distinct.
    """
    operands = (mismatch.case.x, mismatch.case.y)
    are_distinct = all(len(set(operand.dims)) == len(operand.dims) for operand in operands)
    return are_distinct and outcome.declared is not None


@known_deviation(
    "R2 accepted-invalid",
    DotCase(operand("a:2"), operand("a:2"), DimArgument("array", ("a",))),
    upstream="issues/1793",
)
def array_of_dims(mismatch: Mismatch, outcome: Outcome) -> bool:
    """An array is accepted as `dim`.

    `dot` (xtensor/math.py) accepts any iterable, and contracts over the dims in it.
    """
    case, declared = mismatch.case, outcome.declared
    if case.dim.spelling != "array" or declared is None or not {*case.dim.items} <= {*case.dims}:
        return False
    return declared.dims == lower_dot(case.x.dims, case.y.dims, case.dim.items).out_dims


@known_deviation("R13 wrong-error", dot_case("a:2", "a:2", 5))
def dim_not_iterable(mismatch: Mismatch, outcome: Outcome) -> bool:
    """A `dim` that is not iterable raises an UnboundLocalError.

    `dot` (xtensor/math.py) assigns `dim_set` in an `if` and its `elif` branches, without an `else`.
    """
    is_unbound = has_raised(mismatch, outcome, "UnboundLocalError", "'dim_set'", "dot")
    return mismatch.case.dim.spelling == "object" and is_unbound


@known_deviation("R10 nondeterminism", dot_case("a:2", "b:3", ("a", "b")))
def order_of_a_set(mismatch: Mismatch, outcome: Outcome) -> bool:
    """The props of `Dot` have the order of a set, so equal dots are different operations.

    `dot` (xtensor/math.py) creates `Dot(dims=tuple(dim_set))`. The order depends on the hashes of
    the names, and so on the hash seed. PyTensor therefore does not merge equal dots, and of several
    wrong dims the error names a different one from process to process.
    """
    case, names = mismatch.case, mismatch.case.dim.names
    ops = re.fullmatch(r"the op differs: Dot{dims=(.*)}, then Dot{dims=(.*)}", mismatch.got)
    if ops:
        shared = {*case.x.dims} & {*case.y.dims}
        contracted = shared if names is None else case.dims if names is ... else names
        return all(_sorted_dims(text) == sorted(map(repr, contracted)) for text in ops.groups())
    messages = [f"Size of dim '{dim}' does not match" for dim in unequal_dims(case)]
    missing = [item for item in case.dim.items if item not in case.dims]
    messages += [f"Dimension {item} not found in either input" for item in missing]
    return mismatch.got in {
        f"the error differs: ValueError: {one}, then ValueError: {other}"
        for one, other in permutations(messages, 2)
    }


def _sorted_dims(text: str) -> list[str] | None:
    """Return the sorted members of a tuple written as text, None if it is not a tuple."""
    try:
        dims = literal_eval(text)
    except (SyntaxError, ValueError):
        return None
    return sorted(map(repr, dims)) if isinstance(dims, tuple) else None
