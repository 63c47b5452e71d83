"""The first programs of a run catch each fault that only a composition shows, and shrink it."""

from __future__ import annotations

import logging
import runpy
import warnings
from pathlib import Path

import pytest
from catching import TARGET
from planted.programs import FAULTS, ProgramFault
from planting import planted

from refdot.programs.smoke import smoke_programs
from refdot.pytensor.lowerings.install import use_lowering
from refdot.pytensor.programs.campaign import check_programs
from refdot.pytensor.programs.findings import ProgramFinding
from refdot.pytensor.programs.reproducer import program_reproducer

BY_NAME = {fault.name: fault for fault in FAULTS}


def first_new_finding(lowering: str) -> ProgramFinding | None:
    for case in smoke_programs():
        for finding in check_programs(TARGET, [case], ["python"], [lowering]):
            if finding.known is None:
                return finding
    return None


@pytest.mark.parametrize("fault", FAULTS, ids=BY_NAME)
def test_the_first_programs_catch_a_fault_and_shrink_it(fault: ProgramFault, tmp_path) -> None:
    with planted(fault):
        finding = first_new_finding(fault.lowering)
    assert finding is not None
    assert len(finding.first.case.program.steps) <= fault.steps, finding.first.case
    path = tmp_path / "reproducer.py"
    path.write_text(program_reproducer(finding.first), encoding="utf-8")
    with planted(fault):
        assert exit_code(path) == 1
    assert exit_code(path) == 0


def exit_code(path: Path) -> int:
    """Run a script in this process, and undo its settings."""
    with use_lowering("stock"), warnings.catch_warnings():
        with pytest.raises(SystemExit) as stopped:
            runpy.run_path(str(path), run_name="__main__")
        logging.getLogger("pytensor").setLevel(logging.NOTSET)
    return int(stopped.value.code or 0)


@pytest.mark.parametrize("lowering", TARGET.lowerings)
def test_the_first_programs_find_only_what_is_known_in_released_pytensor(lowering: str) -> None:
    assert first_new_finding(lowering) is None


def test_faults_are_many_and_have_distinct_names() -> None:
    assert len(BY_NAME) == len(FAULTS) >= 20
