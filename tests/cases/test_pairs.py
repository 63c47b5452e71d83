"""The pairwise cases: which pairs of properties they have, and how few they are."""

from __future__ import annotations

from itertools import product

import pytest

from refdot.cases.case import DTYPES, LAYOUTS, REGIMES
from refdot.cases.pairs import pairwise_cases
from refdot.cases.values import CONTENTS
from refdot.judging.expected import expected_error

SEEDS = range(5)


@pytest.mark.parametrize("seed", SEEDS)
def test_they_are_distinct_few_and_valid(seed: int) -> None:
    cases = list(pairwise_cases(seed))
    assert len({*cases}) == len(cases) < 280
    assert not any(map(expected_error, cases))


def test_a_seed_determines_them() -> None:
    assert list(pairwise_cases(1)) == list(pairwise_cases(1)) != list(pairwise_cases(2))


@pytest.mark.parametrize("seed", SEEDS)
def test_every_two_dtypes_and_layouts_meet(seed: int) -> None:
    cases = list(pairwise_cases(seed))
    assert {(c.x.dtype, c.y.dtype) for c in cases} == {*product(DTYPES, DTYPES)}
    layouts = {*LAYOUTS} - {"unaligned", "byte-swapped"}
    assert {(c.x.layout, c.y.layout) for c in cases} == {*product(layouts, layouts)}
    assert {(c.x.layout, c.y.dtype) for c in cases} == {*product(layouts, DTYPES)}


@pytest.mark.parametrize("seed", SEEDS)
def test_constants_meet_every_role_regime_and_derivative(seed: int) -> None:
    cases = list(pairwise_cases(seed))
    for content in CONTENTS:
        for name in ("x", "y"):
            of = [c for c in cases if getattr(c, name).content == content]
            constant = [c for c in of if getattr(c, name).origin == "constant"]
            assert {c.regime for c in constant} == {*REGIMES}
            assert {c.gradient_order for c in constant} == {0, 1}
            roles = [(c.lowering.batch, c.lowering.x_summed, c.lowering.y_free) for c in constant]
            assert all(map(any, zip(*roles, strict=True)))
