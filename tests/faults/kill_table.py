"""Measure what catches each planted fault: refdot, a naive fuzz, or PyTensor's own tests.

    python tests/faults/kill_table.py --sample 20 --jobs 2
    python tests/faults/kill_table.py --record --naive --pytensor-tests PATH
    python tests/faults/kill_table.py --page

The first command measures a sample, and ends with exit code 1 if a fault is not caught. The second
one records all that it measures for the installed version of PyTensor. PATH is a checkout of that
version, because the wheel does not contain PyTensor's tests. The third one writes the page of the
documentation from the records. Faults are planted in processes other than this one.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

import naive_fuzz
import own_tests
import pytensor
from catching import can_run, cases_needed
from planted import FAULTS
from planting import planted

from refdot.check.plan import evenly_spaced
from refdot.check.pool import WorkerDiedError, WorkerPool
from refdot.pytensor.lowerings.install import use_lowering

RECORDS = Path(__file__).parent / "caught"
PAGE = Path(__file__).parents[2] / "docs" / "planted-faults.md"
NAIVE_CASES = 100
# A process that plants more faults than this holds too many compiled functions.
FAULTS_PER_PROCESS = 40
# What catches a fault that ends the process.
DIED = "the process died"
BY_NAME = {fault.name: fault for fault in FAULTS}


@dataclass
class Row:
    """What catches a fault.

    Attributes
    ----------
    backend : str
        The backend that judges it.
    caught_by : str
        The rule, kind and stage of the mismatch with the first seed; empty if there is none.
    needed : list of int
        The number of cases that refdot needs, for each seed with which it catches the fault.
    seeds : int
        The number of seeds.
    naive : int, optional
        The number of cases that the naive fuzz needs; 0 if it does not catch the fault, None if it
        did not run.
    own : str, optional
        The first of PyTensor's own tests that fails; empty if none does, None if they did not run.
    """

    backend: str
    caught_by: str
    needed: list[int]
    seeds: int
    naive: int | None = None
    own: str | None = None

    @property
    def is_caught(self) -> bool:
        """Whether refdot catches the fault with each seed."""
        return self.caught_by == DIED or len(self.needed) == self.seeds


def row_of(name: str, seeds: int, naive: bool, checkout: Path | None) -> tuple[str, Row, float]:
    """Plant a fault, and return its name, what catches it, and the seconds that this took."""
    started = time.monotonic()
    fault = BY_NAME[name]
    found = [cases_needed(fault, seed) for seed in range(seeds)]
    caught = [each for each in found if each is not None]
    caught_by = found[0][1].signature.partition(":")[0] if found[0] else ""
    row = Row(fault.backend, caught_by, [number for number, _ in caught], seeds)
    # The naive fuzz and PyTensor's tests of dot run with the Python linker.
    if fault.backend == "python":
        if naive:
            with planted(fault), use_lowering(fault.lowering):
                row.naive = naive_fuzz.first_failure(NAIVE_CASES) or 0
        if checkout:
            row.own = own_tests.first_failure(checkout, name)
    return name, row, time.monotonic() - started


def measure(names: Sequence[str], jobs: int, **options: Any) -> Iterator[tuple[str, Row, float]]:
    """Yield the name and row of each fault, and the seconds that it took."""
    step = jobs * FAULTS_PER_PROCESS
    for start in range(0, len(names), step):
        with WorkerPool(jobs) as pool:
            part = names[start : start + step]
            futures = {name: pool.submit(row_of, name, **options) for name in part}
            for name, future in futures.items():
                try:
                    yield future.result()
                except WorkerDiedError:  # `refdot check` starts again, and reports the case
                    yield name, Row(BY_NAME[name].backend, DIED, [], options["seeds"]), 0.0


def read(record: Path) -> dict[str, Row]:
    """Return the rows of a record: those of faults that still exist."""
    if not record.exists():
        return {}
    rows = json.loads(record.read_text(encoding="utf-8"))
    return {name: Row(**rows[name]) for name in BY_NAME if name in rows}


def write(record: Path, rows: dict[str, Row]) -> None:
    """Write the rows of a record, in the order of the faults."""
    text = {name: asdict(rows[name]) for name in BY_NAME if name in rows}
    lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(row)}" for name, row in text.items())
    record.parent.mkdir(exist_ok=True)
    record.write_text(f"{{\n{lines}\n}}\n", encoding="utf-8")


def page(records: dict[str, dict[str, Row]]) -> str:
    """Return the page of the documentation, from the rows of each version of PyTensor."""
    versions = list(records)
    newest = records[versions[-1]]
    count = len({name for rows in records.values() for name in rows})
    naive = [row.naive for row in newest.values() if row.naive is not None]
    own = [row.own for row in newest.values() if row.own is not None]
    lines = ["# Planted faults", "", PREAMBLE.format(count=count), ""]
    lines += [OTHER_TESTS, ""] if naive or own else []
    lines += ["| caught by | PyTensor | of | faults |", "|---|---|--:|--:|"]
    for version, rows in records.items():
        caught = sum(row.is_caught for row in rows.values())
        lines.append(f"| `refdot check` | {version} | {len(rows)} | {caught} |")
    for label, found in (
        (f"the naive fuzz, {NAIVE_CASES} cases", naive),
        ("PyTensor's own tests", own),
    ):
        if found:
            lines.append(f"| {label} | {versions[-1]} | {len(found)} | {sum(map(bool, found))} |")
    titles = [f"cases on {version}" for version in versions]
    if naive or own:
        titles += ["naive fuzz", "PyTensor's tests"]
    lines += ["", f"| fault | caught by | {' | '.join(titles)} |"]
    lines.append(f"|---|---|{'--:|' * len(titles)}")
    for name, row in newest.items():
        where = "" if row.backend == "python" else f" on {row.backend}"
        needed = [_needed(rows.get(name)) for rows in records.values()]
        others = [str(row.naive or "-"), f"`{row.own}`" if row.own else "-"]
        others = others if naive or own else []
        cells = [name, (row.caught_by or "nothing") + where, *needed, *others]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _needed(row: Row | None) -> str:
    """Return how many cases a fault needs, as text."""
    if row is None or not row.needed:
        return "-"
    return f"{median(row.needed):g}"


PREAMBLE = """\
How good is the checker? The package `tests/faults/planted` contains faults, each a mistake
that a developer could make in PyTensor: in building the graph, in its lowering, in einsum, in
gradients, in rewrites, in operations and in the code of a backend. They are planted one at a time.
A fault counts as caught if the cases of `refdot check` for its backend show a new
mismatch in the aspect (`--only`) that the fault concerns, or if the process ends, upon which
`refdot check` starts again and names the case. The table has {count} faults, with one seed. A fault
that was not caught has "nothing" in its row. PyTensor 3.0.7 is measured with Python 3.11, for which
JAX is not installed.

