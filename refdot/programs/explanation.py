"""A program explained as text: the type of each value, and the einsum of each dot."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod

from refdot.lowering import lower_dot
from refdot.programs.program import Program, Step
from refdot.text import counted

__all__ = ["explain_program"]


def explain_program(program: Program) -> str:
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
    rows = [_row(step, program) for step in program.steps]
    widths = [max(map(len, column), default=0) for column in zip(*rows, strict=True)]
    lines = (
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )
    inputs = (f"{name}: {operand}" for name, operand in program.inputs)
    costs = [_multiplications(step, program) for step in _dots(program)]
    largest = max((prod(program.types[step.name].shape) for step in program.steps), default=0)
    counts = (
        counted(len(rows), "step"),
        counted(len(costs), "dot"),
        counted(sum(costs), "multiplication"),
    )
    summary = f"{', '.join(counts)}; the largest result has {counted(largest, 'element')}"
    returned = f"return {', '.join(program.outputs)}"
    return "\n".join([*inputs, *lines, returned, "", summary])


def _row(step: Step, program: Program) -> tuple[str, str, str, str]:
    result = str(program.types[step.name])
    if step.operation != "dot":
        return str(step), result, "", ""
    x, y = (program.types[name] for name in step.arguments)
    cost = counted(_multiplications(step, program), "multiplication")
    return str(step), result, lower_dot(x.dims, y.dims, step.parameter).subscripts, cost


def _dots(program: Program) -> Iterator[Step]:
    return (step for step in program.steps if step.operation == "dot")


def _multiplications(step: Step, program: Program) -> int:
    x, y = (program.types[name] for name in step.arguments)
    return prod((x.sizes | y.sizes).values())
