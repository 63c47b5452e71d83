"""PyTensor's known deviations: each one cause, the case that shows it, and what comes from it.

A deviation is a function of a mismatch and of the outcome that it was found in: whether the cause
that its docstring tells explains them. It is as narrow as that cause, and where a wrong answer is
explained, it is worked out what the cause would have made of it. What is wrong beside a known
deviation is thus still new.
"""

from __future__ import annotations

import re
from ast import literal_eval
from collections.abc import Callable, Sequence
from inspect import cleandoc
from itertools import permutations
from math import prod
from typing import Any

import numpy as np
from packaging.specifiers import SpecifierSet

from refdot.case import DimArgument, DotCase, Operand
from refdot.errors import SizeMismatchError
from refdot.evaluation import dot, pull_back
from refdot.lowering import Lowering, lower_dot
from refdot.oracle import correct_gradient, correct_value, drawn_cotangents, expected_error
from refdot.rounding import CorrectAnswers, correct_answers, correct_pull_back, unit_roundoff
from refdot.targets import Deviation, Mismatch, Outcome
from refdot.tensor import Array, NamedTensor

__all__ = ["DEVIATIONS", "known_deviations"]

Explanation = Callable[[Mismatch, Outcome], bool]
DEVIATIONS: list[Deviation] = []


def known_deviations(version: str) -> tuple[Deviation, ...]:
    """Give the deviations that are on record for a version of PyTensor.

    Examples
    --------
    >>> {"order-of-a-set", "static-one-broadcasts"} <= {d.id for d in known_deviations("3.0.7")}
    True
    >>> known_deviations("2.30.0")
    ()
    """
    return tuple(
        deviation
        for deviation in DEVIATIONS
        if SpecifierSet(deviation.versions).contains(version, prereleases=True)
    )


def on_record(
    rules: str,
    kinds: str,
    *,
    witness: DotCase,
    versions: str = ">=3.0",
    backends: tuple[str, ...] = (),
    upstream: str = "",
) -> Callable[[Explanation], Explanation]:
    """Put a deviation on record: its name is its id, its docstring its title and its cause.

    It explains mismatches of the given rules and kinds alone.
    """

    def record(explains: Explanation) -> Explanation:
        title, _, cause = cleandoc(explains.__doc__ or "").partition("\n\n")
        name = explains.__name__.replace("_", "-")
        DEVIATIONS.append(
            Deviation(
                name,
                title,
                tuple(rules.split()),
                tuple(kinds.split()),
                versions,
                backends,
                explains,
                witness,
                cause,
                upstream,
            )
        )
        return explains

    return record


def operand(text: str, dtype: str = "float64") -> Operand:
    """Read an operand: the graph is told the size of a in `a:2 b:3?`, and not that of b.

    Examples
    --------
    >>> print(operand("a:2 b:3?"))
    float64(a: 2, b: 3?)
    """
    axes = [axis.split(":") for axis in text.split()]
    return Operand(
        tuple(dim for dim, _ in axes),
        tuple(int(size.rstrip("?")) for _, size in axes),
        dtype,
        tuple(not size.endswith("?") for _, size in axes),
    )


def ask(
    x: str, y: str, dim: str | None = None, dtypes: Sequence[str] = 2 * ("float64",), **facts: Any
) -> DotCase:
    """Make a case of two operands as `operand` reads them, summed over the words of `dim`."""
    argument = DimArgument() if dim is None else DimArgument("tuple", tuple(dim.split()))
    return DotCase(operand(x, dtypes[0]), operand(y, dtypes[1]), argument, **facts)


# --- what is accepted, and how it is refused


@on_record(
    "R1",
    "accepted-invalid",
    witness=DotCase(Operand((3,), (2,)), Operand((), ())),
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
    witness=DotCase(operand("a:2"), operand("a:2"), DimArgument("array", ("a",))),
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
    witness=DotCase(operand("a:2"), operand("a:2"), DimArgument("object", (5,))),
)
def dim_not_iterable(mismatch: Mismatch, outcome: Outcome) -> bool:
    """A `dim` that cannot be iterated over is an UnboundLocalError.

    `dot` (xtensor/math.py) assigns `dim_set` in an `if` and its `elif`s, which have no `else`.
    """
    return mismatch.case.dim.spelling == "object" and raised(outcome, "UnboundLocalError", "")


