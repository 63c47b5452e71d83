"""Exceptions raised inside PyTensor, recorded as data with their stage."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from traceback import walk_tb
from types import TracebackType

from refdot.targets.interrupt import is_interrupt
from refdot.targets.outcome import Raised

__all__ = ["StageError", "stage"]


class StageError(Exception):
    """A stage of PyTensor raised an exception; `raised` describes it."""

    def __init__(self, raised: Raised) -> None:
        self.raised = raised
        super().__init__(str(raised))


@contextmanager
def stage(name: str) -> Iterator[None]:
    """Turn any exception in the block into a `StageError` of the stage named."""
    try:
        yield
    except StageError:
        raise
    except BaseException as error:
        if is_interrupt(error):
            raise
        raised = Raised.at(name, error)
        # PyTensor appends a description of the graph, where variable names look like dims.
        message, separator, rest = raised.message.partition("\nApply node that caused the error")
        appended = separator + rest + raised.appended
        trace = tuple(_functions_of_pytensor(error.__traceback__))
        raise StageError(replace(raised, message=message, appended=appended, trace=trace)) from None


def _functions_of_pytensor(traceback: TracebackType | None) -> Iterator[str]:
    """Yield PyTensor's functions on a traceback, the innermost last."""
    for frame, _ in walk_tb(traceback):
        module = frame.f_globals.get("__name__", "")
        if module.partition(".")[0] == "pytensor":
            yield f"{module}:{frame.f_code.co_qualname}"
