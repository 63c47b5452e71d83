"""Kill checks at random moments, and look at what they leave.

`python tests/fuzz/killed_runs.py --runs 100` starts a check of a wrong function, with and without
worker processes, and sends it SIGTERM or SIGKILL at a random moment: one in five while it starts,
the others after its first report. It prints how many runs left a report, how many of these are
readable, and how many left processes or temporary folders behind.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from refdot.reporting.codec import report_from_json

ROOT = Path(__file__).parents[2]
MODULE = "import refdot\n\n\ndef dot(x, y, dim=None):\n    return refdot.dot(y, x, dim)\n"
MARK = "REFDOT_KILLED_RUN"
LONGEST = 6.0  # seconds until the signal
STARTS = 300.0  # seconds in which the first report is there, however busy the machine is
GRACE = 10.0  # seconds for the processes and folders of a run to disappear


class Run:
    """A check that runs in a folder of its own, with a temporary folder of its own."""

    def __init__(self, folder: Path, jobs: int) -> None:
        self.folder, self.mark = folder, f"{os.getpid()}-{folder.name}"
        (folder / "wrong_dot.py").write_text(MODULE)
        (folder / "tmp").mkdir()
        command = [sys.executable, "-m", "refdot", "check", "wrong_dot:dot", "--effort", "deep"]
        command += ["--report", "report", *(["--jobs", str(jobs)] if jobs else [])]
        paths = {"PYTHONPATH": str(ROOT), "TMPDIR": str(folder / "tmp")}
        self.process = subprocess.Popen(
            command,
            cwd=folder,
            env=os.environ | paths | {MARK: self.mark},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )

    def wait_for_report(self) -> None:
        end = time.monotonic() + STARTS
        while not (self.folder / "report" / "report.json").exists() and time.monotonic() < end:
            time.sleep(0.05)

    def kill(self, number: int) -> None:
        """Send a signal, and wait until the process has ended."""
        self.process.send_signal(number)
        self.process.communicate(timeout=STARTS)

    def report(self) -> str:
        """Return what the report is: absent, interrupted, complete or the error of reading it."""
        path = self.folder / "report" / "report.json"
        if not path.exists():
            return "no report"
        try:
            report = report_from_json(json.loads(path.read_text("utf-8")))
            page = (path.parent / "report.html").read_text("utf-8")
            for script in path.parent.glob("*.py"):
                compile(script.read_bytes(), script, "exec")
        except (ValueError, OSError, SyntaxError) as error:
            return f"unreadable: {error}"
        if not page.rstrip().endswith("</html>"):
            return "a page that is cut"
        return f"{'interrupted' if report.interrupted else 'complete'}, readable"

    def left(self) -> list[str]:
        """Return the processes and the folders that are still there after a while."""
        end = time.monotonic() + GRACE
        while (found := [*self._processes(), *self._folders()]) and time.monotonic() < end:
            time.sleep(0.1)
        return found

    def _folders(self) -> list[str]:
        found = [*(self.folder / "tmp").glob("refdot-*"), *self.folder.glob("report/.refdot-*")]
        return [path.name for path in found]

    def _processes(self) -> list[str]:
        found = []
        for path in Path("/proc").glob("[0-9]*"):
            try:
                if f"{MARK}={self.mark}\0".encode() in (path / "environ").read_bytes():
                    found.append(f"process {path.name}")
            except OSError:  # it has ended
                continue
        return found


def killed(seed: int) -> tuple[str, str, str]:
    """Run a check and kill it; return the signal, what the report is, and what else is left."""
    chosen = random.Random(seed)
    number = chosen.choice([signal.SIGTERM, signal.SIGKILL])
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        run = Run(Path(folder), jobs=chosen.choice([0, 2]))
        if chosen.random() < 0.8:
            run.wait_for_report()
        time.sleep(chosen.uniform(0, LONGEST))
        run.kill(number)
        left = ", ".join(run.left()) or "nothing else"
        return number.name, run.report(), left


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    counts = Counter(killed(options.seed + number) for number in range(options.runs))
    for (name, report, left), count in sorted(counts.items()):
        print(f"{count:4} {name}: {report}; left behind: {left}")