@on_record("R10", "nondeterminism", witness=ask("a:2", "b:3", "a b"))
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


# --- sizes that disagree


@on_record(
    "R13",
    "late-error",
    witness=ask("a:2", "a:3", ""),
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
    witness=ask("a:1", "a:2?"),
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
    witness=ask("a:2? b:5? c:3?", "a:5? b:2? c:3?", "c"),
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
    witness=ask("a:2? b:3?", "a:3? b:2?"),
    upstream="https://github.com/pymc-devs/pytensor/pull/607",
)
def sizes_as_assertion(mismatch: Mismatch, outcome: Outcome) -> bool:
    """Sizes that differ at run time are an AssertionError.

    From the `Assert` of `tensordot` (tensor/math.py), from `SpecifyShape` (tensor/shape.py), or
    from `broadcast_shape` (tensor/extra_ops.py); none of them knows the names of the dims.
    """
    return mismatch.stage == "run" and raised(outcome, "AssertionError", "")


@on_record("R13", "wrong-error", witness=ask("i:2?", "i:3?"))
def sizes_without_names(mismatch: Mismatch, outcome: Outcome) -> bool:
    """The error of sizes that differ at run time does not say which dim it is about.

    After `lower_dot` (xtensor/rewriting/math.py) no operation knows names: the message is that of
    NumPy, or of the operation that fails.
    """
    unnamed = mismatch.detail.endswith(": the message does not name the dim")
    by_name = raised(outcome, "ValueError", "Size of dim")
    return mismatch.stage == "run" and unnamed and not by_name


@on_record("R4", "accepted-invalid", witness=ask("a:2? b:0?", "b:0? a:1?"))
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
    witness=ask("a:2? b:3? c:0?", "a:3? b:2? c:0?", "a b"),
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
    "R4", "accepted-invalid", witness=ask("a:2? b:3?", "a:3? b:3?", "b"), backends=("numba",)
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
    witness=ask("a:0?", "a:3?"),
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


@on_record("R4", "accepted-invalid", witness=ask("a:2? b:3?", "a:3? b:2?"), backends=("jax",))
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
    witness=ask("a:1? b:0? c:1?", "a:2? b:2? c:1?", "b"),
    backends=("jax",),
)
def division_by_zero_in_jax(mismatch: Mismatch, outcome: Outcome) -> bool:
    """A dot with a size 0 is a ZeroDivisionError.

    JAX divides by the product of the other sizes to reshape to (-1, …), which is how dims are
    joined for `BatchedDot` and by `tensordot`.
    """
    return has_size_0(mismatch.case) and raised(outcome, "ZeroDivisionError", "")


# --- answers


@on_record(
    "R6 R13",
    "rejected-valid wrong-error",
    witness=ask("", "a:2?", "a", ("int8", "int8")),
    upstream="https://github.com/pymc-devs/pytensor/pull/1879",
)
def small_integers_do_not_lower(mismatch: Mismatch, outcome: Outcome) -> bool:
    """A dot in which small integers or bools are summed alone cannot be lowered.

    `einsum` (tensor/einsum.py) sums them with `.sum`, which gives int64 or uint64. So the result
    has another dtype than the one that `Dot.make_node` declares, and the rewriter refuses it.
    """
    refused = raised(outcome, "TypeError", "Cannot convert Type XTensorType")
    if not refused or not has_lowering(mismatch.case):
        return False
    low = lowering_of(mismatch.case)
    # What is known to be 1 in one operand is squeezed there, and then summed in the other alone.
    known = {dim: known_sizes(mismatch, dim) for dim in low.contracted}
    x_ones = [dim for dim, (in_x, in_y) in known.items() if in_y == 1 != in_x]
    y_ones = [dim for dim, (in_x, in_y) in known.items() if in_x == 1 != in_y]
    x_dtype = dtype_of_sum(mismatch.case.x, [*low.x_summed, *x_ones])
    y_dtype = dtype_of_sum(mismatch.case.y, [*low.y_summed, *y_ones])
    given = rf"Cannot convert Type XTensorType{{dtype='{np.result_type(x_dtype, y_dtype)}'"
    declared = outcome.declared is not None and outcome.declared.dtype
    return declared != np.result_type(x_dtype, y_dtype) and raised(outcome, "TypeError", given)


