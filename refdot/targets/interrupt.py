"""Requests to end the process, as distinct from exceptions that a target raises."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["Interrupt", "forget_interrupts", "interrupt", "interrupts_held", "is_interrupt"]

_is_requested = _is_held = False


class Interrupt(KeyboardInterrupt):
    """A request to end, raised by the handler of a signal."""


def is_interrupt(error: BaseException) -> bool:
    """Return whether an exception is a request to end, and not one that a target raises itself.

    Where Python handles SIGINT, as in a notebook, both are the same.
    """
    # `isinstance` would look for attributes of an exception that may be of any class.
    if not issubclass(type(error), KeyboardInterrupt):
        return False
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        return True
    return Interrupt in (type(error), type(error.__context__))


def interrupt() -> None:
    """Raise an `Interrupt`, or have the end of `interrupts_held` raise it."""
    global _is_requested
    _is_requested = True
    if not _is_held:
        raise Interrupt


def forget_interrupts() -> None:
    """Forget an earlier request: the end of `interrupts_held` raises for later ones only."""
    global _is_requested
    _is_requested = False


@contextmanager
def interrupts_held() -> Iterator[None]:
    """Hold interrupts back in code that would lose them, and raise at its end.

    It also raises for an interrupt that other code has lost before, as callbacks do.
    """
    global _is_held
    _is_held = True
    try:
        yield
    finally:
        _is_held = False
    if _is_requested:
        raise Interrupt
