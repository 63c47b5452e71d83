"""PyTensor's backends, as a table."""

import os
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytensor
from pytensor.compile.mode import Mode, get_mode
from pytensor.link.c.basic import CLinker

from refdot.cases.case import DotCase
from refdot.pytensor.target.blas import linkable_blas
from refdot.targets.limits import NO_SUBNORMALS
from refdot.targets.protocol import Unsupported

__all__ = ["BACKENDS", "PyTensorBackend"]


def _numba_cache_in(folder: Path) -> AbstractContextManager[Any]:
    """Make numba use an empty cache folder.

    PyTensor's cache keys for numba hold only operations and their parameters, so numba would run
    the old code of an operation that was edited, or patched in this process.
    """
    return patch("pytensor.link.numba.cache.NUMBA_CACHE_PATH", folder)


def _c_cache_keyed_by_source(folder: Path) -> AbstractContextManager[Any]:
    """Add the C source to PyTensor's cache keys for C.

    Its keys hold operations and the versions that these declare, but someone who edits or patches
    the code of an operation may forget to change the version. With the source in the key, PyTensor
    can use its own cache folder, and the code in it that is not stale.
    """
    key_without_source = CLinker.cmodule_key

    def key_with_source(linker: Any) -> Any:
        version, rest = key_without_source(linker)
        source = sha256(linker.get_src_code().encode()).hexdigest()
        return version, (*rest, ("source", source))

    return patch.object(CLinker, "cmodule_key", key_with_source)


@dataclass(frozen=True)
class PyTensorBackend:
    """One of the linkers with which PyTensor executes a graph."""

    mode: str  # the compilation mode, as PyTensor code
    package: str = ""  # the package that it cannot run without, if any
    dispatch: str = ""  # the module of PyTensor that converts operations to that package
    disabled_by: str = ""  # an environment variable with which PyTensor cannot use that package
    # Whether PyTensor turns 64-bit numbers off in that package unless `config.floatX` is float64.
    follows_float_x: bool = False
    compiles_c: bool = False  # the others are faster without a C++ compiler
    links_blas: bool = False  # whether its C code calls a BLAS, or leaves every dot to NumPy
    # Whether it runs only a sample of the graphs. "python" runs all of them: it is fast, and the
    # others differ from it in how they execute a graph, not in how they lower it.
    slow_to_compile: bool = False
    share: int = 1  # how many times as large its sample is as that of other backends
    compiles_each_layout: bool = False  # whether it compiles again for each memory layout
    default: bool = True  # whether it runs if no backend is named
    unsupported: tuple[Unsupported, ...] = ()
    # Takes a folder, where it may store compiled code, and returns a context manager in which
    # PyTensor finds no code that it compiled before an operation was edited.
    without_stale_code: Callable[[Path], AbstractContextManager[Any]] = nullcontext

    @property
    def absent(self) -> str:
        """The reason why it cannot run here; empty if it can."""
        if self.compiles_c and not pytensor.config.cxx:
            return "there is no C++ compiler (config.cxx is empty)"
        if self.links_blas and linkable_blas() is None:
            return "PyTensor can link no BLAS here: pip install mkl"
        if self.package and find_spec(self.package) is None:
            return f"{self.package} is not installed"
        if os.environ.get(self.disabled_by, "0") not in ("", "0"):
            return f"PyTensor cannot use {self.package} where {self.disabled_by} is set"
        if self.follows_float_x and pytensor.config.floatX != "float64":
            return f"it has no 64-bit numbers where floatX is {pytensor.config.floatX}"
        return import_failure(self.package, self.dispatch) if self.dispatch else ""

    @property
    def blas_flags(self) -> str:
        """The value of `config.blas__ldflags`; empty for no BLAS."""
        blas = linkable_blas() if self.links_blas else None
        return blas.flags if blas else ""

    def make_mode(self) -> Mode:
        """Return a new mode, with the rewrites that are registered now."""
        mode: Mode = eval(self.mode, {"Mode": Mode, "get_mode": get_mode})
        return mode


