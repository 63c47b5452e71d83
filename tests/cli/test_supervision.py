"""Commands whose process a target ends: each has a clear line, and an exit code that is not 0."""

import sys

import pytest
from processes import run_python

from refdot.cli.supervision import _options_for_worker, _with_options

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the command is not in a copy")

# `from os import` keeps what a check cannot replace.
DIES = """
import os
import signal
from os import _exit

import refdot


def ends_with(act):
    def dot(x, y, dim=None):
        if x.dims == ("c", "a", "d"):
            act()
        return refdot.dot(x, y, dim)

    return dot


exits = ends_with(lambda: _exit(0))
is_killed = ends_with(lambda: os.kill(os.getpid(), signal.SIGKILL))
"""
CASE = '{"x": {"dims": ["c", "a", "d"], "shape": [1, 1, 1]}, "y": {"dims": ["a"], "shape": [1]}}'
AGAIN = "starting again with --jobs 1\n"
DIED = "refdot: the target ended the process with "


def test_a_check_names_the_case_that_ends_its_process(folder):
    # A worker finds the target by its name.
    named = DIES + "\nexits.__name__ = exits.__qualname__ = 'exits'\n"
    (folder / "dies.py").write_text(named)
    command = ("-m", "refdot", "check", "dies:exits", "--quick", "--report", "report")
    ended = run_python(*command, folder=folder)
    assert ended.stderr == f"{DIED}exit code 0; {AGAIN}"
    assert "NEW: R6 rejected-valid at run: the process died\n   dot(float64(c: 2" in ended.stdout
    assert ended.returncode == 1
    assert (folder / "report" / "report.json").exists()


def test_a_command_without_workers_says_how_its_process_ended(folder):
    (folder / "dies.py").write_text(DIES)
    (folder / "dies.json").write_text(CASE)
    ended = run_python("-m", "refdot", "replay", "dies.json", "dies:is_killed", folder=folder)
    assert (ended.returncode, ended.stderr) == (3, f"{DIED}SIGKILL\n")


def test_a_target_that_ends_the_process_when_it_is_imported_is_tried_twice(folder):
    (folder / "dies.py").write_text("from os import _exit\n\n_exit(0)\n")
    ended = run_python("-m", "refdot", "check", "dies:dot", "--quick", folder=folder)
    assert ended.stderr == f"{DIED}exit code 0; {AGAIN}{DIED}exit code 0\n"
    assert (ended.returncode, ended.stdout) == (3, "")


THREAD = """
import threading
import time

from refdot import dot

threading.Thread(target=time.sleep, args=(3600,)).start()
"""


def test_a_thread_that_the_target_leaves_does_not_keep_the_process(folder):
    (folder / "leaves_a_thread.py").write_text(THREAD)
    command = ("-m", "refdot", "check", "leaves_a_thread:dot", "--quick", "-q")
    ended = run_python(*command, folder=folder)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.startswith("no mismatch\n")


def test_the_second_check_has_the_time_that_is_left(monkeypatch):
    monkeypatch.setattr("time.monotonic", lambda: 1800.0)
    assert _options_for_worker(["check", "--hours", "2"], 0.0) == [
        "--jobs",
        "1",
        "--hours",
        "1.5000",
    ]
    assert _options_for_worker(["check", "--hours", "0.1"], 0.0)[-1] == "0.0001"
    assert _options_for_worker(["check"], 0.0) == ["--jobs", "1"]
    assert _options_for_worker(["check", "--jobs", "2"], 0.0) == []
    assert _options_for_worker(["replay", "case.json"], 0.0) == []


def test_more_options_come_before_the_end_of_options():
    assert _with_options(["check", "m:f"], ["--jobs", "1"]) == ["check", "m:f", "--jobs", "1"]
    assert _with_options(["check", "--", "m:f"], ["--jobs", "1"])[1:3] == ["--jobs", "1"]
