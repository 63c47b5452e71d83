"""The resource check: what a dot costs before it runs must not depend on its sizes (R15)."""

import gc
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np

from refdot.cases.case import DotCase, Operand
from refdot.judging.expected import expected_error
from refdot.pytensor.target import graph as graphs
from refdot.pytensor.target.stages import StageError, stage
from refdot.targets.outcome import Growth, Raised

__all__ = ["ResourceCheck", "small_and_large"]

_SMALL_SIZE = 2
# If one dim is large and the others are small, a tensor with all of them has this many elements.
# An array of that shape fits into memory, and takes much more of it than a graph.
_ELEMENTS = 10**6
# The memory of two measurements of the same graph differs by less than half of this, in bytes.
_MEMORY_NOISE = 100_000
# What exceeds it by so many times is clear.
_CLEAR = 10
# The time of this process, in seconds; the larger one must also be so many times the smaller one.
_TIME_NOISE, _TIME_RATIO = 0.3, 20


class _Cost(NamedTuple):
    stage: str
    memory: int  # the peak, in bytes
    seconds: float


@dataclass
class ResourceCheck:
    """Measures what it costs to build and to lower graphs, each of them once.

    Nothing is compiled or run.
    """

    found: dict[DotCase, tuple[Growth, ...]] = field(default_factory=dict)

    def growth(self, case: DotCase) -> tuple[Growth, ...]:
        """Return the first cost that is larger for a large static size, if there is one."""
        if expected_error(case) is not None or not _static_dims(case):
            return ()
        small, large = small_and_large(case)
        key = graphs.graph_key(small)
        if key not in self.found:
            self.found[key] = _compared(small, large)
        return self.found[key]


def _compared(small: DotCase, large: DotCase) -> tuple[Growth, ...]:
    """Return what grows from a case with small sizes to one with a large size.

    A cost differs from one measurement to the next: the first one includes what PyTensor computes
    only once, and a later one may find some of it. What seems to grow is measured again.
    """
    first = _costs(large)
    if not isinstance(first, Raised) and all(map(_is_noise, first)):
        return ()
    costs = _costs(small)
    if isinstance(costs, Raised) or not _growth(costs, first, large):
        return ()
    least = second = _costs(large)
    if not isinstance(first, Raised) and not isinstance(second, Raised):
        least = _each(min, first, second)
    found = _growth(costs, least, large)
    if found is not None and not _is_clear(found):
        costs_again = _costs(small)
        if isinstance(costs_again, Raised):
            return ()
        found = _growth(_each(max, costs, costs_again), least, large)
    return (found,) if found else ()


def _each(choose: Callable[..., float], one: list[_Cost], other: list[_Cost]) -> list[_Cost]:
    """Return the smaller or the larger cost of each stage."""
    return [
        _Cost(a.stage, int(choose(a.memory, b.memory)), choose(a.seconds, b.seconds))
        for a, b in zip(one, other, strict=True)
    ]


def _is_clear(growth: Growth) -> bool:
    """Return whether the memory for a large size is far more than the noise of measurements."""
    before, after = growth.memory
    return after - before > _CLEAR * _MEMORY_NOISE


def _is_noise(cost: _Cost) -> bool:
    """Return whether a cost is so small that it exceeds no other cost by more than the noise."""
    return cost.memory <= _MEMORY_NOISE and cost.seconds <= _TIME_NOISE


def small_and_large(case: DotCase) -> tuple[DotCase, DotCase]:
    """Return a case with small static sizes, and with a large one for one of its dims.

    They have a gradient only if PyTensor differentiates the case: it rejects complex numbers.
    """
    dims = _static_dims(case)
    if case.result_dtype.kind != "f":
        case = replace(case, gradient_order=0)
    size = max(_ELEMENTS // _SMALL_SIZE ** (len(case.dims) - 1), 1000)
    small = _with_static_sizes(case, dict.fromkeys(dims, _SMALL_SIZE))
    return small, _with_static_sizes(small, {dims[case.seed % len(dims)]: size})


def _static_dims(case: DotCase) -> list[str]:
    """Return the dims whose static size may be another one: 0 and 1 have a meaning of their own.

    There are none if the graph holds the data of an operand, or if it has one variable under
    several names: then the size of one dim may be that of another.
    """
    is_renamed = case.same_variable and case.x.dims != case.y.dims
    if is_renamed or {case.x.origin, case.y.origin} != {"input"}:
        return []
    sizes = (*case.x.static_sizes.items(), *case.y.static_sizes.items())
    return list(dict.fromkeys(dim for dim, size in sizes if size is not None and size > 1))


def _with_static_sizes(case: DotCase, sizes: dict[str, int]) -> DotCase:
    """Return a case with other sizes for some dims, wherever these are static."""

    def resized(operand: Operand) -> Operand:
        axes = zip(operand.dims, operand.shape, operand.static, strict=True)
        shape = tuple(sizes.get(dim, size) if static else size for dim, size, static in axes)
        return replace(operand, shape=shape, layout="c")

    return replace(case, x=resized(case.x), y=resized(case.y))


def _growth(small: list[_Cost], costs: list[_Cost] | Raised, large: DotCase) -> Growth | None:
    """Return the first cost that is larger for a large size than for small ones, if one is."""
    if isinstance(costs, Raised):
        return Growth(costs.stage, f"{costs.type} for a large static size", "", str(costs), large)
    for before, after in zip(small, costs, strict=True):
        memory = before.memory, after.memory
        if after.memory - before.memory > _MEMORY_NOISE:
            shown = f"{before.memory / 1e6:.1f} MB", f"{after.memory / 1e6:.1f} MB"
            return Growth(after.stage, "memory grows with a static size", *shown, large, memory)
        if after.seconds > max(before.seconds + _TIME_NOISE, before.seconds * _TIME_RATIO):
            shown = f"{before.seconds:.2f} s", f"{after.seconds:.2f} s"
            return Growth(after.stage, "time grows with a static size", *shown, large)
    return None


def _costs(case: DotCase) -> list[_Cost] | Raised:
    """Return what each step before compilation costs, or the exception that one of them raises."""
    collects_garbage = gc.isenabled()
    gc.disable()  # for the same peak at each measurement
    tracemalloc.start()
    try:
        graph, built = _measured("build", lambda: graphs.build(case))
        lowered, lowering = _measured("lower", lambda: graphs.lower(graph))
        inputs = [variable for variable in graph.inputs if np.dtype(variable.dtype).kind == "f"]
        if not (case.gradient_order and inputs):
            return [built, lowering]
        cotangents = {lowered: lowered.type()}
        _, differentiation = _measured("lower", lambda: graphs.gradients(cotangents, inputs))
        return [built, lowering, differentiation]
    except StageError as stopped:
        return stopped.raised
    finally:
        tracemalloc.stop()
        if collects_garbage:
            gc.enable()


def _measured(name: str, step: Callable[[], Any]) -> tuple[Any, _Cost]:
    """Return the result of a step, and what it costs."""
    tracemalloc.reset_peak()
    start = time.process_time()
    with stage(name):
        result = step()
    _, peak = tracemalloc.get_traced_memory()
    return result, _Cost(name, peak, time.process_time() - start)
