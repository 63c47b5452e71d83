"""Size variants: cases of the same graph with other sizes."""

from __future__ import annotations

import json
from math import prod

import pytest
from hypothesis import example, given

from refdot.cases.case import DotCase
from refdot.cases.codec import case_from_json, case_to_json
from refdot.cases.notation import dot_case
from refdot.cases.random_cases import case_at
from refdot.cases.size_variants import size_variants
from refdot.cases.smoke import smoke_cases
from refdot.cases.strategies import dot_cases
from refdot.check.categories import broken_rule
from refdot.judging.expected import expected_error
from refdot.pytensor.target.graph import graph_key


@given(dot_cases(valid=True))
@example(dot_case("b:1? a:1?", "a:1? c:1?", ..., same_variable=True, gradient_order=1))
def test_size_variants_are_other_cases_of_the_same_graph(case: DotCase) -> None:
    variants = list(size_variants(case))
    assert {graph_key(variant) for variant in variants} <= {graph_key(case)}
    assert case not in variants
    if case.gradient_order:
        assert not any(map(expected_error, variants))


@pytest.mark.parametrize(
    ("case", "shapes"),
    [
        (dot_case("a:2", "a:2"), []),
        (dot_case("a:2", "b:3?"), [(2, 0), (2, 1), (2, 17), (2, 129)]),
        (
            dot_case("a:2?", "a:4?"),
            [(2, 2), (0, 0), (1, 1), (3, 3), (17, 17), (129, 129), (2, 3), (1, 2)],
        ),
        (
            dot_case("a:0?", "a:0?", gradient_order=1),
            [(1, 1), (3, 3), (17, 17), (129, 129)],
        ),
        (dot_case("a:1?", "a:1?"), [(0, 0), (3, 3), (17, 17), (129, 129), (1, 2), (1, 2)]),
        (
            dot_case("a:2?", "a:2?", same_variable=True),
            [(0, 0), (1, 1), (3, 3), (17, 17), (129, 129)],
        ),
        (dot_case("a:3", "a:3?"), [(3, 4), (3, 1)]),
        (dot_case("a:3?", "a:1"), [(2, 1)]),
        (dot_case("a:2 b:3", "a:2? b:3?"), [(2, 3, 2, 4), (2, 3, 2, 1), (2, 3, 3, 2)]),
        (dot_case("a:2? b:3?", "a:2 b:3", "a"), [(2, 4, 2, 3), (2, 1, 2, 3)]),
        (dot_case("a:2 b:3?", "a:2? b:3"), [(2, 4, 2, 3), (2, 1, 2, 3)]),
        (dot_case("a:2", "a:2?", (), origin=("constant", "input")), [(2, 3), (2, 1)]),
        (dot_case("a:3", "a:3?", gradient_order=1), []),
    ],
    ids=[
        *("all static", "one static", "disagreeing", "gradient", "one element", "one variable"),
        *("static in x", "static in y", "two static in x", "a batch dim", "one static in each"),
        *("constant", "static in x, with a gradient"),
    ],
)
def test_sizes_of_variants(case: DotCase, shapes: list[tuple[int, int]]) -> None:
    assert [each.x.shape + each.y.shape for each in size_variants(case)] == shapes


def test_the_seed_determines_the_large_size() -> None:
    found = {
        max(each.x.shape + each.y.shape)
        for seed in range(20)
        for each in size_variants(dot_case("a:7? b:5?", "b:5? c:7?", seed=seed))
    }
    assert {129, 257, 1025, 4097, 32_768} <= found


def test_size_variants_survive_a_round_trip_through_json() -> None:
    cases = [*smoke_cases(), *(case_at(0, index) for index in range(300))]
    with_r1 = [case for case in cases if broken_rule(case) != "R1"]
    variants = [variant for case in with_r1 for variant in size_variants(case)]
    assert any(variant.same_variable for variant in variants)
    assert [case_from_json(json.dumps(case_to_json(each))) for each in variants] == variants


def test_no_variant_is_too_large():
    for seed in range(20):
        for case in (
            dot_case("a?", "b?", (), same_variable=True, seed=seed),
            dot_case("a? c:0?", "b? c:0?", "c", same_variable=True, gradient_order=1, seed=seed),
            dot_case("a:3? b:5? c:7", "a:0? b:0 c:1?", (), seed=seed),
        ):
            for variant in size_variants(case):
                x_sizes, y_sizes = variant.x.sizes, variant.y.sizes
                sizes = [max(x_sizes.get(d, 1), y_sizes.get(d, 1), 1) for d in variant.dims]
                assert prod(sizes) <= 200_000
