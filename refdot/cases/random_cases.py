"""Random cases by seed and index, the same on every machine."""

import warnings
from functools import cache
from typing import TypeVar

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import seed as seeded
from hypothesis.errors import HypothesisDeprecationWarning
from hypothesis.strategies import SearchStrategy

from refdot.cases.case import DotCase
from refdot.cases.strategies import dot_cases

__all__ = ["case_at", "drawn_at"]

_T = TypeVar("_T")

_dot_cases = cache(dot_cases)  # creating the strategy is slow


def case_at(seed: int, index: int) -> DotCase:
    """Return the random case with an index below 2⁴⁰. It depends only on the seed and the index."""
    return drawn_at(_dot_cases(), seed, index)


def drawn_at(strategy: SearchStrategy[_T], seed: int, index: int) -> _T:
    """Return a value of a strategy that depends only on the seed and on an index below 2⁴⁰.

    Each value has a separate Hypothesis run, so that it can be drawn again without the others and
    does not resemble those before it, as the values of a long run do. It is the second of its run,
    because Hypothesis draws the simplest value first.
    """
    drawn: list[_T] = []

    @settings(
        max_examples=2,
        phases=[Phase.generate],
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @seeded((seed << 40) + index)
    @given(strategy)
    def draw(value: _T) -> None:
        drawn.append(value)

    with warnings.catch_warnings():
        # Hypothesis warns if another thread uses `random` at the same time, as an executor may.
        warnings.simplefilter("ignore", HypothesisDeprecationWarning)
        draw()
    return drawn[-1]
