"""Shows what compiling cost: as a table, as JSON, and as a plot."""

from __future__ import annotations

import platform
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from refdot.pytensor.benchmark.compile_time import COMPILING, PHASES, Comparison, Result

__all__ = ["as_json", "plot", "print_comparison"]


# Seconds by layers, published with pymc-devs/pytensor#2164; the proposal is what is "inlined" here.
_PUBLISHED = {
    "plain": {1: 0.94, 2: 2.03},
    "stock": {1: 3.04, 2: 72.50},
    "inlined": {1: 1.12, 2: 4.07},
}
_COMPILED_AND_CALLED = (*COMPILING, "code generation", "first call")


def print_comparison(comparison: Comparison, console: Console) -> None:
    """Print a table for each backend, and what its columns mean."""
    weights = "known" if comparison.static else "unknown"
    for backend in dict.fromkeys(result.backend for result in comparison.results):
        title = (
            f"PyTensor {comparison.version}, backend {backend}: weights of {weights} shape, "
            f"gradient of the {comparison.gradient}; medians of {comparison.repeats}"
        )
        console.print(title, highlight=False, soft_wrap=True)
        console.print(_table(comparison, backend))
    console.print(
        "Seconds, and in brackets how many times plain's. Compile is lower, grad and rewrite; "
        "whole is that, code generation and the first call. Inner graphs: nodes that are an "
        "OpFromGraph, after lower, grad and rewrite. Difference: the largest of the loss and of "
        "the gradient, from the oracle's and from plain's.",
        highlight=False,
    )


def _table(comparison: Comparison, backend: str) -> Table:
    """Give one row for each number of layers and each variant."""
    rows = Table()
    headings = ["layers", "variant", *PHASES, "compile", "whole"]
    headings += ["nodes", "inner graphs", "difference"]
    for heading in headings:
        rows.add_column(heading, justify="left" if heading == "variant" else "right")
    for result in comparison.results:
        if result.backend == backend:
            rows.add_row(str(result.layers), result.variant, *_cells(comparison, result))
    return rows


def _cells(comparison: Comparison, result: Result) -> list[str]:
    """Give what a row says of its variant."""
    if result.stopped:
        # In the column of what it is about.
        return [*[""] * len(PHASES), result.stopped]
    last = result.measurements[-1]
    differences = (result.difference, result.difference_from_plain)
    return [
        *(_with_ratio(comparison, result, phase) for phase in PHASES),
        _with_ratio(comparison, result, *COMPILING),
        _with_ratio(comparison, result, *_COMPILED_AND_CALLED),
        " ".join(map(str, last.nodes.values())),
        " ".join(map(str, last.inner_graphs.values())),
        " ".join("?" if found is None else f"{found:.2e}" for found in differences),
    ]


def _with_ratio(comparison: Comparison, result: Result, *phases: str) -> str:
    """Write seconds, and how many times plain's they are."""
    seconds, ratio = result.seconds(*phases), comparison.ratio(result, *phases)
    if ratio is None or result.variant == "plain":
        return f"{seconds:.4f}"
    return f"{seconds:.4f} ({ratio:.2f})"


def as_json(comparison: Comparison) -> dict[str, Any]:
    """Give all that was measured as what `json` can write."""
    return {
        "pytensor": comparison.version,
        "python": platform.python_version(),
        "weights": "static" if comparison.static else "unknown",
        "gradient": comparison.gradient,
        "limit": comparison.limit,
        "repeats": comparison.repeats,
        "results": [_result_as_json(comparison, result) for result in comparison.results],
    }


def _result_as_json(comparison: Comparison, result: Result) -> dict[str, Any]:
    """Give one variant at one number of layers as what `json` can write."""
    head = {"backend": result.backend, "layers": result.layers, "variant": result.variant}
    if result.stopped:
        return {**head, "stopped": result.stopped}
    last = result.measurements[-1]
    return {
        **head,
        "seconds": {phase: result.seconds(phase) for phase in PHASES},
        "ratios": {phase: comparison.ratio(result, phase) for phase in PHASES},
        "compile": result.seconds(*COMPILING),
        "compile_ratio": comparison.ratio(result, *COMPILING),
        "whole": result.seconds(*_COMPILED_AND_CALLED),
        "whole_ratio": comparison.ratio(result, *_COMPILED_AND_CALLED),
        "passes": result.passes,
        "nodes": last.nodes,
        "inner_graphs": last.inner_graphs,
        "difference_from_oracle": result.difference,
        "difference_from_plain": result.difference_from_plain,
    }


def plot(comparison: Comparison, file: Path) -> None:
    """Draw the time to compile against the number of layers, one line a variant.

    Upstream's published figures are hollow. A variant that was stopped ends in an arrow, at the
    limit.

    Parameters
    ----------
    comparison : Comparison
    file : Path
        What it is called decides the format, such as `.png` or `.svg`.
    """
    from matplotlib.figure import Figure

    backends = list(dict.fromkeys(result.backend for result in comparison.results))
    figure = Figure(figsize=(6.0 * len(backends), 4.5), layout="constrained")
    for axes, backend in zip(
        figure.subplots(1, len(backends), squeeze=False)[0], backends, strict=True
    ):
        draw(axes, comparison, backend)
    figure.savefig(file, dpi=150)


def draw(axes: Any, comparison: Comparison, backend: str) -> None:
    """Draw one backend's lines."""
    results = [result for result in comparison.results if result.backend == backend]
    for number, variant in enumerate(dict.fromkeys(result.variant for result in results)):
        color = f"C{number}"
        mine = [result for result in results if result.variant == variant]
        points = [(result.layers, result.seconds(*COMPILING)) for result in mine]
        there = [(layers, seconds) for layers, seconds in points if seconds is not None]
        stopped = next((result.layers for result in mine if result.stopped), None)
        if stopped is not None:
            axes.plot(stopped, comparison.limit, marker="^", markersize=10, color=color)
            there.append((stopped, comparison.limit))
        axes.plot(*zip(*there, strict=True), marker=".", color=color, label=variant)
        published = _PUBLISHED.get(variant, {}) if not comparison.static else {}
        if published:
            axes.plot(*zip(*published.items(), strict=True), "o", color=color, fillstyle="none")
    axes.set_yscale("log")
    axes.set_xticks(sorted({result.layers for result in results}))
    axes.set_xlabel("layers of attention")
    axes.set_ylabel("lower, grad and rewrite, in seconds")
    shape = "known" if comparison.static else "unknown"
    axes.set_title(f"PyTensor {comparison.version}, {backend}, weights of {shape} shape")
    notes = {}
    if any(result.stopped for result in results):
        notes["^"] = f"stopped at {comparison.limit:g} s"
    if not comparison.static:
        notes["o"] = "published with #2164"
    for marker, note in notes.items():
        axes.plot(
            [], [], marker, color="gray", fillstyle="none" if marker == "o" else "full", label=note
        )
    axes.legend()
