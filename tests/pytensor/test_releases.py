"""The version ranges of the known deviations are those that were measured on every release."""

from __future__ import annotations

import json

import pytensor
import pytest
import release_matrix
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from refdot.pytensor.deviations import DEVIATIONS
from refdot.targets import Deviation

RECORDED = json.loads(release_matrix.RECORD.read_text("utf-8"))
RELEASES = RECORDED["releases"]


@pytest.mark.parametrize("deviation", DEVIATIONS, ids=lambda deviation: deviation.id)
def test_a_range_is_the_releases_on_which_the_example_deviates(deviation: Deviation) -> None:
    measured = [release for release, shown in RELEASES.items() if deviation.id in shown]
    assert list(SpecifierSet(deviation.versions).filter(RELEASES)) == measured


def test_the_record_starts_with_the_oldest_supported_release() -> None:
    assert list(RELEASES) == sorted(RELEASES, key=Version)
    assert list(release_matrix.supported().filter(RELEASES)) == list(RELEASES)
    (oldest,) = release_matrix.supported()
    assert oldest.version == next(iter(RELEASES))


def test_the_installed_release_is_on_record_unless_it_is_newer() -> None:
    installed = pytensor.__version__
    assert installed in RELEASES or Version(installed) > Version([*RELEASES][-1])


def test_the_page_shows_the_record() -> None:
    assert release_matrix.PAGE.read_text("utf-8") == release_matrix.table(RECORDED)


def test_the_readme_names_the_oldest_and_the_newest_release() -> None:
    readme = " ".join((release_matrix.ROOT / "README.md").read_text("utf-8").split())
    oldest, *_, newest = RELEASES
    assert f"every release from {oldest} to {newest} was measured" in readme
