"""Answers that are not finite: only those that some order of summation gives are accepted."""

import tracemalloc

import numpy as np
import pytest
from summation import DTYPES, is_wrong, vectors

from refdot.evaluation import dot
from refdot.judging.rounding import correct_answers
from refdot.tensor import NamedTensor

pytestmark = pytest.mark.filterwarnings("ignore:(overflow|invalid value):RuntimeWarning")

INF, NAN = np.inf, np.nan
# For each: x, y, and the right answers. MOST is three quarters of the largest number.
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
def test_a_nonfinite_answer_is_the_result_of_some_order(x, y, right, dtype):
    largest = np.finfo(dtype).max
    most = largest * np.dtype(dtype).type(0.75)
    x, y, right = ([most if value is MOST else value for value in v] for v in (x, y, right))
    x, y = vectors(x, y, dtype=dtype)
    for answer in right:
        assert not is_wrong(answer, x, y, dtype=dtype), answer
    for answer in (NAN, INF, -INF, largest / 8):
        if not np.isin(answer, right) and not (np.isnan(answer) and np.isnan(right).any()):
            assert is_wrong(answer, x, y, dtype=dtype), answer


def test_each_element_is_judged_by_its_own_products():
    x = NamedTensor(np.array([[1.0, NAN], [2.0, 3.0], [INF, 1.0]]), ("a", "k"))
    y = NamedTensor(np.array([2.0, 5.0]), "k")
    wrong = correct_answers(x, y).wrong(np.array([NAN, 19.0, INF]))
    assert wrong.tolist() == [False, False, False]
    wrong = correct_answers(x, y).wrong(np.array([12.0, NAN, -INF]))
    assert wrong.tolist() == [True, True, True]


def test_a_nonfinite_complex_element_may_be_any_nonfinite_number():
    x, y = vectors([complex(np.inf, 1), 2], [1 + 1j, 1])
    for answer in (np.nan, complex(np.nan, np.inf), complex(-np.inf, 0)):
        assert not is_wrong(answer, x, y)
    assert is_wrong(3 + 2j, x, y)
    assert is_wrong(np.nan, *vectors([1j, 2], [1 + 1j, 1]))


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_sign_of_zero_does_not_matter(dtype):
    x, y = vectors([0.0, 1.0], [-1.0, 0.0], dtype=dtype)
    assert not is_wrong(-0.0, x, y)
    assert not is_wrong(0.0, x, y)


def test_only_products_of_0_and_infinity_may_be_skipped():
    assert not is_wrong(6.0, *vectors([0, 2], [INF, 3]))
    assert not is_wrong(NAN, *vectors([0, 2], [INF, 3]))
    for answer in (-6.0, 7.0, INF):
        assert is_wrong(answer, *vectors([0, 2], [INF, 3]))
    assert not is_wrong(INF, *vectors([0, INF], [INF, 1]))
    assert is_wrong(0.0, *vectors([0, INF], [INF, 1]))


def test_where_0_is_multiplied_by_infinity_depends_on_the_summed_dims():
    x = NamedTensor(np.array([[0.0, 1.0], [2.0, 3.0]]), ("a", "b"))
    y = NamedTensor(np.array([[INF, 1.0], [1.0, 1.0]]), ("a", "b"))
    correct = correct_answers(x, y, ())
    assert correct.zero_times_nonfinite.tolist() == [[True, False], [False, False]]
    assert correct_answers(x, y, "b").zero_times_nonfinite.tolist() == [True, False]


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_product_that_may_be_skipped_does_not_hide_an_overflow(dtype):
    largest = np.finfo(dtype).max
    x, y = vectors([0, largest, largest], [NAN, 1, 1], dtype=dtype)
    for answer in (NAN, INF):
        assert not is_wrong(answer, x, y, dtype=dtype)
    for answer in (-INF, 0, largest):
        assert is_wrong(answer, x, y, dtype=dtype)
    x, y = vectors([0, INF, 1], [NAN, 1, -2], dtype=dtype)
    for answer in (NAN, INF):
        assert not is_wrong(answer, x, y, dtype=dtype)
    for answer in (-INF, -2):
        assert is_wrong(answer, x, y, dtype=dtype)


# Overflow of a whole sum


@pytest.mark.parametrize("sign", [-1, 1])
@pytest.mark.parametrize("dtype", ["float16", "complex64"])
def test_a_sum_that_rounding_may_make_overflow_may_be_infinite(dtype, sign):
    largest = np.finfo(dtype).max
    almost = np.nextafter(largest, largest.dtype.type(0))
    x, y = vectors([sign * almost / 2] * 2, [1, 1], dtype=dtype)
    assert not is_wrong(sign * INF, x, y)
    assert is_wrong(-INF, x, y) == (dtype == "float16" and sign == 1)
    assert is_wrong(sign * INF, *vectors([sign * largest / 4] * 2, [1, 1], dtype=dtype))


def test_products_of_negative_numbers_may_overflow_to_infinity():
    largest = float(np.finfo("float64").max)
    assert not is_wrong(INF, *vectors([-1, -1], [-0.75 * largest] * 2))


def test_a_sum_of_dots_may_overflow():
    largest = float(np.finfo("float64").max)
    for sign in (-1, 1):
        once = correct_answers(*vectors([sign], [0.75 * largest]))
        assert once.wrong(np.array(sign * INF))
        assert not (once + once).wrong(np.array(sign * INF))


# Dims that are summed alone, before the multiplication


def test_a_dim_summed_alone_may_turn_nan_into_infinity():
    x, y = NamedTensor(np.array([2.0, -1.0]), "s"), NamedTensor(np.array([INF, 3.0]), "b")
    for first in (NAN, INF, -INF):
        assert not is_wrong([first, 3.0], x, y, "s")
    assert is_wrong([7.0, 3.0], x, y, "s")
    assert is_wrong([NAN, NAN], x, y, "s")


