"""Known deviations about what cannot be compiled, static shapes and gradients."""

from __future__ import annotations

import numpy as np

from refdot.cases.notation import dot_case
from refdot.pytensor.deviations.record import (
    has_lowering,
    has_size_0,
    lowering_of,
    on_record,
    raised,
)
from refdot.targets.mismatch import Mismatch
from refdot.targets.outcome import Outcome

__all__ = []


@on_record(
    "R6 R8 R13",
    "rejected-valid wrong-gradient wrong-error",
    example=dot_case("a:1?", "a:1? b:1?", ()),
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
    example=dot_case("a:0?", "a:0? b:1?", ()),
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
    example=dot_case("a:2? b:3?", "a:2? b:3?", ("b",), ("int64", "int64")),
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


@on_record("R8", "wrong-gradient", example=dot_case("a:1?", "a:1? b:2 c:0", (), gradient_order=1))
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
    example=dot_case("a:2", "a:2?", ()),
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
    example=dot_case(" ".join(f"p{n}:1?" for n in range(27)), ""),
)
def twenty_six_letters(mismatch: Mismatch, outcome: Outcome) -> bool:
    """More than 26 dims cannot be lowered.

    `lower_dot` (xtensor/rewriting/math.py) spells dims with `ascii_lowercase`, where `einsum`
    would take 52 letters, and nothing after `einsum` needs any.
    """
    refused = raised(outcome, "ValueError", "Too many dimensions to map to einsum subscripts")
    return refused and len({*mismatch.case.x.dims, *mismatch.case.y.dims}) > 26


@on_record("R14", "structure", example=dot_case("a:1? b:1?", "b:1?", ()), versions=">=3.0,<3.1")
def conflicting_assumptions(mismatch: Mismatch, outcome: Outcome) -> bool:
    """A rewrite fails on the constant [[1]], and PyTensor logs that.

    `useless_symmetric_transpose` (tensor/rewriting/linalg/utils.py) asks whether the matrix is
    diagonal, and two rules of `pytensor.assumptions` answer differently.
    """
    return mismatch.detail.startswith("a rewrite fails: ConflictingAssumptionsError: ")


@on_record(
    "R14",
    "structure",
    example=dot_case("a:2? b:3?", "a:2?", None, ("float16", "float16"), gradient_order=1),
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
    example=dot_case("", "", None, ("int64", "float64"), gradient_order=1),
    upstream="https://github.com/pymc-devs/pytensor/issues/1827",
)
def gradient_of_integers(mismatch: Mismatch, outcome: Outcome) -> bool:
    """An integer or bool operand is given a gradient.

    `pytensor.grad` differentiates by discrete variables where operations let it.
    """
    return True
