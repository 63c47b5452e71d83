"""What it costs to compile stacked attention: each lowering against hand-written tensor code.

"Compile time" is several things, and they are told apart here, by phase. Variants take turns, in
one process; each is measured several times and the median counts. What the first to come would
pay for all, imports, numba's own warm-up, C modules that others share, is paid before, by a run of
every variant that does not count. numba's cache on disk is off, that of C modules is on.
"""

from __future__ import annotations

import cProfile
import gc
import io
import pstats
import signal
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np
import pytensor
from pytensor.compile.builders import OpFromGraph
from pytensor.compile.mode import Mode
from pytensor.graph.fg import FunctionGraph
from pytensor.graph.rewriting.basic import GraphRewriter
from pytensor.graph.rewriting.utils import rewrite_graph
from pytensor.graph.traversal import ancestors

from refdot.pytensor.benchmark.attention import (
    Values,
    draw_values,
    in_tensors,
    in_xtensors,
    loss_by_oracle,
)
from refdot.pytensor.lowerings.install import use_lowering
from refdot.pytensor.target.backends import BACKENDS
from refdot.pytensor.target.target import quiet
from refdot.tensor import Array

__all__ = ["COMPILING", "PHASES", "Comparison", "Result", "Setting", "compare_lowerings", "inspect"]


PHASES = ("build", "lower", "grad", "rewrite", "code generation", "first call", "steady call")
# What refdot's README and upstream's proposal call compile time: all before code is generated.
COMPILING = ("lower", "grad", "rewrite")
_COUNTED_AFTER = ("lower", "grad", "rewrite")
_GRADIENTS = ("input", "weights")
_PLAIN = "plain"
STEADY_CALLS, STEADY_SECONDS = 30, 1.0


class LimitReached(BaseException):
    """What is being measured has taken longer than it may. Rewriting catches every error."""


@dataclass(frozen=True)
class Setting:
    """What is measured, but for the number of layers and the variant.

    Attributes
    ----------
    backend : str
        One of `refdot.pytensor.backends.BACKENDS`.
    static : bool
        Whether the shapes of the weights are known.
    gradient : str
        What the gradient is of: "input" or "weights".
    limit : float
        How many seconds one measurement may take.
    """

    backend: str = "python"
    static: bool = False
    gradient: str = "input"
    limit: float = 120.0


