"""PyTensor as a target, with its backends and lowerings."""

import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from shutil import rmtree
from typing import Any, Self
from unittest.mock import patch
from weakref import finalize

import numpy as np
import pytensor
from pytensor.compile.mode import Mode

from refdot.cases.case import DotCase
from refdot.pytensor.deviations import known_deviations
from refdot.pytensor.lowerings.install import LOWERINGS
from refdot.pytensor.target.backends import BACKENDS, PyTensorBackend
from refdot.pytensor.target.configuration import configured, without_repetition
from refdot.pytensor.target.coverage import Used, kernels, recorded, rewrites
from refdot.pytensor.target.environment import environment
from refdot.pytensor.target.reproducer import reproducer
from refdot.pytensor.target.runner import Runner
from refdot.rules import STAGES
from refdot.targets.mismatch import Deviation, Mismatch
from refdot.targets.outcome import Outcome
from refdot.targets.protocol import Backend, Unsupported
from refdot.targets.temporary import process_folder

__all__ = ["PyTensorTarget"]


def _has_unaligned_operand(case: DotCase) -> bool:
    return not all(array.flags.aligned for array in case.arrays())


def _holds_byte_swapped_operand(case: DotCase) -> bool:
    operands = zip((case.x, case.y), case.arrays(), strict=True)
    return any(
        operand.origin != "input" and not array.dtype.isnative for operand, array in operands
    )


# PyTensor says so in a TypeError. It converts arrays of swapped bytes if they are arguments.
_UNSUPPORTED = (
    Unsupported("PyTensor accepts only aligned arrays", _has_unaligned_operand),
    Unsupported(
        "PyTensor accepts no constants and shared variables whose bytes are in the other order",
        _holds_byte_swapped_operand,
    ),
)


# Compiled backends, the one that takes least time first.
_CHEAP_TO_COMPILE = ("c", "numba")


class PyTensorTarget:
    """The PyTensor that is installed, or patched, in this process."""

    name = "pytensor"
    stages: tuple[str, ...] = STAGES
    lowerings: tuple[str, ...] = tuple(LOWERINGS)
    # Not "direct": that is refdot's own, and its mismatches say nothing about PyTensor.
    default_lowerings: tuple[str, ...] = ("stock", "inlined")
    unsupported: tuple[Unsupported, ...] = _UNSUPPORTED
    not_checked: Mapping[str, str] = {}

    def __reduce__(self) -> tuple[Any, ...]:
        # In another process, it is a target for the PyTensor of that process.
        return type(self), ()

    @property
    def version(self) -> str:
        """PyTensor's version."""
        return str(pytensor.__version__)

    @cached_property
    def deviations(self) -> tuple[Deviation, ...]:
        """The known deviations of the installed version."""
        return known_deviations(self.version)

    @cached_property
    def folder(self) -> Path:
        """A temporary folder, which exists as long as this target."""
        folder = tempfile.mkdtemp(prefix="pytensor-", dir=process_folder())
        finalize(self, rmtree, folder, ignore_errors=True)
        return Path(folder)

    def with_empty_cache(self) -> Self:
        """Return a target with an empty folder, in which Numba finds no compiled code."""
        return type(self)()

    def backends(self) -> tuple[Backend, ...]:
        """Return PyTensor's backends, as they were available at the first call."""
        return self._backends

    @cached_property
    def _backends(self) -> tuple[Backend, ...]:
        compiled = next((name for name in _CHEAP_TO_COMPILE if not BACKENDS[name].absent), "")
        in_look = {"python", compiled}
        return tuple(_backend(name, entry, name in in_look) for name, entry in BACKENDS.items())

    def run(self, case: DotCase, backend: str, lowering: str, until: str = "run") -> Outcome:
        """Build, lower, compile and run a case, up to the stage `until`."""
        return self.run_all([case], backend, lowering, until)[0]

    def run_all(
        self, cases: Iterable[DotCase], backend: str, lowering: str, until: str = "run"
    ) -> tuple[Outcome, ...]:
        """Run cases in turn; cases with the same graph share one compiled function."""
        with self.configured(backend, lowering) as mode:
            # The determinism check needs no lowering, so it runs with only one of them.
            runner = Runner(mode, lowering, until, checks_determinism=lowering == self.lowerings[0])
            with recorded(BACKENDS[backend]) as used:
                return tuple(_run(runner, case, used) for case in cases)

    @contextmanager
    def configured(self, backend: str, lowering: str) -> Iterator[Mode]:
        """Configure PyTensor to judge it, and yield the compilation mode."""
        entry = BACKENDS[backend]
        with (
            # PyTensor leaves a temporary file for each function that numba compiles.
            patch.object(tempfile, "tempdir", str(self.folder)),
            entry.without_stale_code(self.folder),
            # By default PyTensor only logs a rewrite that fails.
            configured(entry, lowering, on_opt_error="raise") as mode,
            without_repetition(),
            # Overflow and NaN are silent (R6) also where the caller's NumPy raises errors.
            np.errstate(all="ignore"),
        ):
            yield mode

    def environment(self) -> dict[str, str]:
        """Return what a verdict depends on besides the versions of PyTensor and of Python."""
        return environment()

    def reproducer(self, mismatch: Mismatch, backend: str, lowering: str) -> str:
        """Return a script that needs only PyTensor and NumPy, and for "direct" also refdot."""
        entry = BACKENDS[backend]
        return reproducer(mismatch, entry.mode, lowering, entry.blas_flags)


def _backend(name: str, entry: PyTensorBackend, in_look: bool) -> Backend:
    """Return a backend of the table as the protocol describes it."""
    absent = entry.absent
    return Backend(
        name,
        absent,
        entry.default,
        entry.slow_to_compile,
        entry.unsupported,
        () if absent else kernels(entry),
        () if absent else rewrites(entry),
        has_own_messages=entry.links_blas,
        share=entry.share,
        in_look=in_look,
        compiles_each_layout=entry.compiles_each_layout,
    )


def _run(runner: Runner, case: DotCase, used: Used) -> Outcome:
    """Run a case, and note in its outcome what PyTensor used for it."""
    used.clear()
    outcome = runner.run(case)
    return replace(outcome, kernels=frozenset(used.kernels), rewrites=frozenset(used.rewrites))
