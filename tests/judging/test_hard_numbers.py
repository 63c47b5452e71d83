"""The judge accepts each right way to compute hard numbers, and nothing beyond the bound.

The numbers are 0, subnormal, near the largest one, infinite or NaN, or they cancel. Each dot has
the dims s and t, which are summed alone, and the contracted dim c.
"""

from __future__ import annotations

from fractions import Fraction
from itertools import permutations, product

import numpy as np
import pytest
from summation import (
    COMPLEX_ORDERS,
    DTYPES,
    ORDERS,
    as_longdouble,
    exact_bound,
    fused,
    is_wrong,
    sequential,
    vectors,
)

from refdot.judging.references import dot_by_records
from refdot.judging.rounding import correct_answers, correct_pull_back, relative_error
from refdot.tensor import NamedTensor

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")

REAL = (*DTYPES, "longdouble")
COMPLEX = ("complex64", "complex128", "clongdouble")
WIDER = {"float16": "float32", "float32": "float64", "complex64": "complex128"}
CASES, DEEP_CASES = 60, 20_000


def real_numbers(random, shape, dtype):
    """Return numbers of one or two of several kinds."""
    limits = np.finfo(dtype)
    ordinary = (1 + random.random_sample(shape)).astype(dtype)
    kinds = [
        ordinary,
        random.choice([0, 0, 1, 2, 3], shape),
        ordinary * np.sqrt(limits.smallest_normal),
        ordinary * limits.smallest_subnormal * dtype.type(8),
        (ordinary - dtype.type(1)) * limits.max,
        random.choice(np.array([limits.max / 2, limits.max, 0], dtype), shape),
        random.choice([0, 1, np.inf, np.nan], shape),
        random.choice([0, 2, np.inf], shape),
    ]
    one, other = (kinds[at] for at in random.randint(0, len(kinds), 2))
    signs = random.choice([-1, 1], shape) if random.randint(3) else np.ones(shape)
    return np.asarray(np.where(random.randint(0, 2, shape), one, other) * signs, dtype)


def numbers(random, shape, dtype):
    data = np.empty(shape, dtype)
    for part in (data.real, data.imag) if data.dtype.kind == "c" else (data,):
        part[...] = real_numbers(random, shape, part.dtype)
    return data


def operands(random, dtype):
    """Return x with dims s and c, and y with dims c and t."""
    s, c, t = random.choice([1, 1, 2, 3], 3)
    return numbers(random, (s, c), dtype), numbers(random, (c, t), dtype)


def without_zeros(x, y):
    """Leave out the products with a scalar 0, as BLAS does."""
    there = (x != 0) & (y != 0)
    return sequential(x[there], y[there])


def rounded_once(x, y):
    """Add in a wider precision."""
    wide = WIDER.get(x.dtype.name, "clongdouble" if x.dtype.kind == "c" else "longdouble")
    return x.dtype.type(sequential(x.astype(wide), y.astype(wide)))


def times_one(x, y):
    """Multiply the sum by 1, as BLAS does."""
    return sequential(x, y) * x.dtype.type(1)


def ways(dtype: str):
    """Return ways to compute a dot of vectors."""
    more = [without_zeros, rounded_once, times_one]
    if dtype in COMPLEX:
        return [*ORDERS[:5], *ORDERS[8:], *more, *COMPLEX_ORDERS]
    return [order for order in ORDERS if order is not fused or dtype in DTYPES] + more


def as_vectors(x, y):
    """Return vectors with the same dot, if dims are summed alone first and if they are not."""
    for x_first, y_first in product([False, True], repeat=2):
        x_rest = x.sum(0, keepdims=True) if x_first else x
        y_rest = y.sum(1, keepdims=True) if y_first else y
        pair = np.broadcast_arrays(x_rest[:, :, None], y_rest[None])
        yield tuple(np.ascontiguousarray(each).reshape(-1) for each in pair)


def judge_right_ways(dtype: str, cases: int, seed: int) -> None:
    random = np.random.RandomState(seed)
    for _ in range(cases):
        x, y = operands(random, dtype)
        correct = correct_answers(NamedTensor(x, ("s", "c")), NamedTensor(y, ("c", "t")), ...)
        for pair in as_vectors(x, y):
            for way in ways(dtype):
                answer = np.asarray(way(*pair))
                assert answer.dtype == dtype
                assert not correct.wrong(answer), (way, x, y, answer)


@pytest.mark.parametrize("dtype", [*REAL, *COMPLEX])
def test_each_right_way_is_accepted(dtype):
    judge_right_ways(dtype, CASES, seed=0)


@pytest.mark.deep
@pytest.mark.parametrize("dtype", [*REAL, *COMPLEX])
def test_each_right_way_is_accepted_in_very_many_cases(dtype):
    judge_right_ways(dtype, DEEP_CASES, seed=1)