@dataclass
class Measurement:
    """One variant, compiled and called once.

    Attributes
    ----------
    seconds : dict of str to float
        By phase, as far as it came.
    passes : dict of str to float
        The seconds of each pass of the rewriting, by PyTensor's own measurement.
    nodes, inner_graphs : dict of str to int
        After each of some phases: all nodes, and those that are an `OpFromGraph`.
    answers : list of ndarray
        The loss, and the gradients.
    """

    seconds: dict[str, float] = field(default_factory=dict)
    passes: dict[str, float] = field(default_factory=dict)
    nodes: dict[str, int] = field(default_factory=dict)
    inner_graphs: dict[str, int] = field(default_factory=dict)
    answers: list[Array] = field(default_factory=list)

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Take the time of what is done in the block."""
        started = perf_counter()
        yield
        self.seconds[name] = perf_counter() - started

    def count(self, phase: str, ops: Sequence[Any]) -> None:
        """Count nodes, given the operation of each."""
        self.nodes[phase] = len(ops)
        self.inner_graphs[phase] = sum(isinstance(op, OpFromGraph) for op in ops)


@dataclass
class Result:
    """One variant at one number of layers on one backend.

    Attributes
    ----------
    backend : str
    layers : int
    variant : str
        "plain" or the name of a lowering.
    measurements : list of Measurement
    stopped : str
        Why there are no measurements; empty if there are.
    difference : float, optional
        The largest distance of its loss and gradients from the oracle's.
    difference_from_plain : float, optional
        The same from those of the plain variant.
    """

    backend: str
    layers: int
    variant: str
    measurements: list[Measurement] = field(default_factory=list)
    stopped: str = ""
    difference: float | None = None
    difference_from_plain: float | None = None

    def seconds(self, *phases: str) -> float | None:
        """Give the median of the time of some phases together."""
        if self.stopped or not self.measurements:
            return None
        return median(sum(one.seconds[phase] for phase in phases) for one in self.measurements)

    @property
    def passes(self) -> dict[str, float]:
        """The median seconds of each pass of the rewriting, the longest first."""
        names = {name for one in self.measurements for name in one.passes}
        medians = {
            name: median(one.passes.get(name, 0.0) for one in self.measurements) for name in names
        }
        return dict(sorted(medians.items(), key=lambda item: -item[1]))


@dataclass
class Comparison:
    """All that was measured.

    Attributes
    ----------
    version : str
        PyTensor's.
    static : bool
    gradient : str
    limit : float
    repeats : int
    results : list of Result
    """

    version: str
    static: bool
    gradient: str
    limit: float
    repeats: int
    results: list[Result] = field(default_factory=list)

    def ratio(self, result: Result, *phases: str) -> float | None:
        """Give how many times as long as the plain variant it took, in some phases together."""
        plain = next(
            other
            for other in self.results
            if (other.backend, other.layers, other.variant)
            == (result.backend, result.layers, _PLAIN)
        )
        mine, its = result.seconds(*phases), plain.seconds(*phases)
        return None if mine is None or not its else mine / its


def compare_lowerings(
    layers: Sequence[int],
    lowerings: Sequence[str],
    settings: Sequence[Setting],
    repeats: int = 3,
    progress: Callable[[str, int, int], None] = lambda what, done, total: None,
) -> Comparison:
    """Measure hand-written tensor code and some lowerings.

    Parameters
    ----------
    layers : sequence of int
        Numbers of layers.
    lowerings : sequence of str
    settings : sequence of Setting
        One for each backend, alike but for that.
    repeats : int, optional
        How often to measure each.
    progress : callable, optional
        Told what is being done, how much of it is done, and how much there is.

    Returns
    -------
    Comparison
        A variant that reached the limit at some number of layers is not tried with more.
    """
    common = settings[0]
    comparison = Comparison(
        str(pytensor.__version__), common.static, common.gradient, common.limit, repeats
    )
    variants = (_PLAIN, *lowerings)
    done, total = 0, len(settings) * len(variants) * (1 + repeats * len(layers))
    for setting in settings:
        stopped: dict[str, str] = {}
        for count in (None, *sorted(layers)):
            results = [Result(setting.backend, count or min(layers), name) for name in variants]
            for _ in range(repeats if count else 1):
                for result in results:
                    _measure_within_limit(result, setting, stopped)
                    done += 1
                    progress("measuring", done, total)
            if count:
                _hold_to_each_other(results, setting)
                comparison.results += results
    return comparison


def _measure_within_limit(result: Result, setting: Setting, stopped: dict[str, str]) -> None:
    """Measure once more, unless the variant has been stopped at this or a smaller size."""
    result.stopped = stopped.get(result.variant, "")
    if result.stopped:
        return
    gc.collect()
    try:
        with at_most(setting.limit):
            result.measurements.append(measure(result.variant, result.layers, setting))
    except LimitReached:
        at = f"{result.layers} layer{'s' * (result.layers > 1)}"
        stopped[result.variant] = result.stopped = f"over {setting.limit:g} s at {at}"


@contextmanager
def at_most(seconds: float) -> Iterator[None]:
    """Raise `LimitReached` in the block once it has taken so long."""

    def stop(*_: object) -> None:
        raise LimitReached

    if threading.current_thread() is not threading.main_thread():
        raise RuntimeError("a time limit needs the main thread, where signals arrive")
    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@contextmanager
def _installed(variant: str, setting: Setting) -> Iterator[None]:
    """Configure PyTensor for a variant: its lowering, and the compiler where one is needed."""
    backend = BACKENDS[setting.backend]
    compiler = pytensor.config.cxx if backend.compiles_c else ""
    # What an OpFromGraph holds is compiled in the default mode, whatever the mode outside.
    flags = {"cxx": compiler, "mode": backend.make_mode(), "numba__cache": False}
    with (
        warnings.catch_warnings(action="ignore"),
        quiet(),
        pytensor.config.change_flags(**flags),
        use_lowering("stock" if variant == _PLAIN else variant),
    ):
        yield


def measure(variant: str, layers: int, setting: Setting) -> Measurement:
    """Take one variant through all phases."""
    found = Measurement()
    values = draw_values(layers)
    with _installed(variant, setting):
        function = _compiled(variant, values, setting, found)
        with found.phase("first call"):
            answers = function(values.x)
        found.seconds["steady call"] = _steady_call(partial(function, values.x))
    found.answers = [np.asarray(answer) for answer in answers]
    return found


def _steady_call(call: Callable[[], Any]) -> float:
    """Give the median time of some calls: few of them where they are slow."""
    times: list[float] = []
    while not times or (len(times) < STEADY_CALLS and sum(times) < STEADY_SECONDS):
        started = perf_counter()
        call()
        times.append(perf_counter() - started)
    return median(times)


def _compiled(variant: str, values: Values, setting: Setting, found: Measurement) -> Any:
    """Build, lower, differentiate, rewrite and generate code."""
    x, outputs = _differentiated(variant, values, setting, found)
    mode = _ObservedMode.of(BACKENDS[setting.backend].make_mode())
    started = perf_counter()
    function = pytensor.function([x], outputs, mode=mode)
    whole = perf_counter() - started
    found.seconds["rewrite"] = mode.observed.seconds
    found.seconds["code generation"] = whole - mode.observed.seconds
    found.passes = mode.observed.passes
    found.count("rewrite", [node.op for node in function.maker.fgraph.apply_nodes])
    return function


def _differentiated(
    variant: str, values: Values, setting: Setting, found: Measurement
) -> tuple[Any, list[Any]]:
    """Build and lower the loss, and differentiate it: give the input, and the outputs."""
    with found.phase("build"):
        model = (in_tensors if variant == _PLAIN else in_xtensors)(values, setting.static)
    loss = model.loss
    found.seconds["lower"] = 0.0
    if variant != _PLAIN:
        with found.phase("lower"):
            loss = rewrite_graph(loss, include=("lower_xtensor",), clone=True)
    found.count("lower", _ops_before([loss]))
    wrt = [model.x] if setting.gradient == "input" else model.weights
    with found.phase("grad"):
        outputs = [loss, *pytensor.grad(loss, wrt)]
    found.count("grad", _ops_before(outputs))
    return model.x, outputs


def _ops_before(outputs: Sequence[Any]) -> list[Any]:
    """List the operation of each node that leads to some outputs."""
    nodes = {variable.owner for variable in ancestors(outputs) if variable.owner}
    return [node.op for node in nodes]


class _ObservedRewriter(GraphRewriter):  # type: ignore[misc]  # PyTensor has no types
    """A rewriter that keeps how long it took the first time, and its passes."""

    def __init__(self) -> None:
        self.seconds: float = 0.0
        self.passes: dict[str, float] = {}
        self.used = False
        self.rewriter: Any = None

    def add_requirements(self, fgraph: FunctionGraph) -> None:
        """Require what the rewriter requires."""
        self.rewriter.add_requirements(fgraph)

    def apply(self, fgraph: FunctionGraph) -> Any:
        """Rewrite."""
        # The inside of an `OpFromGraph` is rewritten while this one is, or later.
        outermost, self.used = not self.used, True
        started = perf_counter()
        profile = self.rewriter.apply(fgraph)
        if outermost:
            self.seconds = perf_counter() - started
            self.passes = {
                str(getattr(step, "name", step)): seconds
                for step, seconds in zip(profile[0], profile[1], strict=True)
            }
        return profile


class _ObservedMode(Mode):  # type: ignore[misc]  # PyTensor has no types
    """A compilation mode whose rewriting is observed."""

    observed: _ObservedRewriter

    @classmethod
    def of(cls, mode: Mode) -> _ObservedMode:
        """Give a mode like another one."""
        observing = cls(linker=mode.linker, optimizer=mode.provided_optimizer)
        observing.observed = _ObservedRewriter()
        return observing

    @property
    def optimizer(self) -> _ObservedRewriter:
        """The rewriter, as it is registered now."""
        self.observed.rewriter = super().optimizer
        return self.observed


def _hold_to_each_other(results: Sequence[Result], setting: Setting) -> None:
    """Compare the answers of all variants with the oracle's and with each other."""
    loss, gradients = loss_by_oracle(draw_values(results[0].layers))
    wanted = gradients[:1] if setting.gradient == "input" else gradients[1:]
    reference = [np.asarray(loss), *wanted]
    plain = results[0].measurements[-1].answers if results[0].measurements else None
    for result in results:
        if result.measurements and not result.stopped:
            answers = result.measurements[-1].answers
            result.difference = distance(answers, reference)
            result.difference_from_plain = distance(answers, plain) if plain else None


