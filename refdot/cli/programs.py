"""The command check with `--programs` or `--program`, and replay of a program."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from refdot.cli.arguments import UsageError
from refdot.cli.files import make_folder, usage_errors, write_text
from refdot.cli.progress import ProgressDisplay
from refdot.targets import Target
from refdot.text import counted

if TYPE_CHECKING:
    from refdot.programs.case import ProgramCase
    from refdot.pytensor.programs.findings import ProgramFinding
    from refdot.pytensor.target import PyTensorTarget

__all__ = [
    "has_programs",
    "is_program",
    "print_program_deviations",
    "print_program_statistics",
    "replay_program",
    "run_programs",
    "run_programs_of_profile",
]

# Options of check that only the campaign of dots has.
_OF_DOTS = ("cases", "exhaustive", "only", "hours", "database")
# Others compile each program for a second or more.
_BACKENDS = ("python",)
# The number of random programs in a profile.
_IN_PROFILE = {"quick": 6, "standard": 60, "deep": 600}


def run_programs(arguments: argparse.Namespace, target: Target) -> int:
    """Judge random and named programs, and print what is wrong with them."""
    for name in _OF_DOTS:
        if getattr(arguments, name):
            raise UsageError(f"--{name} is not for programs")
    return _judge(arguments, _pytensor(target), _cases(arguments))


def has_programs(arguments: argparse.Namespace, target: Target) -> bool:
    """Whether a check of dots judges programs as well: a whole profile of PyTensor on python."""
    return (
        target.name == "pytensor"
        and not any(getattr(arguments, name) for name in (*_OF_DOTS, "shard"))
        and (not arguments.backend or "python" in arguments.backend)
    )


def run_programs_of_profile(arguments: argparse.Namespace, target: Target) -> int:
    """Judge the programs of a profile, on the backend python."""
    from refdot.programs.random_programs import program_at
    from refdot.programs.smoke import smoke_programs

    count = _IN_PROFILE[arguments.profile]
    cases = [*smoke_programs(), *(program_at(arguments.seed, index) for index in range(count))]
    arguments = argparse.Namespace(**vars(arguments) | {"backend": ["python"]})
    return _judge(arguments, _pytensor(target), cases)


def _judge(
    arguments: argparse.Namespace, target: PyTensorTarget, cases: Sequence[ProgramCase]
) -> int:
    from rich.console import Console

    from refdot.check.pool import WorkerPool
    from refdot.pytensor.programs.campaign import check_programs

    if arguments.shard:
        cases = cases[arguments.shard.number - 1 :: arguments.shard.of]
    make_folder(arguments.report)
    with (
        ProgressDisplay(Console()) as progress,
        WorkerPool(arguments.jobs) if arguments.jobs else nullcontext() as executor,
    ):
        findings = check_programs(
            target,
            cases,
            arguments.backend or _BACKENDS,
            arguments.lowering or target.default_lowerings,
            progress,
            executor,
        )
    for number, finding in enumerate(findings, 1):
        print(f"{number}. {_described(finding)}\n")
    if arguments.report is not None:
        _write_report(findings, arguments.report)
    new = sum(finding.known is None for finding in findings)
    known = len(findings) - new
    print(f"{counted(len(cases), 'program')}: {new} new and {known} known kinds of mismatch")
    return 1 if new or (arguments.strict and known) else 0


def print_program_deviations(target: Target) -> None:
    """Print the known deviations that only programs show, in Markdown."""
    from refdot.pytensor.programs.deviations import PROGRAM_DEVIATIONS

    of_dots = {deviation.id for deviation in target.deviations}
    for deviation in PROGRAM_DEVIATIONS:
        if deviation.id not in of_dots:
            backends = f"on {', '.join(deviation.backends)}" if deviation.backends else ""
            kinds = f"{', '.join(deviation.kinds)} {backends}".strip()
            print(
                f"## {deviation.id}\n\n**{deviation.title}** In programs: {kinds}, "
                f"{target.name} {deviation.versions}.\n\n{deviation.cause}\n\n"
                f"```text\n{deviation.example}\n```\n"
            )


def print_program_statistics(seed: int, count: int) -> None:
    """Print the share of each category among random programs, the smallest first."""
    from rich.console import Console

    from refdot.programs.categories import count_programs_by_category
    from refdot.programs.random_programs import program_at
    from refdot.reporting.terminal import print_shares

    cases = [program_at(seed, index) for index in range(count)]
    print_shares(count_programs_by_category(cases), count, "program", Console())


def _pytensor(target: Target) -> PyTensorTarget:
    if target.name != "pytensor":
        raise UsageError(f"programs need the target pytensor, not {target.name}")
    from refdot.pytensor.target import PyTensorTarget

    assert isinstance(target, PyTensorTarget)
    return target


def _cases(arguments: argparse.Namespace) -> list[ProgramCase]:
    """Return the named programs, each with small and with large numbers, and the random ones.

    The smoke programs come before random ones.
    """
    from refdot.programs.case import ProgramCase
    from refdot.programs.named import named_program
    from refdot.programs.random_programs import program_at
    from refdot.programs.smoke import smoke_programs

    cases = []
    for text in arguments.program:
        with usage_errors(f"--program {text}"):
            program = named_program(text)
        cases += [ProgramCase(program, regime, gradient_order=1) for regime in ("unit", "large")]
    if arguments.programs:
        cases += smoke_programs()
    return cases + [program_at(arguments.seed, index) for index in range(arguments.programs or 0)]


def _described(finding: ProgramFinding) -> str:
    known = f"  [known: {finding.known}]" if finding.known else ""
    places = f"{', '.join(finding.backends)}; {', '.join(finding.lowerings)}"
    difference = finding.first.difference
    return "\n   ".join(
        [
            f"{finding.signature}{known}",
            f"{counted(finding.count, 'time')} on {places}",
            *str(finding.first.case).splitlines(),
            f"{difference.name}",
            f"  expected  {difference.expected}",
            f"  got       {difference.got}",
        ]
    )


def _write_report(findings: Sequence[ProgramFinding], folder: Path) -> None:
    """Write the findings as JSON, and a script for each; those of an earlier run are removed."""
    from refdot.pytensor.programs.reproducer import program_reproducer

    for stale in folder.glob("reproducer_program_*.py"):
        stale.unlink()
    for each in findings:
        write_text(folder / _script_name(each), program_reproducer(each.first), "--report")
    path = folder / "programs.json"
    write_text(path, json.dumps(_as_json(findings), indent=2) + "\n", "--report")
    print(f"report in {path}")


def _script_name(finding: ProgramFinding) -> str:
    from refdot.reporting.codec import script_name

    difference = finding.first.difference
    key = finding.signature + (finding.known or "")
    return script_name(f"program {difference.rule}", difference.kind, key)


def _as_json(findings: Sequence[ProgramFinding]) -> list[dict[str, object]]:
    from refdot.programs.codec import program_case_to_json

    return [
        {
            "signature": finding.signature,
            "known": finding.known,
            "count": finding.count,
            "backends": finding.backends,
            "lowerings": finding.lowerings,
            "name": finding.first.difference.name,
            "expected": finding.first.difference.expected,
            "got": finding.first.difference.got,
            "case": program_case_to_json(finding.first.case),
            "reproducer": _script_name(finding),
        }
        for finding in findings
    ]


def is_program(text: str) -> bool:
    """Whether a text is JSON of a program, not of a dot."""
    try:
        data = json.loads(text)
    except ValueError:
        return False
    return isinstance(data, dict) and "steps" in data


def replay_program(arguments: argparse.Namespace, target: Target, text: str) -> int:
    """Judge the program in a JSON file on each backend and lowering."""
    from refdot.programs.codec import program_case_from_json
    from refdot.pytensor.programs.judge import judge_program

    with usage_errors(arguments.case):
        case = program_case_from_json(text)
    pytensor = _pytensor(target)
    print(case)
    is_wrong = False
    for backend in arguments.backend or _BACKENDS:
        for lowering in arguments.lowering or target.default_lowerings:
            found = judge_program(pytensor, case, backend, lowering)
            is_wrong = is_wrong or bool(found)
            print(f"{target.name}, {backend}, {lowering}: {'wrong' if found else 'right'}")
            for difference in found:
                print(f"  {difference}")
    return 1 if is_wrong else 0
