"""Known deviations: valid dots that are rejected, and failing rewrites."""

from collections.abc import Iterable

from refdot.cases.notation import dot_case
from refdot.pytensor.deviations.record import (
    REJECTED,
    has_raised,
    has_valid_names,
    is_error,
    known_deviation,
    reported_errors,
)
from refdot.pytensor.deviations.trials import (
    BLOCKWISE_OF_NOTHING,
    DEDUCES_SIZES,
    DROPS_RESHAPE,
    JOINS_BATCHES,
    is_caused_by,
)
from refdot.targets.mismatch import Mismatch
from refdot.targets.outcome import Outcome, Raised

__all__ = ["has_conflicting_assumptions", "has_too_many_dims", "has_traced_shape"]

# The types and the messages of errors, and the function that raises them if that tells more.
_ERRORS_OF_RESHAPES = (
    # Of NumPy, and of Numba.
    ("ValueError", "^cannot reshape array of size 0 into shape"),
    ("ValueError", "^total size of new array must be unchanged"),
    # Of JAX, which divides by the product of the other sizes.
    ("ZeroDivisionError", "", "jax_funcify_Reshape.<locals>.reshape"),
    # Of static sizes, which PyTensor compares in the reshape, in the product after it, and between
    # this and what it replaces.
    ("ValueError", "^Reshape: Input shape .* is incompatible with new shape"),
    ("ValueError", "^Static dimensions of BatchedDot don't match"),
    ("TypeError", r"^The type of the replacement \(.*\) must be compatible with the type of the"),
)
_TWENTY_SEVEN_DIMS = " ".join(f"p{number}:1?" for number in range(27))
# The functions of JAX's dispatch that make arrays of a given shape.
_MAKERS_OF_SHAPES = (
    "jax_funcify_Alloc.<locals>.alloc",
    "jax_funcify_Elemwise.<locals>.elemwise_fn",
    "jax_funcify_Reshape.<locals>.reshape",
)


@known_deviation(REJECTED, dot_case("a:1?", "a:1? b:1?", ()), backends="jax")
def traced_shapes_in_jax(mismatch: Mismatch, outcome: Outcome) -> bool:
    """On JAX, a new shape with sizes that are not static is rejected.

    The shape of a reshape, or of the zeros that replace a product with a constant of zeros, has
    sizes that JAX traces, which it does not accept in a shape; or the dispatch
    (link/jax/dispatch/shape.py) rejects a shape that is not constant.
    """
    error = outcome.cause or outcome.gradient_raised
    sizes = mismatch.case.x.static + mismatch.case.y.static
    return error is not None and not all(sizes) and has_traced_shape(error)


def has_traced_shape(error: Raised) -> bool:
    """Return whether an error is that of `traced_shapes_in_jax`, whatever the graph is."""
    in_jax = "^Shapes must be 1D sequences of concrete values"
    in_dispatch = "^JAX requires concrete values for the `shape` parameter"
    is_traced = any(is_error(error, "TypeError", in_jax, maker) for maker in _MAKERS_OF_SHAPES)
    is_refused = is_error(error, "NotImplementedError", in_dispatch, "jax_funcify_Reshape")
    return is_traced or is_refused


@known_deviation(
    REJECTED,
    dot_case("a:3 b:2", "b:2?", (), origin=("constant", "input")),
    versions=">=3.0.3,<3.1",
    backends="jax",
    lowerings="stock",
)
def shapes_of_constants_in_jax(mismatch: Mismatch, outcome: Outcome) -> bool:
    """On JAX, a constant with dims of its own cannot be reshaped in the inner graph.

    The reshape is a `Blockwise` operation, whose new shape is an input of its inner graph.
    `assert_shape_argument_jax_compatible` (link/jax/dispatch/shape.py) asks for the operation that
    computes the shape, and there is none.
    """
    message, function = "has no attribute 'op'", "assert_shape_argument_jax_compatible"
    has_constant = "constant" in (mismatch.case.x.origin, mismatch.case.y.origin)
    return has_constant and has_raised(mismatch, outcome, "AttributeError", message, function)


