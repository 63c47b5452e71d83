"""Write the files of a report."""

from __future__ import annotations

import json
from pathlib import Path

from refdot.check.findings import Report
from refdot.reporting.codec import as_json, reproducer_name
from refdot.reporting.html import report_html
from refdot.targets.protocol import Target

__all__ = ["write_report"]


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
