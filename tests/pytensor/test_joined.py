"""Products of operands whose sizes differ, which are on record only if they are products."""

import numpy as np
import pytest

from refdot.cases.notation import dot_case
from refdot.judging.comparison import compare
from refdot.pytensor.deviations.joined import is_product
from refdot.pytensor.target.backends import BACKENDS
from refdot.pytensor.target.target import PyTensorTarget
from refdot.targets.protocol import deviation_of
from refdot.tensor import NamedTensor

TARGET = PyTensorTarget()


@pytest.mark.parametrize("backend", ["python", "c", "numba", "jax"])
@pytest.mark.parametrize("dtypes", [("uint64", "int8"), ("uint32", "bool"), ("int16", "uint8")])
@pytest.mark.parametrize(
    "dims",
    [
        ("c:1? a:1", "a:3?", ("c",)),
        ("a:1 b:1", "a:3? b:2?", ("a",)),
        ("a:1 b:2?", "a:3? b:2? c:2?", "b"),
    ],
)
def test_a_product_of_two_types_of_integers_is_that_of_the_backend(dims, dtypes, backend):
    if BACKENDS[backend].absent:
        pytest.skip(f"{backend} cannot run here")
    case = dot_case(*dims, dtypes, regime="rounding", seed=5)
    outcome = TARGET.run(case, backend, "inlined")
    for mismatch in compare(case, outcome, TARGET):
        assert deviation_of(TARGET, mismatch, outcome, backend, "inlined")


# int8 times uint32 in: int64, uint32, and what is too large for the type of the answer.
X, Y = NamedTensor(np.array([-2, 3], "int8"), "a"), NamedTensor(np.array(5, "uint32"), ())


@pytest.mark.parametrize(
    ("numbers", "is_one"),
    [([-10, 15], True), ([2**32 - 10, 15], True), ([-10, 16], False), ([10, 15], False)],
)
def test_only_a_product_in_some_type_of_integers_is_one(numbers, is_one):
    assert is_product(X, Y, NamedTensor(np.array(numbers, "int64"), "a")) == is_one


@pytest.mark.parametrize(("number", "is_one"), [(2**63 - 1, True), (0, True), (5, False)])
def test_a_float_that_is_too_large_becomes_any_integer(number, is_one):
    x = NamedTensor(np.array([2**62, 2**62] if is_one else [1, 2], "int64"), "a")
    y = NamedTensor(np.array([4, 4], "int8"), "a")
    assert is_product(x, y, NamedTensor(np.array(number, "int64"), ())) == is_one
