"""Fixtures of the tests of the campaign."""

from functools import cache

import pytest

from refdot.check import plan, shrink

_case_at = cache(plan.case_at)


@pytest.fixture(autouse=True)
def _random_cases_are_cached(monkeypatch):
    """Share the random cases of all campaigns: drawing takes longer than judging."""
    monkeypatch.setattr(plan, "case_at", _case_at)


@pytest.fixture(autouse=True)
def _shrinking_has_no_time_limit(monkeypatch):
    """Shrink to the minimum even on a very busy machine."""
    monkeypatch.setattr(shrink, "_LIMITS", ())
