"""The faults that are planted in PyTensor: each is a small mistake, with a case that shows it.

`tests/faults/kill_table.py` writes a table of what catches each of them.
"""

from __future__ import annotations

from typing import Any

from planting import Edit, Fault
from pytensor.graph.op import Op

from refdot.cases.case import DimArgument, DotCase
from refdot.cases.notation import dot_case, operand

__all__ = ["FAULTS"]

# The name of the method for gradients depends on PyTensor's version.
PULLBACK = "pullback" if hasattr(Op, "pullback") else "L_op"

DOT = "pytensor.xtensor.math:dot"
NODE = "pytensor.xtensor.math:Dot.make_node"
OPERATOR = "pytensor.xtensor.type:XTensorVariable.__matmul__"
METHOD = "pytensor.xtensor.type:XTensorVariable.dot"
TYPE = "pytensor.xtensor.type:XTensorType.__init__"
LOWER = "pytensor.xtensor.rewriting.math:lower_dot.fn"
USELESS_CAST = "pytensor.xtensor.rewriting.basic:useless_tensor_from_xtensor.fn"
EINSUM = "pytensor.tensor.einsum:einsum"
GENERAL_DOT = "pytensor.tensor.einsum:_general_dot"
TENSORDOT = "pytensor.tensor.math:tensordot"
INLINE = "refdot.pytensor.lowerings.install:inline_ofg_node"
ASSERT = "pytensor.raise_op:CheckAndRaise.perform"
ELEMWISE = "pytensor.tensor.elemwise:Elemwise.perform"
SUM = "pytensor.tensor.elemwise:CAReduce.perform"
RESHAPE = "pytensor.tensor.shape:Reshape.perform"
SPECIFY_SHAPE = "pytensor.tensor.shape:SpecifyShape.perform"
DOT22 = "pytensor.tensor.blas:Dot22.perform"
BATCHED_DOT = "pytensor.tensor.blas:BatchedDot.perform"
GEMV = "pytensor.tensor.blas:Gemv.perform"
DOT_GRADIENT = f"pytensor.tensor.math:Dot.{PULLBACK}"
SUM_GRADIENT = f"pytensor.tensor.math:Sum.{PULLBACK}"
MUL_GRADIENT = f"pytensor.scalar.basic:Mul.{PULLBACK}"
ELEMWISE_GRADIENT = f"pytensor.tensor.elemwise:Elemwise.{PULLBACK}"
TRANSPOSE_GRADIENT = f"pytensor.tensor.elemwise:DimShuffle.{PULLBACK}"
RESHAPE_GRADIENT = f"pytensor.tensor.shape:Reshape.{PULLBACK}"
BLOCKWISE_GRADIENT = f"pytensor.tensor.blockwise:Blockwise.{PULLBACK}"
EINSUM_GRADIENT = f"pytensor.compile.builders:OpFromGraph.{PULLBACK}"
TRANSPOSE_OF_DOT = "pytensor.tensor.rewriting.math:local_lift_transpose_through_dot.fn"
DOT_TO_MUL = "pytensor.tensor.rewriting.math:local_dot_to_mul.fn"
TRANSPOSE_OF_ELEMWISE = "pytensor.tensor.rewriting.elemwise:local_dimshuffle_lift.fn"
BATCHED_MATMUL = "pytensor.tensor.rewriting.blas:specialize_matmul_to_batched_dot.fn"
RESHAPE_OF_ONES = "pytensor.tensor.rewriting.shape:local_reshape_to_dimshuffle.fn"
AS_XTENSOR = "pytensor.xtensor.type:as_xtensor"
SUM_OF_GRADIENTS = "pytensor.gradient:_populate_grad_dict"


def product(new: str) -> tuple[Edit, ...]:
    """Replace each matrix product in PyTensor by an expression in the arrays x and y."""
    wrong = f"(lambda x, y: {new})"
    return (
        Edit("pytensor.tensor.math:Dot.perform", "np.matmul", wrong),
        Edit(DOT22, "np.dot", wrong),
        Edit(BATCHED_DOT, "np.matmul", wrong),
    )


def fault(name: str, aspect: str, example: DotCase, *edits: Any, lowering: str = "stock") -> Fault:
    """Return a fault of one edit, given as its three fields, or of several."""
    if isinstance(edits[0], str):
        return Fault(name, aspect, (Edit(*edits),), example, lowering)
    return Fault(name, aspect, edits, example, lowering)


