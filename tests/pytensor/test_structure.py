"""What a lowered graph may still contain."""

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

# Each: the outputs, what is left by the stock lowering, and what more by any other.
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
    "an input that is named": ([as_xtensor(X, dims=("a", "b")).type()], [XTENSOR], []),
    "an inner graph": ([SQUARE(X)], [], [INNER]),
    "two inner graphs, said once": ([SQUARE(X), SQUARE(Y) + 1], [], [INNER]),
    "an inner graph for each of a batch": (
        [vectorize(SQUARE, signature="(a,b)->(a,b)")(BATCH)],
        [],
        [INNER],
    ),
}


@pytest.mark.parametrize(("outputs", "stock", "more"), GRAPHS.values(), ids=GRAPHS)
def test_what_is_left_is_listed(outputs, stock, more):
    assert unlowered_nodes(outputs, "stock", "the graph") == tuple(stock)
    assert unlowered_nodes(outputs, "inlined", "the graph") == tuple(sorted(stock + more))
