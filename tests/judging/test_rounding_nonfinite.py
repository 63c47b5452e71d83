"""Answers that are not finite: only those that some order of summation gives are accepted."""

import numpy as np
import pytest
from summation import DTYPES, is_wrong, vectors

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
