"""Known deviations: products that PyTensor's C code gives to a BLAS."""

from itertools import combinations
from math import prod

from refdot.cases.case import DotCase
from refdot.cases.notation import dot_case
from refdot.pytensor.deviations.record import has_raised, has_valid_names, known_deviation
from refdot.targets.mismatch import Mismatch
from refdot.targets.outcome import Outcome

_REJECTED = "R6 R8 R13 rejected-valid wrong-gradient wrong-error"


@known_deviation(
    _REJECTED,
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
    is_refused = has_raised(outcome, "NotImplementedError", message)
    return is_batched and case.result_dtype.kind in "biuc" and is_refused


@known_deviation(
    "R6 R8 R14 rejected-valid wrong-gradient structure",
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
    message = "some matrix has no unit stride"
    refused = has_raised(outcome, "ValueError", f"^{message}$")
    refused_once = mismatch.detail == f"a rewrite fails: ValueError: {message}"
    return (refused or refused_once) and _multiplies_empty_matrices(mismatch.case)


def _multiplies_empty_matrices(case: DotCase) -> bool:
    """Return whether some matrix of a batched product is empty, and neither a row nor a column."""
    low, sizes = case.lowering, case.x.sizes | case.y.sizes
    batch, *matrix = (
        prod(sizes[dim] for dim in dims)
        for dims in (low.batch, low.x_free, low.contracted, low.y_free)
    )
    return batch > 0 and any(0 in pair and 1 not in pair for pair in combinations(matrix, 2))
