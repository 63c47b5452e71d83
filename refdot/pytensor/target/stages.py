"""Exceptions raised inside PyTensor, recorded as data with their stage."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

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
    except (KeyboardInterrupt, StageError):
        raise
    except BaseException as error:
        raised = Raised.at(name, error)
        # PyTensor appends a description of the graph, where variable names look like dims.
        message, separator, rest = raised.message.partition("\nApply node that caused the error")
        appended = separator + rest + raised.appended
        raise StageError(replace(raised, message=message, appended=appended)) from None
