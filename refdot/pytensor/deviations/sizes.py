"""Known deviations: static sizes, and sizes that differ."""

from collections.abc import Iterable
from math import prod

from refdot.cases.case import DotCase, Operand
from refdot.cases.notation import dot_case
from refdot.pytensor.deviations.dtypes import is_widened_sum
from refdot.pytensor.deviations.failures import has_too_many_dims
from refdot.pytensor.deviations.joined import are_products_of_joined
from refdot.pytensor.deviations.record import (
    has_raised,
    known_deviation,
    static_sizes,
    unequal_dims,
)
from refdot.pytensor.deviations.size_errors import is_about_sizes, joined_dims
from refdot.targets.mismatch import Mismatch
from refdot.targets.outcome import Outcome


@known_deviation("R9 wrong-shape", dot_case("a:2", "a:2?", ()), upstream="issues/163")
def known_length_forgotten(mismatch: Mismatch, outcome: Outcome) -> bool:
    """The static size of a batch dim is lost if only x has one.

    `Dot.make_node` (xtensor/math.py) merges `{**x_shape_dict, **y_shape_dict}`, in which y's None
    replaces x's size.
    """
    declared = outcome.declared
    if mismatch.stage != "build" or declared is None:
        return False
    merged = mismatch.case.x.static_sizes | mismatch.case.y.static_sizes
    return declared.shape == tuple(merged[dim] for dim in declared.dims)


@known_deviation(
    "R13 late-error",
    dot_case("a:2", "a:3", ()),
    dot_case("a:2 b:3?", "a:3 b:3?", "b"),
    upstream="issues/203",
)
def batch_sizes_compared_late(mismatch: Mismatch, outcome: Outcome) -> bool:
    """Static sizes of a batch dim that differ are accepted when the graph is built.

    `Dot.make_node` (xtensor/math.py) only compares the sizes of the dims in `self.dims`, which are
    summed over. The later error comes from einsum, from the rewriter or from the operation that
    fails, and names a letter or no dim.
    """
    case = mismatch.case
    both_static = {dim for dim in unequal_dims(case) if None not in static_sizes(case, dim)}
    if not both_static or not both_static <= {*case.lowering.batch} or outcome.cause is None:
        return False
    cannot_lower = is_widened_sum(mismatch, outcome) or has_too_many_dims(mismatch, outcome)
    return cannot_lower or is_about_sizes(outcome.cause, case)


@known_deviation(
    "R4 accepted-invalid",
    dot_case("a:1", "a:2?"),
    dot_case("a:1", "a:2?", ()),
    dot_case("a:1 b:3?", "a:2? b:3?", "b"),
    upstream="issues/408",
)
def static_one_broadcasts(mismatch: Mismatch, outcome: Outcome) -> bool:
    """A dim of static size 1 broadcasts against any other size.

    `einsum` (tensor/einsum.py) squeezes such dims in `filter_singleton_dims`. Nothing compares the
    sizes before that: `Dot.make_node` skips batch dims, and sizes that are not static.
    """
    case = mismatch.case
    return not _compared_dims(case) and are_products_of_joined(case, outcome)


@known_deviation(
    "R4 accepted-invalid", dot_case("a:2? b:5? c:3?", "a:5? b:2? c:3?", ("c",)), upstream="pull/558"
)
def batch_dims_joined(mismatch: Mismatch, outcome: Outcome) -> bool:
    """Of several batch dims only the product of the sizes is compared.

    A rewrite joins the batch dims of a matrix product into one for `BatchedDot`, by a reshape to
    (-1, …). Sizes (2, 5) and (5, 2) both become 10, and sizes (2, 0) and (3, 0) both become 0. The
    result has the shape of x.
    """
    case = mismatch.case
    joined = {*joined_dims(case, "batch")}
    unequal = _compared_dims(case)
    is_joined = bool(unequal) and unequal <= joined and _has_equal_products(case, joined)
    is_accepted = is_joined and _is_dynamic(case, unequal)
    return is_accepted and are_products_of_joined(case, outcome)