def dtype_of_sum(operand: Operand, dims: Sequence[str]) -> np.dtype[Any]:
    """Give the dtype that an operand has after PyTensor summed it over dims, if there are any."""
    dtype = np.dtype(operand.dtype)
    if not dims or dtype.kind not in "biu":
        return dtype
    return np.dtype("uint64" if dtype.kind == "u" else "int64")


@on_record(
    "R6 R8",
    "wrong-value wrong-gradient",
    witness=ask("", "a:2?", "a", ("float64", "uint64"), tier="rounding"),
)
def summed_alone_first(mismatch: Mismatch, outcome: Outcome) -> bool:
    """An operand that is summed alone is summed in its own dtype, before it meets the other one.

    `einsum` (tensor/einsum.py) does so in `sum_uniques`. Beside a wider operand, float16, float32
    and complex64 lose digits, float16 overflows, and 64-bit integers wrap around; and an empty
    sum is 0 times the other operand, which is NaN where that is not finite.
    """
    low = lowering_of(mismatch.case)
    if not has_wrong_elements(mismatch, outcome) or not (low.x_summed or low.y_summed):
        return False
    unit = max(
        own_unit(mismatch.case.x, low.x_summed),
        own_unit(mismatch.case.y, low.y_summed),
    )
    answer = answer_of(mismatch, outcome)
    wrong = answers_of_sums_first(mismatch, low).wrong(answer, unit)
    return not (wrong & ~(overflowed(mismatch, low) & ~np.isfinite(answer))).any()


def overflowed(mismatch: Mismatch, low: Lowering) -> Array:
    """Tell which elements of the answer have a sum in them that overflows in its own dtype."""
    x, y = mismatch.case.tensors(mismatch.draw)
    x_flags, y_flags = too_large(x, low.x_summed), too_large(y, low.y_summed)
    if mismatch.kind == "wrong-gradient":
        cotangent, _, _ = drawn_cotangents(mismatch.case, mismatch.draw)
        ones = NamedTensor(np.ones(cotangent.shape), cotangent.dims)
        beside, operand = (y_flags, x) if mismatch.operand == "x" else (x_flags, y)
        return pull_back(ones, beside, NamedTensor(operand.data.real, operand.dims)).data > 0
    everywhere = [
        NamedTensor(np.ones(flags.shape, bool), flags.dims) for flags in (x_flags, y_flags)
    ]
    from_x = dot(x_flags, everywhere[1], low.contracted).data
    return np.asarray(from_x | dot(everywhere[0], y_flags, low.contracted).data)


def too_large(tensor: NamedTensor, dims: Sequence[str]) -> NamedTensor:
    """Sum the magnitudes over dims, and tell which sums are too large for the dtype."""
    if not dims:
        return NamedTensor(np.zeros(tensor.shape, bool), tensor.dims)
    with np.errstate(all="ignore"):
        sizes = NamedTensor(np.nan_to_num(np.abs(tensor.data).astype(float)), tensor.dims).sum(
            *dims
        )
    largest = np.finfo(tensor.dtype).max if tensor.dtype.kind in "fc" else np.inf
    return NamedTensor(sizes.data >= largest, sizes.dims)


def answers_of_sums_first(mismatch: Mismatch, low: Lowering) -> CorrectAnswers:
    """Work out the correct answers, or gradients, if operands are first summed alone."""
    case = mismatch.case
    operands = case.tensors(mismatch.draw)
    x, y = map(summed_alone, operands, (low.x_summed, low.y_summed))
    if mismatch.kind == "wrong-value":
        return correct_answers(x, y, {*x.dims, *y.dims}.difference(low.out_dims))
    cotangent, v, w = drawn_cotangents(case, mismatch.draw)
    of_x = correct_pull_back(cotangent, y if mismatch.order == 1 else w, operands[0])
    of_y = correct_pull_back(cotangent, x if mismatch.order == 1 else v, operands[1])
    return of_x if mismatch.operand == "x" else of_y


def correct_of(mismatch: Mismatch) -> CorrectAnswers:
    """Work out the correct answers, or gradients, of what is wrong."""
    case, draw = mismatch.case, mismatch.draw
    if mismatch.kind == "wrong-value":
        return correct_value(case, draw)
    return correct_gradient(case, mismatch.order, mismatch.operand, draw)


