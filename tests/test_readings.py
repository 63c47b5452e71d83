"""Every reading of a lowering is right, also for special values, and needs little memory."""

import tracemalloc
from fractions import Fraction
from itertools import product

import numpy as np
import pytest
from dots import (
    ALL_FEW,
    ALL_MANY,
    DISCRETE,
    few_up_to,
    numbers,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from refdot import readings
from refdot.evaluation import dot, dot_jvp, dot_vjp
from refdot.judging.references import dot_by_definition
from refdot.tensor import NamedTensor

inf, nan = np.inf, np.nan
briefly = settings(max_examples=25)
REAL = ("float16", "float32", "float64", "longdouble")
COMPLEX = ("complex64", "complex128", "clongdouble")


# Special values


def specials(dtype):
    """Return numbers at the limits of a dtype, and ordinary ones."""
    if dtype.kind == "b":
        return [False, True]
    if dtype.kind in "iu":
        return [0, 1, 2, np.iinfo(dtype).min, np.iinfo(dtype).max]
    info = np.finfo(dtype)
    real = [0.0, -0.0, 1.0, -1.0, 2.0, inf, -inf, nan]
    if dtype.kind == "c":
        return [complex(*pair) for pair in product(real, (0.0, 1.0, inf))]
    return [*real, info.max, -info.max, info.max / 2, 1 / 4, info.smallest_subnormal]


@st.composite
def special_problems(draw, x_dtypes, y_dtypes):
    """Draw x, y and `dim` with special values; an operand may repeat itself along its first dim."""
    sizes = dict(zip("abcd", draw(st.permutations([1, 2, 3, 2])), strict=True))

    def operand(dtypes):
        dims = draw(st.lists(st.sampled_from("abcd"), unique=True, max_size=3))
        dtype, shape = np.dtype(draw(st.sampled_from(dtypes))), [sizes[name] for name in dims]
        ordinary = draw(st.booleans())
        values = specials(dtype)[: 5 if ordinary else None]
        drawn = draw(st.lists(st.sampled_from(values), min_size=18, max_size=18))
        array = np.array(drawn, dtype)[: np.prod(shape, dtype=int)].reshape(shape)
        if dims and draw(st.booleans()):
            array = np.broadcast_to(array[:1], shape)
        return NamedTensor(array, dims)

    x, y = operand(x_dtypes), operand(y_dtypes)
    return x, y, draw(st.sets(st.sampled_from("abcd")).map({*x.dims, *y.dims}.intersection))


def terms(x, y, dim):
    """Return the pairs of factors of the products of each element."""
    sizes = x.sizes | y.sizes
    kept = [name for name in sizes if name not in dim]
    summed = [name for name in sizes if name in dim]

    def records(names):
        return product(*(range(sizes[name]) for name in names))

    def value(operand, record):
        return operand.data[tuple(record[name] for name in operand.dims)]

    for place in records(kept):
        every = [dict(zip(kept + summed, place + at, strict=True)) for at in records(summed)]
        yield place, [(value(x, record), value(y, record)) for record in every]


def exact(number):
    return Fraction(*number.as_integer_ratio())


def assert_right(answer, factors, dtype):
    """Assert that a real number is the sum of products by IEEE 754, in some order of summation."""
    info = np.finfo(dtype)
    pairs = [(dtype.type(one), dtype.type(other)) for one, other in factors]
    with np.errstate(all="ignore"):
        # The sign of a finite factor is enough, since the other one is not finite.
        infinite = [
            float(one * np.sign(other)) if np.isinf(one) else float(np.sign(one) * other)
            for one, other in pairs
            if not (np.isfinite(one) and np.isfinite(other))
        ]
    finite = [exact(one) * exact(other) for one, other in pairs if np.isfinite([one, other]).all()]
    magnitude = sum(map(abs, finite))
    may_overflow = magnitude >= exact(info.max) / 2
    if infinite and not (may_overflow and np.isnan(answer)):
        assert np.array_equal(float(answer), sum(infinite), equal_nan=True)
    elif np.isfinite(answer):
        rounded = magnitude * exact(info.eps) + exact(info.smallest_subnormal)
        assert abs(exact(answer) - sum(finite)) <= 2 * len(finite) * rounded
    else:
        assert may_overflow


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("limit", [ALL_FEW, ALL_MANY])
@pytest.mark.parametrize("dtype", REAL)
def test_special_real_numbers_agree_with_ieee_754(dtype, limit):
    @briefly
    @given(special_problems([dtype], [dtype, "int8"]))
    def agrees(problem):
        x, y, dim = problem
        answer = dot(x, y, dim)
        for place, factors in terms(x, y, dim):
            assert_right(answer.data[place], factors, answer.dtype)

    with few_up_to(limit), np.errstate(all="raise"):
        agrees()


@pytest.mark.parametrize("limit", [ALL_FEW, ALL_MANY])
@pytest.mark.parametrize("dtype", COMPLEX)
def test_special_complex_numbers_agree_with_the_definition(dtype, limit):
    @briefly
    @given(special_problems([dtype], [dtype, "float32"]))
    def agrees(problem):
        answer, expected = dot(*problem), dot_by_definition(*problem)
        finite = np.isfinite(expected.data)
        assert np.array_equal(np.isfinite(answer.data), finite)
        assert np.array_equal(answer.data[finite], expected.data[finite])
        for part, right in (
            (answer.data.real, expected.data.real),
            (answer.data.imag, expected.data.imag),
        ):
            assert np.array_equal(part, right, equal_nan=True)

    with few_up_to(limit):
        agrees()


@pytest.mark.parametrize("limit", [ALL_FEW, ALL_MANY])
def test_integers_and_bools_at_their_limits_agree_with_the_definition(limit):
    @briefly
    @given(special_problems(DISCRETE, DISCRETE))
    def agrees(problem):
        x, y, dim = problem
        if np.result_type(x.data, y.data).kind in "biu":  # uint64 and int64 give float64
            assert dot(x, y, dim) == dot_by_definition(x, y, dim)

    with few_up_to(limit):
        agrees()


# The multiplications, on matrices of every layout

LAYOUTS = {
    "C": np.ascontiguousarray,
    "Fortran": np.asfortranarray,
    "reversed": lambda array: array[::-1, ::-1].copy()[::-1, ::-1],
    "strided": lambda array: np.repeat(array, 3, axis=-1)[..., ::3],
    "batch innermost": lambda array: np.moveaxis(np.moveaxis(array, 0, -1).copy(), -1, 0),
}
SHAPES = [
    (2, 3, 5),
    (1, 3, 5),
    (2, 3, 1),
    (1, 7, 1),
    (11, 2, 3),
    (2, 11, 3),
    (2, 3, 11),
    (9, 2, 9),
    (21, 19, 23),
]


# For each multiplication, its dtypes, and the shapes of the batches that it takes.
MULTIPLICATIONS = {
    readings.by_bools: (["bool"], [(), (2,), (2, 3)]),
    readings.by_integers: (["int8", "uint64"], [()]),
    readings.by_integer_batches: (["int8", "uint64"], [(2,), (150,), (2, 3)]),
    readings.by_batches: (["float64", "complex64", "longdouble"], [(2,), (150,), (2, 3)]),
    readings.by_einsum: (["complex64"], [(), (2,), (2, 3)]),
}


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
@pytest.mark.parametrize("multiply", MULTIPLICATIONS)
def test_every_multiplication_gives_the_matrix_product(multiply, layout):
    for dtype, batch, (rows, terms, columns) in product(*MULTIPLICATIONS[multiply], SHAPES):
        x = layout(numbers(1, (*batch, rows, terms), dtype, wide=True))
        y = layout(numbers(2, (*batch, terms, columns), dtype, wide=True))
        products = x[..., None] * y[..., None, :, :]
        assert np.array_equal(multiply(x, y), products.sum(-2, dtype=dtype))


@pytest.mark.parametrize("share", [0.0, 0.02, 0.5, 1.0])
def test_bools_are_any_of_alls_however_many_are_true(share):
    random = np.random.default_rng(3)
    x, y = random.random((2, 50, 50)) < share
    assert np.array_equal(readings.by_bools(x, y), x.astype(int) @ y.astype(int) > 0)


@pytest.mark.parametrize("dtype", ["bool", "int8", "float16", "float32", "complex64"])
@pytest.mark.parametrize("shape", [(2, 300, 3), (2, 3, 300), (300, 2, 3), (1, 1, 1)])
def test_sums_are_right_for_long_and_short_innermost_loops(dtype, shape):
    dims = ("a", "b", "c")
    for order in ((0, 1, 2), (2, 1, 0)):
        array = numbers(1, shape, dtype).transpose(order).copy().transpose(order)
        x, y = NamedTensor(array, dims), NamedTensor(numbers(2, (5,), dtype), "y")
        for dim in ("a", "b", "c", ("a", "c"), dims):
            with few_up_to(ALL_MANY):
                assert dot(x, y, dim) == dot_by_definition(x, y, dim)


@pytest.mark.parametrize("dtype", ["float64", "int64", "bool", "complex128"])
@pytest.mark.parametrize("ndim", [52, 60, 61, 62, 63, 64])
@pytest.mark.parametrize("limit", [ALL_FEW, ALL_MANY])
def test_both_operands_have_as_many_dims_as_an_array_can_have(dtype, ndim, limit):
    dims = [f"dim {number}" for number in range(ndim)]
    x, y = (
        NamedTensor(numbers(seed, (2, 3), dtype).reshape(2, 3, *[1] * (ndim - 2)), dims)
        for seed in (1, 2)
    )
    with few_up_to(limit):
        for dim in ((), dims[1], dims[2], dims[2:], ...):
            assert dot(x, y, dim) == dot_by_definition(x, y, dim)


def test_a_dim_of_53_is_summed_alone():
    x = NamedTensor(numbers(1, (2, 3, *[1] * 51), "int8"), [f"dim {i}" for i in range(53)])
    y = NamedTensor(np.arange(5, dtype="int8"), "y")
    with few_up_to(ALL_MANY):
        assert dot(x, y, x.dims[1:]) == dot_by_definition(x, y, x.dims[1:])


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "longdouble", "int16"])
@pytest.mark.parametrize("y_dims", ["b", "bd", "db"])
def test_contracted_dims_between_free_ones_are_summed_without_a_copy(dtype, y_dims):
    x = NamedTensor(numbers(1, (30, 40, 50, 2), dtype), tuple("abcd"))
    y = NamedTensor(numbers(2, [{"b": 40, "d": 2}[dim] for dim in y_dims], dtype), tuple(y_dims))
    answer = dot(x, y)
    assert answer == dot_by_definition(x, y)
    assert dot(y, x).transpose(*answer.dims) == answer


