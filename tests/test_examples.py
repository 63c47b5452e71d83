"""Each example runs in a separate process, without warnings, and its assertions hold."""

import re
import runpy
from importlib import import_module
from pathlib import Path

import pytest
from processes import run_python

ROOT = Path(__file__).parent.parent
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
USE_PYTENSOR = [path for path in EXAMPLES if "import pytensor" in path.read_text("utf-8")]
PLOTTING = [path for path in EXAMPLES if "import matplotlib" in path.read_text("utf-8")]
NEED_PYTENSOR = [path for path in EXAMPLES if path.name.startswith(("10", "11", "12"))]
# A module that is None in sys.modules cannot be imported, as if it were not installed.
WITHOUT_PYTENSOR = "import runpy, sys; sys.modules['pytensor'] = None; runpy.run_path(sys.argv[1])"

every_example = pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)


@pytest.fixture(autouse=True, scope="session")
def font_cache():
    """Fill matplotlib's font cache, since a process that has to fill it may log a warning."""
    import_module("matplotlib.font_manager")


def run(folder, *arguments):
    """Run Python in a folder, with every warning as an error, and return its output."""
    completed = run_python("-W", "error", *arguments, folder=folder, MPLBACKEND="agg")
    assert completed.returncode == 0, completed.stderr
    assert completed.stderr == ""
    return completed.stdout


@every_example
def test_an_example_runs_with_a_short_output_and_without_warnings(path, tmp_path):
    if path in USE_PYTENSOR + NEED_PYTENSOR:
        lines = run(tmp_path, path).splitlines()
    else:
        lines = run(tmp_path, "-c", WITHOUT_PYTENSOR, path).splitlines()
    assert 1 <= len(lines) <= 60
    assert max(map(len, lines)) <= 200
    assert {left.name for left in tmp_path.iterdir()} <= {"output", ".hypothesis"}
    assert all(path.suffix == ".svg" for path in tmp_path.glob("output/*"))


@pytest.mark.parametrize("path", PLOTTING, ids=lambda path: path.stem)
def test_an_example_runs_on_a_slow_machine(path, tmp_path):
    fast_clock = "clock = time.perf_counter; time.perf_counter = lambda: 1000 * clock()"
    script = f"import runpy, sys, time; {fast_clock}; runpy.run_path(sys.argv[1])"
    assert run(tmp_path, "-c", script, path)


@pytest.mark.parametrize(
    "path",
    [path for path in USE_PYTENSOR if path not in NEED_PYTENSOR],
    ids=lambda path: path.stem,
)
def test_pytensor_is_optional_where_it_only_confirms_the_result(path, tmp_path):
    assert "PyTensor agrees" not in run(tmp_path, "-c", WITHOUT_PYTENSOR, path)


@every_example
def test_an_example_begins_with_a_title_and_ends_with_assertions(path):
    before, *cells = path.read_text("utf-8").split("# %%")
    assert before == ""
    assert cells[0].startswith(" [markdown]\n# # ")
    assert "assert " in [cell for cell in cells if not cell.startswith(" [markdown]")][-1]
    words = sum(len(cell.split()) for cell in cells if cell.startswith(" [markdown]"))
    assert words >= 100


@pytest.mark.parametrize("path", EXAMPLES[:5], ids=lambda path: path.stem)
def test_the_first_examples_have_two_exercises_whose_answers_run(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    *_, last = path.read_text("utf-8").split("# %% [markdown]\n")
    text = "\n".join(line.removeprefix("#").removeprefix(" ") for line in last.splitlines())
    assert text.startswith("## Exercises\n")
    answers = re.findall(r"<summary>Answer</summary>\n(.*?)</details>", text, re.DOTALL)
    assert len(answers) == 2
    names = runpy.run_path(str(path))
    for answer in answers:
        (code,) = re.findall(r"```python\n(.*?)```", answer, re.DOTALL)
        assert "assert" in code
        exec(code, names)


def test_examples_are_numbered_consecutively_from_1():
    assert [int(path.name[:2]) for path in EXAMPLES] == list(range(1, len(EXAMPLES) + 1))
    assert len(EXAMPLES) >= 11
