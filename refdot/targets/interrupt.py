"""Requests to end, which are told from what a target raises itself."""

import signal

__all__ = ["Interrupt", "is_interrupt"]


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
