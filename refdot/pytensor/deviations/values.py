"""Known deviations about sums and empty arrays."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from refdot.cases.case import Operand
from refdot.cases.notation import dot_case
from refdot.evaluation import dot, pull_back
from refdot.judging.rounding import (
    CorrectAnswers,
    correct_answers,
    correct_pull_back,
    unit_roundoff,
)
from refdot.lowering import Lowering
from refdot.pytensor.deviations.record import (
    answer_of,
    has_lowering,
    has_size_0,
    has_wrong_elements,
    known_sizes,
    lowering_of,
    on_record,
    raised,
)
from refdot.targets.mismatch import Mismatch
from refdot.targets.outcome import Outcome
from refdot.tensor import Array, NamedTensor

__all__ = ["answers_of_sums_first", "dtype_of_sum", "summed_alone"]


# --- answers


@on_record(
    "R6 R13",
    "rejected-valid wrong-error",
    example=dot_case("", "a:2?", ("a",), ("int8", "int8")),
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
    example=dot_case("", "a:2?", ("a",), ("float64", "uint64"), regime="rounding"),
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
    x, y = mismatch.case.tensors(mismatch.replicate)
    x_flags, y_flags = too_large(x, low.x_summed), too_large(y, low.y_summed)
    if mismatch.kind == "wrong-gradient":
        cotangent, _, _ = mismatch.case.cotangents(mismatch.replicate)
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
    operands = case.tensors(mismatch.replicate)
    x, y = map(summed_alone, operands, (low.x_summed, low.y_summed))
    if mismatch.kind == "wrong-value":
        return correct_answers(x, y, {*x.dims, *y.dims}.difference(low.out_dims))
    cotangent, v, w = case.cotangents(mismatch.replicate)
    of_x = correct_pull_back(cotangent, y if mismatch.order == 1 else w, operands[0])
    of_y = correct_pull_back(cotangent, x if mismatch.order == 1 else v, operands[1])
    return of_x if mismatch.operand == "x" else of_y


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
    "R6 R8",
    "rejected-valid wrong-gradient",
    example=dot_case("a:1? b:0? c:1?", "a:1? b:0? c:1?", ("b",)),
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
    example=dot_case("a:0? b:2?", "a:0 b:2?"),
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
