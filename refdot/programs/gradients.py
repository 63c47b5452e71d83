"""Gradients of programs, which are programs themselves, by reverse mode.

The cotangent of a value has the value's dims, in its order. The rule of an operation pulls the
cotangent of its result back to one of its arguments, by operations; `_fitted` then sums over dims
that the argument lacks and broadcasts over those that the result lacks. So a gradient has an
estimate, a text form and a gradient, as any program has.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from refdot.cases.case import Operand
from refdot.errors import NoGradientError
from refdot.programs.operations import Parameter, result_type
from refdot.programs.program import Program, Step

__all__ = ["gradient", "pushforward"]


def gradient(
    program: Program,
    of: str | Sequence[str],
    with_respect_to: str | Sequence[str],
    cotangents: Sequence[str] = (),
) -> Program:
    """Return the program that pulls cotangents of some values back to others.

    Parameters
    ----------
    program : Program
    of : str or sequence of str
        The values to differentiate. Each adds an input to the program: its cotangent, with its
        dims and sizes. The gradient of a scalar has the cotangent 1, and that of the sum of all
        elements has ones. With several values, their gradients add up.
    with_respect_to : str or sequence of str
        The outputs of the new program are the cotangents of these values, in this order.
    cotangents : sequence of str, optional
        The names of the new inputs; by default `loss_bar` for `loss`.

    Raises
    ------
    NoGradientError
        R8: the dtype of a value is an integer.

    Examples
    --------
    >>> from refdot.programs.notation import program
    >>> square = program('''
    ... x: float64(a: 2, b: 3)
    ... y = dot(x, x, dim="a")
    ... z = exp(y)
    ... return z
    ... ''')
    >>> print(gradient(square, "z", "x"))
    x: float64(a: 2, b: 3)
    z_bar: float64(b: 3)
    y = dot(x, x, dim='a')
    z = exp(y)
    y_bar = multiply(z_bar, z)
    x_bar = dot(y_bar, x, dim=())
    x_bar_2 = transpose(x_bar, 'a', 'b')
    x_bar_3 = dot(y_bar, x, dim=())
    x_bar_4 = transpose(x_bar_3, 'a', 'b')
    x_bar_5 = add(x_bar_2, x_bar_4)
    return x_bar_5
    """
    sources, targets = _names(of), _names(with_respect_to)
    for name in (*sources, *targets):
        if np.dtype(program.types[name].dtype).kind != "f":
            raise NoGradientError(name, program.types[name].dtype)
    writer = _Writer(program)
    bars = writer.add_cotangents(sources, cotangents or [f"{name}_bar" for name in sources])
    active = _dependent_on(program, targets)
    for step in reversed(program.steps):
        if step.name in bars and step.name in active:
            _pull_back(writer, step, bars, active)
    zeros = (name for name in targets if name not in bars)
    bars |= {name: writer.add(f"{name}_bar", "scale", name, parameter=0) for name in zeros}
    outputs = tuple(bars[name] for name in targets)
    return Program(writer.inputs, writer.steps, outputs).pruned(keep_inputs=True)


def pushforward(
    program: Program, of: str | Sequence[str], with_respect_to: str | Sequence[str]
) -> Program:
    """Return the program that pushes tangents of some values forward to others: the JVP.

    A pull-back is linear in its cotangents, and its own gradient with respect to them is the
    pushforward. The tangent of `x` is the input `x_dot`.

    Examples
    --------
    >>> from refdot.programs.notation import program
    >>> square = program('''
    ... x: float64(a: 2)
    ... y = dot(x, x)
    ... return y
    ... ''')
    >>> print(pushforward(square, "y", "x").outputs)
    ('y_bar_bar_3',)
    """
    sources, targets = _names(of), _names(with_respect_to)
    back = gradient(program, sources, targets)
    bars = [name for name, _ in back.inputs[len(program.inputs) :]]
    forward = gradient(back, back.outputs, bars, [f"{name}_dot" for name in targets])
    # Of the cotangents, only the shapes are left, and those are the shapes of the values.
    values = dict(zip(bars, sources, strict=True))
    steps = (
        replace(step, arguments=tuple(values.get(name, name) for name in step.arguments))
        for step in forward.steps
        if step not in program.steps
    )
    inputs = tuple(each for each in forward.inputs if each[0] not in bars)
    whole = Program(inputs, (*program.steps, *steps), forward.outputs)
    return whole.pruned(keep_inputs=True)


def _names(names: str | Sequence[str]) -> tuple[str, ...]:
    return (names,) if isinstance(names, str) else tuple(names)


def _dependent_on(program: Program, targets: Sequence[str]) -> set[str]:
    """Return the values that depend on the targets, with the targets themselves."""
    active = set(targets)
    for step in program.steps:
        if active.intersection(step.arguments):
            active.add(step.name)
    return active


class _Writer:
    """Appends inputs and steps to a program."""

    def __init__(self, program: Program) -> None:
        self.inputs, self.steps = program.inputs, program.steps
        self.types = dict(program.types)

    def new_name(self, stem: str) -> str:
        number, name = 1, stem
        while name in self.types:
            number += 1
            name = f"{stem}_{number}"
        return name

    def add(self, stem: str, operation: str, *arguments: str, parameter: Parameter = None) -> str:
        """Append a step with a new name, and return that name."""
        name = self.new_name(stem)
        operands = [self.types[argument] for argument in arguments]
        self.types[name] = result_type(operation, operands, parameter)
        self.steps += (Step(name, operation, arguments, parameter),)
        return name

    def add_cotangents(self, names: Sequence[str], stems: Sequence[str]) -> dict[str, str]:
        """Append an input for the cotangent of each value, and return their names.

        The cotangents of a value that is given twice add up.
        """
        bars: dict[str, str] = {}
        for name, stem in zip(names, stems, strict=True):
            like, bar = self.types[name], self.new_name(stem)
            self.types[bar] = Operand(like.dims, like.shape, like.dtype, like.static)
            self.inputs += ((bar, self.types[bar]),)
            bars[name] = self.add(stem, "add", bars[name], bar) if name in bars else bar
        return bars


def _pull_back(writer: _Writer, step: Step, bars: dict[str, str], active: set[str]) -> None:
    """Add the cotangent of each argument of a step to `bars`."""
    for position, name in enumerate(step.arguments):
        is_shape_only = position == 1 and step.operation in ("place", "broadcast_like")
        if name not in active or is_shape_only or writer.types[name].dtype.startswith("int"):
            continue
        pulled = _PULL_BACKS[step.operation](writer, step, bars[step.name], position)
        pulled = _fitted(writer, pulled, name)
        earlier = bars.get(name)
        bars[name] = writer.add(f"{name}_bar", "add", earlier, pulled) if earlier else pulled


def _fitted(writer: _Writer, bar: str, name: str) -> str:
    """Return a cotangent with exactly the dims of a value, in its order."""
    dims = writer.types[name].dims
    if extra := tuple(dim for dim in writer.types[bar].dims if dim not in dims):
        bar = writer.add(f"{name}_bar", "sum", bar, parameter=extra)
    if set(writer.types[bar].dims) != set(dims):
        return writer.add(f"{name}_bar", "broadcast_like", bar, name)
    if writer.types[bar].dims != dims:
        return writer.add(f"{name}_bar", "transpose", bar, parameter=dims)
    return bar


# The pull-back of each operation, before it is fitted to the argument: functions of the writer,
# the step, the cotangent of its result and the position of the argument.


def _same(writer: _Writer, step: Step, bar: str, position: int) -> str:
    return bar


def _subtract(writer: _Writer, step: Step, bar: str, position: int) -> str:
    return writer.add(f"{step.arguments[1]}_bar", "negative", bar) if position else bar


def _linear(writer: _Writer, step: Step, bar: str, position: int) -> str:
    return writer.add(f"{step.arguments[0]}_bar", step.operation, bar, parameter=step.parameter)


def _dot(writer: _Writer, step: Step, bar: str, position: int) -> str:
    """Return a dot of the cotangent with the other operand, over the dims that this one lacks."""
    own, other = step.arguments[position], step.arguments[1 - position]
    dims = dict.fromkeys(writer.types[bar].dims + writer.types[other].dims)
    summed = tuple(dim for dim in dims if dim not in writer.types[own].dims)
    return writer.add(f"{own}_bar", "dot", bar, other, parameter=summed)


def _multiply(writer: _Writer, step: Step, bar: str, position: int) -> str:
    own, other = step.arguments[position], step.arguments[1 - position]
    return writer.add(f"{own}_bar", "multiply", bar, other)


def _divide(writer: _Writer, step: Step, bar: str, position: int) -> str:
    """Return ȳ/y for the numerator; −ȳ·out/y for the divisor."""
    stem, divisor = f"{step.arguments[position]}_bar", step.arguments[1]
    if position == 0:
        return writer.add(stem, "divide", bar, divisor)
    product = writer.add(stem, "multiply", bar, step.name)
    return writer.add(stem, "negative", writer.add(stem, "divide", product, divisor))


def _exp(writer: _Writer, step: Step, bar: str, position: int) -> str:
    return writer.add(f"{step.arguments[0]}_bar", "multiply", bar, step.name)


def _power(writer: _Writer, step: Step, bar: str, position: int) -> str:
    """Return the cotangent times p·xᵖ⁻¹."""
    (name,), exponent = step.arguments, step.parameter
    stem, power = f"{name}_bar", name
    if exponent != 2:
        power = writer.add(stem, "power", name, parameter=exponent - 1)
    slope = writer.add(stem, "scale", power, parameter=exponent)
    return writer.add(stem, "multiply", bar, slope)


def _softmax(writer: _Writer, step: Step, bar: str, position: int) -> str:
    """Return s·(s̄ − Σ s̄·s)."""
    stem = f"{step.arguments[0]}_bar"
    weighted = writer.add(stem, "multiply", bar, step.name)
    total = writer.add(stem, "sum", weighted, parameter=step.parameter)
    difference = writer.add(stem, "subtract", bar, total)
    return writer.add(stem, "multiply", difference, step.name)


def _rename(writer: _Writer, step: Step, bar: str, position: int) -> str:
    back = tuple((new, old) for old, new in step.parameter)
    return writer.add(f"{step.arguments[0]}_bar", "rename", bar, parameter=back)


def _isel(writer: _Writer, step: Step, bar: str, position: int) -> str:
    (name,) = step.arguments
    return writer.add(f"{name}_bar", "place", bar, name, parameter=step.parameter)


def _place(writer: _Writer, step: Step, bar: str, position: int) -> str:
    return writer.add(f"{step.arguments[0]}_bar", "isel", bar, parameter=step.parameter)


_PULL_BACKS: dict[str, Callable[[_Writer, Step, str, int], str]] = {
    "dot": _dot,
    "add": _same,
    "subtract": _subtract,
    "sum": _same,
    "transpose": _same,
    "broadcast_like": _same,
    "negative": _linear,
    "scale": _linear,
    "multiply": _multiply,
    "divide": _divide,
    "exp": _exp,
    "power": _power,
    "softmax": _softmax,
    "rename": _rename,
    "isel": _isel,
    "place": _place,
}
