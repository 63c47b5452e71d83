"""Replace the softmax in which PyTensor recognizes a stable quotient by that quotient.

Before PyTensor 3.3.8, `local_softmax_stabilize` (in "stabilize") finds the quotient of
`stable_softmax`, but not in its gradient, which would then compute the same powers again.
"""

from __future__ import annotations

from typing import Any

import pytensor.scalar as ps
import pytensor.tensor as pt
from pytensor.compile.mode import optdb
from pytensor.graph.rewriting.basic import node_rewriter, out2in
from pytensor.tensor.elemwise import DimShuffle, Elemwise
from pytensor.tensor.special import Softmax

from refdot.pytensor.lowerings.expansion import POSITION
from refdot.pytensor.lowerings.softmax import MaxOfAnySize

__all__ = ["expand_stable_softmax"]


@node_rewriter([Softmax])  # type: ignore[untyped-decorator]  # PyTensor's types are skipped
def expand_stable_softmax(fgraph: Any, node: Any) -> list[Any] | None:
    """Replace the softmax of x minus its maximum by a quotient of powers."""
    (difference,), axis = node.inputs, node.op.axis
    match difference.owner_op_and_inputs:
        case (Elemwise(scalar_op=ps.Sub()), _, largest) if _is_maximum(largest):
            powers = _exp(fgraph, difference)
            return [powers / powers.sum(axis=axis, keepdims=True)]
    return None


def _exp(fgraph: Any, tensor: Any) -> Any:
    """Return exp(tensor), the one of the graph if it has it."""
    powers = [node.outputs[0] for node, _ in fgraph.clients[tensor] if node.op == pt.exp]
    return powers[0] if powers else pt.exp(tensor)


def _is_maximum(tensor: Any) -> bool:
    """Return whether a tensor is the maximum of `stable_softmax`, whatever its axes are."""
    while tensor.owner and isinstance(tensor.owner.op, DimShuffle):
        tensor = tensor.owner.inputs[0]
    return bool(tensor.owner) and isinstance(tensor.owner.op, MaxOfAnySize)


optdb.register(
    "expand_stable_softmax", out2in(expand_stable_softmax), "fast_run", position=POSITION
)
