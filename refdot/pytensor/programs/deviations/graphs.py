"""Deviations of programs: what a graph declares, and what is left in it."""

from __future__ import annotations

from dataclasses import replace

from refdot.cases.case import Operand
from refdot.programs.findings import Observation
from refdot.programs.operations import result_type
from refdot.programs.program import Program
from refdot.pytensor.programs.deviations.record import case_of, known
from refdot.pytensor.target import PyTensorTarget
from refdot.text import one_line


@known(
    "structure",
    case_of("x: float64(a: 2?, b: 3?); y = dot(x, x, dim='a'); return y", gradient_order=1),
    lowerings="stock",
)
def gradients_in_an_inner_graph(seen: Observation, target: PyTensorTarget) -> bool:
    """The gradient of a dot is still an `OpFromGraph` in the compiled function.

    `OpFromGraph.pullback` (compile/builders.py) wraps the gradient of an `Einsum` in a plain
    `OpFromGraph`, which no rewrite inlines.
    """
    operations = {step.operation for step in seen.case.program.steps}
    left = "the inner graph of OpFromGraph is left in the compiled gradient graph"
    return seen.difference.got == left and "dot" in operations


@known(
    "wrong-shape",
    case_of("x: float64(a: 2); y: float64(a: 2?); z = dot(x, y, dim=()); v = exp(z); return v"),
)
def known_length_forgotten(seen: Observation, target: PyTensorTarget) -> bool:
    """The static size of a batch dim of a dot is lost if only x has one.

    `Dot.make_node` (xtensor/math.py) merges `{**x_shape_dict, **y_shape_dict}`, in which y's None
    replaces x's size. The operations that follow do not know the size either.
    """
    if seen.difference.stage != "build":
        return False
    types = _types_with_forgotten_lengths(seen.case.computed.program)
    declared = types[seen.difference.name].static_shape
    return seen.difference.got == f"declared {one_line(declared)}"


def _types_with_forgotten_lengths(of: Program) -> dict[str, Operand]:
    types = dict(of.inputs)
    for step in of.steps:
        operands = [types[name] for name in step.arguments]
        found = result_type(step.operation, operands, step.parameter)
        if step.operation == "dot":
            x, y = operands
            merged = x.static_sizes | y.static_sizes
            found = replace(found, static=tuple(merged[dim] is not None for dim in found.dims))
        types[step.name] = found
    return types
