"""Faults in what building costs, and in what is left in a compiled function."""

from planted.places import LOWER, MATRICES, NODE, fault
from refdot.cases.notation import dot_case

__all__ = ["FAULTS"]

DOT_TO_MUL = "pytensor.tensor.rewriting.math:local_dot_to_mul.fn"

# In each: name, aspect and example; then the edit: where, old and new. Formatted by hand.
# fmt: off
FAULTS = [
    fault("a graph holds an array of each operand's shape", "resources", dot_case("a:2", "a:2"),
          NODE, "x = as_xtensor(x)", "x = as_xtensor(x); np.ones([n or 1 for n in x.type.shape])"),
    fault("lowering makes an index for every size", "resources", dot_case("a:2 b:3", "b?"),
          LOWER, "[out] = node.outputs", "[out] = node.outputs;"
          " list(range(max(filter(None, x.type.shape), default=0)))"),
    fault("sizes above 10,000 are rejected", "resources", dot_case("a:2", "a:2"),
          NODE, "x = as_xtensor(x)",
          "x = as_xtensor(x); assert max(filter(None, x.type.shape), default=0) <= 10_000"),
    fault("a product of two matrices is compiled as an inner graph", "structure", MATRICES,
          DOT_TO_MUL, "a, b = node.inputs", "a, b = node.inputs"
          "\n    if a.type.ndim == b.type.ndim == 2:"
          "\n        from pytensor.compile.builders import OpFromGraph"
          "\n        products = a.dimshuffle(0, 1, 'x') * b.dimshuffle('x', 0, 1)"
          "\n        product = products.sum(1, dtype=node.outputs[0].dtype)"
          "\n        return [OpFromGraph([a, b], [product])(a, b)]", lowering="inlined"),
]
# fmt: on
