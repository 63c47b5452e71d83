"""The ways in which PyTensor executes: one entry of a table each."""

from __future__ import annotations

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

import numpy as np
import pytensor
from pytensor.compile.mode import Mode, get_mode
from pytensor.link.c.basic import CLinker

from refdot.cases.case import DotCase
from refdot.targets.outcome import REPLICATES
from refdot.targets.protocol import Unsupported
from refdot.tensor import Array

__all__ = ["BACKENDS", "PyTensorBackend"]


def _numba_in(folder: Path) -> AbstractContextManager[Any]:
    """Keep numba from finding on disk what it compiled for another PyTensor.

    PyTensor's keys for it are made of operations and their parameters alone, so that code which
    was edited, or patched in this process, would not be seen.
    """
    return patch("pytensor.link.numba.cache.NUMBA_CACHE_PATH", folder)


def _c_by_its_text(folder: Path) -> AbstractContextManager[Any]:
    """Keep PyTensor from finding what it compiled from another text.

    Its keys for C are made of operations and the versions that these claim, which nobody need
    raise who edits or patches their code. With the text in the key, its own folder can be used,
    and what was compiled before is found there.
    """
    key_without_text = CLinker.cmodule_key

    def key_with_text(linker: Any) -> Any:
        version, rest = key_without_text(linker)
        text = sha256(linker.get_src_code().encode()).hexdigest()
        return version, (*rest, ("text", text))

    return patch.object(CLinker, "cmodule_key", key_with_text)


@dataclass(frozen=True)
class PyTensorBackend:
    """A way to execute.

    Attributes
    ----------
    mode : str
        The compilation mode, as PyTensor code.
    needs : str
        The package that it cannot run without.
    dispatch : str
        The module of PyTensor that hands operations to that package.
    compiles_c : bool
        Whether PyTensor compiles C for it; the others are faster without a compiler.
    dear : bool
        Whether it is given a sample of graphs alone. Only "python" is not: it is fast enough for
        all of them, and the others differ from it in how they execute, not in what is lowered.
    default : bool
        Whether it runs unless others are asked for.
    unsupported : tuple of Unsupported
        What it does not claim to do.
    afresh : callable
        Given a folder of one's own, gives the context in which nothing is found that was compiled
        for another PyTensor.
    """

    mode: str
    needs: str = ""
    dispatch: str = ""
    compiles_c: bool = False
    slow_to_compile: bool = False
    default: bool = True
    unsupported: tuple[Unsupported, ...] = ()
    afresh: Callable[[Path], AbstractContextManager[Any]] = nullcontext

    @property
    def absent(self) -> str:
        """Why it cannot run here; empty if it can."""
        if self.compiles_c and not pytensor.config.cxx:
            return "there is no C++ compiler (config.cxx is empty)"
        if self.needs and find_spec(self.needs) is None:
            return f"{self.needs} is not installed"
        return unusable(self.needs, self.dispatch) if self.dispatch else ""

    def make_mode(self) -> Mode:
        """Make the mode anew, with the rewrites that are registered now."""
        mode: Mode = eval(self.mode, {"Mode": Mode, "get_mode": get_mode})
        return mode


@cache  # a package that is broken stays so for as long as this process lives
def unusable(package: str, dispatch: str) -> str:
    """Say why PyTensor cannot use a package that is there; empty if it can."""
    try:
        import_module(dispatch)
    except Exception as error:
        said = " ".join(f"{type(error).__name__}: {error}".split())
        return f"{package} is installed, but PyTensor {pytensor.__version__} cannot use it ({said})"
    return ""


def _result_dtype(case: DotCase) -> np.dtype[Any]:
    """Give the dtype that R7 asks for."""
    return np.result_type(np.dtype(case.x.dtype), np.dtype(case.y.dtype))


def _contracts(case: DotCase) -> bool:
    """Whether a case sums over a dim that both operands have."""
    shared, names = {*case.x.dims}.intersection(case.y.dims), case.dim.names
    return bool(shared if names is None or names is ... else shared.intersection(names))


def _holds_subnormals(case: DotCase) -> bool:
    """Whether an operand holds a number below the smallest normal one, other than 0."""
    return case.regime == "special" and any(
        _are_subnormal(part).any()
        for replicate in range(REPLICATES)
        for array in case.arrays(replicate)
        if array.dtype.kind in "fc"
        for part in (array.real, array.imag)
    )


def _are_subnormal(values: Array) -> Array:
    """Tell which real numbers are subnormal."""
    return np.asarray((values != 0) & (np.abs(values) < np.finfo(values.dtype).smallest_normal))


def _holds_reversed(case: DotCase) -> bool:
    """Whether an operand lies backwards in memory."""
    return any(operand.layout == "reversed" and operand.dims for operand in (case.x, case.y))


def _sums_nothing(case: DotCase) -> bool:
    """Whether an operand without elements is summed alone."""
    shared, names = {*case.x.dims}.intersection(case.y.dims), case.dim.names
    return names is not None and any(
        0 in operand.shape and (names is ... or not names.isdisjoint({*operand.dims} - shared))
        for operand in (case.x, case.y)
    )


_OF_NUMBA = (
    Unsupported(
        "numba has no float16",
        lambda case: "float16" in (case.x.dtype, case.y.dtype),
    ),
)
_OF_JAX = (Unsupported("XLA takes subnormal numbers for 0", _holds_subnormals),)
_OF_MLX = (
    Unsupported(
        "MLX has no complex128: PyTensor gives it complex64",
        lambda case: _result_dtype(case) == "complex128",
    ),
    Unsupported(
        "MLX multiplies no matrices of integers or bools",
        lambda case: _result_dtype(case).kind in "biu" and _contracts(case),
    ),
    Unsupported(
        "MLX comes to no end, or to garbage, where it sums an array of size 0", _sums_nothing
    ),
)
_OF_TORCH = (
    Unsupported("torch takes no array with negative strides", _holds_reversed),
    Unsupported(
        "torch promotes uint16, uint32 and uint64 to no other dtype",
        lambda case: (
            case.x.dtype != case.y.dtype
            and not {case.x.dtype, case.y.dtype}.isdisjoint(("uint16", "uint32", "uint64"))
        ),
    ),
    Unsupported(
        "torch multiplies no matrices of bools",
        lambda case: _result_dtype(case) == "bool" and _contracts(case),
    ),
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
        afresh=_c_by_its_text,
    ),
    "numba": PyTensorBackend(
        'get_mode("NUMBA")',
        "numba",
        "pytensor.link.numba.dispatch",
        slow_to_compile=True,
        unsupported=_OF_NUMBA,
        afresh=_numba_in,
    ),
    "jax": PyTensorBackend(
        'get_mode("JAX")',
        "jax",
        "pytensor.link.jax.dispatch",
        slow_to_compile=True,
        unsupported=_OF_JAX,
    ),
    # What it does with arrays of size 0 may never end, and cannot be stopped.
    "mlx": PyTensorBackend(
        'get_mode("MLX")',
        "mlx",
        "pytensor.link.mlx.dispatch",
        slow_to_compile=True,
        default=False,
        unsupported=_OF_MLX,
    ),
    # Its compiler takes half a minute and more for a graph.
    "torch": PyTensorBackend(
        'get_mode("PYTORCH")',
        "torch",
        "pytensor.link.pytorch.dispatch",
        slow_to_compile=True,
        default=False,
        unsupported=_OF_TORCH,
    ),
}