def test_a_dim_summed_alone_keeps_infinities_and_given_nans():
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


def test_a_dim_summed_alone_may_overflow_early():
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


def test_an_early_overflow_affects_only_its_own_products():
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


def test_one_large_number_does_not_overflow_early():
    x = NamedTensor(np.array([[60000.0]], "float16"), ("a", "s"))
    y = NamedTensor(np.array([[0.25, 0.25]], "float16"), ("a", "t"))
    assert not is_wrong([30000], x, y, ("a", "t"))
    assert is_wrong([INF], x, y, ("a", "t"))


def test_a_sum_below_half_the_largest_number_does_not_overflow_early():
    x = NamedTensor(np.array([10000, 14000], "float16"), "s")
    y = NamedTensor(np.array([0.25], "float16"), "b")
    for pair in ((x, y), (y, x)):
        assert not is_wrong([6000], *pair, "s")
        assert is_wrong([INF], *pair, "s")


def test_a_sum_alone_that_may_be_0_may_be_skipped():
    y = NamedTensor(np.array([INF, NAN, 3.0]), "b")
    for numbers, may_be_zero in (([1.0, -1.0], True), ([0.1 + 0.2, -0.3], True), ([2, -1], False)):
        correct = correct_answers(NamedTensor(np.array(numbers, float), "s"), y, "s")
        total = sum(numbers)
        assert not correct.wrong(np.array([NAN, NAN, 3 * total])).any()
        assert correct.wrong(np.array([0.0, 0.0, 3 * total])).tolist() == [
            not may_be_zero,
            not may_be_zero,
            False,
        ]
        assert correct.wrong(np.array([5.0, 5.0, 3 * total])).tolist() == [True, True, False]


def repeated(value, count: int, dtype="float64") -> NamedTensor:
    """Return a tensor that holds one number several times, with the stride 0."""
    return NamedTensor(np.broadcast_to(np.array(value, dtype), (count,)), "k")


def test_a_dim_is_summed_alone_beside_an_operand_that_repeats_itself():
    x = NamedTensor(np.array([2.0, -1.0]), "k")
    for pair in ((x, repeated(INF, 2)), (repeated(INF, 2), x)):
        for answer in (NAN, INF, -INF):
            assert not is_wrong(answer, *pair)
        assert is_wrong(1.0, *pair)
    separate = NamedTensor(np.array([INF, INF]), "k")
    assert is_wrong(INF, x, separate)
    x = NamedTensor(np.array([60_000, 60_000], "float16"), "k")
    assert not is_wrong(INF, x, repeated(0.25, 2, "float16"))
    assert is_wrong(INF, x, NamedTensor(np.array([0.25, 0.25], "float16"), "k"))


# Long doubles, which have no wider dtype


LONGEST = np.finfo("longdouble").max


def test_sums_beyond_the_range_of_long_doubles_are_not_judged():
    x, y = vectors([LONGEST, LONGEST, -LONGEST], [1, 1, 1], dtype="longdouble")
    correct = correct_answers(x, y)
    assert correct.unjudged
    for answer in (LONGEST, INF, NAN, 0):
        assert not is_wrong(answer, x, y)
    for dtype in ("float16", "float32", "float64", "complex64", "complex128", "int8"):
        largest = np.iinfo(dtype).max if dtype == "int8" else np.finfo(dtype).max
        assert not correct_answers(*vectors([largest] * 3, [largest] * 3, dtype=dtype)).unjudged


def test_only_the_elements_with_such_sums_are_not_judged():
    x = NamedTensor(np.array([[LONGEST, LONGEST], [1, 2]], "longdouble"), ("a", "k"))
    correct = correct_answers(x, NamedTensor(np.array([1, -1], "longdouble"), "k"))
    assert correct.unjudged.tolist() == [True, False]
    assert correct.wrong(np.array([5, 5], "longdouble")).tolist() == [False, True]
    assert (correct + correct).unjudged.tolist() == [True, False]


def test_products_of_long_doubles_may_underflow_in_the_reference_as_well():
    least = np.finfo("longdouble").smallest_subnormal
    x, y = vectors([least, least], [0.5, 0.5], dtype="longdouble")
    for answer in (0, least, 2 * least):
        assert not is_wrong(answer, x, y)
    assert is_wrong(3 * least, x, y)


@pytest.mark.parametrize("dtype", ["longdouble", "clongdouble"])
def test_long_doubles_have_a_tight_bound(dtype):
    one, eps = np.dtype(dtype).type(1), np.finfo(dtype).eps
    third = one / 3
    x, y = vectors([third, third], [third, one], dtype=dtype)
    answer = third * third + third
    for factor, wrong in ((1, False), (1 + eps, False), (1 + 8 * eps, True), (1 - 8 * eps, True)):
        assert is_wrong(answer * factor, x, y) == wrong
    for nonfinite in (INF, -INF, NAN):
        assert is_wrong(nonfinite, x, y)


@pytest.mark.parametrize("first", [1.0, INF, MOST])
@pytest.mark.parametrize("dtype", [*DTYPES, "complex128", "longdouble"])
def test_judging_a_dim_summed_alone_takes_no_more_memory_than_its_operands(dtype, first):
    size = 20_000
    values = np.ones(size, dtype)
    values[0] = np.finfo(dtype).max if first is MOST else first
    x, y = NamedTensor(values, "a"), NamedTensor(values, "b")
    answer = dot(x, y, "a").data
    tracemalloc.start()
    try:
        assert not correct_answers(x, y, "a").wrong(answer).any()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 120 * 3 * size  # 120 bytes for each element