@pytest.mark.parametrize("dtype", [*REAL, *COMPLEX])
def test_each_right_sum_of_two_dots_is_accepted(dtype):
    random = np.random.RandomState(2)
    for _ in range(CASES):
        (x, y), (v, w) = (
            [part.reshape(-1) for part in next(as_vectors(*operands(random, dtype)))]
            for _ in range(2)
        )
        correct = correct_answers(*vectors(x, y)) + correct_answers(*vectors(v, w))
        for way in ways(dtype):
            added, whole = way(x, y) + way(v, w), way(np.append(x, v), np.append(y, w))
            for answer in (added, whole):
                assert not correct.wrong(np.asarray(answer)), (way, x, y, v, w, answer)


@pytest.mark.parametrize("dtype", COMPLEX)
def test_each_right_real_part_of_a_gradient_is_accepted(dtype):
    random = np.random.RandomState(3)
    for _ in range(CASES):
        x, y = next(as_vectors(*operands(random, dtype)))
        correct = correct_pull_back(*vectors(x, y), NamedTensor(x.real.sum(), ()))
        assert correct.dtype.kind == "f"
        for way in ways(dtype):
            answer = np.asarray(way(x, y).real)
            assert not correct.wrong(answer), (way, x, y, answer)
        answer = sequential(np.append(x.real, -x.imag), np.append(y.real, y.imag))
        assert not correct.wrong(np.asarray(answer)), (x, y, answer)


# What is refused, by exact fractions


def finite_operands(dtype: str, seed: int):
    """Yield finite vectors whose magnitudes do not add up to the largest number."""
    random, largest = np.random.RandomState(seed), Fraction(float(np.finfo(dtype).max))
    for _ in range(5 * CASES):
        x, y = next(as_vectors(*operands(random, dtype)))
        if np.isfinite(x).all() and np.isfinite(y).all():
            magnitude = dot_by_records(*vectors(abs(x), abs(y)))[()]
            if magnitude < largest / 2:
                yield x, y, magnitude


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_number_beyond_the_bound_is_refused(dtype):
    limits, judged = np.finfo(dtype), 0
    least = Fraction(float(limits.smallest_subnormal))
    for x, y, magnitude in finite_operands(dtype, seed=4):
        exact = dot_by_records(*vectors(x, y))[()]
        bound = exact_bound(len(x), limits.eps / 2) * magnitude + len(x) * least / 2
        for sign in (-1, 1):
            beyond = as_longdouble(exact + sign * (bound * Fraction(102, 100) + least))
            if np.isfinite(beyond):
                assert is_wrong(beyond, *vectors(x, y), dtype="longdouble"), (x, y, beyond)
                judged += 1
    assert judged > CASES


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_product_left_out_or_added_twice_is_refused(dtype):
    limits, judged = np.finfo(dtype), 0
    for x, y, magnitude in finite_operands(dtype, seed=5):
        bound = exact_bound(len(x), limits.eps / 2) * magnitude
        bound += len(x) * Fraction(float(limits.smallest_subnormal))
        total = dot_by_records(*vectors(x, y))[()]
        for a, b in zip(x.tolist(), y.tolist(), strict=True):
            one = Fraction(a) * Fraction(b)
            for answer in (total - one, total + one, total - 2 * one):
                if abs(one) > 2 * bound:
                    assert is_wrong(float(answer), *vectors(x, y), dtype=dtype), (x, y, answer)
                    judged += 1
    assert judged > CASES


def nonfinite_results(x, y):
    """Return the non-finite results of every order of a few products, also without zeros."""
    found = set()
    terms = x * y
    there = terms[(x != 0) & (y != 0)]
    for some in (terms, there):
        signs = [some[some > 0].sum(), some[~(some > 0)].sum()]
        found.add(float(signs[0] + signs[1]))
        found |= {float(sum(order, x.dtype.type(0))) for order in permutations(some)}
    return {str(value) for value in found if not np.isfinite(value)}


@pytest.mark.parametrize("dtype", DTYPES)
def test_only_those_nonfinite_numbers_are_accepted_that_some_order_gives(dtype):
    random, limits, judged = np.random.RandomState(6), np.finfo(dtype), 0
    slack = 1 + relative_error(1, 4, 4 * float(limits.eps))
    for _ in range(10 * CASES):
        x, y = (numbers(random, random.randint(1, 4), dtype) for _ in "xy")
        length = min(len(x), len(y))
        x, y = x[:length], y[:length]
        correct = correct_answers(*vectors(x, y))
        sums = np.longdouble([correct.rises, correct.falls])
        if ((sums > limits.max / slack) & (sums < limits.max * np.longdouble(slack))).any():
            continue  # rounding decides whether the sum overflows
        if ((np.isinf(x * y)) & np.isfinite(x) & np.isfinite(y)).any():
            continue  # a fused multiply-add has no overflow of the product
        judged += 1
        possible = nonfinite_results(x, y)
        for answer in (np.inf, -np.inf, np.nan):
            refused = is_wrong(answer, *vectors(x, y), dtype=dtype)
            assert refused == (str(answer) not in possible), (x, y, answer)
    assert judged > CASES
