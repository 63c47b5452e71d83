"""Deviations of programs: what a graph declares, and what is left in it."""

from __future__ import annotations

from dataclasses import replace

from pytensor.graph.traversal import ancestors
from pytensor.tensor.einsum import Einsum

from refdot.cases.case import Operand
from refdot.programs.findings import Observation
from refdot.programs.operations import result_type
from refdot.programs.program import Program
from refdot.programs.wrong_sizes import WrongSize
from refdot.pytensor.programs.deviations.record import case_of, known
from refdot.pytensor.programs.deviations.trials import is_gone, without
from refdot.pytensor.programs.judge import compiled_outputs
from refdot.pytensor.target import PyTensorTarget
from refdot.pytensor.target.stages import StageError
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
    "structure",
    case_of(
        "x: float64(a: 2?, b: 3?); y = dot(x, x, dim='a'); return y",
        built="vectorized-after-lowering",
    ),
    lowerings="stock",
)
def batches_of_an_inner_graph(seen: Observation, target: PyTensorTarget) -> bool:
    """A dot to which a batch dim is added is still an `Einsum` in the compiled function.

    `vectorize_graph` makes a `Blockwise` of the `Einsum` (tensor/einsum.py), which no rewrite
    inlines.
    """
    left = "the inner graph of Einsum is left in the compiled "
    if seen.case.built != "vectorized-after-lowering" or not seen.difference.got.startswith(left):
        return False
    order = 0 if "forward" in seen.difference.got else seen.case.gradient_order
    case = replace(seen.case, gradient_order=order)
    try:
        outputs = compiled_outputs(target, case, seen.backend, seen.lowering)
    except StageError:
        return False
    operations = [each.owner.op for each in ancestors([*outputs.values()]) if each.owner]
    return not any(isinstance(operation, Einsum) for operation in operations)


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


@known(
    "accepted-invalid",
    replace(
        case_of(
            "x: float64(a: 2?, b: 3?); y: float64(b: 3?, c: 4?); z: float64(a: 2?, c: 4?); "
            "v = dot(x, y); w = add(z, v); return w"
        ),
        has_wrong_sizes=True,
    ),
    backends="python c c-blas",
    lowerings="inlined direct",
)
def terms_of_gemm_broadcast(seen: Observation, target: PyTensorTarget) -> bool:
    """A term that is added to a product of matrices broadcasts if its size is 1.

    `Gemm.perform` (tensor/blas.py) and its C code repeat the rows or columns of the term.
    """
    operations = {step.operation for step in seen.case.program.steps}
    wrong = seen.difference.evidence
    is_one = isinstance(wrong, WrongSize) and wrong.size == 1 and not wrong.is_static
    if not is_one or not {"dot", "add"} <= operations:
        return False
    return is_gone(seen, target, without("gemm_optimizer"))
