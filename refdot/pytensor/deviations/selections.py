"""Known deviations: constants that select rows or columns, which rewrites turn into indexing."""

from collections.abc import Iterator
from math import prod

import numpy as np

from refdot.cases.case import DotCase
from refdot.cases.notation import dot_case
from refdot.evaluation import dot
from refdot.judging.rounding import correct_answers
from refdot.pytensor.deviations.constants import DTYPES_OF_PYTHON
from refdot.pytensor.deviations.joined import CONTRACTED, is_product, joined_operands
from refdot.pytensor.deviations.record import (
    REJECTED,
    has_raised,
    has_valid_names,
    known_deviation,
    unequal_dims,
)
from refdot.pytensor.deviations.size_errors import joined_dims
from refdot.pytensor.deviations.trials import SELECTS, is_caused_by
from refdot.targets.mismatch import Mismatch
from refdot.targets.outcome import Outcome
from refdot.tensor import Array, NamedTensor

_ONE_HOT_IN_X = {"origin": ("constant", "input"), "content": ("one-hot", "drawn")}
_ONE_HOT_IN_Y = {"origin": ("input", "constant"), "content": ("drawn", "one-hot")}

# An index that is out of bounds, on JAX only if it is one of an empty array; and a slice that is
# shorter than PyTensor has declared.
_ERRORS_OF_INDEXING = (
    ("IndexError", ""),
    ("TypeError", r"^Slice size at index \d in gather op is out of range"),
    ("AssertionError", "^SpecifyShape: "),
    ("ValueError", "^Invalid shape: Expected"),
)


@known_deviation(
    "R4 R13 accepted-invalid wrong-error",
    dot_case("c:2? b:5?", "b:3 a:3", **_ONE_HOT_IN_Y),
    versions=">=3.0.4",
    lowerings="inlined",
)
def selections_compare_no_sizes(mismatch: Mismatch, outcome: Outcome) -> bool:
    """A product with a constant that selects rows or columns accepts other sizes.

    If a matrix has a single 1 in each column, `selection_dot_to_indexing`
    (tensor/rewriting/linalg/products.py, in "canonicalize") replaces a product with it by indexing.
    What the other operand has beyond the size of the constant is ignored. If it has less, a size of
    1 is repeated, JAX repeats the last element, and Numba reads past the end of the array; or there
    is an error of indexing. In the stock lowering, the dot is inside an `OpFromGraph` until
    "specialize", where this rewrite is not registered.
    """
    case = mismatch.case
    if mismatch.kind == "wrong-error":
        is_about_index = any(has_raised(mismatch, outcome, *error) for error in _ERRORS_OF_INDEXING)
        return is_about_index and any(_is_longer(*pair) for pair in _selections(case, 0))
    return _are_products(case, outcome)


@known_deviation(
    REJECTED,
    dot_case("a:2 b:3", "b:3? c:4?", None, "bool", **_ONE_HOT_IN_X),
    versions=">=3.0.4",
    backends="jax",
    lowerings="inlined",
)
def bools_added_up_in_jax(mismatch: Mismatch, outcome: Outcome) -> bool:
    """On JAX, bools cannot be multiplied by a constant that selects rows.

    `selection_dot_to_indexing` (tensor/rewriting/linalg/products.py) adds rows of the other operand
    to zeros, and JAX adds no bools.
    """
    case, message = mismatch.case, "^add does not accept dtype bool"
    function = "jax_funcify_IncSubtensor.<locals>.incsubtensor"
    is_bool = has_valid_names(case) and case.result_dtype.kind == "b"
    is_raised = has_raised(mismatch, outcome, "TypeError", message, function)
    return is_bool and is_raised and any(_selecting_constants(case, mismatch.replicate))


@known_deviation(
    "R6 R7 wrong-value wrong-dtype",
    dot_case("a:2 b:3", "b:3? c:4?", None, "float32", **_ONE_HOT_IN_X),
    versions=">=3.0.4",
    backends="jax",
    lowerings="inlined",
)
def selections_without_dtype_in_jax(mismatch: Mismatch, outcome: Outcome) -> bool:
    """On JAX, a product with a constant that selects rows has the dtype of a Python number.

    `selection_dot_to_indexing` (tensor/rewriting/linalg/products.py) adds rows of the other operand
    to zeros. On JAX, these zeros have the dtype of Python's 0, as in
    `constants-without-dtype-in-jax`, and rows are added up in the dtype that they have.
    """
    case, found = mismatch.case, outcome.values[mismatch.replicate]
    if found.dtype != DTYPES_OF_PYTHON[case.result_dtype.kind]:
        return False
    return any(
        mismatch.kind == "wrong-dtype" or _are_added_up_in_jax(mismatch, found, rows)
        for _, rows in _selecting_constants(case, mismatch.replicate)
    )


