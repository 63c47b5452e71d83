"""Scripts for bug reports: each runs alone and shows its defect, only while it is there."""

from __future__ import annotations

import gc
import logging
import subprocess
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from catching import new_mismatches
from planted import FAULTS
from planting import Fault, planted
from pytensor.xtensor.rewriting.utils import lower_xtensor_db

from refdot.cases.case import LAYOUTS, DotCase
from refdot.cases.notation import dot_case
from refdot.check.batch import judge
from refdot.check.plan import Configuration
from refdot.pytensor.target.backends import BACKENDS
from refdot.pytensor.target.target import PyTensorTarget
from refdot.rules import KINDS
from refdot.targets.mismatch import Mismatch

TARGET = PyTensorTarget()
ON_PYTHON = [fault for fault in FAULTS if fault.backend == "python"]
HERE = [backend.name for backend in TARGET.backends() if not backend.absent]


def mismatches(case, lowering="stock") -> tuple[Mismatch, ...]:
    return judge(TARGET, case, Configuration("python", lowering))


@contextmanager
def restored_settings() -> Iterator[None]:
    """Undo the settings of a script, which expects its process to end with it."""
    rewriter, logger = lower_xtensor_db["lower_dot"], logging.getLogger("pytensor")
    before = rewriter.fn, logger.level
    try:
        with warnings.catch_warnings():
            yield
    finally:
        rewriter.fn = before[0]
        logger.setLevel(before[1])
        gc.enable()


def exit_code(path) -> int:
    """Run a script in this process."""
    return run_script(path)[0]


def run_script(path) -> tuple[int, dict[str, Any]]:
    """Run a script in this process, and return its exit code and its variables."""
    namespace: dict[str, Any] = {"__name__": "__main__"}
    with restored_settings():
        with pytest.raises(SystemExit) as left:
            exec(compile(path.read_bytes(), path, "exec"), namespace)
        # A script for the direct lowering installs it until its process ends. Without this line,
        # the garbage collector would restore the lowering in the middle of some later test.
        if "installed" in namespace:
            namespace["installed"].__exit__(None, None, None)
    return left.value.code, namespace


@pytest.fixture(params=ON_PYTHON, ids=[fault.name for fault in ON_PYTHON])
def fault(request: pytest.FixtureRequest) -> Fault:
    return request.param


def test_a_script_shows_its_fault_only_while_it_is_planted(fault, tmp_path, capsys):
    found = new_mismatches(fault)
    assert found
    for number, mismatch in enumerate(found):
        path = tmp_path / f"reproducer_{number}.py"
        path.write_text(TARGET.reproducer(mismatch, "python", fault.lowering), encoding="utf-8")
        with planted(fault):
            assert exit_code(path) == 1, mismatch
        printed = capsys.readouterr().out.splitlines()
        assert printed[0].startswith("expected ")
        assert any(line.startswith("got ") for line in printed)
        if (mismatch.kind, mismatch.rule) not in also_released(fault):
            assert exit_code(path) == 0, mismatch


def also_released(fault: Fault) -> set[tuple[str, str]]:
    """Return the kinds of mismatch that released PyTensor shows on a fault's example, too."""
    found = mismatches(fault.example, fault.lowering)
    return {(mismatch.kind, mismatch.rule) for mismatch in found}


def test_every_kind_of_mismatch_is_among_the_faults():
    missing = {*KINDS}
    for fault in ON_PYTHON:
        missing -= {mismatch.kind for mismatch in new_mismatches(fault)}
        if not missing:
            break
    assert missing == set()


# Each: a case that released PyTensor answers wrongly, the kind of mismatch, and the lowering.
RELEASED = {
    "an empty dim": (dot_case(":2?", ":2?"), "accepted-invalid", "stock"),
    "many dims": (
        dot_case(" ".join(f"a{i}:1?" for i in range(27)), ""),
        "rejected-valid",
        "inlined",
    ),
    "static batch sizes": (dot_case("a:2", "a:3", ()), "late-error", "stock"),
    "a dim that is no dim": (dot_case("a?", "a?", 5), "wrong-error", "stock"),
    "run-time sizes": (dot_case("a? b:2?", "b:3?"), "wrong-error", "inlined"),
    "two dims": (dot_case("a? b?", "a? b?", ("a", "b")), "nondeterminism", "stock"),
    "two names not there": (dot_case("a?", "a?", ("y", "z")), "nondeterminism", "stock"),
    "a static batch size": (dot_case("a", "a?", ()), "wrong-shape", "stock"),
}


