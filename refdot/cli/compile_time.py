"""The command compile-time."""

import argparse

from refdot.cli.files import usage_errors, write_text
from refdot.cli.progress import ProgressDisplay
from refdot.cli.targets import check_installed, requested_target
from refdot.targets import Target
from refdot.text import json_text

__all__ = ["run_compile_time"]


def _time_programs(arguments: argparse.Namespace, target: Target) -> int:
    """Print the seconds of each phase of named programs and their gradients, by lowering."""
    from refdot.programs.case import ProgramCase
    from refdot.programs.named import named_program
    from refdot.pytensor.programs.timing import PHASES, program_seconds
    from refdot.pytensor.target import PyTensorTarget

    assert isinstance(target, PyTensorTarget)
    for text in arguments.program:
        with usage_errors(f"--program {text}"):
            case = ProgramCase(named_program(text), gradient_order=1)
        for backend in arguments.backend or ["python"]:
            print(f"{text}, backend {backend}: the shortest of {arguments.repeats}, in seconds")
            columns: list[tuple[str, ...]] = [("", *PHASES)]
            for lowering in arguments.lowering or target.lowerings:
                measured = [
                    program_seconds(target, case, backend, lowering)
                    for _ in range(arguments.repeats)
                ]
                shortest = (f"{min(each[phase] for each in measured):.4f}" for phase in PHASES)
                columns.append((lowering, *shortest))
            for phase, *seconds in zip(*columns, strict=True):
                print(f"{phase:10}", *(f"{each:>10}" for each in seconds))
    return 0


def run_compile_time(arguments: argparse.Namespace) -> int:
    """Run `refdot compile-time`."""
    if arguments.plot is not None:
        check_installed("matplotlib", extra="plot")
    arguments.target = "pytensor"
    target = requested_target(arguments)
    if arguments.program:
        return _time_programs(arguments, target)
    from rich.console import Console

    from refdot.pytensor.benchmark import compile_report, compile_time

    lowerings = tuple(arguments.lowering) or target.lowerings
    settings = [
        compile_time.Setting(
            backend, arguments.weights, arguments.gradient, arguments.limit, arguments.memory
        )
        for backend in arguments.backend or ["python"]
    ]
    # The table is never cut, wherever it is printed.
    console = Console(width=None if Console().is_terminal else 240)
    with ProgressDisplay(console) as progress:
        comparison = compile_time.compare_lowerings(
            arguments.layers, lowerings, settings, arguments.repeats, progress
        )
    compile_report.print_comparison(comparison, console)
    if arguments.profile or arguments.dprint:
        for heading, text in compile_time.inspect(
            ("plain", *lowerings),
            arguments.layers[0],
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
    return 0
