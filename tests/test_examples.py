"""Each example runs alone in a process of its own, warns of nothing, and its assertions hold."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
USE_PYTENSOR = [path for path in EXAMPLES if "import pytensor" in path.read_text("utf-8")]
NEED_PYTENSOR = [path for path in EXAMPLES if path.name.startswith(("10", "11"))]
# None in sys.modules is how a module that is not installed looks.
WITHOUT_PYTENSOR = "import runpy, sys; sys.modules['pytensor'] = None; runpy.run_path(sys.argv[1])"

every_example = pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)


def run(folder, *arguments):
    """Run Python in a folder, with every warning an error, and give what it printed."""
    completed = subprocess.run(
        [sys.executable, "-W", "error", *map(str, arguments)],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT), "MPLBACKEND": "agg"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert completed.returncode == 0, completed.stderr
    assert completed.stderr == ""
    return completed.stdout


@every_example
def test_it_runs_and_prints_little(path, tmp_path):
    if path in USE_PYTENSOR + NEED_PYTENSOR:
        lines = run(tmp_path, path).splitlines()
    else:
        lines = run(tmp_path, "-c", WITHOUT_PYTENSOR, path).splitlines()
    assert 1 <= len(lines) <= 60
    assert max(map(len, lines)) <= 200
    assert {left.name for left in tmp_path.iterdir()} <= {"output", ".hypothesis"}
    assert all(picture.suffix == ".svg" for picture in tmp_path.glob("output/*"))


@pytest.mark.parametrize(
    "path",
    [path for path in USE_PYTENSOR if path not in NEED_PYTENSOR],
    ids=lambda path: path.stem,
)
def test_it_does_without_pytensor_where_it_can(path, tmp_path):
    assert "PyTensor agrees" not in run(tmp_path, "-c", WITHOUT_PYTENSOR, path)


@every_example
def test_it_reads_as_prose_and_ends_with_assertions(path):
    before, *cells = path.read_text("utf-8").split("# %%")
    assert before == ""
    assert cells[0].startswith(" [markdown]\n# # ")
    assert "assert " in cells[-1]
    words = sum(len(cell.split()) for cell in cells if cell.startswith(" [markdown]"))
    assert words >= 100


def test_they_are_numbered_from_1_without_a_gap():
    assert [int(path.name[:2]) for path in EXAMPLES] == list(range(1, len(EXAMPLES) + 1))
    assert len(EXAMPLES) >= 11
