"""`refdot check` catches each planted fault, by an option `--only` that is about it."""

from __future__ import annotations

import json
import runpy
import subprocess
import sys

import pytest
from planted import FAULTS, Fault, cases_needed, observed, planted

from refdot import cli

BY_NAME = {fault.name: fault for fault in FAULTS}


@pytest.fixture(params=FAULTS, ids=[fault.name for fault in FAULTS])
def fault(request: pytest.FixtureRequest) -> Fault:
    return request.param


def test_there_are_enough_of_them_and_each_once() -> None:
    assert len(BY_NAME) == len(FAULTS) >= 60


def test_it_changes_what_pytensor_answers_until_it_is_taken_back(fault: Fault) -> None:
    before = observed(fault)
    with planted(fault):
        assert observed(fault) != before
    assert observed(fault) == before


def test_it_is_caught(fault: Fault, record_property: pytest.RecordProperty) -> None:
    caught = cases_needed(fault)
    assert caught is not None, "not seen by a run without options"
    record_property("cases needed", caught[0])


def test_it_is_taken_back_after_an_exception() -> None:
    fault = FAULTS[0]
    function, code = fault.edits[0].compiled()
    before = function.__code__
    with pytest.raises(AssertionError), planted(fault):
        assert function.__code__ is not code
    assert function.__code__ is before


def test_the_command_line_shrinks_it_and_writes_a_reproducer(tmp_path, capsys) -> None:
    fault = BY_NAME["the gradient of y has the wrong sign"]
    arguments = ["check", "--only", "gradients", "--cases", "12", "--lowering", "stock"]
    with planted(fault):
        assert cli.main([*arguments, "--report", str(tmp_path)]) == 1
    signature = "R8 wrong-gradient at run: first order, of y: wrong by more than rounding"
    assert signature in capsys.readouterr().out

    report = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    found = {mismatch["signature"]: mismatch for mismatch in report["mismatches"]}[signature]
    shapes = found["case"]["x"]["shape"], found["case"]["y"]["shape"]
    assert shapes in (([1], [1]), ([], [1]), ([1], []), ([], []))

    script = tmp_path / found["reproducer"]
    with planted(fault), pytest.raises(SystemExit) as left:
        runpy.run_path(str(script), run_name="__main__")
    assert left.value.code == 1
    # PyTensor without the fault, in a process of its own.
    assert subprocess.run([sys.executable, "-I", str(script)], check=False).returncode == 0