def answer_of(mismatch: Mismatch, outcome: Outcome) -> Array:
    """Find the answer, or the gradient, that is wrong."""
    if mismatch.kind == "wrong-value":
        return outcome.values[mismatch.draw].data
    wanted = (mismatch.order, mismatch.operand, mismatch.draw)
    return next(
        gradient.value
        for gradient in outcome.gradients
        if (gradient.order, gradient.operand, gradient.draw) == wanted
    )


def has_wrong_elements(mismatch: Mismatch, outcome: Outcome) -> bool:
    """Whether what is wrong are elements, and nothing more: no error, no shape and no dtype."""
    ended = mismatch.kind == "wrong-gradient" and outcome.gradient_raised is not None
    return not ended and not mismatch.detail.endswith((": shape", ": dtype"))


def summed_alone(tensor: NamedTensor, dims: Sequence[str]) -> NamedTensor:
    """Sum what sums to something else alone without any rounding: 64-bit integers, or nothing."""
    wraps = tensor.dtype.kind in "iu" and tensor.dtype.itemsize == 8
    empty = any(tensor.sizes[dim] == 0 for dim in dims)
    return tensor.sum(*dims) if dims and (wraps or empty) else tensor


def own_unit(operand: Operand, dims: Sequence[str]) -> float:
    """Give the unit roundoff that an operand is summed with, if it is summed alone."""
    dtype = np.dtype(operand.dtype)
    return unit_roundoff(dtype) if dims and dtype.kind in "fc" else 0.0


@on_record(
    "R6 R8", "rejected-valid wrong-gradient", witness=ask("a:1? b:0? c:1?", "a:1? b:0? c:1?", "b")
)
def reshape_to_unknown_of_nothing(mismatch: Mismatch, outcome: Outcome) -> bool:
    """A batched product over a dim of size 0 cannot be reshaped.

    The rewrite that joins batch dims for `BatchedDot` reshapes to (-1, …); what -1 stands for
    cannot be told when another size is 0.
    """
    refused = raised(
        outcome, "ValueError", "cannot reshape array of size 0|total size of new array must be"
    )
    return has_size_0(mismatch.case) and refused


@on_record(
    "R6 R8 R14",
    "rejected-valid wrong-gradient structure",
    witness=ask("a:0? b:2?", "a:0 b:2?"),
    upstream="https://github.com/pymc-devs/pytensor/issues/2180",
)
def reshape_of_nothing_dropped(mismatch: Mismatch, outcome: Outcome) -> bool:
    """A reshape of an array without elements is dropped although it does something.

    `local_useless_reshape` (tensor/rewriting/shape.py) takes a reshape for useless if all lengths
    but one are those of the array. That the last one must be, too, does not hold if one is 0.
    """
    fails = (
        r"a rewrite fails: (TypeError: The type of the rep|ValueError: (Reshape: Inp|Static dim))"
    )
    logged = re.match(fails, mismatch.detail) is not None
    messages = {
        "AssertionError": "SpecifyShape: (Got shape|dim . of input has shape)",
        "ValueError": "matmul: Input operand|shapes .* not aligned|cannot reshape array|"
        "could not broadcast input array|Invalid shape: Expected",
        "TypeError": "cannot reshape array",
    }
    refused = any(raised(outcome, *error) for error in messages.items())
    return has_size_0(mismatch.case) and (refused or logged)


@on_record(
    "R6",
    "wrong-value",
    witness=ask("a:2", "a:2", None, ("int64", "int64"), tier="rounding"),
    backends=("numba",),
)
def integers_as_floats_in_numba(mismatch: Mismatch, outcome: Outcome) -> bool:
    """Numba multiplies integers as floats, which have not as many digits.

    `numba_funcify_Dot` (link/numba/dispatch/elemwise.py) casts them to float32, or 64-bit ones to
    float64, for BLAS.
    """
    x, y = mismatch.case.tensors(mismatch.draw)
    dtype = np.result_type(x.data, y.data)
    if dtype.kind not in "iu":
        return False
    value = outcome.values[mismatch.draw].data
    wrong = correct_answers(x, y, mismatch.case.dim.names).wrong(value)
    x_size, y_size = (NamedTensor(np.abs(t.data.astype(float)), t.dims) for t in (x, y))
    magnitude = dot(x_size, y_size, mismatch.case.dim.names).data
    return bool((magnitude[wrong] >= 2.0 ** (53 if dtype.itemsize == 8 else 24)).all())


