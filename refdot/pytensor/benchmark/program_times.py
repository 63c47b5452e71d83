"""The time that PyTensor takes for a named program, by phase."""

from __future__ import annotations

import gc
import platform
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

import pytensor

from refdot.programs.case import ProgramCase
from refdot.programs.named import named_program
from refdot.pytensor.benchmark.measurement import LimitReached, Measurement, time_limit
from refdot.pytensor.programs import graph as graphs
from refdot.pytensor.programs.judge import arguments_of
from refdot.pytensor.target.backends import BACKENDS
from refdot.pytensor.target.configuration import configured

__all__ = ["PHASES", "ProgramTimes", "as_json", "program_times"]

PHASES = ("build", "lower", "gradient", "compile", "first call", "call")


@dataclass
class ProgramTimes:
    """What one program and its gradients take on a backend with one lowering."""

    program: str
    backend: str
    lowering: str
    measurements: list[Measurement] = field(default_factory=list)
    stopped: str = ""  # the reason why there are no measurements, if there are none

    def seconds(self, phase: str) -> float | None:
        """Return the median of a phase, in seconds of processor time."""
        if self.stopped or not self.measurements:
            return None
        return median(each.seconds[phase] for each in self.measurements)


def program_times(
    program: str,
    backend: str,
    lowerings: Sequence[str],
    repeats: int = 3,
    limit: float = 120.0,
) -> list[ProgramTimes]:
    """Measure a named program and its gradients with some lowerings, which take turns.

    A first run of each lowering does not count: it pays for imports, and for C modules that
    several of them use. Numba's cache on disk is off, the cache of C modules is on. A lowering that
    reaches the time limit, in seconds, is not measured again.

    Examples
    --------
    >>> (times,) = program_times("gram", "python", ["inlined"], repeats=1)
    >>> times.seconds("compile") > 0
    True
    """
    case = ProgramCase(named_program(program), gradient_order=1)
    results = [ProgramTimes(program, backend, lowering) for lowering in lowerings]
    for turn in range(1 + repeats):
        for result in results:
            if result.stopped:
                continue
            gc.collect()
            try:
                with time_limit(limit):
                    measurement = _measure(case, backend, result.lowering)
            except LimitReached:
                result.stopped = f"over {limit:g} s"
                continue
            if turn > 0:
                result.measurements.append(measurement)
    return results


def as_json(results: Sequence[ProgramTimes], limit: float, repeats: int) -> dict[str, Any]:
    """Return the medians in types that `json` can write."""
    return {
        "pytensor": str(pytensor.__version__),
        "python": platform.python_version(),
        "limit": limit,
        "repeats": repeats,
        "results": [_result_as_json(result) for result in results],
    }


def _result_as_json(result: ProgramTimes) -> dict[str, Any]:
    head = {"program": result.program, "backend": result.backend, "lowering": result.lowering}
    if result.stopped:
        return {**head, "stopped": result.stopped}
    return {**head, "seconds": {phase: result.seconds(phase) for phase in PHASES}}


def _measure(case: ProgramCase, backend: str, lowering: str) -> Measurement:
    measurement = Measurement()
    with configured(BACKENDS[backend], lowering, numba__cache=False) as mode:
        with measurement.phase("build"):
            graph = graphs.build(case)
        with measurement.phase("lower"):
            lowered = graphs.lower(case, graph)
        with measurement.phase("gradient"):
            derivatives = graphs.derivatives(case, graph, lowered)
        inputs = graphs.inputs_of(graph, derivatives)
        bars = [bar for derivative in derivatives for bar in derivative.outputs]
        with measurement.phase("compile"):
            function = pytensor.function(
                inputs, [*lowered, *bars], mode=mode, on_unused_input="ignore"
            )
        arguments = arguments_of(case, graph, derivatives, replicate=0).values()
        for name in ("first call", "call"):
            with measurement.phase(name):
                function(*arguments)
    return measurement
