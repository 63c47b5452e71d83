"""The target of a command: an object in a file, with its limits and known deviations."""

import json
import sys

import pytest
from processes import run_python

from refdot.cli import main

MY_DOT = """
import numpy as np
import refdot as rd
from refdot.cases.notation import dot_case
from refdot.targets import CallableTarget, Deviation, Unsupported


def dot(x, y, dim=None):
    return rd.dot(y, x, dim)


def array(x, y, dim=None):
    return np.zeros(())


def hidden(mismatch, outcome):
    return mismatch.case.dim.spelling != "ellipsis"


y_first = Deviation(
    id="y-first", title="The dims of y come first.", rules=("R5",), kinds=("wrong-dims",),
    versions="", backends=(), matches=hidden, example=dot_case("a?", "b?"), cause="None.",
)
limit = Unsupported("no batches", lambda case: case.dim.spelling == "list")
target = CallableTarget(dot, "mine", version="7", unsupported=(limit,), deviations=(y_first,))
"""


@pytest.fixture
def my_dot(tmp_path, monkeypatch):
    """Write the file in the working directory."""
    (tmp_path / "my_dot.py").write_text(MY_DOT, "utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))


def check(*arguments):
    """Run `refdot check` with the smoke cases, and return its exit code."""
    return main(["check", *arguments, "--quick", "--only", "values"])


def test_a_target_in_a_file_brings_its_limits_and_known_deviations(my_dot, tmp_path, capsys):
    assert check("my_dot.py:target", "--report", "out") == 0
    printed = capsys.readouterr().out
    assert "my_dot.py:target 7 on Python" in printed
    assert "no batches" in printed
    report = json.loads((tmp_path / "out" / "report.json").read_text("utf-8"))
    assert [(each["known"], each["rule"]) for each in report["mismatches"]] == [("y-first", "R5")]


def test_a_reproducer_finds_the_target_in_its_file(my_dot, tmp_path):
    assert check("my_dot.py:dot", "--report", "out") == 1
    (script,) = (tmp_path / "out").glob("reproducer_*.py")
    completed = run_python(script, folder=tmp_path)
    assert completed.returncode == 1
    assert "R5 wrong-dims at run: dims" in completed.stdout


def test_workers_find_the_target_in_its_file(my_dot):
    assert check("my_dot.py:target", "--jobs", "1") == 0


OBJECT = "with the name of a function or a target"
ARRAY = (
    "my_dot.py:array returned an object of type ndarray, not a NamedTensor: "
    "write NamedTensor(array, dims)"
)
WRONG = {
    "check my_dot.py": f"'my_dot.py' is a file: write my_dot.py:NAME, {OBJECT}",
    "check my_dot::dot": "'my_dot::dot' has too many colons: write my_dot:dot",
    "check my_dot.py:array": ARRAY,
    "errors my_dot.py:array": ARRAY,
}


@pytest.mark.parametrize(("command", "line"), WRONG.items())
def test_a_wrong_target_gets_one_line_that_says_what_to_write(command, line, my_dot, capsys):
    assert main(command.split()) == 2
    assert capsys.readouterr().err == f"refdot: {line}\n"


# Import each module anew, as if the packages that the extra `testing` lacks were not installed.
WITHOUT_PACKAGES = """
import sys
sys.modules |= dict.fromkeys(["jinja2", "msgspec", "numba", "packaging", "pytensor", "xarray"])
from refdot.cli import main
for command in {commands!r}:
    print(main(command.split()), file=sys.stderr)
"""
COMMANDS = {
    "check my_dot.py:dot --quick": 1,
    "check my_dot.py:target --quick --format github -v": 0,
    "check my_dot.py:target --quick --junitxml out.xml --list": 0,
    "check my_dot.py:target --list y-first": 2,
    "errors my_dot.py:dot": 0,
    "regex does.not my_dot.py:dot": 0,
    "regex --suggest my_dot.py:dot": 0,
    "explain a,b": 0,
}


def test_to_judge_a_function_needs_only_the_extra_testing(my_dot, tmp_path):
    script = WITHOUT_PACKAGES.format(commands=[*COMMANDS])
    completed = run_python("-c", script, folder=tmp_path)
    codes = [line for line in completed.stderr.splitlines() if line.isdecimal()]
    assert codes == [str(code) for code in COMMANDS.values()], completed.stderr
