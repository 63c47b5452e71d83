"""Nodes that a lowered graph must not contain are found."""

from __future__ import annotations

import pytensor
import pytensor.tensor as pt
import pytest
from pytensor.compile.builders import OpFromGraph
from pytensor.compile.mode import Mode
from pytensor.scalar.basic import Composite, float64
from pytensor.tensor.elemwise import Elemwise
from pytensor.tensor.functional import vectorize
from pytensor.tensor.special import softmax
from pytensor.xtensor import as_xtensor
from pytensor.xtensor import dot as named_dot

from refdot.cases.notation import dot_case
from refdot.pytensor.target.structure import compiled_nodes, unlowered_nodes
from refdot.pytensor.target.target import PyTensorTarget

X, Y = pt.matrix("x"), pt.matrix("y")
NAMED = named_dot(as_xtensor(X, dims=("a", "b")), as_xtensor(Y, dims=("b", "c")))
SQUARE = OpFromGraph([X], [X**2])
A, B = float64("a"), float64("b")
BATCH = pt.tensor3("batch")
XTENSOR = "an xtensor is left in the graph"
CAST = "the xtensor op {} is left in the graph"
INNER = "the inner graph of OpFromGraph is left in the graph"


class OwnGraph(OpFromGraph):
    """An inner graph that is not of a class of PyTensor."""


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
    "an inner graph of an inner graph": (
        [OpFromGraph([X], [SQUARE(X) + 1])(X)],
        [],
        [INNER, INNER.replace("left in", "left in an inner graph of")],
    ),
    "an xtensor in an inner graph": (
        [OpFromGraph([X, Y], [NAMED.values])(X, Y)],
        [
            text.replace("left in", "left in an inner graph of")
            for text in (
                XTENSOR,
                *map(CAST.format, ("Dot", "TensorFromXTensor", "XTensorFromTensor")),
            )
        ],
        [INNER],
    ),
    "an elementwise composite": ([Elemwise(Composite([A, B], [A * B + A]))(X, Y)], [], []),
    "a softmax": ([softmax(X, axis=0)], [], []),
    "an inner graph of a class of its own": (
        [OwnGraph([X, Y], [X @ Y])(X, Y)],
        [],
        [INNER.replace("OpFromGraph", "OwnGraph")],
    ),
    "a batched inner graph": (
        [vectorize(SQUARE, signature="(a,b)->(a,b)")(BATCH)],
        [],
        [INNER],
    ),
}


@pytest.mark.parametrize(("outputs", "always", "inner"), GRAPHS.values(), ids=GRAPHS)
def test_unlowered_nodes_are_reported(outputs, always, inner):
    assert unlowered_nodes(outputs, "the graph", inner_graphs=True) == tuple(always)
    assert unlowered_nodes(outputs, "the graph", inner_graphs=False) == tuple(
        sorted(always + inner)
    )


FAST, MINIMUM = Mode("py", "fast_run"), Mode("py", "minimum_compile")
LEFT = "the inner graph of OpFromGraph is left in the compiled {} graph"
# Each: the lowering, the mode and the outputs of a function; then the graphs that are reported.
COMPILED = {
    "nothing": ("stock", FAST, [X**2, X + 1], []),
    "the dot": ("stock", FAST, [SQUARE(X), X + 1], ["forward"]),
    "a gradient": ("stock", FAST, [X + 1, X**2, SQUARE(X)], ["gradient"]),
    "both": ("direct", FAST, [SQUARE(X), SQUARE(X)], ["forward", "gradient"]),
    "a mode that does not inline": ("stock", MINIMUM, [SQUARE(X)], []),
    "a lowering that leaves none": ("inlined", MINIMUM, [SQUARE(X)], ["forward"]),
}


@pytest.mark.parametrize(("lowering", "mode", "outputs", "graphs"), COMPILED.values(), ids=COMPILED)
def test_compiled_nodes_are_reported(lowering, mode, outputs, graphs):
    function = pytensor.function([X], outputs, mode=mode)
    assert compiled_nodes(function, mode, lowering) == tuple(map(LEFT.format, graphs))


@pytest.mark.parametrize("lowering", PyTensorTarget.lowerings)
@pytest.mark.parametrize("backend", ["python", "python-minimum", "fast-compile"])
def test_only_the_stock_gradient_is_left_in_a_compiled_function(backend, lowering):
    case = dot_case("a? b?", "b? c?", gradient_order=2)
    outcome = PyTensorTarget().run(case, backend, lowering)
    is_left = (backend, lowering) == ("python", "stock")
    assert outcome.unlowered_nodes == ()
    assert outcome.compiled_nodes == (
        ("the inner graph of OpFromGraph is left in the compiled gradient graph",)
        if is_left
        else ()
    )
