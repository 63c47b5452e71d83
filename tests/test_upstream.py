"""The edits of PyTensor in docs/upstream: they apply, and the edited PyTensor works as claimed."""

from __future__ import annotations

import json
import re
import runpy
import shutil
from pathlib import Path

import pytensor
import pytest
from processes import run_python

ROOT = Path(__file__).parent.parent
UPSTREAM = ROOT / "docs" / "upstream"
NEW = (
    "xtensor/rewriting/contraction.py",
    "xtensor/rewriting/ops.py",
    "link/numba/dispatch/xtensor.py",
    "link/jax/dispatch/xtensor.py",
)
CHANGED = (
    "xtensor/rewriting/math.py",
    "link/numba/dispatch/__init__.py",
    "link/jax/dispatch/__init__.py",
)

SIZES = """
import pytest
from pytensor.xtensor import dot, xtensor

x, y = xtensor("x", dims=("a", "b"), shape=(2, None)), xtensor("y", dims=("a", "b"))
assert dot(x, y, dim="b").type.shape == dot(y, x, dim="b").type.shape == (2,)
assert dot(x, y, dim=...).type.shape == ()
z = xtensor("z", dims=("c", "a"), shape=(4, 3))
assert dot(y, z).type.dims == ("b", "c")
with pytest.raises(ValueError, match="^Dimension a has conflicting shapes$"):
    dot(x, z, dim="b")
with pytest.raises(ValueError, match="^Size of dim 'a' does not match$"):
    dot(x, z)
"""


SOFTMAX = """
import sys
import numpy as np, pytensor, pytensor.tensor as pt
from pytensor.compile.mode import Mode
from pytensor.graph.rewriting.utils import rewrite_graph
from pytensor.xtensor import as_xtensor, dot
from pytensor.xtensor.math import softmax

assert not any(name.startswith("refdot") for name in sys.modules)
x, y = pt.tensor("x", shape=(2, 3)), pt.tensor("y", shape=(3, 5))
named = as_xtensor(x, dims=("a", "b")), as_xtensor(y, dims=("b", "c"))
loss = dot(softmax(named[0], dim="b"), named[1]).sum().values
loss = rewrite_graph(loss, include=("lower_xtensor",), clone=True)
mode = Mode(linker="py", optimizer="fast_run")
with pytensor.config.change_flags(cxx="", mode=mode):
    function = pytensor.function([x, y], [loss, *pytensor.grad(loss, [x, y])], mode=mode)
    answers = function(np.arange(6.0).reshape(2, 3) * 1000, np.ones((3, 5)))
assert all(np.isfinite(answer).all() for answer in answers), answers
print(pytensor.__file__)
"""


CONTRACTIONS = """
import sys
import numpy as np
from pytensor.xtensor.rewriting.contraction import Contraction, symbols

assert not any(name.startswith("refdot") for name in sys.modules)
random = np.random.default_rng(0)


def performed(subscripts, x, y):
    op, outputs = Contraction(subscripts), [[None]]
    op.perform(op.make_node(x, y), [x, y], outputs)
    return outputs[0][0]


for subscripts in ("ab,bc->ac", "abc,acd->dab", "ab,ab->ba", "abc,ad->cd", "a,b->", ",ab->b"):
    operands, _ = subscripts.split("->")
    for dtypes in (("float64", "float64"), ("int8", "int8"), ("bool", "bool"), ("int8", "float32")):
        x, y = (
            random.integers(0, 9, [2 + "abcd".index(letter) for letter in letters]).astype(dtype)
            for letters, dtype in zip(operands.split(","), dtypes)
        )
        answer, expected = performed(subscripts, x, y), np.einsum(subscripts, x, y)
        assert answer.dtype == expected.dtype and np.array_equal(answer, expected), subscripts

letters = "".join(symbols(64))
x = np.arange(2.0).reshape((1,) * 63 + (2,))
assert performed(f"{letters},{letters}->", x, x) == 1
assert performed(f"{letters},{letters}->{letters}", x, x).shape == x.shape
"""


def copy_of_pytensor(folder: Path) -> Path:
    """Copy the installed PyTensor into a folder, and return the package."""
    installed, package = Path(pytensor.__file__).parent, folder / "pytensor"
    shutil.copytree(installed, package, ignore=shutil.ignore_patterns("__pycache__"))
    return package


@pytest.fixture(scope="module")
def edited(tmp_path_factory) -> Path:
    """Return the folder of a copy of PyTensor with the contraction."""
    folder = tmp_path_factory.mktemp("edited")
    package = copy_of_pytensor(folder)
    assert not any((package / path).exists() for path in NEW)
    written = runpy.run_path(str(UPSTREAM / "apply_contraction.py"))["apply"](package)
    assert {path.relative_to(package).as_posix() for path in written} == {*NEW, *CHANGED}
    return folder


