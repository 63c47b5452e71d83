"""Compare the compile times of xtensor and hand-written tensor code.

Both build stacked attention, and each phase is measured, in the time of the processors, so that
other work on the machine matters little. All variants run in one process and take
turns; each is measured several times, and the median counts. A first run of every variant does not
count, because it has costs that only the first variant would pay, such as imports, numba's
initialization and C modules that several variants use. numba's cache on disk is off, the cache of C
modules is on.
"""

import cProfile
import gc
import io
import pstats
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from statistics import median

import numpy as np
import pytensor
from pytensor.compile.mode import Mode
from pytensor.graph.fg import FunctionGraph

from refdot.pytensor.benchmark.attention import draw_values, oracle_loss
from refdot.pytensor.benchmark.measurement import (
    PLAIN,
    LimitReached,
    Measurement,
    Setting,
    configured_for,
    differentiated_loss,
    measure,
    peak_memory,
    time_limit,
)
from refdot.tensor import Array
from refdot.text import counted

__all__ = ["Comparison", "Result", "Setting", "compare_lowerings", "inspect"]


@dataclass
class Result:
    """One variant with one number of layers on one backend."""

    backend: str
    layers: int
    variant: str  # "plain" or the name of a lowering
    measurements: list[Measurement] = field(default_factory=list)
    stopped: str = ""  # the reason why there are no measurements, if there are none
    memory: int | None = None  # the most bytes held before code generation
    # The largest difference of its loss and gradients from the oracle's, and from plain's.
    difference: float | None = None
    difference_from_plain: float | None = None

    def seconds(self, *phases: str) -> float | None:
        """Return the median of the total time of some phases."""
        if self.stopped or not self.measurements:
            return None
        return median(sum(one.seconds[phase] for phase in phases) for one in self.measurements)

    @property
    def passes(self) -> dict[str, float]:
        """The median time of each pass of the rewriting in seconds, the longest first."""
        names = {name for one in self.measurements for name in one.passes}
        medians = {
            name: median(one.passes.get(name, 0.0) for one in self.measurements) for name in names
        }
        return dict(sorted(medians.items(), key=lambda item: -item[1]))


@dataclass
class Comparison:
    """The results of all variants."""

    version: str  # PyTensor's
    setting: Setting  # of all measurements, except the backend
    repeats: int
    results: list[Result] = field(default_factory=list)

    def ratio(self, result: Result, *phases: str) -> float | None:
        """Return the total time of some phases, as a multiple of the plain variant's."""
        key = (result.backend, result.layers, PLAIN)
        plain = next(
            each for each in self.results if (each.backend, each.layers, each.variant) == key
        )
        seconds, plain_seconds = result.seconds(*phases), plain.seconds(*phases)
        return None if seconds is None or not plain_seconds else seconds / plain_seconds


def compare_lowerings(
    layers: Sequence[int],
    lowerings: Sequence[str],
    settings: Sequence[Setting],
    repeats: int = 3,
    progress: Callable[[str, int, int], None] = lambda stage, done, total: None,
) -> Comparison:
    """Measure hand-written tensor code and some lowerings, for each number of layers.

    There is a setting for each backend; otherwise they are equal. A variant that reaches the time
    limit is not measured with more layers. `progress` is called with a word for the activity, and
    the number of measurements done and in total.
    """
    comparison = Comparison(str(pytensor.__version__), settings[0], repeats)
    variants = (PLAIN, *lowerings)
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
                for result in results if setting.memory else ():
                    if not result.stopped:
                        gc.collect()
                        result.memory = peak_memory(result.variant, result.layers, setting)
                _set_differences(results, setting)
                comparison.results += results
    return comparison


def _measure_within_limit(result: Result, setting: Setting, stopped: dict[str, str]) -> None:
    """Measure once more, unless the variant was stopped at this or a smaller number of layers."""
    result.stopped = stopped.get(result.variant, "")
    if result.stopped:
        return
    gc.collect()
    try:
        with time_limit(setting.limit):
            result.measurements.append(measure(result.variant, result.layers, setting))
    except LimitReached:
        reason = f"over {setting.limit:g} s at {counted(result.layers, 'layer')}"
        stopped[result.variant] = result.stopped = reason


def _set_differences(results: Sequence[Result], setting: Setting) -> None:
    loss, gradients = oracle_loss(draw_values(results[0].layers))
    wanted = gradients[:1] if setting.gradient == "input" else gradients[1:]
    reference = [np.asarray(loss), *wanted]
    plain = results[0].measurements[-1].answers if results[0].measurements else None
    for result in results:
        if result.measurements and not result.stopped:
            answers = result.measurements[-1].answers
            result.difference = largest_difference(answers, reference)
            result.difference_from_plain = largest_difference(answers, plain) if plain else None


def largest_difference(answers: Sequence[Array], others: Sequence[Array]) -> float:
    """Return the largest difference of any element; NaN if any difference is NaN."""
    differences = [
        np.max(np.abs(answer.reshape(other.shape) - other))
        for answer, other in zip(answers, others, strict=True)
    ]
    return float(np.max(differences))


def inspect(
    variants: Sequence[str], layers: int, setting: Setting, *, profile: bool, dprint: bool
) -> Iterator[tuple[str, str]]:
    """Show how each variant compiles, without measuring it, in texts with headings.

    `profile` lists the functions that take the most time, `dprint` prints the graph before and
    after rewriting.
    """
    for variant in variants:
        of = f"{variant}, {counted(layers, 'layer')}"
        try:
            with time_limit(setting.limit), configured_for(variant, setting) as mode:
                statistics, before, after = _rewrite_with_profile(variant, layers, setting, mode)
        except LimitReached:
            yield of, f"over {setting.limit:g} s"
            continue
        if profile:
            yield f"{of}: profile", statistics
        if dprint:
            yield f"{of}: before rewriting", before
            yield f"{of}: after rewriting", after


def _rewrite_with_profile(
    variant: str, layers: int, setting: Setting, mode: Mode
) -> tuple[str, str, str]:
    """Return the profile, and the printed graph before and after rewriting."""
    values, profiler = draw_values(layers), cProfile.Profile()
    with profiler:
        _, outputs = differentiated_loss(variant, values, setting, Measurement())
        before = pytensor.dprint(outputs, file="str", print_type=True)
        fgraph = FunctionGraph(outputs=outputs, clone=True)
        mode.optimizer.rewrite(fgraph)
    stream = io.StringIO()
    pstats.Stats(profiler, stream=stream).sort_stats("tottime").print_stats(15)
    return stream.getvalue(), before, pytensor.dprint(fgraph, file="str", print_type=True)
