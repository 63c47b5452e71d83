"""The options of each command."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from refdot import __version__
from refdot.cli.arguments import (
    UsageError,
    exception,
    layer_counts,
    positive_number,
    shard,
    whole_number,
)
from refdot.cli.check import run_check, run_merge, run_replay
from refdot.cli.compile_time import run_compile_time
from refdot.cli.explain import run_explain
from refdot.cli.messages import run_errors, run_regex
from refdot.cli.targets import CHECK_PACKAGES

__all__ = ["parser"]

_TARGET = "pytensor (default if installed), xarray, or module:function"


class _Parser(argparse.ArgumentParser):
    """A parser that reports bad usage in one line."""

    def error(self, message: str) -> NoReturn:
        """Raise instead of printing the usage and exiting."""
        raise UsageError(message)


def parser() -> _Parser:
    """Return the parser of the command line."""
    top = _Parser(prog="refdot", description="An oracle for named-dimension dot.")
    top.add_argument("--version", action="version", version=f"refdot {__version__}")
    commands = top.add_subparsers(required=True, metavar="COMMAND", parser_class=_Parser)
    for add in (
        _add_check,
        _add_merge,
        _add_replay,
        _add_errors,
        _add_regex,
        _add_explain,
        _add_compile_time,
    ):
        add(commands)
    return top


def _command(commands: Any, name: str, run: Callable[..., int], **texts: str) -> _Parser:
    command: _Parser = commands.add_parser(name, **texts)
    command.set_defaults(command=run, packages=CHECK_PACKAGES)
    return command


def _add_check(commands: Any) -> None:
    check = _command(
        commands,
        "check",
        run_check,
        help="check an implementation against the oracle",
        description="Judges cases on every backend and lowering, groups the mismatches by cause, "
        "and shrinks each to its smallest case. Exit code: 0 if there are only known deviations, "
        "1 if there are other mismatches, 2 for bad usage.",
    )
    _add_target(check)
    check.add_argument(
        "--profile",
        default="quick",
        metavar="NAME",
        help="quick (default), standard or deep: the number of random cases, and the highest rank "
        "of the dim patterns",
    )
    check.add_argument(
        "--cases",
        type=whole_number(1),
        metavar="N",
        help="number of random cases, instead of the cases of a profile",
    )
    check.add_argument(
        "--exhaustive",
        type=whole_number(0),
        metavar="RANK",
        help="check every dim pattern up to this rank",
    )
    check.add_argument(
        "--seed", type=whole_number(0), default=0, metavar="N", help="seed of the random cases"
    )
    check.add_argument(
        "--only",
        action="append",
        default=[],
        metavar="ASPECT",
        help="values, gradients, errors or structure; may be repeated",
    )
    check.add_argument(
        "--hours",
        type=positive_number,
        metavar="HOURS",
        help="check for this time: stop early, or go on with more random cases",
    )
    check.add_argument(
        "--timeout",
        type=positive_number,
        default=300.0,
        metavar="SECONDS",
        help="time limit of one case (default 300), only with --jobs and not on Windows",
    )
    check.add_argument(
        "--jobs",
        type=whole_number(1),
        metavar="N",
        help="number of worker processes; each imports the target, without changes made to it in "
        "this process",
    )
    check.add_argument(
        "--shard", type=shard, metavar="I/N", help="check part I of N; refdot merge joins the parts"
    )
    check.add_argument(
        "--database",
        type=Path,
        metavar="DIR",
        help="folder that keeps failing cases; they are checked first",
    )
    _add_report(check)
    check.add_argument(
        "--statistics",
        action="store_true",
        help="print the share of each category among random cases (1000, or --cases), and exit",
    )
    check.add_argument(
        "--list", action="store_true", help="print the known deviations of the target, and exit"
    )


def _add_merge(commands: Any) -> None:
    merge = _command(
        commands,
        "merge",
        run_merge,
        help="join the reports of the shards of a check",
        description="Joins the report.json of every shard into one report. Exit code: as for "
        "check.",
    )
    merge.add_argument("reports", type=Path, nargs="+", metavar="REPORT.json")
    _add_report(merge)


def _add_replay(commands: Any) -> None:
    replay = _command(
        commands,
        "replay",
        run_replay,
        help="judge one case again",
        description="Judges the case in a JSON file. Exit code: 0 if every answer is right, 1 if "
        "not, 2 for bad usage.",
    )
    replay.add_argument("case", type=Path, metavar="CASE.json")
    _add_target(replay)


def _add_errors(commands: Any) -> None:
    errors = _command(
        commands,
        "errors",
        run_errors,
        help="list the error messages in each error scenario",
        description="Lists the stage, type and message of every error, on every backend and "
        "lowering. Exit code: 0; with --diff, 1 if a message changed; 2 for bad usage.",
    )
    _add_target(errors)
    _add_scenarios(errors)
    errors.add_argument(
        "--json", metavar="FILE", help="write the complete messages to a file, or to stdout if -"
    )
    errors.add_argument("--report", type=Path, metavar="DIR", help="write errors.html")
    errors.add_argument(
        "--diff", nargs=2, type=Path, metavar=("A.json", "B.json"), help="compare two --json files"
    )


def _add_regex(commands: Any) -> None:
    regex = _command(
        commands,
        "regex",
        run_regex,
        help="judge a regex for error messages, and suggest one",
        description="Judges a pattern as pytest.raises(TYPE, match=PATTERN) would use it. Exit "
        "code: 0 if it matches every message of the error scenarios and no other error, 1 if not, "
        "2 for bad usage.",
    )
    regex.add_argument("pattern", metavar="PATTERN")
    _add_target(regex)
    _add_scenarios(regex)
    regex.add_argument(
        "--type",
        type=exception,
        default=Exception,
        metavar="TYPE",
        help="exception that must be raised (default: Exception)",
    )


def _add_explain(commands: Any) -> None:
    explain = _command(
        commands,
        "explain",
        run_explain,
        help="show how names become an einsum",
        description="Shows the einsum of a dot, its loops, its cost and its gradients.",
    )
    explain.set_defaults(packages=())
    explain.add_argument("operands", metavar="'a b, b c'", help="the dims of both operands")
    explain.add_argument(
        "--dim", metavar="DIM", help="dims to sum over, separated by commas or spaces, or ..."
    )
    explain.add_argument("--sizes", default="", metavar="SIZES", help="such as a=2,b=3")
    explain.add_argument("--svg", type=Path, metavar="FILE", help="write the picture to a file")


def _add_compile_time(commands: Any) -> None:
    timed = _command(
        commands,
        "compile-time",
        run_compile_time,
        help="measure the compile time of each lowering",
        description="Compiles stacked attention layers, their loss and its gradient, in "
        "hand-written tensor code and in xtensor with each lowering, and shows the time of each "
        "phase.",
    )
    timed.add_argument(
        "--layers",
        type=layer_counts,
        default=(1, 2, 3),
        metavar="N,N,...",
        help="numbers of layers (default: 1,2,3)",
    )
    _add_lowering(timed)
    _add_backend(timed, "python")
    timed.add_argument(
        "--weights",
        choices=("static", "unknown"),
        default="unknown",
        help="whether the shapes of the weights are static (default: unknown)",
    )
    timed.add_argument(
        "--gradient",
        choices=("input", "weights"),
        default="input",
        help="what to differentiate with respect to (default: input)",
    )
    timed.add_argument(
        "--limit",
        type=positive_number,
        default=120.0,
        metavar="SECONDS",
        help="time limit of one measurement (default: 120)",
    )
    timed.add_argument(
        "--repeats",
        type=whole_number(1),
        default=3,
        metavar="N",
        help="number of measurements, of which the median is shown (default: 3)",
    )
    timed.add_argument(
        "--plot", type=Path, metavar="FILE", help="plot the times, as PNG, SVG or PDF"
    )
    timed.add_argument("--json", type=Path, metavar="FILE", help="write all measurements")
    timed.add_argument("--profile", action="store_true", help="list the slowest functions")
    timed.add_argument("--dprint", action="store_true", help="print the graphs before and after")


def _add_target(command: _Parser) -> None:
    command.add_argument("target", nargs="?", help=_TARGET)
    _add_backend(command, "every one that can run here")
    _add_lowering(command)


def _add_backend(command: _Parser, default: str) -> None:
    command.add_argument(
        "--backend",
        action="append",
        default=[],
        metavar="NAME",
        help=f"backend of the target (default: {default}); may be repeated",
    )


def _add_lowering(command: _Parser) -> None:
    command.add_argument(
        "--lowering",
        action="append",
        default=[],
        metavar="NAME",
        help="lowering of the target; may be repeated",
    )


def _add_report(command: _Parser) -> None:
    command.add_argument(
        "--report",
        type=Path,
        metavar="DIR",
        help="write the report and reproducers to a folder",
    )
    command.add_argument(
        "--strict", action="store_true", help="exit with 1 for known deviations too"
    )


def _add_scenarios(command: _Parser) -> None:
    command.add_argument(
        "--situation",
        action="append",
        default=[],
        metavar="NAME",
        help="error scenario, or several such as 'batch-*'; may be repeated",
    )
