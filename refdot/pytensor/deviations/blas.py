"""Known deviations: products that PyTensor's C code gives to a BLAS."""

from dataclasses import replace
from itertools import combinations
from math import prod

from refdot.cases.case import DotCase, Operand
from refdot.cases.notation import dot_case, operand
from refdot.pytensor.deviations.record import (
    REJECTED,
    has_raised,
    has_valid_names,
    has_wrong_elements,
    known_deviation,
)
from refdot.targets.mismatch import Mismatch
from refdot.targets.outcome import Outcome
from refdot.tensor import Array


@known_deviation(
    REJECTED,
    dot_case("a:2? b:3? c:4?", "a:2? c:4? d:5?", "c", ("complex128", "complex128")),
    backends="c-blas",
)
def batches_of_other_dtypes_in_blas(mismatch: Mismatch, outcome: Outcome) -> bool:
    """With a BLAS, a batched product of complex numbers, integers or bools is rejected.

    If a BLAS is linked, `BatchedDot.c_code` (tensor/blas.py) generates code for every dtype, which
    raises an error at run time unless the dtype is float32 or float64.
    """
    case = mismatch.case
    is_batched = has_valid_names(case) and bool(case.lowering.batch)
    message = r"^type\(x\) is not double or float$"
    is_refused = has_raised(mismatch, outcome, "NotImplementedError", message)
    return is_batched and case.result_dtype.kind in "biuc" and is_refused


@known_deviation(
    REJECTED,
    dot_case("a:2? b:3? c:0?", "a:2? c:0? d:5?", "c"),
    backends="c-blas",
)
def batches_of_nothing_in_blas(mismatch: Mismatch, outcome: Outcome) -> bool:
    """With a BLAS, a batched product of empty matrices is rejected.

    The C code of `BatchedDot` (tensor/blas.py) demands that one stride of each matrix is that of
    adjacent elements, or that the matrix is a row or a column. All strides of an array without
    elements are 0, also after it is copied, as this code does for that reason. A second call may
    succeed, where other strides are left from the first: then it looks like a failing rewrite.
    """
    case = mismatch.case
    is_refused = has_raised(mismatch, outcome, "ValueError", "^some matrix has no unit stride$")
    return is_refused and has_valid_names(case) and _multiplies_empty_matrices(case)


def _multiplies_empty_matrices(case: DotCase) -> bool:
    """Return whether some matrix of a batched product is empty, and neither a row nor a column."""
    low, sizes = case.lowering, case.x.sizes | case.y.sizes
    batch, *matrix = (
        prod(sizes[dim] for dim in dims)
        for dims in (low.batch, low.x_free, low.contracted, low.y_free)
    )
    return batch > 0 and any(0 in pair and 1 not in pair for pair in combinations(matrix, 2))


@known_deviation(
    "R6 R8 wrong-value wrong-gradient",
    replace(
        dot_case("a:2? b:4? c:3?", "a:2? c:3? d:5?", "c", regime="rounding"),
        x=replace(operand("a:2? b:4? c:3?"), layout="windows"),
    ),
    backends="c-blas",
)
def strides_that_a_blas_refuses(mismatch: Mismatch, outcome: Outcome) -> bool:
    """With a BLAS, a product of overlapping rows, or of a repeated vector, is garbage.

    A BLAS demands that the rows of a matrix do not overlap, and that a vector has a stride. The C
    code of `Gemm`, `CGemv` and `BatchedDot` (tensor/blas.py and blas_c.py) passes the strides of
    NumPy on, such as those of `sliding_window_view` and `broadcast_to`. The BLAS then prints an
    error and leaves the result as it was allocated.
    """
    if not has_wrong_elements(mismatch, outcome):
        return False
    refused = _refused_operands(mismatch.case, mismatch.replicate)
    if mismatch.kind == "wrong-value":
        return bool(refused)
    # The first gradient of an operand is a product of the cotangent and the other operand.
    other = "xy".replace(mismatch.operand, "")
    factor = "xy" if mismatch.case.same_variable else other
    return mismatch.order == 1 and not refused.isdisjoint(factor)


def _refused_operands(case: DotCase, replicate: int) -> set[str]:
    """Return the operands whose strides a BLAS refuses."""
    low = case.lowering
    axes = {
        "x": (low.batch, low.x_free, low.contracted),
        "y": (low.batch, low.contracted, low.y_free),
    }
    summed = {"x": low.x_summed, "y": low.y_summed}
    operands = {"x": case.x, "y": case.y}
    matrices = {
        name: _as_matrices(array, operands[name], axes[name])
        for name, array in zip("xy", case.arrays(replicate), strict=True)
        # A sum or a cast makes a copy, whose strides are right.
        if not summed[name] and array.dtype == case.result_dtype in ("float32", "float64")
    }
    has_vector = any(1 in matrix.shape[1:] for matrix in matrices.values())
    copies_repeated = bool(low.batch) or not has_vector
    return {
        name
        for name, matrix in matrices.items()
        if _is_refused(matrix, 1 if copies_repeated else 0)
    }


def _as_matrices(array: Array, operand: Operand, groups: tuple[tuple[str, ...], ...]) -> Array:
    """Return an operand as a batch of matrices, with the strides that PyTensor gives it."""
    order = [operand.dims.index(dim) for dims in groups for dim in dims]
    shape = [prod(operand.sizes[dim] for dim in dims) for dims in groups]
    return array.transpose(order).reshape(shape)


def _is_refused(matrices: Array, lowest: int) -> bool:
    """Return whether adjacent rows, or columns, are nearer than the length of one.

    The C code copies a matrix whose strides are below `lowest`, and one that has elements next to
    each other on neither axis.
    """
    sizes, strides = (
        matrices.shape[1:],
        [step // matrices.itemsize for step in matrices.strides[1:]],
    )
    if 0 in matrices.shape:
        return False
    if 1 in sizes:  # a vector
        return lowest == 0 and strides[sizes.index(max(sizes))] == 0 and max(sizes) > 1
    return any(
        strides[inner] == 1 and lowest <= strides[outer] < sizes[inner]
        for inner, outer in ((0, 1), (1, 0))
    )
