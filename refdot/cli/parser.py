"""The options of each command."""

import argparse
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import wrap
from typing import Any, NoReturn

from refdot import __version__
from refdot.cli import arguments as read
from refdot.cli.check import run_check, run_merge
from refdot.cli.compile_time import run_compile_time
from refdot.cli.explain import run_explain
from refdot.cli.messages import run_errors, run_regex
from refdot.cli.replay import run_replay
from refdot.cli.targets import CHECK_PACKAGES, JUDGING_PACKAGES
from refdot.messages.scenarios import SCENARIOS
from refdot.text import did_you_mean, listed

__all__ = ["parser"]


class _Formatter(argparse.HelpFormatter):
    """A formatter that breaks no line inside a name such as batch-static."""

    def _split_lines(self, text: str, width: int) -> list[str]:
        return wrap(" ".join(text.split()), width, break_on_hyphens=False)


class _Parser(argparse.ArgumentParser):
    """A parser that reports bad usage in one line."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.commands: dict[str, _Parser] = {}

    def error(self, message: str) -> NoReturn:
        """Raise instead of printing the usage and exiting, with a hint at what was meant."""
        if message == "the following arguments are required: COMMAND":
            raise read.UsageError(f"no command; there are {listed(self.commands)}")
        if wrong := re.fullmatch(r"argument COMMAND: invalid choice: '(.*?)' .*", message):
            read.check_choices("command", [wrong[1]], self.commands)
        hint = ""
        if wrong := re.fullmatch(r"unrecognized arguments: (--[\w-]+)\b.*", message):
            hint = did_you_mean(wrong[1], [*self._options()])
        raise read.UsageError(f"{message}{hint}")

    def _options(self) -> Iterator[str]:
        """Yield the options of all commands."""
        for command in self.commands.values():
            for action in command._actions:
                yield from action.option_strings

    def option(
        self,
        usage: str,
        text: str,
        reader: Callable[[str], Any] = str,
        default: Any = None,
        **settings: Any,
    ) -> None:
        """Add an option that takes a value, such as "--cases N"; `reader` reads the default too."""
        name, metavar = usage.split()
        if default:
            text += " (default: %(default)s)"
        self.add_argument(
            name, metavar=metavar, help=text, type=reader, default=default, **settings
        )

    def repeatable(self, usage: str, text: str) -> None:
        """Add an option that may be repeated."""
        self.option(usage, f"{text}; may be repeated", default=[], action="append")

    def flag(self, name: str, text: str) -> None:
        """Add an option that takes no value."""
        self.add_argument(name, help=text, action="store_true")


def parser() -> _Parser:
    """Return the parser of the command line."""
    top = _Parser(
        prog="refdot",
        description="A reference for the dot of named-dimension arrays, and a checker.",
    )
    top.add_argument("--version", action="version", version=f"refdot {__version__}")
    commands = top.add_subparsers(required=True, metavar="COMMAND", parser_class=_Parser)

    def command(name: str, run: Callable[..., int], summary: str, description: str) -> _Parser:
        added = commands.add_parser(
            name, help=summary, description=description, formatter_class=_Formatter
        )
        top.commands[name] = added
        judges = name in ("check", "errors", "regex")
        added.set_defaults(command=run, packages=JUDGING_PACKAGES if judges else CHECK_PACKAGES)
        return added

    check = command(
        "check",
        run_check,
        "check an implementation against the oracle",
        "Judges cases on every backend and lowering, groups the mismatches by cause, and shrinks "
        "each to its smallest case. Exit code: 0 if there are only known deviations, 1 if there "
        "are other mismatches, 2 for bad usage or if nothing was judged, 3 if the target cannot be "
        "imported or refdot failed.",
    )
    _add_check_options(check)

    merge = command(
        "merge",
        run_merge,
        "join the reports of the shards of a check",
        "Joins the report.json of every shard into one report. Exit code: as for check.",
    )
    _add_output(merge)
    merge.add_argument(
        "reports", type=Path, nargs="+", metavar="REPORT.json", help="report of a shard"
    )
    merge.option(
        "--target TARGET",
        "the target of the reports, which writes the reproducers; a built-in one needs no name",
    )

    replay = command(
        "replay",
        run_replay,
        "judge one case again",
        "Judges the case of a dot or of a program in a JSON file, or the case of a mismatch of a "
        "report. Exit code: 0 if there are only known deviations, 1 if there are other mismatches, "
        "2 for bad usage.",
    )
    replay.add_argument(
        "case", type=Path, metavar="CASE.json", help="a case, or a report.json of refdot check"
    )
    replay.add_argument(
        "words",
        nargs="*",
        default=[],
        metavar="[NUMBER] [TARGET]",
        help="the number of a mismatch of the report; and the target, as for check",
    )
    _add_configurations(replay)

    errors = command(
        "errors",
        run_errors,
        "list the error messages in each error scenario",
        "Lists the stage, type and message of every error, by backend and lowering. Exit "
        "code: 0; with --diff, 1 if a message changed; 2 for bad usage.",
    )
    _add_target(errors, "python and c-blas, or all of another target")
    _add_scenarios(errors)
    errors.option("--json FILE", "write the complete messages to a file, or to stdout if -", Path)
    errors.option("--report DIR", "write errors.html", Path)
    errors.add_argument(
        "--diff", nargs=2, type=Path, metavar=("A.json", "B.json"), help="compare two --json files"
    )

    regex = command(
        "regex",
        run_regex,
        "judge a regex for error messages, and suggest one",
        "Judges a pattern as pytest.raises(TYPE, match=PATTERN) would use it. Exit code: 0 if it "
        "matches every message of the error scenarios (default: contracted-unknown) and no other "
        "error, 1 if not, 2 for bad usage, which includes a pattern too large to be judged.",
    )
    regex.add_argument("pattern", nargs="?", metavar="PATTERN", help="regex to judge")
    regex.flag("--suggest", "suggest a regex, instead of judging one")
    _add_target(regex, "python and c-blas, or all of another target")
    _add_scenarios(regex)
    regex.option("--type TYPE", "exception that must be raised", read.exception, "Exception")

    explain = command(
        "explain",
        run_explain,
        "show how names become an einsum",
        "Shows the einsum of a dot, its loops, its cost and its gradients; or the steps of a "
        "program, with the einsum and the cost of each dot.",
    )
    explain.set_defaults(packages=())
    explain.add_argument(
        "operands",
        nargs="+",
        metavar="'a b, b c'",
        help="the dims of both operands, a name with spaces in quotes of its own; or a program, "
        "such as attention:layers=2 or CASE.json",
    )
    explain.option("--dim DIM", "dims to sum over, separated by commas or spaces, or ...")
    explain.option("--sizes SIZES", "sizes of dims, such as a=2,b=3 or 'a=2 b=3'", default="")
    explain.option("--svg FILE", "write the picture to a file", Path)

    timed = command(
        "compile-time",
        run_compile_time,
        "measure the compile time of each lowering",
        "Compiles stacked attention layers, their loss and its gradient, in hand-written tensor "
        "code and in xtensor with each lowering, and shows the time of each phase.",
    )
    _add_compile_time_options(timed)
    return top


def _add_check_options(check: _Parser) -> None:
    _add_target(check)
    amount = check.add_mutually_exclusive_group()
    amount.add_argument(
        "--quick", action="store_true", help="a first look that takes seconds: only the smoke cases"
    )
    amount.add_argument(
        "--effort",
        metavar="NAME",
        default="quick",
        help="quick, standard or deep: the number of random cases and programs, and the highest "
        "rank of the dim patterns (default: %(default)s)",
    )
    check.option("--cases N", "add this many random cases", read.whole_number(1))
    check.option(
        "--exhaustive RANK", "check every dim pattern up to this rank", read.whole_number(0)
    )
    check.option(
        "--programs N",
        "add this many random programs of several dots, on the backend python unless --backend "
        "names others",
        read.whole_number(1),
    )
    check.repeatable("--program NAME", "add a named program, such as attention:layers=2")
    check.option("--seed N", "seed of the random cases", read.whole_number(0), "0")
    check.repeatable("--only ASPECT", "values, gradients, errors, structure or resources")
    check.add_argument(
        "-x",
        dest="maxfail",
        action="store_const",
        const=1,
        help="stop at the first mismatch that is not known",
    )
    check.option("--maxfail N", "stop after N mismatches that are not known", read.whole_number(1))
    check.option(
        "--hours HOURS",
        "stop after this many hours; until then, keep adding random cases",
        read.positive_number,
    )
    check.option(
        "--timeout SECONDS",
        "time limit of one case (not on Windows); only in a worker process, it also ends loops in "
        "C code",
        read.positive_number,
        "300",
    )
    check.option(
        "--jobs N",
        "number of worker processes, or 0 for this process; each imports the target again, and "
        "does not see a patch that was made in this process (default: for pytensor the number of "
        "CPUs, at most 4, except with --quick; else 0)",
        read.whole_number(0),
    )
    check.option("--shard I/N", "check part I of N; refdot merge joins the parts", read.shard)
    check.option("--database DIR", "folder that keeps failing cases; they are checked first", Path)
    _add_output(check)
    check.flag(
        "--statistics",
        "print the share of each category among random cases (1000, or --cases), or programs "
        "(--programs), and exit",
    )
    check.add_argument(
        "--list",
        nargs="?",
        const="",
        metavar="ID",
        help="print the known deviations of the target, one per line, or one of them in full, "
        "and exit",
    )


def _add_compile_time_options(timed: _Parser) -> None:
    timed.repeatable(
        "--program NAME",
        "instead, time a named program and its gradients, such as transformer:layers=2",
    )
    timed.option(
        "--layers N,N,...",
        "numbers of layers (default: 1,2,3; of a program: its own)",
        read.layer_counts,
    )
    timed.repeatable("--backend NAME", "backend of PyTensor (default: python)")
    _add_lowering(timed)
    timed.option(
        "--weights unknown|static|mixed",
        "whether the shapes of the weights are static; mixed: one of the two weights of each layer "
        "(default: unknown)",
        choices=("unknown", "static", "mixed"),
    )
    timed.option(
        "--gradient input|weights",
        "variables with respect to which to differentiate (default: input)",
        choices=("input", "weights"),
    )
    timed.option("--limit SECONDS", "time limit of one measurement", read.positive_number, "120")
    timed.option(
        "--repeats N",
        "number of measurements, of which the median is shown",
        read.whole_number(1),
        "3",
    )
    timed.option("--plot FILE", "plot the times, as PNG, SVG or PDF", Path)
    timed.option("--json FILE", "write the results", Path)
    timed.flag("--memory", "also measure the memory, once, which takes several times as long")
    timed.flag("--profile", "list the slowest functions")
    timed.flag("--dprint", "print the graphs before and after")


def _add_target(command: _Parser, backends: str = "all that can run, except mlx and torch") -> None:
    command.add_argument(
        "target",
        nargs="?",
        help="pytensor (default if installed), xarray, xarray-dask or haliax; or module:object or "
        "path/to/file.py:object, a function or a target",
    )
    _add_configurations(command, backends)


def _add_configurations(
    command: _Parser, backends: str = "all that can run, except mlx and torch"
) -> None:
    command.repeatable("--backend NAME", f"backend (default: {backends})")
    _add_lowering(command)


def _add_lowering(command: _Parser) -> None:
    command.repeatable(
        "--lowering NAME", "lowering; those of pytensor are stock, inlined and direct"
    )


def _add_output(command: _Parser) -> None:
    command.option("--report DIR", "write the report and reproducers to a folder", Path)
    command.option(
        "--baseline REPORT.json", "an earlier report: only what is not in it exits with 1", Path
    )
    command.option(
        "--expect FILE",
        "file of expected mismatches, one per line, as SIGNATURE # REASON; they do not exit with 1",
        Path,
    )
    command.add_argument(
        "--format",
        choices=("text", "github"),
        default="text",
        help="github: print an annotation of GitHub Actions for each new mismatch too",
    )
    command.option("--junitxml FILE", "write a report in the XML of JUnit", Path)
    amount = command.add_mutually_exclusive_group()
    amount.add_argument(
        "-q", dest="verbosity", action="store_const", const=-1, help="print only the verdict"
    )
    amount.add_argument(
        "-v", dest="verbosity", action="store_const", const=1, help="print known mismatches in full"
    )
    command.set_defaults(verbosity=0)
    command.flag("--strict", "exit with 1 for known deviations too")


def _add_scenarios(command: _Parser) -> None:
    command.repeatable(
        "--situation NAME",
        f"error scenario, or several such as 'batch-*'; there are {listed(SCENARIOS)}",
    )