@cache  # a broken package stays broken in this process
def import_failure(package: str, dispatch: str) -> str:
    """Return the reason why PyTensor cannot use an installed package; empty if it can."""
    try:
        import_module(dispatch)
    except Exception as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        version = pytensor.__version__
        return f"{package} is installed, but PyTensor {version} cannot use it ({reason})"
    return ""


def _has_dtype(case: DotCase, *dtypes: str) -> bool:
    return not {case.x.dtype, case.y.dtype}.isdisjoint(dtypes)


def _contracts(case: DotCase) -> bool:
    shared, names = {*case.x.dims}.intersection(case.y.dims), case.dim.names
    return bool(shared if names is None or names is ... else shared.intersection(names))


def _has_reversed_operand(case: DotCase) -> bool:
    return any(operand.layout == "reversed" and operand.dims for operand in (case.x, case.y))


def _sums_empty_operand(case: DotCase) -> bool:
    shared, names = {*case.x.dims}.intersection(case.y.dims), case.dim.names
    return names is not None and any(
        0 in operand.shape and (names is ... or not names.isdisjoint({*operand.dims} - shared))
        for operand in (case.x, case.y)
    )


BACKENDS = {
    "python": PyTensorBackend('Mode(linker="py", optimizer="fast_run")'),
    "python-minimum": PyTensorBackend(
        'Mode(linker="py", optimizer="minimum_compile")', slow_to_compile=True
    ),
    "fast-compile": PyTensorBackend('get_mode("FAST_COMPILE")', slow_to_compile=True),
    "c": PyTensorBackend(
        'Mode(linker="cvm", optimizer="fast_run")',
        compiles_c=True,
        slow_to_compile=True,
        without_stale_code=_c_cache_keyed_by_source,
    ),
    # What users of conda run: it brings a BLAS, and pip does not.
    "c-blas": PyTensorBackend(
        'Mode(linker="cvm", optimizer="fast_run")',
        compiles_c=True,
        links_blas=True,
        slow_to_compile=True,
        without_stale_code=_c_cache_keyed_by_source,
    ),
    "numba": PyTensorBackend(
        'get_mode("NUMBA")',
        "numba",
        "pytensor.link.numba.dispatch",
        "NUMBA_DISABLE_JIT",
        slow_to_compile=True,
        share=2,  # this is what PyTensor runs by default
        compiles_each_layout=True,
        unsupported=(
            Unsupported("numba has no float16", lambda case: _has_dtype(case, "float16")),
        ),
        without_stale_code=_numba_cache_in,
    ),
    "jax": PyTensorBackend(
        'get_mode("JAX")',
        "jax",
        "pytensor.link.jax.dispatch",
        follows_float_x=True,
        slow_to_compile=True,
        unsupported=(NO_SUBNORMALS,),
    ),
    # It may hang on arrays of size 0, and cannot be interrupted.
    "mlx": PyTensorBackend(
        'get_mode("MLX")',
        "mlx",
        "pytensor.link.mlx.dispatch",
        slow_to_compile=True,
        default=False,
        unsupported=(
            Unsupported(
                "MLX has no complex128: PyTensor gives it complex64",
                lambda case: case.result_dtype == "complex128",
            ),
            Unsupported(
                "MLX cannot multiply matrices of integers or bools",
                lambda case: case.result_dtype.kind in "biu" and _contracts(case),
            ),
            Unsupported(
                "MLX hangs or returns garbage when it sums an array of size 0", _sums_empty_operand
            ),
        ),
    ),
    # Its compiler takes half a minute or more for each graph.
    "torch": PyTensorBackend(
        'get_mode("PYTORCH")',
        "torch",
        "pytensor.link.pytorch.dispatch",
        slow_to_compile=True,
        default=False,
        unsupported=(
            Unsupported("torch accepts no array with negative strides", _has_reversed_operand),
            Unsupported(
                "torch does not promote uint16, uint32 and uint64 to other dtypes",
                lambda case: (
                    case.x.dtype != case.y.dtype and _has_dtype(case, "uint16", "uint32", "uint64")
                ),
            ),
            Unsupported(
                "torch cannot multiply matrices of bools",
                lambda case: case.result_dtype == "bool" and _contracts(case),
            ),
        ),
    ),
}
