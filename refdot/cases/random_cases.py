"""Random cases by number: the same with the same seed on every machine."""

from __future__ import annotations

import warnings
from functools import cache

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import seed as seeded
from hypothesis.errors import HypothesisDeprecationWarning
from hypothesis.strategies import SearchStrategy

from refdot.cases.case import DotCase
from refdot.cases.strategies import dot_cases

__all__ = ["case_at"]


@cache
def _cases_strategy() -> SearchStrategy[DotCase]:
    """Give the strategy of all campaigns, made once: making it is slow."""
    return dot_cases()


def case_at(seed: int, index: int) -> DotCase:
    """Draw the case of a number: the same with the same seed on every machine.

    Hypothesis draws the simplest case first and something random after that; and each case of a
    longer run resembles those before it. Cases that are each the second of their own run are
    independent, and any of them can be drawn again without the others.

    Examples
    --------
    >>> case_at(0, 5) == case_at(0, 5)
    True
    """
    drawn: list[DotCase] = []

    @settings(
        max_examples=2,
        phases=[Phase.generate],
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @seeded(_number_of(seed, index))
    @given(_cases_strategy())
    def draw(case: DotCase) -> None:
        drawn.append(case)

    with warnings.catch_warnings():
        # Hypothesis takes it for this draw's if a thread of an executor uses `random` meanwhile.
        warnings.simplefilter("ignore", HypothesisDeprecationWarning)
        draw()
    return drawn[-1]


def _number_of(seed: int, index: int) -> int:
    """Give every (seed, index) a number of its own, as long as indices stay below 2⁴⁰."""
    return (seed << 40) + index
