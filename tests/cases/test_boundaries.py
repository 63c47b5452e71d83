"""Boundary cases: exact numbers of dims, and static sizes of 1 and 0 in every role."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from itertools import chain
from math import prod

import pytest

from refdot.cases.boundaries import (
    DIM_COUNTS,
    dim_count_cases,
    exchanged_size_cases,
    static_size_cases,
    summed_dims_cases,
)
from refdot.cases.case import DotCase
from refdot.errors import SizeMismatchError
from refdot.judging.expected import expected_error

MANY = list(chain.from_iterable(map(dim_count_cases, DIM_COUNTS)))
COUNTS: dict[str, Callable[[DotCase], int]] = {
    "dims": lambda case: len(case.dims),
    "dims of x": lambda case: len(case.x.dims),
    "dims of y": lambda case: len(case.y.dims),
    "dims of the output": lambda case: len(case.lowering.out_dims),
    "contracted dims": lambda case: len(case.lowering.contracted),
    "batch dims": lambda case: len(case.lowering.batch),
    "free dims": lambda case: len(case.lowering.x_free + case.lowering.y_free),
}


@pytest.mark.parametrize("count", COUNTS.values(), ids=COUNTS)
def test_each_number_of_dims_at_a_limit_occurs(count: Callable[[DotCase], int]) -> None:
    assert {26, 27, 32, 33, 52, 53, 63, 64} == {*DIM_COUNTS} <= {*map(count, MANY)}


def test_an_output_can_have_more_dims_than_either_operand() -> None:
    found = {
        len(case.dims)
        for case in MANY
        if max(len(case.x.dims), len(case.y.dims)) < len(case.lowering.out_dims)
    }
    assert found == {*DIM_COUNTS}


def described(case: DotCase) -> tuple[str, str, int, int]:
    """Return the role of the dim s, where its size is static, that size, and the highest rank."""
    low = case.lowering
    (role,) = (
        role
        for role in ("contracted", "batch", "x_free", "y_free", "x_summed", "y_summed")
        if "s" in getattr(low, role)
    )
    static = {name: getattr(case, name).static_sizes.get("s") for name in "xy"}
    owners = "".join(name for name in "xy" if static[name] is not None)
    return role, owners, static[owners[0]], len(getattr(case, owners[0]).dims)


def of_valid(**options: object) -> list[tuple[str, str, int, int]]:
    """Return the descriptions of the valid cases."""
    cases = static_size_cases(**options)
    return [described(case) for case in cases if expected_error(case) is None]


def test_a_static_1_and_a_static_0_have_every_role_place_and_rank_in_a_thorough_run() -> None:
    assert len({*of_valid(thorough=True)}) == 10 * 2 * 3
    orders = [(described(c), c.gradient_order) for c in static_size_cases(thorough=True)]
    assert len({*orders}) == 10 * 2 * 3 * 2


@pytest.mark.parametrize("seed", range(2))
def test_other_runs_have_these_too_with_half_of_the_gradients(seed: int) -> None:
    cases = list(static_size_cases(seed))
    assert len({*of_valid(seed=seed)}) == 10 * 2 * 3
    assert len({*cases}) == len(cases)
    orders = [case.gradient_order for case in cases if expected_error(case) is None]
    assert orders.count(1) == orders.count(0) == 10 * 9 / 2


def test_two_seeds_have_as_many_cases_as_a_thorough_run() -> None:
    thorough = {*static_size_cases(thorough=True)}
    assert {case for seed in range(2) for case in static_size_cases(seed)} == thorough


@pytest.mark.parametrize("seed", range(2))
def test_a_static_1_is_on_the_first_axis_and_on_others(seed: int) -> None:
    valid = [case for case in static_size_cases(seed) if expected_error(case) is None]
    found = {
        (described(case)[0], name, axis == 0)
        for case in valid
        for name, operand in (("x", case.x), ("y", case.y))
        for axis, size in enumerate(operand.static_shape)
        if size == 1 and len(operand.dims) > 2
    }
    roles = {"contracted": "xy", "batch": "xy", "x_free": "x", "y_free": "y"}
    roles |= {"x_summed": "x", "y_summed": "y"}
    assert found == {
        (role, name, first) for role, names in roles.items() for name in names for first in (0, 1)
    }


def test_only_one_dim_is_static_and_the_others_are_in_another_order_in_each_operand() -> None:
    for case in static_size_cases(thorough=True):
        for operand in (case.x, case.y):
            assert {dim for dim, size in operand.static_sizes.items() if size is not None} <= {"s"}
        shared = [dim for dim in case.x.dims if dim in case.y.dims]
        assert len(shared) < 2 or shared != [dim for dim in case.y.dims if dim in case.x.dims]


def test_a_size_that_does_not_match_the_static_one_is_in_the_other_operand() -> None:
    invalid = [case for case in static_size_cases(thorough=True) if expected_error(case)]
    assert {described(case)[:3] for case in invalid} == {
        (role, owner, size) for role in ("contracted", "batch") for owner in "xy" for size in (0, 1)
    }


def test_exchanged_sizes_differ_in_two_of_two_to_four_dims_and_have_equal_products() -> None:
    cases = list(exchanged_size_cases())
    assert Counter(len(case.dims) for case in cases) == {2: 3, 3: 5, 4: 8}
    for case in cases:
        assert prod(case.x.shape) == prod(case.y.shape)
        assert sum(x != y for x, y in zip(case.x.shape, case.y.shape, strict=True)) == 2
        assert isinstance(expected_error(case), SizeMismatchError)
    static = Counter((all(case.x.static), all(case.y.static)) for case in cases)
    assert static == {(False, False): 10, (True, False): 3, (False, True): 3}


def test_sums_over_several_dims_have_static_ones_at_each_place() -> None:
    cases = list(summed_dims_cases())
    assert len({*cases}) == len(cases) == 2 * (6 + 6)
    places = {(len(c.x.dims), axis) for c in cases for axis, one in enumerate(c.x.static) if one}
    assert places == {(3, 0), (3, 1), (3, 2), (4, 0), (4, 1), (4, 2), (4, 3)}
    for case in cases:
        assert {*case.lowering.x_summed} == {*case.x.dims} - {"c"}
        assert {size for size in case.x.static_shape if size is not None} == {1}
        assert expected_error(case) is None
    assert {case.gradient_order for case in cases} == {0, 1}