@known_deviation(
    "R13 wrong-error",
    dot_case("a:2? b:3?", "a:3? b:2?"),
    dot_case("a:3?", "a:1", ()),
    upstream="pull/607",
)
def sizes_as_assertion(mismatch: Mismatch, outcome: Outcome) -> bool:
    """Sizes that differ at run time raise an AssertionError.

    The error comes from the `Assert` of `tensordot` (tensor/math.py), from `SpecifyShape`
    (tensor/shape.py) or from `broadcast_shape` (tensor/extra_ops.py). None of them knows the names
    of the dims.
    """
    is_assertion = has_raised(mismatch, outcome, "AssertionError")
    return mismatch.stage == "run" and is_assertion and _compares_sizes(mismatch, outcome)


@known_deviation(
    "R13 wrong-error",
    dot_case("i:2?", "i:3?"),
    dot_case("i:2?", "i:3?", ()),
    dot_case("a:2? i:2?", "i:3? b:4?"),
    dot_case("i:2? a:4?", "i:3? a:4?", "a"),
    dot_case("i:2? a:4?", "i:3? a:4?", "i"),
)
def sizes_without_names(mismatch: Mismatch, outcome: Outcome) -> bool:
    """The error for sizes that differ at run time does not name the dim.

    After `lower_dot` (xtensor/rewriting/math.py) no operation knows the names of dims. The message
    is that of NumPy, or of the operation that fails. It shows the sizes of a dim, or of the dims
    that the operation joins.
    """
    is_unnamed = mismatch.detail.endswith(": the message does not name the dim")
    return mismatch.stage == "run" and is_unnamed and _compares_sizes(mismatch, outcome)


@known_deviation(
    "R4 accepted-invalid",
    dot_case("a:2? b:0?", "b:0? a:1?"),
    # If another dim comes first.
    dot_case("a:0? b:2?", "b:1? a:0?"),
)
def first_contracted_size_unchecked(mismatch: Mismatch, outcome: Outcome) -> bool:
    """Sizes of the first contracted dim may differ if another contracted dim has size 0.

    `tensordot` (tensor/math.py) asserts at run time that the sizes of all pairs of dims but the
    first are equal. It leaves the first pair to the matrix product, in which all pairs are joined.
    With a size 0 among them, the joined size is 0 in both operands.
    """
    case = mismatch.case
    unequal, contracted = _compared_dims(case), {*joined_dims(case, "contracted")}
    is_one = len(unequal) == 1 and unequal <= contracted and _is_dynamic(case, unequal)
    is_hidden = is_one and _is_empty(case.x, contracted - unequal)
    return is_hidden and are_products_of_joined(case, outcome)


@known_deviation(
    "R4 accepted-invalid",
    dot_case("a:2? b:3? c:0?", "a:3? b:2? c:0?", ("a", "b")),
    versions=">=3.0.3,<3.1",
)
def assertions_in_no_batch(mismatch: Mismatch, outcome: Outcome) -> bool:
    """Over a batch dim of size 0, only the product of the contracted sizes is compared.

    The `Assert` of `tensordot` (tensor/math.py) compares the sizes one by one, but it runs once for
    each element of the batch.
    """
    case = mismatch.case
    is_hidden = _is_empty(case.x, case.lowering.batch) and _have_equal_products_alone(case)
    return is_hidden and are_products_of_joined(case, outcome)


@known_deviation(
    "R4 accepted-invalid", dot_case("a:2? b:3?", "a:3? b:3?", ("b",)), backends="numba"
)
def batch_sizes_unchecked_in_numba(mismatch: Mismatch, outcome: Outcome) -> bool:
    """Numba multiplies batches of different sizes, and reads past the end of the shorter one.

    `numba_funcify_BatchedDot` (link/numba/dispatch/elemwise.py) loops over the first axis of x and
    does not check the sizes of y. If several batch dims are joined, a reshape to (-1, …) makes this
    axis, and Numba takes -1 for 0 if the array is empty: then no product compares any sizes.
    """
    case, batch = mismatch.case, {*mismatch.case.lowering.batch}
    unequal = _compared_dims(case)
    contracted = {*joined_dims(case, "contracted")} - unequal
    # An empty batch hides any other size, and an empty contracted dim that of the first one.
    is_empty = _is_empty(case.x, batch) or _is_empty(case.x, contracted)
    is_unchecked = is_empty or _has_empty_batches(case) or unequal <= batch
    is_accepted = bool(batch and unequal) and is_unchecked and _is_dynamic(case, unequal)
    # The size of the output is that of y, and `SpecifyShape` compares it.
    is_declared = any(case.y.static_sizes[dim] == 1 for dim in unequal & batch)
    return is_accepted and not is_declared and are_products_of_joined(case, outcome)


