"""The bound on rounding errors: it holds for every order of summation, and it is tight."""

from dataclasses import replace
from fractions import Fraction
from itertools import product
from math import sqrt

import numpy as np
import pytest
import tightness
from summation import (
    COMPLEX_ORDERS,
    DTYPES,
    ORDERS,
    exact_bound,
    hard_operands,
    is_wrong,
    sequential,
    vectors,
)

from refdot.judging.references import dot_by_records
from refdot.judging.rounding import (
    CorrectAnswers,
    correct_answers,
    relative_error,
    unit_roundoff,
)
from refdot.tensor import NamedTensor

pytestmark = pytest.mark.filterwarnings("ignore:(overflow|invalid value):RuntimeWarning")


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("data", hard_operands("float64"))
def test_every_order_of_summation_is_within_the_bound(data, dtype):
    x_values, y_values = hard_operands(dtype)[data]
    x, y = vectors(x_values, y_values)
    exact = dot_by_records(x, y)[()]
    magnitude = dot_by_records(*vectors(abs(x_values), abs(y_values)))[()]
    limits = np.finfo(dtype)
    # The bound, computed without refdot, and half a subnormal for each product.
    bound = exact_bound(len(x_values), limits.eps / 2) * magnitude
    bound += len(x_values) * Fraction(float(limits.smallest_subnormal)) / 2
    answers = [order(x_values, y_values) for order in ORDERS]
    for answer in answers:
        assert answer.dtype == dtype
        assert abs(Fraction(float(answer)) - exact) <= bound
        assert not is_wrong(answer, x, y)
    # No order gives a result beyond it. The error of refdot's reference is negligible.
    for sign in (-1, 1):
        beyond = float(exact + sign * bound * Fraction(102, 100))
        beyond += sign * 2 * float(limits.smallest_subnormal)
        assert is_wrong(beyond, x, y, dtype="longdouble")


@pytest.mark.parametrize("dtype", DTYPES)
def test_orders_of_summation_give_different_bits(dtype):
    x, y = hard_operands(dtype)["of many magnitudes"]
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
def test_one_product_may_be_wrong_by_half_a_unit_in_the_last_place(dtype):
    unit = float(np.finfo(dtype).eps) / 2
    x, y = vectors([1.5 + 2 * unit], [1.5 - 2 * unit], dtype=dtype)
    product_ = x.data * y.data
    assert not is_wrong(product_, x, y)
    for places in (-2, -1, 1, 2):
        assert is_wrong(product_ + places * np.spacing(product_), x, y), places


@pytest.mark.parametrize("dtype", tightness.DTYPES)
@pytest.mark.parametrize("products", tightness.PRODUCTS)
def test_the_largest_measured_errors_are_within_the_bound_and_near_it(dtype, products):
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
def test_small_integers_must_be_exact(dtype):
    x, y = vectors([3, -5, 7, 2], [4, 6, -1, 5], dtype=dtype)
    exact = np.array(-15, dtype)
    assert not is_wrong(exact, x, y)
    for answer in (np.nextafter(exact.real, 0), np.nextafter(exact.real, -99)):
        assert is_wrong(answer, x, y)
        assert correct_answers(x, y).wrong(np.asarray(answer).astype(dtype)).all()


@pytest.mark.parametrize("dtype", DTYPES)
def test_large_integers_may_round(dtype):
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


@pytest.mark.parametrize("products", [2_048, 4_096, 32_768, 1_000_000])
def test_many_products_of_float16_are_judged(products):
    x, y = vectors(np.full(products, 0.01), np.full(products, 0.01), dtype="float16")
    # Added one by one, such products stop to count at 0.25.
    for answer in (0.25, 1e-4 * products, 0.999e-4 * products):
        assert not is_wrong(answer, x, y)
    for answer in (-60_000, np.inf, -np.inf, np.nan):
        assert is_wrong(answer, x, y) or (products == 1_000_000 and answer == np.inf), answer
    zeros, ones = vectors(np.zeros(products), np.ones(products), dtype="float16")
    for answer in (np.finfo("float16").smallest_subnormal, -np.inf, np.inf, np.nan):
        assert is_wrong(answer, zeros, ones)
    for unit in (2.0**-8, 2.0**-4):
        assert is_wrong(-np.inf, x, y, unit=unit)
        assert is_wrong(2.0**-24, zeros, ones, unit=unit)


