"""A report on the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from operator import itemgetter

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from refdot.cases.case import DotCase
from refdot.check.categories import counts
from refdot.check.findings import Coverage, Finding, Report
from refdot.check.plan import WHOLE
from refdot.text import counted, shortened

__all__ = ["covered", "limit_lines", "print_report", "print_statistics"]


def print_report(report: Report, console: Console) -> None:
    """Print what was judged and, on a terminal as a table, what is wrong."""
    if report.findings and console.is_terminal:
        console.print(_table(report))
    for number, finding in enumerate(report.findings, 1):
        _print_finding(number, finding, console)
    version = f" {report.target_version}" if report.target_version else ""
    cases = counted(report.cases, "case")
    console.print(
        f"{report.target}{version} on Python {report.python}: {cases} judged, "
        f"seed {report.seed}, backends {', '.join(report.backends)}, "
        f"lowerings {', '.join(report.lowerings)}, {report.seconds:.0f} s",
        highlight=False,
        soft_wrap=True,
    )
    if report.shard != WHOLE:
        console.print(f"this is shard {report.shard}", highlight=False)
    for name, coverage in report.coverage.items():
        console.print(covered(name, coverage), highlight=False, soft_wrap=True)
    for line in limit_lines(report.unsupported):
        console.print(escape(line), highlight=False, soft_wrap=True)
    for name, reason in report.absent_backends.items():
        console.print(f"backend {name} is absent: {reason}", highlight=False)
    if report.lost:
        console.print(
            f"LOST: {counted(report.lost, 'case')} in batches with others that kill the process",
            highlight=False,
        )
    if report.interrupted:
        console.print("interrupted: this is what was found until then")
    console.print(_summary(report), style="bold", highlight=False)


def _summary(report: Report) -> str:
    """Say in one line how it went."""
    if not report.findings:
        return "no mismatch"
    new = sum(finding.known is None for finding in report.findings)
    known = len(report.findings) - new
    mismatches = (
        "1 distinct mismatch"
        if len(report.findings) == 1
        else (f"{len(report.findings)} distinct mismatches")
    )
    return f"{mismatches}: {new} new, {known} known"


def _table(report: Report) -> Table:
    """Give the overview: one row for each signature."""
    overview = Table(title="mismatches", show_lines=False, expand=False)
    for heading in ("", "rule", "kind", "stage", "cause", "backends", "lowerings", "count", ""):
        overview.add_column(heading, justify="right" if heading in ("", "count") else "left")
    for number, finding in enumerate(report.findings, 1):
        mismatch = finding.mismatch
        overview.add_row(
            str(number),
            mismatch.rule,
            mismatch.kind,
            mismatch.stage,
            escape(mismatch.detail),
            ", ".join(finding.backends),
            ", ".join(finding.lowerings),
            str(finding.count),
            finding.known or "NEW",
        )
    return overview


def _print_finding(number: int, finding: Finding, console: Console) -> None:
    """Print one finding: its signature, its smallest case, and what is expected."""
    mismatch = finding.mismatch
    where = f"{', '.join(finding.backends)}; {', '.join(finding.lowerings)}"
    seen = "once" if finding.count == 1 else f"{finding.count} times"
    lines = [
        f"{number}. {mismatch.signature}",
        f"   {shortened(str(mismatch.case))}",
        f"   expected  {mismatch.expected}",
        f"   got       {shortened(mismatch.got)}",
        f"   seen {seen} on {where}; {finding.known or 'NEW'}",
        "",
    ]
    for line in lines:
        console.print(escape(line), highlight=False, soft_wrap=True)


def print_statistics(cases: Sequence[DotCase], console: Console) -> None:
    """Print which share of the cases is of which kind, the rarest kinds first."""
    found = counts(cases)
    for region, count in sorted(found.items(), key=itemgetter(1)):
        console.print(f"{count / len(cases):6.1%}  {region}", highlight=False)
    console.print(f"of {counted(len(cases), 'case')}", style="bold", highlight=False)


def covered(backend: str, coverage: Coverage) -> str:
    """Say in one line what a backend judged.

    Examples
    --------
    >>> covered("python", Coverage(90, [(1, 1), (10, 10)]))
    'backend python: 90 cases, every pattern of dims up to rank 1'
    >>> covered("numba", Coverage(20, [(1, 1), (3, 10)]))
    'backend numba: 20 cases, of the patterns of dims 1 of 1 of rank 0, 3 of 10 of rank 1'
    """
    line = f"backend {backend}: {counted(coverage.cases, 'case')}"
    if not coverage.patterns:
        return line
    thoroughly = ", thoroughly" if coverage.thorough else ""
    if all(judged == there_are for judged, there_are in coverage.patterns):
        rank = len(coverage.patterns) - 1
        return f"{line}, every pattern of dims up to rank {rank}{thoroughly}"
    parts = ", ".join(
        f"{judged} of {there_are} of rank {rank}"
        for rank, (judged, there_are) in enumerate(coverage.patterns)
    )
    return f"{line}, of the patterns of dims {parts}{thoroughly}"


def limit_lines(unsupported: dict[str, dict[str, int]]) -> list[str]:
    """Say how many cases each limit kept away, and from which backends.

    Examples
    --------
    >>> limit_lines({"c": {"no float16": 3}, "jax": {"no float16": 3, "no int64": 1}})
    ['not judged on c, jax: 3 cases, no float16', 'not judged on jax: 1 case, no int64']
    """
    backends: dict[tuple[str, int], list[str]] = {}
    for backend, reasons in unsupported.items():
        for reason, count in reasons.items():
            backends.setdefault((reason, count), []).append(backend)
    return [
        f"not judged on {', '.join(names)}: {counted(count, 'case')}, {reason}"
        for (reason, count), names in backends.items()
    ]
