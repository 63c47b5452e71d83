"""Nodes that a lowered graph must not contain are found."""

from __future__ import annotations

import pytensor.tensor as pt
import pytest
from pytensor.compile.builders import OpFromGraph
from pytensor.tensor.functional import vectorize
from pytensor.xtensor import as_xtensor
from pytensor.xtensor import dot as named_dot

from refdot.pytensor.target.structure import unlowered_nodes

X, Y = pt.matrix("x"), pt.matrix("y")
NAMED = named_dot(as_xtensor(X, dims=("a", "b")), as_xtensor(Y, dims=("b", "c")))
SQUARE = OpFromGraph([X], [X**2])
BATCH = pt.tensor3("batch")
XTENSOR = "an xtensor is left in the graph"
CAST = "the xtensor op {} is left in the graph"
INNER = "the inner graph of OpFromGraph is left in the graph"

# Each: the outputs, what is reported for any lowering, and in addition for all but stock.
GRAPHS = {
    "none": ([], [], []),
    "an input": ([X], [], []),
    "tensor operations": ([X @ Y, X + 1], [], []),
    "a named dot": (
        [NAMED],
        [XTENSOR, CAST.format("Dot"), CAST.format("XTensorFromTensor")],
        [],
    ),
    "a cast of a named dot": (
        [NAMED.values],
        [XTENSOR, *map(CAST.format, ("Dot", "TensorFromXTensor", "XTensorFromTensor"))],
        [],
    ),
    "a named input": ([as_xtensor(X, dims=("a", "b")).type()], [XTENSOR], []),
    "an inner graph": ([SQUARE(X)], [], [INNER]),
    "two inner graphs, reported once": ([SQUARE(X), SQUARE(Y) + 1], [], [INNER]),
    "a batched inner graph": (
        [vectorize(SQUARE, signature="(a,b)->(a,b)")(BATCH)],
        [],
        [INNER],
    ),
}


@pytest.mark.parametrize(("outputs", "always", "inner"), GRAPHS.values(), ids=GRAPHS)
def test_unlowered_nodes_are_reported(outputs, always, inner):
    assert unlowered_nodes(outputs, "stock", "the graph") == tuple(always)
    assert unlowered_nodes(outputs, "inlined", "the graph") == tuple(sorted(always + inner))
