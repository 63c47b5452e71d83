"""Reports on the terminal."""

from collections.abc import Iterable, Mapping, Sequence
from operator import itemgetter
from typing import TypeAlias

from rich.console import Console
from rich.table import Table
from rich.text import Text

from refdot.cases.case import DotCase
from refdot.check.categories import count_by_category
from refdot.check.findings import Coverage, Report
from refdot.check.plan import WHOLE
from refdot.reporting.not_tried import not_tried
from refdot.text import counted, printable, shortened

__all__ = [
    "StyledLines",
    "coverage_texts",
    "environment_text",
    "lost_text",
    "print_lines",
    "print_report",
    "print_shares",
    "print_statistics",
    "unsupported_lines",
]

StyledLines: TypeAlias = Iterable[tuple[str, str]]  # each line with its rich style


def print_lines(lines: StyledLines, console: Console) -> None:
    """Print lines unwrapped, without reading markup or control characters in them."""
    for line, style in lines:
        console.print(Text(printable(line), style=style), soft_wrap=True)


def print_report(report: Report, console: Console) -> None:
    """Print the findings, what was judged and a summary; on a terminal, a table comes first."""
    if report.findings and console.is_terminal:
        console.print(_table(report))
    print_lines(_report_lines(report), console)


def print_statistics(cases: Sequence[DotCase], console: Console) -> None:
    """Print the share of the cases in each category, the smallest first."""
    print_shares(count_by_category(cases), len(cases), "case", console)


def print_shares(counts: Mapping[str, int], total: int, noun: str, console: Console) -> None:
    """Print the share that each category is of a total, the smallest first."""
    shares = sorted(counts.items(), key=itemgetter(1))
    print_lines(((f"{n / total:6.1%}  {category}", "") for category, n in shares), console)
    print_lines([(f"of {counted(total, noun)}", "bold")], console)


def _table(report: Report) -> Table:
    table = Table(title="mismatches")
    for heading in ("", "rule", "kind", "stage", "cause", "backends", "lowerings", "count", ""):
        table.add_column(heading, justify="right" if heading in ("", "count") else "left")
    for number, finding in enumerate(report.findings, 1):
        mismatch = finding.mismatch
        signature = mismatch.rule, mismatch.kind, mismatch.stage, mismatch.detail
        configurations = ", ".join(finding.backends), ", ".join(finding.lowerings)
        verdict = str(finding.count), finding.known or "NEW"
        cells = (str(number), *signature, *configurations, *verdict)
        table.add_row(*(Text(printable(cell)) for cell in cells))
    return table


def _report_lines(report: Report) -> StyledLines:
    for number, finding in enumerate(report.findings, 1):
        mismatch = finding.mismatch
        times = "once" if finding.count == 1 else f"{finding.count} times"
        configurations = f"{', '.join(finding.backends)}; {', '.join(finding.lowerings)}"
        yield f"{number}. {mismatch.signature}", ""
        yield f"   {shortened(str(mismatch.case))}", ""
        yield f"   expected  {mismatch.expected}", ""
        yield f"   got       {shortened(mismatch.got)}", ""
        yield f"   seen {times} on {configurations}; {finding.known or 'NEW'}", ""
        yield "", ""
    target = f"{report.target} {report.target_version}".strip()
    yield (
        f"{target} on Python {report.python}: {counted(report.cases, 'case')} judged, "
        f"seed {report.seed}, backends {', '.join(report.backends)}, "
        f"lowerings {', '.join(report.lowerings)}, {report.seconds:.0f} s",
        "",
    )
    if report.shard != WHOLE:
        yield f"this is shard {report.shard}", ""
    for name, text in coverage_texts(report).items():
        yield f"backend {name}: {text}", ""
    for line in unsupported_lines(report.unsupported):
        yield line, ""
    if report.environment:
        yield f"environment: {environment_text(report.environment)}", ""
    if report.lost:
        yield f"LOST: {lost_text(report)}", ""
    if report.interrupted:
        yield "interrupted: the results are incomplete", ""
    yield _summary(report), "bold"
    if left_out := not_tried(report):
        yield left_out, ""


def _summary(report: Report) -> str:
    count = len(report.findings)
    known = sum(finding.known is not None for finding in report.findings)
    if not count:
        return "no mismatch"
    mismatches = "mismatch" if count == 1 else "mismatches"
    return f"{count} distinct {mismatches}: {count - known} new, {known} known"


def environment_text(environment: Mapping[str, str]) -> str:
    """Return an environment in one line."""
    return ", ".join(f"{name} {value}" for name, value in environment.items())


def lost_text(report: Report) -> str:
    """Return the number of cases that were given up, and why."""
    return f"{counted(report.lost, 'case')} in batches that crashed too many processes"


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
