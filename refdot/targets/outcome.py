"""Outcomes: the results of a case on a target, as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from refdot.cases.case import DotCase
from refdot.tensor import Array, NamedTensor

__all__ = [
    "REPLICATES",
    "Declared",
    "Gradient",
    "Growth",
    "Outcome",
    "Raised",
    "effects",
    "qualified_name",
]

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
            str(error),
            isinstance(error, ValueError | TypeError),
            "".join(f"\n{note}" for note in getattr(error, "__notes__", ())),
            tuple(map(qualified_name, type(error).__mro__)),
        )

    @property
    def text(self) -> str:
        """The text that `pytest.raises(match=...)` searches: the exception and its notes."""
        return self.message + self.appended

    def __str__(self) -> str:
        return f"{self.type} at {self.stage}: {' '.join(self.message.split())}"


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
        if not np.array_equal(array, copy, equal_nan=array.dtype.kind in "fc"):
            found.append(f"{name} was written to")
        if np.may_share_memory(array, output) and np.shares_memory(array, output):
            found.append(f"the output shares memory with {name}")
    return found
