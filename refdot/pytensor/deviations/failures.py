"""Known deviations: valid dots that are rejected, and failing rewrites."""

import re

from refdot.cases.notation import dot_case
from refdot.pytensor.deviations.record import (
    has_raised,
    has_size_0,
    has_valid_names,
    known_deviation,
)
from refdot.targets.mismatch import Mismatch
from refdot.targets.outcome import Outcome

_REJECTED = "R6 R8 R13 rejected-valid wrong-gradient wrong-error"


@known_deviation(_REJECTED, dot_case("a:1?", "a:1? b:1?", ()), backends="jax")
def traced_shapes_in_jax(mismatch: Mismatch, outcome: Outcome) -> bool:
    """On JAX, a reshape to sizes that are not static is rejected.

    The new shape contains sizes that JAX traces, which it does not accept in a shape; or the
    dispatch (link/jax/dispatch/shape.py) rejects a shape that is not constant.
    """
    in_jax = has_raised(outcome, "TypeError", "Shapes must be 1D sequences of concrete values")
    message = "JAX requires concrete values for the `shape` parameter"
    return in_jax or has_raised(outcome, "NotImplementedError", message)


@known_deviation(
    _REJECTED, dot_case("a:0?", "a:0? b:1?", ()), backends="python-minimum fast-compile"
)
def blockwise_of_nothing(mismatch: Mismatch, outcome: Outcome) -> bool:
    """Without the rewrites of fast_run, a dot with a batch dim of size 0 cannot run.

    `Blockwise.perform` (tensor/blockwise.py) does not implement an empty batch.
    """
    message = "vectorize with zero size not implemented"
    return has_size_0(mismatch.case) and has_raised(outcome, "NotImplementedError", message)


@known_deviation(
    _REJECTED, dot_case("a:2? b:3?", "a:2? b:3?", ("b",), ("int64", "int64")), backends="numba"
)
def integer_batches_in_numba(mismatch: Mismatch, outcome: Outcome) -> bool:
    """Numba cannot compile a batched product of integers.

    `numba_funcify_BatchedDot` (link/numba/dispatch/elemwise.py) passes integers to BLAS without the
    cast that `numba_funcify_Dot` makes.
    """
    case = mismatch.case
    is_batched = has_valid_names(case) and bool(case.lowering.batch)
    return is_batched and case.result_dtype.kind in "biu" and has_raised(outcome, "TypingError")


@known_deviation("R8 wrong-gradient", dot_case("a:1?", "a:1? b:2 c:0", (), gradient_order=1))
def gradient_beside_nothing(mismatch: Mismatch, outcome: Outcome) -> bool:
    """The gradient of a product with an empty array fails with a broadcasting error.

    In the graph of the gradient, a size that is 1 at run time meets another one. Which rewrite
    causes this is not known yet.
    """
    message = "Runtime broadcasting not allowed"
    return has_size_0(mismatch.case) and has_raised(outcome, "ValueError", message)


@known_deviation(
    "R11 R13 rejected-valid wrong-error", dot_case(" ".join(f"p{n}:1?" for n in range(27)), "")
)
def twenty_six_letters(mismatch: Mismatch, outcome: Outcome) -> bool:
    """A dot of more than 26 dims cannot be lowered.

    `lower_dot` (xtensor/rewriting/math.py) takes its subscripts from `ascii_lowercase`. `einsum`
    would accept 52 letters, and the operations that it creates need none.
    """
    message = "Too many dimensions to map to einsum subscripts"
    return len(mismatch.case.dims) > 26 and has_raised(outcome, "ValueError", message)


@known_deviation("R14 structure", dot_case("a:1? b:1?", "b:1?", ()), versions=">=3.0.3,<3.3.4")
def conflicting_assumptions(mismatch: Mismatch, outcome: Outcome) -> bool:
    """A rewrite fails on the constant [[1]], and PyTensor logs the error.

    `useless_symmetric_transpose` (tensor/rewriting/linalg/utils.py) asks whether the matrix is
    diagonal, and two rules of `pytensor.assumptions` give different answers.
    """
    return mismatch.detail.startswith("a rewrite fails: ConflictingAssumptionsError: ")


@known_deviation(
    "R14 structure",
    dot_case("a:2? b:3?", "a:2?", None, ("float16", "float16"), gradient_order=1),
    versions=">=3.0.3,<3.3.5",
)
def outer_product_of_float16(mismatch: Mismatch, outcome: Outcome) -> bool:
    """A rewrite to BLAS fails on float16, and PyTensor logs the error.

    The operation for an outer product (tensor/blas.py) accepts float32 and wider dtypes only, and
    the rewrite does not check the dtype first.
    """
    return (
        mismatch.detail.startswith("a rewrite fails: TypeError: ")
        and "only float and complex" in mismatch.got
        and "float16" in (mismatch.case.x.dtype, mismatch.case.y.dtype)
    )


@known_deviation(
    "R6 R8 rejected-valid wrong-gradient", dot_case("a:1? b:0? c:1?", "a:1? b:0? c:1?", ("b",))
)
def reshape_to_unknown_of_nothing(mismatch: Mismatch, outcome: Outcome) -> bool:
    """A batched product over a dim of size 0 fails in a reshape.

    The rewrite that joins batch dims for `BatchedDot` reshapes to (-1, …). If another size is 0,
    any size in place of -1 gives the same total.
    """
    message = "cannot reshape array of size 0|total size of new array must be"
    return has_size_0(mismatch.case) and has_raised(outcome, "ValueError", message)


@known_deviation(
    "R6 R8 R14 rejected-valid wrong-gradient structure",
    dot_case("a:0? b:2?", "a:0 b:2?"),
    upstream="issues/2180",
)
def reshape_of_nothing_dropped(mismatch: Mismatch, outcome: Outcome) -> bool:
    """A reshape of an empty array is removed although it changes the shape.

    `local_useless_reshape` (tensor/rewriting/shape.py) removes a reshape if all sizes but one are
    equal to those of the array. It assumes that the last size is then equal too, which does not
    hold if one of the others is 0.
    """
    failed_rewrite = re.match(
        "a rewrite fails: (TypeError: The type of the rep|ValueError: (Reshape: Inp|Static dim))",
        mismatch.detail,
    )
    messages = {
        "AssertionError": "SpecifyShape: (Got shape|dim . of input has shape)",
        "ValueError": "matmul: Input operand|shapes .* not aligned|cannot reshape array|"
        "could not broadcast input array|Invalid shape: Expected",
        "TypeError": "cannot reshape array",
    }
    rejected = any(has_raised(outcome, *error) for error in messages.items())
    return has_size_0(mismatch.case) and (rejected or failed_rewrite is not None)


@known_deviation(_REJECTED, dot_case("a:1? b:0? c:1?", "a:2? b:2? c:1?", ("b",)), backends="jax")
def division_by_zero_in_jax(mismatch: Mismatch, outcome: Outcome) -> bool:
    """On JAX, a dot with a dim of size 0 raises a ZeroDivisionError.

    To reshape to (-1, …), JAX divides by the product of the other sizes. `tensordot` and the
    rewrite for `BatchedDot` join dims by such reshapes.
    """
    return has_size_0(mismatch.case) and has_raised(outcome, "ZeroDivisionError")
