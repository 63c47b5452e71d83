"""Dots for the tests of the evaluation, and assertions that two implementations agree."""

from contextlib import contextmanager

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st

from refdot import evaluation, readings
from refdot.judging.references import dot_by_definition, dot_by_records
from refdot.tensor import NamedTensor

DISCRETE = ("bool", *(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)))
REAL = ("float16", "float32", "float64")
CONTINUOUS = (*REAL, "complex64", "complex128")
ALL = (*DISCRETE, *CONTINUOUS, "longdouble", "clongdouble")
WITH_BLAS = ("float32", "float64", "complex64", "complex128")
SIZES = (2, 3, 5, 1, 0)

# Limits for which the products of a dot count as many, and as few, however many there are.
ALL_MANY, ALL_FEW = 0, 1 << 62
as_many_and_as_few = pytest.mark.parametrize("limit", [ALL_MANY, ALL_FEW], ids=["many", "few"])
quickly = settings(max_examples=60)


@contextmanager
def few_up_to(limit):
    """Read dots of up to this number of products as dots of few."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(readings, "FEW", limit)
        forget_readings()
        try:
            yield
        finally:
            forget_readings()


def forget_readings():
    """Clear the caches, after a change of the code or of the limit that they depend on."""
    evaluation._prepared.cache_clear()
    readings.reading.cache_clear()


def numbers(seed, shape, dtype, wide=False):
    """Return integers: -3 to 3, for which every sum is exact, or from the whole range."""
    random, dtype = np.random.default_rng(seed), np.dtype(dtype)
    if dtype.kind == "b":
        return random.integers(0, 2, shape).astype(dtype)
    if dtype.kind in "iu":
        limits = np.iinfo(dtype)
        low, high = (limits.min, limits.max) if wide else (max(-3, limits.min), 3)
        return random.integers(low, high, shape, dtype, endpoint=True)
    real, imaginary = random.integers(-3, 4, (2, *shape))
    return (real + 1j * imaginary if dtype.kind == "c" else real).astype(dtype)


def tensor(dims, sizes, dtype="float64", seed=0, wide=False):
    """Return a tensor with these dims, which are separated by spaces."""
    names = tuple(dims.split())
    shape = tuple(sizes[name] for name in names)
    return NamedTensor(numbers(seed, shape, dtype, wide), names)


@st.composite
def problems(draw, dtypes):
    """Draw x, y and `dim`; all dims of a problem have different sizes."""
    sizes = dict(zip("abcde", draw(st.permutations(SIZES)), strict=True))
    x_dtype, y_dtype = draw(st.sampled_from(dtypes)), draw(st.sampled_from(dtypes))
    wide = np.result_type(x_dtype, y_dtype).kind in "iu"
    dims = st.lists(st.sampled_from("abcde"), unique=True, max_size=4).map(" ".join)
    x, y = (
        tensor(draw(dims), sizes, dtype, draw(st.integers(0, 99)), wide)
        for dtype in (x_dtype, y_dtype)
    )
    every = sorted({*x.dims, *y.dims})
    named = st.sets(st.sampled_from(every)) if every else st.just(set())
    return x, y, draw(st.none() | st.just(...) | named)


@st.composite
def problems_with_cotangents(draw, dtypes=CONTINUOUS):
    """Draw x, y, `dim`, and a cotangent with its dims in any order."""
    x, y, dim = draw(problems(dtypes))
    out = evaluation.dot(x, y, dim)
    cotangent = like(out, draw(st.integers(0, 99)))
    return x, y, dim, cotangent.transpose(*draw(st.permutations(out.dims)))


def like(other, seed):
    """Return another tensor with the same dims, sizes and dtype."""
    return NamedTensor(numbers(seed, other.shape, other.dtype), other.dims)


def as_stored(value, dtype):
    """Convert an exact number to a dtype: integers wrap, bools saturate (R7)."""
    if dtype.kind == "b":
        return value > 0
    if dtype.kind in "iu":
        limits = np.iinfo(dtype)
        return (value - limits.min) % (2**limits.bits) + limits.min
    return float(value)


def assert_agrees_with_references(x, y, dim=None):
    """Assert that a dot is pure and agrees with both reference implementations."""
    copies = x.data.copy(), y.data.copy()
    answer = evaluation.dot(x, y, dim)
    assert np.array_equal(copies[0], x.data), "R12: dot wrote into x"
    assert np.array_equal(copies[1], y.data), "R12: dot wrote into y"
    assert not np.shares_memory(answer.data, x.data), "R12: the output shares memory with x"
    assert not np.shares_memory(answer.data, y.data), "R12: the output shares memory with y"
    assert isinstance(answer.data, np.ndarray)
    assert answer.data.flags.writeable
    assert answer == dot_by_definition(x, y, dim), "R5, R6, R7: differs from the definition"
    if answer.dtype.kind != "c":
        exact = dot_by_records(x, y, dim)
        stored = {index: answer.data[index].item() for index in np.ndindex(answer.shape)}
        assert stored == {index: as_stored(value, answer.dtype) for index, value in exact.items()}


def vjp_by_basis(x, y, cotangent, dim):
    """Return the VJP of a dot, computed from its values for a basis of each operand."""

    def pulled_back(operand, dot_of):
        gradient = np.zeros(operand.shape, np.result_type(x.data, y.data, cotangent.data))
        for index in np.ndindex(operand.shape):
            basis = np.zeros(operand.shape, operand.dtype)
            basis[index] = 1
            gradient[index] = inner(cotangent, dot_of(NamedTensor(basis, operand.dims)))
        gradient = gradient if operand.dtype.kind == "c" else gradient.real
        return NamedTensor(gradient.astype(operand.dtype), operand.dims)

    return (
        pulled_back(x, lambda basis: dot_by_definition(basis, y, dim)),
        pulled_back(y, lambda basis: dot_by_definition(x, basis, dim)),
    )


def inner(one, other):
    """Return the sum of products of two tensors with the same dims, without a conjugate."""
    return (one.transpose(*other.dims).data * other.data).sum()


def assert_gradient_agrees(x, y, cotangent, dim=None):
    """Assert that `dot_vjp` agrees with `vjp_by_basis`."""
    found, expected = evaluation.dot_vjp(x, y, cotangent, dim), vjp_by_basis(x, y, cotangent, dim)
    for operand, bar, basis in zip((x, y), found, expected, strict=True):
        assert (bar.dims, bar.shape, bar.dtype) == (operand.dims, operand.shape, operand.dtype)
        assert bar == basis, "R8: differs from the VJP by basis"
        assert bar.data.flags.writeable
        assert not any(np.shares_memory(bar.data, given.data) for given in (x, y, cotangent))


def sized(dtype="float64", **sizes):
    """Return a tensor with dims of these sizes."""
    return tensor(" ".join(sizes), sizes, dtype)


inf, nan = np.inf, np.nan
# x with dims (row, alone, k), y with dims (k, column), `dim`, and the values by IEEE 754.
NOT_FINITE = {
    "0 times inf": ([[[0, 2]]], [[inf], [3]], "k", [[[nan]]]),
    "1 times inf": ([[[1, 2]]], [[inf], [3]], "k", [[[inf]]]),
    "-2 times inf": ([[[-2, 2]]], [[inf], [3]], "k", [[[-inf]]]),
    "inf - inf": ([[[1, -2]]], [[inf], [inf]], "k", [[[nan]]]),
    "nan stays in its row": ([[[nan, 2]], [[3, 5]]], [[7], [11]], "k", [[[nan]], [[76]]]),
    "nan stays in its column": ([[[2, 3]]], [[nan, 5], [7, 11]], "k", [[[nan, 43]]]),
    "a product overflows": ([[[1e200, 1]]], [[1e200], [1]], "k", [[[inf]]]),
    "1 - 1 summed alone, times inf": ([[[1], [-1]]], [[inf]], ("k", "alone"), [[nan]]),
    "2 - 1 summed alone, times inf": ([[[2], [-1]]], [[inf]], ("k", "alone"), [[nan]]),
    "2 + 1 summed alone, times inf": ([[[2], [1]]], [[inf]], ("k", "alone"), [[inf]]),
    "inf summed alone, times 0": ([[[2], [inf]]], [[0]], ("k", "alone"), [[nan]]),
    "a large sum of small products": (
        [[[1.5e308], [1.5e308]]],
        [[2.0**-20]],
        ("k", "alone"),
        [[1.5e308 * 2.0**-19]],
    ),
    "y summed alone, times inf": ([[[inf]]], [[2, -1]], ("k", "column"), [[nan]]),
    "nothing, beside inf": (np.zeros((1, 2, 0)), np.full((0, 3), inf), "k", np.zeros((1, 2, 3))),
    "inf, beside nothing": ([[[inf]], [[2]]], np.ones((1, 3))[:, :0], ..., 0),
    "inf, beside nothing summed alone": (
        [[[inf]], [[2]]],
        np.ones((1, 3))[:, :0],
        ("k", "column"),
        [[0], [0]],
    ),
    "nothing, summed alone, times inf": (
        np.zeros((1, 0, 1)),
        [[inf]],
        ("k", "alone"),
        [[0]],
    ),
}


def assert_not_finite_agrees(x, y, dim, values, limit):
    """Assert that a dot and the reference by definition give these values."""
    with np.errstate(all="ignore"):
        by_definition = dot_by_definition(x, y, dim)
    with few_up_to(limit):
        answer = evaluation.dot(x, y, dim)
    assert np.array_equal(answer.data, np.array(values, float), equal_nan=True)
    assert answer == by_definition


# x, y, `dim`, the sizes of every dim that differs, the message and the note.
MISMATCHES = {
    "contracted": (
        sized(a=2, b=3),
        sized(b=5, c=7),
        None,
        {"b": (3, 5)},
        "Size of dim 'b' does not match: 3 in x, 5 in y",
        "x is (a: 2, b: 3), y is (b: 5, c: 7)",
    ),
    "batch": (
        sized(a=2, b=3),
        sized(b=5),
        [],
        {"b": (3, 5)},
        "Size of dim 'b' does not match: 3 in x, 5 in y",
        "x is (a: 2, b: 3), y is (b: 5)",
    ),
    "contracted, size 1 vs n": (
        sized(a=1),
        sized(a=3),
        None,
        {"a": (1, 3)},
        "Size of dim 'a' does not match: 1 in x, 3 in y",
        "x is (a: 1), y is (a: 3)",
    ),
    "batch, size n vs 1": (
        sized(a=3),
        sized(a=1),
        [],
        {"a": (3, 1)},
        "Size of dim 'a' does not match: 3 in x, 1 in y",
        "x is (a: 3), y is (a: 1)",
    ),
    "size 0 vs 1": (
        sized(a=0),
        sized(a=1),
        ...,
        {"a": (0, 1)},
        "Size of dim 'a' does not match: 0 in x, 1 in y",
        "x is (a: 0), y is (a: 1)",
    ),
    "two dims, in the order of x": (
        sized(c=2, b=3, a=5),
        sized(a=7, b=3, c=1),
        "a",
        {"c": (2, 1), "a": (5, 7)},
        "Size of dim 'c' does not match: 2 in x, 1 in y; "
        "size of dim 'a' does not match: 5 in x, 7 in y",
        "x is (c: 2, b: 3, a: 5), y is (a: 7, b: 3, c: 1)",
    ),
}