def test_contracted_dims_between_free_ones_are_multiplied_first_if_an_operand_repeats_itself():
    x = NamedTensor(np.full((9, 30, 8), 1e308), tuple("abc"))
    y = NamedTensor(np.broadcast_to(2.0**-10, 30), "b")
    assert np.allclose(dot(x, y).data, 30 * (1e308 / 2**10))
    assert np.allclose(dot(y, x).data, 30 * (1e308 / 2**10))


# Memory

LONG = 100_000


def long(values, dtype="float64"):
    """Return an array of `LONG` numbers, which starts with the given ones and goes on with one."""
    array = np.full(LONG, values[-1], dtype)
    array[: len(values)] = values
    return array


# x with the dim a, y with the dim b, and an element of their dot over a.
ALONE = {
    "a sum overflows float16": (long([1], "float16"), long([2.0**-10], "float16"), LONG / 2**10),
    "a sum overflows float64": (long([1e304]), long([1e-10]), 1e299),
    "overflows that cancel": (long([1e308, 1e308, -1e308, -1e308, 0]), long([1.0]), 0.0),
    "infinity in y": (long([2, -1, 0]), long([inf, 1]), nan),
    "infinity in y, of one sign": (long([2, 1]), long([inf, 1]), inf),
    "infinity in x": (long([inf, 1]), long([-1]), -inf),
    "infinities of both signs in x": (long([inf, -inf, 1]), long([1]), nan),
    "NaN in x": (long([nan, 1]), long([0]), nan),
    "infinity in x, times 0": (long([inf, 1]), long([0]), nan),
    "complex infinity": (long([complex(0, inf), 1], complex), long([1j], complex), nan),
}


