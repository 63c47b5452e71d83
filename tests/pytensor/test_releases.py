"""The version ranges of the known deviations are those that were measured on every release."""

from __future__ import annotations

import pytensor
import pytest
import release_matrix
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from refdot.programs.findings import ProgramDeviation
from refdot.pytensor.deviations import DEVIATIONS
from refdot.pytensor.programs.deviations import PROGRAM_DEVIATIONS
from refdot.targets import Deviation

RECORDS = release_matrix.records()
RELEASES = RECORDS["3.13"]["releases"]

each_python = pytest.mark.parametrize(
    "releases", [r["releases"] for r in RECORDS.values()], ids=[*RECORDS]
)


@each_python
@pytest.mark.parametrize("deviation", DEVIATIONS, ids=lambda deviation: deviation.id)
def test_a_range_is_the_releases_on_which_the_example_deviates(
    deviation: Deviation, releases: dict[str, list[str]]
) -> None:
    measured = [release for release, shown in releases.items() if deviation.id in shown]
    assert list(SpecifierSet(deviation.versions).filter(releases)) == measured


@pytest.mark.parametrize("deviation", PROGRAM_DEVIATIONS, ids=lambda deviation: deviation.id)
@pytest.mark.parametrize("python", RECORDS)
def test_a_range_of_programs_is_the_releases_on_which_the_example_deviates(
    deviation: ProgramDeviation, python: str
) -> None:
    releases = RECORDS[python]["programs"]
    measured = [release for release, shown in releases.items() if deviation.id in shown]
    assert list(SpecifierSet(deviation.versions).filter(releases)) == measured


@each_python
def test_a_record_starts_with_the_oldest_supported_release(releases: dict[str, list[str]]) -> None:
    assert list(releases) == sorted(releases, key=Version)
    assert list(release_matrix.supported().filter(releases)) == list(releases)
    (oldest,) = release_matrix.supported()
    assert oldest.version == next(iter(releases))


def test_the_installed_release_is_on_record_unless_it_is_newer() -> None:
    installed = pytensor.__version__
    assert installed in RELEASES or Version(installed) > Version([*RELEASES][-1])


def test_the_page_shows_the_records() -> None:
    assert release_matrix.PAGE.read_text("utf-8") == release_matrix.page(RECORDS)


def test_the_readme_names_the_oldest_and_the_newest_release() -> None:
    readme = " ".join((release_matrix.ROOT / "README.md").read_text("utf-8").split())
    oldest, *_, newest = RELEASES
    assert f"every release from {oldest} to {newest} was measured" in readme
