"""Known deviations: what lowering costs, and what is left in a compiled function."""

from math import prod

from refdot.cases.notation import dot_case
from refdot.pytensor.deviations.record import known_deviation
from refdot.targets.mismatch import Mismatch
from refdot.targets.outcome import Outcome

# Two measurements of the same graph differ by less, in bytes.
_NOISE = 100_000


@known_deviation(
    "R15 resources",
    dot_case("a:2", "a:2"),
    dot_case("a:2", "a:2", ()),
    dot_case("a:2 b:3", "b:3 c:4"),
    lowerings="stock inlined",
)
def arrays_for_a_path(mismatch: Mismatch, outcome: Outcome) -> bool:
    """To lower a dot of static sizes allocates an array of each operand's shape.

    `einsum` (tensor/einsum.py) calls `np.einsum_path` with `np.empty(shape)` for each operand if
    all sizes are static. The arrays hold float64, whatever the dtypes of the operands: lowering a
    dot of 150,000 × 150,000 numbers of type int8 asks for 168 GiB for each of them.
    """
    for growth in outcome.growth:
        x, y = growth.case.x, growth.case.y
        arrays = 8 * (prod(x.shape) + prod(y.shape))
        small, large = growth.memory
        # Without the arrays, the peak of memory may be at another time.
        if all(x.static + y.static) and arrays < large < arrays + small + _NOISE:
            return mismatch.stage == growth.stage == "lower"
    return False


@known_deviation(
    "R14 structure",
    dot_case("a:2? b:3?", "b:3?", gradient_order=1),
    dot_case("a:2? b:3?", "a:2? b:3?", "b", gradient_order=1),
    lowerings="stock",
)
def gradients_in_an_inner_graph(mismatch: Mismatch, outcome: Outcome) -> bool:
    """The gradient of a dot is still an `OpFromGraph` in the compiled function.

    `OpFromGraph.pullback` (compile/builders.py) wraps the gradient of an `Einsum` in a plain
    `OpFromGraph`. `inline_optimized_einsum` (tensor/rewriting/einsum.py) inlines only an `Einsum`,
    and `inline_ofg_expansion` only what has `inline=True`. So no rewrite sees both the gradient and
    the graph around it.
    """
    return (
        mismatch.detail == "the inner graph of OpFromGraph is left in the compiled gradient graph"
    )
