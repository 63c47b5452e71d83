"""Outcomes: the results of a case on a target, as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from refdot.cases.case import DotCase
from refdot.targets.interrupt import is_interrupt
from refdot.tensor import Array, NamedTensor
from refdot.text import shortened

__all__ = [
    "REPLICATES",
    "Declared",
    "Gradient",
    "Growth",
    "Outcome",
    "Raised",
    "effects",
    "has_changed",
    "qualified_name",
]

# To find out whether two arrays share memory; NumPy 2.4 has a narrower type for it.
_MOST_WORK: Any = 100_000
_MOST_CHARACTERS = 20_000  # of a message or of a note
REPLICATES = 2  # how often a case runs, each time with different numbers


@dataclass(frozen=True)
class Raised:
    """An exception, as data.

    Attributes
    ----------
    stage : str
        The stage that raised it, one of `refdot.rules.STAGES`.
    expected_type : bool
        Whether it is a `ValueError` or a `TypeError`.
    appended : str
        Text after the message: internals of the target, and notes.
    bases : tuple of str
        The qualified names of its class and of all base classes.
    trace : tuple of str
        The functions of the target that it came from, the innermost last, such as
        "pytensor.tensor.math:Dot.perform". Not every target gives them.
    """

    stage: str
    type: str
    message: str
    expected_type: bool
    # Not compared: exceptions with the same message are equal wherever they were raised.
    appended: str = field(default="", compare=False)
    bases: tuple[str, ...] = field(default=(), compare=False)
    trace: tuple[str, ...] = field(default=(), compare=False)

    @classmethod
    def at(cls, stage: str, error: BaseException) -> Raised:
        """Return the record of an exception that was raised at a stage."""
        return cls(
            stage,
            type(error).__name__,
            _text_of(error),
            issubclass(type(error), ValueError | TypeError),
            "".join(f"\n{note}" for note in _notes_of(error)),
            tuple(map(qualified_name, type(error).__mro__)),
        )

    @property
    def text(self) -> str:
        """The text that `pytest.raises(match=...)` searches: the exception and its notes."""
        return self.message + self.appended

    def __str__(self) -> str:
        return f"{self.type} at {self.stage}: {' '.join(self.message.split())}"


def _text_of(value: object) -> str:
    """Return the text of an object, of any class and any length, as a plain `str`."""
    try:
        text = str.__str__(str(value))
    except BaseException as failure:
        if is_interrupt(failure):
            raise
        return f"<{type(value).__name__} whose text raises {type(failure).__name__}>"
    return shortened(text, _MOST_CHARACTERS)


def _notes_of(error: BaseException) -> list[str]:
    try:
        return list(map(_text_of, getattr(error, "__notes__", ())))
    except Exception:  # not a list of notes
        return []


def qualified_name(class_: type) -> str:
    """Return the name of a class with its module, such as "builtins.ValueError"."""
    return f"{class_.__module__}.{class_.__qualname__}"


@dataclass(frozen=True)
class Declared:
    """The output type that a target declares when it builds a graph."""

    dims: tuple[str, ...]
    dtype: str
    shape: tuple[int | None, ...]


@dataclass(frozen=True)
class Gradient:
    """A gradient that a target computed.

    Attributes
    ----------
    order : int
        1 for the gradient of the dot; 2 for that of the first gradients, paired with tangents.
    operand : str
        "x" or "y"; "x" if both operands are the same variable.
    value : ndarray
        Its axes are the dims of the operand.
    conjugates : bool
        The convention of the target for complex numbers: whether the cotangent of x is a dot of the
        output's cotangent and the complex conjugate of y, not y itself.
    """

    order: int
    operand: str
    replicate: int
    value: Array
    conjugates: bool = False


@dataclass(frozen=True)
class Growth:
    """What a stage costs grows with the sizes that a case declares as static.

    Attributes
    ----------
    what : str
        What grows, coarsely.
    small, large : str
        The cost for small sizes and for a large one, for people.
    case : DotCase
        The case with the large size.
    memory : (int, int)
        The peaks of memory for both, in bytes, if memory grows.
    """

    stage: str
    what: str
    # Measurements differ a little from one to the next.
    small: str = field(compare=False)
    large: str = field(compare=False)
    case: DotCase
    memory: tuple[int, int] = field(default=(0, 0), compare=False)


@dataclass(frozen=True)
class Outcome:
    """The results of a case on a target.

    Attributes
    ----------
    raised : Raised, optional
        The exception that ended the run.
    values : tuple of NamedTensor
        The answers, one for each replicate.
    gradient_raised : Raised, optional
        The exception that ended only the computation of gradients.
    discrete_gradients : tuple of str
        The operands of integer or bool dtype for which the target returned a gradient.
    discrete_gradient_raised : Raised, optional
        The exception that rejected the gradient of such an operand.
    unlowered_nodes : tuple of str
        Nodes that the lowered graph should not contain.
    compiled_nodes : tuple of str
        Nodes that the compiled function should not contain.
    growth : tuple of Growth
        Costs of building and lowering that grow with declared sizes.
    side_effects : tuple of str
        Inputs that the target changed, and memory that its output shares.
    nondeterminism : tuple of str
        Differences between results of equivalent calls.
    logged : tuple of Raised
        Exceptions that the target logged, but did not raise.
    kernels, rewrites : frozenset of str
        The kernels in the functions that were compiled for this case, and the rewrites that
        changed its graphs. A case whose graph was compiled before has none.
    without : mapping of tuple of str to Outcome
        For a case that failed, its outcomes without some parts of the target that may be the cause,
        by the names of these parts.
    """

    raised: Raised | None = None
    declared: Declared | None = None
    values: tuple[NamedTensor, ...] = ()
    gradients: tuple[Gradient, ...] = ()
    gradient_raised: Raised | None = None
    discrete_gradients: tuple[str, ...] = ()
    discrete_gradient_raised: Raised | None = None
    unlowered_nodes: tuple[str, ...] = ()
    compiled_nodes: tuple[str, ...] = ()
    growth: tuple[Growth, ...] = ()
    side_effects: tuple[str, ...] = ()
    nondeterminism: tuple[str, ...] = ()
    logged: tuple[Raised, ...] = ()
    kernels: frozenset[str] = field(default=frozenset(), compare=False)
    rewrites: frozenset[str] = field(default=frozenset(), compare=False)
    without: Mapping[tuple[str, ...], Outcome] = field(default_factory=dict, compare=False)

    @property
    def errors(self) -> tuple[Raised, ...]:
        """All exceptions of the dot and of its gradients, also those that were only logged."""
        raised = (self.raised, self.gradient_raised)
        return (*(error for error in raised if error is not None), *self.logged)

    @property
    def cause(self) -> Raised | None:
        """The exception because of which there is no answer, if there is none.

        If a rewrite fails in lowering, PyTensor logs that, and raises another exception later.
        """
        failed = (raised for raised in self.logged if raised.stage == "lower")
        return self.raised and next(failed, self.raised)


def effects(inputs: tuple[Array, ...], before: tuple[Array, ...], output: Array) -> list[str]:
    """Return descriptions of the inputs that a call changed or whose memory its output shares."""
    is_shared = len(inputs) == 2 and inputs[0] is inputs[1]
    names = ["the array of x and y"] if is_shared else "xy"
    found = []
    for name, array, copy in zip(names, inputs, before, strict=False):
        if has_changed(array, copy):
            found.append(f"{name} was written to")
        if _share_memory(array, output):
            found.append(f"the output shares memory with {name}")
    return found


def has_changed(array: Array, copy: Array) -> bool:
    """Return whether an array differs from an earlier copy of it."""
    if (array.shape, array.dtype) != (copy.shape, copy.dtype):
        return True
    if array.dtype.kind not in "biufc":
        return False
    return not np.array_equal(array, copy, equal_nan=array.dtype.kind in "fc")


def _share_memory(array: Array, other: Array) -> bool:
    try:
        return np.shares_memory(array, other, max_work=_MOST_WORK)
    except np.exceptions.TooHardError:  # strides that no ordinary array has
        return False
