"""Writes what a campaign found: as JSON, as a table, as a page, and as scripts."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import asdict, fields
from hashlib import sha256
from operator import itemgetter
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from refdot import __version__
from refdot.batches import WHOLE, Configuration, Profile, Shard
from refdot.case import DotCase
from refdot.check import Coverage, Finding, Report
from refdot.compare import compare
from refdot.explanation import counted
from refdot.page import covered, limit_lines, report_html
from refdot.regions import counts
from refdot.targets import Deviation, Mismatch, Target, deviation_of

__all__ = [
    "as_json",
    "deviation_text",
    "from_json",
    "print_report",
    "print_statistics",
    "write_report",
]


# The fields of a report that are in its JSON as they are.
AS_THEY_ARE = (
    "target",
    "target_version",
    "python",
    "seed",
    "cases",
    "skipped",
    "lost",
    "absent_backends",
    "limits",
    "seconds",
    "interrupted",
)


def as_json(report: Report) -> dict[str, Any]:
    """Give a report as what `json` can write; DESIGN and README list the fields."""
    return {
        "refdot": __version__,
        "target": report.target,
        "target_version": report.target_version,
        "python": report.python,
        "seed": report.seed,
        "profile": asdict(report.profile),
        "only": list(report.only),
        "shard": str(report.shard),
        "cases": report.cases,
        "skipped": report.skipped,
        "lost": report.lost,
        "backends": list(report.backends),
        "lowerings": list(report.lowerings),
        "absent_backends": report.absent_backends,
        "limits": report.limits,
        "coverage": {name: coverage_as_json(of) for name, of in report.coverage.items()},
        "seconds": round(report.seconds, 3),
        "interrupted": report.interrupted,
        "mismatches": [finding_as_json(finding) for finding in report.findings],
    }


def coverage_as_json(coverage: Coverage) -> dict[str, Any]:
    """Give what a backend judged as what `json` can write."""
    return {
        "cases": coverage.cases,
        "thorough": coverage.thorough,
        "ranks": [
            {"rank": rank, "patterns": judged, "of": there_are}
            for rank, (judged, there_are) in enumerate(coverage.patterns)
        ],
    }


def finding_as_json(finding: Finding) -> dict[str, Any]:
    """Give one finding as what `json` can write."""
    mismatch = finding.mismatch
    return {
        "signature": mismatch.signature,
        "rule": mismatch.rule,
        "kind": mismatch.kind,
        "stage": mismatch.stage,
        "detail": mismatch.detail,
        "backends": finding.backends,
        "lowerings": finding.lowerings,
        "count": finding.count,
        "known": finding.known,
        "configuration": asdict(finding.configuration),
        "case": mismatch.case.to_json(),
        "expected": mismatch.expected,
        "got": mismatch.got,
        "earliest_stage": mismatch.earliest_stage,
        "draw": mismatch.draw,
        "order": mismatch.order,
        "operand": mismatch.operand,
        "reproducer": reproducer_name(finding),
    }


def from_json(data: Any) -> Report:
    """Read a report from what `as_json` gave.

    Raises
    ------
    ValueError
        The data do not describe a report, or one of another version of refdot.
    """
    if not isinstance(data, dict) or "refdot" not in data:
        raise ValueError("not written by refdot check")
    if data["refdot"] != __version__:
        raise ValueError(f"written by refdot {data['refdot']}, and this is {__version__}")
    try:
        return Report(
            **{key: data[key] for key in AS_THEY_ARE},
            backends=tuple(data["backends"]),
            lowerings=tuple(data["lowerings"]),
            only=tuple(data["only"]),
            profile=Profile(**data["profile"]),
            shard=Shard(*map(int, data["shard"].split("/"))),
            coverage={name: coverage_from_json(of) for name, of in data["coverage"].items()},
            findings=[finding_from_json(found) for found in data["mismatches"]],
        )
    except KeyError as error:
        raise ValueError(f"not written by refdot check: it lacks {error}") from None
    except (TypeError, AttributeError) as error:
        raise ValueError(f"not written by refdot check: {error}") from None


def coverage_from_json(data: dict[str, Any]) -> Coverage:
    """Read what a backend judged from what `coverage_as_json` gave."""
    patterns = [(row["patterns"], row["of"]) for row in data["ranks"]]
    return Coverage(data["cases"], patterns, data["thorough"])


def finding_from_json(data: dict[str, Any]) -> Finding:
    """Read one finding from what `finding_as_json` gave."""
    names = {each.name for each in fields(Mismatch)} - {"case"}
    mismatch = Mismatch(
        **{name: data[name] for name in names}, case=DotCase.from_json(data["case"])
    )
    configuration = Configuration(**data["configuration"])
    parts = ("backends", "lowerings", "count", "known")
    return Finding(mismatch, configuration, **{name: data[name] for name in parts})


def reproducer_name(finding: Finding) -> str:
    """Name a finding's script: readable, and distinct for each signature.

    The name holds the rule, the kind, and a few digits of the signature's hash.
    """
    mismatch = finding.mismatch
    key = mismatch.signature + (finding.known or "")
    digest = sha256(key.encode()).hexdigest()[:6]
    words = re.sub(r"\W+", "_", f"{mismatch.rule} {mismatch.kind} {digest}".lower())
    return f"reproducer_{words}.py"


def write_report(report: Report, target: Target, folder: Path, command: str = "") -> None:
    """Write `report.json`, `report.html`, and the reproducer of each finding, into a folder.

    Reproducers that an earlier run left there are removed: they are not of this report.

    Parameters
    ----------
    report : Report
    target : Target
    folder : Path
    command : str, optional
        The command line that makes the report again, for the page to show.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for stale in folder.glob("reproducer_*.py"):
        stale.unlink()
    scripts = {
        reproducer_name(finding): target.reproducer(
            finding.mismatch, finding.configuration.backend, finding.configuration.lowering
        )
        for finding in report.findings
    }
    text = json.dumps(as_json(report), indent=2, ensure_ascii=False) + "\n"
    page = report_html(report, target, scripts, command)
    written = scripts | {"report.json": text, "report.html": page}
    for name, content in written.items():
        (folder / name).write_text(content, encoding="utf-8")


