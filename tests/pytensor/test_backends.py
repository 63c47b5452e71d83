"""The backends: which can run, what each does not support, and that they are independent."""

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
from planting import Edit, Fault, planted
from pytensor.scalar.basic import Mul
from pytensor.tensor.math import Dot

from refdot.cases.kernels import similar_graph_cases
from refdot.cases.notation import dot_case
from refdot.check.batch import judge, judge_batch
from refdot.check.plan import Batch, Configuration
from refdot.judging.comparison import compare
from refdot.pytensor.target import backends
from refdot.pytensor.target.backends import BACKENDS, PyTensorBackend, import_failure
from refdot.pytensor.target.target import PyTensorTarget
from refdot.targets.protocol import unsupported_reason

TARGET = PyTensorTarget()
HERE = tuple(backend.name for backend in TARGET.backends() if not backend.absent)
MATRICES = dot_case("a? b?", "b? c?")
PRODUCTS = dot_case("a?", "a?", ())
PACKAGES = ("jax", "mlx", "numba", "torch")


@contextmanager
def without_inductor(backend: str) -> Iterator[None]:
    """Let torch run eagerly: its compiler takes half a minute for each graph."""
    if backend != "torch":
        yield
        return
    import torch

    with torch.compiler.set_stance("force_eager"):
        yield


# --- which can run


def test_importing_refdot_imports_no_backend_package():
    code = f"import refdot.pytensor.target, sys; print(set(sys.modules) & set({PACKAGES}))"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout == "set()\n"


def test_backends_say_why_they_are_absent(monkeypatch):
    monkeypatch.setattr("refdot.pytensor.target.backends.find_spec", lambda name: None)
    with pytensor.config.change_flags(cxx=""):
        absent = {backend.name: backend.absent for backend in PyTensorTarget().backends()}
    assert absent == {
        "python": "",
        "python-minimum": "",
        "fast-compile": "",
        "c": "there is no C++ compiler (config.cxx is empty)",
        "c-blas": "there is no C++ compiler (config.cxx is empty)",
        "numba": "numba is not installed",
        "jax": "jax is not installed",
        "mlx": "mlx is not installed",
        "torch": "torch is not installed",
    }
    assert list(BACKENDS) == list(absent)


@pytest.mark.parametrize(("value", "is_absent"), [("1", True), ("0", False), ("", False)])
def test_numba_without_its_compiler_is_absent(monkeypatch, value, is_absent):
    monkeypatch.setenv("NUMBA_DISABLE_JIT", value)
    reason = "PyTensor cannot use numba where NUMBA_DISABLE_JIT is set"
    assert (BACKENDS["numba"].absent == reason) is is_absent


def test_jax_is_absent_where_pytensor_turns_its_64_bit_numbers_off(monkeypatch):
    monkeypatch.setattr("refdot.pytensor.target.backends.find_spec", lambda name: True)
    with pytensor.config.change_flags(floatX="float32"):
        assert BACKENDS["jax"].absent == "it has no 64-bit numbers where floatX is float32"


def test_the_error_state_of_numpy_does_not_change_what_is_judged():
    case = dot_case("a? b?", "b? c?", regime="special")
    with np.errstate(all="raise"):
        outcome = TARGET.run(case, "python", "inlined")
    assert outcome.raised is None
    assert not compare(case, outcome, TARGET)


def test_which_backends_are_optional_and_which_run_a_sample():
    backends = TARGET.backends()
    assert [backend.name for backend in backends if not backend.default] == ["mlx", "torch"]
    assert [backend.name for backend in backends if not backend.slow_to_compile] == ["python"]


def test_a_target_looks_for_its_backends_once(monkeypatch):
    target = PyTensorTarget()
    before = target.backends()
    monkeypatch.setattr("refdot.pytensor.target.backends.find_spec", lambda name: None)
    assert target.backends() is before
    assert PyTensorTarget().backends() != before


# Each: the code of a package's module, and the reason that is given when its import fails.
BROKEN = {
    "too old": ("from numpy import no_such_name", "ImportError: cannot import name 'no_such_name'"),
    "broken": (
        "raise OSError('cannot load\\n  libbroken.so')",
        "OSError: cannot load libbroken.so",
    ),
}