def test_a_script_for_the_direct_lowering_says_that_it_needs_refdot(tmp_path):
    case = dot_case("a:2", "a:3", ())
    [mismatch] = mismatches(case, "direct")
    text = TARGET.reproducer(mismatch, "python", "direct")
    assert "\n# Needs PyTensor, NumPy and refdot; exits 1 while the defect is there.\n" in text
    path = tmp_path / "reproducer.py"
    path.write_text(text, encoding="utf-8")
    before = lower_xtensor_db["lower_elemwise"].fn
    assert exit_code(path) == 1
    assert lower_xtensor_db["lower_elemwise"].fn is before


@pytest.mark.parametrize(("case", "kind", "lowering"), RELEASED.values(), ids=RELEASED)
def test_a_script_runs_alone(case, kind, lowering, tmp_path):
    [mismatch] = [found for found in mismatches(case, lowering) if found.kind == kind]
    text = TARGET.reproducer(mismatch, "python", lowering)
    assert "refdot" not in text
    path = tmp_path / "reproducer.py"
    path.write_text(text, encoding="utf-8")
    ran = subprocess.run(
        [sys.executable, "-I", str(path)], capture_output=True, text=True, check=False
    )
    assert (ran.returncode, ran.stderr) == (1, "")
    assert ran.stdout.startswith("expected ")
    assert "\ngot " in ran.stdout


@pytest.mark.parametrize("backend", [name for name in ("c", "numba", "jax") if name in HERE])
def test_a_script_about_another_backend_runs_alone(backend, tmp_path):
    case = dot_case("time:2?", "time:3?")
    [mismatch] = judge(TARGET, case, Configuration(backend, "inlined"), ["errors"])
    assert mismatch.kind == "wrong-error"
    assert mismatch.stage == "run"
    text = TARGET.reproducer(mismatch, backend, "inlined")
    assert BACKENDS[backend].mode in text
    path = tmp_path / "reproducer.py"
    path.write_text(text, encoding="utf-8")
    ran = subprocess.run(
        [sys.executable, "-I", str(path)], capture_output=True, text=True, check=False
    )
    assert (ran.returncode, ran.stderr) == (1, "")
    assert ran.stdout.startswith("expected ValueError at run: Size of dim 'time' does")


# Each: a case that PyTensor answers correctly, so that a script about it exits 0.
RIGHT = {
    "float": dot_case("a? b?", "b? c?"),
    "float16, rounding": dot_case(
        "a? b?", "b? c?", dtypes=("float16", "float16"), regime="rounding"
    ),
    "float, special": dot_case("a:5? b:5?", "b:5? c:5?", regime="special"),
    "complex": dot_case("a?", "a?", dtypes=("complex128", "complex128"), regime="rounding"),
    "complex, special": dot_case(
        "a:9?", "a:9? c?", (), ("complex64", "complex64"), regime="special"
    ),
    "integer": dot_case("a?", "a?", dtypes=("int64", "int64"), regime="rounding"),
    "mixed": dot_case("a? b?", "b? c?", dtypes=("float32", "int16")),
    "empty": dot_case("a:0? b?", "b? c?"),
    "no dims": dot_case("", ""),
    "one variable": dot_case("a? b?", "a? b?", "a", same_variable=True),
    "as a method": dot_case("a? b?", "b? c?", ("a", "b"), call="method"),
    "as an operator": dot_case("a? b?", "b? c?", call="operator"),
    "a constant": dot_case("a b", "b? c?", origin=("constant", "input")),
    "constants": dot_case("a b", "b c", origin="constant", layout="fortran"),
    "shared variables": dot_case("a? b?", "b? c", origin="shared", layout="slice"),
    "a constant of zeros": dot_case(
        "a? b?", "b c", origin=("shared", "constant"), content=("drawn", "zeros")
    ),
    "one variable under other names": dot_case("a:3? b?", "b? c:3?", same_variable=True),
    "one shared variable under other names": dot_case(
        "a:3? class:3?", "class:3? b?", same_variable=True, origin="shared"
    ),
    "one array": dot_case("a:3? b?", "b? c:3?", same_array=True, layout="windows"),
    **{
        f"{layout} layout": dot_case("a? b?", "b? a? c?", layout=layout)
        for layout in ("fortran", "windows", "slice")
    },
}
ABOUT = {
    "wrong-value": {"rule": "R6", "stage": "run"},
    "wrong-dtype": {"rule": "R7", "stage": "run"},
    "wrong-dims": {"rule": "R5", "stage": "build"},
    "wrong-shape": {"rule": "R9", "stage": "build"},
    "rejected-valid": {"rule": "R6", "stage": "run"},
    "side-effect": {"rule": "R12", "stage": "run"},
    "wrong-gradient": {"rule": "R8", "stage": "run", "order": 1, "operand": "x"},
}


