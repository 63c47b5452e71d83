"""What goes wrong with a dot, one class for each rule that can be broken.

Every message begins with PyTensor's own words where PyTensor has words, so that a regex written
for PyTensor's graph-building errors matches these too. Each error knows the number of its rule
(`rule`, see SPEC.md), holds what it says as fields, and is stable: names are listed in an order
that does not depend on the hash seed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

from refdot.text import nearest_name, one_line

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
    """Any broken rule of dot; never raised itself."""

    rule: ClassVar[str]

    def note_operands(self, x_sizes: Mapping[str, int], y_sizes: Mapping[str, int]) -> None:
        """Note both operands' named shapes, which a traceback shows below the message."""
        self.add_note(f"x is {named_shape(x_sizes)}, y is {named_shape(y_sizes)}")

    def __reduce__(self) -> tuple[Any, ...]:
        # Exceptions are otherwise pickled as if their arguments were their messages.
        return type(self).__new__, (type(self), *self.args), self.__dict__


class DimNameError(DotError, ValueError):
    """R1: an operand's dims are distinct, non-empty `str`, one for each axis.

    Parameters
    ----------
    problem : str
        What is wrong, in words that name the dim.
    operand : str
        Which operand: "x", "y", or "tensor" where there is only one.
    dims : sequence
        The dims as they were given.
    opening : str, optional
        PyTensor's own words, where it has some, up to the dims.
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
    """R2: `dim` is None, `...`, a `str` or an iterable of `str`.

    Parameters
    ----------
    dim : object
        What was given instead.
    culprit : object, optional
        The member of `dim` that is not a `str`, where `dim` itself is an iterable.
    """

    rule = "R2"
    _whole = object()

    def __init__(self, dim: object, culprit: object = _whole) -> None:
        self.dim = dim
        within = "" if culprit is self._whole else f": {one_line(culprit)} is not a str"
        super().__init__(
            f"dim must be None, ..., a str or an iterable of str, got {one_line(dim)}{within}"
        )


class DimNotFoundError(DotError, ValueError):
    """R3: every name in `dim` is a dim of x or of y.

    Parameters
    ----------
    missing : iterable of str
        The names that neither operand has.
    dims : sequence of str
        The names there are, x's first.
    """

    rule = "R3"

    def __init__(self, missing: Iterable[str], dims: Sequence[str]) -> None:
        self.missing, self.dims = tuple(sorted(missing)), tuple(dims)
        first, *rest = self.missing
        nor = f" (nor {', '.join(rest)})" if rest else ""
        there_are = f"the dims are {', '.join(self.dims)}" if self.dims else "there are no dims"
        nearest = dict.fromkeys(
            filter(None, (nearest_name(name, self.dims) for name in self.missing))
        )
        hint = f"; did you mean {', '.join(nearest)}?" if nearest else ""
        super().__init__(f"Dimension {first} not found in either input{nor}; {there_are}{hint}")


class SizeMismatchError(DotError, ValueError):
    """R4: a dim that both operands have has one size in both; 1 never broadcasts against n.

    Parameters
    ----------
    x_sizes, y_sizes : mapping of str to int
        Each operand's named shape, in the order of its dims.

    Attributes
    ----------
    dims : tuple of str
        Every dim whose sizes differ, in x's order.
    sizes : dict of str to (int, int)
        For each of those, its size in x and in y.
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
    """R7: a dot takes bool, integer, floating-point and complex operands only."""

    rule = "R7"

    def __init__(self, operand: str, dtype: object) -> None:
        self.operand, self.dtype = operand, dtype
        super().__init__(f"dot needs numbers or bools, but the dtype of {operand} is {dtype}")


class NoGradientError(DotError, TypeError):
    """R8: an integer or bool operand has no gradient."""

    rule = "R8"

    def __init__(self, operand: str, dtype: object) -> None:
        self.operand, self.dtype = operand, dtype
        super().__init__(f"{operand} has no gradient: its dtype {dtype} is not continuous")


class CotangentError(DotError, ValueError):
    """R8: a cotangent has the shape of what it is a cotangent of, and a tangent likewise."""

    rule = "R8"

    def __init__(
        self, name: str, sizes: Mapping[str, int], of: str, expected: Mapping[str, int]
    ) -> None:
        self.name, self.sizes, self.expected = name, dict(sizes), dict(expected)
        super().__init__(
            f"{name} must have the shape of {of}, {named_shape(expected)}, "
            f"but it is {named_shape(sizes)}"
        )


def named_shape(sizes: Mapping[str, int]) -> str:
    """Write a named shape as the errors do.

    Examples
    --------
    >>> named_shape({"batch": 2, "time": 3})
    '(batch: 2, time: 3)'
    """
    return "(" + ", ".join(f"{dim}: {size}" for dim, size in sizes.items()) + ")"
