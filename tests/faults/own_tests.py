"""PyTensor's own tests of dot and einsum, run with a planted fault.

This module is also the pytest plugin that plants the fault in their process.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from xml.etree import ElementTree

from planted import FAULTS
from planting import planted

__all__ = ["first_failure"]

_TESTS = ("tests/xtensor/test_math.py", "tests/tensor/test_einsum.py")
_ABOUT_DOT = "dot or matmul or einsum"
# Most faults are in code that the Python linker runs, so PyTensor's tests use this linker too.
_FLAGS = "linker=py,cxx="
_PLANTED = "PLANTED_FAULT"  # the environment variable with the name of a fault

_until_exit = ExitStack()


def first_failure(checkout: Path, fault: str) -> str:
    """Return the first test that fails because of a fault; empty if none does.

    A test that fails without the fault too counts if its message is another one.
    """
    before = _failures(checkout)
    after = _failures(checkout, fault, len(before) + 1)
    return next((test for test in after if after[test] != before.get(test)), "")


@cache
def _failures(checkout: Path, fault: str = "", max_failures: int = 0) -> dict[str, str]:
    """Return the message of each test that fails, up to a number of failures if it is not 0."""
    here = Path(__file__).parent
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "report.xml")
        environment = os.environ | {
            "PYTHONPATH": os.pathsep.join([str(here), str(here.parents[1])]),
            "PYTENSOR_FLAGS": _FLAGS,
            _PLANTED: fault,
        }
        command = [sys.executable, "-m", "pytest", "-q", "-p", "own_tests", "-c", os.devnull]
        command += ["-p", "no:cacheprovider", "--rootdir", ".", f"--junitxml={report}"]
        command += [f"--maxfail={max_failures}", *_TESTS, "-k", _ABOUT_DOT]
        subprocess.run(command, cwd=checkout, env=environment, capture_output=True, check=False)
        cases = ElementTree.parse(report).iter("testcase")
        return {
            str(case.get("name")): problem.get("message", "")
            for case in cases
            for problem in case
            if problem.tag in ("failure", "error")
        }


def pytest_configure() -> None:
    """Plant the fault when pytest loads this file as a plugin for PyTensor's own tests."""
    if name := os.environ.get(_PLANTED):
        by_name = {fault.name: fault for fault in FAULTS}
        _until_exit.enter_context(planted(by_name[name]))
