"""The dot and its derivatives agree with two reference implementations, also for planted faults."""

from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from itertools import product

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from refdot import evaluation
from refdot.errors import (
    CotangentError,
    DimNotFoundError,
    DimTypeError,
    DTypeError,
    NoGradientError,
    SizeMismatchError,
)
from refdot.evaluation import dot, dot_jvp, dot_vjp
from refdot.judging.references import dot_by_definition, dot_by_records
from refdot.lowering import lower_dot
from refdot.tensor import NamedTensor

DISCRETE = ("bool", *(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)))
REAL = ("float16", "float32", "float64")
CONTINUOUS = (*REAL, "complex64", "complex128")
ALL = (*DISCRETE, *CONTINUOUS, "longdouble", "clongdouble")
WITH_A_MATMUL = ("float32", "float64", "complex64", "complex128")
SIZES = (2, 3, 5, 1, 0)

# Thresholds that use a matmul for every dot with contracted dims, and for no dot.
ALWAYS, NEVER = 0, 1 << 62
with_and_without_matmul = pytest.mark.parametrize(
    "threshold", [ALWAYS, NEVER], ids=["matmul", "einsum"]
)
# Without time limits, since a busy machine can take any time.
quickly = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@contextmanager
def matmul_from(threshold):
    """Use a matmul from this number of multiplications on."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(evaluation, "MATMUL_THRESHOLD", threshold)
        yield


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


# Agreement with the reference implementations


@quickly
@given(problems(DISCRETE))
def test_bools_and_integers_that_wrap_agree_with_the_references(problem):
    assert_agrees_with_references(*problem)


@quickly
@given(problems(REAL))
def test_real_numbers_agree_with_the_references(problem):
    assert_agrees_with_references(*problem)


@quickly
@given(problems((*DISCRETE, *CONTINUOUS)))
def test_mixed_dtypes_agree_with_the_references(problem):
    assert_agrees_with_references(*problem)


@quickly
@given(problems(WITH_A_MATMUL))
def test_matmuls_agree_with_the_references(problem):
    with matmul_from(ALWAYS):
        assert_agrees_with_references(*problem)


@quickly
@given(problems(("complex64", "complex128")))
def test_a_complex_dot_is_four_real_ones(problem):
    x, y, dim = problem
    x_parts, y_parts = (
        [NamedTensor(part, operand.dims) for part in (operand.data.real, operand.data.imag)]
        for operand in (x, y)
    )
    exact = {
        (i, j): dot_by_records(x_parts[i], y_parts[j], dim) for i, j in product((0, 1), repeat=2)
    }
    answer = dot(x, y, dim)
    for index in np.ndindex(answer.shape):
        parts = {pair: totals[index] for pair, totals in exact.items()}
        assert answer.data[index].real == parts[0, 0] - parts[1, 1]
        assert answer.data[index].imag == parts[0, 1] + parts[1, 0]


@pytest.mark.parametrize("x_dtype", ALL)
@pytest.mark.parametrize("y_dtype", ALL)
def test_the_dtype_is_promoted_as_in_numpy(x_dtype, y_dtype):
    sizes = {"a": 2, "b": 3}
    x, y = tensor("a b", sizes, x_dtype, 1), tensor("b", sizes, y_dtype, 2)
    for dim in (None, ..., (), "a"):
        answer = dot(x, y, dim)
        assert answer.dtype == np.result_type(x_dtype, y_dtype)
        assert answer == dot_by_definition(x, y, dim)


@pytest.mark.parametrize(
    ("x", "y", "total"),
    [
        (np.array([100, 27, 1], "int8"), np.array([1, 1, 1], "int8"), -128),
        (np.array([16, 2], "int8"), np.array([16, 3], "int8"), 6),
        (np.array([200, 100], "uint8"), np.array([1, 2], "uint8"), 144),
        (np.array([2**63 - 1, 5], "int64"), np.array([1, 1], "int64"), -(2**63) + 4),
        (np.array([2**63, 7], "uint64"), np.array([2, 3], "uint64"), 21),
        (np.array([True, True]), np.array([True, True]), True),
        (np.array([True, False]), np.array([False, True]), False),
        (np.array([True, True, False]), np.array([3, 5, 7], "int8"), 8),
        (np.array([2048, 1], "float16"), np.array([1, 2], "float16"), 2050),
    ],
)
def test_the_dtype_is_kept_while_accumulating(x, y, total):
    answer = dot(NamedTensor(x, "a"), NamedTensor(y, "a"))
    assert answer == NamedTensor(np.array(total, np.result_type(x, y)), ())


@pytest.mark.parametrize("order", ["<f8", ">f8"])
@with_and_without_matmul
def test_the_byte_order_of_an_operand_does_not_matter(order, threshold):
    sizes = {"a": 2, "b": 3, "c": 5}
    x, y = tensor("a b", sizes, seed=1), tensor("b c", sizes, seed=2)
    other = NamedTensor(x.data.astype(order), x.dims), NamedTensor(y.data.astype(order), y.dims)
    with matmul_from(threshold):
        assert dot(*other) == dot(x, y)


# Einsum and matmul

# Dots above the threshold for a matmul: the dims of x and y, `dim` and the sizes.
LARGE = {
    "matrices": ("a b", "b c", None, {"a": 29, "b": 31, "c": 37}),
    "transposed on the left": ("b a", "b c", None, {"a": 29, "b": 31, "c": 37}),
    "transposed on the right": ("a b", "c b", None, {"a": 29, "b": 31, "c": 37}),
    "matrix by a long vector": ("a b", "b", None, {"a": 200, "b": 211}),
    "vector by matrix": ("b", "b a", None, {"a": 211, "b": 200}),
    "batched": ("n a b", "n b c", "b", {"n": 5, "a": 17, "b": 19, "c": 23}),
    "batch dims in two orders": (
        "a m b n",
        "n c b m",
        "b",
        {"m": 2, "n": 3, "a": 17, "b": 19, "c": 23},
    ),
    "contracted dims in two orders": ("a b c", "d c b", None, {"a": 13, "b": 11, "c": 17, "d": 19}),
    "summed in x": ("a b s", "b c", ("b", "s"), {"a": 17, "b": 19, "c": 23, "s": 7}),
    "summed in y": ("a b", "s b c", ("b", "s"), {"a": 17, "b": 79, "c": 31, "s": 3}),
    "every role": (
        "s a n b",
        "t c b n u",
        ("b", "s", "t"),
        {"s": 3, "a": 11, "n": 5, "b": 13, "t": 2, "c": 17, "u": 7},
    ),
    "all dims": ("a b", "b c", ..., {"a": 1100, "b": 31, "c": 7}),
    "a size of one": ("a b i", "b c j", "b", {"a": 29, "b": 31, "c": 37, "i": 1, "j": 1}),
}


@pytest.mark.parametrize("dtype", WITH_A_MATMUL)
@pytest.mark.parametrize(("x_dims", "y_dims", "dim", "sizes"), LARGE.values(), ids=LARGE)
def test_large_operands_use_a_matmul_with_the_same_bits(
    x_dims, y_dims, dim, sizes, dtype, monkeypatch
):
    x, y = tensor(x_dims, sizes, dtype, 1), tensor(y_dims, sizes, dtype, 2)
    with matmul_from(NEVER):
        expected = dot(x, y, dim)
    products = []
    as_matmul = evaluation.as_matmul
    monkeypatch.setattr(
        evaluation, "as_matmul", lambda *given: products.append(as_matmul(*given)) or products[-1]
    )
    answer = dot(x, y, dim)
    assert answer == expected
    assert answer.data is products[0]
    assert not np.shares_memory(answer.data, x.data)


@pytest.mark.parametrize(
    ("x_dtype", "y_dtype", "y_dims"),
    [
        ("int64", "int64", "b c"),
        ("float16", "float16", "b c"),
        ("float32", "float64", "b c"),
        ("longdouble", "longdouble", "b c"),
        ("float64", "float64", "c"),
    ],
)
def test_a_matmul_needs_a_contraction_in_one_dtype_of_blas(x_dtype, y_dtype, y_dims, monkeypatch):
    monkeypatch.setattr(evaluation, "as_matmul", None)
    sizes = {"a": 29, "b": 31, "c": 37}
    x, y = tensor("a b", sizes, x_dtype, 1), tensor(y_dims, sizes, y_dtype, 2)
    assert dot(x, y) == dot_by_definition(x, y)


@pytest.mark.parametrize("empty", "abcnst")
@with_and_without_matmul
def test_a_size_of_zero_gives_an_empty_output_or_an_empty_sum(empty, threshold):
    sizes = {"n": 2, "a": 3, "b": 5, "s": 7, "c": 11, "t": 13, empty: 0}
    x, y = tensor("n a b s", sizes, seed=1), tensor("t b c n", sizes, seed=2)
    with matmul_from(threshold):
        answer = dot(x, y, ("b", "s", "t"))
    assert answer.sizes == {name: sizes[name] for name in "nac"}
    assert not answer.data.any()
    assert answer == dot_by_definition(x, y, ("b", "s", "t"))


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


@with_and_without_matmul
@pytest.mark.parametrize(("x", "y", "dim", "values"), NOT_FINITE.values(), ids=NOT_FINITE)
def test_nan_and_infinity_propagate_as_in_ieee_754(x, y, dim, values, threshold):
    x = NamedTensor(np.array(x, float), ("row", "alone", "k"))
    y = NamedTensor(np.array(y, float), ("k", "column"))
    assert_not_finite_agrees(x, y, dim, values, threshold)


@pytest.mark.parametrize("swapped", [False, True])
def test_integers_are_multiplied_by_an_infinity_before_summing(swapped):
    x, y = NamedTensor([2, -1], "s"), NamedTensor([np.inf, 3.0], "b")
    out = dot(y, x, "s") if swapped else dot(x, y, "s")
    assert np.array_equal(out.data, [np.nan, 3.0], equal_nan=True)


@pytest.mark.parametrize("values", [[2.0, 3.0], [inf, 2.0], [nan, inf]])
@pytest.mark.parametrize("dim", [..., "b"], ids=str)
def test_an_empty_sum_is_zero_even_times_infinity(values, dim):
    x, nothing = NamedTensor(values, "a"), NamedTensor(np.array([5.0, 7.0])[:0], "b")
    zero = NamedTensor(np.zeros(2 if dim == "b" else ()), ("a",) if dim == "b" else ())
    assert dot(x, nothing, dim) == dot(nothing, x, dim) == zero


def assert_not_finite_agrees(x, y, dim, values, threshold):
    """Assert that a dot and the reference by definition give these values."""
    with np.errstate(all="ignore"):
        by_definition = dot_by_definition(x, y, dim)
    with matmul_from(threshold):
        answer = evaluation.dot(x, y, dim)
    assert np.array_equal(answer.data, np.array(values, float), equal_nan=True)
    assert answer == by_definition


# Dims and shape of the output

# The dims and shape of x and of y, `dim`, and the dims and shape of the output.
OUTPUTS = {
    "scalars": ("", (), "", (), None, "", ()),
    "a scale": ("", (), "b a", (3, 2), None, "b a", (3, 2)),
    "vectors": ("a", (3,), "a", (3,), None, "", ()),
    "the dims of x first": ("b a", (3, 2), "c b", (5, 3), None, "a c", (2, 5)),
    "x's order wins": ("b a", (3, 2), "a b", (2, 3), [], "b a", (3, 2)),
    "batch": ("n a", (7, 2), "a n", (2, 7), "a", "n", (7,)),
    "summed alone": ("a b", (2, 3), "c", (5,), "b", "a c", (2, 5)),
    "everything": ("a b", (2, 3), "c", (5,), ..., "", ()),
    "size one is kept": ("a b", (1, 3), "b c", (3, 1), None, "a c", (1, 1)),
    "size zero is kept": ("a b", (0, 3), "b c", (3, 2), None, "a c", (0, 2)),
    "size zero is summed": ("a b", (2, 0), "b c", (0, 3), None, "a c", (2, 3)),
}


@pytest.mark.parametrize(
    ("x_dims", "x_shape", "y_dims", "y_shape", "dim", "dims", "shape"),
    OUTPUTS.values(),
    ids=OUTPUTS,
)
def test_the_output_has_the_dims_of_x_then_those_of_y(
    x_dims, x_shape, y_dims, y_shape, dim, dims, shape
):
    x = NamedTensor(numbers(1, x_shape, "float64"), x_dims.split())
    y = NamedTensor(numbers(2, y_shape, "float64"), y_dims.split())
    answer = dot(x, y, dim)
    assert (answer.dims, answer.shape) == (tuple(dims.split()), shape)
    assert_agrees_with_references(x, y, dim)


MANY = [f"dim {number}" for number in range(64)]
LONG = dict(zip(MANY[1::9], (2, 3, 5, 2, 3, 2, 3), strict=True))

# The dims of x and y, and `dim`.
MANY_DIMS = {
    "52 letters": (MANY[:26], MANY[26:52], None),
    "one more": (MANY[:27], MANY[26:53], []),
    "53 of x": (MANY[:53], MANY[10:11], None),
    "53 of y": ((), MANY[:53], ()),
    "53 of both": (MANY[:53], MANY[52::-1], None),
    "60, every other one": (MANY[:60], MANY[59::-1], MANY[:60:2]),
    "60, all kept": (MANY[:60], MANY[59::-1], []),
    "64 of x": (MANY, (), MANY[1:]),
    "64 over both, kept": (MANY[:30], MANY[28:], ()),
    "64 over both, summed": (MANY[:30], MANY[20:], ...),
}


@pytest.mark.parametrize("empty", [None, MANY[1], MANY[28], MANY[50]])
@pytest.mark.parametrize(("x_dims", "y_dims", "dim"), MANY_DIMS.values(), ids=MANY_DIMS)
def test_more_dims_than_letters_are_supported(x_dims, y_dims, dim, empty):
    sizes = dict.fromkeys(MANY, 1) | LONG | ({empty: 0} if empty else {})
    x, y = (
        NamedTensor(numbers(seed, [sizes[name] for name in dims], "int8"), dims)
        for seed, dims in enumerate((x_dims, y_dims))
    )
    assert_agrees_with_references(x, y, dim)


def test_more_than_64_dims_over_both_may_be_summed():
    x = NamedTensor(np.arange(1.0, 7).reshape(2, 3, *[1] * 48), [f"x{i}" for i in range(50)])
    y = NamedTensor(np.arange(1.0, 6).reshape(*[1] * 49, 5), [f"y{i}" for i in range(50)])
    assert dot(x, y, ...) == NamedTensor(21.0 * 15.0, ())
    rows = dot(x, y, {*x.dims[1:], *y.dims})
    assert rows == NamedTensor([6.0 * 15.0, 15.0 * 15.0], "x0")


def test_many_dims_of_size_two_are_supported_beside_one_of_size_zero():
    x = NamedTensor(np.ones((0, *[2] * 53)), MANY[:54])
    y = NamedTensor([2.0, 3.0], MANY[53])
    assert dot(x, y, ...) == NamedTensor(0.0, ())
    assert dot(x, y).shape == (0, *[2] * 52)


# Memory (R12)

LAYOUTS = {
    "Fortran-ordered": np.asfortranarray,
    "reversed": lambda array: array[::-1, ::-1].copy()[::-1, ::-1],
    "strided": lambda array: np.repeat(array, 3, axis=1)[:, ::3],
    "transposed": lambda array: array.T.copy().T,
    "unaligned": lambda array: (
        np.frombuffer(b"?" + array.tobytes(), "u1")[1:].view(array.dtype).reshape(array.shape)
    ),
}


@with_and_without_matmul
@pytest.mark.parametrize("with_layout", LAYOUTS.values(), ids=LAYOUTS)
@pytest.mark.parametrize("dim", [None, ..., (), "a"], ids=str)
def test_operands_may_have_any_memory_layout_and_be_read_only(with_layout, dim, threshold):
    sizes = {"a": 2, "b": 3, "c": 5}
    x, y = tensor("a b", sizes, seed=1), tensor("b c", sizes, seed=2)
    laid_out = [NamedTensor(with_layout(operand.data), operand.dims) for operand in (x, y)]
    for operand in laid_out:
        operand.data.flags.writeable = False
    with matmul_from(threshold):
        assert_agrees_with_references(*laid_out, dim)
        assert dot(*laid_out, dim) == dot(x, y, dim)
    cotangent = like(dot(x, y, dim), 3)
    assert dot_vjp(*laid_out, cotangent, dim) == dot_vjp(x, y, cotangent, dim)


@with_and_without_matmul
@pytest.mark.parametrize("dim", [None, ..., ()], ids=str)
def test_operands_may_be_broadcast_views(dim, threshold):
    x = NamedTensor(np.broadcast_to(np.array([2.0, 3.0, 5.0]), (2, 3)), ("a", "b"))
    with matmul_from(threshold):
        assert_agrees_with_references(x, NamedTensor(np.broadcast_to(7.0, (3, 5)), ("b", "c")), dim)


@with_and_without_matmul
@pytest.mark.parametrize("unit", [1.0, np.eye(3)], ids=["scalar", "identity"])
def test_a_product_with_one_is_a_copy(unit, threshold):
    x = NamedTensor(np.arange(9.0).reshape(3, 3), ("a", "b"))
    with matmul_from(threshold):
        answer = dot(x, NamedTensor(unit, ("b", "c")[: 2 * np.ndim(unit)]))
    assert np.array_equal(answer.data, x.data)
    answer.data[0] = -1
    assert np.array_equal(x.data, np.arange(9.0).reshape(3, 3))


def test_both_operands_may_be_the_same_object():
    x = NamedTensor(np.arange(6.0).reshape(2, 3), ("a", "b"))
    for dim in (None, ..., (), "a", "b"):
        assert_agrees_with_references(x, x, dim)


# Gradients


@quickly
@given(problems_with_cotangents())
def test_the_vjp_agrees_with_the_vjp_by_basis(problem):
    x, y, dim, cotangent = problem
    assert_gradient_agrees(x, y, cotangent, dim)


@quickly
@given(problems_with_cotangents(WITH_A_MATMUL))
def test_the_vjp_by_matmuls_agrees_with_the_vjp_by_basis(problem):
    x, y, dim, cotangent = problem
    with matmul_from(ALWAYS):
        assert_gradient_agrees(x, y, cotangent, dim)


@quickly
@given(problems_with_cotangents(("complex64",)) | problems_with_cotangents(("float32",)))
def test_vjp_and_jvp_are_adjoint(problem):
    x, y, dim, cotangent = problem
    x_dot, y_dot = like(x, 101), like(y, 102)
    x_bar, y_bar = dot_vjp(x, y, cotangent, dim)
    pushed = dot_jvp(x, y, x_dot, y_dot, dim)
    assert inner(cotangent, pushed) == inner(x_bar, x_dot) + inner(y_bar, y_dot)


@quickly
@given(problems(CONTINUOUS), st.randoms(use_true_random=False))
def test_the_jvp_is_the_difference_without_its_second_order_term(problem, random):
    x, y, dim = problem
    x_dot, y_dot = like(x, 101), like(y, 102)
    moved = dot(
        NamedTensor(x.data + x_dot.data, x.dims), NamedTensor(y.data + y_dot.data, y.dims), dim
    )
    difference = moved.data - dot(x, y, dim).data - dot(x_dot, y_dot, dim).data
    x_order, y_order = (random.sample(operand.dims, operand.ndim) for operand in (x, y))
    pushed = dot_jvp(x, y, x_dot.transpose(*x_order), y_dot.transpose(*y_order), dim)
    assert pushed == NamedTensor(difference, moved.dims)


@quickly
@given(problems_with_cotangents(("float64",)))
def test_second_derivatives_do_not_depend_on_their_order(problem):
    x, y, dim, cotangent = problem
    x_dot, y_dot = like(x, 101), like(y, 102)
    x_then_y = inner(dot_vjp(x, y_dot, cotangent, dim)[0], x_dot)
    y_then_x = inner(dot_vjp(x_dot, y, cotangent, dim)[1], y_dot)
    assert x_then_y == y_then_x == inner(cotangent, dot(x_dot, y_dot, dim))


@quickly
@given(problems_with_cotangents(("float64",)))
def test_the_gradient_of_the_gradient_agrees_with_a_basis(problem):
    x, y, dim, cotangent = problem
    weight = like(x, 101)
    # The gradient of <x_bar, weight> with respect to y; x_bar is the gradient of <dot, cotangent>.
    found = dot_vjp(weight, y, cotangent, dim)[1]
    expected = np.zeros(y.shape)
    for index in np.ndindex(y.shape):
        basis = np.zeros(y.shape)
        basis[index] = 1
        moved = NamedTensor(y.data + basis, y.dims)
        expected[index] = inner(dot_vjp(x, moved, cotangent, dim)[0], weight) - inner(
            dot_vjp(x, y, cotangent, dim)[0], weight
        )
    assert found == NamedTensor(expected, y.dims)


@pytest.mark.parametrize("dim", [None, ..., (), "a", "b"], ids=str)
def test_the_cotangents_of_one_variable_are_added(dim):
    x = NamedTensor(np.array([[2.0, 3.0, 5.0], [7.0, 11.0, 13.0]]), ("a", "b"))
    square = dot(x, x, dim)
    cotangent = like(square, 3)
    total = np.add(*(bar.data for bar in dot_vjp(x, x, cotangent, dim)))
    for index in np.ndindex(x.shape):
        basis = np.zeros(x.shape)
        basis[index] = 1
        step = NamedTensor(basis, x.dims)
        moved = dot(NamedTensor(x.data + basis, x.dims), NamedTensor(x.data + basis, x.dims), dim)
        first_order = moved.data - square.data - dot(step, step, dim).data
        assert total[index] == (cotangent.data * first_order).sum()


def test_no_conjugate_is_taken():
    x, y = NamedTensor([2 + 3j, 5 - 7j], "a"), NamedTensor([1 - 2j, 3 + 5j], "a")
    assert dot(x, y) == NamedTensor((2 + 3j) * (1 - 2j) + (5 - 7j) * (3 + 5j), ())
    x_bar, y_bar = dot_vjp(x, y, NamedTensor(2j, ()))
    assert x_bar == NamedTensor([4 + 2j, -10 + 6j], "a")
    assert y_bar == NamedTensor([-6 + 4j, 14 + 10j], "a")


def test_a_real_operand_beside_a_complex_one_gets_the_real_part():
    x, y = NamedTensor([2.0, 5.0], "a"), NamedTensor([1 - 2j, 3 + 5j], "a")
    x_bar, y_bar = dot_vjp(x, y, NamedTensor(2 + 1j, ()))
    assert x_bar == NamedTensor([4.0, 1.0], "a")
    assert y_bar == NamedTensor([4 + 2j, 10 + 5j], "a")


def test_the_cotangent_is_broadcast_over_a_dim_summed_alone():
    x, y = NamedTensor([[2.0, 3.0, 5.0]], ("a", "b")), NamedTensor([7.0, 11.0], "c")
    x_bar, y_bar = dot_vjp(x, y, NamedTensor([[1.0, 10.0]], ("a", "c")), dim="b")
    assert x_bar == NamedTensor([[117.0, 117.0, 117.0]], ("a", "b"))
    assert y_bar == NamedTensor([10.0, 100.0], "c")


@pytest.mark.parametrize("derivative", ["vjp", "jvp"])
@pytest.mark.parametrize("make_iterable", [iter, set, list, lambda names: (name for name in names)])
def test_gradients_accept_any_iterable_as_dim(derivative, make_iterable):
    x, y = tensor("a b", {"a": 2, "b": 3}, seed=1), tensor("b c", {"b": 3, "c": 5}, seed=2)
    given = {"vjp": (like(dot(x, y, ("a", "b")), 3),), "jvp": (like(x, 3), like(y, 4))}[derivative]
    take = {"vjp": dot_vjp, "jvp": dot_jvp}[derivative]
    assert take(x, y, *given, make_iterable("ab")) == take(x, y, *given, ("a", "b"))


# Errors


def sized(dtype="float64", **sizes):
    """Return a tensor with dims of these sizes."""
    return tensor(" ".join(sizes), sizes, dtype)


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

OTHER_DTYPES = {
    "object": np.array([2, 3], object),
    "<U1": np.array(["2", "3"]),
    "|S1": np.array([b"2", b"3"]),
    "datetime64[D]": np.array(["2020-02-03", "2021-05-07"], "datetime64[D]"),
    "timedelta64[s]": np.array([2, 3], "timedelta64[s]"),
    "[('n', '<i4')]": np.zeros(2, [("n", "<i4")]),
}

NOT_A_SHAPE = {
    "cotangent of another size": (
        lambda: dot_vjp(sized(a=2, b=3), sized(b=3), sized(a=5)),
        "the cotangent must have the shape of the output, (a: 2), but it is (a: 5)",
        ("the cotangent", {"a": 5}, {"a": 2}),
    ),
    "cotangent of another dim": (
        lambda: dot_vjp(sized(a=2, b=3), sized(b=3), sized(b=2)),
        "the cotangent must have the shape of the output, (a: 2), but it is (b: 2)",
        ("the cotangent", {"b": 2}, {"a": 2}),
    ),
    "cotangent that would broadcast": (
        lambda: dot_vjp(sized(a=2, b=3), sized(b=3), sized()),
        "the cotangent must have the shape of the output, (a: 2), but it is ()",
        ("the cotangent", {}, {"a": 2}),
    ),
    "cotangent of size one": (
        lambda: dot_vjp(sized(a=2), sized(b=3), sized(a=1, b=3)),
        "the cotangent must have the shape of the output, (a: 2, b: 3), but it is (a: 1, b: 3)",
        ("the cotangent", {"a": 1, "b": 3}, {"a": 2, "b": 3}),
    ),
    "tangent of x": (
        lambda: dot_jvp(sized(a=2, b=3), sized(b=3), sized(a=2, b=1), sized(b=3)),
        "the tangent of x must have the shape of x, (a: 2, b: 3), but it is (a: 2, b: 1)",
        ("the tangent of x", {"a": 2, "b": 1}, {"a": 2, "b": 3}),
    ),
    "tangent of y": (
        lambda: dot_jvp(sized(a=2, b=3), sized(b=3), sized(b=3, a=2), sized(c=3)),
        "the tangent of y must have the shape of y, (b: 3), but it is (c: 3)",
        ("the tangent of y", {"c": 3}, {"b": 3}),
    ),
}

OF_EACH_KIND = {
    "dot": dot,
    "vjp": lambda x, y, dim=None: dot_vjp(x, y, NamedTensor(1.0, ()), dim),
    "jvp": lambda x, y, dim=None: dot_jvp(x, y, x, y, dim),
}
each_kind = pytest.mark.parametrize("take", OF_EACH_KIND.values(), ids=OF_EACH_KIND)


@each_kind
@with_and_without_matmul
@pytest.mark.parametrize(
    ("x", "y", "dim", "sizes", "message", "note"), MISMATCHES.values(), ids=MISMATCHES
)
def test_a_shared_dim_has_one_size(x, y, dim, sizes, message, note, threshold, take):
    with matmul_from(threshold), pytest.raises(SizeMismatchError) as info:
        take(x, y, dim)
    assert str(info.value) == message
    assert info.value.__notes__ == [note]
    assert (info.value.sizes, info.value.dims) == (sizes, tuple(sizes))
    assert info.value.rule == "R4"


@pytest.mark.parametrize(("dtype", "array"), OTHER_DTYPES.items(), ids=OTHER_DTYPES)
@pytest.mark.parametrize("operand", ["x", "y"])
def test_dot_rejects_other_dtypes_than_numbers_and_bools(operand, dtype, array):
    other, plain = NamedTensor(array, "a"), NamedTensor([2.0, 3.0], "a")
    with pytest.raises(DTypeError) as info:
        dot(*((other, plain) if operand == "x" else (plain, other)))
    assert str(info.value) == f"dot needs numbers or bools, but the dtype of {operand} is {dtype}"
    assert (info.value.rule, info.value.operand, info.value.dtype) == ("R7", operand, array.dtype)


@pytest.mark.parametrize("operand", ["x", "y"])
@pytest.mark.parametrize("dtype", DISCRETE)
@pytest.mark.parametrize("kind", ["vjp", "jvp"])
def test_an_integer_or_bool_operand_has_no_gradient(operand, dtype, kind):
    discrete, plain = sized(dtype, a=2), sized(a=2)
    with pytest.raises(NoGradientError) as info:
        OF_EACH_KIND[kind](*((discrete, plain) if operand == "x" else (plain, discrete)))
    assert str(info.value) == f"{operand} has no gradient: its dtype {dtype} is not continuous"
    assert (info.value.rule, info.value.operand, info.value.dtype) == ("R8", operand, dtype)


@pytest.mark.parametrize(("take", "message", "fields"), NOT_A_SHAPE.values(), ids=NOT_A_SHAPE)
def test_a_cotangent_or_tangent_has_the_shape_of_its_primal(take, message, fields):
    with pytest.raises(CotangentError) as info:
        take()
    assert str(info.value) == message
    assert (info.value.name, info.value.sizes, info.value.expected) == fields
    assert info.value.rule == "R8"


@pytest.mark.parametrize("number", [0, 1])
def test_dot_rejects_other_types_than_named_tensors(number):
    operands = [NamedTensor([1.0, 2.0], "a")] * 2
    operands[number] = np.array([1.0, 2.0])
    with pytest.raises(TypeError, match=r"^dot takes two NamedTensors, got ndarray$"):
        dot(*operands)


@each_kind
def test_dim_is_checked_before_the_sizes(take):
    x, y = sized(time=2, embd=3), sized(embd=5)
    with pytest.raises(DimTypeError) as wrong_type:
        take(x, y, 5)
    assert str(wrong_type.value) == "dim must be None, ..., a str or an iterable of str, got 5"
    with pytest.raises(DimNotFoundError) as not_found:
        take(x, y, "tiem")
    assert str(not_found.value) == (
        "Dimension tiem not found in either input; the dims are time, embd; did you mean time?"
    )


# Planted faults are detected

SQUARE = {"n": 2, "a": 3, "b": 3, "c": 3, "s": 2}


def check_values():
    """Test values with a few problems whose equal sizes can hide a fault."""
    assert_agrees_with_references(NamedTensor([[2, 3], [5, 7]], ("a", "b")), NamedTensor(1, ()))
    for x_dims, y_dims, dim in [
        ("a b", "b c", None),
        ("b a", "c b", None),
        ("a b", "b a", "b"),
        ("n a b", "b n c", "b"),
        ("a b", "b a", None),
        ("s a", "a c", ("s", "a")),
        ("a b", "", ()),
    ]:
        for dtype in ("bool", "int8", "float64", "complex128"):
            x, y = tensor(x_dims, SQUARE, dtype, 1, wide=True), tensor(y_dims, SQUARE, dtype, 2)
            for threshold in (ALWAYS, NEVER):
                with matmul_from(threshold):
                    assert_agrees_with_references(x, y, dim)


def check_gradients():
    """Test gradients with a few such problems."""
    for x_dims, y_dims, dim in [("b a", "c b", None), ("s b a", "b n c", ("a", "s", "n"))]:
        for x_dtype, y_dtype in [("float64", "float64"), ("float32", "complex64")]:
            x, y = tensor(x_dims, SQUARE, x_dtype, 1), tensor(y_dims, SQUARE, y_dtype, 2)
            assert_gradient_agrees(x, y, like(dot_by_definition(x, y, dim), 3), dim)


def check_sizes():
    """Test that size 1 does not broadcast."""
    for name in ("contracted, size 1 vs n", "batch, size n vs 1"):
        x, y, dim, *_ = MISMATCHES[name]
        try:
            answer = evaluation.dot(x, y, dim)
        except SizeMismatchError:
            continue
        raise AssertionError(f"R4: a dim with two sizes was accepted, with the result {answer}")


def check_not_finite():
    """Test that NaN and infinity propagate in the same way."""
    x, y, dim, values = NOT_FINITE["2 - 1 summed alone, times inf"]
    x, y = NamedTensor(np.array(x, float), ("row", "alone", "k")), NamedTensor(y, ("k", "column"))
    assert_not_finite_agrees(x, y, dim, values, ALWAYS)


FAULTS = {}


def planted(name, check):
    """Register a fault in the function `refdot.evaluation.name`, and the test that must detect it.

    The fault replaces the function, and gets it as its first argument.
    """

    def register(fault):
        FAULTS[fault.__name__.replace("_", " ")] = name, fault, check
        return fault

    return register


@planted("lower", check_values)
def the_dims_of_the_output_in_another_order(lower, *names):
    right = lower(*names)
    return replace(right, out_dims=right.out_dims[::-1])


@planted("evaluate", check_values)
def the_axes_of_the_output_in_another_order(evaluate, lowering, x, y):
    return evaluate(lowering, x, y).T


@planted("lower", check_values)
def a_contracted_dim_ignored(lower, x_dims, y_dims, dim):
    right = lower(x_dims, y_dims, dim)
    return lower(x_dims, y_dims, frozenset(right.contracted[:-1] + right.x_summed))


@planted("lower", check_values)
def a_batch_dim_contracted(lower, x_dims, y_dims, dim):
    return lower(x_dims, y_dims, None)


@planted("lower", check_values)
def the_last_two_symbols_of_y_swapped(lower, *names):
    right = lower(*names)
    operands, out = right.subscripts.split("->")
    exchanged = f"{operands[:-2]}{operands[:-3:-1]}->{out}"
    return replace(right, subscripts=exchanged) if len(right.y_dims) > 1 else right


@planted("evaluate", check_values)
def y_transposed(evaluate, lowering, x, y):
    return evaluate(lowering, x, y.T if y.shape == y.T.shape else y)


@planted("evaluate", check_values)
def int8_upcast(evaluate, lowering, x, y):
    return evaluate(lowering, x.astype("int64") if x.dtype == "int8" else x, y)


@planted("evaluate", check_values)
def int8_that_saturates(evaluate, lowering, x, y):
    if x.dtype != "int8":
        return evaluate(lowering, x, y)
    return evaluate(lowering, x.astype("int64"), y).clip(-128, 127).astype("int8")


@planted("evaluate", check_values)
def bools_counted_modulo_two(evaluate, lowering, x, y):
    if x.dtype != bool:
        return evaluate(lowering, x, y)
    return evaluate(lowering, x.astype("int8"), y.astype("int8")) % 2 == 1


@planted("evaluate", check_values)
def a_conjugate_taken(evaluate, lowering, x, y):
    return evaluate(lowering, x, y.conj() if y.dtype.kind == "c" else y)


@planted("evaluate", check_values)
def an_operand_written_to(evaluate, lowering, x, y):
    answer = evaluate(lowering, x.copy(), y)
    x.fill(0)
    return answer


@planted("evaluate", check_values)
def an_operand_returned(evaluate, lowering, x, y):
    return x if not y.ndim and y == 1 else evaluate(lowering, x, y)


@planted("evaluate", check_values)
def the_output_read_only(evaluate, lowering, x, y):
    answer = evaluate(lowering, x, y)
    answer.flags.writeable = False
    return answer


@planted("sum_over", check_values)
def dims_summed_alone_ignored_by_the_matmul(sum_over, operand, dims, summed):
    first = tuple(0 if name in summed else slice(None) for name in dims)
    return operand[first], tuple(name for name in dims if name not in summed)


@planted("lower", check_sizes)
def sizes_unchecked_so_that_one_broadcasts(lower, *names):
    return replace(lower(*names), shared_axes=())


@planted("evaluate", check_not_finite)
def dims_summed_alone_before_the_product(evaluate, lowering, x, y):
    x, x_dims = evaluation.sum_over(x, lowering.x_dims, lowering.x_summed)
    y, y_dims = evaluation.sum_over(y, lowering.y_dims, lowering.y_summed)
    return evaluate(lower_dot(x_dims, y_dims, lowering.contracted), x, y)


@planted("pull_back", check_gradients)
def a_cotangent_transposed(pull_back, cotangent, other, operand):
    right = pull_back(cotangent, other, operand)
    return right if right.shape != right.shape[::-1] else NamedTensor(right.data.T, right.dims)


@planted("pull_back", check_gradients)
def a_cotangent_of_the_wrong_sign(pull_back, cotangent, other, operand):
    right = pull_back(cotangent, other, operand)
    return NamedTensor(-right.data, right.dims)


@planted("pull_back", check_gradients)
def a_cotangent_divided_among_dims_summed_alone(pull_back, cotangent, other, operand):
    right = pull_back(cotangent, other, operand)
    alone = [size for name, size in operand.sizes.items() if name not in other.dims][:1]
    return NamedTensor(right.data / right.dtype.type(*alone or [1]), right.dims)


@planted("pull_back", check_gradients)
def a_cotangent_of_the_conjugate(pull_back, cotangent, other, operand):
    return pull_back(cotangent, NamedTensor(other.data.conj(), other.dims), operand)


@planted("pull_back", check_gradients)
def a_cotangent_in_the_dtype_of_the_output(pull_back, cotangent, other, operand):
    right = pull_back(cotangent, other, operand)
    return NamedTensor(right.data.astype(cotangent.dtype), right.dims)


@pytest.mark.parametrize(("name", "fault", "check"), FAULTS.values(), ids=FAULTS)
def test_a_planted_fault_is_detected(name, fault, check, monkeypatch):
    check()
    monkeypatch.setattr(evaluation, name, partial(fault, getattr(evaluation, name)))
    with pytest.raises(AssertionError):
        check()