@pytest.mark.parametrize(
    "name", ["coding: utf-16", "-*- coding: latin-1 -*-\n", "vim: set fileencoding=cp037 :", "é\0"]
)
def test_a_name_cannot_set_the_encoding_of_a_script(name, tmp_path):
    case = dot_case("a? b?", "b? c?").renamed({"b": name})
    mismatch = Mismatch(
        kind="wrong-value", detail=name, expected=name, got=name, case=case, **ABOUT["wrong-value"]
    )
    path = tmp_path / "reproducer.py"
    path.write_text(TARGET.reproducer(mismatch, "python", "stock"), encoding="utf-8")
    assert path.read_bytes().startswith(b"# -*- coding: utf-8 -*-\n# Needs only ")
    assert exit_code(path) == 0


@pytest.mark.parametrize("lowering", TARGET.lowerings)
@pytest.mark.parametrize("kind", ABOUT)
@pytest.mark.parametrize("case", RIGHT.values(), ids=RIGHT)
def test_a_script_about_a_correct_answer_exits_0(case, kind, lowering, tmp_path):
    about = ABOUT[kind]
    if kind == "wrong-gradient":
        case = replace(case, gradient_order=1)
        about = about | {"operand": "y" if case.x.origin == "constant" else "x"}
        if "float" not in case.x.dtype or case.y.origin == "constant":
            return
    mismatch = Mismatch(
        kind=kind, detail="no detail", expected="this", got="that", case=case, **about
    )
    path = tmp_path / "reproducer.py"
    path.write_text(TARGET.reproducer(mismatch, "python", lowering), encoding="utf-8")
    assert exit_code(path) == 0


def script_about(case: DotCase, kind: str = "wrong-value") -> str:
    mismatch = Mismatch(
        kind=kind, detail="no detail", expected="this", got="that", case=case, **ABOUT[kind]
    )
    return TARGET.reproducer(mismatch, "python", "stock")


@pytest.mark.parametrize("sizes", ["a:2? b:3? c:4?", "a:2? b:0? c:3?"], ids=["full", "empty"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_script_rebuilds_the_layout_of_every_array(layout, sizes, tmp_path):
    case = dot_case(sizes, sizes, layout=("c", layout), origin=("shared", "input"))
    path = tmp_path / "reproducer.py"
    # Such a script only builds the graph, which takes little time.
    path.write_text(script_about(case, "wrong-dims"), encoding="utf-8")
    code, variables = run_script(path)
    assert code == 0
    for name, array in zip("xy", case.arrays(), strict=True):
        rebuilt = variables[f"{name}_value"]
        assert (rebuilt.strides, rebuilt.dtype) == (array.strides, array.dtype)
        assert rebuilt.flags.writeable == array.flags.writeable
        assert np.array_equal(rebuilt, array)


def test_a_script_passes_the_same_array_twice(tmp_path):
    path = tmp_path / "reproducer.py"
    path.write_text(script_about(dot_case("a? b?", "a? b?", same_array=True)), encoding="utf-8")
    code, variables = run_script(path)
    assert code == 0
    assert variables["x_value"] is variables["y_value"]


@pytest.mark.parametrize("kind", ["wrong-value", "nondeterminism"])
def test_a_script_renames_a_variable_as_users_do(kind, tmp_path):
    case = dot_case("a:3? b?", "b? c:3?", "b", same_variable=True)
    about = {"rule": "R10", "stage": "build"} if kind == "nondeterminism" else ABOUT[kind]
    mismatch = Mismatch(kind=kind, detail="op", expected="this", got="that", case=case, **about)
    text = TARGET.reproducer(mismatch, "python", "stock")
    if kind == "wrong-value":
        assert "y_named = x_named.rename(a='b', b='c')\n" in text
    path = tmp_path / "reproducer.py"
    path.write_text(text, encoding="utf-8")
    assert exit_code(path) == 0


def test_names_and_messages_cannot_become_code(tmp_path):
    names = {"a": "{{ 1 / 0 }}", "b": "'\"\nraise SystemExit(3)\n", "c": "\u2028{% include %}"}
    case = dot_case("a? b?", "b? c?").renamed(names)
    text = "".join(names.values())
    for kind, about in ABOUT.items():
        mismatch = Mismatch(kind=kind, detail=text, expected=text, got=text, case=case, **about)
        path = tmp_path / "reproducer.py"
        path.write_text(TARGET.reproducer(mismatch, "python", "stock"), encoding="utf-8")
        assert exit_code(path) == 0
