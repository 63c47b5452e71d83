"""Temporary configuration of PyTensor for a backend and a lowering."""

import io
import logging
import warnings
from collections.abc import Iterator
from contextlib import (
    ExitStack,
    contextmanager,
    nullcontext,
    redirect_stderr,
    redirect_stdout,
)
from typing import Any

import pytensor
from pytensor.compile.mode import Mode

from refdot.pytensor.lowerings.install import use_lowering
from refdot.pytensor.target.backends import PyTensorBackend
from refdot.pytensor.target.blas import quiet_blas

__all__ = ["configured"]


@contextmanager
def configured(backend: PyTensorBackend, lowering: str, **flags: Any) -> Iterator[Mode]:
    """Configure PyTensor for a backend and a lowering, and yield the mode.

    Its warnings, logging and printing are silenced: an outcome holds the same information as data.
    """
    compiler = pytensor.config.cxx if backend.compiles_c else ""
    logger = logging.getLogger("pytensor")
    with (
        quiet_blas() if backend.links_blas else nullcontext(),
        warnings.catch_warnings(action="ignore"),
        redirect_stdout(io.StringIO()),
        redirect_stderr(io.StringIO()),
        ExitStack() as restore,
    ):
        restore.callback(logger.setLevel, logger.level)
        logger.setLevel(logging.CRITICAL + 1)
        mode = backend.make_mode()
        # PyTensor always compiles the inner graph of an OpFromGraph in the default mode.
        flags |= {"cxx": compiler, "blas__ldflags": backend.blas_flags, "mode": mode}
        with pytensor.config.change_flags(**flags), use_lowering(lowering):
            yield mode