def test_the_edited_dot_declares_each_size_that_an_operand_knows(tmp_path):
    package = copy_of_pytensor(tmp_path)
    apply_sizes = runpy.run_path(str(UPSTREAM / "apply_sizes.py"))["apply"]
    assert apply_sizes(package) == [package / "xtensor" / "math.py"]
    ran = run_python("-c", SIZES, folder=tmp_path)
    assert (ran.returncode, ran.stderr) == (0, "")
    with pytest.raises(SystemExit, match="has not exactly one passage"):
        apply_sizes(package)


def test_scripts_of_defects_fail_while_the_defects_are_there(tmp_path):
    text = (UPSTREAM / "defects.md").read_text("utf-8")
    scripts = re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert len(scripts) == text.count("\n## ")
    for script in scripts:
        ran = run_python("-c", script, folder=tmp_path)
        last = ran.stderr.splitlines()[-1]
        assert ran.returncode == 1
        errors = (
            "AssertionError",
            "TypeError: The type of the repl",
            "ValueError: Cannot rename dims",
        )
        assert last.startswith(errors)


def test_the_edited_files_do_not_mention_refdot(edited):
    for path in NEW + CHANGED:
        text = (edited / "pytensor" / path).read_text(encoding="utf-8")
        assert "refdot" not in text
        assert re.findall(r"\bR\d+\b", text) == []


def test_the_edited_softmax_is_stable_without_refdot(edited):
    ran = run_python("-c", SOFTMAX, folder=edited)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout.startswith(str(edited))


def test_an_edited_contraction_that_is_not_expanded_is_right_without_refdot(edited):
    ran = run_python("-c", CONTRACTIONS, folder=edited)
    assert (ran.returncode, ran.stderr) == (0, "")


def test_all_mismatches_of_the_edited_dot_come_before_the_lowering(edited, tmp_path):
    options = [
        "--backend",
        "python",
        "--lowering",
        "stock",
        "--quick",
        "--cases",
        "40",
        "--seed",
        "4",
    ]
    options += ["--strict", "--report", str(tmp_path)]
    ran = run_python("-m", "refdot", "check", *options, folder=edited)
    assert ran.returncode == 1, ran.stderr
    report = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert report["cases"] > 40  # with the fixed cases
    found = {mismatch["signature"] for mismatch in report["mismatches"]}
    known = (
        " at build: ",  # the arguments of dot, and the declared output
        "R8 accepted-invalid at lower: the gradient of",  # PyTensor's gradient of integers
        "R8 wrong-gradient at lower: TypeError: Gradients must",  # ... and of complex numbers
        "R13 late-error at run: batch",  # `Dot.make_node` only compares contracted sizes
    )
    assert [signature for signature in found if not any(text in signature for text in known)] == []


def test_tables_of_measurements_have_multiples_of_plain_and_what_was_stopped():
    measure = runpy.run_path(str(UPSTREAM / "measure.py"))
    seconds = dict.fromkeys(measure["PHASES"], 0.25)
    plain = {"backend": "python", "layers": 1, "variant": "plain", "seconds": seconds}
    plain |= {"ratios": dict.fromkeys(seconds, 1.0), "compile": 0.5, "compile_ratio": 1.0}
    plain["memory"] = 2_500_000
    direct = plain | {"variant": "direct", "compile": 0.55, "compile_ratio": 1.1}
    stopped = {"layers": 1, "variant": "stock", "stopped": "over 60 s at 1 layer"}
    run = {"results": [plain, stopped, direct]}
    assert measure["compile_table"](run) == [
        "| layers | plain | stock | direct |",
        "| --- | --- | --- | --- |",
        "| 1 | 0.5 | over 60 s at 1 layer | 0.55 (1.10) |",
    ]
    passes = {"specialize": 1.0, "inplace_elemwise": 2.0, "local_inplace_setsubtensor": 1.0}
    more = plain | {"layers": 2, "passes": dict.fromkeys(passes, 4.0)}
    assert measure["growth_table"]({"results": [plain | {"passes": passes}, more]})[2:] == [
        "| plain | 3.0 | 2.7 | 4.0 |"
    ]
    head, _, first, second = measure["phase_table"](run, 1)
    assert head.startswith("| variant | lower | grad | rewrite |")
    assert head.endswith("| steady call | memory (MB) |")
    assert first == "| plain |" + " 0.25 |" * 6 + " 2.5 |"
    assert second == "| direct |" + " 0.25 (1.00) |" * 6 + " 2.5 |"


@pytest.mark.parametrize(
    ("script", "contains"),
    [("apply_contraction.py", "xtensor/rewriting"), ("apply_sizes.py", "xtensor/math.py")],
)
def test_a_wrong_argument_prints_the_usage(script, contains):
    ran = run_python(UPSTREAM / script, "nowhere")
    assert ran.returncode == 1
    assert ran.stderr == (
        f"usage: {script} path/to/pytensor, the folder that contains {contains}\n"
    )
