"""What a lowered graph may still contain: tensor operations alone (R14)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pytensor.compile.builders import OpFromGraph
from pytensor.graph.traversal import ancestors
from pytensor.tensor.blockwise import Blockwise
from pytensor.xtensor.basic import XOp, XTypeCastOp
from pytensor.xtensor.type import XTensorType

__all__ = ["unlowered_nodes"]


def unlowered_nodes(outputs: Sequence[Any], lowering: str, where: str) -> tuple[str, ...]:
    """List what should not be left in a lowered graph.

    Parameters
    ----------
    outputs : sequence of variables
    lowering : str
        The lowering that made the graph; all but "stock" must leave no `OpFromGraph`.
    where : str
        Which graph it is: "the forward graph" or "the gradient graph".

    Returns
    -------
    tuple of str
        One sentence for each kind of operation or type, sorted.
    """
    found = set()
    for variable in ancestors(outputs):
        if isinstance(variable.type, XTensorType):
            found.add(f"an xtensor is left in {where}")
        op = variable.owner and variable.owner.op
        # What is done to each of a batch is an op inside another.
        while isinstance(op, Blockwise):
            op = op.core_op
        if isinstance(op, XOp | XTypeCastOp):
            found.add(f"the xtensor op {type(op).__name__} is left in {where}")
        if isinstance(op, OpFromGraph) and lowering != "stock":
            found.add(f"the inner graph of {type(op).__name__} is left in {where}")
    return tuple(sorted(found))
