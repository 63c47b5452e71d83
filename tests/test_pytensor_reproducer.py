"""Scripts for bug reports: alone, they show a defect that is there, and only while it is."""

from __future__ import annotations

import gc
import logging
import runpy
import subprocess
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest
from faults import FAULTS, Fault, ask, planted, released
from pytensor.xtensor.rewriting.utils import lower_xtensor_db

from refdot.batches import Configuration
from refdot.check import judge
from refdot.compare import KINDS
from refdot.pytensor.backends import BACKENDS
from refdot.pytensor.target import PyTensorTarget
from refdot.targets import Mismatch

TARGET = PyTensorTarget()
HERE = [backend.name for backend in TARGET.backends() if not backend.absent]


def mismatches(case, lowering="stock") -> tuple[Mismatch, ...]:
    return judge(TARGET, case, Configuration("python", lowering))


def new_mismatches(fault: Fault) -> list[Mismatch]:
    """List what is wrong with a fault's witness that is right without the fault."""
    with planted(fault):
        found = mismatches(fault.witness, fault.lowering)
    known = released(fault.witness, fault.lowering)
    return [mismatch for mismatch in found if mismatch.signature not in known]


@contextmanager
def undoing() -> Iterator[None]:
    """Take back what a script sets for good, since its process ends with it."""
    rewriter, logger = lower_xtensor_db["lower_dot"], logging.getLogger("pytensor")
    before = rewriter.fn, logger.level
    try:
        with warnings.catch_warnings():
            yield
    finally:
        rewriter.fn = before[0]
        logger.setLevel(before[1])


def exit_code(path) -> int:
    """Run a script in this process."""
    with undoing(), pytest.raises(SystemExit) as left:
        runpy.run_path(str(path), run_name="__main__")
    return left.value.code


@pytest.fixture(params=FAULTS, ids=[fault.name for fault in FAULTS])
def fault(request: pytest.FixtureRequest) -> Fault:
    return request.param


def test_a_script_shows_a_fault_and_only_that(fault, tmp_path, capsys):
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
        if (mismatch.kind, mismatch.rule) not in still_there(fault):
            assert exit_code(path) == 0, mismatch


def still_there(fault: Fault) -> set[tuple[str, str]]:
    """List which kinds of mismatch PyTensor shows on a witness without the fault, too."""
    found = mismatches(fault.witness, fault.lowering)
    return {(mismatch.kind, mismatch.rule) for mismatch in found}


def test_every_kind_of_mismatch_is_among_the_faults():
    assert {mismatch.kind for fault in FAULTS for mismatch in new_mismatches(fault)} == set(KINDS)


# Each: a case that released PyTensor answers wrongly, the kind of that, and the lowering.
RELEASED = {
    "an empty dim": (ask(":2", ":2"), "accepted-invalid", "stock"),
    "many dims": (ask(" ".join(f"a{i}:1" for i in range(27)), ""), "rejected-valid", "inlined"),
    "known batch sizes": (ask("a:2", "a:3", (), known=True), "late-error", "stock"),
    "a dim that is no dim": (ask("a", "a", 5), "wrong-error", "stock"),
    "run-time sizes": (ask("a b:2", "b:3"), "wrong-error", "inlined"),
    "two dims": (ask("a b", "a b", ("a", "b")), "nondeterminism", "stock"),
    "two names not there": (ask("a", "a", ("y", "z")), "nondeterminism", "stock"),
    "a known batch size": (ask("a", "a", (), known=(True, False)), "wrong-shape", "stock"),
}


def test_a_script_of_refdots_own_lowering_says_what_it_needs(tmp_path):
    case = ask("a:2", "a:3", (), known=True)
    [mismatch] = mismatches(case, "direct")
    text = TARGET.reproducer(mismatch, "python", "direct")
    assert "\n# Needs PyTensor, NumPy and refdot; exits 1 while the defect is there.\n" in text
    path = tmp_path / "reproducer.py"
    path.write_text(text, encoding="utf-8")
    before = lower_xtensor_db["lower_elemwise"].fn
    assert exit_code(path) == 1
    gc.collect()
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
    case = ask("time:2", "time:3")
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


# Each: a case that PyTensor answers rightly. A script about it says so, whatever is asked.
RIGHT = {
    "float": ask("a b", "b c"),
    "float16, rounding": ask("a b", "b c", dtypes=("float16", "float16"), tier="rounding"),
    "float, special": ask("a:5 b:5", "b:5 c:5", tier="special"),
    "complex": ask("a", "a", dtypes=("complex128", "complex128"), tier="rounding"),
    "complex, special": ask("a:9", "a:9 c", (), ("complex64", "complex64"), tier="special"),
    "integer": ask("a", "a", dtypes=("int64", "int64"), tier="rounding"),
    "mixed": ask("a b", "b c", dtypes=("float32", "int16")),
    "empty": ask("a:0 b", "b c"),
    "no dims": ask("", ""),
    "one variable": ask("a b", "a b", "a", same_variable=True),
    "as a method": ask("a b", "b c", ("a", "b"), call="method"),
    "as an operator": ask("a b", "b c", call="operator"),
    **{
        f"{layout} layout": ask("a b", "b a c", layout=layout)
        for layout in ("fortran", "reversed", "strided", "read-only")
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


@pytest.mark.parametrize("lowering", TARGET.lowerings)
@pytest.mark.parametrize("kind", ABOUT)
@pytest.mark.parametrize("case", RIGHT.values(), ids=RIGHT)
def test_a_script_about_what_is_right_says_so(case, kind, lowering, tmp_path):
    if kind == "wrong-gradient":
        case = replace(case, gradient_order=1)
        if "float" not in case.x.dtype:
            return
    mismatch = Mismatch(
        kind=kind, detail="as it is", expected="this", got="that", case=case, **ABOUT[kind]
    )
    path = tmp_path / "reproducer.py"
    path.write_text(TARGET.reproducer(mismatch, "python", lowering), encoding="utf-8")
    assert exit_code(path) == 0
