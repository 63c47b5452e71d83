"""Reports on the terminal."""

from collections.abc import Iterable, Iterator, Mapping
from operator import itemgetter
from pathlib import Path
from typing import TypeAlias

from rich.console import Console
from rich.text import Text

from refdot.check.baseline import STATES, Comparison, compare
from refdot.check.findings import Coverage, Report
from refdot.check.plan import WHOLE
from refdot.reporting.entries import Entry, entries_of
from refdot.reporting.not_tried import lost_text, not_tried
from refdot.text import counted, named, printable, shortened, wrapped

__all__ = [
    "StyledLines",
    "coverage_texts",
    "environment_text",
    "print_lines",
    "print_new",
    "print_report",
    "print_shares",
    "unsupported_lines",
    "verdict",
]

StyledLines: TypeAlias = Iterable[tuple[str, str]]  # each line with its rich style


def print_lines(lines: StyledLines, console: Console) -> None:
    """Print lines, without reading markup or control characters in them.

    A terminal gets them wrapped at spaces; a file or another program gets them whole.
    """
    for line, style in lines:
        text = printable(line)
        for part in wrapped(text, console.width) if console.is_terminal else [text]:
            console.print(Text(part, style=style), soft_wrap=True)


def print_new(entry: Entry, folder: Path | None, console: Console) -> None:
    """Print a new mismatch, and the path of its reproducer if there is one."""
    print_lines(_entry_lines(entry, f"NEW: {entry.signature}", "new"), console)
    if folder is not None:
        print_lines([(f"   reproducer {folder / entry.script}", "")], console)
    print_lines([("", "")], console)


def print_report(
    report: Report,
    console: Console,
    comparison: Comparison | None = None,
    *,
    verbosity: int = 0,
    new_is_printed: bool = False,
) -> None:
    """Print the mismatches, what was judged, and the verdict.

    Parameters
    ----------
    report : Report
    console : rich.console.Console
    comparison : Comparison, optional
        The states of the findings; by default, those that are not known are new.
    verbosity : int, optional
        -1 for the verdict alone; 1 for every mismatch, also those that are not new, and for the
        environment.
    new_is_printed : bool, optional
        Whether `print_new` has printed the new mismatches; then they take a line each.
    """
    comparison = comparison or compare(report)
    if verbosity >= 0:
        print_lines(_finding_lines(report, comparison, verbosity, new_is_printed), console)
        print_lines(_run_lines(report, verbosity), console)
    style = "bold red" if comparison.count("new") or report.lost else "bold green"
    print_lines([(verdict(report, comparison), style)], console)
    print_lines(((line, "") for line in _change_lines(report, comparison)), console)
    if left_out := not_tried(report):
        print_lines([(left_out, "")], console)


def print_shares(counts: Mapping[str, int], total: int, noun: str, console: Console) -> None:
    """Print the share that each category is of a total, the smallest first."""
    shares = sorted(counts.items(), key=itemgetter(1))
    print_lines(((f"{n / total:6.1%}  {category}", "") for category, n in shares), console)
    print_lines([(f"of {counted(total, noun)}", "bold")], console)


def _finding_lines(
    report: Report, comparison: Comparison, verbosity: int, new_is_printed: bool
) -> StyledLines:
    """Yield the new mismatches, and then the others: each known deviation on one line."""
    # The numbers are those of the report, which `refdot replay` takes.
    numbered = [
        (entry, number, comparison.states[entry.key])
        for number, entry in enumerate(entries_of(report), 1)
    ]
    others: dict[str, list[Entry]] = {}
    for entry, number, state in sorted(numbered, key=lambda each: STATES.index(each[2])):
        title = f"{number}. {entry.signature}"
        if state == "new":
            if new_is_printed:
                yield f"{title}, {entry.seen}; NEW", "red"
            else:
                yield from _entry_lines(entry, title, state)
                yield "", ""
        elif verbosity > 0:
            yield from _entry_lines(entry, title, state)
            yield "", ""
        else:
            others.setdefault(f"{state}: {entry.known or entry.signature}", []).append(entry)
    for label, same in others.items():
        times = counted(sum(each.count for each in same), "time")
        backends = [b for b in report.backends if any(b in each.backends for each in same)]
        where = f" on {', '.join(backends)}" if report.has_choice else ""
        yield f"{label}, {times}{where}", "dim"


