"""On which releases of PyTensor does each known deviation show?

    python tests/pytensor/release_matrix.py --folder FOLDER

This unpacks the wheel of every supported release into FOLDER, unless it is there, and runs the
example of each known deviation in a process that imports the release. It writes the record of its
own version of Python, such as `tests/pytensor/releases/3.13.json`, and then the table of all
records in `docs/releases.md`. Without `--folder`, it only writes the table.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import Version

ROOT = Path(__file__).parents[2]
RECORDS = Path(__file__).with_name("releases")
PAGE = ROOT / "docs" / "releases.md"
# Older releases import these, too.
EXTRA_PACKAGES = (
    "cons",
    "etuples",
    "logical-unification",
    "miniKanren",
    "multipledispatch",
    "toolz",
)

HEAD = """\
# Releases of PyTensor

refdot supports PyTensor {supported}. The table shows on which releases the example of each known
deviation deviates (●) and on which it does not (·). It was measured with

{environments}

A release that behaves differently on these versions of Python is marked ◐. The test suite compares
the version ranges of the known deviations with the records.

"""
PROGRAMS_HEAD = """
## Programs

The known deviations of programs, which are compositions of dots with other operations:

"""


def supported() -> SpecifierSet:
    """Return the releases of PyTensor that the extra `check` accepts."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    (requirement,) = (
        Requirement(text)
        for text in project["optional-dependencies"]["check"]
        if text.startswith("pytensor")
    )
    return requirement.specifier


def pip(*arguments: object) -> str:
    command = [sys.executable, "-m", "pip", *map(str, arguments)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def releases() -> list[str]:
    """Return the supported releases on the package index, the oldest first."""
    listed = pip("index", "versions", "pytensor").partition("Available versions:")[2]
    versions = listed.partition("\n")[0].replace(",", " ").split()
    return sorted(supported().filter(versions), key=Version)


def unpack(folder: Path, *requirements: str) -> Path:
    """Unpack wheels into a folder, unless it is there, and without what they require."""
    if not folder.exists():
        pip("install", "--no-deps", "--only-binary", ":all:", "--target", folder, *requirements)
    return folder


def deviating(release: Path, extra: Path) -> dict[str, list[str]]:
    """Return the known deviations whose example deviates, from a process with that release."""
    completed = subprocess.run(
        [sys.executable, "-W", "ignore", __file__, "--probe"],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(map(str, (release, ROOT, extra)))},
        check=True,
        capture_output=True,
        text=True,
    )
    shown: dict[str, list[str]] = json.loads(completed.stdout)
    return shown


def probe() -> dict[str, list[str]]:
    """Return the known deviations whose example deviates on the PyTensor of this process."""
    from refdot.pytensor.deviations import DEVIATIONS
    from refdot.pytensor.programs.deviations import PROGRAM_DEVIATIONS
    from refdot.pytensor.programs.target import PyTensorProgramTarget

    target = PyTensorProgramTarget()
    absent = {backend.name: backend.absent for backend in target.backends()}
    for name in {name for deviation in DEVIATIONS for name in deviation.backends}:
        assert not absent[name], absent[name]
    return {
        "releases": [each.id for each in DEVIATIONS if deviates(target, each)],
        "programs": [each.id for each in PROGRAM_DEVIATIONS if program_deviates(target, each)],
    }


def deviates(target: Any, deviation: Any) -> bool:
    """Whether the example has a mismatch of the deviation, on one backend and any lowering."""
    from refdot.judging.comparison import compare

    backend = (deviation.backends or ("python",))[0]
    for lowering in deviation.lowerings or target.default_lowerings:
        outcome = target.run(deviation.example, backend, lowering)
        for mismatch in compare(deviation.example, outcome, target):
            is_such = mismatch.rule in deviation.rules and mismatch.kind in deviation.kinds
            if is_such and deviation.matches(mismatch, outcome):
                return True
    return False


def program_deviates(target: Any, deviation: Any) -> bool:
    """Whether the example has a mismatch of the deviation, whatever its range of versions is."""
    from refdot.programs.findings import Observation
    from refdot.pytensor.programs.judge import judge_program

    backend = (deviation.backends or ("python",))[0]
    for lowering in deviation.lowerings or target.default_lowerings:
        for difference in judge_program(target, deviation.example, backend, lowering):
            seen = Observation(deviation.example, difference, backend, lowering)
            if difference.kind in deviation.kinds and deviation.matches(seen, target):
                return True
    return False


def record(folder: Path) -> dict[str, Any]:
    """Run the examples on every release."""
    from importlib.metadata import version

    extra = unpack(folder / "extra", *EXTRA_PACKAGES)
    found: dict[str, dict[str, list[str]]] = {"releases": {}, "programs": {}}
    for release in releases():
        shown = deviating(unpack(folder / release, f"pytensor=={release}"), extra)
        for kind, names in shown.items():
            found[kind][release] = names
        print(f"{release}: {sum(map(len, shown.values()))} known deviations", flush=True)
    versions = {name: version(name) for name in ("numpy", "jax", "numba")}
    return {"python": platform.python_version(), **versions, **found}


def records() -> dict[str, Any]:
    """Return the record of each version of Python, such as "3.13"."""
    return {path.stem: json.loads(path.read_text("utf-8")) for path in sorted(RECORDS.iterdir())}


def page(recorded: dict[str, Any]) -> str:
    """Return the page with both tables."""
    environments = "\n".join(
        "- Python {python}, NumPy {numpy}, Numba {numba} and JAX {jax}".format(**each)
        for each in recorded.values()
    )
    lowest = str(supported()).replace(">=", "from ") + " on"
    head = HEAD.format(supported=lowest, environments=environments)
    return head + table(recorded, "releases") + PROGRAMS_HEAD + table(recorded, "programs")


def table(recorded: dict[str, Any], kind: str) -> str:
    """Return the table of the known deviations of dots, or of programs."""
    found = [each[kind] for each in recorded.values()]
    columns = sorted({release for releases in found for release in releases}, key=Version)
    names = sorted({name for releases in found for shown in releases.values() for name in shown})
    rows = [["known deviation", *columns], ["---", *[":-:"] * len(columns)]]
    for name in names:
        cells = ({name in each[column] for each in found if column in each} for column in columns)
        rows.append([f"`{name}`", *("◐" if len(cell) > 1 else "·●"[cell.pop()] for cell in cells)])
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--folder", type=Path, help="where the releases are, or will be")
    parser.add_argument("--probe", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.probe:
        print(json.dumps(probe()))
        return
    if options.folder:
        path = RECORDS / "{}.{}.json".format(*sys.version_info)
        path.write_text(json.dumps(record(options.folder), indent=1) + "\n", encoding="utf-8")
    PAGE.write_text(page(records()), encoding="utf-8")


if __name__ == "__main__":
    main()
