"""What is raised inside PyTensor, caught as data and marked with its stage."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from refdot.targets.outcome import Raised

__all__ = ["StageError", "stage"]


class StageError(Exception):
    """A stage of PyTensor raised; `raised` says what."""

    def __init__(self, raised: Raised) -> None:
        self.raised = raised
        super().__init__(str(raised))


@contextmanager
def stage(name: str) -> Iterator[None]:
    """Name what runs inside: whatever is raised there ends the case at that stage."""
    try:
        yield
    except (KeyboardInterrupt, StageError):
        raise
    except BaseException as error:
        raised = Raised.at(name, error)
        # PyTensor appends pages about the graph, in which names of variables look like dims.
        message, separator, pages = raised.message.partition("\nApply node that caused the error")
        appended = separator + pages + raised.appended
        raise StageError(replace(raised, message=message, appended=appended)) from None
