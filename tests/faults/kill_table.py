"""Who catches which planted fault: refdot, a naive fuzz, or PyTensor's own tests.

    python tests/faults/kill_table.py --pytensor-tests PATH --write docs/planted-faults.md

PATH is a checkout of PyTensor at the version that is installed, whose tests are not in its wheel.
Without it that column is left out; without `--write` the page is printed. Each fault is planted
in a process of its own.
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
from planted import FAULTS, Fault, cases_needed, planted

from refdot.pytensor.lowerings.install import use_lowering

SEEDS = range(10)
NAIVE_CASES = 100
OWN_TESTS = ("tests/xtensor/test_math.py", "tests/tensor/test_einsum.py")
OWN_TESTS_ABOUT_DOT = "dot or matmul or einsum"
# The faults are in what the Python linker runs, so it is what PyTensor's tests are run with too.
OWN_FLAGS = "linker=py,cxx="
PLANTED = "PLANTED_FAULT"

UNTIL_THE_END = ExitStack()
BY_NAME = {fault.name: fault for fault in FAULTS}


class Row(NamedTuple):
    """Who catches a fault.

    Attributes
    ----------
    name, aspect : str
    caught_by : str
        The rule, kind and stage of the mismatch that refdot reports with the first seed.
    needed : list of int
        How many cases refdot needs, for each seed.
    naive : int, optional
        How many the naive fuzz needs, if it catches it.
    own : str, optional
        The first of PyTensor's own tests that fails, empty if none does.
    """

    name: str
    aspect: str
    caught_by: str
    needed: list[int]
    naive: int | None
    own: str | None


def row_of(name: str, tests: Path | None, before: dict[str, str]) -> Row:
    """Plant a fault and ask who catches it."""
    fault = BY_NAME[name]
    caught = [found for seed in SEEDS if (found := cases_needed(fault, seed)) is not None]
    with planted(fault), use_lowering(fault.lowering):
        naive = first_failure(NAIVE_CASES)
    own = None
    if tests is not None:
        after = failures(tests, fault, len(before) + 1)
        own = next((test for test in after if after[test] != before.get(test)), "")
    caught_by = caught[0][1].signature.partition(":")[0] if caught else "nothing"
    return Row(name, fault.aspect, caught_by, [number for number, _ in caught], naive, own)


def failures(tests: Path, fault: Fault | None = None, enough: int = 0) -> dict[str, str]:
    """Run PyTensor's own tests of dot and einsum in a process of their own.

    Parameters
    ----------
    tests : Path
    fault : Fault, optional
    enough : int, optional
        How many failures end the run.

    Returns
    -------
    dict
        From each test that fails to what it says. One that fails without a fault too counts if
        it says something else then.
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
        command += [f"--maxfail={enough}"]
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
    """Plant a fault where this file is a plugin of PyTensor's own tests."""
    if name := os.environ.get(PLANTED):
        UNTIL_THE_END.enter_context(planted(BY_NAME[name]))


def rows(names: Sequence[str], tests: Path | None, jobs: int) -> Iterable[Row]:
    """Give the row of each fault, from a process of its own."""
    before = failures(tests) if tests else {}
    # A child that was forked would have the faults' names, and PyTensor's caches, of its parent.
    spawn: dict[str, Any] = {"mp_context": get_context("spawn"), "max_tasks_per_child": 1}
    with ProcessPoolExecutor(jobs, **spawn) as pool:
        count = len(names)
        for row in pool.map(row_of, names, [tests] * count, [before] * count):
            print(row, file=sys.stderr, flush=True)
            yield row


def page(table: list[Row]) -> str:
    """Write the documentation's page."""
    version, python = pytensor.__version__, platform.python_version_tuple()
    medians = sorted(median(row.needed) for row in table if row.needed)
    caught = sum(len(row.needed) == len(SEEDS) for row in table)
    soon = sum(number < 30 for number in medians)
    naive = sum(row.naive is not None for row in table)
    own = sum(bool(row.own) for row in table)
    ran_own = table[0].own is not None
    lines = [
        "# Planted faults",
        "",
        PREAMBLE.format(count=len(table), version=version, python=".".join(python[:2])),
        "",
        "| caught by | of | faults |",
        "|---|--:|--:|",
        f"| `refdot check`, with each of {len(SEEDS)} seeds | {len(table)} | {caught} |",
        f"| the naive fuzz, {NAIVE_CASES} cases | {len(table)} | {naive} |",
        *([f"| PyTensor's own tests | {len(table)} | {own} |"] if ran_own else []),
        "",
        f"refdot needs a median of fewer than 30 cases for {soon} of the faults, and at most "
        f"{max(medians):g}.",
        "",
        "| fault | caught by | cases: median | most | naive fuzz | PyTensor's tests |",
        "|---|---|--:|--:|--:|--:|",
    ]
    for row in table:
        needed = (f"{median(row.needed):g}", str(max(row.needed))) if row.needed else ("-", "-")
        own_test = "" if row.own is None else f"`{row.own}`" if row.own else "-"
        lines.append(
            f"| {row.name} | {row.caught_by} | {needed[0]} | {needed[1]} "
            f"| {row.naive or '-'} | {own_test} |"
        )
    return "\n".join(lines) + "\n"


PREAMBLE = """\
Who checks the checker? `tests/faults/planted.py` plants faults in PyTensor, one at a time ({count}
when this page was written), each a slip that somebody could make: in the building of the graph, in
its lowering, in einsum, in gradients, in rewrites and in operations that run. A fault counts as caught
if `refdot check` reports, with the option `--only` that it belongs to, a mismatch that is new. The
suite catches each of them on every interpreter.

This is the table for PyTensor {version} on Python {python}. It is written by

    python tests/faults/kill_table.py --pytensor-tests PATH --write docs/planted-faults.md

where PATH is a checkout of PyTensor. How many cases refdot judges until it catches a fault is the
median of ten seeds, and the most of them. The naive fuzz is what one writes without refdot
(`tests/faults/naive_fuzz.py`): random names and shapes, ordinary numbers, values and gradients
compared with NumPy's einsum by `assert_allclose`, an error expected where sizes differ. The last
column has the first of PyTensor's own tests, of dot and of einsum, that fails with the fault and not, or
otherwise, without it."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("faults", nargs="*", default=[*BY_NAME], help="names of faults; all")
    parser.add_argument("--pytensor-tests", type=Path, metavar="PATH", help="PyTensor's checkout")
    parser.add_argument("--write", type=Path, metavar="FILE", help="the page to write")
    parser.add_argument("--jobs", type=int, default=1, metavar="N")
    options = parser.parse_args()
    text = page(list(rows(options.faults, options.pytensor_tests, options.jobs)))
    if options.write:
        options.write.write_text(text, encoding="utf-8")
    else:
        print(text)


if __name__ == "__main__":
    main()
