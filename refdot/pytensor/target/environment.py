"""The environment of a verdict on PyTensor: linker, BLAS and packages."""

import subprocess
from importlib.metadata import PackageNotFoundError, version

import pytensor
from pytensor.compile.mode import get_default_mode

from refdot.pytensor.target.blas import configured_blas, linkable_blas
from refdot.targets.environment import blas_of

__all__ = ["environment"]


def environment() -> dict[str, str]:
    """Return what a verdict on PyTensor depends on, by name."""
    linked = linkable_blas() if pytensor.config.cxx else None
    found = {
        "PyTensor's linker": _default_linker(),
        "PyTensor's BLAS": configured_blas() or "none",
        "BLAS of c-blas": linked.version if linked else "none",
        "C++ compiler": _first_line(pytensor.config.cxx, "--version"),
        "SciPy's BLAS": blas_of("scipy"),
    }
    for package in ("scipy", "numba", "jax", "mlx", "torch"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def _default_linker() -> str:
    """Return the name of the linker that PyTensor uses if no mode is given."""
    linker = get_default_mode().linker
    return type(linker).__name__


def _first_line(command: str, *arguments: str) -> str:
    """Return the first line that a command prints, or that there is no command."""
    if not command:
        return "none"
    ran = subprocess.run([*command.split(), *arguments], capture_output=True, text=True)
    return ran.stdout.partition("\n")[0]
