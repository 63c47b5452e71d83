"""Reports on the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from operator import itemgetter

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from refdot.cases.case import DotCase
from refdot.check.categories import count_by_category
from refdot.check.findings import Coverage, Finding, Report
from refdot.check.plan import WHOLE
from refdot.text import counted, shortened

__all__ = ["coverage_texts", "print_report", "print_statistics", "unsupported_lines"]


def print_report(report: Report, console: Console) -> None:
    """Print the findings, what was judged and a summary; on a terminal, a table comes first."""
    if report.findings and console.is_terminal:
        console.print(_table(report))
    for number, finding in enumerate(report.findings, 1):
        _print_lines(_finding_lines(number, finding), console)
    _print_lines(_run_lines(report), console)
    console.print(_summary(report), style="bold", highlight=False)


def _print_lines(lines: Sequence[str], console: Console) -> None:
    for line in lines:
        console.print(escape(line), highlight=False, soft_wrap=True)


def _table(report: Report) -> Table:
    table = Table(title="mismatches")
    for heading in ("", "rule", "kind", "stage", "cause", "backends", "lowerings", "count", ""):
        table.add_column(heading, justify="right" if heading in ("", "count") else "left")
    for number, finding in enumerate(report.findings, 1):
        mismatch = finding.mismatch
        signature = mismatch.rule, mismatch.kind, mismatch.stage, escape(mismatch.detail)
        configurations = ", ".join(finding.backends), ", ".join(finding.lowerings)
        verdict = str(finding.count), finding.known or "NEW"
        table.add_row(str(number), *signature, *configurations, *verdict)
    return table


def _finding_lines(number: int, finding: Finding) -> list[str]:
    mismatch = finding.mismatch
    configurations = f"{', '.join(finding.backends)}; {', '.join(finding.lowerings)}"
    times = "once" if finding.count == 1 else f"{finding.count} times"
    return [
        f"{number}. {mismatch.signature}",
        f"   {shortened(str(mismatch.case))}",
        f"   expected  {mismatch.expected}",
        f"   got       {shortened(mismatch.got)}",
        f"   seen {times} on {configurations}; {finding.known or 'NEW'}",
        "",
    ]


def _run_lines(report: Report) -> list[str]:
    target = f"{report.target} {report.target_version}".strip()
    lines = [
        f"{target} on Python {report.python}: {counted(report.cases, 'case')} judged, "
        f"seed {report.seed}, backends {', '.join(report.backends)}, "
        f"lowerings {', '.join(report.lowerings)}, {report.seconds:.0f} s"
    ]
    if report.shard != WHOLE:
        lines.append(f"this is shard {report.shard}")
    lines += [f"backend {name}: {text}" for name, text in coverage_texts(report).items()]
    lines += unsupported_lines(report.unsupported)
    lines += [f"backend {name} is absent: {why}" for name, why in report.absent_backends.items()]
    if report.lost:
        lines.append(
            f"LOST: {counted(report.lost, 'case')} in batches that crashed too many processes"
        )
    if report.interrupted:
        lines.append("interrupted: the results are incomplete")
    return lines


def _summary(report: Report) -> str:
    count = len(report.findings)
    known = sum(finding.known is not None for finding in report.findings)
    if not count:
        return "no mismatch"
    mismatches = "mismatch" if count == 1 else "mismatches"
    return f"{count} distinct {mismatches}: {count - known} new, {known} known"


def coverage_texts(report: Report) -> dict[str, str]:
    """Return for each backend the number of cases that it ran, and of dim patterns."""
    partial = "interrupted" if report.interrupted else "sample"
    if report.shard != WHOLE:
        partial = "shard"
    return {name: _coverage_text(each, partial) for name, each in report.coverage.items()}


def _coverage_text(coverage: Coverage, partial: str) -> str:
    """Return the coverage of one backend, and why it is partial if it is.

    Examples
    --------
    >>> _coverage_text(Coverage(90, [(1, 1), (10, 10)]), "sample")
    '90 cases, every dim pattern up to rank 1'
    >>> _coverage_text(Coverage(20, [(1, 1), (3, 10)]), "sample")
    '20 cases, 4 of 11 dim patterns (sample)'
    """
    cases = counted(coverage.cases, "case")
    if not coverage.patterns:
        return cases
    remarks = ["thorough"] if coverage.thorough else []
    judged, total = map(sum, zip(*coverage.patterns, strict=True))
    if judged == total:
        text = f"{cases}, every dim pattern up to rank {len(coverage.patterns) - 1}"
    else:
        text = f"{cases}, {judged} of {counted(total, 'dim pattern')}"
        remarks.insert(0, partial)
    return f"{text} ({', '.join(remarks)})" if remarks else text


def unsupported_lines(unsupported: dict[str, dict[str, int]]) -> list[str]:
    """Return one line for each limit, with the number of cases that it excluded.

    Examples
    --------
    >>> unsupported_lines({"c": {"no float16": 3}, "jax": {"no float16": 3, "no int64": 1}})
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


def print_statistics(cases: Sequence[DotCase], console: Console) -> None:
    """Print the share of the cases in each category, the smallest first."""
    for category, count in sorted(count_by_category(cases).items(), key=itemgetter(1)):
        console.print(f"{count / len(cases):6.1%}  {category}", highlight=False)
    console.print(f"of {counted(len(cases), 'case')}", style="bold", highlight=False)
