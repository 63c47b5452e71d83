"""The command line: check, merge, replay, errors, regex, explain, compile-time."""

from __future__ import annotations

import argparse
import builtins
import gc
import json
import shlex
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace
from fnmatch import filter as filter_names
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NoReturn, TypeGuard

from refdot import __version__
from refdot.errors import DotError, SizeMismatchError, nearest_name
from refdot.explanation import explain, parse_operands, underlined, with_culprit_underlined
from refdot.lowering import Lowering, lower_dot

if TYPE_CHECKING:
    from rich.console import Console

    from refdot.batches import Profile, Shard
    from refdot.check import Report
    from refdot.messages import Survey
    from refdot.targets import Target

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
        0 if nothing is wrong but known deviations, 1 if something is (of errors with --diff: if
        something changed), 2 for bad usage, 130 if interrupted before anything was found.
    """
    try:
        arguments = parser().parse_args(argv)
        arguments.line = shlex.join(["refdot", *(sys.argv[1:] if argv is None else argv)])
        result: int = arguments.command(arguments)
    except UsageError as error:
        print(f"refdot: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("refdot: interrupted", file=sys.stderr)
        return INTERRUPTED
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
    add_report_options(check)
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
    add_report_options(merge)
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
    add_survey_options(errors, target)
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
    add_survey_options(regex, target)
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

    add_compile_time(commands)
    return top


def add_report_options(command: argparse.ArgumentParser) -> None:
    """Add what says what to do with a report."""
    command.add_argument("--report", type=Path, metavar="DIR", help="write report and reproducers")
    command.add_argument("--strict", action="store_true", help="known deviations count too")


def add_survey_options(command: argparse.ArgumentParser, target: str) -> None:
    """Add what says which messages a command is about."""
    command.add_argument("target", nargs="?", help=target)
    command.add_argument("--backend", action="append", default=[], metavar="NAME")
    command.add_argument("--lowering", action="append", default=[], metavar="NAME")
    meant = "a situation, or several as in 'batch-*'"
    command.add_argument("--situation", action="append", default=[], metavar="S", help=meant)


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
    timed.add_argument(
        "--limit", type=positive_number, default=120.0, metavar="SECONDS", help=limit
    )
    timed.add_argument("--repeats", type=positive, default=3, metavar="N")
    timed.add_argument("--plot", type=Path, metavar="FILE", help="such as out.png or out.svg")
    timed.add_argument("--json", type=Path, metavar="FILE")
    timed.add_argument("--profile", action="store_true", help="list the slowest functions")
    timed.add_argument("--dprint", action="store_true", help="print graphs before and after")
    timed.set_defaults(command=run_compile_time)


def layer_counts(text: str) -> tuple[int, ...]:
    """Read whole numbers with commas between them."""
    return tuple(sorted({positive(part.strip()) for part in text.split(",")}))


def positive_number(text: str) -> float:
    """Read a positive number."""
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"a positive number, not {text!r}")
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


def shard(text: str) -> Shard:
    """Read which part of a campaign is asked for."""
    from refdot.batches import Shard

    number, _, of = text.partition("/")
    if not (number.isdecimal() and of.isdecimal() and 1 <= int(number) <= int(of)):
        raise argparse.ArgumentTypeError(f"I/N with I from 1 to N, not {text!r}")
    return Shard(int(number), int(of))


def exception(name: str) -> type[BaseException]:
    """Read the name of an exception: one of Python's own, or one with its module."""
    module_name, _, class_name = name.rpartition(".")
    try:
        found = getattr(import_module(module_name or "builtins"), class_name, None)
    except ImportError:
        found = None
    if is_exception(found):
        return found
    own = [known for known, found in vars(builtins).items() if is_exception(found)]
    nearest = nearest_name(name, own)
    hint = f"; did you mean {nearest}?" if nearest and not module_name else ""
    raise argparse.ArgumentTypeError(f"no exception {name!r}{hint}")