def print_report(report: Report, console: Console) -> None:
    """Print what was judged and, on a terminal as a table, what is wrong."""
    if report.findings and console.is_terminal:
        console.print(table(report))
    for number, finding in enumerate(report.findings, 1):
        print_finding(number, finding, console)
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
    for line in limit_lines(report.limits):
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
    console.print(summary(report), style="bold", highlight=False)


def summary(report: Report) -> str:
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


def table(report: Report) -> Table:
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


def print_finding(number: int, finding: Finding, console: Console) -> None:
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


def shortened(text: str, limit: int = 300) -> str:
    """Cut the middle out of a long line."""
    return text if len(text) <= limit else f"{text[: limit - 60]} … {text[-50:]}"


def deviation_text(deviation: Deviation, target: Target) -> str:
    """Write a known deviation as an issue for the target's tracker, in Markdown.

    Its witness is run, and shown with what is expected and what the target gives, and as a
    script; or, where none of its backends can run, the witness alone.
    """
    where = f"on {', '.join(deviation.backends)}" if deviation.backends else "on every backend"
    breaks = f"Breaks {', '.join(deviation.rules)} ({', '.join(deviation.kinds)}) {where}"
    record = f"In the tracker: <{deviation.upstream}>" if deviation.upstream else ""
    lines = [str(deviation.witness)]
    script = ""
    if witnessed := shown_by_witness(deviation, target):
        mismatch, backend, lowering = witnessed
        lines += [f"expected  {mismatch.expected}", f"got       {mismatch.got}"]
        script = target.reproducer(mismatch, backend, lowering)
    parts = [
        f"## {deviation.id}",
        f"**{deviation.title}** {breaks}, {target.name} {deviation.versions}.",
        deviation.cause,
        record,
        fenced("\n".join(lines), "text"),
        script
        and f"<details><summary>Script</summary>\n\n{fenced(script, 'python')}\n\n</details>",
    ]
    return "\n\n".join(filter(None, parts)) + "\n"


def shown_by_witness(deviation: Deviation, target: Target) -> tuple[Mismatch, str, str] | None:
    """Run a deviation's witness; give what shows it, and the backend and lowering that do."""
    there = [backend.name for backend in target.backends() if not backend.absent]
    backend = next((name for name in deviation.backends or there if name in there), None)
    if backend is None:
        return None
    for lowering in target.default_lowerings:
        outcome = target.run(deviation.witness, backend, lowering)
        for mismatch in compare(deviation.witness, outcome, target):
            if deviation_of(target, mismatch, outcome, backend) is deviation:
                return mismatch, backend, lowering
    return None


def print_statistics(cases: Sequence[DotCase], console: Console) -> None:
    """Print which share of the cases is of which kind, the rarest kinds first."""
    found = counts(cases)
    for region, count in sorted(found.items(), key=itemgetter(1)):
        console.print(f"{count / len(cases):6.1%}  {region}", highlight=False)
    console.print(f"of {counted(len(cases), 'case')}", style="bold", highlight=False)


def fenced(text: str, language: str) -> str:
    """Write a block of code in Markdown."""
    return f"```{language}\n{text.rstrip()}\n```"
