"""Find nodes that a lowered or compiled graph must not contain (R14)."""

from collections.abc import Iterator, Sequence
from typing import Any

from pytensor.compile.builders import OpFromGraph
from pytensor.compile.mode import Mode
from pytensor.graph.traversal import ancestors
from pytensor.tensor.einsum import Einsum
from pytensor.xtensor.basic import XOp, XTypeCastOp
from pytensor.xtensor.type import XTensorType

__all__ = ["compiled_nodes", "is_inner_graph", "unlowered_nodes", "with_inner_operations"]


def unlowered_nodes(outputs: Sequence[Any], where: str, inner_graphs: bool) -> tuple[str, ...]:
    """Describe the variables and nodes that a graph, such as "the forward graph", must not have.

    There is a sentence for each type and each class of operation. `inner_graphs` is whether the
    graph may have an `OpFromGraph`.
    """
    found = set()
    for variable in ancestors(outputs):
        if isinstance(variable.type, XTensorType):
            found.add(f"an xtensor is left in {where}")
        for op in with_inner_operations(variable.owner.op if variable.owner else None):
            if isinstance(op, XOp | XTypeCastOp):
                found.add(f"the xtensor op {type(op).__name__} is left in {where}")
            if is_inner_graph(op) and not inner_graphs:
                found.add(f"the inner graph of {type(op).__name__} is left in {where}")
            if (graph := getattr(op, "fgraph", None)) is not None:
                inside = f"an inner graph of {where}"
                found.update(unlowered_nodes(graph.outputs, inside, inner_graphs))
    return tuple(sorted(found))


def is_inner_graph(op: Any) -> bool:
    """Return whether an operation is an inner graph that may be that of a dot.

    A softmax, or elementwise operations that were fused, are inner graphs too; but these are
    classes of PyTensor for which backends have code.
    """
    bases = (base for base in type(op).__mro__ if base.__module__.startswith("pytensor."))
    return next(bases, None) in {OpFromGraph, Einsum}


def with_inner_operations(op: Any) -> Iterator[Any]:
    """Yield an operation, then the ones that it applies to each element or matrix of a batch."""
    while op is not None:
        yield op
        op = getattr(op, "core_op", None) or getattr(op, "scalar_op", None)


def compiled_nodes(function: Any, mode: Mode, lowering: str, answers: int = 1) -> tuple[str, ...]:
    """Describe the nodes that a compiled function must not have.

    Its outputs are the answers, such as one dot, and then the gradients. An `OpFromGraph` is
    allowed if lowering may leave one and the mode has none of the rewrites that inline it, which
    "fast_run" has.
    """
    optimises = "fast_run" in mode.provided_optimizer.include
    inner_graphs = lowering == "stock" and not optimises
    outputs = function.maker.fgraph.outputs
    return unlowered_nodes(
        outputs[:answers], "the compiled forward graph", inner_graphs
    ) + unlowered_nodes(outputs[answers:], "the compiled gradient graph", inner_graphs)
