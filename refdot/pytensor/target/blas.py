"""The BLAS that PyTensor's C backend can link.

PyTensor links the BLAS of `config.blas__ldflags`. It finds one in a conda environment, and none
where it was installed by pip: its C code then leaves every dot to NumPy. Wheels bring a BLAS too,
which this module finds, so that refdot can judge what users of conda run.
"""

import shlex
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from ctypes import CDLL
from ctypes.util import find_library
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from os import close, dup, dup2
from pathlib import Path
from tempfile import TemporaryFile

import pytensor
from pytensor.link.c.cmodule import GCC_compiler

__all__ = ["Blas", "configured_blas", "linkable_blas", "quiet_blas"]

# The functions that PyTensor's C code calls, each in single and in double precision.
_FUNCTIONS = [f"{kind}{name}_" for kind in "sd" for name in ("dot", "gemm", "gemv", "ger")]

# The program prints the version of the BLAS. Before, it calls the BLAS with an argument that is
# illegal, as PyTensor may do: some implementations then end the process, and refdot with it.
_PROGRAM = r"""
#include <cstdio>
extern "C" {
    void dgemm_(const char*, const char*, const int*, const int*, const int*, const double*,
                const double*, const int*, const double*, const int*, const double*, double*,
                const int*);
    char* openblas_get_config() __attribute__((weak));
    char* scipy_openblas_get_config() __attribute__((weak));
    void mkl_get_version_string(char*, int) __attribute__((weak));
}
int main() {
    const int two = 2, one = 1;
    const double scale = 1, a[4] = {1, 2, 3, 4};
    double c[4] = {0, 0, 0, 0};
    dgemm_("N", "N", &two, &two, &two, &scale, a, &two, a, &two, &scale, c, &two);
    if (c[0] != 7 || c[1] != 10 || c[2] != 15 || c[3] != 22) return 1;
    dgemm_("N", "N", &two, &two, &two, &scale, a, &one, a, &one, &scale, c, &one);
    char version[200] = "a BLAS of unknown version";
    if (mkl_get_version_string) mkl_get_version_string(version, sizeof version - 1);
    const char* known = scipy_openblas_get_config ? scipy_openblas_get_config()
                      : openblas_get_config ? openblas_get_config() : version;
    std::printf("\nversion: %s\n", known);
}
"""


@dataclass(frozen=True)
class Blas:
    """A BLAS that PyTensor can link."""

    flags: str  # the value of `config.blas__ldflags`
    version: str  # its name and version, as it gives them


@cache  # the compiler and the libraries stay the same in this process
def linkable_blas() -> Blas | None:
    """Return the BLAS that PyTensor links here, or else one that it could link, or None."""
    for flags in _candidates():
        if version := _version(flags):
            return Blas(flags, version)
    return None


def configured_blas() -> str:
    """Return the value of `config.blas__ldflags`; empty if PyTensor links no BLAS."""
    with warnings.catch_warnings(action="ignore"):  # PyTensor warns if it finds none
        return str(pytensor.config.blas__ldflags)


def _candidates() -> Iterator[str]:
    """Yield values for `config.blas__ldflags`, the one that PyTensor has here first."""
    if configured := configured_blas():
        yield configured
    for library in sorted(Path(sys.prefix, "lib").glob("libmkl_rt.so*")):
        yield _flags(library)
    for name in ("mkl_rt", "openblas", "blas"):
        if installed := find_library(name):
            yield f"-l:{installed}"
    # SciPy's wheels bring an OpenBLAS whose functions have a prefix.
    scipy = find_spec("scipy")
    for folder in (scipy and scipy.submodule_search_locations) or ():
        for library in Path(folder).with_name("scipy.libs").glob("libscipy_openblas*.so"):
            renamed = (f"-D{function}=scipy_{function}" for function in _FUNCTIONS)
            yield " ".join([_flags(library), *renamed])


def _flags(library: Path) -> str:
    return shlex.join([f"-L{library.parent}", f"-l:{library.name}"])


def _version(flags: str) -> str:
    """Return the version of a BLAS; empty if it cannot be linked, or ends a process."""
    options = shlex.split(flags)
    options += [f"-Wl,-rpath,{option[2:]}" for option in options if option.startswith("-L")]
    compiled, ran, output, _ = GCC_compiler.try_compile_tmp(
        _PROGRAM, "refdot_blas_", options, try_run=True, output=True
    )
    if not (compiled and ran):
        return ""
    _, _, version = output.decode(errors="replace").partition("version: ")
    return " ".join(version.split())


@contextmanager
def quiet_blas() -> Iterator[None]:
    """Keep the messages of a BLAS about illegal arguments from the terminal.

    It writes them to the streams of C, which Python cannot redirect.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    streams = [(number, dup(number)) for number in (1, 2)]
    with TemporaryFile() as discarded:
        try:
            for number, _ in streams:
                dup2(discarded.fileno(), number)
            yield
        finally:
            CDLL(None).fflush(None)  # what C has buffered belongs to the file, too
            for number, copy in streams:
                dup2(copy, number)
                close(copy)
