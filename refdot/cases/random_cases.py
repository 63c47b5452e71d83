"""Random cases by seed and index, the same on every machine."""

import warnings
from functools import cache

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import seed as seeded
from hypothesis.errors import HypothesisDeprecationWarning

from refdot.cases.case import DotCase
from refdot.cases.strategies import dot_cases

__all__ = ["case_at"]

_dot_cases = cache(dot_cases)  # creating the strategy is slow


def case_at(seed: int, index: int) -> DotCase:
    """Return the random case with an index below 2⁴⁰. It depends only on the seed and the index.

    Each case has a separate Hypothesis run, so that it can be drawn again without the others and
    does not resemble the cases before it, as the cases of a long run do. It is the second of its
    run, because Hypothesis draws the simplest case first.
    """
    drawn: list[DotCase] = []

    @settings(
        max_examples=2,
        phases=[Phase.generate],
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @seeded((seed << 40) + index)
    @given(_dot_cases())
    def draw(case: DotCase) -> None:
        drawn.append(case)

    with warnings.catch_warnings():
        # Hypothesis warns if another thread uses `random` at the same time, as an executor may.
        warnings.simplefilter("ignore", HypothesisDeprecationWarning)
        draw()
    return drawn[-1]
