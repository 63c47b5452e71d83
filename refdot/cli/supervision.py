"""The command line in a copy of this process, which sees how the copy ends."""

import ctypes
import mmap
import os
import signal
import sys
import threading
import time
import warnings
from collections.abc import Sequence
from contextlib import suppress
from threading import main_thread

from refdot.cli import FAILED, main
from refdot.cli.check import run_check
from refdot.cli.interruption import signals_as_interrupt
from refdot.cli.parser import parser

__all__ = ["supervised_main"]

# Elsewhere, what a process has loaded may not work in its copy.
_CAN_COPY = sys.platform == "linux"
_DEATH_OF_PARENT = 1  # PR_SET_PDEATHSIG of prctl: the signal that a process gets if its parent ends
_SHOW_CURSOR = "\x1b[?25h"  # a progress bar hides it


def supervised_main() -> int:
    """Run the command line on the arguments of this process, and return the exit code.

    On Linux it runs in a copy of this process. If a target ends the copy, a check runs again with
    a worker process: there, a case that ends its process is a mismatch. Other commands fail.
    """
    arguments, start = sys.argv[1:], time.monotonic()
    if not _CAN_COPY:
        return main(arguments)
    ended = _run_in_copy(arguments)
    if isinstance(ended, str) and (options := _options_for_worker(arguments, start)):
        _report(f"{ended}; starting again with {' '.join(options)}")
        ended = _run_in_copy(_with_options(arguments, options))
    if isinstance(ended, str):
        _report(ended)
        return FAILED
    return ended


def _report(ended: str) -> None:
    if sys.stdout.isatty():
        print(_SHOW_CURSOR)
    print(f"refdot: {ended}", file=sys.stderr)


def _options_for_worker(arguments: Sequence[str], start: float) -> list[str]:
    """Return the options with which a check has a worker, for the time that it has left."""
    parsed = parser().parse_args(arguments)
    if parsed.command is not run_check or parsed.jobs:
        return []
    if parsed.hours is None:
        return ["--jobs", "1"]
    left = max(parsed.hours - (time.monotonic() - start) / 3600, 1e-4)
    return ["--jobs", "1", "--hours", f"{left:.4f}"]


def _with_options(arguments: Sequence[str], options: Sequence[str]) -> list[str]:
    """Return arguments with more options: after the others, and before the end of options."""
    end = arguments.index("--") if "--" in arguments else len(arguments)
    return [*arguments[:end], *options, *arguments[end:]]


def _run_in_copy(arguments: Sequence[str]) -> int | str:
    """Run the command line in a copy of this process.

    Returns
    -------
    int or str
        The exit code, in both processes. If the copy ended too early: how, as a text.
    """
    parent = os.getpid()
    # Both processes see what the copy writes here, even if a target closes all files.
    told = mmap.mmap(-1, 1)
    sys.stdout.flush()
    with warnings.catch_warnings():
        # NumPy's BLAS has started threads. It starts them again in the copy.
        warnings.simplefilter("ignore", DeprecationWarning)
        copy = os.fork()
    if copy == 0:
        _end_with(parent)
        with signals_as_interrupt():
            exitcode = main(arguments)
        told[0] = 1 + exitcode
        _leave_threads(exitcode)
        return exitcode
    status = _wait(copy)
    return told[0] - 1 if told[0] else _ending(os.waitstatus_to_exitcode(status))


def _leave_threads(exitcode: int) -> None:
    """End this process if the target has left threads, for whose end Python would wait."""
    if any(not each.daemon for each in threading.enumerate() if each is not main_thread()):
        with suppress(ValueError, OSError):  # the target may have closed it
            sys.stdout.flush()
        os._exit(exitcode)


def _end_with(parent: int) -> None:
    """End this process at once when its parent ends, as if they were one."""
    ctypes.CDLL(None).prctl(_DEATH_OF_PARENT, signal.SIGKILL)
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)


def _wait(process: int) -> int:
    """Wait for a process, pass on the signals that ask to end, and return its status."""

    def pass_on(number: int, _: object) -> None:
        with suppress(ProcessLookupError):
            os.kill(process, number)

    requests = signal.SIGINT, signal.SIGTERM, signal.SIGHUP
    before = {number: signal.signal(number, pass_on) for number in requests}
    try:
        return os.waitpid(process, 0)[1]
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _ending(exitcode: int) -> int | str:
    """Return the exit code after a request to end; otherwise how a process ended too early."""
    if exitcode >= 0:
        return f"the target ended the process with exit code {exitcode}"
    number = signal.Signals(-exitcode)
    if number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
        return 128 + number
    return f"the target ended the process with {number.name}"
