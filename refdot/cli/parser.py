"""The options of each command."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any, NoReturn

from refdot import __version__
from refdot.cli.arguments import (
    UsageError,
    exception,
    layer_counts,
    natural,
    positive,
    positive_number,
    shard,
)
from refdot.cli.check import run_check, run_merge, run_replay
from refdot.cli.compile_time import run_compile_time
from refdot.cli.explain import run_explain
from refdot.cli.messages import run_errors, run_regex

__all__ = ["parser"]


class _Parser(argparse.ArgumentParser):
    """A parser that says what is wrong in one line."""

    def error(self, message: str) -> NoReturn:
        """Raise instead of printing pages and leaving."""
        raise UsageError(message)


def parser() -> _Parser:
    """Say which commands there are."""
    top = _Parser(prog="refdot", description="An oracle for named-dimension dot.")
    top.add_argument("--version", action="version", version=f"refdot {__version__}")
    commands = top.add_subparsers(required=True, metavar="COMMAND", parser_class=_Parser)

    check = commands.add_parser(
        "check",
        help="hold an implementation against the oracle",
        description="Draws cases, judges each on every backend and lowering, groups what is "
        "wrong, and shrinks each cause to its smallest case. Exit code: 0 if nothing but known "
        "deviations was found, 1 if something else was, 2 for bad usage.",
    )
    target = "pytensor (default where it is installed), xarray, or module:function"
    check.add_argument("target", nargs="?", help=target)
    check.add_argument("--backend", action="append", default=[], metavar="NAME")
    check.add_argument("--lowering", action="append", default=[], metavar="NAME")
    check.add_argument(
        "--profile",
        default="quick",
        metavar="NAME",
        help="quick (default), standard or deep: how many cases to draw, and up to which rank "
        "to judge every pattern of dims",
    )
    check.add_argument(
        "--cases", type=positive, metavar="N", help="draw so many, instead of a profile"
    )
    check.add_argument(
        "--exhaustive", type=natural, metavar="RANK", help="judge every pattern up to that rank"
    )
    check.add_argument("--seed", type=natural, default=0, metavar="N")
    aspects = "values, gradients, errors or structure"
    check.add_argument("--only", action="append", default=[], metavar="ASPECT", help=aspects)
    check.add_argument(
        "--hours",
        type=positive_number,
        metavar="HOURS",
        help="judge for so long: leave out what is left then, or draw on",
    )
    check.add_argument(
        "--jobs",
        type=positive,
        metavar="N",
        help="judge in so many processes; each imports the target anew, and does not see what is "
        "patched in this one",
    )
    check.add_argument(
        "--shard", type=shard, metavar="I/N", help="judge every N-th batch; refdot merge joins them"
    )
    check.add_argument(
        "--database", type=Path, metavar="DIR", help="keep what is found, and judge it first"
    )
    _add_report_options(check)
    check.add_argument(
        "--statistics",
        action="store_true",
        help="count how many of the cases drawn (1000, or --cases) are of which kind, and end",
    )
    check.add_argument(
        "--list", action="store_true", help="print the known deviations of the target, and end"
    )
    check.set_defaults(command=run_check)

    merge = commands.add_parser(
        "merge",
        help="join the reports of the shards of a check",
        description="Joins the report.json of every shard to one report. Exit code: as of check.",
    )
    merge.add_argument("reports", type=Path, nargs="+", metavar="REPORT.json")
    _add_report_options(merge)
    merge.set_defaults(command=run_merge)

    replay = commands.add_parser("replay", help="judge one case again, from a JSON file")
    replay.add_argument("case", type=Path, metavar="CASE.json")
    replay.add_argument("target", nargs="?", help=target)
    replay.add_argument("--backend", action="append", default=[], metavar="NAME")
    replay.add_argument("--lowering", action="append", default=[], metavar="NAME")
    replay.set_defaults(command=run_replay)

    errors = commands.add_parser(
        "errors",
        help="list what is raised in each situation in which a dot goes wrong",
        description="Lists the stage, type and message of every error, on every backend and "
        "lowering. Exit code: 0, or with --diff 1 if something changed; 2 for bad usage.",
    )
    _add_survey_options(errors, target)
    errors.add_argument("--json", metavar="FILE", help="write all messages, whole; - is stdout")
    errors.add_argument("--report", type=Path, metavar="DIR", help="write errors.html")
    errors.add_argument(
        "--diff", nargs=2, type=Path, metavar=("A.json", "B.json"), help="compare two --json files"
    )
    errors.set_defaults(command=run_errors)

    regex = commands.add_parser(
        "regex",
        help="judge a regex for error messages, and suggest one",
        description="Judges a pattern as pytest.raises(TYPE, match=PATTERN) would use it. Exit "
        "code: 0 if it matches every message asked for and no other error, 1 if not, 2 for bad "
        "usage.",
    )
    regex.add_argument("pattern", metavar="PATTERN")
    _add_survey_options(regex, target)
    regex.add_argument("--type", type=exception, default=Exception, metavar="T", help="exception")
    regex.set_defaults(command=run_regex)

    explained = commands.add_parser("explain", help="show how names become an einsum")
    explained.add_argument("operands", metavar="'a b, b c'")
    explained.add_argument(
        "--dim", help="names with commas or spaces between them, or ...", metavar="DIM"
    )
    explained.add_argument("--sizes", help="such as a=2,b=3", default="", metavar="SIZES")
    explained.add_argument("--svg", type=Path, metavar="FILE", help="draw it into a file")
    explained.set_defaults(command=run_explain)

    _add_compile_time(commands)
    return top


def _add_report_options(command: argparse.ArgumentParser) -> None:
    """Add what says what to do with a report."""
    command.add_argument("--report", type=Path, metavar="DIR", help="write report and reproducers")
    command.add_argument("--strict", action="store_true", help="known deviations count too")


def _add_survey_options(command: argparse.ArgumentParser, target: str) -> None:
    """Add what says which messages a command is about."""
    command.add_argument("target", nargs="?", help=target)
    command.add_argument("--backend", action="append", default=[], metavar="NAME")
    command.add_argument("--lowering", action="append", default=[], metavar="NAME")
    meant = "a situation, or several as in 'batch-*'"
    command.add_argument("--situation", action="append", default=[], metavar="S", help=meant)


def _add_compile_time(commands: Any) -> None:
    """Say what `refdot compile-time` takes."""
    timed = commands.add_parser(
        "compile-time",
        help="what a lowering costs to compile, against hand-written tensor code",
        description="Compiles stacked attention, its loss and gradient, in hand-written tensor "
        "code and in xtensor by each lowering, and shows the time by phase.",
    )
    timed.add_argument("--layers", type=layer_counts, default=(1, 2, 3), metavar="N,N,...")
    timed.add_argument("--lowering", action="append", default=[], metavar="NAME")
    timed.add_argument("--backend", action="append", default=[], metavar="NAME")
    shapes = "whether the shapes of the weights are static or, as by default, unknown"
    timed.add_argument("--weights", choices=("static", "unknown"), default="unknown", help=shapes)
    of = "what the gradient is of"
    timed.add_argument("--gradient", choices=("input", "weights"), default="input", help=of)
    limit = "what one measurement may take; what takes longer is stopped, and shown as such"
    timed.add_argument(
        "--limit", type=positive_number, default=120.0, metavar="SECONDS", help=limit
    )
    timed.add_argument("--repeats", type=positive, default=3, metavar="N")
    timed.add_argument("--plot", type=Path, metavar="FILE", help="such as out.png or out.svg")
    timed.add_argument("--json", type=Path, metavar="FILE")
    timed.add_argument("--profile", action="store_true", help="list the slowest functions")
    timed.add_argument("--dprint", action="store_true", help="print graphs before and after")
    timed.set_defaults(command=run_compile_time)
