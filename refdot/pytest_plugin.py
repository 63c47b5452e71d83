"""A plugin for pytest: the fixture `dot_smoke_case`, which repeats a test for each smoke case."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from refdot.cases.case import DotCase

__all__ = ["dot_smoke_case", "pytest_generate_tests"]


@pytest.fixture
def dot_smoke_case(request: pytest.FixtureRequest) -> DotCase:
    """Repeat a test for each smoke case of refdot; see `refdot.testing.check_case`."""
    case: DotCase = request.param
    return case


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Parametrize each test that uses the fixture with all smoke cases."""
    if dot_smoke_case.__name__ in metafunc.fixturenames:
        # pytest loads this plugin for every project: only the tests that use it import the rest.
        from refdot.testing import case_id, smoke_cases

        metafunc.parametrize(dot_smoke_case.__name__, smoke_cases(), ids=case_id, indirect=True)
