"""Compile times as a table, as JSON and as a plot."""

import platform
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from refdot.pytensor.benchmark.compile_time import Comparison, Result
from refdot.pytensor.benchmark.measurement import PHASES, PLAIN
from refdot.text import counted

__all__ = ["as_json", "plot", "print_comparison"]


# The phases that upstream's proposal counts as compile time: all before code generation.
_COMPILE = ("lower", "grad", "rewrite")
_TOTAL = (*_COMPILE, "code generation", "first call")
# Seconds by layers, published with pymc-devs/pytensor#2164; its proposal is "inlined" here.
_PUBLISHED = {
    "plain": {1: 0.94, 2: 2.03},
    "stock": {1: 3.04, 2: 72.50},
    "inlined": {1: 1.12, 2: 4.07},
}
_LEGEND = """\
Processor time in seconds; in brackets, as a multiple of plain's. compile is
lower, grad and rewrite; total is compile, code generation and first call.
nodes: their number after lower, grad and rewrite; inner graphs: how many of
them are an OpFromGraph. vs oracle, vs plain: the largest difference of the loss
and the gradients.
"""
_MEMORY = "memory: the most that Python holds in lower, grad and rewrite, in megabytes.\n"


def print_comparison(comparison: Comparison, console: Console) -> None:
    """Print a table for each backend and number of layers, and a legend."""
    setting = comparison.setting
    for backend in dict.fromkeys(result.backend for result in comparison.results):
        of_backend = [each for each in comparison.results if each.backend == backend]
        console.print(
            f"PyTensor {comparison.version}, backend {backend}: {_weights(comparison)}, "
            f"gradient of the {setting.gradient}",
            highlight=False,
        )
        for layers in dict.fromkeys(result.layers for result in of_backend):
            results = [result for result in of_backend if result.layers == layers]
            console.print(_table(comparison, results))
            for result in results:
                if result.stopped:
                    text = f"{result.variant} was stopped: {result.stopped}"
                    console.print(text, highlight=False)
    console.print(_LEGEND + (_MEMORY if setting.memory else ""), end="", highlight=False)
    if comparison.repeats > 1:
        console.print(f"Each time is the median of {comparison.repeats}.", highlight=False)


def _weights(comparison: Comparison) -> str:
    return f"weights of {comparison.setting.weights_shape} shape"


def _table(comparison: Comparison, results: Sequence[Result]) -> Table:
    """Return a table with a column for each variant, which fits into 80 columns."""
    layers = results[0].layers
    table = Table(counted(layers, "layer"), box=box.SIMPLE_HEAD, pad_edge=False)
    for result in results:
        table.add_column(result.variant, justify="right")
    cells = [{} if each.stopped else _cells(comparison, each) for each in results]
    for heading in max(cells, key=len):
        table.add_row(heading, *(of_variant.get(heading, "") for of_variant in cells))
    return table


def _cells(comparison: Comparison, result: Result) -> dict[str, str]:
    last = result.measurements[-1]
    cells = {phase: _with_ratio(comparison, result, phase) for phase in PHASES}
    cells["compile"] = _with_ratio(comparison, result, *_COMPILE)
    cells["total"] = _with_ratio(comparison, result, *_TOTAL)
    cells["nodes"] = " ".join(map(str, last.nodes.values()))
    cells["inner graphs"] = " ".join(map(str, last.inner_graphs.values()))
    differences = {
        "vs oracle": result.difference,
        "vs plain": result.difference_from_plain,
    }
    for heading, difference in differences.items():
        cells[heading] = "?" if difference is None else f"{difference:.1e}"
    if result.memory is not None:
        cells["memory"] = f"{result.memory / 1e6:.1f}"
    return cells


def _with_ratio(comparison: Comparison, result: Result, *phases: str) -> str:
    """Format a time and its ratio to plain's."""
    seconds, ratio = result.seconds(*phases), comparison.ratio(result, *phases)
    if ratio is None or result.variant == PLAIN:
        return f"{seconds:.3f}"
    return f"{seconds:.3f} ({ratio:.2f})"


