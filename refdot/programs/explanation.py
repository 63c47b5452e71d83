"""A program explained as text: the type of each value, and the einsum of each dot."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from refdot.display.explanation import Explanation
from refdot.display.letters import subscripts_of
from refdot.lowering import lower_dot
from refdot.programs.program import Program, Step
from refdot.text import counted

__all__ = ["cost_of", "explain_program", "row_of"]

_WIDEST = 90  # columns


def explain_program(program: Program) -> Explanation:
    """Explain a program: its steps and their types, the einsum and the cost of each dot, in all.

    Examples
    --------
    >>> from refdot.programs.named import named_program
    >>> print(explain_program(named_program("quadratic-form")))
    x: float64(a: 4?)
    matrix: float64(a: 4?, b: 4?)
    y = rename(x, a='b')      float64(b: 4?)
    product = dot(matrix, y)  float64(a: 4?)  ab,b->a  16 multiplications
    form = dot(x, product)    float64()       a,a->    4 multiplications
    return form
    <BLANKLINE>
    3 steps, 2 dots, 20 multiplications; the largest result has 4 elements
    """
    lines = _aligned([row_of(step, program) for step in program.steps])
    inputs = (f"{name}: {operand}" for name, operand in program.inputs)
    returned = f"return {', '.join(program.outputs)}"
    return Explanation("\n".join([*inputs, *lines, returned, "", cost_of(program)]))


def _aligned(rows: Sequence[tuple[str, ...]]) -> list[str]:
    """Return a line for each row, or several if one is too long."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    if sum(widths) > _WIDEST:
        lines = (
            line
            for step, result, *of_dot in rows
            for line in (step, f"    {result}", f"    {'  '.join(of_dot)}")
        )
        return [line for line in lines if line.strip()]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def cost_of(program: Program) -> str:
    """Return the number of steps, dots and multiplications, and the largest number of elements."""
    dots = [step for step in program.steps if step.operation == "dot"]
    multiplications = sum(_multiplications(step, program) for step in dots)
    largest = max((prod(program.types[step.name].shape) for step in program.steps), default=0)
    return (
        f"{counted(len(program.steps), 'step')}, {counted(len(dots), 'dot')}, "
        f"{counted(multiplications, 'multiplication')}; "
        f"the largest result has {counted(largest, 'element')}"
    )


def row_of(step: Step, program: Program) -> tuple[str, str, str, str]:
    """Return a step, the type of its result and, of a dot, the subscripts and the cost."""
    result = str(program.types[step.name])
    if step.operation != "dot":
        return str(step), result, "", ""
    x, y = (program.types[name] for name in step.arguments)
    cost = counted(_multiplications(step, program), "multiplication")
    return str(step), result, subscripts_of(lower_dot(x.dims, y.dims, step.parameter)), cost


def _multiplications(step: Step, program: Program) -> int:
    x, y = (program.types[name] for name in step.arguments)
    return prod((x.sizes | y.sizes).values())
