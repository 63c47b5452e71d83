"""The command compile-time."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import TYPE_CHECKING

from refdot.cli.arguments import UsageError
from refdot.cli.files import usage_errors, write_text
from refdot.cli.progress import ProgressDisplay
from refdot.cli.targets import check_installed, requested_target
from refdot.targets import Target
from refdot.text import json_text

if TYPE_CHECKING:
    from refdot.pytensor.benchmark.program_times import ProgramTimes

__all__ = ["run_compile_time"]

# The options for attention layers only.
_NOT_FOR_PROGRAMS = ("weights", "gradient", "plot", "memory", "profile", "dprint")


def run_compile_time(arguments: argparse.Namespace) -> int:
    """Run `refdot compile-time`."""
    for name in _NOT_FOR_PROGRAMS if arguments.program else ():
        if getattr(arguments, name):
            raise UsageError(f"--{name} is for attention layers; not allowed with --program")
    if arguments.plot is not None:
        check_installed("matplotlib", extra="plot")
    arguments.target = "pytensor"
    target = requested_target(arguments)
    if arguments.program:
        _time_programs(arguments, target)
    else:
        _time_layers(arguments, target)
    return 0


def _time_layers(arguments: argparse.Namespace, target: Target) -> None:
    """Compare the lowerings with hand-written code, for attention layers."""
    from rich.console import Console

    from refdot.pytensor.benchmark import compile_report, compile_time

    layers = arguments.layers or (1, 2, 3)
    lowerings = tuple(arguments.lowering) or target.lowerings
    settings = [
        compile_time.Setting(
            backend,
            arguments.weights or "unknown",
            arguments.gradient or "input",
            arguments.limit,
            arguments.memory,
        )
        for backend in arguments.backend or ["python"]
    ]
    # The table is never cut, wherever it is printed.
    console = Console(width=None if Console().is_terminal else 240)
    with ProgressDisplay(console) as progress:
        comparison = compile_time.compare_lowerings(
            layers, lowerings, settings, arguments.repeats, progress
        )
    compile_report.print_comparison(comparison, console)
    if arguments.profile or arguments.dprint:
        for heading, text in compile_time.inspect(
            ("plain", *lowerings),
            layers[0],
            settings[0],
            profile=arguments.profile,
            dprint=arguments.dprint,
        ):
            print(f"\n{heading}\n\n{text}")
    if arguments.json is not None:
        write_text(arguments.json, json_text(compile_report.as_json(comparison)), "--json")
    if arguments.plot is not None:
        with usage_errors(f"--plot {arguments.plot}"):
            compile_report.plot(comparison, arguments.plot)


def _time_programs(arguments: argparse.Namespace, target: Target) -> None:
    """Print how long named programs and their gradients take with each lowering."""
    from refdot.pytensor.benchmark.program_times import as_json, program_times

    lowerings = tuple(arguments.lowering) or target.lowerings
    limit, repeats = arguments.limit, arguments.repeats
    results: list[ProgramTimes] = []
    for program in list(_sized_programs(arguments)):
        for backend in arguments.backend or ["python"]:
            found = program_times(program, backend, lowerings, repeats, limit)
            _print_times(found, repeats)
            results += found
    if arguments.json is not None:
        write_text(arguments.json, json_text(as_json(results, limit, repeats)), "--json")


def _sized_programs(arguments: argparse.Namespace) -> Iterator[str]:
    """Yield each program that is asked for, with each number of layers if there are some."""
    from refdot.programs.named import named_program

    for text in arguments.program:
        separator = "," if ":" in text else ":"
        numbers = [f"{separator}layers={count}" for count in arguments.layers or ()]
        for sized in [text + number for number in numbers] or [text]:
            with usage_errors(f"--program {sized}"):
                named_program(sized)
            yield sized


def _print_times(results: list[ProgramTimes], repeats: int) -> None:
    from refdot.pytensor.benchmark.program_times import PHASES

    first = results[0]
    print(
        f"{first.program}, backend {first.backend}: "
        f"the median of {repeats}, in seconds of processor time"
    )
    print(" " * 10, *(f"{result.lowering:>10}" for result in results))
    for phase in PHASES:
        seconds = (result.seconds(phase) for result in results)
        print(f"{phase:10}", *(f"{'-' if each is None else f'{each:.4f}':>10}" for each in seconds))
    for result in results:
        if result.stopped:
            print(f"{result.lowering}: {result.stopped}")
