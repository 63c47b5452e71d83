"""The end of the output: a reader that takes only the first lines, as head does."""

import os
import subprocess
import sys

import pytest
from processes import HANGS, ROOT

from refdot.cli import OUTPUT_CLOSED

# Each: a command, and its exit code. argparse prints the help, and passes over errors.
COMMANDS = {
    "a text": (["explain", "a b, b c"], OUTPUT_CLOSED),
    "the help": (["check", "--help"], 0),
    "lines with styles": (["errors", "xarray", "--situation", "batch-static"], OUTPUT_CLOSED),
}


@pytest.mark.parametrize(("command", "code"), COMMANDS.values(), ids=COMMANDS)
def test_no_traceback_if_nobody_reads_the_output(command, code):
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as closed:
        ended = subprocess.run(
            [sys.executable, "-m", "refdot", *command],
            stdout=closed,
            stderr=subprocess.PIPE,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            timeout=HANGS,
            check=False,
        )
    assert (ended.returncode, ended.stderr) == (code, b"")
