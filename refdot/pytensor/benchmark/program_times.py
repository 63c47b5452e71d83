"""The time that PyTensor takes for a named program, by phase."""

from __future__ import annotations

import gc
import platform
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from statistics import median
from typing import Any

import pytensor

from refdot.programs.case import ProgramCase
from refdot.programs.named import named_program
from refdot.pytensor.benchmark.measurement import LimitReached, processor_time, time_limit
from refdot.pytensor.programs import graph as graphs
from refdot.pytensor.programs.judge import arguments_of
from refdot.pytensor.target import PyTensorTarget

__all__ = ["PHASES", "ProgramTimes", "as_json", "program_times"]

PHASES = ("build", "lower", "gradient", "compile", "first call", "call")


@dataclass
class ProgramTimes:
    """What one program and its gradients take on a backend with one lowering."""

    program: str
    backend: str
    lowering: str
    measurements: list[dict[str, float]] = field(default_factory=list)  # seconds of each phase
    is_stopped: bool = False  # at the time limit

    def seconds(self, phase: str) -> float | None:
        """Return the median of a phase, in seconds of processor time."""
        if self.is_stopped or not self.measurements:
            return None
        return median(each[phase] for each in self.measurements)


def program_times(
    target: PyTensorTarget,
    program: str,
    backend: str,
    lowerings: Sequence[str],
    repeats: int = 3,
    limit: float = 120.0,
) -> list[ProgramTimes]:
    """Measure a named program and its gradients with some lowerings, which take turns.

    A first run of each lowering does not count: it pays for imports, and for C modules that
    several of them use. A lowering that reaches the time limit, in seconds, is not measured again.

    Examples
    --------
    >>> (times,) = program_times(PyTensorTarget(), "gram", "python", ["inlined"], repeats=1)
    >>> times.seconds("compile") > 0
    True
    """
    case = ProgramCase(named_program(program), gradient_order=1)
    results = [ProgramTimes(program, backend, lowering) for lowering in lowerings]
    for turn in range(1 + repeats):
        for result in results:
            if result.is_stopped:
                continue
            gc.collect()
            try:
                with time_limit(limit):
                    seconds = _phase_seconds(target, case, backend, result.lowering)
            except LimitReached:
                result.is_stopped = True
                continue
            if turn > 0:
                result.measurements.append(seconds)
    return results


def as_json(results: Sequence[ProgramTimes], limit: float, repeats: int) -> dict[str, Any]:
    """Return all measurements in types that `json` can write."""
    return {
        "pytensor": str(pytensor.__version__),
        "python": platform.python_version(),
        "limit": limit,
        "repeats": repeats,
        "results": [
            {
                "program": result.program,
                "backend": result.backend,
                "lowering": result.lowering,
                "seconds": {phase: result.seconds(phase) for phase in PHASES},
            }
            for result in results
        ],
    }


def _phase_seconds(
    target: PyTensorTarget, case: ProgramCase, backend: str, lowering: str
) -> dict[str, float]:
    seconds: dict[str, float] = {}

    @contextmanager
    def phase(name: str) -> Iterator[None]:
        start = processor_time()
        yield
        seconds[name] = processor_time() - start

    with target.configured(backend, lowering) as mode:
        with phase("build"):
            graph = graphs.build(case)
        case = case.computed
        with phase("lower"):
            lowered = graphs.lower(case, graph)
        with phase("gradient"):
            derivatives = graphs.derivatives(case, graph, lowered)
        inputs = graphs.inputs_of(graph, derivatives)
        bars = [bar for derivative in derivatives for bar in derivative.outputs]
        with phase("compile"):
            function = pytensor.function(
                inputs, [*lowered, *bars], mode=mode, on_unused_input="ignore"
            )
        arguments = arguments_of(case, graph, derivatives, replicate=0).values()
        for name in ("first call", "call"):
            with phase(name):
                function(*arguments)
    return seconds