@on_record(
    "R6 R8",
    "wrong-value wrong-gradient",
    witness=ask("a:2?", "b:3?", None, ("complex128", "complex128")),
    versions=">=3.0,<3.1",
    backends=("python", "c"),
)
def outer_product_conjugated(mismatch: Mismatch, outcome: Outcome) -> bool:
    """The outer product of complex vectors is taken with the conjugate of one.

    `ScipyGer` (tensor/blas.py) asks SciPy for `ger`, which of complex numbers is `gerc`. Where
    that rewrite applies, a gradient that is an outer product is wrong in the same way.
    """
    case = mismatch.case
    x, y = case.tensors(mismatch.draw)
    is_complex = np.result_type(x.data, y.data).kind == "c"
    if not is_complex or not has_wrong_elements(mismatch, outcome):
        return False
    answer = answer_of(mismatch, outcome)
    if mismatch.kind == "wrong-value":
        either = (correct_answers(*pair, case.dim.names) for pair in one_conjugated(x, y))
    else:
        cotangent, v, w = drawn_cotangents(case, mismatch.draw)
        beside, operand = (y, x) if mismatch.operand == "x" else (x, y)
        if mismatch.order == 2:
            beside = w if mismatch.operand == "x" else v
        pairs = one_conjugated(cotangent, beside)
        either = (correct_pull_back(*pair, operand) for pair in pairs)
    return any(not correct.wrong(answer).any() for correct in either)


def one_conjugated(
    first: NamedTensor, second: NamedTensor
) -> tuple[tuple[NamedTensor, NamedTensor], ...]:
    """Give two tensors with the complex conjugate of one, and of the other."""
    return (conjugate(first), second), (first, conjugate(second))


def conjugate(tensor: NamedTensor) -> NamedTensor:
    """Give the complex conjugate."""
    return NamedTensor(tensor.data.conj(), tensor.dims)


@on_record(
    "R6 R8",
    "wrong-value wrong-gradient",
    witness=ask("a:4", "", None, ("complex64", "float64"), tier="rounding"),
    backends=("c",),
)
def complex_products_in_c(mismatch: Mismatch, outcome: Outcome) -> bool:
    """Beside complex64, what is in double precision loses digits in C.

    The `operator*` of complex numbers in C (scalar/basic.py) converts what it multiplies with to
    its own type, which is that of the first factor.
    """
    dtypes = [mismatch.case.x.dtype, mismatch.case.y.dtype]
    in_double = np.result_type(*map(np.dtype, dtypes)) == "complex128"
    if "complex64" not in dtypes or not in_double or not has_wrong_elements(mismatch, outcome):
        return False
    single = unit_roundoff(np.dtype("complex64"))
    if mismatch.kind == "wrong-value":
        correct = answers_of_sums_first(mismatch, lowering_of(mismatch.case))
    else:
        correct = correct_of(mismatch)
    return not correct.wrong(answer_of(mismatch, outcome), single).any()


@on_record(
    "R6",
    "wrong-value",
    witness=ask("", "", None, ("uint32", "int8")),
    backends=("c",),
)
def products_in_types_of_c(mismatch: Mismatch, outcome: Outcome) -> bool:
    """Operands of two dtypes are multiplied in the type that C converts them to.

    `Mul.c_code` (scalar/basic.py) writes `x * y` and no casts to the dtype of the result, which
    is wider: uint32 times int8 is unsigned in C, uint64 times int8 is, too, where NumPy gives
    float64, and int64 times float32 is a float32.
    """
    low = lowering_of(mismatch.case)
    x_dtype = dtype_of_sum(mismatch.case.x, low.x_summed)
    y_dtype = dtype_of_sum(mismatch.case.y, low.y_summed)
    in_c = type_in_c(x_dtype, y_dtype)
    return in_c is not None and is_product_in(in_c, mismatch, outcome)


def is_product_in(dtype: np.dtype[Any], mismatch: Mismatch, outcome: Outcome) -> bool:
    """Whether an answer is that of operands summed alone first, and then multiplied in a dtype."""
    value, low = outcome.values[mismatch.draw].data, lowering_of(mismatch.case)
    operands = mismatch.case.tensors(mismatch.draw)
    with np.errstate(all="ignore"):
        x, y = (
            NamedTensor(tensor.data.astype(dtype), tensor.dims)
            for tensor in map(summed_alone, operands, (low.x_summed, low.y_summed))
        )
        dims = {*x.dims, *y.dims}.difference(low.out_dims)
        if dtype.kind in "iu":
            return np.array_equal(dot(x, y, dims).data.astype(value.dtype), value)
    return not correct_answers(x, y, dims).wrong(value).any()


