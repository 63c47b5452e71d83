"""The files of a report."""

import json
from pathlib import Path

from refdot.check.baseline import Comparison
from refdot.check.findings import Finding, Report
from refdot.programs.findings import ProgramFinding
from refdot.reporting.codec import report_to_json
from refdot.reporting.entries import entry_of
from refdot.reporting.html import report_html
from refdot.reporting.names import is_script_name
from refdot.reporting.writing import write_files
from refdot.targets.protocol import ProgramTarget, Target
from refdot.text import json_text

__all__ = ["write_report"]


def write_report(
    report: Report,
    target: Target,
    folder: Path,
    command: str = "",
    comparison: Comparison | None = None,
) -> None:
    """Write `report.json`, `report.html` and the reproducer of each finding to a folder.

    Reproducers of the report that was there are removed. The page shows the command line.
    """
    folder.mkdir(parents=True, exist_ok=True)
    earlier = _scripts_of_report(folder / "report.json")
    scripts = {
        entry_of(finding).script: _script(target, finding) for finding in report.all_findings
    }
    contents = scripts | {
        "report.json": json_text(report_to_json(report)),
        "report.html": report_html(report, target, scripts, command, comparison),
    }
    write_files(folder, contents)
    for name in earlier - scripts.keys():
        if not (folder / name).is_symlink():
            (folder / name).unlink(missing_ok=True)


def _scripts_of_report(path: Path) -> set[str]:
    """Return the names of the scripts that were written with a report."""
    try:
        data = json.loads(path.read_text("utf-8"))
        entries = [*data["mismatches"], *data["program_mismatches"]]
        names = {str(entry["reproducer"]) for entry in entries}
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return set()
    return set(filter(is_script_name, names))


def _script(target: Target, finding: Finding | ProgramFinding) -> str:
    if isinstance(finding, ProgramFinding):
        assert isinstance(target, ProgramTarget)
        return target.program_reproducer(finding)
    where = finding.configuration
    return target.reproducer(finding.mismatch, where.backend, where.lowering)
