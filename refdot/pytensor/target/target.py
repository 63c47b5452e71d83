"""PyTensor as a target: builds, lowers, compiles and runs a case on one of its backends."""

from __future__ import annotations

import io
import logging
import tempfile
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from functools import cached_property
from pathlib import Path
from shutil import rmtree
from typing import Any
from weakref import finalize

import pytensor

from refdot.cases.case import DotCase
from refdot.pytensor.deviations import known_deviations
from refdot.pytensor.lowerings.install import LOWERINGS, use_lowering
from refdot.pytensor.target.backends import BACKENDS
from refdot.pytensor.target.preparation import Preparation
from refdot.pytensor.target.reproducer import reproducer
from refdot.rules import STAGES
from refdot.targets.mismatch import Deviation, Mismatch
from refdot.targets.outcome import Outcome
from refdot.targets.protocol import Backend, Unsupported

__all__ = ["PyTensorTarget", "quiet"]


@contextmanager
def quiet() -> Iterator[None]:
    """Keep PyTensor from logging and printing what the outcome holds as data."""
    logger = logging.getLogger("pytensor")
    level = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
            yield
    finally:
        logger.setLevel(level)


@contextmanager
def _temporary_files_in(folder: Path) -> Iterator[None]:
    """Have temporary files there: of each function that numba compiles, PyTensor leaves one."""
    before, tempfile.tempdir = tempfile.tempdir, str(folder)
    try:
        yield
    finally:
        tempfile.tempdir = before


class PyTensorTarget:
    """The PyTensor that is installed, or patched, in this process."""

    name = "pytensor"
    stages: tuple[str, ...] = STAGES
    lowerings: tuple[str, ...] = tuple(LOWERINGS)
    # "direct" is refdot's own: what is wrong with it says nothing about PyTensor.
    default_lowerings: tuple[str, ...] = ("stock", "inlined")
    unsupported: tuple[Unsupported, ...] = ()
    not_checked: Mapping[str, str] = {}

    @cached_property
    def deviations(self) -> tuple[Deviation, ...]:
        """The known deviations of the version that is installed."""
        return known_deviations(self.version)

    def __reduce__(self) -> tuple[Any, ...]:
        # In another process it is the PyTensor of that process, with a folder of its own.
        return type(self), ()

    @cached_property
    def folder(self) -> Path:
        """A folder of this target's own, there for as long as it is."""
        folder = tempfile.mkdtemp(prefix="refdot-")
        finalize(self, rmtree, folder, ignore_errors=True)
        return Path(folder)

    @property
    def version(self) -> str:
        """PyTensor's version."""
        return str(pytensor.__version__)

    def backends(self) -> tuple[Backend, ...]:
        """List PyTensor's backends."""
        return tuple(
            Backend(
                name, backend.absent, backend.default, backend.slow_to_compile, backend.unsupported
            )
            for name, backend in BACKENDS.items()
        )

    def run(self, case: DotCase, backend: str, lowering: str, until: str = "run") -> Outcome:
        """Build, lower, compile and run a case, or as much of that as is asked for."""
        return self.run_all([case], backend, lowering, until)[0]

    def run_all(
        self, cases: Iterable[DotCase], backend: str, lowering: str, until: str = "run"
    ) -> tuple[Outcome, ...]:
        """Run cases in turn; those that are one graph are calls of one function."""
        way = BACKENDS[backend]
        compiler = pytensor.config.cxx if way.compiles_c else ""
        with (
            warnings.catch_warnings(),
            quiet(),
            _temporary_files_in(self.folder),
            way.afresh(self.folder),
        ):
            warnings.simplefilter("ignore")
            mode = way.make_mode()
            # A rewrite that fails is otherwise only logged, which hides the cause; and what an
            # OpFromGraph holds is compiled in the default mode, whatever the mode outside.
            with (
                pytensor.config.change_flags(on_opt_error="raise", cxx=compiler, mode=mode),
                use_lowering(lowering),
            ):
                asked = lowering == self.lowerings[0]
                prepared = Preparation(mode, lowering, until, in_other_words=asked)
                return tuple(prepared.run(case) for case in cases)

    def reproducer(self, mismatch: Mismatch, backend: str, lowering: str) -> str:
        """Write a script that needs PyTensor and NumPy alone, and for "direct" refdot."""
        return reproducer(mismatch, BACKENDS[backend].mode, lowering)
