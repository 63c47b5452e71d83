"""The names in a `dim` argument: nothing is checked."""

import numpy as np
import pytest

from refdot.targets.names import names_of
from refdot.tensor import NamedTensor

X, Y = (
    NamedTensor(np.ones((2, 3, 4)), tuple("abc")),
    NamedTensor(np.ones((4, 3, 5)), ("c", "b", "d")),
)


@pytest.mark.parametrize(
    ("dim", "names"),
    [
        (None, ("b", "c")),
        (..., ("a", "b", "c", "d")),
        ("b", ("b",)),
        ("time", ("time",)),
        ((), ()),
        (["c", "a", "c"], ("c", "a")),
        (iter("ba"), ("b", "a")),
        (dict.fromkeys("cb"), ("c", "b")),
        (frozenset("b"), ("b",)),
        ("z", ("z",)),
        (("a", "z"), ("a", "z")),
        (5, (5,)),
        (True, (True,)),
        ([None, "b"], (None, "b")),
        ([["b"], ["b"]], (["b"],)),
        (b"b", (b"b",)),
    ],
)
def test_every_argument_has_names(dim, names):
    assert names_of(X, Y, dim) == names


def test_an_array_is_no_list_of_names():
    array = np.array(["b"])
    (name,) = names_of(X, Y, array)
    assert name is array


def test_the_shared_dims_are_the_default():
    assert names_of(X, Y) == ("b", "c")
