"""The bound on rounding: it holds for every order of summation, and it is tight."""

from dataclasses import replace
from fractions import Fraction
from itertools import product
from math import sqrt

import numpy as np
import pytest
import tightness

import refdot as rd
from refdot.judging.references import dot_by_records
from refdot.judging.rounding import (
    CorrectAnswers,
    correct_answers,
    correct_pull_back,
    gamma,
    unit_roundoff,
)
from refdot.tensor import NamedTensor

DTYPES = ["float16", "float32", "float64"]
pytestmark = pytest.mark.filterwarnings("ignore:(overflow|invalid value):RuntimeWarning")


def vectors(*operands, dtype=None) -> list[NamedTensor]:
    """Give operands of one dim."""
    return [NamedTensor(np.asarray(values, dtype), "k") for values in operands]


def magnitudes(tensor: NamedTensor) -> NamedTensor:
    """Return |x|."""
    return NamedTensor(np.abs(tensor.data), tensor.dims)


def correct_gradients(x, y, cotangent) -> tuple[CorrectAnswers, CorrectAnswers]:
    """Return the correct cotangents of x and of y."""
    return correct_pull_back(cotangent, y, x), correct_pull_back(cotangent, x, y)


def is_wrong(answer, x, y, dim=None, dtype=None, unit=0.0) -> bool:
    """Tell whether any element of an answer is refused."""
    dtype = dtype or np.result_type(x.data, y.data)
    return bool(correct_answers(x, y, dim).wrong(np.asarray(answer, dtype), unit).any())


# Orders of summation. Each gives the sum of x·y with one rounding for each operation.


def sequential(x, y):
    total = x.dtype.type(0)
    for a, b in zip(x, y, strict=True):
        total = total + a * b
    return total


def reversed_(x, y):
    return sequential(x[::-1], y[::-1])


def pairwise(x, y):
    if len(x) == 1:
        return x[0] * y[0]
    half = len(x) // 2
    return pairwise(x[:half], y[:half]) + pairwise(x[half:], y[half:])


def blocked(x, y):
    blocks = [sequential(x[at : at + 8], y[at : at + 8]) for at in range(0, len(x), 8)]
    return sequential(np.array(blocks), np.ones(len(blocks), x.dtype))


def interleaved(x, y):
    return sum((sequential(x[at::4], y[at::4]) for at in range(1, 4)), sequential(x[::4], y[::4]))


def positive_first(x, y):
    order = np.argsort(x * y)[::-1]
    return sequential(x[order], y[order])


def smallest_first(x, y):
    order = np.argsort(np.abs(x * y))
    return sequential(x[order], y[order])


def fused(x, y):
    """Multiply and add with one rounding, which for float64 a Fraction does exactly."""
    if x.dtype != "float64":
        return x.dtype.type(fused(x.astype("float64"), y.astype("float64")))
    total = 0.0
    for a, b in zip(x.tolist(), y.tolist(), strict=True):
        total = float(Fraction(total) + Fraction(a) * Fraction(b))
    return np.float64(total)


ORDERS = [
    sequential,
    reversed_,
    pairwise,
    blocked,
    interleaved,
    positive_first,
    smallest_first,
    fused,
    np.matmul,
    np.inner,
    lambda x, y: np.einsum("k,k->", x, y),
    lambda x, y: np.multiply(x, y).sum(),
]


