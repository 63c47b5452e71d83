"""Known deviations about sizes that disagree."""

from __future__ import annotations

from math import prod

from refdot.cases.notation import dot_case
from refdot.pytensor.deviations.record import (
    disagreeing,
    has_size_0,
    is_as_declared,
    known_sizes,
    lowering_of,
    on_record,
    raised,
)
from refdot.targets.mismatch import Mismatch
from refdot.targets.outcome import Outcome

__all__ = []


# --- sizes that disagree


@on_record(
    "R13",
    "late-error",
    example=dot_case("a:2", "a:3", ()),
    upstream="https://github.com/pymc-devs/pytensor/issues/203",
)
def batch_sizes_compared_late(mismatch: Mismatch, outcome: Outcome) -> bool:
    """Known sizes of a batch dim that differ are no error before the dot is lowered, or run.

    `Dot.make_node` (xtensor/math.py) compares the sizes of the dims in `self.dims` alone, which
    are those that are summed over. What is raised later comes from einsum, from the rewriter or
    from the operation that fails, and knows letters or no names at all.
    """
    known = [dim for dim in disagreeing(mismatch.case) if None not in known_sizes(mismatch, dim)]
    return bool(known) and {*known} <= {*lowering_of(mismatch.case).batch}


@on_record(
    "R4",
    "accepted-invalid",
    example=dot_case("a:1", "a:2?"),
    upstream="https://github.com/pymc-devs/pytensor/issues/408",
)
def static_one_broadcasts(mismatch: Mismatch, outcome: Outcome) -> bool:
    """A size that is known to be 1 broadcasts against any other.

    `einsum` (tensor/einsum.py) squeezes such dims in `filter_singleton_dims`, and nobody has
    compared sizes before: `Dot.make_node` leaves out batch dims, and sizes that are not known.
    """
    differing = disagreeing(mismatch.case)
    return is_as_declared(outcome) and all(broadcasts(mismatch, dim) for dim in differing)


def broadcasts(mismatch: Mismatch, dim: str) -> bool:
    """Whether a dim is known to be 1 in one operand, and compared by nobody."""
    known, low = known_sizes(mismatch, dim), lowering_of(mismatch.case)
    return 1 in known and (dim in low.batch or None in known)


@on_record(
    "R4",
    "accepted-invalid",
    example=dot_case("a:2? b:5? c:3?", "a:5? b:2? c:3?", ("c",)),
    upstream="https://github.com/pymc-devs/pytensor/pull/558",
)
def batch_dims_joined(mismatch: Mismatch, outcome: Outcome) -> bool:
    """Sizes of several batch dims are not compared one by one, but their products.

    A rewrite joins the batch dims of a matrix product into one, by a reshape to (-1, …), for
    `BatchedDot`. Sizes (2, 5) against (5, 2) are then both 10, and sizes (2, 0) against (3, 0) both
    0, and the result has the shape of x.
    """
    batch = lowering_of(mismatch.case).batch
    differing = [dim for dim in disagreeing(mismatch.case) if not broadcasts(mismatch, dim)]
    joined = [dim for dim in batch if not broadcasts(mismatch, dim)]
    x_sizes, y_sizes = mismatch.case.x.sizes, mismatch.case.y.sizes
    alike = prod(x_sizes[dim] for dim in joined) == prod(y_sizes[dim] for dim in joined)
    unknown = all(None in known_sizes(mismatch, dim) for dim in differing)
    return bool(differing) and {*differing} <= {*batch} and alike and unknown


@on_record(
    "R13",
    "wrong-error",
    example=dot_case("a:2? b:3?", "a:3? b:2?"),
    upstream="https://github.com/pymc-devs/pytensor/pull/607",
)
def sizes_as_assertion(mismatch: Mismatch, outcome: Outcome) -> bool:
    """Sizes that differ at run time are an AssertionError.

    From the `Assert` of `tensordot` (tensor/math.py), from `SpecifyShape` (tensor/shape.py), or
    from `broadcast_shape` (tensor/extra_ops.py); none of them knows the names of the dims.
    """
    return mismatch.stage == "run" and raised(outcome, "AssertionError", "")


@on_record("R13", "wrong-error", example=dot_case("i:2?", "i:3?"))
def sizes_without_names(mismatch: Mismatch, outcome: Outcome) -> bool:
    """The error of sizes that differ at run time does not say which dim it is about.

    After `lower_dot` (xtensor/rewriting/math.py) no operation knows names: the message is that of
    NumPy, or of the operation that fails.
    """
    unnamed = mismatch.detail.endswith(": the message does not name the dim")
    by_name = raised(outcome, "ValueError", "Size of dim")
    return mismatch.stage == "run" and unnamed and not by_name