def is_exception(found: object) -> TypeGuard[type[BaseException]]:
    """Whether something is a class of exceptions."""
    return isinstance(found, type) and issubclass(found, BaseException)


def run_check(arguments: argparse.Namespace) -> int:
    """Do `refdot check`."""
    require_check_extra()
    from rich.console import Console

    from refdot import check, compare, report
    from refdot.batches import PROFILES, WHOLE, case_at
    from refdot.targets import TargetError
    from refdot.workers import Crew

    target = chosen_target(arguments)
    if arguments.list:
        for deviation in target.deviations:
            print(report.deviation_text(deviation, target))
        return 0
    if arguments.statistics:
        drawn = [case_at(arguments.seed, number) for number in range(arguments.cases or 1000)]
        report.print_statistics(drawn, Console())
        return 0
    require(arguments.only, tuple(compare.ASPECTS), "--only")
    require([arguments.profile], tuple(PROFILES), "--profile")
    profile = chosen_profile(arguments, target)
    make_folder(arguments.report)
    make_folder(arguments.database, "--database")
    console = Console()
    # To look for garbage, again and again, among all that a target has loaded takes an eighth of
    # the time; it is there to stay.
    gc.freeze()
    try:
        with (
            ProgressDisplay(console) as progress,
            Crew(arguments.jobs) if arguments.jobs else nullcontext() as executor,
        ):
            found = check.run(
                target,
                **vars(profile),
                seed=arguments.seed,
                backends=arguments.backend,
                lowerings=arguments.lowering,
                only=arguments.only,
                shard=arguments.shard or WHOLE,
                hours=arguments.hours,
                database=arguments.database,
                executor=executor,
                progress=progress,
            )
    except TargetError as error:
        raise UsageError(str(error)) from None
    finally:
        gc.unfreeze()
    return reported(found, target, arguments, console)


def chosen_profile(arguments: argparse.Namespace, target: Target) -> Profile:
    """Say how much to judge: what is said exactly goes before the profile."""
    from refdot.batches import PROFILES

    profile = PROFILES[arguments.profile].for_target(target)
    exactly = arguments.cases is not None or arguments.exhaustive is not None
    if arguments.cases is not None:
        profile = replace(profile, cases=arguments.cases, exhaustive=None)
    if arguments.exhaustive is not None:
        profile = replace(profile, exhaustive=arguments.exhaustive, thorough=True)
    if exactly and arguments.backend:
        profile = replace(profile, sample=None)
    return profile


def reported(
    found: Report, target: Target | None, arguments: argparse.Namespace, console: Console
) -> int:
    """Print a report, write it if that is asked for, and give the exit code."""
    from refdot import report

    report.print_report(found, console)
    folder = arguments.report
    if folder is not None and target is not None:
        try:
            report.write_report(found, target, folder, arguments.line)
        except OSError as error:
            raise UsageError(f"--report {folder}: {error.strerror}") from None
        console.print(f"report in {folder}", highlight=False, soft_wrap=True)
    if found.lost or any(arguments.strict or each.known is None for each in found.findings):
        return 1
    return INTERRUPTED if found.interrupted else 0


def run_merge(arguments: argparse.Namespace) -> int:
    """Do `refdot merge`."""
    require_check_extra()
    from rich.console import Console

    from refdot.merge import MergeError, merged
    from refdot.report import from_json
    from refdot.targets import TargetError, find_target

    shards = []
    for path in arguments.reports:
        try:
            shards.append(from_json(json.loads(path.read_text(encoding="utf-8"))))
        except OSError as error:
            raise UsageError(f"{path}: {error.strerror}") from None
        except json.JSONDecodeError as error:
            raise UsageError(f"{path}: not JSON: {error}") from None
        except ValueError as error:
            raise UsageError(f"{path}: {error}") from None
    try:
        found = merged(shards)
        # The reproducers are written by the target.
        target = find_target(found.target) if arguments.report is not None else None
    except (MergeError, TargetError) as error:
        raise UsageError(str(error)) from None
    make_folder(arguments.report)
    return reported(found, target, arguments, Console())


