"""Checks that are ended from outside: what they leave is readable, and nothing else is left."""

import io
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest
from processes import HANGS, ROOT

from refdot.cli.interruption import signals_as_interrupt
from refdot.reporting.codec import report_from_json
from refdot.targets.interrupt import interrupts_held


def processes_with(text: str) -> list[str]:
    """Return the processes whose environment has a text."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            if text.encode() in (path / "environ").read_bytes():
                found.append(path.name)
        except OSError:  # it has ended, or is that of another user
            continue
    return found


def wait_for(condition) -> None:
    end = time.monotonic() + HANGS
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="needs /proc")
@pytest.mark.parametrize(
    ("number", "jobs"),
    [(signal.SIGTERM, ()), (signal.SIGKILL, ()), (signal.SIGKILL, ("--jobs", "1"))],
    ids=["SIGTERM", "SIGKILL", "SIGKILL of the process that has workers"],
)
def test_a_check_that_is_ended_leaves_a_readable_report_and_nothing_else(number, jobs, folder):
    temporary, report = folder / "temporary", folder / "report" / "report.json"
    temporary.mkdir()
    process = subprocess.Popen(
        [sys.executable, "-m", "refdot", "check", "wrong_dot:dot", "--report", "report", *jobs],
        env=os.environ | {"PYTHONPATH": str(ROOT), "TMPDIR": str(temporary)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    wait_for(lambda: report.exists() and "wrong-dims" in report.read_text("utf-8"))
    process.send_signal(number)
    out, err = process.communicate(timeout=HANGS)

    found = report_from_json(json.loads(report.read_text("utf-8")))
    assert found.interrupted
    assert [each.mismatch.kind for each in found.findings] == ["wrong-dims"]
    assert (report.parent / "report.html").exists()
    assert len([*report.parent.glob("reproducer_*.py")]) == 1
    assert err == ""
    if number == signal.SIGTERM:
        assert process.returncode == 1
        assert "\ninterrupted: the results are incomplete\n" in out
    wait_for(lambda: not processes_with(str(temporary)))
    assert [*temporary.iterdir()] == []


def test_a_signal_that_arrives_twice_is_one_interrupt(monkeypatch):
    now = iter([10.0, 10.5, 11.5])
    monkeypatch.setattr(time, "monotonic", lambda: next(now))
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    with signals_as_interrupt():
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


def test_an_interrupt_waits_for_code_that_would_lose_it():
    reached = []

    def presses_ctrl_c():
        with interrupts_held():
            signal.raise_signal(signal.SIGINT)
            reached.append("the end")
        reached.append("what follows")

    with signals_as_interrupt(), pytest.raises(KeyboardInterrupt):
        presses_ctrl_c()
    assert reached == ["the end"]


def test_an_interrupt_that_was_lost_is_raised_later_and_once():
    with signals_as_interrupt():
        with suppress(KeyboardInterrupt):
            signal.raise_signal(signal.SIGTERM)
        with pytest.raises(KeyboardInterrupt), interrupts_held():
            pass
    with interrupts_held():
        pass


def test_a_report_that_cannot_be_written_does_not_hide_the_results(folder, monkeypatch, capsys):
    from refdot.cli import main
    from refdot.reporting import files

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files, "write_files", full)
    command = ["check", "wrong_dot:dot", "--quick", "--report", "report"]
    assert main(command) == 2
    out, err = capsys.readouterr()
    assert "1 distinct mismatch: 1 new, 0 known\n" in out
    assert "report in" not in out
    assert err == "refdot: --report report: No space left on device\n"


CLOSES = """\
import sys

import refdot


def dot(x, y, dim=None):
    sys.stdout._stream.close()
    return refdot.dot(y, x, dim)
"""


def test_a_target_that_closes_the_output_gets_one_line_and_a_report(folder, monkeypatch, capsys):
    from refdot.cli import main

    (folder / "closes.py").write_text(CLOSES)
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    assert main(["check", "closes:dot", "--quick", "--report", "report"]) == 3
    sys.modules.pop("closes")
    message = "refdot: the output was closed, so the results are not shown\n"
    assert capsys.readouterr().err == message
    report = report_from_json(json.loads((folder / "report/report.json").read_text("utf-8")))
    assert [each.mismatch.kind for each in report.findings] == ["wrong-dims"]


MOVES = """\
import os

import refdot

os.chdir("/")


def dot(x, y, dim=None):
    os.chdir("/")
    return refdot.dot(x, y, dim)
"""


def test_a_target_that_changes_the_folder_does_not_move_the_report(folder, monkeypatch):
    from refdot.cli import main

    (folder / "moves.py").write_text(MOVES)
    monkeypatch.syspath_prepend(str(folder))
    assert main(["check", "moves:dot", "--quick", "--report", "report"]) == 0
    sys.modules.pop("moves")
    assert Path.cwd() == folder
    assert (folder / "report" / "report.json").exists()
