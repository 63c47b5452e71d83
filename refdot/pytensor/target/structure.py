"""Find nodes that a lowered graph must not contain (R14)."""

from collections.abc import Sequence
from typing import Any

from pytensor.compile.builders import OpFromGraph
from pytensor.graph.traversal import ancestors
from pytensor.tensor.blockwise import Blockwise
from pytensor.xtensor.basic import XOp, XTypeCastOp
from pytensor.xtensor.type import XTensorType

__all__ = ["unlowered_nodes"]


def unlowered_nodes(outputs: Sequence[Any], lowering: str, where: str) -> tuple[str, ...]:
    """Describe the variables and nodes that lowering should have removed from a graph.

    There is a sentence for each type and each class of operation. Only the lowering "stock" may
    leave an `OpFromGraph`. The graph is "the forward graph" or "the gradient graph".
    """
    found = set()
    for variable in ancestors(outputs):
        if isinstance(variable.type, XTensorType):
            found.add(f"an xtensor is left in {where}")
        op = variable.owner and variable.owner.op
        # A Blockwise holds the operation that it applies to each element of a batch.
        while isinstance(op, Blockwise):
            op = op.core_op
        if isinstance(op, XOp | XTypeCastOp):
            found.add(f"the xtensor op {type(op).__name__} is left in {where}")
        if isinstance(op, OpFromGraph) and lowering != "stock":
            found.add(f"the inner graph of {type(op).__name__} is left in {where}")
    return tuple(sorted(found))