def run_replay(arguments: argparse.Namespace) -> int:
    """Do `refdot replay`."""
    require_check_extra()
    from refdot import check
    from refdot.batches import Configuration
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
            configuration = Configuration(backend, lowering)
            mismatches = check.judge(target, case, configuration)
            broken = broken or bool(mismatches)
            print(f"{target.name}, {backend}, {lowering}: {'wrong' if mismatches else 'right'}")
            for mismatch in mismatches:
                print(f"  {mismatch.signature}")
                print(f"    expected  {mismatch.expected}")
                print(f"    got       {mismatch.got}")
    return 1 if broken else 0


def run_errors(arguments: argparse.Namespace) -> int:
    """Do `refdot errors`."""
    require_check_extra()
    from rich.console import Console

    from refdot.tables import errors_html, print_lines, survey_lines

    if arguments.diff is not None:
        others = ("target", "backend", "lowering", "situation", "json", "report")
        if any(getattr(arguments, other) for other in others):
            raise UsageError("--diff compares two files, and takes nothing else")
        return run_diff(*arguments.diff)
    # What cannot be written is better known before messages are asked for, which takes time.
    make_folder(arguments.report)
    if arguments.json not in (None, "-"):
        open_for(arguments.json, "a", "--json").close()
    console = Console(stderr=arguments.json == "-")
    found = surveyed(arguments, situations_named(arguments.situation), console)
    if arguments.json is not None:
        text = json.dumps(found.to_json(), indent=2, ensure_ascii=False) + "\n"
        if arguments.json == "-":
            sys.stdout.write(text)
        else:
            write(text, Path(arguments.json), "--json")
    if arguments.json != "-":
        print_lines(survey_lines(found), console)
    if arguments.report is not None:
        write(errors_html(found), arguments.report / "errors.html", "--report")
        console.print(f"report in {arguments.report}", highlight=False, soft_wrap=True)
    return 0


def run_diff(before_path: Path, after_path: Path) -> int:
    """Do `refdot errors --diff`."""
    from rich.console import Console

    from refdot.messages import Survey, SurveyError, changes
    from refdot.tables import change_lines, print_lines

    surveys = []
    for path in (before_path, after_path):
        try:
            surveys.append(Survey.from_json(path.read_text(encoding="utf-8")))
        except OSError as error:
            raise UsageError(f"{path}: {error.strerror}") from None
        except (SurveyError, UnicodeDecodeError) as error:
            raise UsageError(f"{path}: {error}") from None
    before, after = surveys
    try:
        found = changes(before, after)
    except SurveyError as error:
        raise UsageError(f"{before_path}, {after_path}: {error}") from None
    print_lines(change_lines(found, before, after), Console())
    return 1 if found else 0


def run_regex(arguments: argparse.Namespace) -> int:
    """Do `refdot regex`."""
    require_check_extra()
    from rich.console import Console

    from refdot.regexes import PatternError, check_pattern, judge
    from refdot.situations import DEFAULT
    from refdot.tables import print_lines, verdict_lines

    try:
        check_pattern(arguments.pattern)
    except PatternError as error:
        raise UsageError(str(error)) from None
    situations = situations_named(arguments.situation) or DEFAULT
    console = Console()
    found = surveyed(arguments, (), console)
    verdict = judge(arguments.pattern, found, situations, arguments.type)
    suggested = verdict.suggestion and judge(verdict.suggestion, found, situations, arguments.type)
    print_lines(verdict_lines(verdict, suggested or None, found), console)
    return 0 if verdict.is_right else 1


def situations_named(patterns: Sequence[str]) -> tuple[str, ...]:
    """Find situations by their names, in which `*` stands for anything."""
    from refdot.situations import SITUATIONS

    for pattern in patterns:
        if not filter_names(SITUATIONS, pattern):
            require([pattern], tuple(SITUATIONS), "--situation")
    return tuple(
        name for name in SITUATIONS if any(filter_names([name], pattern) for pattern in patterns)
    )