@pytest.mark.parametrize("dtype", tightness.JUDGED)
def test_the_bound_refuses_twice_the_answer_up_to_the_number_in_the_docs(dtype):
    greatest = tightness.greatest_refusing_twice(dtype)
    assert f"| {dtype} | {tightness.rounded(greatest)} |" in tightness.PAGE.read_text("utf-8")
    # All products are alike, so that they add up to the sum of their magnitudes.
    correct = correct_answers(*vectors([1.5], [2.5], dtype=dtype))
    for products, refused in ((greatest, True), (greatest + max(1, greatest // 10**6), False)):
        bound = replace(correct, products=products, integers=False).bound(np.finfo(dtype))
        assert (bound < correct.magnitude) == refused


def test_the_bound_refuses_twice_a_sum_of_many_products():
    greatest = tightness.greatest_refusing_twice("float16")
    assert 2_000 < greatest < 2_048
    x, y = (np.full(greatest, value, "float16") for value in (0.3, 0.7))
    for count, refused in ((greatest, True), (2_049, False)):
        exact = dot_by_records(*vectors(x[:1], y[:1]))[()] * count
        pair = vectors(np.resize(x, count), np.resize(y, count))
        assert is_wrong(float(2 * exact), *pair, dtype="longdouble") == refused


def test_an_empty_sum_is_exactly_0():
    x, y = vectors([], [], dtype="float64")
    assert not is_wrong(0.0, x, y)
    assert not is_wrong(-0.0, x, y)
    for answer in (5e-324, np.nan, np.inf):
        assert is_wrong(answer, x, y)
    nothing, scale = NamedTensor(np.zeros((0, 2)), ("k", "a")), NamedTensor(np.inf, ())
    assert not is_wrong([0, 0], nothing, scale, "k")
    assert is_wrong([0, np.nan], nothing, scale, "k")


@pytest.mark.parametrize(("roundings", "terms"), [(1, 1), (1, 2), (2, 7), (4, 3000), (1, 0)])
@pytest.mark.parametrize("u", [2.0**-53, 2.0**-11, 0.125])
def test_the_relative_error_has_its_closed_form(roundings, terms, u):
    expected = float(exact_bound(max(terms, 1), u, roundings))
    assert relative_error(roundings, terms, u) == pytest.approx(expected, rel=1e-14)
    # It is never more than Higham's bound.
    assert expected <= float((1 + Fraction(u)) ** (roundings + max(terms, 1) - 1) - 1)


def test_the_reference_is_computed_in_a_wider_precision():
    wider = {
        "float16": "float64",
        "float32": "float64",
        "float64": "longdouble",
        "complex64": "complex128",
        "complex128": "clongdouble",
        "longdouble": "longdouble",
        "clongdouble": "clongdouble",
    }
    for dtype, wide in wider.items():
        assert correct_answers(*vectors([1.5], [2.5], dtype=dtype)).reference.dtype == wide


def answers_with(roundings: int, products: int, dtype="float64") -> CorrectAnswers:
    """Return the answers to a dot with magnitude 8 and the given counts."""
    correct = correct_answers(*vectors([2.5], [3.2], dtype=dtype))
    magnitude = np.array(8, correct.magnitude.dtype)
    return replace(correct, magnitude=magnitude, roundings=roundings, products=products)


HALF = np.finfo("float16")
SINGLE = np.finfo("float32")


def test_the_bound_has_its_closed_form():
    correct, own = answers_with(1, 5, "float16"), relative_error(1, 5, 2.0**-53)
    relative = (relative_error(1, 5, 2.0**-11) + own) / (1 - own)
    # Each of 5 products may lose half a subnormal.
    absolute = 2.5 * (1 + relative) * 2.0**-24
    assert correct.bound(HALF) == pytest.approx(8 * relative + absolute, rel=1e-15)
    relative = relative_error(1, 5, 0.125)
    expected = 8 * relative + 2.5 * (1 + relative) * 2.0**-24
    assert correct.bound(HALF, 0.125) == pytest.approx(expected)
    assert correct.bound(HALF, 2.0**-20) == correct.bound(HALF)


def test_the_reference_of_long_doubles_has_errors_of_its_own():
    limits = np.finfo("longdouble")
    own = relative_error(1, 4, float(limits.eps) / 2)
    correct = answers_with(1, 4, "longdouble")
    assert correct.bound(limits) == pytest.approx(8 * 2 * own)
    none = replace(correct, magnitude=np.zeros((), "longdouble"))
    assert none.bound(limits) == 4 * limits.smallest_subnormal
    assert replace(none, integers=True).bound(limits) == 0


# Mixed and reduced precision


@pytest.mark.parametrize(("x_dtype", "y_dtype"), list(product([*DTYPES, "int8", "int64"], DTYPES)))
def test_operands_of_two_dtypes_have_the_bound_of_the_result_dtype(x_dtype, y_dtype):
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


def test_a_64_bit_integer_operand_may_be_rounded():
    x, y = NamedTensor(np.array([2**53 + 1]), "k"), NamedTensor(np.array([1.0 + 2.0**-40]), "k")
    for rounded, accepted in ((2**53, True), (2**53 + 2, True), (2**53 + 8, False)):
        assert is_wrong(np.float64(rounded) * y.data, x, y) != accepted


def test_each_64_bit_integer_operand_adds_one_rounding():
    for x_dtype, y_dtype, roundings in (
        ("int8", "float64", 1),
        ("int64", "float64", 2),
        ("float64", "uint64", 2),
        ("uint64", "int64", 3),
    ):
        x, y = NamedTensor(np.array([3], x_dtype), "k"), NamedTensor(np.array([5], y_dtype), "k")
        assert correct_answers(x, y).roundings == roundings


@pytest.mark.parametrize(("answer", "found"), [("float16", "float32"), ("float32", "float64")])
def test_an_answer_with_too_little_precision_has_the_bound_of_its_own_dtype(answer, found):
    x, y = vectors(*hard_operands(found)["of one sign"])
    given = sequential(x.data.astype(answer), y.data.astype(answer))
    correct = correct_answers(x, y)
    rounded = np.asarray(correct.reference.astype(answer))
    assert not correct.wrong(rounded).any()
    assert correct.wrong(rounded * given.dtype.type(1.1)).all()


def test_an_integer_answer_to_a_dot_of_floats_has_their_bound():
    x, y = vectors([10000001], [3], dtype="float32")
    assert correct_answers(x, y).wrong(np.array([30000003, 30000004, 30000012])).tolist() == [
        False,
        False,
        True,
    ]


def test_a_backend_with_reduced_precision_has_the_bound_of_its_unit():
    x, y = vectors(*hard_operands("float32")["of both signs"])

    def truncated(values):
        """Round to 8 bits, as bfloat16."""
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
    """Return the two components of a dot in exact arithmetic."""
    a, b, c, d = ([Fraction(float(v)) for v in part] for part in (x.real, x.imag, y.real, y.imag))
    return (
        sum((i * j for i, j in zip(a, c, strict=True)), Fraction(0))
        - sum((i * j for i, j in zip(b, d, strict=True)), Fraction(0)),
        sum((i * j for i, j in zip(a, d, strict=True)), Fraction(0))
        + sum((i * j for i, j in zip(b, c, strict=True)), Fraction(0)),
    )


@pytest.mark.parametrize("dtype", ["complex64", "complex128"])
@pytest.mark.parametrize("data", hard_operands("float64"))
def test_every_order_of_complex_products_is_within_the_bound(data, dtype):
    parts = hard_operands("float32" if dtype == "complex64" else "float64")
    (a, c), (b, d) = parts[data], parts["of both signs"]
    length, unit = min(len(a), len(b)), unit_roundoff(np.dtype(dtype))
    x, y = ((p[:length] + 1j * q[:length]).astype(dtype) for p, q in ((a, b), (d, c)))
    real, imaginary = exact_complex(x, y)
    magnitude = sum(Fraction(float(v)) for v in np.abs(x.astype("clongdouble") * y))
    bound = exact_bound(2 * length, unit) * Fraction(np.sqrt(2)) * magnitude
    bound *= Fraction(1000001, 1000000)
    bound += 2 * length * Fraction(float(np.finfo(dtype).smallest_subnormal))
    orders = [*ORDERS[:5], *COMPLEX_ORDERS, np.matmul, *ORDERS[9:]]
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


@pytest.mark.parametrize(
    ("roundings", "products", "factor"),
    [(1, 1, sqrt(5) / 2), (2, 1, sqrt(2)), (1, 2, sqrt(2)), (1, 10, sqrt(2))],
)
def test_the_bound_of_complex_products_covers_both_components(roundings, products, factor):
    bound = answers_with(roundings, products, "complex64").bound(SINGLE)
    error = relative_error(roundings, 2 * products, 2.0**-24)
    assert bound == pytest.approx(8 * factor * error, rel=1e-8)
    small = replace(answers_with(roundings, products, "complex64"), magnitude=np.float64(1e-300))
    assert small.bound(SINGLE) == pytest.approx(products * sqrt(2) * 2.0**-149)


def test_both_components_of_complex_products_may_underflow():
    # r·r is half the smallest subnormal; its neighbours are rounded up, or down to 0.
    r, unit, count = np.float32(2.0**-75), np.float32(2.0**-23), 7
    x = np.full(count, complex(r * (1 - 2 * unit), r), "complex64")
    y = np.full(count, complex(r * (1 + unit), -r * (1 - unit)), "complex64")
    answer, least = sequential(x, y), float(np.finfo("float32").smallest_subnormal)
    exact = correct_answers(*vectors(x, y)).reference
    assert abs(answer - exact) / (count * least) == pytest.approx(np.sqrt(2), rel=1e-5)
    assert not is_wrong(answer, *vectors(x, y))
    assert is_wrong(answer * 1.01 + 1.01 * count * least * (1 + 1j), *vectors(x, y), dtype="c16")


def test_real_answers_to_complex_dots_and_the_reverse_are_judged_by_value():
    complex_, real = vectors([1 + 1j], [1 - 1j]), vectors([1.5, 2.0], [2.0, 3.0])
    for answer in (2.0, 2.0 + 0j):
        assert not correct_answers(*complex_).wrong(np.array(answer))
    for answer in (9.0, 9.0 + 0j):
        assert not correct_answers(*real).wrong(np.array(answer))
    assert correct_answers(*complex_).wrong(np.array(2.5))
    assert correct_answers(*real).wrong(np.array(9.0 + 1j))
