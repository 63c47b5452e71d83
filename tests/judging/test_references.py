"""The reference implementations: right by hand, exact, and independent of the lowering."""

import ast
import inspect
from fractions import Fraction

import numpy as np
import pytest

from refdot.judging import references
from refdot.judging.references import dot_by_definition, dot_by_records
from refdot.tensor import NamedTensor

X = NamedTensor([[2, 3, 5], [7, 11, 13]], ("a", "b"))
Y = NamedTensor([[1, 10], [2, 20], [3, 30]], ("b", "c"))
SCALE = NamedTensor(3, ())

# Computed by hand: x, y, `dim`, the output's dims and its values.
BY_HAND = {
    "the shared dim": (X, Y, None, ("a", "c"), [[23, 230], [68, 680]]),
    "the shared dim, named": (X, Y, "b", ("a", "c"), [[23, 230], [68, 680]]),
    "a name of more than one letter": (
        X.rename(b="ba"),
        Y.rename(b="ba"),
        "ba",
        ("a", "c"),
        [[23, 230], [68, 680]],
    ),
    "named twice": (X, Y, ["b", "b"], ("a", "c"), [[23, 230], [68, 680]]),
    "y first": (Y, X, None, ("c", "a"), [[23, 68], [230, 680]]),
    "all": (X, Y, ..., (), 1001),
    "summed alone in x": (X, Y, "a", ("b", "c"), [[9, 90], [28, 280], [54, 540]]),
    "summed alone in y": (X, Y, {"c"}, ("a", "b"), [[22, 66, 165], [77, 242, 429]]),
    "contracted, and summed alone": (X, Y, ("b", "a"), ("c",), [91, 910]),
    "nothing summed": (
        X,
        Y,
        (),
        ("a", "b", "c"),
        [[[2, 20], [6, 60], [15, 150]], [[7, 70], [22, 220], [39, 390]]],
    ),
    "the order of x": (X, X.transpose("b", "a"), [], ("a", "b"), X.data**2),
    "batch": (X, X.transpose("b", "a"), "b", ("a",), [38, 339]),
    "a scale": (SCALE, X, None, ("a", "b"), 3 * X.data),
    "two scales": (SCALE, SCALE, None, (), 9),
    "an empty sum": (X.isel(b=slice(0, 0)), Y.isel(b=slice(0, 0)), None, ("a", "c"), [[0, 0]] * 2),
    "an empty output": (X.isel(a=slice(0, 0)), Y, None, ("a", "c"), np.zeros((0, 2), int)),
}
by_hand = pytest.mark.parametrize(
    ("x", "y", "dim", "dims", "values"), BY_HAND.values(), ids=BY_HAND
)


@by_hand
def test_the_definition_agrees_with_results_by_hand(x, y, dim, dims, values):
    assert dot_by_definition(x, y, dim) == NamedTensor(values, dims)


@by_hand
def test_records_agree_with_results_by_hand(x, y, dim, dims, values):
    assert dot_by_records(x, y, dim) == dict(np.ndenumerate(np.array(values)))


def test_the_definition_does_not_warn_about_overflow():
    large = NamedTensor(np.array([6e4, 6e4], "float16"), "a")
    assert dot_by_definition(large, large).data == np.inf


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "longdouble"])
def test_records_are_exact_where_floats_round(dtype):
    values = np.array([1, np.finfo(dtype).smallest_subnormal, -1], dtype)
    ones = np.ones(3, dtype)
    exact = dot_by_records(NamedTensor(values, "a"), NamedTensor(ones, "a"))
    assert exact == {(): Fraction(*np.finfo(dtype).smallest_subnormal.as_integer_ratio())}


def test_records_do_not_wrap():
    x = NamedTensor(np.array([127, 127], "int8"), "a")
    assert dot_by_records(x, x) == {(): 2 * 127**2}
    assert dot_by_definition(x, x) == NamedTensor(np.int8(2), ())


def test_records_count_bools():
    x = NamedTensor(np.array([True, True, False]), "a")
    assert dot_by_records(x, x) == {(): 2}
    assert dot_by_definition(x, x) == NamedTensor(np.True_, ())


def test_a_reference_implementation_does_not_use_the_lowering():
    names = {
        getattr(node, "id", None) or getattr(node, "attr", None) or getattr(node, "name", None)
        for node in ast.walk(ast.parse(inspect.getsource(references)))
    }
    assert not names & {"lower", "lower_dot", "Lowering", "einsum", "matmul", "dot", "tensordot"}
