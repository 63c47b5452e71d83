"""A program with another dim in some of its inputs, as `vectorize_graph` or `vmap` adds one."""

from collections.abc import Collection, Mapping
from dataclasses import replace

from refdot.cases.case import Operand
from refdot.programs.operations import OPERATIONS, Parameter, result_type
from refdot.programs.program import Program, Step

__all__ = ["vectorized"]


def vectorized(
    program: Program,
    dim: str,
    size: int,
    names: Collection[str] | None = None,
    last: Collection[str] = (),
) -> Program:
    """Return a program that does the same for each index of a new dim.

    Parameters
    ----------
    program : Program
    dim : str
        A name that no dim of the program has.
    size : int
    names : collection of str, optional
        The inputs that get the dim; by default all.
    last : collection of str, optional
        The inputs that get it as their last dim; by default, it is the first.

    Examples
    --------
    >>> from refdot.programs.notation import program
    >>> print(vectorized(program('''
    ... x: float64(a: 2, b: 3)
    ... w: float64(b: 3)
    ... h = dot(x, w)
    ... p = softmax(h)
    ... return p
    ... '''), "n", 4, ["x"]))
    x: float64(n: 4, a: 2, b: 3)
    w: float64(b: 3)
    h = dot(x, w, dim='b')
    p = softmax(h, dim='a')
    return p
    """
    inputs = tuple(
        (
            name,
            _with_dim(operand, dim, size, name in last)
            if names is None or name in names
            else operand,
        )
        for name, operand in program.inputs
    )
    types, steps = dict(inputs), []
    for step in program.steps:
        if any(dim in types[name].dims for name in step.arguments):
            step = replace(step, parameter=_parameter(step, program.types, dim))
        operands = [types[name] for name in step.arguments]
        types[step.name] = result_type(step.operation, operands, step.parameter)
        steps.append(step)
    return Program(inputs, tuple(steps), program.outputs)


def _with_dim(operand: Operand, dim: str, size: int, is_last: bool) -> Operand:
    place = len(operand.dims) if is_last else 0
    dims, shape, static = (list(each) for each in (operand.dims, operand.shape, operand.static))
    dims.insert(place, dim)
    shape.insert(place, size)
    static.insert(place, all(operand.static))
    return replace(operand, dims=tuple(dims), shape=tuple(shape), static=tuple(static))


def _parameter(step: Step, types: Mapping[str, Operand], dim: str) -> Parameter:
    """Return the parameter that leaves the new dim alone."""
    kind, parameter = OPERATIONS[step.operation].parameter, step.parameter
    if kind == "dims":
        return (dim, *parameter)
    if kind != "dim" or parameter is not None:
        return parameter
    first, *others = (types[name].dims for name in step.arguments)
    return tuple(name for name in first if all(name in dims for dims in others))
