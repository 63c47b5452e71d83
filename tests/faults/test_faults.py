"""`refdot check` catches each planted fault with the option `--only` of its aspect."""

from __future__ import annotations

import json
import runpy
import subprocess
import sys

import pytest
from planted import FAULTS
from planting import Fault, cases_needed, observed, planted

from refdot import cli

BY_NAME = {fault.name: fault for fault in FAULTS}


@pytest.fixture(params=FAULTS, ids=[fault.name for fault in FAULTS])
def fault(request: pytest.FixtureRequest) -> Fault:
    return request.param


def test_faults_are_many_and_have_distinct_names() -> None:
    assert len(BY_NAME) == len(FAULTS) >= 60


def test_a_fault_changes_the_answer_while_it_is_planted(fault: Fault) -> None:
    before = observed(fault)
    with planted(fault):
        assert observed(fault) != before
    assert observed(fault) == before


def test_refdot_catches_each_fault(fault: Fault, record_property: pytest.RecordProperty) -> None:
    caught = cases_needed(fault)
    assert caught is not None, "refdot check with default options does not catch it"
    record_property("cases needed", caught[0])


def test_a_fault_is_undone_after_an_exception() -> None:
    fault = FAULTS[0]
    function, code = fault.edits[0].compiled()
    before = function.__code__
    with pytest.raises(AssertionError), planted(fault):
        assert function.__code__ is not code
    assert function.__code__ is before


def test_the_command_line_shrinks_a_fault_and_writes_a_reproducer(tmp_path, capsys) -> None:
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
    with planted(fault), pytest.raises(SystemExit) as stopped:
        runpy.run_path(str(script), run_name="__main__")
    assert stopped.value.code == 1
    # A new process has PyTensor without the fault.
    assert subprocess.run([sys.executable, "-I", str(script)], check=False).returncode == 0