def _are_added_up_in_jax(mismatch: Mismatch, found: NamedTensor, rows: NamedTensor) -> bool:
    """Return whether an answer is the product in the dtype in which JAX adds rows to a 0."""
    from jax.numpy import result_type

    case = mismatch.case
    zero = np.zeros((), case.result_dtype).item()
    dtype = np.dtype(result_type(zero, rows.dtype))
    x, y = (
        NamedTensor(tensor.data.astype(dtype), tensor.dims)
        for tensor in case.tensors(mismatch.replicate)
    )
    answers = correct_answers(x, y, {*x.dims, *y.dims}.difference(case.lowering.out_dims))
    return not answers.wrong(found.transpose(*answers.dims).data.astype(dtype)).any()


@known_deviation(
    REJECTED,
    dot_case("a:0?", "a:0 b:0", origin=("input", "constant")),
    versions=">=3.0.4",
    lowerings="inlined",
)
def selection_of_nothing(mismatch: Mismatch, outcome: Outcome) -> bool:
    """A constant without columns is replaced by indexing, which fails.

    `selection_dot_to_indexing` (tensor/rewriting/linalg/products.py) takes a matrix without columns
    for one that has a single 1 in each, and asks for the positions of these. PyTensor logs the
    error, unless the matrix is the result of other operations on a constant: then the call fails.
    """
    asks_for_positions = "argmax of an empty sequence" in mismatch.got
    return asks_for_positions and is_caused_by(SELECTS, mismatch, outcome)


def _are_products(case: DotCase, outcome: Outcome) -> bool:
    """Return whether the answers are products with a selection, where the other operand has data.

    Elsewhere an answer may be any number: on Numba it is what the memory has after the array.
    """
    return all(
        answer.dims == case.lowering.out_dims
        and any(_is_product_at_common_size(*pair, answer) for pair in _selections(case, replicate))
        for replicate, answer in enumerate(outcome.values)
    )


def _selections(case: DotCase, replicate: int) -> Iterator[tuple[NamedTensor, NamedTensor]]:
    """Yield each constant that is a selection, with the other operand, whose size differs."""
    if unequal_dims(case):
        yield from _selecting_constants(case, replicate)


def _selecting_constants(
    case: DotCase, replicate: int
) -> Iterator[tuple[NamedTensor, NamedTensor]]:
    """Yield each constant that is a selection, with the other operand."""
    if joined_dims(case, "batch"):
        return
    x, y = joined_operands(case, replicate)
    for operand, constant, other in ((case.x, x, y), (case.y, y, x)):
        terms = constant.sizes[CONTRACTED]
        columns = prod(size for dim, size in constant.sizes.items() if dim != CONTRACTED)
        matrix = constant.transpose(CONTRACTED, ...).data.reshape(terms, columns)
        if operand.origin == "constant" and (_is_selection(matrix) or _is_selection(matrix.T)):
            yield constant, other


def _is_selection(matrix: Array) -> bool:
    """Return whether a matrix has a single 1 in each column."""
    is_one = matrix == 1
    return bool((is_one | (matrix == 0)).all() and (is_one.sum(axis=0) == 1).all())


def _is_longer(constant: NamedTensor, other: NamedTensor) -> bool:
    return constant.sizes[CONTRACTED] > other.sizes[CONTRACTED]


def _is_product_at_common_size(
    constant: NamedTensor, other: NamedTensor, answer: NamedTensor
) -> bool:
    common = min(constant.sizes[CONTRACTED], other.sizes[CONTRACTED])
    first, rest = slice(common), slice(common, None)
    selected, missing = (constant.isel(**{CONTRACTED: part}) for part in (first, rest))
    other = other.isel(**{CONTRACTED: first})
    product = dot(selected, other, {*selected.dims, *other.dims}.difference(answer.dims))
    expected = product.transpose(*answer.dims).data.astype(answer.dtype)
    has_data = ~_is_selected_by(missing, answer)
    return is_product(
        selected, other, NamedTensor(np.where(has_data, answer.data, expected), answer.dims)
    )


def _is_selected_by(rows: NamedTensor, answer: NamedTensor) -> Array:
    """Return for each element of an answer whether some rows of a selection contribute to it."""
    chosen = NamedTensor((rows.data != 0).astype(float), rows.dims)
    everywhere = NamedTensor(np.ones(answer.shape), answer.dims)
    counts = dot(chosen, everywhere, {*rows.dims}.difference(answer.dims))
    return np.asarray(counts.transpose(*answer.dims).data != 0)
