"""The command compile-time."""

import argparse
import json

from refdot.cli.files import usage_errors, write_text
from refdot.cli.progress import ProgressDisplay
from refdot.cli.targets import check_installed, requested_target

__all__ = ["run_compile_time"]


def run_compile_time(arguments: argparse.Namespace) -> int:
    """Run `refdot compile-time`."""
    if arguments.plot is not None:
        check_installed("matplotlib", extra="plot")
    arguments.target = "pytensor"
    target = requested_target(arguments)
    from rich.console import Console

    from refdot.pytensor.benchmark import compile_report, compile_time

    lowerings = tuple(arguments.lowering) or target.lowerings
    settings = [
        compile_time.Setting(
            backend, arguments.weights == "static", arguments.gradient, arguments.limit
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
        text = json.dumps(compile_report.as_json(comparison), indent=2) + "\n"
        write_text(arguments.json, text, "--json")
    if arguments.plot is not None:
        with usage_errors(f"--plot {arguments.plot}"):
            compile_report.plot(comparison, arguments.plot)
    return 0
