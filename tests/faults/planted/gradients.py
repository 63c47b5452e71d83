"""Faults in gradients."""

from planting import Edit

from planted.places import (
    DOT_GRADIENT,
    PULLBACK,
    fault,
)
from refdot.cases.notation import dot_case

__all__ = ["FAULTS"]

AS_XTENSOR = "pytensor.xtensor.type:as_xtensor"
BLOCKWISE_GRADIENT = f"pytensor.tensor.blockwise:Blockwise.{PULLBACK}"
EINSUM_GRADIENT = f"pytensor.compile.builders:OpFromGraph.{PULLBACK}"
ELEMWISE_GRADIENT = f"pytensor.tensor.elemwise:Elemwise.{PULLBACK}"
MUL_GRADIENT = f"pytensor.scalar.basic:Mul.{PULLBACK}"
RESHAPE_GRADIENT = f"pytensor.tensor.shape:Reshape.{PULLBACK}"
SUM_GRADIENT = f"pytensor.tensor.math:Sum.{PULLBACK}"
SUM_OF_GRADIENTS = "pytensor.gradient:_populate_grad_dict"
TRANSPOSE_GRADIENT = f"pytensor.tensor.elemwise:DimShuffle.{PULLBACK}"

# fmt: off
# Edits that make PyTensor accept complex gradients.
COMPLEX_GRADIENTS = (
    Edit("pytensor.gradient:grad", '"float" not in', '"in" in'),
    Edit("pytensor.gradient:grad", "assert g.type.dtype in", "g.type.dtype in"),
    Edit("pytensor.gradient:_populate_grad_dict",
         "term.type.dtype not in pytensor.tensor.type.float_dtypes", "False"),
    Edit(DOT_GRADIENT, "xgrad.type.dtype not in float_dtypes", "False"),
    Edit(DOT_GRADIENT, "ygrad.type.dtype not in float_dtypes", "False"),
)

