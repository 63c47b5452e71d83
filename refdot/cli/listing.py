"""What `refdot check` lists instead of a check: known deviations, and shares of categories."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from refdot.cli.arguments import check_choices
from refdot.targets import ProgramTarget, Target

if TYPE_CHECKING:
    from refdot.programs.findings import ProgramDeviation

__all__ = ["list_deviations", "print_statistics"]

_ALL = ""  # the value of `--list` without an id


def list_deviations(target: Target, wanted: str) -> int:
    """Print each known deviation of a target on a line, or the whole text of one."""
    from rich.console import Console

    from refdot.reporting.deviations import (
        deviation_markdown,
        finding_of_example,
        program_deviation_markdown,
    )
    from refdot.reporting.terminal import print_lines

    of_dots = {deviation.id: deviation for deviation in target.deviations}
    of_programs = _of_programs(target)
    if wanted == _ALL and not (of_dots or of_programs):
        print(f"{target.name} has no known deviations")
        return 0
    if wanted == _ALL:
        titles = {name: each.title for name, each in of_programs.items()}
        titles |= {name: each.title for name, each in of_dots.items()}
        width = max(map(len, titles))
        lines = [(f"{name:{width}}  {titles[name]}", "") for name in sorted(titles)]
        print_lines(lines, Console())
        return 0
    check_choices("--list", [wanted], {**of_dots, **of_programs})
    if wanted in of_dots:
        print(deviation_markdown(of_dots[wanted], target))
    if wanted in of_programs and isinstance(target, ProgramTarget):
        deviation = of_programs[wanted]
        finding = finding_of_example(deviation, target)
        print(program_deviation_markdown(deviation, target, finding))
    return 0


def _of_programs(target: Target) -> dict[str, ProgramDeviation]:
    if not isinstance(target, ProgramTarget):
        return {}
    return {deviation.id: deviation for deviation in target.program_deviations}


def print_statistics(arguments: argparse.Namespace) -> int:
    """Print the share of each category among random cases, or among random programs."""
    from rich.console import Console

    from refdot.cases.random_cases import case_at
    from refdot.check.categories import count_by_category
    from refdot.programs.categories import count_programs_by_category
    from refdot.programs.random_programs import program_at
    from refdot.reporting.terminal import print_shares

    if total := arguments.programs:
        programs = [program_at(arguments.seed, index) for index in range(total)]
        print_shares(count_programs_by_category(programs), total, "program", Console())
        return 0
    total = arguments.cases or 1000
    cases = [case_at(arguments.seed, index) for index in range(total)]
    print_shares(count_by_category(cases), total, "case", Console())
    return 0