def _entry_lines(entry: Entry, title: str, state: str) -> StyledLines:
    is_new = state == "new"
    yield title, "bold red" if is_new else ""
    for line in entry.case.splitlines():
        yield f"   {shortened(line)}", ""
    if entry.about:
        yield f"   {entry.about}", ""
    yield f"   expected  {shortened(entry.expected)}", ""
    yield f"   got       {shortened(entry.got)}", ""
    verdict = "NEW" if is_new else entry.known or state
    yield f"   seen {entry.seen}; {verdict}", "red" if is_new else ""


def _run_lines(report: Report, verbosity: int) -> StyledLines:
    target = f"{report.target} {report.target_version}".strip()
    programs = f" and {counted(report.programs, 'program')}" if report.programs else ""
    where = ""
    if report.has_choice:
        where = f"{named('backend', report.backends)}, {named('lowering', report.lowerings)}, "
    yield (
        f"{target} on Python {report.python}: {counted(report.cases, 'case')}{programs} judged, "
        f"seed {report.seed}, {where}{report.seconds:.0f} s",
        "",
    )
    if report.shard != WHOLE:
        yield f"this is shard {report.shard}", ""
    for name, text in coverage_texts(report).items():
        if report.stopped and not report.coverage[name].cases:
            continue
        yield f"backend {name}: {text}" if report.has_choice else f"judged: {text}", ""
    for line in unsupported_lines(report.unsupported, name_backends=report.has_choice):
        yield line, ""
    if report.environment and verbosity > 0:
        yield f"environment: {environment_text(report.environment)}", ""
    if report.lost:
        yield f"LOST: {lost_text(report)}", ""
    if report.interrupted:
        yield "interrupted: the results are incomplete", ""
    if report.stopped:
        yield "stopped by -x or --maxfail: the rest was not judged", ""


def verdict(report: Report, comparison: Comparison) -> str:
    """Return in one line how many mismatches there are in each state."""
    count = len(comparison.states)
    if not count:
        return "no mismatch"
    states = [
        f"{comparison.count(state)} {state}"
        for state in STATES
        if state in ("new", "known") or comparison.count(state)
    ]
    mismatches = "mismatch" if count == 1 else "mismatches"
    return f"{count} distinct {mismatches}: {', '.join(states)}"


def _change_lines(report: Report, comparison: Comparison) -> Iterator[str]:
    """Yield what is not there any more, and why the baseline may have judged other cases."""
    for name in report.gone:
        yield f"known, but not there any more: {name}"
    for signature in comparison.fixed:
        yield f"fixed: {signature}"
    for expectation in comparison.unseen:
        yield f"expected, but not seen: {expectation.name} ({expectation.reason})"
    if comparison.differences:
        options = "; ".join(comparison.differences)
        yield f"the baseline has other options, so that what is fixed may be missing: {options}"


def environment_text(environment: Mapping[str, str]) -> str:
    """Return an environment in one line."""
    return ", ".join(f"{name} {value}" for name, value in environment.items())


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
    >>> _coverage_text(Coverage(20, [(0, 1), (0, 10)]), "sample")
    '20 cases'
    """
    cases = counted(coverage.cases, "case")
    judged, total = map(sum, zip((0, 0), *coverage.patterns, strict=True))
    if not judged:
        return cases
    remarks = ["thorough"] if coverage.thorough else []
    if judged == total:
        text = f"{cases}, every dim pattern up to rank {len(coverage.patterns) - 1}"
    else:
        text = f"{cases}, {judged} of {counted(total, 'dim pattern')}"
        remarks.insert(0, partial)
    return f"{text} ({', '.join(remarks)})" if remarks else text


def unsupported_lines(
    unsupported: dict[str, dict[str, int]], *, name_backends: bool = True
) -> list[str]:
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
        f"not judged{where}: {counted(count, 'case')}, {reason}"
        for (reason, count), names in backends.items()
        for where in [f" on {', '.join(names)}" if name_backends else ""]
    ]
