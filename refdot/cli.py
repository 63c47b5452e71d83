"""The command line: check, replay, explain, compile-time."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from refdot import __version__
from refdot.diagram import explain, parse_operands
from refdot.errors import DotError, nearest_name
from refdot.lowering import lower_dot

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["main"]

INTERRUPTED = 130


class UsageError(Exception):
    """Something asked for that cannot be had: what is wrong, and what is accepted."""


class Parser(argparse.ArgumentParser):
    """A parser that says what is wrong in one line."""

    def error(self, message: str) -> NoReturn:
        """Raise instead of printing pages and leaving."""
        raise UsageError(message)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line in this process.

    Parameters
    ----------
    argv : sequence of str, optional
        The arguments; by default those of the process.

    Returns
    -------
    int
        0 if nothing is wrong but known deviations, 1 if something is, 2 for bad usage, 130 if
        interrupted before anything was found.
    """
    try:
        arguments = parser().parse_args(argv)
        result: int = arguments.command(arguments)
    except UsageError as error:
        print(f"refdot: {error}", file=sys.stderr)
        return 2
    except SystemExit as leaving:  # --help and --version
        return int(leaving.code or 0)
    return result


def parser() -> Parser:
    """Say which commands there are."""
    top = Parser(prog="refdot", description="An oracle for named-dimension dot.")
    top.add_argument("--version", action="version", version=f"refdot {__version__}")
    commands = top.add_subparsers(required=True, metavar="COMMAND", parser_class=Parser)

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
    check.add_argument("--cases", type=positive, default=300, metavar="N")
    check.add_argument("--seed", type=natural, default=0, metavar="N")
    aspects = "values, gradients, errors or structure"
    check.add_argument("--only", action="append", default=[], metavar="ASPECT", help=aspects)
    check.add_argument("--report", type=Path, metavar="DIR", help="write report and reproducers")
    check.add_argument("--strict", action="store_true", help="known deviations count too")
    check.set_defaults(command=run_check)

    replay = commands.add_parser("replay", help="judge one case again, from a JSON file")
    replay.add_argument("case", type=Path, metavar="CASE.json")
    replay.add_argument("target", nargs="?", help=target)
    replay.add_argument("--backend", action="append", default=[], metavar="NAME")
    replay.add_argument("--lowering", action="append", default=[], metavar="NAME")
    replay.set_defaults(command=run_replay)

    explained = commands.add_parser("explain", help="show how names become an einsum")
    explained.add_argument("operands", metavar="'a b, b c'")
    explained.add_argument("--dim", help="names with commas between them, or ...", metavar="DIM")
    explained.add_argument("--sizes", help="such as a=2,b=3", default="", metavar="SIZES")
    explained.set_defaults(command=run_explain)

    add_compile_time(commands)
    return top


def add_compile_time(commands: Any) -> None:
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
    timed.add_argument("--limit", type=seconds, default=120.0, metavar="SECONDS", help=limit)
    timed.add_argument("--repeats", type=positive, default=3, metavar="N")
    timed.add_argument("--plot", type=Path, metavar="FILE", help="such as out.png or out.svg")
    timed.add_argument("--json", type=Path, metavar="FILE")
    timed.add_argument("--profile", action="store_true", help="list the slowest functions")
    timed.add_argument("--dprint", action="store_true", help="print graphs before and after")
    timed.set_defaults(command=run_compile_time)


def layer_counts(text: str) -> tuple[int, ...]:
    """Read whole numbers with commas between them."""
    return tuple(sorted({positive(part.strip()) for part in text.split(",")}))


def seconds(text: str) -> float:
    """Read a positive number of seconds."""
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"a positive number of seconds, not {text!r}")
    return number


def positive(text: str) -> int:
    """Read a whole number from 1 on."""
    return whole_number(text, 1)


def natural(text: str) -> int:
    """Read a whole number from 0 on."""
    return whole_number(text, 0)


def whole_number(text: str, least: int) -> int:
    """Read a whole number."""
    try:
        number = int(text)
    except ValueError:
        number = least - 1
    if number < least:
        raise argparse.ArgumentTypeError(f"a whole number from {least} on, not {text!r}")
    return number


def run_check(arguments: argparse.Namespace) -> int:
    """Do `refdot check`."""
    require_check_extra()
    from rich.console import Console

    from refdot import check, compare, report

    target = chosen_target(arguments)
    require(arguments.only, tuple(compare.ASPECTS), "--only")
    folder = arguments.report
    if folder is not None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except FileExistsError:
            raise UsageError(f"--report {folder}: not a folder") from None
        except OSError as error:
            raise UsageError(f"--report {folder}: {error.strerror}") from None
    console = Console()
    with ProgressDisplay(console) as progress:
        found = check.run(
            target,
            cases=arguments.cases,
            seed=arguments.seed,
            backends=arguments.backend,
            lowerings=arguments.lowering,
            only=arguments.only,
            progress=progress,
        )
    report.print_report(found, console)
    if folder is not None:
        try:
            report.write_report(found, target, folder)
        except OSError as error:
            raise UsageError(f"--report {folder}: {error.strerror}") from None
        console.print(f"report in {folder}", highlight=False, soft_wrap=True)
    if any(arguments.strict or finding.known is None for finding in found.findings):
        return 1
    return INTERRUPTED if found.interrupted else 0


