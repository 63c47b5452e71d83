"""Write a table of what catches each planted fault: refdot, a naive fuzz, or PyTensor's own tests.

    python tests/faults/kill_table.py --pytensor-tests PATH --write docs/planted-faults.md

PATH is a checkout of PyTensor at the installed version, because the wheel does not contain its
tests. Without PATH, the table has no column for them. Without `--write`, the page is printed. Each
fault is planted in a separate process.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple
from xml.etree import ElementTree

import pytensor
from naive_fuzz import first_failure
from planted import FAULTS
from planting import Fault, cases_needed, planted

from refdot.pytensor.lowerings.install import use_lowering

SEEDS = range(10)
NAIVE_CASES = 100
OWN_TESTS = ("tests/xtensor/test_math.py", "tests/tensor/test_einsum.py")
OWN_TESTS_ABOUT_DOT = "dot or matmul or einsum"
# The faults are in code that the Python linker runs, so PyTensor's tests use this linker too.
OWN_FLAGS = "linker=py,cxx="
PLANTED = "PLANTED_FAULT"  # the environment variable with the name of a fault

_until_exit = ExitStack()
BY_NAME = {fault.name: fault for fault in FAULTS}


class Row(NamedTuple):
    """A row of the table: what catches a fault.

    Attributes
    ----------
    name, aspect : str
    caught_by : str
        The rule, kind and stage of the mismatch that refdot reports with the first seed.
    needed : list of int
        The number of cases that refdot needs, for each seed.
    naive : int, optional
        The number of cases that the naive fuzz needs, if it catches the fault.
    own : str, optional
        The first of PyTensor's own tests that fails; empty if none does, None if they did not run.
    """

    name: str
    aspect: str
    caught_by: str
    needed: list[int]
    naive: int | None
    own: str | None


def row_of(name: str, tests: Path | None, before: dict[str, str]) -> Row:
    """Plant a fault and return what catches it."""
    fault = BY_NAME[name]
    caught = [found for seed in SEEDS if (found := cases_needed(fault, seed)) is not None]
    with planted(fault), use_lowering(fault.lowering):
        naive = first_failure(NAIVE_CASES)
    own = None
    if tests is not None:
        # A test that fails without the fault too counts if its message is another one.
        after = failures(tests, fault, len(before) + 1)
        own = next((test for test in after if after[test] != before.get(test)), "")
    caught_by = caught[0][1].signature.partition(":")[0] if caught else "nothing"
    return Row(name, fault.aspect, caught_by, [number for number, _ in caught], naive, own)


def failures(tests: Path, fault: Fault | None = None, max_failures: int = 0) -> dict[str, str]:
    """Run PyTensor's own tests of dot and einsum in a separate process.

    Parameters
    ----------
    tests : Path
        The checkout of PyTensor.
    fault : Fault, optional
    max_failures : int, optional
        The number of failures that ends the run; 0 for no limit.

    Returns
    -------
    dict
        The message of each test that fails.
    """
    here = Path(__file__).parent
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "report.xml")
        environment = os.environ | {
            "PYTHONPATH": os.pathsep.join([str(here), str(here.parents[1])]),
            "PYTENSOR_FLAGS": OWN_FLAGS,
            PLANTED: fault.name if fault else "",
        }
        command = [sys.executable, "-m", "pytest", "-q", "-p", "kill_table", "-c", os.devnull]
        command += ["-p", "no:cacheprovider", "--rootdir", ".", f"--junitxml={report}"]
        command += [f"--maxfail={max_failures}"]
        command += [*OWN_TESTS, "-k", OWN_TESTS_ABOUT_DOT]
        subprocess.run(command, cwd=tests, env=environment, capture_output=True, check=False)
        cases = ElementTree.parse(report).iter("testcase")
        return {
            str(case.get("name")): problem.get("message", "")
            for case in cases
            for problem in case
            if problem.tag in ("failure", "error")
        }


def pytest_configure() -> None:
    """Plant the fault when pytest loads this file as a plugin for PyTensor's own tests."""
    if name := os.environ.get(PLANTED):
        _until_exit.enter_context(planted(BY_NAME[name]))


