"""The backends: which can run, what each cannot do, and that none hides or disturbs anything."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from importlib import import_module
from typing import Any
from unittest.mock import patch

import numpy as np
import pytensor
import pytest
from planted import Edit, Fault, planted
from pytensor.scalar.basic import Mul
from pytensor.tensor.math import Dot

from refdot.cases.notation import dot_case
from refdot.check.batch import judge
from refdot.check.plan import Configuration
from refdot.judging.comparison import compare
from refdot.pytensor.target import backends
from refdot.pytensor.target.backends import BACKENDS, PyTensorBackend, unusable
from refdot.pytensor.target.target import PyTensorTarget
from refdot.targets.protocol import unsupported_reason

TARGET = PyTensorTarget()
HERE = tuple(backend.name for backend in TARGET.backends() if not backend.absent)
MATRICES = dot_case("a? b?", "b? c?")
PRODUCTS = dot_case("a?", "a?", ())
PACKAGES = ("jax", "mlx", "numba", "torch")


@contextmanager
def without_inductor(backend: str) -> Iterator[None]:
    """Let torch run what PyTensor hands to it as it is: to compile that takes it half a minute."""
    if backend != "torch":
        yield
        return
    import torch

    with torch.compiler.set_stance("force_eager"):
        yield


# --- which can run


def test_importing_refdot_imports_none_of_their_packages():
    code = f"import refdot.pytensor.target, sys; print(set(sys.modules) & set({PACKAGES}))"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout == "set()\n"


def test_backends_say_why_they_are_absent(monkeypatch):
    monkeypatch.setattr("refdot.pytensor.target.backends.find_spec", lambda name: None)
    with pytensor.config.change_flags(cxx=""):
        absent = {backend.name: backend.absent for backend in TARGET.backends()}
    assert absent == {
        "python": "",
        "python-minimum": "",
        "fast-compile": "",
        "c": "there is no C++ compiler (config.cxx is empty)",
        "numba": "numba is not installed",
        "jax": "jax is not installed",
        "mlx": "mlx is not installed",
        "torch": "torch is not installed",
    }
    assert list(BACKENDS) == list(absent)


def test_which_run_unless_others_are_asked_for_and_which_on_a_sample():
    unasked = [backend.name for backend in TARGET.backends() if not backend.default]
    assert unasked == ["mlx", "torch"]
    assert [backend.name for backend in TARGET.backends() if not backend.slow_to_compile] == [
        "python"
    ]


# Each: what a package's module says when it is imported, and what is said of that.
BROKEN = {
    "too old": ("from numpy import no_such_name", "ImportError: cannot import name 'no_such_name'"),
    "broken": (
        "raise OSError('cannot load\\n  libbroken.so')",
        "OSError: cannot load libbroken.so",
    ),
}


@pytest.mark.parametrize(("code", "said"), BROKEN.values(), ids=BROKEN)
def test_a_package_that_pytensor_cannot_import_is_absent_in_one_line(
    code, said, tmp_path, monkeypatch
):
    name = f"brittle_{len(code)}"
    (tmp_path / f"{name}.py").write_text(code, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    absent = PyTensorBackend("", needs=name, dispatch=name).absent
    beginning = f"{name} is installed, but PyTensor {pytensor.__version__} cannot use it ({said}"
    assert absent.startswith(beginning)
    assert "\n" not in absent


def test_a_package_is_tried_once(monkeypatch):
    imported = []
    monkeypatch.setattr(backends, "import_module", imported.append)
    unusable.cache_clear()
    try:
        assert [BACKENDS["numba"].absent for _ in range(3)] == ["", "", ""]
        assert imported == ["pytensor.link.numba.dispatch"]
    finally:
        unusable.cache_clear()


# --- what they answer

# Two graphs: the first three are calls of one function.
RIGHT = [
    replace(MATRICES, gradient_order=1),
    dot_case("a? b:5?", "b:5? c?", regime="rounding", gradient_order=1),
    dot_case("a? b:0?", "b:0? c?", gradient_order=1),
    dot_case("a b c", "c a d", "c", ("float32", "float32")),
]


@pytest.mark.parametrize("backend", HERE)
def test_every_backend_answers_rightly(backend):
    outcomes = TARGET.run_all(RIGHT, backend, "inlined")
    for case, outcome in zip(RIGHT, outcomes, strict=True):
        assert outcome.raised is None
        assert outcome.gradient_raised is None
        assert len(outcome.gradients) == 4 * case.gradient_order
        assert compare(case, outcome, TARGET) == ()


# Each: a case beyond the limit, and the same within it.
LIMITS = {
    ("numba", "numba has no float16"): (
        dot_case("", "a?", dtypes=("float16", "float16")),
        dot_case("", "a?", dtypes=("float32", "float32")),
    ),
    ("jax", "XLA takes subnormal numbers for 0"): (
        dot_case("", "", regime="special", seed=2),
        dot_case("", "", regime="special", seed=0),
    ),
    ("mlx", "MLX has no complex128: PyTensor gives it complex64"): (
        dot_case("a?", "a?", dtypes=("complex128", "complex128")),
        dot_case("a?", "a?", dtypes=("complex64", "complex64")),
    ),
    ("mlx", "MLX multiplies no matrices of integers or bools"): (
        dot_case("a? b?", "b?", dtypes=("int32", "int32")),
        dot_case("a? b?", "b?", (), dtypes=("int32", "int32")),
    ),
    ("mlx", "MLX comes to no end, or to garbage, where it sums an array of size 0"): (
        dot_case("c:2? a:0?", "", ("c", "a")),
        dot_case("c:2? a:1?", "", ("c", "a")),
    ),
    ("torch", "torch takes no array with negative strides"): (
        dot_case("a? b?", "b? c?", layout="reversed"),
        dot_case("a? b?", "b? c?", layout="fortran"),
    ),
    ("torch", "torch promotes uint16, uint32 and uint64 to no other dtype"): (
        dot_case("", "a?", dtypes=("int64", "uint32")),
        dot_case("", "a?", dtypes=("uint32", "uint32")),
    ),
    ("torch", "torch multiplies no matrices of bools"): (
        dot_case("a? b?", "b? c?", dtypes=("bool", "bool")),
        dot_case("a? b?", "b? c?", dtypes=("int64", "int64")),
    ),
}


def test_every_limit_has_its_case_and_no_other_backend_has_it():
    assert list(LIMITS) == [
        (name, limit.reason) for name, backend in BACKENDS.items() for limit in backend.unsupported
    ]
    for (name, reason), (beyond, within) in LIMITS.items():
        assert unsupported_reason(TARGET, beyond, name) == reason
        assert unsupported_reason(TARGET, within, name) is None
        assert unsupported_reason(TARGET, beyond, "python") is None


@pytest.mark.parametrize(
    ("backend", "beyond", "within"),
    [
        (name, *cases)
        for (name, reason), cases in LIMITS.items()
        if name in HERE and "garbage" not in reason  # which may happen to be right
    ],
)
def test_every_limit_is_real(backend, beyond, within):
    with without_inductor(backend):
        at_run = [
            [
                found.signature
                for found in judge(TARGET, case, Configuration(backend, "inlined"), ["values"])
                if found.stage == "run"
            ]
            for case in (beyond, within)
        ]
    assert at_run[0]
    assert not at_run[1]


# --- that nothing is hidden, or disturbed


def registered(dispatch: str, function: str, operation: type, new: Any) -> Any:
    """Let a dispatcher hand an operation to another function for a while."""

    @contextmanager
    def context() -> Iterator[None]:
        dispatcher = getattr(import_module(f"pytensor.link.{dispatch}"), function)
        before = dispatcher.dispatch(operation)
        dispatcher.register(operation, new)
        try:
            yield
        finally:
            dispatcher.register(operation, before)

    return context


def c_with_plus() -> AbstractContextManager[Any]:
    """Let C add where it should multiply, and not say so in the version of the code."""
    before = Mul.c_code

    def c_code(*arguments: Any) -> str:
        return before(*arguments).replace(" * ", " + ")

    return patch.object(Mul, "c_code", c_code)


def numba_with_plus() -> AbstractContextManager[Any]:
    """Let numba add where it should multiply, and not say so in the key of its cache."""
    edit = Edit("pytensor.link.numba.dispatch.scalar:numba_funcify_Mul", '"*"', '"+"')
    return planted(Fault("numba adds", "values", (edit,), PRODUCTS))


def hands_over(sign: Callable[[Any, Any], Any]) -> Any:
    """Give a function that hands an operation over as another one."""
    return lambda op, node=None, **_: sign


# Each: a case, and what makes PyTensor answer it otherwise.
EDITED: dict[str, tuple[Any, Any]] = {
    "c": (PRODUCTS, c_with_plus),
    "numba": (PRODUCTS, numba_with_plus),
    **{
        name: (
            MATRICES,
            registered(
                f"{folder}.dispatch",
                f"{folder}_funcify",
                Dot,
                hands_over(lambda x, y: 2 * (x @ y)),
            ),
        )
        for name, folder in {"jax": "jax", "mlx": "mlx", "torch": "pytorch"}.items()
    },
}


def answer(case: Any, backend: str) -> Any:
    """Give the first answer of a target of its own: numba's cache is kept for as long as one."""
    return PyTensorTarget().run(case, backend, "inlined").values[0]