def surveyed(arguments: argparse.Namespace, situations: Sequence[str], console: Console) -> Survey:
    """Ask the target chosen for its messages, and show how far it has come."""
    from refdot.messages import survey

    target = chosen_target(arguments)
    with ProgressDisplay(console) as progress:
        return survey(
            target,
            situations=situations,
            backends=arguments.backend,
            lowerings=arguments.lowering,
            progress=progress,
        )


def write(text: str, path: Path, option: str) -> None:
    """Write a file that an option asks for."""
    with open_for(path, "w", option) as file:
        file.write(text)


def open_for(path: Path | str, mode: str, option: str) -> IO[str]:
    """Open a file that an option names."""
    try:
        return Path(path).open(mode, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{option} {path}: {error.strerror}") from None


def make_folder(folder: Path | None, option: str = "--report") -> None:
    """Make the folder that an option names, if it names one that is not there."""
    if folder is None:
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise UsageError(f"{option} {folder}: not a folder") from None
    except OSError as error:
        raise UsageError(f"{option} {folder}: {error.strerror}") from None


def run_explain(arguments: argparse.Namespace) -> int:
    """Do `refdot explain`."""
    texts = {
        "operands": arguments.operands,
        "--dim": arguments.dim or "",
        "--sizes": arguments.sizes,
    }
    try:
        x_dims, y_dims = parse_operands(arguments.operands)
        lowering = lower_dot(x_dims, y_dims, read_dim(arguments.dim))
        sizes = read_sizes(arguments.sizes, lowering)
    except DotError as error:
        raise UsageError(with_culprit_underlined(error, texts)) from None
    except ValueError as error:
        raise UsageError(str(error)) from None
    if arguments.svg is not None:
        try:
            arguments.svg.write_text(lowering.to_svg(sizes), encoding="utf-8")
        except OSError as error:
            raise UsageError(f"--svg {arguments.svg}: {error.strerror}") from None
    print(explain(lowering, sizes))
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
    return tuple(text.replace(",", " ").split())


def read_sizes(text: str, lowering: Lowering) -> dict[str, int]:
    """Read sizes from the shell; a dim of both operands that is given two has one in each."""
    sizes: dict[str, int] = {}
    for part in filter(None, text.split(",")):
        name, _, size = (piece.strip() for piece in part.partition("="))
        if not (name and size.isdecimal()):
            raise UsageError(f"--sizes takes name=size with commas between, not {part!r}")
        try:
            require([name], lowering.all_dims, "--sizes")
        except UsageError as error:
            raise UsageError(f"{error}\n{underlined('--sizes', text, name)}") from None
        if sizes.setdefault(name, int(size)) == int(size):
            continue
        if name in lowering.contracted + lowering.batch:
            raise SizeMismatchError(sizes, {name: int(size)})
        raise UsageError(
            f"--sizes gives {name} two sizes\n{underlined('--sizes', text, name, occurrence=1)}"
        )
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
            raise UsageError(
                f"{option} {name}: there is only {', '.join(accepted) or 'none'}{hint}"
            )


class ProgressDisplay:
    """Show progress: a bar on a terminal, a plain line now and then elsewhere."""

    def __init__(self, console: Console) -> None:
        from rich import progress

        self.tasks: dict[str, progress.TaskID] = {}
        self.told: dict[str, int] = {}
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
        fifth = 5 * done // total
        if self.bar.disable and fifth > self.told.get(stage, 0):
            self.told[stage] = fifth
            self.bar.console.print(f"{stage}: {done} of {total}", highlight=False)
        if stage not in self.tasks:
            self.tasks[stage] = self.bar.add_task(stage, total=total)
        self.bar.update(self.tasks[stage], completed=done)

    def __exit__(self, *_: object) -> None:
        self.bar.stop()
