"""The list of modules is complete, and every room works with only the packages of its extra."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest
from processes import run_python

ROOT = Path(__file__).parent.parent
HOUSE = runpy.run_path(str(ROOT / "docs" / "house.py"))
PACKAGE = ROOT / "refdot"
ROOMS = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
LIMIT = 500
WRITTEN = {".css", ".jinja", ".js", ".md", ".py"}

# The third-party packages that every module of a room may import when it is imported.
CORE = {"numpy"}
CHECK = CORE | {"hypothesis", "jinja2", "msgspec", "rich"}
ALLOWED = {
    "display": CORE,
    "cases": CORE | {"hypothesis", "msgspec"},
    "programs": CORE | {"hypothesis", "msgspec"},
    "targets": CORE,
    "judging": CORE,
    "check": CORE | {"hypothesis", "msgspec"},
    "messages": CORE | {"msgspec"},
    "reporting": CHECK,
    "testing": CORE | {"hypothesis", "rich"},  # the extra `testing`
    "cli": CORE,
    # PyTensor installs numba and scipy.
    "pytensor": CHECK | {"pytensor", "packaging", "numba", "scipy"},
}
# fmt: off
OPTIONAL = {
    "dask", "haliax", "hypothesis", "jax", "jinja2", "matplotlib", "mlx", "msgspec", "numba",
    "numpy", "packaging", "pytensor", "pytest", "rich", "scipy", "torch", "xarray",
}
# fmt: on

IMPORT_ALL = """
import importlib, importlib.abc, pathlib, sys

class Block(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {blocked!r}:
            raise ModuleNotFoundError(f"{{name}} is blocked", name=name)

sys.meta_path.insert(0, Block())
for name in {modules!r}:
    importlib.import_module(name)
"""


def modules_of(room: Path) -> list[str]:
    paths = room.rglob("*.py") if room.is_dir() else [room]
    # The operations of a backend are imported together with the backend.
    names = [path for path in paths if path.name not in ("jax_ops.py", "numba_ops.py")]
    dotted = [".".join(path.relative_to(ROOT).with_suffix("").parts) for path in names]
    return sorted(name.removesuffix(".__init__") for name in dotted)


def assert_importable(modules: list[str], allowed: set[str]) -> None:
    """Import modules in a process that has only these optional packages."""
    code = IMPORT_ALL.format(blocked=sorted(OPTIONAL - allowed), modules=modules)
    imported = run_python("-c", code)
    assert (imported.returncode, imported.stderr) == (0, "")


def test_contributing_lists_every_module_with_its_summary() -> None:
    (listed,) = HOUSE["BLOCK"].findall((ROOT / "CONTRIBUTING.md").read_text("utf-8"))
    assert listed == HOUSE["house"](), "run python docs/house.py"


def test_every_module_and_room_is_in_a_layer() -> None:
    found = ROOMS | {path.stem for path in PACKAGE.glob("*.py")} - {"__init__", "__main__"}
    assert set(HOUSE["layers"]()) == found


def test_tests_mirror_the_rooms() -> None:
    folders = {path.name for path in (ROOT / "tests").iterdir() if any(path.glob("*.py"))}
    assert folders >= ROOMS
    assert folders - ROOMS == {"benchmarks", "faults", "fuzz", "spec"}


def test_every_module_has_a_summary_that_fits_on_a_line() -> None:
    for path in PACKAGE.rglob("*.py"):
        summary = HOUSE["summary"](path)
        assert summary.endswith((".", "`")), path
        assert len(summary) <= 100, path


@pytest.mark.parametrize("folder", ["refdot", "tests", "docs", "examples"])
def test_no_file_is_too_long(folder: str) -> None:
    """What a person writes; a program wrote the JSON files and the pictures."""
    paths = [path for path in (ROOT / folder).rglob("*.*") if path.suffix in WRITTEN]
    lengths = {str(path): len(path.read_text("utf-8").splitlines()) for path in paths}
    assert {path: length for path, length in lengths.items() if length > LIMIT} == {}


@pytest.mark.parametrize("room", sorted(ALLOWED))
def test_a_room_imports_only_the_packages_of_its_extra(room: str) -> None:
    assert_importable(modules_of(PACKAGE / room), ALLOWED[room])


@pytest.mark.parametrize("name", ["text", "rules", "errors", "lowering"])
def test_the_lowest_modules_need_no_package(name: str) -> None:
    assert_importable(modules_of(PACKAGE / f"{name}.py"), CORE)


def test_the_core_needs_only_numpy() -> None:
    assert_importable(["refdot", "refdot.evaluation", "refdot.tensor"], CORE)