@known_deviation(
    REJECTED,
    dot_case("a:0?", "a:0? b:1?", ()),
    backends="python-minimum fast-compile",
)
def blockwise_of_nothing(mismatch: Mismatch, outcome: Outcome) -> bool:
    """Without the rewrites of fast_run, a dot with a batch dim of size 0 cannot run.

    `Blockwise.perform` (tensor/blockwise.py) does not implement an empty batch.
    """
    return _has_empty_batch_in_blockwise(mismatch, outcome)


@known_deviation(
    REJECTED,
    dot_case("d:2 b:2 c:0", "c:0? d:2? b:2?", ("b", "d"), origin=("constant", "input")),
    versions=">=3.0.3,<3.1",
    backends="python c c-blas numba",
    lowerings="stock",
)
def blockwise_of_nothing_beside_a_constant(mismatch: Mismatch, outcome: Outcome) -> bool:
    """A dot of a constant over several dims, with a batch dim of size 0, cannot run.

    The rewrites of fast_run replace `Blockwise` operations (tensor/blockwise.py), which do not
    implement an empty batch, but not the reshape of a constant that joins its contracted dims.
    """
    has_constant = "constant" in (mismatch.case.x.origin, mismatch.case.y.origin)
    return has_constant and _has_empty_batch_in_blockwise(mismatch, outcome)


def _has_empty_batch_in_blockwise(mismatch: Mismatch, outcome: Outcome) -> bool:
    case = mismatch.case
    is_empty = has_valid_names(case) and any(
        0 in (case.x.sizes[dim], case.y.sizes[dim]) for dim in case.lowering.batch
    )
    return is_empty and has_raised(mismatch, outcome, *BLOCKWISE_OF_NOTHING)


@known_deviation(
    REJECTED, dot_case("a:2? b:3?", "a:2? b:3?", ("b",), ("int64", "int64")), backends="numba"
)
def integer_batches_in_numba(mismatch: Mismatch, outcome: Outcome) -> bool:
    """Numba cannot compile a batched product of integers.

    `numba_funcify_BatchedDot` (link/numba/dispatch/elemwise.py) passes integers to BLAS without the
    cast that `numba_funcify_Dot` makes.
    """
    case = mismatch.case
    is_batched = has_valid_names(case) and bool(case.lowering.batch)
    is_integer = case.result_dtype.kind in "biu"
    # Numba shows the product that it cannot compile, and the function that it is in.
    message = r">>> (_gemm|dot)\((?:readonly )?array\((u?int\d+|bool), 2d[\s\S]*def batched_dot\("
    return is_batched and is_integer and has_raised(mismatch, outcome, "TypingError", message)


@known_deviation(
    "R11 R13 rejected-valid wrong-error",
    dot_case(_TWENTY_SEVEN_DIMS, ""),
    dot_case(_TWENTY_SEVEN_DIMS, "p0:1?"),
    dot_case(_TWENTY_SEVEN_DIMS, "p0:1?", ()),
)
def twenty_six_letters(mismatch: Mismatch, outcome: Outcome) -> bool:
    """A dot of more than 26 dims cannot be lowered.

    `lower_dot` (xtensor/rewriting/math.py) takes its subscripts from `ascii_lowercase`. `einsum`
    would accept 52 letters, and the operations that it creates need none.
    """
    return has_too_many_dims(mismatch, outcome)


def has_too_many_dims(mismatch: Mismatch, outcome: Outcome) -> bool:
    """Return whether a dot cannot be lowered since it has more than 26 dims."""
    message = "Too many dimensions to map to einsum subscripts"
    is_raised = has_raised(mismatch, outcome, "ValueError", message, "lower_dot")
    return len(mismatch.case.dims) > 26 and is_raised