def run_replay(arguments: argparse.Namespace) -> int:
    """Do `refdot replay`."""
    require_check_extra()
    from refdot import check
    from refdot.case import DotCase
    from refdot.targets import limit_of

    try:
        text = arguments.case.read_text(encoding="utf-8")
        case = DotCase.from_json(text)
    except OSError as error:
        raise UsageError(f"{arguments.case}: {error.strerror}") from None
    except ValueError as error:
        raise UsageError(f"{arguments.case}: {error}") from None
    target = chosen_target(arguments)
    print(case)
    if reason := limit_of(target, case):
        print(f"{target.name} is not judged on this: {reason}")
        return 0
    there = [backend for backend in target.backends() if not backend.absent]
    backends = arguments.backend or [backend.name for backend in there if backend.default]
    broken = False
    for backend in backends:
        for lowering in arguments.lowering or target.default_lowerings:
            configuration = check.Configuration(backend, lowering)
            mismatches = check.judge(target, case, configuration)
            broken = broken or bool(mismatches)
            print(f"{target.name}, {backend}, {lowering}: {'wrong' if mismatches else 'right'}")
            for mismatch in mismatches:
                print(f"  {mismatch.signature}")
                print(f"    expected  {mismatch.expected}")
                print(f"    got       {mismatch.got}")
    return 1 if broken else 0


def run_explain(arguments: argparse.Namespace) -> int:
    """Do `refdot explain`."""
    try:
        x_dims, y_dims = parse_operands(arguments.operands)
        lowering = lower_dot(x_dims, y_dims, read_dim(arguments.dim))
    except (ValueError, DotError) as error:
        raise UsageError(str(error)) from None
    print(explain(lowering, read_sizes(arguments.sizes, lowering.all_dims)))
    return 0


def run_compile_time(arguments: argparse.Namespace) -> int:
    """Do `refdot compile-time`."""
    require_check_extra()
    if arguments.plot is not None and find_spec("matplotlib") is None:
        raise UsageError("matplotlib not installed; pip install 'refdot[plot]'")
    from rich.console import Console

    arguments.target = "pytensor"
    target = chosen_target(arguments)
    from refdot.pytensor import compile_report, compile_time

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


def read_dim(text: str | None) -> Any:
    """Read the `dim` argument from the shell."""
    if text is None:
        return None
    if text.strip() == "...":
        return ...
    return tuple(name.strip() for name in text.split(",") if name.strip())


def read_sizes(text: str, dims: Sequence[str]) -> dict[str, int]:
    """Read sizes from the shell."""
    sizes = {}
    for part in filter(None, text.split(",")):
        name, _, size = (piece.strip() for piece in part.partition("="))
        if not size.isdecimal():
            raise UsageError(f"--sizes takes name=size with commas between, not {part!r}")
        require([name], tuple(dims), "--sizes")
        sizes[name] = int(size)
    return sizes


def require_check_extra() -> None:
    """Refuse what needs more than the core where that is not installed."""
    missing = [name for name in ("hypothesis", "rich") if find_spec(name) is None]
    if missing:
        raise UsageError(f"{' and '.join(missing)} not installed; pip install 'refdot[check]'")


def chosen_target(arguments: argparse.Namespace) -> Any:
    """Find the target, and check that it has the backends and lowerings asked for."""
    from refdot.targets import TargetError, find_target

    name = arguments.target
    if name is None:
        name = "pytensor" if find_spec("pytensor") else "xarray"
    try:
        target = find_target(name)
    except TargetError as error:
        raise UsageError(str(error)) from None
    backends = target.backends()
    require(arguments.backend, tuple(backend.name for backend in backends), "--backend")
    absent = {backend.name: backend.absent for backend in backends if backend.absent}
    for backend in arguments.backend:
        if backend in absent:
            raise UsageError(f"--backend {backend}: {absent[backend]}")
    require(arguments.lowering, target.lowerings, "--lowering")
    return target


def require(names: Sequence[str], accepted: Sequence[str], option: str) -> None:
    """Refuse names that are not among those accepted."""
    for name in names:
        if name not in accepted:
            nearest = nearest_name(name, accepted)
            hint = f" (did you mean {nearest}?)" if nearest else ""
            raise UsageError(f"{option} {name}: there is only {', '.join(accepted)}{hint}")


class ProgressDisplay:
    """Show progress: a bar on a terminal, a plain line now and then elsewhere."""

    def __init__(self, console: Console) -> None:
        from rich import progress

        self.tasks: dict[str, progress.TaskID] = {}
        self.bar = progress.Progress(
            progress.TextColumn("{task.description}"),
            progress.BarColumn(),
            progress.MofNCompleteColumn(),
            progress.TimeElapsedColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )

    def __enter__(self) -> ProgressDisplay:
        self.bar.start()
        return self

    def __call__(self, stage: str, done: int, total: int) -> None:
        """Tell how far it has come."""
        if self.bar.disable and (done == total or done % max(1, total // 5) == 0):
            print(f"{stage}: {done} of {total}", flush=True)
        if stage not in self.tasks:
            self.tasks[stage] = self.bar.add_task(stage, total=total)
        self.bar.update(self.tasks[stage], completed=done)

    def __exit__(self, *_: object) -> None:
        self.bar.stop()
