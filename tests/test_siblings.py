"""Siblings: the same graph with other sizes at run time."""

from __future__ import annotations

import pytest
from faults import ask
from hypothesis import given

from refdot.case import DotCase
from refdot.oracle import expected_error
from refdot.pytensor.target import graph_alone
from refdot.siblings import siblings
from refdot.strategies import dot_cases


@given(dot_cases(valid=True))
def test_they_are_one_graph_and_others(case: DotCase) -> None:
    others = list(siblings(case))
    assert {graph_alone(other) for other in others} <= {graph_alone(case)}
    assert case not in others
    if case.gradient_order:
        assert not any(map(expected_error, others))


@pytest.mark.parametrize(
    ("case", "shapes"),
    [
        (ask("a:2", "a:2", known=True), []),
        (ask("a:2", "b:3", known=(True, False)), [(2, 0), (2, 1), (2, 17)]),
        (
            ask("a:2", "a:4"),
            [(2, 2), (0, 0), (1, 1), (3, 3), (17, 17), (2, 3), (1, 2)],
        ),
        (ask("a:0", "a:0", gradient_order=1), [(1, 1), (3, 3), (17, 17)]),
        (ask("a:1", "a:1"), [(0, 0), (3, 3), (17, 17), (1, 2), (1, 2)]),
    ],
    ids=["all known", "one known", "disagreeing", "differentiated", "of one element"],
)
def test_the_sizes_are(case: DotCase, shapes: list[tuple[int, int]]) -> None:
    assert [other.x.shape + other.y.shape for other in siblings(case)] == shapes