def _has_empty_batches(case: DotCase) -> bool:
    """Return whether the first operand of a product of joined batches has no elements.

    `einsum` (tensor/einsum.py) takes y first, unless the output begins with the batch dims.
    """
    batch = joined_dims(case, "batch")
    first = case.x if case.lowering.out_dims[: len(batch)] == tuple(batch) else case.y
    kept = {*case.lowering.out_dims, *joined_dims(case, "contracted")}
    return len(batch) > 1 and _is_empty(first, kept.intersection(first.dims))


@known_deviation(
    "R4 accepted-invalid", dot_case("a:0?", "a:3?"), versions=">=3.0.3,<3.3.5", backends="numba"
)
def sums_of_nothing_in_numba(mismatch: Mismatch, outcome: Outcome) -> bool:
    """On Numba, a contracted dim of size 0 in x may have any size in y.

    Numba's own `np.dot` returns zeros if x has nothing to sum, for any size of y. The same holds
    with batch dims, whose sizes are not compared either.
    """
    case, unequal = mismatch.case, _compared_dims(mismatch.case)
    is_empty = _is_empty(case.x, joined_dims(case, "contracted"))
    is_accepted = bool(unequal) and is_empty and _is_dynamic(case, unequal)
    return is_accepted and are_products_of_joined(case, outcome)


@known_deviation(
    "R4 accepted-invalid",
    dot_case("a:2? b:3?", "a:3? b:2?"),
    # In between, these dots cannot be compiled for JAX: `traced_shapes_in_jax`.
    versions=">=3.0.3,!=3.0.4,!=3.0.5,!=3.0.6,!=3.0.7",
    backends="jax",
)
def assertions_dropped_in_jax(mismatch: Mismatch, outcome: Outcome) -> bool:
    """On JAX, only the product of the contracted sizes is compared.

    The `Assert` of `tensordot` (tensor/math.py) compares the sizes one by one, and
    `jax_funcify_CheckAndRaise` (link/jax/dispatch/basic.py) drops it.
    """
    case = mismatch.case
    return _have_equal_products_alone(case) and are_products_of_joined(case, outcome)


def _compares_sizes(mismatch: Mismatch, outcome: Outcome) -> bool:
    return outcome.raised is not None and is_about_sizes(outcome.raised, mismatch.case)


def _compared_dims(case: DotCase) -> set[str]:
    """Return the dims whose sizes differ, without those that `static_one_broadcasts` explains."""
    return {dim for dim in unequal_dims(case) if not _broadcasts(case, dim)}


def _broadcasts(case: DotCase, dim: str) -> bool:
    """Return whether a dim has the static size 1 in one operand, and nothing compares it.

    In the output, a batch dim has the static size that y has, and `SpecifyShape` compares it.
    """
    static = static_sizes(case, dim)
    if dim in case.lowering.batch:
        return 1 in static and case.y.static_sizes[dim] != 1
    return 1 in static and None in static


def _is_dynamic(case: DotCase, dims: Iterable[str]) -> bool:
    """Return whether the sizes of shared dims can be compared at run time only."""
    return all(None in static_sizes(case, dim) for dim in dims)


def _is_empty(operand: Operand, dims: Iterable[str]) -> bool:
    return any(operand.sizes[dim] == 0 for dim in dims)


def _has_equal_products(case: DotCase, dims: Iterable[str]) -> bool:
    return prod(case.x.sizes[dim] for dim in dims) == prod(case.y.sizes[dim] for dim in dims)


def _have_equal_products_alone(case: DotCase) -> bool:
    """Return whether contracted sizes, none of them static, differ but have the same product."""
    unequal, contracted = _compared_dims(case), {*joined_dims(case, "contracted")}
    is_hidden = unequal <= contracted and _has_equal_products(case, contracted)
    return bool(unequal) and is_hidden and _is_dynamic(case, unequal)
