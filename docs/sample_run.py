"""Write the sample run of README.md from a report.

    python docs/sample_run.py REPORT.json

REPORT.json is the `report.json` of `refdot check --report DIR` without other options.
"""

from __future__ import annotations

import json
import re
import sys
from io import StringIO
from pathlib import Path

from rich.console import Console

from refdot.reporting.codec import report_from_json
from refdot.reporting.terminal import print_report

README = Path(__file__).parent.parent / "README.md"
BLOCK = re.compile(r"(<!-- written by docs/sample_run\.py -->\n).*?(<!-- end -->\n)", re.DOTALL)
# One finding of each kind that a reader should know.
SHOWN = (
    "static-one-broadcasts",
    "summed-alone-first",
    "integers-as-floats-in-numba",
    "known-length-forgotten",
)
LINE_LENGTH = 98


def sample_run(report_text: str) -> str:
    """Return the printed report, reduced to the findings in `SHOWN` and the last lines."""
    console = Console(file=StringIO(), width=1000)
    print_report(report_from_json(json.loads(report_text)), console, verbosity=1)
    findings, _, summary = console.file.getvalue().rpartition("\n\n")
    parts = [
        next(text for text in findings.split("\n\n") if text.endswith(f"; {deviation}"))
        for deviation in SHOWN
    ]
    first, *rest = summary.splitlines()
    starts = ("backend python:", "backend numba:", "environment:")
    shown = [line for line in rest if line.startswith(starts)]
    lines = "\n\n".join([*parts, "\n".join([first, *shown, *rest[-2:]])]).splitlines()
    return "\n".join(
        line if len(line) <= LINE_LENGTH else line[: LINE_LENGTH - 2] + " …" for line in lines
    )


def main() -> None:
    """Replace the block in README.md."""
    shown = sample_run(Path(sys.argv[1]).read_text("utf-8"))
    text = README.read_text("utf-8")
    README.write_text(BLOCK.sub(lambda m: f"{m[1]}\n```\n{shown}\n```\n\n{m[2]}", text), "utf-8")


if __name__ == "__main__":
    main()