MATRICES = dot_case("a? b?", "b? c?")
BATCHED = dot_case("a? b? c?", "a? c? d?", "c")
INTEGERS = ("int64", "int64")
DIFFER = "isinstance(y_shape, int)\n            and x_shape != y_shape"

# In each: name, aspect and example; then the edit: where, old and new. Formatted by hand.
# fmt: off
FAULTS = [
    # --- names and roles
    fault("y's dims come first", "values", dot_case("a? b?", "b? c?"),
          NODE, "{**x_shape_dict, **y_shape_dict}", "{**y_shape_dict, **x_shape_dict}"),
    fault("output dims are sorted by name", "values", dot_case("c? b?", "b? a?"),
          NODE, "tuple(d for d in shape_dict if d not in self.dims)",
          "tuple(sorted(d for d in shape_dict if d not in self.dims))"),
    fault("output dims are in the order of a set", "structure", dot_case("a? b? c?", "c? d?"),
          NODE, "for d in shape_dict if", "for d in set(shape_dict) if"),
    fault("batch dims are summed", "values", dot_case("a? b?", "a? b?", "b"),
          NODE, "if d not in self.dims)",
          "if d not in self.dims and not (d in x_shape_dict and d in y_shape_dict))"),
    fault("summed dims are kept", "values", dot_case("a? b?", "b? c?", ("a", "b")),
          NODE, "if d not in self.dims)",
          "if d not in self.dims or not (d in x_shape_dict and d in y_shape_dict))"),
    fault("dim=None contracts nothing", "values", MATRICES,
          DOT, "dim_set = intersection", "dim_set = set()"),
    fault("dim=None contracts only one dim", "values", dot_case("a? b?", "b? a?"),
          DOT, "dim_set = intersection", "dim_set = set(sorted(intersection)[:1])"),
    fault("dim=None sums everything", "values", MATRICES,
          DOT, "dim_set = intersection", "dim_set = union"),
    fault("dim=... means the shared dims", "values", dot_case("a? b?", "b? c?", ...),
          DOT, "dim_set = union", "dim_set = intersection"),
    fault("dim=... means the dims of x", "values", dot_case("a? b?", "b? c?", ...),
          DOT, "dim_set = union", "dim_set = x_dims"),
    fault("a str is read as its characters", "values", dot_case("time:2?", "time:2?", "time"),
          DOT, "dim_set = {dim}", "dim_set = set(dim)"),
    fault("an empty dim means None", "values", dot_case("a?", "a?", ()),
          DOT, "dim_set = set(dim)", "dim_set = set(dim) or intersection"),
    fault("only the first of several dims is used", "values",
          dot_case("a? b?", "a? b?", ("a", "b")),
          DOT, "dim_set = set(dim)", "dim_set = set(list(dim)[:1])"),
    fault("an iterator is read twice", "values",
          DotCase(operand("a?"), operand("a?"), DimArgument("iterator", ("a",))),
          DOT, "dim_set = set(dim)", "dim_set = set(dim) and set(dim)"),
    fault("repeated names are rejected", "values", dot_case("a?", "a?", ("a", "a")),
          DOT, "dim_set = set(dim)",
          "dim = list(dim); dim_set = set(dim); assert len(dim) == len(dim_set)"),
    fault("only a list or tuple of dims is accepted", "values", dot_case("a?", "a?", {"a"}),
          DOT, "isinstance(dim, Iterable)", "isinstance(dim, (list, tuple))"),
    fault("dims that only y has are not found", "values", dot_case("a?", "a? b?", ("a", "b")),
          DOT, "if d not in union", "if d not in x_dims"),
    fault("only shared dims are accepted", "values", dot_case("a? b?", "b?", ("a", "b")),
          DOT, "if d not in union", "if d not in intersection"),
    fault("x.dot(y, dim) ignores dim", "values",
          dot_case("a? b?", "b? c?", ("a", "b"), call="method"),
          METHOD, ", dim=dim", ""),
    fault("x.dot(y) is dot(y, x)", "values", dot_case("a? b?", "b? c?", call="method"),
          METHOD, "dot(self, other, dim=dim)", "dot(other, self, dim=dim)"),
    fault("x @ y is y @ x", "values", dot_case("a? b?", "b? c?", call="operator"),
          OPERATOR, "px.math.dot(self, other)", "px.math.dot(other, self)"),
    fault("x @ y sums every dim", "values", dot_case("a? b?", "b? c?", call="operator"),
          OPERATOR, "px.math.dot(self, other)", "px.math.dot(self, other, dim=...)"),
    fault("dots over different dims are equal", "structure", dot_case("a?", "a? b?"),
          "pytensor.xtensor.math:Dot.__init__", "self.dims = dims",
          "self.dims = type('Dims', (tuple,), dict(__eq__=lambda x, y: True,"
          " __hash__=lambda x: 0))(dims)"),
    # --- dtypes and static sizes
    fault("the dtype is that of x", "values", dot_case("a?", "a?", dtypes=("float32", "float64")),
          NODE, "upcast(x.type.dtype, y.type.dtype)", "x.type.dtype"),
    fault("the dtype is at least float32", "values", dot_case("a?", "a?", dtypes=INTEGERS),
          NODE, "upcast(x.type.dtype, y.type.dtype)",
          "upcast(x.type.dtype, y.type.dtype, 'float32')"),
    fault("float16 becomes float32", "values", dot_case("a?", "a?", dtypes=("float16", "float16")),
          Edit(NODE, "upcast(x.type.dtype, y.type.dtype)",
               "upcast(x.type.dtype, y.type.dtype).replace('float16', 'float32')"),
          Edit(LOWER, "einsum(einsum_str, x_tensor, y_tensor)",
               "einsum(einsum_str, x_tensor, y_tensor); out_tensor ="
               " out_tensor.astype('float32') if out_tensor.dtype == 'float16' else out_tensor")),
    fault("static sizes are lost", "values", dot_case("a b", "b c"),
          NODE, "tuple(shape_dict[d] for", "tuple(None for"),
    fault("static sizes of y are lost", "values", dot_case("a b", "b c"),
          NODE, "tuple(shape_dict[d] for", "tuple(x_shape_dict.get(d) for"),
    fault("a static size of 0 is lost", "values", dot_case("a:0", "b"),
          NODE, "tuple(shape_dict[d] for", "tuple(shape_dict[d] or None for"),
    fault("an unknown size is declared as 1", "values", MATRICES,
          NODE, "tuple(shape_dict[d] for",
          "tuple(1 if shape_dict[d] is None else shape_dict[d] for"),
    fault("the output has the sizes of the first dims", "values", dot_case("b a", "b c"),
          NODE, "tuple(shape_dict[d] for d in out_dims)",
          "tuple(shape_dict.values())[: len(out_dims)]"),
    # --- errors
    fault("an unknown name is accepted", "errors", dot_case("a?", "a?", ("a", "z")),
          DOT, "if d not in union", "if False"),
    fault("the error does not name the unknown dim", "errors", dot_case("a?", "a?", "z"),
          DOT, "Dimension {d} not", "Dimension not"),
    fault("an unknown name raises KeyError", "errors", dot_case("a?", "a?", "z"),
          DOT, "raise ValueError", "raise KeyError"),
    fault("dim of another type means None", "errors", dot_case("a?", "a?", 5),
          DOT, "dim_set = set(dim)",
          "dim_set = set(dim)\n    else:\n        dim_set = intersection"),
    fault("a repeated dim is accepted", "errors", dot_case("a? a?", "a?"),
          TYPE, "if len(set(dims)) < len(dims)", "if False"),
    fault("static sizes are not compared", "errors", dot_case("a:2", "a:3"),
          NODE, "and x_shape != y_shape", "and False"),
    fault("a static size of 1 fits any size", "errors", dot_case("a:1", "a:3"),
          NODE, "and x_shape != y_shape", "and x_shape != y_shape and 1 not in (x_shape, y_shape)"),
    fault("a static size of 0 fits any size", "errors", dot_case("a:0", "a:3"),
          NODE, "and x_shape != y_shape", "and x_shape != y_shape and x_shape and y_shape"),
    fault("x may be smaller than y", "errors", dot_case("a:2", "a:3"),
          NODE, "x_shape != y_shape", "x_shape > y_shape"),
    fault("only the first dim is compared", "errors",
          dot_case("a b:2", "a b:3", ("a", "b")),
          NODE, "for dim in self.dims:", "for dim in sorted(self.dims)[:1]:"),
    fault("the error does not name the dim of other size", "errors", dot_case("a:2", "a:3"),
          NODE, "Size of dim '{dim}' does", "Sizes do"),
    fault("the error names the wrong dim", "errors", dot_case("a b:2", "b:3"),
          NODE, "Size of dim '{dim}'", "Size of dim '{x.type.dims[0]}'"),
    fault("sizes that differ raise AssertionError", "errors", dot_case("a:2", "a:3"),
          NODE, "raise ValueError", "raise AssertionError"),
    fault("the assertion on run-time sizes is missing", "errors",
          dot_case("a:2? b:3?", "a:3? b:2?"),
          ASSERT, "if not all(conds)", "if False"),
    fault("a product stops at the shorter operand", "errors", dot_case("a:2?", "a:3?"),
          *product("np.matmul(x[..., : y.shape[-2]], y[..., : x.shape[-1], :])")),
    fault("declared sizes are not checked", "errors",
          dot_case("a:3? b?", "a:1 b", "b"),
          SPECIFY_SHAPE, "if not all(", "if False and not all("),
    # --- lowering
    fault("x's subscripts are sorted", "values", dot_case("b? a?", "a? b?", "b"),
          LOWER, "dim_to_char[d] for d in x.type.dims",
          "dim_to_char[d] for d in sorted(x.type.dims)"),
    fault("y's subscripts are in the order of x", "values", dot_case("a? d?", "d? a?", ()),
          LOWER, "dim_to_char[d] for d in y.type.dims",
          "dim_to_char[d] for d in sorted(y.type.dims, key=all_dims.index)"),
    fault("the output's subscripts are reversed", "values", dot_case("a? b?", "b? d?"),
          LOWER, "dim_to_char[d] for d in out.type.dims",
          "dim_to_char[d] for d in out.type.dims[::-1]"),
    fault("letters repeat after the fourth dim", "values", dot_case("a? b? c?", "d? e? c?"),
          LOWER, "zip(all_dims, ascii_lowercase)", "zip(all_dims, 7 * ascii_lowercase[:4])"),
    fault("letters repeat after the eighth dim", "values",
          dot_case("a? b? c? d? e? f?", "a:2? b:3? c:4? d1? e1? f1?"),
          LOWER, "zip(all_dims, ascii_lowercase)", "zip(all_dims, 4 * ascii_lowercase[:8])"),
    fault("a fifth dim is too many", "values", dot_case("a? b? c?", "d? e? c?"),
          LOWER, "len(all_dims) > len(ascii_lowercase)", "len(all_dims) > 4"),
    fault("a twelfth dim is too many", "values",
          dot_case("a? b? c? d? e? f?", "a1? b1? c1? d1? e1? f1?"),
          LOWER, "len(all_dims) > len(ascii_lowercase)", "len(all_dims) > 11"),
    fault("y is transposed if all sizes are static", "values", dot_case("a d", "d e"),
          LOWER, "einsum(einsum_str, x_tensor, y_tensor)",
          "einsum(einsum_str, x_tensor, y_tensor.T"
          " if None not in x.type.shape + y.type.shape else y_tensor)"),
    fault("float64 is computed in float32", "values", dot_case("a?", "a?", regime="rounding"),
          LOWER, "einsum(einsum_str, x_tensor, y_tensor)",
          "einsum(einsum_str, x_tensor.astype('float32'), y_tensor.astype('float32'))"
          ".astype('float64') if x_tensor.dtype == y_tensor.dtype == 'float64'"
          " else einsum(einsum_str, x_tensor, y_tensor)"),
    fault("integers are computed in float64", "values",
          dot_case("a?", "a?", dtypes=INTEGERS, regime="rounding"),
          LOWER, "einsum(einsum_str, x_tensor, y_tensor)",
          "einsum(einsum_str, x_tensor.astype('float64'), y_tensor.astype('float64'))"
          ".astype('int64') if x_tensor.dtype == y_tensor.dtype == 'int64'"
          " else einsum(einsum_str, x_tensor, y_tensor)"),
    fault("the first of two complex operands is conjugated", "values",
          dot_case("a?", "a?", dtypes=("complex128", "complex128")),
          LOWER, "x_tensor = tensor_from_xtensor(x)",
          "x_tensor = tensor_from_xtensor(x); x_tensor ="
          " x_tensor.conj() if 'complex' in x.type.dtype else x_tensor"),
    fault("x's NaN becomes 0", "values", dot_case("a:6?", "a:6?", regime="special"),
          LOWER, "x_tensor = tensor_from_xtensor(x)",
          "from pytensor.tensor import isnan, where; x_tensor = tensor_from_xtensor(x);"
          " x_tensor = where(isnan(x_tensor), 0, x_tensor).astype(x.type.dtype)"
          " if x.type.dtype.startswith('float') else x_tensor"),
    # --- einsum and tensordot
    fault("several contracted dims are paired wrongly", "values", dot_case("a? d?", "a? d?"),
          EINSUM, "(rhs_cont, lhs_cont)", "(rhs_cont[::-1], lhs_cont)"),
    fault("batch dims are paired wrongly", "values", dot_case("a? b?", "b? a?", ()),
          EINSUM, "(rhs_batch, lhs_batch)\n", "(rhs_batch[::-1], lhs_batch)\n"),
    fault("dims of one operand are averaged", "values", dot_case("a? b?", "b?", ("a", "b")),
          EINSUM, "operand = operand.sum(axes)\n            names = removechars",
          "operand = operand.mean(axes).astype(operand.dtype)\n            names = removechars"),
    fault("only one of several summed dims is summed", "values",
          dot_case("a? b?", "c?", ("a", "b")),
          EINSUM, "names.index(name) for name in uniques]",
          "names.index(name) for name in uniques[:1]]"),
    fault("the last transposition is inverted", "values", dot_case("c? a?", "a? d? e?", ()),
          EINSUM, "tuple(names.index(name) for name in result_names)",
          "tuple(result_names.index(name) for name in names)"),
    fault("the last transposition is missing", "values", dot_case("c? b? a?", "a? d?", ()),
          EINSUM, "if names != result_names", "if False"),
    fault("batch dims are moved the wrong way", "values", dot_case("d? a? b?", "d? a? b?", "d"),
          GENERAL_DOT, "moveaxis(var, var_batch_axes, new_var_batch_axes)",
          "moveaxis(var, new_var_batch_axes, var_batch_axes)"),
    fault("axes after a batch dim are miscounted", "values",
          dot_case("b? d? a?", "a? d? b?", "b"),
          GENERAL_DOT, "batch_axis > var_axis", "batch_axis < var_axis"),
    fault("three or more free dims of y are reversed", "values", dot_case("a?", "a? b? d? e?"),
          TENSORDOT, "axes_b + non_summed_axes_b\n",
          "axes_b + (non_summed_axes_b if ndim_b < 3 else non_summed_axes_b[::-1])\n"),
    # --- operations
    fault("an empty contraction gives NaN", "values", dot_case("a? b:0?", "b:0? c?"),
          *product("np.matmul(x, y) if x.shape[-1] else"
                   " np.matmul(x, y) * np.asarray(np.nan, x.dtype)")),
    fault("a product of one row is doubled", "values", dot_case("a:1? b?", "b? c?"),
          *product("np.matmul(x, y) * np.asarray(2 if x.shape[-2] == 1 else 1, x.dtype)")),
    fault("a product ends after 16 terms", "values", dot_case("a? b:20?", "b:20? c?"),
          *product("np.matmul(x[..., :16], y[..., :16, :])")),
    fault("a product ends after 64 terms", "values", dot_case("a? b:70?", "b:70? c?"),
          *product("np.matmul(x[..., :64], y[..., :64, :])")),
    fault("products are computed in single precision", "values",
          dot_case("a? b?", "b? c?", regime="rounding"),
          *product("np.matmul(x, y.astype(np.float32) if y.dtype == float else y)")),
    fault("products are off by 1e-13", "values", dot_case("a? b?", "b? c?", regime="rounding"),
          *product("np.matmul(x, y) * np.matmul(x, y).dtype.type(1 + 1e-13)")),
    fault("products are off by 16 units roundoff", "values",
          dot_case("a? b?", "b? c?", regime="rounding"),
          *product("np.matmul(x, y) * np.matmul(x, y).dtype.type(1 + 2 ** -49)")),
    fault("infinity times zero is zero", "values",
          dot_case("a:7? b:5?", "b:5? c?", regime="special"),
          *product("np.matmul(x, y) if np.isfinite(y.astype(np.complex128)).all() else"
                   " np.nansum(x[..., None] * y[..., None, :, :], -2)"
                   ".astype(np.matmul(x, y).dtype)")),
    fault("an array is read in memory order", "values",
          dot_case("a? b?", "b? c?", layout="fortran"),
          *product("np.matmul(np.ravel(x, 'K').reshape(x.shape), y)")),
    fault("the memory of the output is reused", "values", MATRICES,
          *product("np.matmul(x, y, out=globals().setdefault("
                   "('memory', np.matmul(x, y).shape, np.matmul(x, y).dtype), np.matmul(x, y)))")),
    fault("a product overwrites its operand", "values", MATRICES,
          *product("[np.matmul(x, y), x.flags.writeable and x.fill(0)][0]")),
    fault("a batch is read backwards", "values", BATCHED,
          BATCHED_DOT, "np.matmul(x, y)", "np.matmul(x, y[::-1])"),
    fault("a matrix times a vector ignores infinities", "values",
          dot_case("a:5? b:5?", "b:5?", regime="special"),
          GEMV, "y, alpha, A, x, beta = inputs",
          "y, alpha, A, x, beta = inputs; A = np.nan_to_num(A, nan=np.nan, posinf=0, neginf=0)",
          lowering="inlined"),
    fault("an elementwise product is written into x", "values", dot_case("a?", "a?", ()),
          ELEMWISE, "if not variable.flags.owndata:",
          "if (inputs[0].flags.writeable and inputs[0].dtype == variable.dtype"
          " and inputs[0].shape == variable.shape):\n                inputs[0][...] = variable\n"
          "                storage[0] = inputs[0]\n            elif not variable.flags.owndata:"),
    fault("float32 is summed in float16", "values",
          dot_case("a? b?", "b?", ("a", "b"), dtypes=("float32", "float32"), regime="rounding"),
          SUM, "input = np.array(input, dtype=acc_dtype)",
          "acc_dtype = 'float16' if out_dtype == 'float32' else acc_dtype;"
          " input = np.array(input, dtype=acc_dtype)"),
    fault("a Fortran array is reshaped in Fortran order", "values",
          dot_case("a? b? c?", "c?", layout="fortran"),
          RESHAPE, "np.reshape(x, shp)", "np.reshape(x, shp, order='A')"),
    # --- gradients
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
    # --- layouts and particular sizes
    fault("a reversed operand is read forwards", "values",
          dot_case("a? b?", "b? c?", layout="reversed"),
          *product("np.matmul(x, y[..., ::-1, :] if y.strides[-2] < 0 else y)")),
    fault("nine or more columns are doubled", "values", dot_case("a? b?", "b? c:9?"),
          *product("np.matmul(x, y) * np.asarray(2 if y.shape[-1] >= 9 else 1, x.dtype)")),
    fault("rows after the sixteenth are 0", "values", dot_case("a:20? b?", "b? c?"),
          *product("np.matmul(np.concatenate([x[..., :16, :], 0 * x[..., 16:, :]], -2), y)")),
    fault("a product of equal shapes uses the transpose", "values", dot_case("a? d?", "d? e?"),
          *product("np.matmul(x, np.swapaxes(y, -1, -2) if x.shape == y.shape[:-2] +"
                   " y.shape[:-3:-1] else y)")),
    fault("products with 0 rows lack a column", "values", dot_case("a:0? b?", "b? c?"),
          *product("np.matmul(x, y)[..., 1:] if x.shape[-2] == 0 else np.matmul(x, y)")),
    fault("contracted axes of x are sorted", "values",
          dot_case("c? a? d? e?", "e? d? a?", ("d", "e")),
          TENSORDOT, "non_summed_axes_a + axes_a", "non_summed_axes_a + sorted(axes_a)"),
    # --- rewrites
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
    fault("an axis of size 1 is restored as the last one", "values", dot_case("a:1 b", "b c d:1"),
          RESHAPE_OF_ONES, "expand_dims(new_out, expand_axes)",
          "expand_dims(new_out, [output.type.ndim - 1 - i for i in range(len(expand_axes))])",
          lowering="inlined"),
    # --- second order, and inputs
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
    # --- structure
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
]
# fmt: on