def adversaries(dtype: str) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Give operands whose dot is hard to compute."""
    random, length = np.random.RandomState(5), 61
    reach = 3 if dtype == "float16" else 20
    fractions, others = (1 + random.random_sample(length) for _ in range(2))
    signs = random.choice([-1.0, 1.0], length)
    wide = np.ldexp(fractions, random.randint(-reach, reach, length))
    cancelling = np.concatenate([wide, -wide[::-1] * (1 + 2 * np.finfo(dtype).eps), [0.125]])
    tiny = np.finfo(dtype).smallest_normal
    data = {
        "of one sign": (fractions, others),
        "of both signs": (fractions * signs, others),
        "of many magnitudes": (wide * signs, others),
        "ascending": (np.sort(wide), others),
        "descending": (np.sort(wide)[::-1], others),
        "cancelling": (cancelling, np.concatenate([others, others[::-1], [1.0]])),
        "large, then small": (np.concatenate([[2048.0], fractions]), np.ones(length + 1)),
        "underflowing": (fractions * np.sqrt(tiny), others * np.sqrt(tiny) * signs / 64),
        "subnormal": (fractions * tiny / 32 * signs, others),
    }
    return {name: (x.astype(dtype), y.astype(dtype)) for name, (x, y) in data.items()}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("data", adversaries("float64"))
def test_every_order_of_summation_is_within_the_bound(data, dtype):
    x_values, y_values = adversaries(dtype)[data]
    x, y = vectors(x_values, y_values)
    exact = dot_by_records(x, y)[()]
    magnitude = dot_by_records(*vectors(abs(x_values), abs(y_values)))[()]
    limits = np.finfo(dtype)
    # Higham's bound with nothing of refdot in it, and one subnormal for each product.
    bound = Fraction(gamma(len(x_values), float(limits.eps) / 2)) * magnitude
    bound += len(x_values) * Fraction(float(limits.smallest_subnormal))
    answers = [order(x_values, y_values) for order in ORDERS]
    for answer in answers:
        assert answer.dtype == dtype
        assert abs(Fraction(float(answer)) - exact) <= bound
        assert not is_wrong(answer, x, y)
    # No order gives what lies beyond; refdot's own reference costs it next to nothing.
    for sign in (-1, 1):
        beyond = float(exact + sign * bound * Fraction(102, 100))
        beyond += sign * 2 * float(limits.smallest_subnormal)
        assert is_wrong(beyond, x, y, dtype="longdouble")


@pytest.mark.parametrize("dtype", DTYPES)
def test_every_order_gives_other_bits_so_a_bound_of_0_would_be_wrong(dtype):
    x, y = adversaries(dtype)["of many magnitudes"]
    assert len({float(order(x, y)) for order in ORDERS}) > 2


@pytest.mark.parametrize("dtype", DTYPES)
def test_dims_summed_one_after_the_other_are_within_the_bound(dtype):
    random = np.random.RandomState(3)
    x = NamedTensor(random.standard_normal((5, 7, 4)).astype(dtype), ("a", "b", "c"))
    y = NamedTensor(random.standard_normal((4, 7, 6)).astype(dtype), ("c", "b", "d"))
    by_dim = [
        np.einsum("abc,cbd->abd", x.data, y.data).sum(axis=1, dtype=dtype),
        np.einsum("abc,cbd->acd", x.data, y.data).sum(axis=1, dtype=dtype),
        np.tensordot(x.data, y.data, [[1, 2], [1, 0]]),
    ]
    for answer in by_dim:
        assert not is_wrong(answer, x, y)
    alone_first = np.einsum("bc,cbd->d", x.data.sum(axis=0, dtype=dtype), y.data)
    alone_last = np.einsum("abc,cbd->ad", x.data, y.data).sum(axis=0, dtype=dtype)
    for answer in (alone_first, alone_last):
        assert not is_wrong(answer, x, y, ("a", "b", "c"))


# The bound is tight


@pytest.mark.parametrize("dtype", DTYPES)
def test_one_product_may_be_off_by_half_a_last_place(dtype):
    unit = float(np.finfo(dtype).eps) / 2
    x, y = vectors([1.5 + 2 * unit], [1.5 - 2 * unit], dtype=dtype)
    product_ = x.data * y.data
    assert not is_wrong(product_, x, y)
    for places in (-2, -1, 1, 2):
        assert is_wrong(product_ + places * np.spacing(product_), x, y), places


@pytest.mark.parametrize("dtype", tightness.DTYPES)
@pytest.mark.parametrize("products", tightness.PRODUCTS)
def test_the_worst_errors_that_are_seen_are_within_the_bound_and_near_it(dtype, products):
    worst = tightness.worst_ratio(dtype, products, cases=20_000)
    assert worst <= 1
    if products <= (1 if dtype.startswith("complex") else 3):
        assert worst > 0.5


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("sign", [-1, 1])
def test_a_relative_error_of_4_units_is_wrong_for_one_product(dtype, sign):
    unit = float(np.finfo(dtype).eps) / 2
    x, y = vectors([1.1], [1.3], dtype=dtype)
    answer = float(x.data[0]) * float(y.data[0]) * (1 + 4 * sign * unit)
    assert is_wrong(answer, x, y, dtype=dtype)


@pytest.mark.parametrize("dtype", [*DTYPES, "complex64", "complex128"])
def test_integers_that_cannot_round_must_be_exact_to_the_bit(dtype):
    x, y = vectors([3, -5, 7, 2], [4, 6, -1, 5], dtype=dtype)
    exact = np.array(-15, dtype)
    assert not is_wrong(exact, x, y)
    for answer in (np.nextafter(exact.real, 0), np.nextafter(exact.real, -99)):
        assert is_wrong(answer, x, y)
        assert correct_answers(x, y).wrong(np.asarray(answer).astype(dtype)).all()


@pytest.mark.parametrize("dtype", DTYPES)
def test_integers_that_may_round_need_not(dtype):
    largest = 2.0 ** (np.finfo(dtype).nmant + 1)
    x, y = vectors([largest - 1, 1], [1, 1], dtype=dtype)
    assert not is_wrong(largest, x, y)
    assert is_wrong(largest - 1, x, y)
    x, y = vectors([largest, 1], [1, 1], dtype=dtype)
    assert not is_wrong(largest, x, y)
    assert not is_wrong(largest + 2, x, y)


DISCRETE = {
    "int8": ([100, 100], [100, 1], 116),
    "uint8": ([200, 7], [2, 1], 151),
    "int64": ([2**62, 1], [2, 1], -(2**63) + 1),
    "uint64": ([2**63, 1], [2, 1], 1),
    "bool": ([True, True], [True, True], True),
}


@pytest.mark.parametrize("dtype", DISCRETE)
def test_integers_and_bools_are_exact(dtype):
    x, y, expected = DISCRETE[dtype]
    x, y = vectors(x, y, dtype=dtype)
    assert not is_wrong(expected, x, y)
    off = not expected if dtype == "bool" else expected + 1
    assert is_wrong(off, x, y)


def test_more_products_than_the_theory_covers_are_not_judged():
    x, y = vectors(np.full(3000, 0.3), np.full(3000, 0.7), dtype="float16")
    assert gamma(3000, unit_roundoff(x.dtype)) == np.inf
    assert not is_wrong(0.0, x, y)
    assert is_wrong(np.nan, x, y)


def test_an_empty_sum_is_exactly_0():
    x, y = vectors([], [], dtype="float64")
    assert not is_wrong(0.0, x, y)
    assert not is_wrong(-0.0, x, y)
    for answer in (5e-324, np.nan, np.inf):
        assert is_wrong(answer, x, y)
    nothing, scale = NamedTensor(np.zeros((0, 2)), ("k", "a")), NamedTensor(np.inf, ())
    assert not is_wrong([0, 0], nothing, scale, "k")
    assert is_wrong([0, np.nan], nothing, scale, "k")


# Mixed and reduced precision


@pytest.mark.parametrize(("x_dtype", "y_dtype"), list(product([*DTYPES, "int8", "int64"], DTYPES)))
def test_operands_of_two_dtypes_are_held_to_the_answers(x_dtype, y_dtype):
    random = np.random.RandomState(11)
    scale = 2.0**53 if x_dtype == "int64" and y_dtype != "float16" else 7.0
    x = NamedTensor((random.standard_normal(40) * scale).astype(x_dtype), "k")
    y = NamedTensor(random.standard_normal(40).astype(y_dtype), "k")
    dtype = np.result_type(x.data, y.data)
    x_cast, y_cast = x.data.astype(dtype), y.data.astype(dtype)
    for order in ORDERS:
        assert not is_wrong(order(x_cast, y_cast), x, y)
    bound = (
        60 * unit_roundoff(dtype) * (np.abs(x.data.astype(float)) @ np.abs(y.data.astype(float)))
    )
    assert is_wrong(np.longdouble(float(sequential(x_cast, y_cast))) + bound, x, y, dtype=dtype)


def test_a_64_bit_integer_may_be_rounded_on_its_way():
    x, y = NamedTensor(np.array([2**53 + 1]), "k"), NamedTensor(np.array([1.0 + 2.0**-40]), "k")
    for rounded, accepted in ((2**53, True), (2**53 + 2, True), (2**53 + 8, False)):
        assert is_wrong(np.float64(rounded) * y.data, x, y) != accepted


@pytest.mark.parametrize(("answer", "found"), [("float16", "float32"), ("float32", "float64")])
def test_an_answer_of_less_precision_than_it_should_have_is_held_to_its_own(answer, found):
    x, y = vectors(*adversaries(found)["of one sign"])
    given = sequential(x.data.astype(answer), y.data.astype(answer))
    correct = correct_answers(x, y)
    rounded = np.asarray(correct.reference.astype(answer))
    assert not correct.wrong(rounded).any()
    assert correct.wrong(rounded * given.dtype.type(1.1)).all()


def test_a_backend_of_reduced_precision_is_held_to_its_unit():
    x, y = vectors(*adversaries("float32")["of both signs"])

    def truncated(values):
        """Keep 8 bits, as bfloat16 does."""
        bits = np.asarray(values, "float32").view("uint32") + np.uint32(0x8000)
        return (bits & np.uint32(0xFFFF0000)).view("float32")

    answer = truncated(0)
    for a, b in zip(truncated(x.data), truncated(y.data), strict=True):
        answer = truncated(answer + truncated(a * b))
    assert is_wrong(answer, x, y)
    # Three roundings to 2⁻⁸ for each product: both operands and the product itself.
    assert not is_wrong(answer, x, y, unit=3 * 2.0**-8)
    assert is_wrong(answer + 60, x, y, unit=2.0**-9)


# Complex numbers


def exact_complex(x, y) -> tuple[Fraction, Fraction]:
    """Give the two components of a dot in exact arithmetic."""
    a, b, c, d = ([Fraction(float(v)) for v in part] for part in (x.real, x.imag, y.real, y.imag))
    return (
        sum((i * j for i, j in zip(a, c, strict=True)), Fraction(0))
        - sum((i * j for i, j in zip(b, d, strict=True)), Fraction(0)),
        sum((i * j for i, j in zip(a, d, strict=True)), Fraction(0))
        + sum((i * j for i, j in zip(b, c, strict=True)), Fraction(0)),
    )


def component_by_component(x, y):
    """Sum real and imaginary products apart, as BLAS may."""
    real = sequential(x.real, y.real) - reversed_(x.imag, y.imag)
    return x.dtype.type(complex(real, pairwise(x.real, y.imag) + sequential(x.imag, y.real)))


@pytest.mark.parametrize("dtype", ["complex64", "complex128"])
@pytest.mark.parametrize("data", adversaries("float64"))
def test_every_order_of_complex_products_is_within_the_bound(data, dtype):
    parts = adversaries("float32" if dtype == "complex64" else "float64")
    (a, c), (b, d) = parts[data], parts["of both signs"]
    length, unit = min(len(a), len(b)), unit_roundoff(np.dtype(dtype))
    x, y = ((p[:length] + 1j * q[:length]).astype(dtype) for p, q in ((a, b), (d, c)))
    real, imaginary = exact_complex(x, y)
    magnitude = sum(Fraction(float(v)) for v in np.abs(x.astype("clongdouble") * y))
    bound = Fraction(gamma(length + 1, unit) * np.sqrt(2)) * magnitude * Fraction(1000001, 1000000)
    bound += 3 * length * Fraction(float(np.finfo(dtype).smallest_subnormal))
    orders = [*ORDERS[:5], component_by_component, np.matmul, *ORDERS[9:]]
    for answer in [order(x, y) for order in orders]:
        error = (Fraction(float(answer.real)) - real, Fraction(float(answer.imag)) - imaginary)
        assert error[0] ** 2 + error[1] ** 2 <= bound**2
        assert not is_wrong(answer, *vectors(x, y))
    for direction in (1, -1, 1j, -1j):
        beyond = complex(float(real), float(imaginary)) + direction * 1.02 * float(bound)
        assert is_wrong(beyond, *vectors(x, y), dtype="clongdouble")


@pytest.mark.parametrize("dtype", ["complex64", "complex128"])
def test_complex_sums_in_any_order_are_within_the_bound(dtype):
    random = np.random.RandomState(2)
    x, y = (
        NamedTensor(
            (random.standard_normal((2, 50)) * [[1], [1000]])
            .T.copy()
            .view(complex)[:, 0]
            .astype(dtype),
            "k",
        )
        for _ in range(2)
    )
    for order in ORDERS[:3] + ORDERS[8:]:
        if order is not np.matmul:
            assert not is_wrong(order(x.data, y.data), x, y)
    assert not is_wrong(np.matmul(x.data, y.data), x, y)
    exact = correct_answers(x, y).reference
    slack = 200 * unit_roundoff(np.dtype(dtype)) * float(np.abs(x.data) @ np.abs(y.data))
    for direction in (1, -1, 1j, -1j):
        assert is_wrong(exact + slack * direction, x, y, dtype=dtype)


def test_both_components_of_complex_products_may_underflow():
    # r·r is half the smallest subnormal; what is next to it is rounded up, or down to 0.
    r, unit, count = np.float32(2.0**-75), np.float32(2.0**-23), 7
    x = np.full(count, complex(r * (1 - 2 * unit), r), "complex64")
    y = np.full(count, complex(r * (1 + unit), -r * (1 - unit)), "complex64")
    answer, least = sequential(x, y), float(np.finfo("float32").smallest_subnormal)
    exact = correct_answers(*vectors(x, y)).reference
    assert abs(answer - exact) / (count * least) == pytest.approx(np.sqrt(2), rel=1e-5)
    assert not is_wrong(answer, *vectors(x, y))
    assert is_wrong(answer * 1.01 + 1.01 * count * least * (1 + 1j), *vectors(x, y), dtype="c16")


def test_of_a_complex_element_that_is_not_finite_only_that_is_asked():
    x, y = vectors([complex(np.inf, 1), 2], [1 + 1j, 1])
    for answer in (np.nan, complex(np.nan, np.inf), complex(-np.inf, 0)):
        assert not is_wrong(answer, x, y)
    assert is_wrong(3 + 2j, x, y)
    assert is_wrong(np.nan, *vectors([1j, 2], [1 + 1j, 1]))


# What is not finite

INF, NAN = np.inf, np.nan
# Each: x, y, and what is right. MOST is three quarters of the largest number there is.
MOST = object()
NON_FINITE = {
    "NaN": ([NAN, 1], [1, 1], {NAN}),
    "infinity": ([INF, 1], [1, 1], {INF}),
    "minus infinity": ([INF, 1], [-1, 1], {-INF}),
    "infinity times 0": ([INF, 1], [0, 1], {NAN}),
    "infinity less infinity": ([INF, INF], [1, -1], {NAN}),
    "an overflow": ([1, 1], [MOST, MOST], {INF}),
    "an overflow in some orders": ([1, 1, -1], [MOST, MOST, MOST], {INF, MOST}),
    "an overflow below": ([-1, -1], [MOST, MOST], {-INF}),
    "overflows on both sides": ([2, -2], [MOST, MOST], {INF, -INF, NAN, 0}),
    "infinity and an overflow below": ([INF, -2], [1, MOST], {INF, NAN}),
    "finite": ([1, 2], [3, 4], {11}),
}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("x", "y", "right"), NON_FINITE.values(), ids=NON_FINITE)
def test_what_is_not_finite_is_what_some_order_gives(x, y, right, dtype):
    largest = np.finfo(dtype).max
    most = largest * np.dtype(dtype).type(0.75)
    x, y, right = ([most if value is MOST else value for value in v] for v in (x, y, right))
    x, y = vectors(x, y, dtype=dtype)
    for answer in right:
        assert not is_wrong(answer, x, y, dtype=dtype), answer
    for answer in (NAN, INF, -INF, largest / 8):
        if not np.isin(answer, right) and not (np.isnan(answer) and np.isnan(right).any()):
            assert is_wrong(answer, x, y, dtype=dtype), answer


def test_each_element_has_its_own_place_for_what_is_not_finite():
    x = NamedTensor(np.array([[1.0, NAN], [2.0, 3.0], [INF, 1.0]]), ("a", "k"))
    y = NamedTensor(np.array([2.0, 5.0]), "k")
    wrong = correct_answers(x, y).wrong(np.array([NAN, 19.0, INF]))
    assert wrong.tolist() == [False, False, False]
    wrong = correct_answers(x, y).wrong(np.array([12.0, NAN, -INF]))
    assert wrong.tolist() == [True, True, True]


def test_a_dim_summed_alone_may_be_summed_before_what_is_not_finite():
    x, y = NamedTensor(np.array([2.0, -1.0]), "s"), NamedTensor(np.array([INF, 3.0]), "b")
    for first in (NAN, INF, -INF):
        assert not is_wrong([first, 3.0], x, y, "s")
    assert is_wrong([7.0, 3.0], x, y, "s")
    assert is_wrong([NAN, NAN], x, y, "s")


def test_summing_a_dim_alone_changes_no_infinity_and_no_nan_that_is_given():
    x = NamedTensor(np.array([2.0, 1.0]), "s")
    y = NamedTensor(np.array([INF, -INF, NAN, 0.0]), "b")
    right = np.array([INF, -INF, NAN, 0.0])
    assert not is_wrong(right, x, y, "s")
    for place, answers in enumerate([(NAN, -INF), (NAN, INF), (INF, -INF), (NAN, INF)]):
        for answer in answers:
            moved = right.copy()
            moved[place] = answer
            expected = [at == place for at in range(4)]
            assert correct_answers(x, y, "s").wrong(moved).tolist() == expected, (place, answer)


def test_what_overflows_alone_is_not_finite_where_it_is_multiplied_only():
    x = NamedTensor(np.array([[60000, 60000], [1, 2]], "float16"), ("a", "s"))
    y = NamedTensor(np.array([0.25, 0.5], "float16"), "b")
    for x_first, pair in ((True, (x, y)), (False, (y, x))):
        correct = correct_answers(*pair, "s")
        answer = np.array([[30000, 60000], [0.75, 1.5]], "float16")
        early = np.array([[INF, INF], [0.75, 1.5]], "float16")
        wrong = np.full((2, 2), INF, "float16")
        refused = [[False, False], [True, True]]
        if not x_first:
            answer, early, wrong, refused = answer.T, early.T, wrong.T, np.transpose(refused)
        assert not correct.wrong(answer).any()
        assert not correct.wrong(early).any()
        assert np.array_equal(correct.wrong(wrong), refused)


def test_a_large_number_that_is_summed_with_no_other_may_not_overflow():
    x = NamedTensor(np.array([[60000.0]], "float16"), ("a", "s"))
    y = NamedTensor(np.array([[0.25, 0.25]], "float16"), ("a", "t"))
    assert not is_wrong([30000], x, y, ("a", "t"))
    assert is_wrong([INF], x, y, ("a", "t"))


def test_a_dim_summed_alone_may_overflow_before_it_is_multiplied():
    x = NamedTensor(np.array([60000, 60000], "float16"), "s")
    y = NamedTensor(np.array([0.25], "float16"), "b")
    assert not is_wrong([30000], x, y, "s")
    assert not is_wrong([INF], x, y, "s")
    assert is_wrong([29000], x, y, "s")
    x = NamedTensor(np.array([3e38 + 1j, 3e38 - 1j], "complex64"), "s")
    y = NamedTensor(np.array([0.25], "complex64"), "b")
    assert not is_wrong([1.5e38], x, y, "s")
    assert not is_wrong([complex(INF, 0)], x, y, "s")
    assert is_wrong([1.4e38], x, y, "s")


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_sign_of_zero_is_free(dtype):
    x, y = vectors([0.0, 1.0], [-1.0, 0.0], dtype=dtype)
    assert not is_wrong(-0.0, x, y)
    assert not is_wrong(0.0, x, y)


# Gradients

SHAPES: dict[str, tuple[tuple[str, ...], tuple[str, ...], object]] = {
    "a matrix product": (("a", "b"), ("b", "c"), None),
    "a batch": (("n", "a", "b"), ("b", "c", "n"), "b"),
    "summed alone": (("a", "b"), ("b", "c"), ("a", "b", "c")),
    "all": (("a", "b"), ("b", "a"), ...),
    "nothing": (("a", "b"), ("b", "c"), ()),
}


@pytest.mark.parametrize(("x_dims", "y_dims", "dim"), SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize(("x_dtype", "y_dtype"), [("float32", "float32"), ("float16", "float64")])
def test_gradients_are_held_to_the_bound_of_dots(x_dims, y_dims, dim, x_dtype, y_dtype):
    random, sizes = np.random.RandomState(4), {"n": 2, "a": 3, "b": 5, "c": 4}

    def drawn(dims, dtype):
        values = random.standard_normal([sizes[name] for name in dims])
        return NamedTensor(values.astype(dtype), dims)

    x, y = drawn(x_dims, x_dtype), drawn(y_dims, y_dtype)
    out_dims = rd.lower_dot(x_dims, y_dims, dim).out_dims
    cotangent = drawn(out_dims, np.result_type(x.data, y.data))
    bars = rd.dot_vjp(x, y, cotangent, dim)
    for bar, primal, correct in zip(bars, (x, y), correct_gradients(x, y, cotangent), strict=True):
        assert (correct.dims, correct.reference.shape) == (primal.dims, primal.shape)
        assert not correct.wrong(bar.data).any()
        for factor in (-1, 0, 1.01):
            assert correct.wrong(bar.data * bar.dtype.type(factor)).any(), factor
        moved = bar.data.copy()
        moved[(0,) * moved.ndim] += moved.dtype.type(0.1)
        assert correct.wrong(moved).sum() == 1


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("data", adversaries("float64"))
def test_gradients_of_both_orders_are_within_the_bound_in_every_order(data, dtype):
    along, other = adversaries(dtype)[data]
    length, least = len(along), Fraction(float(np.finfo(dtype).smallest_subnormal))
    random = np.random.RandomState(8)
    y = NamedTensor(np.stack([along, other[::-1]]), ("b", "c"))
    x = NamedTensor(random.standard_normal(2).astype(dtype), "b")
    cotangent = NamedTensor(other, "c")
    tangents = [NamedTensor(random.standard_normal(t.shape).astype(dtype), t.dims) for t in (x, y)]

    first, _ = correct_gradients(x, y, cotangent)
    exact = dot_by_records(cotangent, y, "c")
    size = dot_by_records(magnitudes(cotangent), magnitudes(y), "c")
    for order in ORDERS:
        answer = np.array([order(row, other) for row in y.data])
        assert not first.wrong(answer).any(), order
        for place in range(2):
            bound = Fraction(gamma(length, unit_roundoff(y.dtype))) * size[place,] + length * least
            assert abs(Fraction(float(answer[place])) - exact[place,]) <= bound

    # The gradient of ⟨x_bar, v⟩ + ⟨y_bar, w⟩ by x is a dot of the cotangent with w.
    second = correct_pull_back(cotangent, tangents[1], x)
    answers = [np.array([order(row, other) for row in tangents[1].data]) for order in ORDERS]
    assert not any(second.wrong(answer).any() for answer in answers)
    moved = answers[0] + np.abs(answers[0]).max()
    assert second.wrong(moved).all()


@pytest.mark.parametrize("dtype", DTYPES)
def test_of_a_sum_of_dots_every_product_may_underflow(dtype):
    least = np.finfo(dtype).smallest_subnormal
    root = np.sqrt(np.longdouble(least) / 2).astype(dtype) * (1 - np.finfo(dtype).eps)
    assert root > 0
    x = NamedTensor(np.full(5, root), "k")
    y = NamedTensor(np.full(5, root * (1 - np.finfo(dtype).eps)), "k")
    once = correct_answers(x, y)
    assert once.reference > 2.4 * np.longdouble(least)
    assert not once.wrong(np.asarray(0, dtype))
    assert not (once + once).wrong(np.asarray(0, dtype))
    # Each of them may lose half the smallest subnormal, and no more.
    assert once.wrong(np.asarray(6 * least, dtype))
    assert (once + once).wrong(np.asarray(12 * least, dtype))


PARTS = {
    "ordinary": ([0.1, -0.2], [0.3, 0.4], [0.5, 0.7], [-0.6, 0.9]),
    "integers": ([1.0, 2.0], [3.0, 4.0], [5.0, 6.0], [7.0, 8.0]),
    "overflowing": ([1e200, -1e200], [1e200, 1e200], [1e200, 3.0], [-1e200, 2.0]),
    "NaN": ([NAN, 1.0], [1.0, 2.0], [3.0, 4.0], [0.5, INF]),
    "infinity times 0": ([INF, 1.0], [0.0, 2.0], [3.0, 4.0], [0.5, 0.25]),
    "infinity times 0, then NaN": ([INF, 1.0], [0.0, 2.0], [NAN, 4.0], [0.5, 0.25]),
}


@pytest.mark.parametrize("flipped", [False, True])
@pytest.mark.parametrize(("x", "y", "v", "w"), PARTS.values(), ids=PARTS)
def test_the_sum_of_two_dots_is_judged_as_one_dot_of_all_their_products(x, y, v, w, flipped):
    first, second = correct_answers(*vectors(x, y)), correct_answers(*vectors(v, w))
    total = second + first if flipped else first + second
    whole = correct_answers(*vectors(x + v, y + w))
    assert (total.roundings, total.products) == (3, 4)
    assert total.integers == whole.integers
    for name in ("reference", "magnitude", "finite", "zero_times_nonfinite", "surely_nonfinite"):
        one, other = getattr(total, name), getattr(whole, name)
        if one.dtype == bool:
            assert one == other, name
        else:
            assert np.allclose(one, other, rtol=1e-15, atol=0, equal_nan=True), name
    for answer in (0.0, float(whole.finite), INF, -INF, NAN):
        assert total.wrong(np.asarray(answer)) == whole.wrong(np.asarray(answer)), answer


def test_the_sum_of_two_dots_may_overflow_early_and_reassociate_where_either_may():
    s, b = NamedTensor(np.array([2.0, -1.0]), "s"), NamedTensor(np.array([INF, 3.0]), "b")
    large, small = (NamedTensor(np.array([v, v]), "s") for v in (1.5e308, 1.0))
    scale = NamedTensor(np.array([0.25, 0.5]), "b")
    plain = correct_answers(small, scale, "s")
    for special, field in (
        (correct_answers(s, b, "s"), "reassociates"),
        (correct_answers(large, scale, "s"), "overflows_early"),
    ):
        for total in (special + plain, plain + special):
            assert np.array_equal(getattr(total, field), getattr(special, field))
            assert getattr(total, field).any()
            assert not getattr(plain, field).any()


def test_gamma_is_more_than_k_units_and_has_its_closed_form():
    assert gamma(4, 0.125) == 0.5 / (1 - 0.5)
    assert gamma(0, 0.125) == 0
    assert gamma(8, 0.125) == np.inf


def test_the_reference_is_computed_in_a_wider_precision():
    wider = {
        "float16": "float64",
        "float32": "float64",
        "float64": "longdouble",
        "complex64": "complex128",
        "complex128": "clongdouble",
    }
    for dtype, wide in wider.items():
        assert correct_answers(*vectors([1.5], [2.5], dtype=dtype)).reference.dtype == wide


def held_by(roundings: int, products: int, dtype="float64") -> CorrectAnswers:
    """Give the answers to a dot of 8 in all, of which as many roundings and products are told."""
    correct = correct_answers(*vectors([2.5], [3.2], dtype=dtype))
    magnitude = np.array(8, correct.magnitude.dtype)
    return replace(correct, magnitude=magnitude, roundings=roundings, products=products)


def test_the_bound_has_its_closed_form():
    # An eighth of what the theory covers: gamma is 1/7 of both the answer and the reference.
    own = unit_roundoff(np.dtype("longdouble"))
    eighth = held_by(int(0.125 / own), 4)
    assert eighth.bound(own, 64, 0.0) == pytest.approx(8 / 3)
    # Of 4 products each loses half the least, and a third more, but never part of it.
    assert eighth.bound(own, 64, 1.0) == pytest.approx(8 / 3 + 3)
    for end in (0.5, 1.0):
        assert held_by(int(end / own), 4).bound(own / 4, 66, 0.0) == np.inf


@pytest.mark.parametrize(("roundings", "factor"), [(2, sqrt(5) / 2), (3, sqrt(2))])
def test_the_bound_of_complex_products_is_that_of_both_components(roundings, factor):
    bound = held_by(roundings, 10, "complex64").bound(2.0**-24, 24, 0.0)
    assert bound == pytest.approx(8 * factor * gamma(roundings, 2.0**-24))
    least = held_by(roundings, 10, "complex64").bound(0.0, 24, 1.0)
    assert least == pytest.approx(15)


def test_each_64_bit_integer_is_rounded_once_more():
    for x_dtype, y_dtype, roundings in (
        ("int8", "float64", 1),
        ("int64", "float64", 2),
        ("float64", "uint64", 2),
    ):
        x, y = NamedTensor(np.array([3], x_dtype), "k"), NamedTensor(np.array([5], y_dtype), "k")
        assert correct_answers(x, y).roundings == roundings


@pytest.mark.parametrize("sign", [-1, 1])
@pytest.mark.parametrize("dtype", ["float16", "complex64"])
def test_what_rounding_may_take_past_the_largest_number_may_be_infinite(dtype, sign):
    largest = np.finfo(dtype).max
    almost = np.nextafter(largest, largest.dtype.type(0))
    x, y = vectors([sign * almost / 2] * 2, [1, 1], dtype=dtype)
    assert not is_wrong(sign * INF, x, y)
    assert is_wrong(-INF, x, y) == (dtype == "float16" and sign == 1)
    assert is_wrong(sign * INF, *vectors([sign * largest / 4] * 2, [1, 1], dtype=dtype))


def test_two_negative_numbers_may_overflow_above():
    largest = float(np.finfo("float64").max)
    assert not is_wrong(INF, *vectors([-1, -1], [-0.75 * largest] * 2))


def test_two_dots_may_overflow_together():
    largest = float(np.finfo("float64").max)
    for sign in (-1, 1):
        once = correct_answers(*vectors([sign], [0.75 * largest]))
        assert once.wrong(np.array(sign * INF))
        assert not (once + once).wrong(np.array(sign * INF))


def test_a_sum_below_half_the_largest_number_does_not_overflow_early():
    x = NamedTensor(np.array([10000, 14000], "float16"), "s")
    y = NamedTensor(np.array([0.25], "float16"), "b")
    for pair in ((x, y), (y, x)):
        assert not is_wrong([6000], *pair, "s")
        assert is_wrong([INF], *pair, "s")


def test_products_of_0_and_infinity_alone_may_be_left_out():
    assert not is_wrong(6.0, *vectors([0, 2], [INF, 3]))
    assert not is_wrong(NAN, *vectors([0, 2], [INF, 3]))
    for answer in (-6.0, 7.0, INF):
        assert is_wrong(answer, *vectors([0, 2], [INF, 3]))
    assert not is_wrong(INF, *vectors([0, INF], [INF, 1]))
    assert is_wrong(0.0, *vectors([0, INF], [INF, 1]))


def test_an_integer_answer_to_a_dot_of_floats_is_held_to_their_precision():
    x, y = vectors([10000001], [3], dtype="float32")
    assert correct_answers(x, y).wrong(np.array([30000003, 30000004, 30000012])).tolist() == [
        False,
        False,
        True,
    ]


def test_a_real_answer_to_a_complex_dot_and_the_reverse_are_judged_by_their_values():
    complex_, real = vectors([1 + 1j], [1 - 1j]), vectors([1.5, 2.0], [2.0, 3.0])
    for answer in (2.0, 2.0 + 0j):
        assert not correct_answers(*complex_).wrong(np.array(answer))
    for answer in (9.0, 9.0 + 0j):
        assert not correct_answers(*real).wrong(np.array(answer))
    assert correct_answers(*complex_).wrong(np.array(2.5))
    assert correct_answers(*real).wrong(np.array(9.0 + 1j))


def test_only_a_gradient_of_another_dtype_has_more_roundings():
    x, y, cotangent = (NamedTensor(np.array([0.1, 0.2, 0.3], "float32"), "a") for _ in range(3))
    for dtype, roundings in (("float32", 1), ("float64", 4)):
        wide = NamedTensor(cotangent.data.astype(dtype), "a")
        first, _ = correct_gradients(x, y, wide)
        assert (first.dtype, first.roundings, first.products) == (
            np.float32,
            roundings,
            1 + (dtype == "float64"),
        )


def test_a_real_operand_beside_a_complex_one_has_a_real_gradient():
    x = NamedTensor(np.array([1.5, 2.5]), "a")
    y = NamedTensor(np.array([1 + 2j, 3 - 1j]), "a")
    x_bar, y_bar = correct_gradients(x, y, NamedTensor(np.array(2 + 1j), ()))
    assert x_bar.reference.dtype.kind == "f"
    assert y_bar.reference.dtype.kind == "c"
    assert not x_bar.wrong(np.array([0.0, 7.0])).any()
    assert x_bar.wrong(np.array([0.0, 7.0 + 1e-12])).tolist() == [False, True]


def test_where_0_meets_an_infinity_depends_on_the_dims_that_are_summed():
    x = NamedTensor(np.array([[0.0, 1.0], [2.0, 3.0]]), ("a", "b"))
    y = NamedTensor(np.array([[INF, 1.0], [1.0, 1.0]]), ("a", "b"))
    correct = correct_answers(x, y, ())
    assert correct.zero_times_nonfinite.tolist() == [[True, False], [False, False]]
    assert correct_answers(x, y, "b").zero_times_nonfinite.tolist() == [True, False]
