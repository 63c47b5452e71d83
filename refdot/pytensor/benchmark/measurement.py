"""Measurement of the time that stacked attention needs to compile."""

from __future__ import annotations

import os
import signal
import threading
import tracemalloc
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from statistics import median
from time import process_time
from typing import Any

import numpy as np
import pytensor
from pytensor.compile.builders import OpFromGraph
from pytensor.compile.mode import Mode
from pytensor.graph.fg import FunctionGraph
from pytensor.graph.rewriting.basic import GraphRewriter
from pytensor.graph.rewriting.utils import rewrite_graph
from pytensor.graph.traversal import ancestors

from refdot.pytensor.benchmark.attention import Values, draw_values, tensor_model, xtensor_model
from refdot.pytensor.target.backends import BACKENDS
from refdot.pytensor.target.configuration import configured
from refdot.tensor import Array

__all__ = [
    "PHASES",
    "PLAIN",
    "LimitReached",
    "Measurement",
    "Setting",
    "configured_for",
    "measure",
    "peak_memory",
    "processor_time",
    "time_limit",
]

PHASES = ("build", "lower", "grad", "rewrite", "code generation", "first call", "steady call")
PLAIN = "plain"  # the variant in hand-written tensor code; the others are named by their lowering
STEADY_CALLS, STEADY_SECONDS = 30, 0.2  # the steady calls end when either is reached


class LimitReached(BaseException):
    """A measurement exceeded its time limit. Not an `Exception`: rewriting catches those."""


@dataclass(frozen=True)
class Setting:
    """The options of a measurement, except the number of layers and the variant."""

    backend: str = "python"
    weights_shape: str = (
        "unknown"  # or "static", or "mixed": only the first weight of a layer is static
    )
    gradient: str = "input"  # with respect to the "input" or the "weights"
    limit: float = 120.0  # in seconds
    memory: bool = False  # whether to measure memory too


@dataclass
class Measurement:
    """The times of one variant that was compiled and called."""

    seconds: dict[str, float] = field(default_factory=dict)  # of each phase
    # Seconds of each pass of the rewriting: as PyTensor measures it, the time that passes.
    passes: dict[str, float] = field(default_factory=dict)
    # After lower, grad and rewrite: the number of nodes, and of those that are an `OpFromGraph`.
    nodes: dict[str, int] = field(default_factory=dict)
    inner_graphs: dict[str, int] = field(default_factory=dict)
    answers: list[Array] = field(default_factory=list)  # the loss and the gradients

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Measure the time of a block."""
        started = processor_time()
        yield
        self.seconds[name] = processor_time() - started

    def count(self, phase: str, ops: Sequence[Any]) -> None:
        """Count the nodes after a phase, given the operation of each."""
        self.nodes[phase] = len(ops)
        self.inner_graphs[phase] = sum(isinstance(op, OpFromGraph) for op in ops)


def processor_time() -> float:
    """Return the seconds of this process and of those that it ran, such as a C compiler.

    On a machine with other work, these vary much less than the time that passes.
    """
    children = os.times()
    return process_time() + children.children_user + children.children_system


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise `LimitReached` in the block if it takes longer than this."""

    def stop(*_: object) -> None:
        raise LimitReached

    if threading.current_thread() is not threading.main_thread():
        raise RuntimeError("a time limit works only in the main thread, which receives signals")
    before = signal.signal(signal.SIGALRM, stop)
    try:
        signal.setitimer(signal.ITIMER_REAL, seconds)
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def configured_for(variant: str, setting: Setting) -> AbstractContextManager[Mode]:
    """Configure PyTensor for a variant, without numba's cache on disk."""
    lowering = "stock" if variant == PLAIN else variant
    return configured(BACKENDS[setting.backend], lowering, numba__cache=False)