def rows(names: Sequence[str], tests: Path | None, jobs: int) -> Iterable[Row]:
    """Yield the row of each fault, computed in a separate process."""
    before = failures(tests) if tests else {}
    # A forked process would share the state and the caches of PyTensor with this one.
    spawn: dict[str, Any] = {"mp_context": get_context("spawn"), "max_tasks_per_child": 1}
    with ProcessPoolExecutor(jobs, **spawn) as pool:
        count = len(names)
        for row in pool.map(row_of, names, [tests] * count, [before] * count):
            print(row, file=sys.stderr, flush=True)
            yield row


def page(table: list[Row]) -> str:
    """Return the page of the documentation."""
    total = len(table)
    medians = [median(row.needed) for row in table if row.needed]
    has_own = table[0].own is not None
    caught = {
        f"`refdot check`, with each of {len(SEEDS)} seeds": sum(
            len(row.needed) == len(SEEDS) for row in table
        ),
        f"the naive fuzz, {NAIVE_CASES} cases": sum(row.naive is not None for row in table),
    }
    if has_own:
        caught["PyTensor's own tests"] = sum(bool(row.own) for row in table)
    python = ".".join(platform.python_version_tuple()[:2])
    lines = [
        "# Planted faults",
        "",
        PREAMBLE.format(count=total, seeds=len(SEEDS), version=pytensor.__version__, python=python),
        "",
        "| caught by | of | faults |",
        "|---|--:|--:|",
        *(f"| {name} | {total} | {count} |" for name, count in caught.items()),
        "",
        f"refdot needs a median of fewer than 30 cases for {sum(n < 30 for n in medians)} of the "
        f"faults, and at most {max(medians):g}.",
        "",
        "| fault | caught by | cases: median | most | naive fuzz |"
        + " PyTensor's tests |" * has_own,
        "|---|---|--:|--:|--:|" + "--:|" * has_own,
    ]
    for row in table:
        cells = [row.name, row.caught_by]
        cells += [f"{median(row.needed):g}", f"{max(row.needed)}"] if row.needed else ["-", "-"]
        cells.append(str(row.naive or "-"))
        if has_own:
            cells.append(f"`{row.own}`" if row.own else "-")
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


PREAMBLE = """\
How good is the checker? `tests/faults/planted.py` contains {count} faults, each a mistake that a
developer could make in PyTensor: in building the graph, in its lowering, in einsum, in gradients,
in rewrites and in operations. They are planted one at a time. A fault counts as caught if the
default cases of `refdot check` show a new mismatch in the aspect (`--only`) that the fault
concerns. The test suite verifies on every interpreter that each fault is caught.

This is the table for PyTensor {version} on Python {python}. This command writes it:

    python tests/faults/kill_table.py --pytensor-tests PATH --write docs/planted-faults.md

PATH is a checkout of PyTensor. The columns "median" and "most" give the number of cases that refdot
judges until it catches the fault, over {seeds} seeds. The naive fuzz (`tests/faults/naive_fuzz.py`)
is a test as one would write it without refdot. It draws random names and shapes and ordinary
numbers, compares values and gradients with NumPy's einsum by `assert_allclose`, and expects an
error for sizes that differ. The last column names the first of PyTensor's own tests of dot and
einsum that fails with the fault but not without it, or fails with another
message."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "faults", nargs="*", default=[*BY_NAME], metavar="FAULT", help="name of a fault; all"
    )
    parser.add_argument("--pytensor-tests", type=Path, metavar="PATH", help="checkout of PyTensor")
    parser.add_argument("--write", type=Path, metavar="FILE", help="page to write, not print")
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="number of processes")
    options = parser.parse_args()
    text = page(list(rows(options.faults, options.pytensor_tests, options.jobs)))
    if options.write:
        options.write.write_text(text, encoding="utf-8")
    else:
        print(text)


if __name__ == "__main__":
    main()
