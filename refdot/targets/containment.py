"""Calls of functions of a target, which must not end or change the process."""

import os
import signal
import sys
import warnings
from collections.abc import Callable
from contextlib import suppress
from threading import current_thread, main_thread
from typing import Any, NoReturn

import numpy as np

from refdot.targets.interrupt import is_interrupt
from refdot.targets.outcome import Raised

__all__ = ["attempt"]

_ENDING = (signal.SIGINT, signal.SIGTERM)
_exit_at_once = os._exit


def attempt(function: Callable[..., Any], *arguments: Any) -> Any:
    """Return the result of a function, or a `Raised` if it raises an exception.

    An exit at once counts as an exception, too. What else the function does to the process is
    undone.
    """
    state = _State()
    try:
        with np.errstate(all="ignore"):  # the operands may contain NaN and huge numbers
            os._exit = state.raise_instead
            sys.stdout, sys.stderr = map(_unclosable, state.streams)
            return function(*arguments)
    except BaseException as error:  # a target may raise anything
        if is_interrupt(error):
            raise
        return Raised.at("run", error)
    finally:
        state.restore()


class _State:
    """The state of the process before a call."""

    def __init__(self) -> None:
        self.process, self.folder = os.getpid(), _working_folder()
        self.path = sys.path[:]
        self.mask = os.umask(0o077)  # which can only be read by a change
        os.umask(self.mask)
        self.streams = sys.stdout, sys.stderr
        self.recursion_limit = sys.getrecursionlimit()
        # `warnings.catch_warnings` would show a warning of every call, and not only the first.
        self.filters = warnings.filters[:]
        self.handlers = {each: signal.getsignal(each) for each in _ENDING}

    def raise_instead(self, status: int) -> NoReturn:
        """Raise an exception instead of an exit at once, except in a copy of the process."""
        if os.getpid() != self.process:
            _exit_at_once(status)
        raise SystemExit(f"os._exit({status})")

    def restore(self) -> None:
        """Bring the state back, or end a copy of the process that the call has made."""
        if os.getpid() != self.process:
            _exit_at_once(1)
        os._exit = _exit_at_once
        sys.stdout, sys.stderr = self.streams
        sys.setrecursionlimit(self.recursion_limit)
        if warnings.filters != self.filters:
            warnings.filters[:] = self.filters  # type: ignore[index]
        for number, handler in self.handlers.items():
            if signal.getsignal(number) != handler and current_thread() is main_thread():
                signal.signal(number, handler)
        # What a target adds to the path may be what it needs later.
        sys.path += [folder for folder in self.path if folder not in sys.path]
        os.umask(self.mask)
        if self.folder and self.folder != _working_folder():
            with suppress(OSError):  # it may have been removed
                os.chdir(self.folder)


def _working_folder() -> str:
    with suppress(OSError):  # it may have been removed
        return os.getcwd()
    return ""


def _unclosable(stream: Any) -> Any:
    return None if stream is None else _Unclosable(stream)


class _Unclosable:
    """A stream that passes everything on, except that it should close, or give up its buffer."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def close(self) -> None:
        """Leave the stream open."""

    def detach(self) -> Any:
        """Return the buffer of the stream, which stays its buffer."""
        self._stream.flush()
        return self.buffer

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._stream, name)
        return _Unclosable(found) if name in ("buffer", "raw") else found
