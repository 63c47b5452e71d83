"""An error about sizes is on record only if the sizes that it compares do differ in the case."""

from __future__ import annotations

import pytest

from refdot.cases.case import DotCase
from refdot.cases.notation import dot_case
from refdot.pytensor.deviations.size_errors import is_about_sizes
from refdot.targets.outcome import Raised

MATRICES = dot_case("a:2? b:3?", "b:4? c:5?")
JOINED = dot_case("a:2? b:3? c:7?", "a:4? b:5?")
BATCHES = dot_case("a:2? b:3? c:5?", "a:4? b:3? c:5?", "c")
ALONE = dot_case("a:2? b:3?", "a:4? b:3?", ())
NOTHING = dot_case("a:2? b:3? c:0?", "a:4? b:3? c:0? d:7?", "c")


def core_dims(first: int, second: int) -> str:
    return (
        "matmul: Input operand 1 has a mismatch in its core dimension 0, with gufunc signature "
        f"(n?,k),(k,m?)->(n?,m?) (size {first} is different from {second})"
    )


@pytest.mark.parametrize(
    ("case", "type_", "message"),
    [
        (MATRICES, "ValueError", core_dims(4, 3)),
        (MATRICES, "ValueError", "shapes (2,3) and (4,5) not aligned: 3 (dim 1) != 4 (dim 0)"),
        (JOINED, "ValueError", core_dims(20, 6)),
        (JOINED, "ValueError", core_dims(4, 2)),
        (
            JOINED,
            "AssertionError",
            "Input array shape along reduced axes of tensordot are not equal",
        ),
        (ALONE, "ValueError", "operands could not be broadcast together with shapes (2,3) (4,3) "),
        (ALONE, "AssertionError", "SpecifyShape: Got shape (2, 3), expected (4, None)."),
        (
            BATCHES,
            "TypeError",
            "Inputs [[[1.]\n], [2.]] must have the same size in axis 0, but have sizes [6, 12].",
        ),
        (
            BATCHES,
            "TypeError",
            "Inputs [[[1.]\n …  the same size in axis 0, but have sizes [6, 12].",
        ),
        (MATRICES, "AssertionError", "SpecifyShape: Got shape (2, 3), expected (None, 4)."),
        (MATRICES, "ValueError", f"failed: {core_dims(4, 3)}"),
        (ALONE, "ValueError", "array is not broadcastable to correct shape"),
        (ALONE, "ValueError", "could not broadcast input array from shape (2,3) into shape (4,3)"),
        (
            dot_case("a:2?", "a:1?", ()),
            "ValueError",
            "Incompatible vectorized shapes for input 1 and axis 0. Input 1 has shape 1, but is "
            "not statically known to have shape 1, and thus not broadcastable.",
        ),
        (ALONE, "ValueError", "total size of new array must be unchanged"),
    ],
)
def test_sizes_that_differ(case: DotCase, type_: str, message: str) -> None:
    assert is_about_sizes(Raised("run", type_, message, expected_type=True), case)


@pytest.mark.parametrize(
    ("case", "type_", "message"),
    [
        (MATRICES, "ValueError", core_dims(4, 2)),
        (MATRICES, "TypeError", core_dims(4, 3)),
        (MATRICES, "ValueError", f"failed: {core_dims(4, 2)}"),
        (MATRICES, "IndexError", "index 3 is out of bounds for axis 0 with size 3"),
        (ALONE, "ValueError", "array is not of the right kind"),
        (ALONE, "ValueError", "could not broadcast input array from shape (2,7) into shape (5,7)"),
        (
            ALONE,
            "ValueError",
            "Incompatible vectorized shapes for input 1 and axis 0. Input 1 has shape 1, but ...",
        ),
        (MATRICES, "ValueError", "operands could not be broadcast together with shapes (3,) (4,) "),
        (MATRICES, "ValueError", ""),
        (JOINED, "ValueError", core_dims(20, 42)),
        (ALONE, "ValueError", "operands could not be broadcast together with shapes (2,3) (4,4) "),
        (ALONE, "ValueError", "operands could not be broadcast together with shapes (2,3) (2,3) "),
        (ALONE, "AssertionError", "SpecifyShape: Got shape (3, 2), expected (4, None)."),
        (ALONE, "AssertionError", "Input array shape along reduced axes of tensordot"),
        (ALONE, "AssertionError", ""),
        # Only a trial can tell why an empty array could not be reshaped.
        (NOTHING, "ValueError", "cannot reshape array of size 2 into shape (4,)"),
        (NOTHING, "ValueError", "total size of new array must be unchanged"),
    ],
)
def test_other_sizes(case: DotCase, type_: str, message: str) -> None:
    assert not is_about_sizes(Raised("run", type_, message, expected_type=True), case)