@on_record("R4", "accepted-invalid", example=dot_case("a:2? b:0?", "b:0? a:1?"))
def first_contracted_size_unchecked(mismatch: Mismatch, outcome: Outcome) -> bool:
    """Of several contracted dims the sizes of one are not compared, which shows beside size 0.

    `tensordot` (tensor/math.py) asserts at run time that the sizes of all pairs but the first are
    equal, and leaves that one to the matrix product, in which all are one. With a size 0 among
    them it is 0 in both operands, whatever the first sizes are.
    """
    differing = disagreeing(mismatch.case)
    contracted = {*lowering_of(mismatch.case).contracted}
    sizes = mismatch.case.x.sizes
    beside = any(sizes[dim] == 0 for dim in contracted.difference(differing))
    # What is known to be 1 is squeezed, and is not among the pairs.
    pairs = {dim for dim in differing if not broadcasts(mismatch, dim)}
    unknown = all(None in known_sizes(mismatch, dim) for dim in pairs)
    return len(pairs) == 1 and pairs <= contracted and beside and unknown


@on_record(
    "R4",
    "accepted-invalid",
    example=dot_case("a:2? b:3? c:0?", "a:3? b:2? c:0?", ("a", "b")),
    versions=">=3.0,<3.1",
)
def assertions_in_no_batch(mismatch: Mismatch, outcome: Outcome) -> bool:
    """Over a batch dim of size 0, sizes of several contracted dims are compared as products.

    What compares them one by one is the `Assert` of `tensordot` (tensor/math.py), which is run for
    each place in the batch.
    """
    low, differing = lowering_of(mismatch.case), disagreeing(mismatch.case)
    x_sizes, y_sizes = mismatch.case.x.sizes, mismatch.case.y.sizes
    no_batch = any(x_sizes[dim] == 0 for dim in low.batch)
    products = {prod(sizes[dim] for dim in low.contracted) for sizes in (x_sizes, y_sizes)}
    unknown = all(None in known_sizes(mismatch, dim) for dim in differing)
    return {*differing} <= {*low.contracted} and no_batch and len(products) == 1 and unknown


@on_record(
    "R4",
    "accepted-invalid",
    example=dot_case("a:2? b:3?", "a:3? b:3?", ("b",)),
    backends=("numba",),
)
def batch_sizes_unchecked_in_numba(mismatch: Mismatch, outcome: Outcome) -> bool:
    """Numba multiplies batches of different sizes, and reads past the end of the shorter one.

    `numba_funcify_BatchedDot` (link/numba/dispatch/elemwise.py) loops over the first axis of x,
    and looks at no size of y.
    """
    differing, low = disagreeing(mismatch.case), lowering_of(mismatch.case)
    unknown = all(None in known_sizes(mismatch, dim) for dim in differing)
    x_sizes, y_sizes = mismatch.case.x.sizes, mismatch.case.y.sizes
    # Over no batch at all the other sizes are not looked at either; nor is that of the first
    # contracted dim beside one of size 0.
    no_batch = any(x_sizes[dim] == 0 for dim in low.batch)
    nothing = any(x_sizes[dim] == 0 == y_sizes[dim] for dim in low.contracted)
    elsewhere = {*differing}.difference(low.batch)
    return bool(low.batch) and unknown and (not elsewhere or no_batch or nothing)


@on_record(
    "R4",
    "accepted-invalid",
    example=dot_case("a:0?", "a:3?"),
    versions=">=3.0,<3.3",
    backends=("numba",),
)
def sums_of_nothing_in_numba(mismatch: Mismatch, outcome: Outcome) -> bool:
    """A contracted size that is 0 in x is not compared with the one in y.

    Numba's own `np.dot` of matrices with nothing to sum is zeros, whatever the other one is; with
    batch dims, of which no sizes are compared, too.
    """
    differing, low = disagreeing(mismatch.case), lowering_of(mismatch.case)
    unknown = all(None in known_sizes(mismatch, dim) for dim in differing)
    empty = any(mismatch.case.x.sizes[dim] == 0 for dim in low.contracted)
    return {*differing} <= {*low.contracted, *low.batch} and empty and unknown


@on_record("R4", "accepted-invalid", example=dot_case("a:2? b:3?", "a:3? b:2?"), backends=("jax",))
def assertions_dropped_in_jax(mismatch: Mismatch, outcome: Outcome) -> bool:
    """Sizes of several contracted dims are not compared one by one in JAX, but their products.

    The `Assert` of `tensordot` (tensor/math.py) is what compares them, and
    `jax_funcify_CheckAndRaise` (link/jax/dispatch/basic.py) leaves it out.
    """
    case, contracted = mismatch.case, lowering_of(mismatch.case).contracted
    differing = disagreeing(case)
    unknown = all(None in known_sizes(mismatch, dim) for dim in differing)
    products = {prod(sizes[dim] for dim in contracted) for sizes in (case.x.sizes, case.y.sizes)}
    return {*differing} <= {*contracted} and len(products) == 1 and unknown


@on_record(
    "R6 R8 R13",
    "rejected-valid wrong-gradient wrong-error",
    example=dot_case("a:1? b:0? c:1?", "a:2? b:2? c:1?", ("b",)),
    backends=("jax",),
)
def division_by_zero_in_jax(mismatch: Mismatch, outcome: Outcome) -> bool:
    """A dot with a size 0 is a ZeroDivisionError.

    JAX divides by the product of the other sizes to reshape to (-1, …), which is how dims are
    joined for `BatchedDot` and by `tensordot`.
    """
    return has_size_0(mismatch.case) and raised(outcome, "ZeroDivisionError", "")
