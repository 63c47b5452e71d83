"""Size variants: the same graph with other sizes at run time."""

from __future__ import annotations

import pytest
from hypothesis import given

from refdot.cases.case import DotCase
from refdot.cases.notation import dot_case
from refdot.cases.size_variants import size_variants
from refdot.cases.strategies import dot_cases
from refdot.judging.expected import expected_error
from refdot.pytensor.target.preparation import graph_alone


@given(dot_cases(valid=True))
def test_they_are_one_graph_and_others(case: DotCase) -> None:
    others = list(size_variants(case))
    assert {graph_alone(other) for other in others} <= {graph_alone(case)}
    assert case not in others
    if case.gradient_order:
        assert not any(map(expected_error, others))


@pytest.mark.parametrize(
    ("case", "shapes"),
    [
        (dot_case("a:2", "a:2"), []),
        (dot_case("a:2", "b:3?"), [(2, 0), (2, 1), (2, 17)]),
        (
            dot_case("a:2?", "a:4?"),
            [(2, 2), (0, 0), (1, 1), (3, 3), (17, 17), (2, 3), (1, 2)],
        ),
        (dot_case("a:0?", "a:0?", gradient_order=1), [(1, 1), (3, 3), (17, 17)]),
        (dot_case("a:1?", "a:1?"), [(0, 0), (3, 3), (17, 17), (1, 2), (1, 2)]),
    ],
    ids=["all known", "one known", "disagreeing", "differentiated", "of one element"],
)
def test_the_sizes_are(case: DotCase, shapes: list[tuple[int, int]]) -> None:
    assert [other.x.shape + other.y.shape for other in size_variants(case)] == shapes