@on_record(
    "R6 R7",
    "wrong-value wrong-dtype",
    witness=ask("", "", None, ("uint64", "int8"), tier="rounding"),
    backends=("numba",),
)
def products_in_types_of_numba(mismatch: Mismatch, outcome: Outcome) -> bool:
    """Beside a signed integer or a bool, uint64 is multiplied as an int64 in Numba.

    That is Numba's own promotion, where the graph declares float64, or with a bool uint64; the
    result is not always cast to what is declared.
    """
    low = lowering_of(mismatch.case)
    x_dtype = dtype_of_sum(mismatch.case.x, low.x_summed)
    y_dtype = dtype_of_sum(mismatch.case.y, low.y_summed)
    if {x_dtype.kind, y_dtype.kind} not in ({"u", "i"}, {"u", "b"}):
        return False
    if np.dtype("uint64") not in (x_dtype, y_dtype):
        return False
    return mismatch.got == "int64" or is_product_in(np.dtype("int64"), mismatch, outcome)


def type_in_c(x: np.dtype[Any], y: np.dtype[Any]) -> np.dtype[Any] | None:
    """Give the dtype that C multiplies two dtypes in, if it is another than NumPy's.

    Examples
    --------
    >>> type_in_c(np.dtype("uint32"), np.dtype("int8"))
    dtype('uint32')
    >>> type_in_c(np.dtype("int64"), np.dtype("float32"))
    dtype('float32')
    >>> type_in_c(np.dtype("uint16"), np.dtype("int8")) is None
    True
    """
    wide = [dtype for dtype in (x, y) if dtype.itemsize >= 4]
    if {x.kind, y.kind} == {"u", "i"}:
        unsigned, signed = (x, y) if x.kind == "u" else (y, x)
        wins = unsigned in wide and unsigned.itemsize >= signed.itemsize
        return unsigned if wins else None
    single = np.dtype("float32")
    with_integer = {x.kind, y.kind} in ({"f", "i"}, {"f", "u"})
    return single if with_integer and single in (x, y) and len(wide) == 2 else None


@on_record(
    "R7 R8",
    "wrong-dtype wrong-gradient",
    witness=ask("", "a:2", "a", ("float32", "float32")),
    backends=("jax",),
)
def sums_widened_in_jax(mismatch: Mismatch, outcome: Outcome) -> bool:
    """A sum of float16, float32 or complex64 comes out of JAX in a wider precision.

    `jax_funcify_CAReduce` (link/jax/dispatch/elemwise.py) casts to the dtype in which PyTensor
    accumulates, and never back to the one of the result.
    """
    low = lowering_of(mismatch.case)
    dtypes = {mismatch.case.x.dtype, mismatch.case.y.dtype}
    # A gradient is also summed over the dims that the other operand has for itself; and where one
    # operand is known to have size 1, the other one is summed alone.
    free = (low.x_free, low.y_free) if mismatch.kind == "wrong-gradient" else ()
    beside_one = any(1 in known_sizes(mismatch, dim) for dim in low.contracted)
    is_summed = beside_one or any((low.x_summed, low.y_summed, *free))
    wider = {"float64", "complex128"} if dtypes & {"float16", "float32", "complex64"} else set()
    if "float16" in dtypes:
        wider.add("float32")
    return is_summed and mismatch.got in wider


@on_record(
    "R6 R7 R8",
    "wrong-value wrong-dtype wrong-gradient",
    witness=ask("", "", None, ("float32", "int64")),
    backends=("jax",),
)
def promotion_of_jax(mismatch: Mismatch, outcome: Outcome) -> bool:
    """Operands of two dtypes give the dtype of JAX's own promotion, such as float32 with int64.

    PyTensor's dispatch for JAX casts neither operands nor result to the dtype that the graph
    declares; an integer that is taken for a float32 loses digits, too.
    """
    from jax.numpy import promote_types

    dtypes = (mismatch.case.x.dtype, mismatch.case.y.dtype)
    promoted = np.dtype(promote_types(*dtypes))
    if mismatch.kind != "wrong-value":
        return dtypes[0] != dtypes[1] and mismatch.got == str(promoted)
    answers_so = outcome.values[mismatch.draw].dtype == promoted
    return answers_so and is_product_in(promoted, mismatch, outcome)


