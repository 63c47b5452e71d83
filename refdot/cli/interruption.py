"""The reaction of a command to a signal that asks it to end."""

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from threading import current_thread, main_thread
from typing import Any

from refdot.targets.interrupt import forget_interrupts, interrupt

__all__ = ["signals_as_interrupt"]

_DEFAULTS: dict[signal.Signals, Any] = {
    signal.SIGINT: signal.default_int_handler,
    signal.SIGTERM: signal.SIG_DFL,
}
_SECONDS = 1.0  # in which signals are one request


@contextmanager
def signals_as_interrupt() -> Iterator[None]:
    """Raise an `Interrupt` where SIGINT, or SIGTERM, which clusters send, asks to end.

    The same request can arrive twice: terminals and clusters send the signal to each process of a
    group, and one of these may pass it on. The second must not end the reaction to the first.
    """
    handled = [number for number, own in _DEFAULTS.items() if signal.getsignal(number) == own]
    if current_thread() is not main_thread():
        handled = []
    last = -_SECONDS

    def handle(*_: object) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= _SECONDS:
            last = now
            interrupt()

    for number in handled:
        signal.signal(number, handle)
    try:
        yield
    finally:
        for number in handled:
            signal.signal(number, _DEFAULTS[number])
        if handled:
            forget_interrupts()
