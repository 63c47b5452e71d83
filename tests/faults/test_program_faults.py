"""The first programs of a run catch each fault that only a composition shows, and shrink it."""

from __future__ import annotations

import gc
import logging
import runpy
import warnings
from pathlib import Path

import pytest
from first_programs import BACKENDS, TARGET, first_new_finding, likely_first, programs_of
from planted.programs import FAULTS, ProgramFault
from planting import planted

from refdot.check import shrink
from refdot.check.shrink import confirmed_program
from refdot.pytensor.lowerings.install import use_lowering

BY_NAME = {fault.name: fault for fault in FAULTS}


@pytest.fixture(autouse=True)
def no_time_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shrink to the smallest program, however slow or busy the machine is."""
    monkeypatch.setattr(shrink, "_PROGRAM_LIMITS", ())


@pytest.mark.parametrize("fault", FAULTS, ids=BY_NAME)
def test_the_first_programs_catch_a_fault_and_shrink_it(fault: ProgramFault, tmp_path) -> None:
    if fault.backend not in BACKENDS:
        pytest.skip(f"{fault.backend} cannot run here")
    with planted(fault):
        found = first_new_finding(likely_first(fault), fault.lowering, fault.backend)
        assert found is not None
        finding = confirmed_program(TARGET, found)
    assert len(finding.case.program.steps) <= fault.steps, finding.case
    if fault.backend != "python":
        return  # PyTensor would store what the script compiles, and use it without the fault
    path = tmp_path / "reproducer.py"
    path.write_text(TARGET.program_reproducer(finding), encoding="utf-8")
    with planted(fault):
        assert exit_code(path) == 1
    assert exit_code(path) == 0


def exit_code(path: Path) -> int:
    """Run a script in this process, and undo its settings."""
    with use_lowering("stock"), warnings.catch_warnings():
        with pytest.raises(SystemExit) as stopped:
            runpy.run_path(str(path), run_name="__main__")
        code = int(stopped.value.code or 0)
        logging.getLogger("pytensor").setLevel(logging.NOTSET)
        # The lowering that a script installs stays as long as the script's variables.
        del stopped
        gc.collect()
    return code


@pytest.mark.parametrize("lowering", TARGET.lowerings)
def test_the_first_programs_find_only_what_is_known_in_released_pytensor(lowering: str) -> None:
    assert first_new_finding(programs_of("python"), lowering) is None


def test_faults_are_many_and_have_distinct_names() -> None:
    assert len(BY_NAME) == len(FAULTS) >= 20