@on_record(
    "R7 R8",
    "wrong-dtype wrong-gradient",
    witness=DotCase(operand("", "bool"), operand("", "bool"), same_variable=True),
    backends=("jax",),
)
def products_of_bools_in_jax(mismatch: Mismatch, outcome: Outcome) -> bool:
    """The product of two bools may be an integer in JAX.

    `jax_funcify_scalar_Mul` (link/jax/dispatch/scalar.py) multiplies 0-d operands with 1; and
    `sqr`, which the product of a variable with itself becomes, is `jax.numpy.square`.
    """
    case = mismatch.case
    if not case.x.dtype == case.y.dtype == "bool":
        return False
    scalars = case.x.shape == case.y.shape == ()
    return (case.same_variable and mismatch.got == "int32") or (scalars and mismatch.got == "int64")


@on_record(
    "R6 R8 R13",
    "rejected-valid wrong-gradient wrong-error",
    witness=ask("a:1?", "a:1? b:1?", ""),
    backends=("jax",),
)
def traced_shapes_in_jax(mismatch: Mismatch, outcome: Outcome) -> bool:
    """A reshape to sizes that are known at run time alone is refused by JAX.

    The shape is joined of sizes that JAX traces, in which it takes no shape; or the dispatch
    (link/jax/dispatch/shape.py) refuses one that is not constant.
    """
    return raised(outcome, "TypeError", "Shapes must be 1D sequences of concrete values") or raised(
        outcome, "NotImplementedError", "JAX requires concrete values for the `shape` parameter"
    )


@on_record(
    "R6 R8 R13",
    "rejected-valid wrong-gradient wrong-error",
    witness=ask("a:0?", "a:0? b:1?", ""),
    backends=("python-minimum", "fast-compile"),
)
def blockwise_of_nothing(mismatch: Mismatch, outcome: Outcome) -> bool:
    """Without the rewrites of fast_run, a batch of size 0 cannot be run.

    `Blockwise.perform` (tensor/blockwise.py) says that it is not implemented.
    """
    refused = raised(outcome, "NotImplementedError", "vectorize with zero size not implemented")
    return has_size_0(mismatch.case) and refused


@on_record(
    "R6 R8 R13",
    "rejected-valid wrong-gradient wrong-error",
    witness=ask("a:2? b:3?", "a:2? b:3?", "b", ("int64", "int64")),
    backends=("numba",),
)
def integer_batches_in_numba(mismatch: Mismatch, outcome: Outcome) -> bool:
    """Numba does not compile a batched product of integers.

    `numba_funcify_BatchedDot` (link/numba/dispatch/elemwise.py) hands them to BLAS without the
    cast that `numba_funcify_Dot` makes.
    """
    dtype = np.result_type(np.dtype(mismatch.case.x.dtype), np.dtype(mismatch.case.y.dtype))
    batched = has_lowering(mismatch.case) and bool(lowering_of(mismatch.case).batch)
    return batched and dtype.kind in "biu" and raised(outcome, "TypingError", "")


@on_record("R8", "wrong-gradient", witness=ask("a:1?", "a:1? b:2 c:0", "", gradient_order=1))
def gradient_beside_nothing(mismatch: Mismatch, outcome: Outcome) -> bool:
    """The gradient of a product with an array of size 0 is refused as a broadcast.

    A size that is 1 at run time meets another one in the gradient's graph; which rewrite puts it
    there has not been traced.
    """
    refused = raised(outcome, "ValueError", "Runtime broadcasting not allowed")
    return has_size_0(mismatch.case) and refused


@on_record(
    "R9",
    "wrong-shape",
    witness=ask("a:2", "a:2?", ""),
    upstream="https://github.com/pymc-devs/pytensor/issues/163",
)
def known_length_forgotten(mismatch: Mismatch, outcome: Outcome) -> bool:
    """The output of a batch dim does not know a length that x knows and y does not.

    `Dot.make_node` (xtensor/math.py) joins `{**x_shape_dict, **y_shape_dict}`, in which y's None
    replaces x's length.
    """
    declared = outcome.declared
    if mismatch.stage != "build" or declared is None:
        return False
    known = {
        dim: size
        for operand in (mismatch.case.x, mismatch.case.y)
        for dim, size in zip(operand.dims, operand.static_shape, strict=True)
    }
    return declared.shape == tuple(known[dim] for dim in declared.dims)