def peak_of(function, *arguments):
    """Return the result of a function, and the most memory that was allocated during the call."""
    tracemalloc.start()
    try:
        return function(*arguments), tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(("x", "y", "value"), ALONE.values(), ids=ALONE)
def test_a_dim_summed_alone_takes_no_more_memory_than_the_operands(x, y, value):
    x, y = NamedTensor(x, "a"), NamedTensor(y, "b")
    answer, peak = peak_of(dot, x, y, "a")
    assert peak < 20 * (x.data.nbytes + y.data.nbytes)
    assert np.allclose(answer.data[0], value, rtol=1e-3, atol=0, equal_nan=True)
    swapped, peak = peak_of(dot, y, x, "a")
    assert swapped == answer
    assert peak < 20 * (x.data.nbytes + y.data.nbytes)


def test_gradients_take_no_more_memory_than_the_operands():
    x, y = NamedTensor(long([inf, 1.0]), "a"), NamedTensor(long([2.0]), "b")
    (x_bar, y_bar), peak = peak_of(dot_vjp, x, y, y, "a")
    assert peak < 40 * x.data.nbytes
    assert x_bar == NamedTensor(np.full(LONG, 4.0 * LONG), "a")
    assert y_bar == NamedTensor(np.full(LONG, inf), "b")
    pushed, peak = peak_of(dot_jvp, x, y, x, y, "a")
    assert peak < 40 * x.data.nbytes
    assert pushed == NamedTensor(np.full(LONG, inf), "b")


def test_27_shared_dims_are_no_more_than_27():
    dims = [f"dim {number}" for number in range(27)]
    x = NamedTensor(np.ones([2] * 27, "int8"), dims)
    assert dot(x, x) == NamedTensor(np.int8(0), ())  # 2²⁷ modulo 2⁸
    kept = dot(x, x, dims[1:])
    assert kept == NamedTensor(np.zeros(2, "int8"), dims[0])
