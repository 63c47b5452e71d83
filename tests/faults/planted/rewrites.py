"""Faults in rewrites."""

from planted.places import (
    fault,
)
from refdot.cases.notation import dot_case

__all__ = ["FAULTS"]

BATCHED_MATMUL = "pytensor.tensor.rewriting.blas:specialize_matmul_to_batched_dot.fn"
DOT_OF_ZEROS = "pytensor.tensor.rewriting.math:local_0_dot_x.fn"
DOT_TO_MUL = "pytensor.tensor.rewriting.math:local_dot_to_mul.fn"
ONE_HOT = "pytensor.assumptions.selection:_selection_from_constant"
RESHAPE_OF_ONES = "pytensor.tensor.rewriting.shape:local_reshape_to_dimshuffle.fn"
TRANSPOSE_OF_DOT = "pytensor.tensor.rewriting.math:local_lift_transpose_through_dot.fn"
TRANSPOSE_OF_ELEMWISE = "pytensor.tensor.rewriting.elemwise:local_dimshuffle_lift.fn"

# In each: name, aspect and example; then the edit: where, old and new. Formatted by hand.
# fmt: off
FAULTS = [
    fault("the transpose of a dot keeps the operands in order", "gradients",
          dot_case("b? a?", "b? c?", gradient_order=1),
          TRANSPOSE_OF_DOT, "node.op(y.mT, x.mT)", "node.op(x.mT, y.mT)", lowering="inlined"),
    fault("a dot over a dim of size 1 is wrong", "values", dot_case("a:1 b:1", "b:1 c:1"),
          DOT_TO_MUL, "mul(a, b)", "mul(a, b, b)"),
    fault("a transpose is lifted through only one operand", "gradients",
          dot_case("d? e?", "e? d?", (), gradient_order=1),
          TRANSPOSE_OF_ELEMWISE, "for inp in inode.inputs:",
          "for inp in inode.inputs[:1]:\n            new_inputs = list(inode.inputs[1:])"),
    fault("several batch dims are unravelled in reverse order", "values",
          dot_case("b? a? c? d?", "b? a? d? e?", "d"),
          BATCHED_MATMUL, "(*x_shape[:-2], x_shape[-2], y_shape[-1])",
          "(*x_shape[:-2][::-1], x_shape[-2], y_shape[-1])", lowering="inlined"),
    fault("an axis of size 1 is restored as the last one", "values", dot_case("a? b?", "a? b?"),
          RESHAPE_OF_ONES, "expand_dims(new_out, expand_axes)",
          "expand_dims(new_out, [output.type.ndim - 1 - i for i in range(len(expand_axes))])",
          lowering="inlined"),
    fault("a constant of small numbers is one of zeros", "values",
          dot_case("a:5 b:5", "b:5? c?", origin=("constant", "input"),
                   content=("nearly-zeros", "drawn")),
          DOT_OF_ZEROS, "== 0", "in (0, 2.0**-20)",
          lowering="inlined"),
    fault("columns that have the sum 1 are one-hot", "values",
          dot_case("b? a:5?", "a:5 c:3", origin=("input", "constant"),
                   content=("drawn", "nearly-one-hot")),
          ONE_HOT, 'data.dtype.kind == "i"', 'data.dtype.kind in "if"', lowering="inlined"),
    fault("axes of a sum are not counted without the axes of size 1", "values",
          dot_case("a:1 b? c?", "c?", ("a", "b")),
          "pytensor.tensor.rewriting.math:local_reduce_broadcastable.fn",
          "new_axis.append(ii)", "new_axis.append(p)"),
]
# fmt: on
