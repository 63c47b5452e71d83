"""The reaction of a command to a signal that asks it to end."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from threading import current_thread, main_thread

__all__ = ["termination_as_interrupt"]


@contextmanager
def termination_as_interrupt() -> Iterator[None]:
    """Raise a `KeyboardInterrupt` where SIGTERM, which clusters send, would end the process."""
    is_default = signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    if current_thread() is not main_thread() or not is_default:
        yield
        return
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
