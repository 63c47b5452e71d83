"""A program as plain data: inputs, and steps in order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from keyword import iskeyword

from refdot.cases.case import Operand
from refdot.errors import DotError
from refdot.lowering import dim_names
from refdot.programs.operations import OPERATIONS, Parameter, ProgramError, result_type
from refdot.text import nearest_name

__all__ = ["DTYPES", "Program", "Step"]

# Those in which every operation has the same dtype in NumPy, in PyTensor and in xarray.
DTYPES = ("float64", "float32", "int64")


@dataclass(frozen=True)
class Step:
    """A step of a program: it gives a name to the result of an operation.

    Attributes
    ----------
    name : str
        The name of the result.
    operation : str
        One of `OPERATIONS`.
    arguments : tuple of str
        The names of inputs or of results of earlier steps.
    parameter : object
        The operation's parameter, of the kind that `Operation.parameter` says.

    Examples
    --------
    >>> print(Step("q", "isel", ("qkv",), (("part", 0),)))
    q = isel(qkv, part=0)
    """

    name: str
    operation: str
    arguments: tuple[str, ...]
    parameter: Parameter = None

    def __str__(self) -> str:
        arguments = (*self.arguments, *self._written_parameter())
        return f"{self.name} = {self.operation}({', '.join(arguments)})"

    def _written_parameter(self) -> Iterator[str]:
        known = OPERATIONS.get(self.operation)
        kind, parameter = known.parameter if known else "", self.parameter
        if kind == "number":
            yield repr(parameter)
        elif kind == "dims":
            yield from map(repr, parameter)
        elif kind in ("names", "indices"):
            yield from (_keyword(dim, value) for dim, value in parameter)
        elif kind == "dim" and parameter is not None:
            is_one = isinstance(parameter, tuple) and len(parameter) == 1
            yield f"dim={(parameter[0] if is_one else parameter)!r}"


def _keyword(name: str, value: object) -> str:
    """Return a keyword argument in Python, whatever its name."""
    if name.isascii() and name.isidentifier() and not iskeyword(name) and name != "__debug__":
        return f"{name}={value!r}"
    return f"**{{{name!r}: {value!r}}}"


@dataclass(frozen=True)
class Program:
    """A composition of dots and other operations, checked when it is made.

    A program prints as text that reads like code. `refdot.programs.notation.program` reads it.

    Parameters
    ----------
    inputs : tuple of (str, Operand)
        The name and the type of each input.
    steps : tuple of Step
        The steps in order.
    outputs : tuple of str
        The names of the values that the program returns.

    Raises
    ------
    DotError
        A step breaks a rule, R1 to R4. A note shows the step.
    ProgramError
        A step names an unknown value or operation, a name is used twice, or a parameter is wrong.

    Examples
    --------
    >>> x = Operand(("a", "b"), (2, 3))
    >>> gram = Program(
    ...     inputs=(("x", x),),
    ...     steps=(Step("y", "rename", ("x",), (("a", "c"),)), Step("gram", "dot", ("x", "y"))),
    ...     outputs=("gram",),
    ... )
    >>> print(gram)
    x: float64(a: 2?, b: 3?)
    y = rename(x, a='c')
    gram = dot(x, y)
    return gram
    >>> print(gram.types["gram"])
    float64(a: 2?, c: 2?)
    """

    inputs: tuple[tuple[str, Operand], ...]
    steps: tuple[Step, ...]
    outputs: tuple[str, ...]

    def __post_init__(self) -> None:
        if not self.outputs:
            raise ProgramError("A program returns at least one value")
        for name in self.outputs:
            _check_found(name, self.types)

    @cached_property
    def types(self) -> Mapping[str, Operand]:
        """The type of each input and of the result of each step, by name."""
        types: dict[str, Operand] = {}
        for name, operand in self.inputs:
            _check_new(name, types)
            dim_names(operand.dims, name)
            if operand.dtype not in DTYPES:
                raise ProgramError(
                    f"The dtype of {name} is {operand.dtype}, but a program takes only "
                    + ", ".join(DTYPES)
                )
            types[name] = operand
        for step in self.steps:
            try:
                _check_new(step.name, types)
                types[step.name] = _type_of(step, types)
            except (DotError, ProgramError) as error:
                error.add_note(f"in the step {step}")
                raise
        return types

    @property
    def step_of(self) -> Mapping[str, Step]:
        """The step of each result, by name."""
        return {step.name: step for step in self.steps}

    def pruned(self, keep_inputs: bool = False) -> Program:
        """Return the program without the steps, and by default the inputs, that no output needs."""
        needed = set(self.outputs)
        for step in reversed(self.steps):
            if step.name in needed:
                needed.update(step.arguments)
        return Program(
            tuple(each for each in self.inputs if keep_inputs or each[0] in needed),
            tuple(step for step in self.steps if step.name in needed),
            self.outputs,
        )

    def __str__(self) -> str:
        inputs = (f"{name}: {operand}" for name, operand in self.inputs)
        lines = (*inputs, *map(str, self.steps), f"return {', '.join(self.outputs)}")
        return "\n".join(lines)


def _type_of(step: Step, types: Mapping[str, Operand]) -> Operand:
    if step.operation not in OPERATIONS:
        raise ProgramError(
            f"Operation {step.operation!r} not found{_hint(step.operation, OPERATIONS)}"
        )
    for name in step.arguments:
        _check_found(name, types)
    return result_type(step.operation, [types[name] for name in step.arguments], step.parameter)


def _check_new(name: str, types: Mapping[str, Operand]) -> None:
    if not name.isidentifier() or not name.isascii() or iskeyword(name):
        raise ProgramError(f"{name!r} is not a name")
    if name in types:
        raise ProgramError(f"Value {name!r} already exists")


def _check_found(name: str, types: Mapping[str, Operand]) -> None:
    if name not in types:
        raise ProgramError(f"Value {name!r} not found{_hint(name, types)}")


def _hint(name: str, names: Iterable[str]) -> str:
    near = nearest_name(name, list(names))
    return f"; did you mean {near!r}?" if near else f"; there are only {', '.join(names)}"
