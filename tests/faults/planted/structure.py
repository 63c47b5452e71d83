"""Faults in the structure of graphs."""

from planted.places import (
    BATCHED,
    DOT_GRADIENT,
    GENERAL_DOT,
    LOWER,
    MATRICES,
    fault,
)
from refdot.cases.notation import dot_case

__all__ = ["FAULTS"]

INLINE = "refdot.pytensor.lowerings.install:inline_ofg_node"
USELESS_CAST = "pytensor.xtensor.rewriting.basic:useless_tensor_from_xtensor.fn"


INLINE_EINSUM = "pytensor.tensor.rewriting.einsum:inline_optimized_einsum.fn"

# In each: name, aspect and example; then the edit: where, old and new. Formatted by hand.
# fmt: off
FAULTS = [
    fault("an inner graph's inputs are exchanged", "values", dot_case("a? d?", "d? e?"),
          INLINE, "zip(frozen_fg.inputs, node.inputs)", "zip(frozen_fg.inputs, node.inputs[::-1])",
          lowering="inlined"),
    fault("a scalar output is not lowered", "structure", dot_case("a?", "a?"),
          LOWER, "[out] = node.outputs", "[out] = node.outputs"
          "\n    if not out.type.dims:\n        return None"),
    fault("useless casts of xtensors are not removed", "structure", MATRICES,
          USELESS_CAST, "if x.owner and", "if False and"),
    fault("a batched product is left in an inner graph", "structure", BATCHED,
          GENERAL_DOT, "partial(tensordot, axes=[core_lhs_axes, core_rhs_axes])",
          "(lambda a, b: __import__('pytensor').compile.builders.OpFromGraph([a, b],"
          " [tensordot(a, b, axes=[core_lhs_axes, core_rhs_axes])])(a, b))",
          lowering="inlined"),
    fault("a gradient is left in an inner graph", "structure",
          dot_case("a? b?", "b? c?", gradient_order=1),
          DOT_GRADIENT, "xgrad = self(gz, y.T)",
          "from pytensor.compile.builders import OpFromGraph;"
          " xgrad = OpFromGraph([gz, y], [self(gz, y.T)])(gz, y)",
          lowering="inlined"),
    fault("an einsum with a batch dim stays in the compiled function", "structure", BATCHED,
          INLINE_EINSUM, "if not op.optimized:",
          "if not op.optimized or node.inputs[0].ndim == 3:"),
    fault("an einsum stays in the compiled function", "structure", MATRICES,
          INLINE_EINSUM, "if not op.optimized:", "if True:"),
    fault("the lowering allocates an array of the output's size", "resources",
          dot_case("a", "b"),
          LOWER, "out_subs = \"\"",
          "__import__('numpy').zeros([n or 1 for n in out.type.shape]); out_subs = \"\""),
    fault("the lowering counts every element", "resources", dot_case("a", "a"),
          LOWER, "out_subs = \"\"",
          "[i / 2 for n in x.type.shape for i in range(n or 1)]; out_subs = \"\""),
]
# fmt: on