@pytest.mark.parametrize("backend", [name for name in EDITED if name in HERE])
def test_what_is_compiled_before_never_hides_an_edit(backend):
    case, edited = EDITED[backend]
    with without_inductor(backend):
        before = answer(case, backend)
        with edited():
            assert answer(case, backend) != before
        assert answer(case, backend) == before


def state_of_packages() -> dict[str, Any]:
    """Say what a backend's package keeps for all who use it in this process."""
    state: dict[str, Any] = {"errors": np.geterr(), "threads": os.environ.get("OMP_NUM_THREADS")}
    if "jax" in sys.modules:
        state["jax"] = sys.modules["jax"].config.jax_enable_x64
    if "torch" in sys.modules:
        state["torch"] = sys.modules["torch"].get_default_dtype()
    if "mlx.core" in sys.modules:
        state["mlx"] = sys.modules["mlx.core"].default_device()
    return state


def seen(backends: tuple[str, ...]) -> dict[str, Any]:
    """Run a case on some backends in turn."""
    case = dot_case("a? b?", "b? c?", regime="rounding", gradient_order=1)
    found = {}
    for backend in backends:
        with without_inductor(backend):
            outcome = TARGET.run(case, backend, "inlined")
        arrays = [value.data for value in outcome.values] + [g.value for g in outcome.gradients]
        found[backend] = [(array.dtype, array.tobytes()) for array in arrays]
    return found


def test_no_backend_disturbs_another():
    there = seen(HERE)
    before = state_of_packages()
    back = seen(HERE[::-1])
    assert back == there
    assert all(dtype == "float64" for arrays in back.values() for dtype, _ in arrays)
    assert state_of_packages() == before


def test_what_numba_compiles_is_kept_for_one_target_alone():
    target = PyTensorTarget()
    assert target.run(dot_case("a?", "a?"), "numba", "inlined").raised is None
    folder = target.folder
    assert list(folder.iterdir())
    assert PyTensorTarget().folder != folder
    del target
    assert not folder.exists()
