"""Assertions about functions that compute programs, and about the operations of a library."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from refdot.programs.case import ProgramCase
from refdot.programs.estimates import Estimate
from refdot.programs.interpretation import interpret
from refdot.programs.judgement import differences
from refdot.programs.named import named_program
from refdot.programs.notation import program as read_program
from refdot.programs.program import Program
from refdot.programs.random_programs import program_at
from refdot.programs.sharpening import sharpened
from refdot.programs.shrinking import shrink_program
from refdot.tensor import NamedTensor

__all__ = ["check_program", "check_programs"]


def check_program(
    fn: Callable[..., Any], program: str | Program, regimes: Sequence[str] = ("unit", "large")
) -> None:
    """Judge a function that computes a program: its dims, dtypes and values.

    Parameters
    ----------
    fn : callable
        A function of the program's inputs, `NamedTensor`s that it gets by name. It returns a
        `NamedTensor`, or one for each output.
    program : str or Program
        A program, its text, or the name of one, such as "attention:layers=2".
    regimes : sequence of str, optional
        The kinds of numbers to try, of `refdot.programs.case.PROGRAM_REGIMES`.

    Raises
    ------
    AssertionError
        An output is wrong; the message shows its first wrong element.

    Examples
    --------
    >>> import refdot as rd
    >>> check_program(lambda x: rd.dot(x, x.rename(row="row_2"), "column"), "gram")
    >>> check_program(lambda x: rd.dot(x, x.rename(row="row_2"), "row"), "gram")
    Traceback (most recent call last):
    AssertionError: gram: R5 wrong-dims: expected ('row', 'row_2'), got ('column', 'row_2')
    x: float64(row: 4?, column: 3?)
    y = rename(x, row='row_2')
    gram = dot(x, y, dim='column')
    return gram
    """
    __tracebackhide__ = True
    if isinstance(program, str):
        program = read_program(program) if "\n" in program else named_program(program)
    for regime in regimes:
        case = ProgramCase(program, regime)
        values = case.values(program)
        answers = fn(**values)
        answers = [answers] if isinstance(answers, NamedTensor) else list(answers)
        _check_answers(case, sharpened(program, values), answers)


def check_programs(
    operations: Mapping[str, Callable[..., Any]], programs: int = 100, seed: int = 0
) -> None:
    """Judge a library on random programs, which are made of its operations.

    Parameters
    ----------
    operations : mapping of str to callable
        For each operation, a function of `NamedTensor`s and of the operation's parameter; see
        `refdot.programs.interpretation`. Programs with other operations are left out.
    programs : int, optional
        The number of programs to draw.
    seed : int, optional
        The same seed draws the same programs.

    Raises
    ------
    AssertionError
        An output is wrong; the message shows the smallest program for which one is.

    Examples
    --------
    >>> from refdot.programs.interpretation import NUMPY
    >>> check_programs(NUMPY, programs=10)
    >>> check_programs(NUMPY | {"add": NUMPY["multiply"]}, programs=50)
    Traceback (most recent call last):
    AssertionError: v0: R6 wrong-value: expected -1.7440557706966562, got 0.7604326328250769
    x0: float64()
    v0 = add(x0, x0)
    return v0
    """
    __tracebackhide__ = True

    def fault(case: ProgramCase) -> str:
        if not {step.operation for step in case.program.steps} <= operations.keys():
            return ""
        try:
            values = interpret(case.program, case.values(case.program), operations)
            answers = [values[name] for name in case.program.outputs]
            _check_answers(case, case.estimates(case.program), answers)
        except AssertionError as error:
            return str(error)
        return ""

    for index in range(programs):
        if fault(case := program_at(seed, index)):
            smallest = shrink_program(case, lambda other: bool(fault(other)))
            raise AssertionError(fault(smallest))


def _check_answers(
    case: ProgramCase, estimates: Mapping[str, Estimate], answers: Sequence[NamedTensor]
) -> None:
    __tracebackhide__ = True
    if found := list(differences(case.program.outputs, estimates, answers)):
        raise AssertionError("\n".join([*map(str, found), str(case)]))
