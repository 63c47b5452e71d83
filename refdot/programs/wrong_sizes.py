"""Sizes of inputs that break R4 in a program: a library must not accept them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

from refdot.cases.case import Operand
from refdot.errors import DotError, SizeMismatchError
from refdot.programs.operations import ProgramError
from refdot.programs.program import Program

__all__ = ["WrongSize", "wrong_sizes"]


class WrongSize(NamedTuple):
    """A size of one dim of an input, where another value has the dim with another size.

    Attributes
    ----------
    input, dim : str
    size : int
    is_static : bool
        Whether the types of all inputs say their sizes, so that a library can tell before a call.
    """

    input: str
    dim: str
    size: int
    is_static: bool

    def __str__(self) -> str:
        static = "static " if self.is_static else ""
        return f"{static}size {self.size} of dim {self.dim!r}"

    def inputs(self, program: Program) -> tuple[tuple[str, Operand], ...]:
        """Return the inputs of a program, of which one has the wrong size.

        Examples
        --------
        >>> from refdot.programs.notation import program
        >>> vectors = program('''
        ... x: float64(a: 3?)
        ... y: float64(a: 3?)
        ... z = dot(x, y)
        ... return z
        ... ''')
        >>> for name, operand in WrongSize("y", "a", 4, is_static=True).inputs(vectors):
        ...     print(name, operand)
        x float64(a: 3)
        y float64(a: 4)
        """
        return tuple((name, self._operand(name, operand)) for name, operand in program.inputs)

    def _operand(self, name: str, operand: Operand) -> Operand:
        if self.is_static:
            operand = replace(operand, static=(True,) * len(operand.dims))
        if name != self.input:
            return operand
        sizes = operand.sizes | {self.dim: self.size}
        return replace(operand, shape=tuple(sizes[dim] for dim in operand.dims))


def wrong_sizes(program: Program) -> Iterator[WrongSize]:
    """Yield sizes that break R4, for each dim of each input that is an argument of a call.

    One is larger than the right size, and one is 1, because size 1 does not broadcast. Each is a
    static size and, unless the input has a static size, one of a call.

    Parameters
    ----------
    program : Program

    Yields
    ------
    WrongSize

    Examples
    --------
    >>> from refdot.programs.notation import program
    >>> for wrong in wrong_sizes(program('''
    ... x: float64(a: 3?, b: 2?)
    ... y: float64(a: 3?)
    ... z = dot(x, y)
    ... return z
    ... ''')):
    ...     print(wrong.input, wrong)
    x size 4 of dim 'a'
    x static size 4 of dim 'a'
    x size 1 of dim 'a'
    x static size 1 of dim 'a'
    y size 4 of dim 'a'
    y static size 4 of dim 'a'
    y size 1 of dim 'a'
    y static size 1 of dim 'a'
    """
    for name, operand in program.inputs:
        if operand.origin != "input":
            continue
        for dim, size in operand.sizes.items():
            for other in sorted({size + 1, 1} - {size}, reverse=True):
                if operand.static_sizes[dim] is None:
                    yield from _wrong(program, WrongSize(name, dim, other, is_static=False))
                yield from _wrong(program, WrongSize(name, dim, other, is_static=True))


def _wrong(program: Program, size: WrongSize) -> Iterator[WrongSize]:
    steps = program.pruned().steps  # a library need not compute the others
    try:
        Program(size.inputs(program), steps, program.outputs)
    except SizeMismatchError:
        yield size
    except (DotError, ProgramError):
        pass  # another rule
