"""The plugin for pytest, in a project that uses it."""

import re
import tomllib

import pytest
from processes import ROOT, run_python

from refdot.testing import case_id, smoke_cases

MY_DOT = """
import refdot as rd

def dot(x, y, dim=None):
    cut = {name: slice(min(size, y.sizes.get(name, size))) for name, size in x.sizes.items()}
    shared = {name: part for name, part in cut.items() if name in y.dims}
    return rd.dot(x.isel(**shared), y.isel(**shared), dim)
"""
TESTS = """
import sys
import pytest

def test_the_plugin_imports_nothing_heavy():
    heavy = {"hypothesis", "jinja2", "msgspec", "pytensor", "rich", "refdot.testing"}
    assert heavy.isdisjoint(sys.modules)
"""
TESTS_OF_DOT = """
import pytest
import refdot as rd
from hypothesis import example, given, seed, settings
from my_dot import dot
from refdot.testing import check_case, check_dot, dot_case, dot_cases

def test_of_the_oracle(dot_smoke_case):
    check_case(rd.dot, dot_smoke_case)

class TestMyDot:
    @pytest.mark.parametrize("number", [1])
    def test_smoke(self, dot_smoke_case, number):
        check_case(dot, dot_smoke_case)

    @seed(0)
    @settings(database=None, deadline=None)
    @example(case=dot_case("a:2 a:2", "a:2"))
    @given(case=dot_cases())
    def test_drawn(self, case):
        check_case(dot, case)

    def test_all(self):
        check_dot(dot, cases=1, rules="R4")

    def test_a_case_that_is_not_supported(self):
        check_case(dot, dot_case("a:2 a:2", "a:2"))
"""


@pytest.fixture(scope="module")
def entry_points(tmp_path_factory):
    """Write the metadata of an installed refdot, and return the folder that has them."""
    folder = tmp_path_factory.mktemp("installed")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    metadata = folder / "refdot-0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Name: refdot\nVersion: 0\n", "utf-8")
    (plugin,) = project["entry-points"]["pytest11"].items()
    (metadata / "entry_points.txt").write_text("[pytest11]\n{} = {}\n".format(*plugin), "utf-8")
    return folder


def run_pytest(folder, entry_points, **files):
    """Run pytest in a folder with these files, and return what it prints."""
    for name, source in files.items():
        (folder / f"{name}.py").write_text(source, "utf-8")
    command = ["-m", "pytest", "-p", "no:cacheprovider", "-p", "no:xdist", "-rA"]
    return run_python(*command, folder=folder, PYTHONPATH=str(entry_points), COLUMNS="200").stdout


def test_the_plugin_does_nothing_in_a_project_that_does_not_use_it(tmp_path, entry_points):
    printed = run_pytest(tmp_path, entry_points, test_nothing=TESTS)
    assert re.search(r"^plugins: .*refdot-0", printed, re.MULTILINE)
    assert "1 passed" in printed


def test_a_project_that_uses_the_plugin(tmp_path, entry_points):
    printed = run_pytest(tmp_path, entry_points, my_dot=MY_DOT, test_my_dot=TESTS_OF_DOT)
    line = r"^(\w+) test_my_dot\.py::(?:TestMyDot::)?(test_\w+)(?:\[(\S*)\])?"
    outcomes = re.findall(line, printed, re.MULTILINE)
    ids = [case_id(case) for case in smoke_cases()]
    assert {id_ for outcome, test, id_ in outcomes if test == "test_of_the_oracle"} == {*ids}
    assert {outcome for outcome, test, _ in outcomes if test == "test_of_the_oracle"} == {"PASSED"}
    broken = {id_ for id_ in ids if "R4" in id_}
    failed = {id_ for outcome, test, id_ in outcomes if (outcome, test) == ("FAILED", "test_smoke")}
    assert failed == {f"{id_}-1" for id_ in broken}
    assert {("FAILED", "test_drawn", ""), ("FAILED", "test_all", "")} < {*outcomes}
    assert re.search(r"^SKIPPED \[1\] .*: dot does not support dot\(", printed, re.MULTILINE)
    # The message comes first: no code of refdot is shown before it.
    assert "refdot/testing" not in printed.replace("\\", "/").partition("SKIPPED")[0]
    message = "dot: R4 accepted-invalid at run: contracted, sizes differ"
    assert f"E       AssertionError: {message}\n" in printed
    assert re.search(r"^E +case=dot_case\(.*\),$", printed, re.MULTILINE)
