"""What each command does with its arguments.

Each imports what it needs by itself, so that the others start fast and need no more than they use.
"""

from __future__ import annotations

import argparse
import gc
import json
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace
from fnmatch import filter as filter_names
from importlib.util import find_spec
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from refdot.arguments import UsageError, read_dim, read_sizes, require
from refdot.errors import DotError
from refdot.explanation import explain, parse_operands, with_culprit_underlined
from refdot.lowering import lower_dot
from refdot.progress import ProgressDisplay

if TYPE_CHECKING:
    from rich.console import Console

    from refdot.batches import Profile
    from refdot.check import Report
    from refdot.messages import Survey
    from refdot.targets import Target

__all__ = [
    "INTERRUPTED",
    "run_check",
    "run_compile_time",
    "run_errors",
    "run_explain",
    "run_merge",
    "run_regex",
    "run_replay",
]

INTERRUPTED = 130


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
        # Backends to which graphs are dear get a part of them, as they do in `standard`.
        sample = max(profile.sample or 0, arguments.cases // 50)
        profile = replace(profile, cases=arguments.cases, exhaustive=None, sample=sample)
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