def measure(variant: str, layers: int, setting: Setting) -> Measurement:
    """Measure all phases of one variant."""
    measurement, values = Measurement(), draw_values(layers)
    with configured_for(variant, setting) as configured_mode:
        mode = _TimedMode.of(configured_mode)
        x, outputs = differentiated_loss(variant, values, setting, measurement)
        with measurement.phase("code generation"):
            function = pytensor.function([x], outputs, mode=mode)
        measurement.seconds["rewrite"] = mode.timed.seconds
        measurement.seconds["code generation"] -= mode.timed.seconds
        measurement.passes = mode.timed.passes
        measurement.count("rewrite", [node.op for node in function.maker.fgraph.apply_nodes])
        with measurement.phase("first call"):
            answers = function(values.x)
        times: list[float] = []
        while not times or (len(times) < STEADY_CALLS and sum(times) < STEADY_SECONDS):
            with measurement.phase("steady call"):
                function(values.x)
            times.append(measurement.seconds["steady call"])
        measurement.seconds["steady call"] = median(times)
    measurement.answers = [np.asarray(answer) for answer in answers]
    return measurement


def peak_memory(variant: str, layers: int, setting: Setting) -> int:
    """Return the most bytes that Python holds while a variant is lowered, derived and rewritten."""
    values = draw_values(layers)
    with configured_for(variant, setting) as mode:
        tracemalloc.start()
        try:
            _, outputs = differentiated_loss(variant, values, setting, Measurement())
            mode.optimizer.rewrite(FunctionGraph(outputs=outputs, clone=True))
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()


def differentiated_loss(
    variant: str, values: Values, setting: Setting, measurement: Measurement
) -> tuple[Any, list[Any]]:
    """Build, lower and differentiate the loss. Return the input; and the loss and gradients."""
    with measurement.phase("build"):
        build = tensor_model if variant == PLAIN else xtensor_model
        x, weights, loss = build(values, setting.weights_shape)
    measurement.seconds["lower"] = 0.0
    if variant != PLAIN:
        with measurement.phase("lower"):
            loss = rewrite_graph(loss, include=("lower_xtensor",), clone=True)
    measurement.count("lower", _ops_of([loss]))
    with measurement.phase("grad"):
        wrt = [x] if setting.gradient == "input" else weights
        outputs = [loss, *pytensor.grad(loss, wrt)]
    measurement.count("grad", _ops_of(outputs))
    return x, outputs


def _ops_of(outputs: Sequence[Any]) -> list[Any]:
    nodes = {variable.owner for variable in ancestors(outputs) if variable.owner}
    return [node.op for node in nodes]


class _TimedRewriter(GraphRewriter):  # type: ignore[misc]  # PyTensor's types are skipped
    """A rewriter that measures its first use, and the passes of that."""

    def __init__(self) -> None:
        self.seconds: float = 0.0
        self.passes: dict[str, float] = {}
        self.used = False
        self.rewriter: Any = None

    def add_requirements(self, fgraph: FunctionGraph) -> None:
        self.rewriter.add_requirements(fgraph)

    def apply(self, fgraph: FunctionGraph) -> Any:
        # Later uses rewrite the inner graph of an `OpFromGraph`, some of them during the first.
        is_first, self.used = not self.used, True
        started = processor_time()
        profile = self.rewriter.apply(fgraph)
        if is_first:
            self.seconds = processor_time() - started
            self.passes = {
                str(getattr(step, "name", step)): seconds
                for step, seconds in zip(profile[0], profile[1], strict=True)
            }
        return profile


class _TimedMode(Mode):  # type: ignore[misc]  # PyTensor's types are skipped
    """A compilation mode that measures its rewriting."""

    timed: _TimedRewriter

    @classmethod
    def of(cls, mode: Mode) -> _TimedMode:
        timed_mode = cls(linker=mode.linker, optimizer=mode.provided_optimizer)
        timed_mode.timed = _TimedRewriter()
        return timed_mode

    @property
    def optimizer(self) -> _TimedRewriter:
        self.timed.rewriter = super().optimizer  # with the rewrites that are registered now
        return self.timed
