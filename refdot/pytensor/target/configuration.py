"""Configure PyTensor for a backend and a lowering, and restore everything afterwards."""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from typing import Any

import pytensor
from pytensor.compile.mode import Mode

from refdot.pytensor.lowerings.install import use_lowering
from refdot.pytensor.target.backends import PyTensorBackend

__all__ = ["configured"]


@contextmanager
def configured(backend: PyTensorBackend, lowering: str, **flags: Any) -> Iterator[Mode]:
    """Configure PyTensor for a backend and a lowering, and silence it; yield the mode."""
    compiler = pytensor.config.cxx if backend.compiles_c else ""
    with warnings.catch_warnings(action="ignore"), _quiet():
        mode = backend.make_mode()
        # PyTensor compiles the inner graph of an OpFromGraph in the default mode, whatever the
        # mode of the outer graph.
        with (
            pytensor.config.change_flags(cxx=compiler, mode=mode, **flags),
            use_lowering(lowering),
        ):
            yield mode


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence PyTensor's logging and printing; an outcome holds the same information as data."""
    logger = logging.getLogger("pytensor")
    level = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
            yield
    finally:
        logger.setLevel(level)