def distance(answers: Sequence[Array], others: Sequence[Array]) -> float:
    """Give the largest difference of any element; NaN if there is one."""
    return float(
        np.max(
            [
                np.max(np.abs(answer.reshape(other.shape) - other))
                for answer, other in zip(answers, others, strict=True)
            ]
        )
    )


def inspect(
    variants: Sequence[str], layers: int, setting: Setting, *, profile: bool, dprint: bool
) -> Iterator[tuple[str, str]]:
    """Look into how each variant compiles, outside of what is timed.

    Parameters
    ----------
    variants : sequence of str
    layers : int
    setting : Setting
    profile : bool
        Whether to list the functions of PyTensor that take longest.
    dprint : bool
        Whether to print the graph before and after the rewriting.

    Yields
    ------
    heading, text : str
    """
    for variant in variants:
        try:
            with at_most(setting.limit), _installed(variant, setting):
                texts = _inspect_one(variant, layers, setting, profile, dprint)
        except LimitReached:
            texts = [(f"{variant}, {layers} layers", f"over {setting.limit:g} s")]
        yield from texts


def _inspect_one(
    variant: str, layers: int, setting: Setting, profile: bool, dprint: bool
) -> list[tuple[str, str]]:
    """Look into one variant."""
    values, profiler = draw_values(layers), cProfile.Profile()
    profiler.enable()
    _, outputs = _differentiated(variant, values, setting, Measurement())
    before = pytensor.dprint(outputs, file="str", print_type=True)
    fgraph = FunctionGraph(outputs=outputs, clone=True)
    BACKENDS[setting.backend].make_mode().optimizer.rewrite(fgraph)
    profiler.disable()
    texts = []
    if profile:
        stream = io.StringIO()
        pstats.Stats(profiler, stream=stream).sort_stats("tottime").print_stats(15)
        texts.append((f"{variant}, {layers} layers: where the time goes", stream.getvalue()))
    if dprint:
        after = pytensor.dprint(fgraph, file="str", print_type=True)
        texts.append((f"{variant}, {layers} layers: before rewriting", before))
        texts.append((f"{variant}, {layers} layers: after rewriting", after))
    return texts
