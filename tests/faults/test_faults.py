"""`refdot check` catches each planted fault with the option `--only` of its aspect.

Here, each fault is judged on its example. What catches it in a whole run takes hours to measure:
`kill_table.py` does so.
"""

from __future__ import annotations

import json
import runpy
import subprocess
import sys
from contextlib import suppress

import pytest
from catching import can_run, cases_needed, new_mismatches, released
from kill_table import measure
from planted import FAULTS
from planted.places import DOT
from planting import Edit, Fault, planted
from pytensor.xtensor import dot

from refdot import cli
from refdot.cases.notation import dot_case

BY_NAME = {fault.name: fault for fault in FAULTS}


@pytest.fixture(params=FAULTS, ids=[fault.name for fault in FAULTS])
def fault(request: pytest.FixtureRequest) -> Fault:
    if not can_run(request.param):
        pytest.skip(f"the backend {request.param.backend} cannot run here")
    return request.param


def test_faults_are_many_and_have_distinct_names() -> None:
    assert len(BY_NAME) == len(FAULTS) >= 118


def test_the_example_of_each_fault_shows_it_only_while_it_is_planted(fault: Fault) -> None:
    assert new_mismatches(fault)
    assert released(fault) == ()


@pytest.mark.deep
def test_the_quick_profile_catches_each_fault(fault: Fault) -> None:
    """In a process of its own, which some faults end."""
    [(_, row, _)] = measure([fault.name], 1, seeds=1, naive=False, checkout=None)
    assert row.is_caught


def test_the_number_of_cases_that_a_fault_needs_is_counted() -> None:
    caught = cases_needed(BY_NAME["y's dims come first"])
    assert caught is not None
    number, mismatch = caught
    assert (number, mismatch.rule, mismatch.kind) == (1, "R5", "wrong-dims")


def test_a_fault_is_undone_after_an_exception() -> None:
    code = dot.__code__
    with suppress(KeyError), planted(BY_NAME["dim=None contracts nothing"]):
        assert dot.__code__ is not code
        raise KeyError
    assert dot.__code__ is code


def test_edits_of_one_function_add_up() -> None:
    edits = Edit(DOT, "dim_set = {dim}", "dim_set = {}"), Edit(DOT, "{}", "{dim, 'a'}")
    fault = Fault("a dim is added", "values", edits, dot_case("a?", "b?", "b"))
    assert {(m.rule, m.kind) for m in new_mismatches(fault)} == {("R5", "wrong-dims")}


def test_an_edit_whose_text_is_not_in_the_source_is_an_error() -> None:
    fault = Fault("nothing", "values", (Edit(DOT, "no such text", ""),), dot_case("", ""))
    message = "^the source of pytensor.xtensor.math:dot does not contain 'no such text'$"
    with pytest.raises(AssertionError, match=message), planted(fault):
        pass


def test_the_command_line_shrinks_a_fault_and_writes_a_reproducer(tmp_path, capsys) -> None:
    fault = BY_NAME["the gradient of y has the wrong sign"]
    arguments = ["check", "--only", "gradients", "--quick", "--backend", "python"]
    arguments += ["--lowering", "stock"]
    with planted(fault):
        assert cli.main([*arguments, "--report", str(tmp_path)]) == 1
    signature = "R8 wrong-gradient at run: first order, of y: wrong by more than rounding"
    assert signature in capsys.readouterr().out

    report = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    found = {mismatch["signature"]: mismatch for mismatch in report["mismatches"]}[signature]
    shapes = found["case"]["x"]["shape"], found["case"]["y"]["shape"]
    assert shapes in (([1], [1]), ([], [1]), ([1], []), ([], []))

    script = tmp_path / found["reproducer"]
    with planted(fault), pytest.raises(SystemExit) as stopped:
        runpy.run_path(str(script), run_name="__main__")
    assert stopped.value.code == 1
    # A new process has PyTensor without the fault.
    assert subprocess.run([sys.executable, "-I", str(script)], check=False).returncode == 0