@pytest.mark.parametrize(("code", "reason"), BROKEN.values(), ids=BROKEN)
def test_a_package_that_pytensor_cannot_import_is_absent_in_one_line(
    code, reason, tmp_path, monkeypatch
):
    name = f"brittle_{len(code)}"
    (tmp_path / f"{name}.py").write_text(code, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    absent = PyTensorBackend("", package=name, dispatch=name).absent
    beginning = f"{name} is installed, but PyTensor {pytensor.__version__} cannot use it ({reason}"
    assert absent.startswith(beginning)
    assert "\n" not in absent


def test_a_package_is_imported_once(monkeypatch):
    imported = []
    monkeypatch.setattr(backends, "import_module", imported.append)
    import_failure.cache_clear()
    try:
        assert [BACKENDS["numba"].absent for _ in range(3)] == ["", "", ""]
        assert imported == ["pytensor.link.numba.dispatch"]
    finally:
        import_failure.cache_clear()


# --- their answers

# Two graphs: the first three cases are calls of one function.
SUPPORTED = [
    replace(MATRICES, gradient_order=1),
    dot_case("a? b:5?", "b:5? c?", regime="rounding", gradient_order=1),
    dot_case("a? b:0?", "b:0? c?", gradient_order=1),
    dot_case("a b c", "c a d", "c", ("float32", "float32")),
]


@pytest.mark.parametrize("backend", HERE)
def test_every_backend_answers_correctly(backend):
    outcomes = TARGET.run_all(SUPPORTED, backend, "inlined")
    for case, outcome in zip(SUPPORTED, outcomes, strict=True):
        assert outcome.raised is None
        assert outcome.gradient_raised is None
        assert len(outcome.gradients) == 4 * case.gradient_order
        # What a dot of static sizes costs is another question.
        assert {mismatch.rule for mismatch in compare(case, outcome, TARGET)} <= {"R15"}


# Each: a case that is not supported, and a similar one that is.
UNSUPPORTED = {
    ("numba", "numba has no float16"): (
        dot_case("", "a?", dtypes=("float16", "float16")),
        dot_case("", "a?", dtypes=("float32", "float32")),
    ),
    ("jax", "XLA treats subnormal numbers as 0"): (
        dot_case("", "", regime="special", seed=2),
        dot_case("", "", regime="special", seed=0),
    ),
    ("mlx", "MLX has no complex128: PyTensor gives it complex64"): (
        dot_case("a?", "a?", dtypes=("complex128", "complex128")),
        dot_case("a?", "a?", dtypes=("complex64", "complex64")),
    ),
    ("mlx", "MLX cannot multiply matrices of integers or bools"): (
        dot_case("a? b?", "b?", dtypes=("int32", "int32")),
        dot_case("a? b?", "b?", (), dtypes=("int32", "int32")),
    ),
    ("mlx", "MLX hangs or returns garbage when it sums an array of size 0"): (
        dot_case("c:2? a:0?", "", ("c", "a")),
        dot_case("c:2? a:1?", "", ("c", "a")),
    ),
    ("torch", "torch accepts no array with negative strides"): (
        dot_case("a? b?", "b? c?", layout="reversed"),
        dot_case("a? b?", "b? c?", layout="fortran"),
    ),
    ("torch", "torch does not promote uint16, uint32 and uint64 to other dtypes"): (
        dot_case("", "a?", dtypes=("int64", "uint32")),
        dot_case("", "a?", dtypes=("uint32", "uint32")),
    ),
    ("torch", "torch cannot multiply matrices of bools"): (
        dot_case("a? b?", "b? c?", dtypes=("bool", "bool")),
        dot_case("a? b?", "b? c?", dtypes=("int64", "int64")),
    ),
}


def test_every_reason_applies_to_its_backend_only():
    assert list(UNSUPPORTED) == [
        (name, entry.reason) for name, backend in BACKENDS.items() for entry in backend.unsupported
    ]
    for (name, reason), (unsupported, supported) in UNSUPPORTED.items():
        assert unsupported_reason(TARGET, unsupported, name) == reason
        assert unsupported_reason(TARGET, supported, name) is None
        assert unsupported_reason(TARGET, unsupported, "python") is None


@pytest.mark.parametrize(
    ("backend", "unsupported", "supported"),
    [
        (name, *cases)
        for (name, reason), cases in UNSUPPORTED.items()
        if name in HERE and "garbage" not in reason  # which may happen to be correct
    ],
)
def test_an_unsupported_case_fails_at_run(backend, unsupported, supported):
    with without_inductor(backend):
        at_run = [
            [
                found.signature
                for found in judge(TARGET, case, Configuration(backend, "inlined"), ["values"])
                if found.stage == "run"
            ]
            for case in (unsupported, supported)
        ]
    assert at_run[0]
    assert not at_run[1]


# --- edits of PyTensor are seen, and backends are independent


def registered(dispatch: str, function: str, operation: type, new: Any) -> Any:
    """Return a context manager in which a dispatcher converts an operation differently."""

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
    """Let C add instead of multiply, under the same version of the code."""
    before = Mul.c_code

    def c_code(*arguments: Any) -> str:
        return before(*arguments).replace(" * ", " + ")

    return patch.object(Mul, "c_code", c_code)


def numba_with_plus() -> AbstractContextManager[Any]:
    """Let numba add instead of multiply, under the same cache key."""
    edit = Edit("pytensor.link.numba.dispatch.scalar:numba_funcify_Mul", '"*"', '"+"')
    return planted(Fault("numba adds", "values", (edit,), PRODUCTS))


def converter_to(function: Callable[[Any, Any], Any]) -> Any:
    """Return a conversion of an operation that gives this function."""
    return lambda op, node=None, **_: function


# Each: a case, and a context manager in which PyTensor answers it differently.
EDITED: dict[str, tuple[Any, Any]] = {
    "c": (PRODUCTS, c_with_plus),
    "c-blas": (PRODUCTS, c_with_plus),
    "numba": (PRODUCTS, numba_with_plus),
    **{
        name: (
            MATRICES,
            registered(
                f"{folder}.dispatch",
                f"{folder}_funcify",
                Dot,
                converter_to(lambda x, y: 2 * (x @ y)),
            ),
        )
        for name, folder in {"jax": "jax", "mlx": "mlx", "torch": "pytorch"}.items()
    },
}


def answer(case: Any, backend: str) -> Any:
    """Return the first answer of a new target, since numba's cache lasts as long as its target."""
    return PyTensorTarget().run(case, backend, "inlined").values[0]


@pytest.mark.parametrize("backend", [name for name in EDITED if name in HERE])
def test_code_compiled_before_an_edit_is_not_used(backend):
    case, edited = EDITED[backend]
    with without_inductor(backend):
        before = answer(case, backend)
        with edited():
            assert answer(case, backend) != before
        assert answer(case, backend) == before


def state_of_packages() -> dict[str, Any]:
    """Return the settings of the backends' packages that the whole process shares."""
    state: dict[str, Any] = {"errors": np.geterr(), "threads": os.environ.get("OMP_NUM_THREADS")}
    if "jax" in sys.modules:
        state["jax"] = sys.modules["jax"].config.jax_enable_x64
    if "torch" in sys.modules:
        state["torch"] = sys.modules["torch"].get_default_dtype()
    if "mlx.core" in sys.modules:
        state["mlx"] = sys.modules["mlx.core"].default_device()
    return state


def answers_of(backends: tuple[str, ...]) -> dict[str, Any]:
    """Return the answers and gradients of some backends, run in turn."""
    case = dot_case("a? b?", "b? c?", regime="rounding", gradient_order=1)
    found = {}
    for backend in backends:
        with without_inductor(backend):
            outcome = TARGET.run(case, backend, "inlined")
        arrays = [value.data for value in outcome.values] + [g.value for g in outcome.gradients]
        found[backend] = [(array.dtype, array.tobytes()) for array in arrays]
    return found


def test_no_backend_affects_another():
    forward = answers_of(HERE)
    before = state_of_packages()
    backward = answers_of(HERE[::-1])
    assert backward == forward
    assert all(dtype == "float64" for arrays in backward.values() for dtype, _ in arrays)
    assert state_of_packages() == before


def test_numbas_cache_is_deleted_with_its_target():
    target = PyTensorTarget()
    assert target.run(dot_case("a?", "a?"), "numba", "inlined").raised is None
    folder = target.folder
    assert list(folder.iterdir())
    assert PyTensorTarget().folder != folder
    del target
    assert not folder.exists()


@pytest.mark.skipif("numba" not in HERE, reason="Numba is not installed")
def test_similar_graphs_are_judged_with_an_empty_cache():
    edit = Edit(
        "pytensor.link.numba.dispatch.elemwise:numba_funcify_DimShuffle",
        "(type(op), new_order, sorted(unit_axes), cache_version)",
        "(type(op), new_order, cache_version)",
        ">=3.3",
    )
    if not edit.applies:
        pytest.skip("this PyTensor has no such cache key")
    first, second, *_ = similar_graph_cases()
    numba = Configuration("numba", "inlined")
    target = PyTensorTarget()

    def findings(empty_cache: bool) -> list[str]:
        batch = Batch(((numba, (first, second)),), needs_empty_cache=empty_cache)
        return [found.signature for found in judge_batch(target, batch).findings]

    with planted(Fault("an axis of size 1 is one of any size", "values", (edit,), second)):
        judge_batch(target, Batch(((numba, (second,)),)))  # stores the code for any size
        assert findings(empty_cache=False) == []
        assert findings(empty_cache=True) == [
            "R6 wrong-value at run: float wrong by more than rounding"
        ]
    assert findings(empty_cache=True) == []
