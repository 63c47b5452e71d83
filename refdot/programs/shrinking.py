"""Shrinking of programs: edits that make a failing case simpler, the removal of steps first.

Each edit of a program gives drafts: the inputs, steps and outputs of a program. A draft that is not
a valid program is skipped, so that an edit need not know which of its drafts are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any, TypeAlias

from refdot.cases.case import Operand
from refdot.cases.shrinking import (
    ALPHABETS,
    OPERAND_DEFAULTS,
    SIZES,
    apply_edits,
    simpler,
    with_axes,
)
from refdot.errors import DotError
from refdot.programs.case import PROGRAM_REGIMES, ProgramCase
from refdot.programs.operations import OPERATIONS, ProgramError
from refdot.programs.program import Program, Step

__all__ = ["PROGRAM_EDITS", "shrink_program"]

_Inputs: TypeAlias = tuple[tuple[str, Operand], ...]
Draft: TypeAlias = tuple[_Inputs, tuple[Step, ...], tuple[str, ...]]
ProgramEdit: TypeAlias = Callable[[ProgramCase], Iterator[ProgramCase]]

_NUMBERS = (2, 0.5, -1.0)  # factors and exponents


def shrink_program(case: ProgramCase, still_fails: Callable[[ProgramCase], bool]) -> ProgramCase:
    """Return a case that still fails, but passes after any edit that makes it simpler.

    Examples
    --------
    >>> from refdot.programs.named import named_program
    >>> case = ProgramCase(named_program("attention:layers=2"), gradient_order=1)
    >>> def has_softmax(other):
    ...     return any(step.operation == "softmax" for step in other.program.steps)
    >>> print(shrink_program(case, has_softmax))
    x0: float64()
    v0 = softmax(x0)
    return v0
    """
    return apply_edits(PROGRAM_EDITS, case, still_fails)


def _of_program(edit: Callable[[Program], Iterator[Draft]]) -> ProgramEdit:
    """Return the edit of cases that an edit of programs makes."""

    def edit_case(case: ProgramCase) -> Iterator[ProgramCase]:
        for draft in edit(case.program):
            try:
                program = Program(*draft).pruned()
            except (DotError, ProgramError):
                continue
            yield replace(case, program=program)

    edit_case.__name__ = edit.__name__
    return edit_case


# Edits of the case


def simplify_all_but_the_program(case: ProgramCase) -> Iterator[ProgramCase]:
    """Simplify the numbers, how the graph is made and with which sizes."""
    yield replace(case, regime="unit", seed=0, built="plain", has_wrong_sizes=False)
    yield replace(case, built="plain")
    yield replace(case, has_wrong_sizes=False)


def lower_gradient_order(case: ProgramCase) -> Iterator[ProgramCase]:
    """Differentiate less often."""
    for order in range(case.gradient_order):
        yield replace(case, gradient_order=order)


def simplify_numbers(case: ProgramCase) -> Iterator[ProgramCase]:
    """Draw simpler numbers."""
    for regime in simpler(tuple(PROGRAM_REGIMES), case.regime):
        yield replace(case, regime=regime)
    yield replace(case, seed=0)


# Edits that remove steps


@_of_program
def stop_earlier(program: Program) -> Iterator[Draft]:
    """Return only one of the values, the earliest first."""
    for step in program.steps:
        yield program.inputs, program.steps, (step.name,)


@_of_program
def start_later(program: Program) -> Iterator[Draft]:
    """Make the result of a step an input, that of the latest step first."""
    for step in reversed(program.steps):
        if step.name not in program.outputs:
            result = program.types[step.name]
            plain = Operand(result.dims, result.shape, result.dtype, result.static)
            rest = tuple(other for other in program.steps if other is not step)
            yield (*program.inputs, (step.name, plain)), rest, program.outputs


@_of_program
def skip_a_step(program: Program) -> Iterator[Draft]:
    """Replace the result of a step by one of its arguments."""
    for step in program.steps:
        rest = tuple(other for other in program.steps if other is not step)
        for argument in step.arguments:
            yield _with_values(program.inputs, rest, program.outputs, {step.name: argument})


@_of_program
def merge_inputs(program: Program) -> Iterator[Draft]:
    """Replace an input by an earlier one."""
    names = [name for name, _ in program.inputs]
    for number, name in enumerate(names):
        for earlier in names[:number]:
            yield _with_values(program.inputs, program.steps, program.outputs, {name: earlier})


def _with_values(
    inputs: _Inputs,
    steps: tuple[Step, ...],
    outputs: tuple[str, ...],
    names: Mapping[str, str],
) -> Draft:
    """Return a draft that uses other values in place of some."""
    changed = tuple(
        replace(step, arguments=tuple(names.get(name, name) for name in step.arguments))
        for step in steps
    )
    return inputs, changed, tuple(dict.fromkeys(names.get(name, name) for name in outputs))


# Edits of dims and sizes


@_of_program
def remove_dims(program: Program) -> Iterator[Draft]:
    """Remove a dim, with all its names."""
    for dims in _classes_of_dims(program):
        yield _with_dims(program, dict.fromkeys(dims))


@_of_program
def simplify_sizes(program: Program) -> Iterator[Draft]:
    """Replace the size of a dim, with all its names, by a simpler one."""
    for dims in _classes_of_dims(program):
        known = [sizes[dim] for sizes in _all_sizes(program) for dim in dims if dim in sizes]
        for size in simpler(SIZES, known[0]):
            inputs = tuple((name, _resized(each, dims, size)) for name, each in program.inputs)
            yield inputs, program.steps, program.outputs


def _resized(operand: Operand, dims: set[str], size: int) -> Operand:
    sizes = (size if dim in dims else old for dim, old in operand.sizes.items())
    return replace(operand, shape=tuple(sizes))


@_of_program
def rename_dims_to_letters(program: Program) -> Iterator[Draft]:
    """Rename the dims to single letters."""
    dims = tuple(dict.fromkeys(dim for sizes in _all_sizes(program) for dim in sizes))
    if len(dims) <= len(ALPHABETS[0]):
        yield _with_dims(program, dict(zip(dims, ALPHABETS[0], strict=False)))


def _all_sizes(program: Program) -> list[dict[Any, int]]:
    return [operand.sizes for operand in program.types.values()]


def _classes_of_dims(program: Program) -> list[set[str]]:
    """Return the dims, those together that are one dim under several names."""
    classes: list[set[str]] = []
    pairs = [
        pair
        for step in program.steps
        if OPERATIONS[step.operation].parameter == "names"
        for pair in step.parameter
    ]
    for linked in [*map(set, pairs), *({dim} for sizes in _all_sizes(program) for dim in sizes)]:
        joined = [each for each in classes if each & linked]
        classes = [each for each in classes if not each & linked] + [linked.union(*joined)]
    return classes


def _with_dims(program: Program, names: Mapping[str, str | None]) -> Draft:
    """Return a draft in which dims have other names, or are removed where the name is None."""

    def new(dim: str) -> str | None:
        return names.get(dim, dim)

    def renamed(operand: Operand) -> Operand:
        kept = [axis for axis, dim in enumerate(operand.dims) if new(dim) is not None]
        operand = with_axes(operand, kept)
        return replace(operand, dims=tuple(new(dim) for dim in operand.dims))

    def parameter(step: Step) -> Any:
        kind, old = OPERATIONS[step.operation].parameter, step.parameter
        if old is None or kind in ("", "number"):
            return old
        if kind == "names":
            pairs = ((new(dim), new(name)) for dim, name in old)
            return tuple(pair for pair in pairs if None not in pair)
        if kind == "indices":
            return tuple((new(dim), index) for dim, index in old if new(dim) is not None)
        return tuple(new(dim) for dim in old if new(dim) is not None)

    return (
        tuple((name, renamed(operand)) for name, operand in program.inputs),
        tuple(replace(step, parameter=parameter(step)) for step in program.steps),
        program.outputs,
    )


# Edits of inputs and parameters


@_of_program
def simplify_inputs(program: Program) -> Iterator[Draft]:
    """Simplify a property of all inputs or of one, or all properties at once."""
    names = [name for name, _ in program.inputs]
    changes: list[dict[str, Any]] = [{key: value} for key, value in OPERAND_DEFAULTS.items()]
    for change in (OPERAND_DEFAULTS, *changes):
        for changed in (names, *([name] for name in names)):
            inputs = tuple(
                (name, replace(operand, **change) if name in changed else operand)
                for name, operand in program.inputs
            )
            yield inputs, program.steps, program.outputs


@_of_program
def simplify_parameters(program: Program) -> Iterator[Draft]:
    """Reduce every dim, or use simpler numbers, first indices and fewer new names."""
    for number, step in enumerate(program.steps):
        for parameter in _simpler_parameters(step):
            steps = list(program.steps)
            steps[number] = replace(step, parameter=parameter)
            yield program.inputs, tuple(steps), program.outputs


def _simpler_parameters(step: Step) -> Iterator[Any]:
    kind, parameter = OPERATIONS[step.operation].parameter, step.parameter
    if kind == "dim" and parameter is not None:
        yield None
    elif kind == "number":
        yield from simpler(_NUMBERS, parameter)
    elif kind == "names":
        yield from (parameter[:n] + parameter[n + 1 :] for n in range(len(parameter)))
    elif kind == "indices":
        yield tuple((dim, 0) for dim, _ in parameter)


@_of_program
def renumber_values(program: Program) -> Iterator[Draft]:
    """Name inputs x0, x1, … and results v0, v1, …."""
    names = {name: f"x{number}" for number, (name, _) in enumerate(program.inputs)}
    names |= {step.name: f"v{number}" for number, step in enumerate(program.steps)}
    inputs = tuple((names[name], operand) for name, operand in program.inputs)
    steps = tuple(replace(step, name=names[step.name]) for step in program.steps)
    yield _with_values(inputs, steps, program.outputs, names)


# The largest edits come first, and those that make a case faster to run.
PROGRAM_EDITS: tuple[ProgramEdit, ...] = (
    stop_earlier,
    start_later,
    skip_a_step,
    lower_gradient_order,
    simplify_all_but_the_program,
    merge_inputs,
    remove_dims,
    simplify_sizes,
    simplify_inputs,
    simplify_parameters,
    simplify_numbers,
    rename_dims_to_letters,
    renumber_values,
)