@on_record(
    "R11 R13",
    "rejected-valid wrong-error",
    witness=ask(" ".join(f"p{n}:1?" for n in range(27)), ""),
)
def twenty_six_letters(mismatch: Mismatch, outcome: Outcome) -> bool:
    """More than 26 dims cannot be lowered.

    `lower_dot` (xtensor/rewriting/math.py) spells dims with `ascii_lowercase`, where `einsum`
    would take 52 letters, and nothing after `einsum` needs any.
    """
    refused = raised(outcome, "ValueError", "Too many dimensions to map to einsum subscripts")
    return refused and len({*mismatch.case.x.dims, *mismatch.case.y.dims}) > 26


@on_record("R14", "structure", witness=ask("a:1? b:1?", "b:1?", ""), versions=">=3.0,<3.1")
def conflicting_assumptions(mismatch: Mismatch, outcome: Outcome) -> bool:
    """A rewrite fails on the constant [[1]], and PyTensor logs that.

    `useless_symmetric_transpose` (tensor/rewriting/linalg/utils.py) asks whether the matrix is
    diagonal, and two rules of `pytensor.assumptions` answer differently.
    """
    return mismatch.detail.startswith("a rewrite fails: ConflictingAssumptionsError: ")


@on_record(
    "R14",
    "structure",
    witness=ask("a:2? b:3?", "a:2?", None, ("float16", "float16"), gradient_order=1),
    versions=">=3.0,<3.1",
)
def outer_product_of_float16(mismatch: Mismatch, outcome: Outcome) -> bool:
    """A rewrite to BLAS fails on float16, and PyTensor logs that.

    The operation for an outer product (tensor/blas.py) refuses what is not float32 or wider, and
    the rewrite does not ask before.
    """
    only = "a rewrite fails: TypeError: "
    dtypes = (mismatch.case.x.dtype, mismatch.case.y.dtype)
    return (
        mismatch.detail.startswith(only)
        and "only float and complex" in mismatch.got
        and "float16" in dtypes
    )


@on_record(
    "R8",
    "accepted-invalid",
    witness=ask("", "", None, ("int64", "float64"), gradient_order=1),
    upstream="https://github.com/pymc-devs/pytensor/issues/1827",
)
def gradient_of_integers(mismatch: Mismatch, outcome: Outcome) -> bool:
    """An integer or bool operand is given a gradient.

    `pytensor.grad` differentiates by discrete variables where operations let it.
    """
    return True


def has_lowering(case: DotCase) -> bool:
    """Whether the names of a case are valid."""
    error = expected_error(case)
    return error is None or isinstance(error, SizeMismatchError)


def lowering_of(case: DotCase) -> Lowering:
    """Give the lowering of a case of valid names."""
    return lower_dot(case.x.dims, case.y.dims, case.dim.names)


def disagreeing(case: DotCase) -> dict[str, tuple[int, int]]:
    """Give the dims whose sizes differ, each with its size in x and in y."""
    error = expected_error(case)
    return error.sizes if isinstance(error, SizeMismatchError) else {}


def known_sizes(mismatch: Mismatch, dim: str) -> tuple[int | None, ...]:
    """Give the size of a shared dim in each operand, where the graph is told it."""
    operands = (mismatch.case.x, mismatch.case.y)
    return tuple(dict(zip(o.dims, o.static_shape, strict=True))[dim] for o in operands)


def raised(outcome: Outcome, type_: str, message: str) -> bool:
    """Whether an outcome, or its gradient alone, ended with an error of a type and message."""
    error = outcome.raised or outcome.gradient_raised
    return error is not None and error.type == type_ and bool(re.search(message, error.message))


def is_as_declared(outcome: Outcome) -> bool:
    """Whether there is an answer, and its shape is the one that the graph declares."""
    declared, values = outcome.declared, outcome.values
    return declared is not None and all(
        len(declared.shape) == value.ndim
        and all(map(lambda length, size: length in (None, size), declared.shape, value.shape))
        for value in values
    )


def has_size_0(case: DotCase) -> bool:
    """Whether an operand has no elements."""
    return 0 in case.x.shape + case.y.shape
