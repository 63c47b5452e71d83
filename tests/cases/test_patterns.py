"""Patterns of dims, their cases, and the smoke cases, which are built from patterns."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest

from refdot.cases.case import DTYPES
from refdot.cases.patterns import (
    Pattern,
    disagreeing_cases_of,
    dtype_cases_of,
    forward_cases_of,
    gradient_cases_of,
    patterns,
    slow_cases_of,
)
from refdot.cases.smoke import smoke_cases
from refdot.judging.expected import expected_error

VALID = (forward_cases_of, gradient_cases_of, slow_cases_of, dtype_cases_of)
LOW = list(patterns(1))


@pytest.mark.parametrize(("rank", "count"), [(0, 1), (1, 11), (2, 107), (3, 1243), (4, 17723)])
def test_number_of_patterns(rank, count):
    assert len(set(patterns(rank))) == sum(1 for _ in patterns(rank)) == count


def test_smoke_cases_are_few_and_distinct_and_start_with_the_largest():
    cases = list(smoke_cases())
    assert len(set(cases)) == len(cases) < 100
    assert [case.regime for case in cases[:4]] == ["rounding"] * 4
    assert len(cases[0].x.dims) + len(cases[0].y.dims) == 6


def test_smoke_cases_have_what_random_cases_seldom_have():
    cases = list(smoke_cases())
    valid = [case for case in cases if expected_error(case) is None]
    roles = {case.lowering.role(dim) for case in valid for dim in case.dims}
    assert roles == {"contracted", "batch", "free", "summed"}
    assert {type(expected_error(case)).__name__ for case in cases} == {
        "NoneType",
        "SizeMismatchError",
        "DimNameError",
        "DimNotFoundError",
        "DimTypeError",
    }
    assert {case.gradient_order for case in valid} == {0, 1, 2}
    assert {case.regime for case in valid} == {"exact", "rounding", "special"}
    assert any(case.same_variable for case in valid)
    assert any(case.call == "method" for case in valid)
    assert {"c", "fortran", "reversed"} == {case.x.layout for case in valid} | {
        case.y.layout for case in valid
    }
    assert {0, 1, 20, 70} <= {size for case in valid for size in case.x.shape}


def test_no_two_patterns_are_the_same_up_to_renaming():
    def with_numbers(pattern: Pattern) -> tuple:
        """Return the pattern with its names replaced by numbers, in order of appearance."""
        numbers = {dim: number for number, dim in enumerate(pattern.dims)}
        x, y = (tuple(map(numbers.get, dims)) for dims in (pattern.x_dims, pattern.y_dims))
        return x, y, frozenset(map(numbers.get, pattern.summed_over))

    assert len(set(map(with_numbers, patterns(3)))) == 1243


def test_patterns_have_every_order_of_dims_and_every_sum():
    square = [pattern for pattern in patterns(3) if set(pattern.x_dims) == set(pattern.y_dims)]
    x_dims = next(pattern.x_dims for pattern in square if len(pattern.x_dims) == 3)
    assert {p.y_dims for p in square if p.x_dims == x_dims} == set(permutations(x_dims))
    assert sum(p.x_dims == p.y_dims == x_dims for p in square) == 2**3


def test_patterns_of_low_rank_come_first():
    ranks = [max(len(pattern.x_dims), len(pattern.y_dims)) for pattern in patterns(3)]
    assert ranks == sorted(ranks)


@pytest.mark.parametrize("cases_of", VALID)
def test_cases_of_agreeing_sizes_are_valid(cases_of):
    for pattern in patterns(2):
        assert [case for case in cases_of(pattern) if expected_error(case)] == []


def test_cases_of_disagreeing_sizes_break_r4():
    for pattern in patterns(2):
        errors = [expected_error(case) for case in disagreeing_cases_of(pattern)]
        assert {error and error.rule for error in errors} <= {"R4"}
        assert bool(errors) == bool({*pattern.x_dims} & {*pattern.y_dims})


@pytest.mark.parametrize("pattern", LOW, ids=str)
def test_each_dim_has_size_0_and_1_and_a_distinct_size(pattern):
    cases = list(forward_cases_of(pattern))
    for dim in pattern.dims:
        sizes = {case.x.sizes.get(dim, case.y.sizes.get(dim)) for case in cases}
        assert {0, 1} < sizes
    distinct = {**cases[0].x.sizes, **cases[0].y.sizes}
    assert len(set(distinct.values())) == len(distinct)


def test_sizes_are_static_in_neither_operand_in_one_and_in_both():
    pattern = Pattern(("c",), ("a", "c"), ("c",))
    for cases in (slow_cases_of(pattern), disagreeing_cases_of(pattern)):
        static = {(all(case.x.static), all(case.y.static)) for case in cases}
        assert static == {(False, False), (True, False), (False, True), (True, True)}


def test_fewer_cases_have_static_sizes_in_one_operand_unless_thorough():
    for pattern in patterns(2):
        every, fewer = ({*disagreeing_cases_of(pattern, thorough)} for thorough in (True, False))
        assert fewer <= every
        one_sided = [case for case in fewer if any(case.x.static) != any(case.y.static)]
        assert len(one_sided) * 4 <= max(len(every), 4)
        unknown = [{case for case in cases if not any(case.x.static)} for cases in (every, fewer)]
        assert {case for case in unknown[0] if not any(case.y.static)} <= unknown[1]


def test_disagreeing_sizes_are_1_vs_n_and_n_vs_1_and_n_vs_m():
    pattern = Pattern(("c", "a"), ("a", "c"), ("c",))
    pairs = {(case.x.sizes["c"], case.y.sizes["c"]) for case in disagreeing_cases_of(pattern)}
    assert {(1, 2), (2, 1), (2, 3)} <= pairs
    products = [
        (case.x.shape, case.y.shape)
        for case in disagreeing_cases_of(pattern)
        if np.prod(case.x.shape) == np.prod(case.y.shape)
    ]
    assert ((2, 3), (2, 3)) in products


def test_every_dtype_is_paired_with_itself_and_pairs_come_in_both_orders():
    pairs = {(case.x.dtype, case.y.dtype) for case in dtype_cases_of(LOW[-1])}
    assert {(dtype, dtype) for dtype in DTYPES} < pairs
    assert {(y, x) for x, y in pairs} == pairs
