"""What a target did with a case, as data."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from refdot.tensor import Array, NamedTensor

__all__ = ["REPLICATES", "Declared", "Gradient", "Outcome", "Raised", "effects", "qualified_name"]


REPLICATES = 2  # How often one case is run, each time on other numbers.


@dataclass(frozen=True)
class Raised:
    """An exception, as data.

    Attributes
    ----------
    stage : str
        Where it was raised, one of `STAGES`.
    type : str
        The name of its class.
    message : str
    expected_type : bool
        Whether it is a `ValueError` or a `TypeError`.
    appended : str
        What comes after the message: pages about the target's own affairs, and notes.
    bases : tuple of str
        Its class and all that this is derived from, each with its module.
    """

    stage: str
    type: str
    message: str
    expected_type: bool
    # Two exceptions that say the same are equal, wherever the target was when it raised them.
    appended: str = field(default="", compare=False)
    bases: tuple[str, ...] = field(default=(), compare=False)

    @classmethod
    def at(cls, stage: str, error: BaseException) -> Raised:
        """Record `error` as raised at `stage`."""
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
        """The exception's whole `str` and its notes: what `pytest.raises` matches with a regex."""
        return self.message + self.appended

    def __str__(self) -> str:
        return f"{self.type} at {self.stage}: {' '.join(self.message.split())}"


def qualified_name(class_: type) -> str:
    """Name a class with its module.

    Examples
    --------
    >>> qualified_name(ValueError)
    'builtins.ValueError'
    """
    return f"{class_.__module__}.{class_.__qualname__}"


@dataclass(frozen=True)
class Declared:
    """What a target that builds graphs says of its output before anything is computed."""

    dims: tuple[str, ...]
    dtype: str
    shape: tuple[int | None, ...]


@dataclass(frozen=True)
class Gradient:
    """A cotangent that a target computed.

    Attributes
    ----------
    order : int
        1: of the dot. 2: of the first gradients, each paired with a tangent.
    operand : str
        "x" or "y"; "x" where both are one variable.
    replicate : int
        Which of the runs of the case it is from.
    value : ndarray
        Axes as the operand's dims.
    """

    order: int
    operand: str
    replicate: int
    value: Array


@dataclass(frozen=True)
class Outcome:
    """What a target did with a case.

    Attributes
    ----------
    raised : Raised, optional
        What ended it.
    declared : Declared, optional
        What it said beforehand.
    values : tuple of NamedTensor
        Its answers, one for each replicate of numbers.
    gradients : tuple of Gradient
    gradient_raised : Raised, optional
        What ended the computation of gradients alone.
    discrete_gradients : tuple of str
        The operands of integer or bool dtype that it gave a gradient of.
    discrete_gradient_raised : Raised, optional
        What refused the gradient of such an operand.
    unlowered_nodes : tuple of str
        What its lowered graph should not contain.
    side_effects : tuple of str
        What it changed, or shares, that is not its own.
    nondeterminism : tuple of str
        What came out otherwise although the same was asked in other words.
    logged : tuple of Raised
        What went wrong inside and was logged, but did not end it.
    """

    raised: Raised | None = None
    declared: Declared | None = None
    values: tuple[NamedTensor, ...] = ()
    gradients: tuple[Gradient, ...] = ()
    gradient_raised: Raised | None = None
    discrete_gradients: tuple[str, ...] = ()
    discrete_gradient_raised: Raised | None = None
    unlowered_nodes: tuple[str, ...] = ()
    side_effects: tuple[str, ...] = ()
    nondeterminism: tuple[str, ...] = ()
    logged: tuple[Raised, ...] = ()


def effects(inputs: tuple[Array, ...], before: tuple[Array, ...], output: Array) -> list[str]:
    """Tell what a call did to its inputs, and whether its output shares their memory."""
    found = []
    for name, array, copy in zip("xy", inputs, before, strict=False):
        if not np.array_equal(array, copy, equal_nan=array.dtype.kind in "fc"):
            found.append(f"{name} was written to")
        if np.may_share_memory(array, output) and np.shares_memory(array, output):
            found.append(f"the output shares memory with {name}")
    return found
