"""The scripts of a report, which run."""

import json
import subprocess
import sys

import pytest
from reports import SMALL, WRONG_DIMS, WRONG_VALUE, report_of

from refdot import check
from refdot.reporting.codec import report_to_json
from refdot.reporting.files import write_report
from refdot.reporting.names import reproducer_name
from refdot.targets.mismatch import Mismatch
from refdot.targets.registry import find_target


def test_reproducer_names_are_unique():
    report = report_of(WRONG_DIMS, WRONG_VALUE)
    names = [reproducer_name(finding) for finding in report.findings]
    assert names[0].startswith("reproducer_r5_wrong_dims_")
    assert names[1].startswith("reproducer_r6_wrong_value_")
    assert len({*names}) == 2
    assert all(name.removesuffix(".py").isidentifier() for name in names)


def run(script, folder) -> subprocess.CompletedProcess:
    """Run a script in a process of its own."""
    return subprocess.run(
        [sys.executable, script], cwd=folder, capture_output=True, text=True, timeout=60
    )


def test_reproducer_exits_1_until_the_defect_is_fixed(module, tmp_path):
    target = find_target(module)
    report = check.run(target, cases=20, fixed=False)
    write_report(report, target, tmp_path / "report")
    data = json.loads((tmp_path / "report/report.json").read_text("utf-8"))
    assert data == report_to_json(report)
    (found,) = data["mismatches"]
    script = tmp_path / "report" / found["reproducer"]

    there = run(script, tmp_path)
    assert (there.returncode, there.stderr) == (1, "")
    assert there.stdout == f"{report.findings[0].mismatch}\n"

    (tmp_path / "planted_dot.py").write_text("from refdot import dot\n", encoding="utf-8")
    fixed = run(script, tmp_path)
    assert (fixed.returncode, fixed.stdout, fixed.stderr) == (0, "", "")


# A script quotes text of a mismatch, which can contain backslashes, quotes and braces.
AWKWARD = ["back\\slash \\n", '"""', "{braces}", "'''", "é → ñ", 'ends with "']


@pytest.mark.parametrize("text", AWKWARD)
def test_reproducer_runs_with_awkward_text(text, module, tmp_path):
    mismatch = Mismatch("R5", "wrong-dims", "run", text, text, text, SMALL)
    target = find_target(module)
    write_report(report_of(mismatch), target, tmp_path)
    script = next(tmp_path.glob("reproducer_*.py"))
    completed = run(script, tmp_path)
    assert (completed.returncode, completed.stderr) == (1, "")
