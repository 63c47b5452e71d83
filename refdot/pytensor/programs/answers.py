"""The answers of a case of a program: its outputs, and the gradients of each order."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache

from refdot.programs.case import ProgramCase
from refdot.programs.estimates import Estimate
from refdot.programs.program import Program
from refdot.programs.sharpening import sharpened

__all__ = ["Answer", "answers_of", "estimates_of"]

# The bounds of longer programs are sharpened, which takes longer than evaluation.
_MOST_STEPS = 6
_ORDERS = ("gradient", "second gradient")


@dataclass(frozen=True)
class Answer:
    """An answer of a case.

    Attributes
    ----------
    name : str
        The name for people: that of an output, or "gradient of x".
    order : int
        0 for an output, or the order of the gradient.
    program : Program
        The program that computes it.
    output : str
        Its name in that program.
    dims : tuple of str
    """

    name: str
    order: int
    program: Program
    output: str
    dims: tuple[str, ...]


def answers_of(case: ProgramCase) -> Iterator[Answer]:
    """Yield the answers of a case in the order in which a compiled function returns them.

    Examples
    --------
    >>> from refdot.programs.named import named_program
    >>> case = ProgramCase(named_program("gram"), gradient_order=1)
    >>> [answer.name for answer in answers_of(case)]
    ['gram', 'gradient of x']
    """
    types = case.program.types
    names = case.differentiated if case.is_forward else case.differentiable
    for name in case.program.outputs:
        yield Answer(name, 0, case.program, name, types[name].dims)
    for order, program in enumerate(case.derivatives, 1):
        for name, bar in zip(names, program.outputs, strict=True):
            label = f"{'tangent' if case.is_forward else _ORDERS[order - 1]} of {name}"
            yield Answer(label, order, program, bar, types[name].dims)


def estimates_of(
    case: ProgramCase, program: Program, replicate: int, unit: float = 0.0
) -> dict[str, Estimate]:
    """Return what the outputs of a program, or of its gradients, are compared with."""
    return _estimates_of(replace(case, has_wrong_sizes=False), program, replicate, unit)


# A program is judged with each lowering and, if it is wrong, in trials.
@lru_cache(maxsize=64)
def _estimates_of(
    case: ProgramCase, program: Program, replicate: int, unit: float
) -> dict[str, Estimate]:
    if len(case.program.steps) > _MOST_STEPS:
        return sharpened(program, case.values(program, replicate), unit)
    return case.estimates(program, replicate, unit)
