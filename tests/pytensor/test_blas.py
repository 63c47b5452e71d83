"""The BLAS of the backend c-blas: which one is linked, and that c has none."""

import os
import subprocess
import sys
from ctypes import CDLL

import pytensor
import pytensor.tensor as pt
import pytest

from refdot.cases.notation import dot_case
from refdot.pytensor.target import blas
from refdot.pytensor.target.backends import BACKENDS
from refdot.pytensor.target.blas import Blas, linkable_blas, quiet_blas
from refdot.pytensor.target.configuration import configured
from refdot.pytensor.target.target import PyTensorTarget
from refdot.targets.environment import environment_of

HERE = BACKENDS["c-blas"].absent == ""
FOUND = linkable_blas() if HERE else None
needs_blas = pytest.mark.skipif(not HERE, reason="PyTensor can link no BLAS here")


@pytest.fixture
def _found_anew():
    linkable_blas.cache_clear()
    yield
    linkable_blas.cache_clear()


def operations(backend: str) -> set[str]:
    """Return the operations of two products, as a backend compiles them."""
    matrix, vector = pt.matrix("matrix"), pt.vector("vector")
    with configured(BACKENDS[backend], "stock") as mode:
        function = pytensor.function([matrix, vector], [matrix @ matrix, matrix @ vector], mode)
    return {type(node.op).__name__ for node in function.maker.fgraph.apply_nodes}


@needs_blas
def test_only_c_blas_calls_a_blas_in_one_process():
    for _ in range(2):
        assert {"CGemv", "Dot22"} <= operations("c-blas")
        assert "CGemv" not in operations("c")
        assert "CGemv" not in operations("python")
    assert pytensor.config.blas__ldflags == ""


@needs_blas
def test_c_has_no_blas_where_pytensor_is_configured_with_one():
    with pytensor.config.change_flags(blas__ldflags=BACKENDS["c-blas"].blas_flags):
        assert "CGemv" not in operations("c")
    assert BACKENDS["c"].blas_flags == ""


@needs_blas
@pytest.mark.usefixtures("_found_anew")
def test_the_blas_of_pytensor_comes_first():
    flags = f"{FOUND.flags} -Wl,-O1"
    with pytensor.config.change_flags(blas__ldflags=flags):
        assert linkable_blas() == Blas(flags, FOUND.version)


@pytest.mark.usefixtures("_found_anew")
def test_a_blas_that_cannot_be_linked_is_passed_over(monkeypatch):
    monkeypatch.setattr(blas, "_candidates", lambda: iter(["-lno-such-blas"]))
    absent = "PyTensor can link no BLAS here: pip install mkl"
    assert BACKENDS["c-blas"].absent == absent
    assert BACKENDS["c"].absent == ""


@pytest.mark.usefixtures("_found_anew")
def test_a_blas_that_ends_the_process_at_an_illegal_argument_is_passed_over(monkeypatch, tmp_path):
    source = tmp_path / "strict.cpp"
    source.write_text(
        "#include <cstdlib>\n"
        'extern "C" void dgemm_(const char*, const char*, const int*, const int*, const int*,\n'
        "    const double*, const double*, const int* lda, const double*, const int*,\n"
        "    const double*, double* c, const int*) {\n"
        "  if (*lda < 2) std::exit(0);\n"
        "  c[0] = 7; c[1] = 10; c[2] = 15; c[3] = 22;\n"
        "}\n"
    )
    library = tmp_path / "libstrict.so"
    compile_command = [pytensor.config.cxx, "-shared", "-fPIC", str(source), "-o", str(library)]
    subprocess.run(compile_command, check=True)
    monkeypatch.setattr(blas, "_candidates", lambda: iter([f"-L{tmp_path} -lstrict"]))
    assert linkable_blas() is None


@pytest.mark.parametrize("name", ["mkl_rt", "openblas", "blas"])
def test_libraries_of_the_system_and_wheels_of_mkl_are_candidates(name, monkeypatch, tmp_path):
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "libmkl_rt.so.3").touch()
    monkeypatch.setattr(blas.sys, "prefix", str(tmp_path))
    monkeypatch.setattr(blas, "find_library", {name: f"lib{name}.so.0"}.get)
    with pytensor.config.change_flags(blas__ldflags=""):
        found = list(blas._candidates())
    assert found[0] == f"-L{tmp_path / 'lib'} -l:libmkl_rt.so.3"
    assert found[1] == f"-l:lib{name}.so.0"


def test_what_a_blas_writes_is_kept_from_the_terminal(capfd):
    with quiet_blas():
        os.write(2, b"** On entry to DGEMM parameter number 10 had an illegal value\n")
        CDLL(None).printf(b"MKL ERROR\n")
    print("after")
    assert capfd.readouterr() == ("after\n", "")


@needs_blas
def test_a_script_for_c_blas_links_the_blas(tmp_path):
    target = PyTensorTarget()
    (found,) = (
        deviation
        for deviation in target.deviations
        if deviation.id == "batches-of-other-dtypes-in-blas"
    )
    from refdot.check.batch import judge
    from refdot.check.plan import Configuration

    mismatch, *_ = judge(target, found.example, Configuration("c-blas", "stock"))
    for backend, code in {"c-blas": 1, "c": 0}.items():
        script = target.reproducer(mismatch, backend, "stock")
        path = tmp_path / f"{backend}.py"
        path.write_text(script)
        assert subprocess.run([sys.executable, path], capture_output=True).returncode == code


@needs_blas
def test_c_blas_is_a_default_backend_and_says_its_version():
    (entry,) = (backend for backend in PyTensorTarget().backends() if backend.name == "c-blas")
    assert entry.default
    assert entry.slow_to_compile
    outcome = PyTensorTarget().run(dot_case("a:2? b:3?", "b:3? c:4?"), "c-blas", "inlined")
    assert outcome.raised is None


def test_the_environment_names_the_linker_and_every_blas():
    found = environment_of(PyTensorTarget())
    assert {"PyTensor's linker", "PyTensor's BLAS", "NumPy's BLAS", "SciPy's BLAS"} <= {*found}
    assert found["BLAS of c-blas"] == (FOUND.version if HERE else "none")
    assert found["C++ compiler"] != ""
    with pytensor.config.change_flags(cxx="", blas__ldflags="-lmkl_rt"):
        without = environment_of(PyTensorTarget())
    assert without["C++ compiler"] == without["BLAS of c-blas"] == "none"
    assert without["PyTensor's BLAS"] == "-lmkl_rt"