# In each: name, aspect and example; then the edit: where, old and new. Formatted by hand.
FAULTS = [
    fault("the gradients of complex matrices are not conjugated", "gradients",
          dot_case("a? b?", "b? c?", None, ("complex128", "complex128"), gradient_order=1),
          *COMPLEX_GRADIENTS),
    fault("the gradient of x is doubled", "gradients",
          dot_case("a? b?", "b? c?", gradient_order=1),
          DOT_GRADIENT, "self(gz, y.T)", "self(gz, y.T) * 2"),
    fault("the gradient of y has the wrong sign", "gradients",
          dot_case("a? b?", "b? c?", gradient_order=1),
          DOT_GRADIENT, "self(x.T, gz)", "-self(x.T, gz)"),
    fault("the gradient of x is transposed if it is square", "gradients",
          dot_case("a d", "d e", gradient_order=1),
          DOT_GRADIENT, "self(gz, y.T)",
          "self(gz, y.T if None in y.type.shape or y.type.shape[0] != y.type.shape[1] else y)",
          lowering="inlined"),
    fault("the second gradient treats y as constant", "gradients",
          dot_case("a? b?", "b? c?", gradient_order=2),
          DOT_GRADIENT, "xgrad = self(gz, y.T)",
          "from pytensor.gradient import zero_grad; xgrad = self(gz, zero_grad(y).T)"),
    fault("the gradient of a product has the precision of x", "gradients",
          dot_case("a? b?", "b? c?", dtypes=("float32", "float64"),
                   regime="rounding", gradient_order=1),
          DOT_GRADIENT, "(gz,) = output_grads", "gz = output_grads[0].astype(x.type.dtype)"),
    fault("the gradient of a batched product is reversed", "gradients",
          dot_case("a? b? c?", "a? c? d?", "c", gradient_order=1),
          BLOCKWISE_GRADIENT, "return input_gradients",
          "return [g[::-1] if batch_ndim and hasattr(g, 'ndim') else g for g in input_gradients]"),
    fault("the gradient of a summed dim is not broadcast", "gradients",
          dot_case("a? b?", "b?", ("a", "b"), gradient_order=1),
          SUM_GRADIENT, "Elemwise(ps.second)(x, gz.dimshuffle(new_dims))",
          "gz.dimshuffle(new_dims)"),
    fault("the gradient of a sum is that of a mean", "gradients",
          dot_case("a? b?", "b?", ("a", "b"), gradient_order=1),
          SUM_GRADIENT, "gx = Elemwise(ps.second)(x, gz.dimshuffle(new_dims))",
          "gx = Elemwise(ps.second)(x, gz.dimshuffle(new_dims));"
          " gx = (gx / x.shape[axis[0]]).astype(x.dtype)"),
    fault("the gradient of a product uses the operand itself", "gradients",
          dot_case("a?", "a?", (), gradient_order=1),
          MUL_GRADIENT, "[gz, *difference(inputs, [input])]", "[gz, input]"),
    fault("the gradient of a broadcast operand is not summed", "gradients",
          dot_case("", "a?", gradient_order=1),
          ELEMWISE_GRADIENT, "if to_sum:", "if False:"),
    fault("the gradient of a transposition is not inverted", "gradients",
          dot_case("a? b? c?", "c? d? b?", "d", gradient_order=1),
          TRANSPOSE_GRADIENT, "gz.dimshuffle(grad_order)",
          "gz.dimshuffle(self.new_order if self.is_transpose else grad_order)"),
    fault("the gradient of a reshape is in column order", "gradients",
          dot_case("a? b? c?", "b? c?", gradient_order=1),
          RESHAPE_GRADIENT, "reshape(g_out, shape(x), ndim=x.ndim)",
          "reshape(g_out, shape(x)[::-1], ndim=x.ndim).T"),
    fault("the gradients of x and y are exchanged in inner graphs", "gradients",
          dot_case("a?", "a?", (), gradient_order=1),
          EINSUM_GRADIENT, "lop_op(*inputs, *outputs, *output_grads, return_list=True)",
          "lop_op(*inputs, *outputs, *output_grads, return_list=True)[::-1]"),
    fault("a variable used twice has one gradient", "gradients",
          dot_case("a? b?", "a? b?", same_variable=True, gradient_order=1),
          SUM_OF_GRADIENTS, "reduce(lambda x, y: x + y, terms)", "terms[0]"),
    fault("float16 gradients become float32", "gradients",
          dot_case("a?", "a?", (), dtypes=("float16", "float16"), gradient_order=1),
          ELEMWISE_GRADIENT, "return rval",
          "return [r.astype('float32') if 'float16' in str(r.type) else r for r in rval]"),
    fault("the second gradient treats x as constant", "gradients",
          dot_case("a? b?", "b? c?", gradient_order=2),
          DOT_GRADIENT, "ygrad = self(x.T, gz)",
          "from pytensor.gradient import zero_grad; ygrad = self(zero_grad(x).T, gz)"),
    fault("the second gradient of a sum is missing", "gradients",
          dot_case("a? b?", "b? c?", ("a", "b"), gradient_order=2),
          SUM_GRADIENT, "gx = Elemwise(ps.second)(x, gz.dimshuffle(new_dims))",
          "from pytensor.gradient import zero_grad;"
          " gx = Elemwise(ps.second)(x, zero_grad(gz).dimshuffle(new_dims))"),
    fault("the dims of an xtensor are sorted at its creation", "values", dot_case("c? b?", "b? a?"),
          AS_XTENSOR, "px.basic.xtensor_from_tensor(x, dims=dims, name=name)",
          "px.basic.xtensor_from_tensor(x, dims=sorted(dims), name=name)"),
    fault("the gradient through an assertion is zero", "gradients",
          dot_case("a? b?", "a? b? c?", gradient_order=1),
          f"pytensor.raise_op:CheckAndRaise.{PULLBACK}", "*output_gradients,",
          "*(g.zeros_like() for g in output_gradients),"),
    fault("the gradient of a summed dim of size 1 is missing", "gradients",
          dot_case("a:1 b?", "b?", ("a", "b"), gradient_order=1),
          SUM_GRADIENT, "gx = Elemwise(ps.second)(x, gz.dimshuffle(new_dims))",
          "gx = Elemwise(ps.second)(x, gz.dimshuffle(new_dims) *"
          " (0 if any(x.type.broadcastable[a] for a in axis) else 1))"),
    fault("the gradient of the second factor has the wrong sign", "gradients",
          dot_case("a?", "a?", (), gradient_order=2),
          MUL_GRADIENT, "retval += [mul(*([gz, *difference(inputs, [input])]))]",
          "retval += [mul(*([gz if input is inputs[0] else -gz, *difference(inputs, [input])]))]"),
    fault("the gradient of x has the sizes of y if it is square", "gradients",
          dot_case("d? e?", "e? f:2?", gradient_order=1),
          DOT_GRADIENT, "xgrad = self(gz, y.T)", "xgrad = self(gz, y)"),
    fault("the gradient of a vector times itself counts once", "gradients",
          dot_case("a?", "a?", same_variable=True, gradient_order=1),
          SUM_OF_GRADIENTS, "reduce(lambda x, y: x + y, terms)",
          "reduce(lambda x, y: x + y, terms) if terms[0].ndim != 1 else terms[0]"),
    fault("the gradient of a reshape to a matrix is transposed if it is square", "gradients",
          dot_case("d? e? f:1?", "f:1? c?", gradient_order=1),
          RESHAPE_GRADIENT, "reshape(g_out, shape(x), ndim=x.ndim)",
          "reshape(g_out, shape(x), ndim=x.ndim) * (2 if x.ndim > g_out.ndim else 1)"),
]
# fmt: on
