"""The files of a report."""

import json
from pathlib import Path

from refdot.check.baseline import Comparison
from refdot.check.findings import Finding, Report
from refdot.programs.findings import ProgramFinding
from refdot.reporting.codec import report_to_json
from refdot.reporting.entries import entry_of
from refdot.reporting.html import report_html
from refdot.targets.protocol import ProgramTarget, Target

__all__ = ["write_report"]


def write_report(
    report: Report,
    target: Target,
    folder: Path,
    command: str = "",
    comparison: Comparison | None = None,
) -> None:
    """Write `report.json`, `report.html` and the reproducer of each finding to a folder.

    Reproducers of an earlier run are removed from it. The page shows the command line.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for stale in folder.glob("reproducer_*.py"):
        stale.unlink()
    scripts = {
        entry_of(finding).script: _script(target, finding) for finding in report.all_findings
    }
    contents = scripts | {
        "report.json": json.dumps(report_to_json(report), indent=2, ensure_ascii=False) + "\n",
        "report.html": report_html(report, target, scripts, command, comparison),
    }
    for name, content in contents.items():
        # In JSON, a lone surrogate becomes the escape sequence that stands for it.
        (folder / name).write_text(content, encoding="utf-8", errors="backslashreplace")


def _script(target: Target, finding: Finding | ProgramFinding) -> str:
    if isinstance(finding, ProgramFinding):
        assert isinstance(target, ProgramTarget)
        return target.program_reproducer(finding)
    where = finding.configuration
    return target.reproducer(finding.mismatch, where.backend, where.lowering)
