"""Deviations of programs: wrong numbers of a softmax."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from pytensor.graph.traversal import ancestors
from pytensor.scalar.basic import Exp
from pytensor.tensor.special import Softmax

from refdot.cases.case import Operand
from refdot.programs.case import ProgramCase
from refdot.programs.findings import Observation
from refdot.programs.interpretation import NUMPY, interpret
from refdot.programs.program import Program, Step
from refdot.pytensor.programs.alternatives import is_explained, with_integer_exponents
from refdot.pytensor.programs.deviations.record import case_of, known
from refdot.pytensor.programs.deviations.trials import (
    compiled_output,
    is_gone,
    with_aligned_softmax,
    with_stable_softmax,
)
from refdot.pytensor.target import PyTensorTarget
from refdot.targets.outcome import REPLICATES
from refdot.tensor import NamedTensor

__all__ = [
    "may_overflow",
    "softmax_of_another_axis",
    "softmax_of_integers",
    "softmax_overflows",
]

# In these, PyTensor recognizes no softmax.
_MODES_OF_FEW_REWRITES = ("python-minimum", "fast-compile")


@known(
    "wrong-value wrong-gradient",
    case_of("x: float64(a: 3); y = scale(x, 10); z = softmax(y); return z", "large", 1),
    lowerings="stock inlined",
)
def softmax_overflows(seen: Observation, target: PyTensorTarget) -> bool:
    """A softmax of numbers above about 700, or its gradient, is NaN or wrong.

    `softmax` (xtensor/math.py) is exp(x) / exp(x).sum(dim), and overflows. PyTensor recognizes the
    quotient (`local_softmax_stabilize`, tensor/rewriting/special.py), and subtracts the maximum
    first; but not if there is another operation between, such as a transposition, and not in a
    gradient that is taken of the quotient. A second gradient has the fourth power of the sum, so it
    is wrong from about 177 on. The gradient of a product of several quotients may be wrong, too.
    """
    return (
        may_overflow(seen)
        and _has_quotients(seen, target)
        and is_gone(seen, target, with_stable_softmax)
    )


def _has_quotients(seen: Observation, target: PyTensorTarget) -> bool:
    """Return whether a value may come from a softmax that PyTensor did not recognize.

    The graph of a gradient has other quotients. Fusion may replace a softmax by what it computes.
    A softmax that is not recognized alone either is no effect of the operations around it.
    """
    if seen.difference.kind != "wrong-value":
        return True
    name, program = seen.difference.name, seen.case.computed.program
    steps = Program(program.inputs, program.steps, (name,)).pruned().steps
    written = Counter(step.operation for step in steps)
    operations = _compiled_operations(seen, target)
    recognized = sum(isinstance(op, Softmax) for op in operations)
    powers = sum(isinstance(getattr(op, "scalar_op", None), Exp) for op in operations)
    if recognized >= written["softmax"] and powers <= written["exp"]:
        return False
    return all(
        any(isinstance(op, Softmax) for op in _compiled_operations(alone, target))
        for alone in _softmaxes_alone(seen, steps)
        if alone.backend not in _MODES_OF_FEW_REWRITES
    )


def _softmaxes_alone(seen: Observation, steps: Sequence[Step]) -> Iterator[Observation]:
    """Yield programs of one softmax each, of an input of floats with the type of its argument."""
    types = seen.case.computed.program.types
    for step in steps:
        argument = types[step.arguments[0]]
        is_of_floats = np.dtype(argument.dtype).kind == "f"
        if step.operation == "softmax" and is_of_floats and step.parameter != ():
            x = Operand(argument.dims, (2,) * len(argument.dims), argument.dtype)
            of_input = replace(step, arguments=("x",))
            case = ProgramCase(Program((("x", x),), (of_input,), (step.name,)))
            yield replace(seen, case=case, difference=replace(seen.difference, name=step.name))


def _compiled_operations(seen: Observation, target: PyTensorTarget) -> list[Any]:
    output = compiled_output(seen, target)
    nodes = {variable.owner for variable in ancestors([output]) if variable.owner}
    return [node.op for node in nodes]


def may_overflow(seen: Observation) -> bool:
    """Return whether a product of the sums in all softmaxes of a program may overflow.

    A gradient has the square of each, and the gradient of a gradient the square of that.
    """
    case, program = seen.case.computed, seen.case.computed.program
    order = 0
    if seen.difference.kind == "wrong-gradient":
        # In forward mode, the gradient of a gradient is a tangent.
        order = seen.case.gradient_order + (seen.case.built == "forward")
    steps = [step for step in program.steps if step.operation == "softmax"]
    for replicate in range(REPLICATES):
        with np.errstate(all="ignore"):
            values = interpret(program, case.values(program, replicate), NUMPY)
            logarithms = {step.name: _log_of_sum(values[step.arguments[0]], step) for step in steps}
        dtypes = {program.types[step.name].dtype for step in steps}
        limit = min((float(np.log(np.finfo(dtype).max)) for dtype in dtypes), default=np.inf)
        total = sum(_most_factors(program, name) * each for name, each in logarithms.items())
        if not 2**order * total <= limit:
            return True
    return False


def _log_of_sum(x: NamedTensor, step: Step) -> float:
    """Return the largest absolute logarithm of a sum of exponentials, over the dims of a step."""
    dims = x.dims if step.parameter is None else step.parameter
    axes = tuple(map(x.dims.index, dims))
    exponents = x.data.astype("float64")
    largest = exponents.max(axis=axes, keepdims=True, initial=-np.inf)
    totals = largest + np.log(np.exp(exponents - largest).sum(axis=axes, keepdims=True))
    return float(np.abs(totals).max(initial=0))


def _most_factors(program: Program, name: str) -> float:
    """Return how many times a value may be a factor of a product in a program."""
    counts = dict.fromkeys(program.types, 0.0) | {name: 1.0}
    for step in program.steps:
        of_arguments = [counts[argument] for argument in step.arguments]
        if step.operation in ("multiply", "dot", "divide"):
            counts[step.name] = sum(of_arguments)
        elif step.operation == "power":
            counts[step.name] = max(1, abs(step.parameter)) * of_arguments[0]
        elif step.name != name:
            counts[step.name] = max(of_arguments)
    return max(counts.values())


@known(
    "wrong-value wrong-gradient",
    case_of(
        "x: float64(a: 3?, b: 3?); e = exp(x); s = sum(e, dim='b'); r = rename(s, a='b'); "
        "q = divide(e, r); return q"
    ),
)
def softmax_of_another_axis(seen: Observation, target: PyTensorTarget) -> bool:
    """A quotient of powers and their sum along another axis is taken for a softmax.

    `local_softmax_stabilize` (tensor/rewriting/special.py) does not look at the place that the sum
    has in the quotient. If the sizes of both axes differ, the quotient would be rejected.
    """
    operations = {step.operation for step in seen.case.program.steps}
    has_quotient = {"exp", "divide"} <= operations and operations & {"sum", "dot"}
    return bool(has_quotient) and is_gone(seen, target, with_aligned_softmax)


@known("wrong-value", case_of("x: int64(a: 4); y = softmax(x); return y", "special"))
def softmax_of_integers(seen: Observation, target: PyTensorTarget) -> bool:
    """A softmax of large integers of both signs is NaN or wrong.

    `Softmax.build_inner_graph` (tensor/special.py) subtracts the maximum before it converts the
    integers, and a difference that exceeds an int64 wraps around.
    """
    return is_explained(seen, with_integer_exponents)
