"""The environment of a verdict: what it depends on besides the target and Python."""

import os
import platform
from importlib import import_module

import numpy as np

from refdot.targets.protocol import Target

__all__ = ["blas_of", "environment_of"]

# What limits the threads of a BLAS and of compiled code, and so the order of summation.
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


def environment_of(target: Target) -> dict[str, str]:
    """Return what a verdict depends on, by name.

    A target that has a method `environment` adds to it.

    Examples
    --------
    >>> import refdot
    >>> from refdot.targets.callable import CallableTarget
    >>> found = environment_of(CallableTarget(refdot.dot, "dot"))
    >>> list(found)
    ['platform', 'threads', 'numpy', "NumPy's BLAS"]
    """
    limits = [f"{name}={os.environ[name]}" for name in _THREADS if name in os.environ]
    found = {
        "platform": f"{platform.system()} {platform.machine()}",
        "threads": ", ".join([f"{os.cpu_count()} CPUs", *limits]),
        "numpy": np.__version__,
        "NumPy's BLAS": blas_of("numpy"),
    }
    own = getattr(target, "environment", None)
    return found | (own() if own else {})


def blas_of(package: str) -> str:
    """Return the name and the version of the BLAS that NumPy or SciPy was built with."""
    try:
        built_with = import_module(package).show_config(mode="dicts")["Build Dependencies"]["blas"]
        return f"{built_with['name']} {built_with['version']}"
    except (AttributeError, ImportError, KeyError, TypeError):
        return "unknown"
