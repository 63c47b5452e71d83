"""The files of a report."""

import json
from pathlib import Path

from refdot.check.findings import Report
from refdot.reporting.codec import report_to_json, reproducer_name
from refdot.reporting.html import report_html
from refdot.targets.protocol import Target

__all__ = ["write_report"]


def write_report(report: Report, target: Target, folder: Path, command: str = "") -> None:
    """Write `report.json`, `report.html` and the reproducer of each finding to a folder.

    Reproducers of an earlier run are removed from it. The page shows the command line.
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
    contents = scripts | {
        "report.json": json.dumps(report_to_json(report), indent=2, ensure_ascii=False) + "\n",
        "report.html": report_html(report, target, scripts, command),
    }
    for name, content in contents.items():
        # In JSON, a lone surrogate becomes the escape sequence that stands for it.
        (folder / name).write_text(content, encoding="utf-8", errors="backslashreplace")