The page is written by `python tests/faults/kill_table.py --page`, from what the same command
measures with `--record`. The columns of cases give the median over the seeds of the number of cases
that refdot judges until it catches the fault."""
OTHER_TESTS = """\
The naive fuzz (`tests/faults/naive_fuzz.py`) is a
test as one would write it without refdot. It draws random names and shapes and ordinary numbers,
compares values and gradients with NumPy's einsum by `assert_allclose`, and expects an error for
sizes that differ. The last column names the first of PyTensor's own tests of dot and einsum that
fails with the fault but not without it, or fails with another message."""


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("faults", nargs="*", metavar="FAULT", help="part of a fault's name; all")
    parser.add_argument("--sample", type=int, metavar="N", help="N faults at equal distances")
    parser.add_argument("--seeds", type=int, default=1, metavar="N", help="number of seeds; 1")
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="number of processes; 1")
    parser.add_argument("--naive", action="store_true", help="run the naive fuzz as well")
    parser.add_argument("--pytensor-tests", type=Path, metavar="PATH", help="checkout of PyTensor")
    parser.add_argument("--record", action="store_true", help="record what is measured")
    parser.add_argument("--missing", action="store_true", help="only faults without a record")
    parser.add_argument("--page", action="store_true", help="write the page from the records")
    options = parser.parse_args()
    if options.page:
        records = {path.stem: read(path) for path in sorted(RECORDS.glob("*.json"))}
        PAGE.write_text(page(records), encoding="utf-8")
        return 0
    parts = options.faults or [""]
    names = [
        fault.name
        for fault in FAULTS
        if can_run(fault) and any(part in fault.name for part in parts)
    ]
    record = RECORDS / f"{pytensor.__version__}.json"
    rows = read(record)
    if options.missing:
        names = [name for name in names if name not in rows]
    if options.sample:
        names = [names[index] for index in evenly_spaced(options.sample, len(names), seed=0)]
    escaped = []
    measured = measure(
        names,
        options.jobs,
        seeds=options.seeds,
        naive=options.naive,
        checkout=options.pytensor_tests,
    )
    for name, row, seconds in measured:
        print(
            f"{seconds:5.0f} s  {row.needed!s:8} {row.caught_by or 'ESCAPED'}: {name}", flush=True
        )
        if not row.is_caught:
            escaped.append(name)
        if options.record:
            rows[name] = row
            write(record, rows)
    print(f"{len(names)} faults, {len(escaped)} not caught with each seed: {escaped}")
    return int(bool(escaped))


if __name__ == "__main__":
    sys.exit(main())