def as_json(comparison: Comparison) -> dict[str, Any]:
    """Return all measurements in types that `json` can write."""
    return {
        "pytensor": comparison.version,
        "python": platform.python_version(),
        "weights": comparison.setting.weights_shape,
        "gradient": comparison.setting.gradient,
        "limit": comparison.setting.limit,
        "repeats": comparison.repeats,
        "results": [_result_as_json(comparison, result) for result in comparison.results],
    }


def _result_as_json(comparison: Comparison, result: Result) -> dict[str, Any]:
    head = {"backend": result.backend, "layers": result.layers, "variant": result.variant}
    if result.stopped:
        return {**head, "stopped": result.stopped}
    last = result.measurements[-1]
    return {
        **head,
        "seconds": {phase: result.seconds(phase) for phase in PHASES},
        "ratios": {phase: comparison.ratio(result, phase) for phase in PHASES},
        "compile": result.seconds(*_COMPILE),
        "compile_ratio": comparison.ratio(result, *_COMPILE),
        "whole": result.seconds(*_TOTAL),
        "whole_ratio": comparison.ratio(result, *_TOTAL),
        "passes": result.passes,
        "nodes": last.nodes,
        "inner_graphs": last.inner_graphs,
        "memory": result.memory,
        "difference_from_oracle": result.difference,
        "difference_from_plain": result.difference_from_plain,
    }


def plot(comparison: Comparison, file: Path) -> None:
    """Plot the compile time against the number of layers, with a line for each variant.

    Hollow markers are upstream's published times. A line with a triangle at its end was stopped
    at the time limit. The suffix of the file, such as `.png` or `.svg`, decides the format.
    """
    from matplotlib.figure import Figure

    backends = list(dict.fromkeys(result.backend for result in comparison.results))
    figure = Figure(figsize=(6.0 * len(backends), 4.5), layout="constrained")
    panels = figure.subplots(1, len(backends), squeeze=False)[0]
    for axes, backend in zip(panels, backends, strict=True):
        plot_backend(axes, comparison, backend)
    figure.savefig(file, dpi=150)


def plot_backend(axes: Any, comparison: Comparison, backend: str) -> None:
    """Plot the lines of one backend."""
    results = [result for result in comparison.results if result.backend == backend]
    for number, variant in enumerate(dict.fromkeys(result.variant for result in results)):
        of_variant = [result for result in results if result.variant == variant]
        _plot_variant(axes, comparison, of_variant, color=f"C{number}")
    axes.set_yscale("log")
    axes.set_xticks(sorted({result.layers for result in results}))
    axes.set_xlabel("layers of attention")
    axes.set_ylabel("lower, grad and rewrite, in seconds")
    axes.set_title(f"PyTensor {comparison.version}, {backend}, {_weights(comparison)}")
    if any(result.stopped for result in results):
        axes.plot([], [], "^", color="gray", label=f"stopped at {comparison.setting.limit:g} s")
    if comparison.setting.weights_shape == "unknown":
        axes.plot([], [], "o", color="gray", fillstyle="none", label="published with #2164")
    axes.legend(loc="upper left")  # "best" takes long


def _plot_variant(axes: Any, comparison: Comparison, results: list[Result], color: str) -> None:
    setting, variant = comparison.setting, results[0].variant
    points = [(each.layers, each.seconds(*_COMPILE)) for each in results if not each.stopped]
    if len(points) < len(results):
        end = (results[len(points)].layers, setting.limit)
        axes.plot(*end, marker="^", markersize=10, color=color)
        points.append(end)
    axes.plot(*zip(*points, strict=True), marker=".", color=color, label=variant)
    if variant in _PUBLISHED and setting.weights_shape == "unknown":
        published = _PUBLISHED[variant]
        axes.plot(published.keys(), published.values(), "o", color=color, fillstyle="none")
