"""The command compile-time."""

from __future__ import annotations

import argparse
import json
from importlib.util import find_spec
from typing import TYPE_CHECKING

from refdot.cli.arguments import UsageError, chosen_target, require_check_extra
from refdot.cli.progress import ProgressDisplay

if TYPE_CHECKING:
    pass

__all__ = ["run_compile_time"]


def run_compile_time(arguments: argparse.Namespace) -> int:
    """Do `refdot compile-time`."""
    require_check_extra()
    if arguments.plot is not None and find_spec("matplotlib") is None:
        raise UsageError("matplotlib not installed; pip install 'refdot[plot]'")
    from rich.console import Console

    arguments.target = "pytensor"
    target = chosen_target(arguments)
    from refdot.pytensor.benchmark import compile_report, compile_time

    backends = arguments.backend or ["python"]
    lowerings = tuple(arguments.lowering) or target.lowerings
    settings = [
        compile_time.Setting(
            backend, arguments.weights == "static", arguments.gradient, arguments.limit
        )
        for backend in backends
    ]
    # A table is as wide as it is, wherever it is printed.
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
    try:
        if arguments.json is not None:
            found = json.dumps(compile_report.as_json(comparison), indent=2)
            arguments.json.write_text(found + "\n", encoding="utf-8")
        if arguments.plot is not None:
            compile_report.plot(comparison, arguments.plot)
    except OSError as error:
        raise UsageError(f"{error.filename}: {error.strerror}") from None
    except ValueError as error:  # a format that matplotlib does not know
        raise UsageError(f"--plot {arguments.plot}: {error}") from None
    return 0