@known_deviation("R14 structure", dot_case("a:1? b:1?", "b:1?", ()), versions=">=3.0.3,<3.3.4")
def conflicting_assumptions(mismatch: Mismatch, outcome: Outcome) -> bool:
    """A rewrite fails on a constant matrix of one element, and PyTensor logs the error.

    `useless_symmetric_transpose` (tensor/rewriting/linalg/utils.py) asks whether the matrix is
    diagonal, and two rules of `pytensor.assumptions` give different answers.
    """
    return any(map(has_conflicting_assumptions, reported_errors(mismatch, outcome)))


def has_conflicting_assumptions(error: Raised) -> bool:
    """Return whether an error is that of `conflicting_assumptions`, whatever the graph is."""
    message = r"key diagonal on TensorConstant.*\[\[-?\d+\]\]"
    return is_error(error, "ConflictingAssumptionsError", message, "useless_symmetric_transpose")


@known_deviation(
    "R14 structure",
    dot_case("a:2", "a:2? b:1? c:1?", (), origin=("constant", "input"), content=("ones", "drawn")),
    versions=">=3.0.3,<3.1",
)
def sizes_without_axes(mismatch: Mismatch, outcome: Outcome) -> bool:
    """A rewrite fails on a product with a constant of ones, and PyTensor logs the error.

    `local_useless_reshape` (tensor/rewriting/shape.py) asks for a size, and
    `ShapeFeature.get_shape` compares the number of its axes, which a scalar does not have.
    """
    message = "'>' not supported between instances of 'NoneType'"
    logged = reported_errors(mismatch, outcome)
    return any(is_error(e, "TypeError", message, "ShapeFeature.get_shape") for e in logged)


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
    message = "only float and complex types supported.*float16"
    logged = reported_errors(mismatch, outcome)
    return any(is_error(each, "TypeError", message, "Ger.make_node") for each in logged)


@known_deviation(
    REJECTED,
    dot_case("a:1? b:0? c:1?", "a:1? b:0? c:1?", ("b",)),
)
def reshape_to_unknown_of_nothing(mismatch: Mismatch, outcome: Outcome) -> bool:
    """A batched product over a dim of size 0 fails in a reshape.

    The rewrite that joins batch dims for `BatchedDot` reshapes to (-1, …). If another size is 0,
    any size in place of -1 gives the same total.
    """
    reported = [error for error in outcome.errors if str(error) == mismatch.got]
    return bool(_errors_of_reshapes(reported)) and is_caused_by(JOINS_BATCHES, mismatch, outcome)


def _errors_of_reshapes(errors: Iterable[Raised]) -> set[tuple[str, ...]]:
    """Return which of the errors of reshapes are among some errors."""
    return {each for each in _ERRORS_OF_RESHAPES if any(is_error(error, *each) for error in errors)}


@known_deviation(
    f"{REJECTED} R9 wrong-shape",
    dot_case("a:0? b:2?", "a:0 b:2?"),
    dot_case("b:2? a:0?", "b:2? a:0"),
    upstream="issues/2180",
)
def reshape_of_nothing_dropped(mismatch: Mismatch, outcome: Outcome) -> bool:
    """A reshape of an empty array is removed although it changes the shape.

    `local_useless_reshape` (tensor/rewriting/shape.py) removes a reshape if all sizes but one are
    equal to those of the array: `shape_match.count(False) == 1`. It assumes that the last size is
    then equal too, which does not hold if one of the others is 0. The answer then has another
    shape, or an operation that meets this shape fails, in the dot or in its gradient. Without the
    rewrite, none of this happens.
    """
    return is_caused_by(DROPS_RESHAPE, mismatch, outcome)


@known_deviation(
    REJECTED,
    dot_case("c:1? a:0", "c:1 d:0", "a", gradient_order=2),
    lowerings="inlined",
)
def sizes_of_nothing_deduced(mismatch: Mismatch, outcome: Outcome) -> bool:
    """A gradient of empty arrays has a static size of 0 that is wrong, and fails.

    If one size of a reshape is not known, `Reshape.make_node` (tensor/shape.py) divides the number
    of elements by the other sizes. If one of these is 0, it divides 0 by 0, which is 0 for integers
    of NumPy.
    """
    return is_caused_by(DEDUCES_SIZES, mismatch, outcome)
