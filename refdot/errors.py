"""The errors of a dot: a class for each rule that invalid input can break.

If PyTensor raises an error while it builds a graph, the message here begins with PyTensor's words,
so that a regex written for PyTensor matches both. Each error has the number of its rule and the
contents of its message as attributes. A message does not depend on the hash seed.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

from refdot.text import nearest_name, one_line, told_apart

__all__ = [
    "CotangentError",
    "DTypeError",
    "DimNameError",
    "DimNotFoundError",
    "DimTypeError",
    "DotError",
    "NoGradientError",
    "SizeMismatchError",
]


class DotError(Exception):
    """Base class of the errors in this module; never raised itself."""

    rule: ClassVar[str]

    def note_operands(self, x_sizes: Mapping[str, int], y_sizes: Mapping[str, int]) -> None:
        """Add a note with both named shapes, which a traceback shows below the message."""
        self.add_note(f"x is {_named_shape(x_sizes)}, y is {_named_shape(y_sizes)}")

    def __reduce__(self) -> tuple[Any, ...]:
        # The default would call the class with the message as its only argument.
        return type(self).__new__, (type(self), *self.args), self.__dict__


class DimNameError(DotError, ValueError):
    """R1: the dims of an operand are not distinct, non-empty `str`, one for each axis.

    Parameters
    ----------
    problem : str
        A description of the problem that names the dim.
    operand : str
        "x", "y", or "tensor" if there is only one.
    dims : sequence
        The dims of the operand, as passed by the caller.
    opening : str, optional
        The beginning of PyTensor's message, if it has one.
    """

    rule = "R1"

    def __init__(
        self, problem: str, operand: str, dims: Sequence[object], opening: str = ""
    ) -> None:
        self.operand, self.dims = operand, tuple(dims)
        shown = one_line(self.dims)
        if opening:
            super().__init__(f"{opening} {shown}: {problem} in {operand}")
        else:
            super().__init__(f"{problem} in {operand}: {shown}")


class DimTypeError(DotError, TypeError):
    """R2: `dim` is not None, `...`, a `str` or an iterable of `str`.

    Parameters
    ----------
    dim : object
        The invalid argument.
    member : object, optional
        The member of `dim` that is not a `str`, if `dim` is an iterable.
    """

    rule = "R2"
    _no_member = object()

    def __init__(self, dim: object, member: object = _no_member) -> None:
        self.dim = dim
        reason = "" if member is self._no_member else f": {one_line(member)} is not a str"
        super().__init__(
            f"dim must be None, ..., a str or an iterable of str, got {one_line(dim)}{reason}"
        )


class DimNotFoundError(DotError, ValueError):
    """R3: `dim` has a name that is not a dim of x or of y.

    Parameters
    ----------
    missing : iterable of str
        The names that are not dims of either operand.
    dims : sequence of str
        The dims of the operands, x's first.
    """

    rule = "R3"

    def __init__(self, missing: Iterable[str], dims: Sequence[str]) -> None:
        self.missing, self.dims = tuple(sorted(missing)), tuple(dims)
        first, *rest = self.missing
        others = f" (also not found: {', '.join(rest)})" if rest else ""
        choices = f"the dims are {', '.join(self.dims)}" if self.dims else "there are no dims"
        nearest = [(name, nearest_name(name, self.dims)) for name in self.missing]
        names = ", ".join(
            dict.fromkeys(_recognizable(near, name) for name, near in nearest if near)
        )
        hint = f"; did you mean {names}?" if names else ""
        super().__init__(f"Dimension {first} not found in either input{others}; {choices}{hint}")


class SizeMismatchError(DotError, ValueError):
    """R4: a shared dim has different sizes in x and y; size 1 never broadcasts.

    Parameters
    ----------
    x_sizes, y_sizes : mapping of str to int
        The named shape of each operand, in the order of its dims.

    Attributes
    ----------
    dims : tuple of str
        Every dim whose sizes differ, in x's order.
    sizes : dict of str to (int, int)
        The sizes of each such dim, in x and in y.
    """

    rule = "R4"

    def __init__(self, x_sizes: Mapping[str, int], y_sizes: Mapping[str, int]) -> None:
        self.sizes = {
            dim: (size, y_sizes[dim])
            for dim, size in x_sizes.items()
            if dim in y_sizes and y_sizes[dim] != size
        }
        self.dims = tuple(self.sizes)
        sentences = [
            f"ize of dim '{dim}' does not match: {x_size} in x, {y_size} in y"
            for dim, (x_size, y_size) in self.sizes.items()
        ]
        super().__init__("S" + "; s".join(sentences))
        self.note_operands(x_sizes, y_sizes)


class DTypeError(DotError, TypeError):
    """R7: the dtype of an operand is not bool, integer, floating-point or complex."""

    rule = "R7"

    def __init__(self, operand: str, dtype: object) -> None:
        self.operand, self.dtype = operand, dtype
        super().__init__(f"dot needs numbers or bools, but the dtype of {operand} is {dtype}")


class NoGradientError(DotError, TypeError):
    """R8: the dtype of an operand is integer or bool, so the operand has no gradient."""

    rule = "R8"

    def __init__(self, operand: str, dtype: object) -> None:
        self.operand, self.dtype = operand, dtype
        super().__init__(f"{operand} has no gradient: its dtype {dtype} is not continuous")


class CotangentError(DotError, ValueError):
    """R8: a tangent or cotangent does not have the shape of its primal."""

    rule = "R8"

    def __init__(
        self, name: str, sizes: Mapping[str, int], of: str, expected: Mapping[str, int]
    ) -> None:
        self.name, self.sizes, self.expected = name, dict(sizes), dict(expected)
        super().__init__(
            f"{name} must have the shape of {of}, {_named_shape(expected)}, "
            f"but it is {_named_shape(sizes)}"
        )


def _recognizable(near: str, name: str) -> str:
    """Return the name that is near a wrong one, so that a reader sees how they differ."""
    shown, wrong = told_apart(near, name)
    return shown if shown == near else f"{shown} instead of {wrong}"


def _named_shape(sizes: Mapping[str, int]) -> str:
    return "(" + ", ".join(f"{dim}: {size}" for dim, size in sizes.items()) + ")"
