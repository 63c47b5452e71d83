"""Faults that a single dot does not show: each needs another operation before or after it."""

from __future__ import annotations

from dataclasses import dataclass

from planting import Edit

from planted.places import DOT, LOWER, NEW, PULLBACK

__all__ = ["FAULTS", "ProgramFault"]


@dataclass(frozen=True)
class ProgramFault:
    """A mistake in PyTensor that a composition shows.

    Attributes
    ----------
    name : str
        What PyTensor does wrong.
    steps : int
        The number of steps of the smallest program that shows it.
    edits : tuple of Edit
    lowering, backend : str
        The lowering and the backend with which it shows.
    """

    name: str
    steps: int
    edits: tuple[Edit, ...]
    lowering: str = "inlined"
    backend: str = "python"


ELEMWISE = "pytensor.xtensor.rewriting.vectorization:lower_elemwise.fn"
ALIGNED = "pytensor.xtensor.rewriting.utils:lower_aligned"
REDUCE = "pytensor.xtensor.rewriting.reduction:lower_reduce.fn"
TRANSPOSE = "pytensor.xtensor.rewriting.shape:lower_transpose.fn"
INDEX = "pytensor.xtensor.rewriting.indexing:lower_index.fn"
SOFTMAX = "pytensor.xtensor.math:softmax"
LIFT = "pytensor.tensor.rewriting.subtensor_lift"
NUMBA = "pytensor.link.numba.dispatch"
SUM_OF_PRODUCT = "pytensor.tensor.rewriting.math:local_sum_prod_of_mul_or_div.fn"
GEMM_SUM = "pytensor.tensor.rewriting.blas:_gemm_canonicalize"
SUM_OF_GRADIENTS = "pytensor.gradient:_populate_grad_dict"
STABLE_SOFTMAX = "refdot.pytensor.lowerings.softmax:stable_softmax"

# What a value was computed by, in the source of a rewrite: names of operations, through what only
# converts or renames.
_MADE_BY = (
    "(lambda v: {n for w in __import__('pytensor.graph.traversal', fromlist=['x']).ancestors([v])"
    " if w.owner for n in [str(getattr(w.owner.op, 'scalar_op', type(w.owner.op).__name__))]"
    " if 'XTensor' not in n and n != 'Rename'})"
)
_IS_DOT = "(lambda v: bool({'Dot', 'Einsum', 'Blockwise'} & " + _MADE_BY + "(v)))"
_X_TENSOR = "x_tensor = tensor_from_xtensor(x)"
_Y_TENSOR = "y_tensor = tensor_from_xtensor(y)"
_TENSOR_INPUTS = "tensor_inputs = [lower_aligned(inp, out_dims) for inp in node.inputs]"
_TERMS = "reduce(lambda x, y: x + y, terms)"


def _fault(
    name: str,
    steps: int,
    where: str,
    old: str,
    new: str,
    lowering="inlined",
    backend="python",
    versions="",
):
    return ProgramFault(name, steps, (Edit(where, old, new, versions),), lowering, backend)


# In each: name, steps; then the edit: where, old and new. Formatted by hand.
# fmt: off
FAULTS = [
    _fault("a chain of products is reordered", 2, LOWER, _X_TENSOR,
           f"{_X_TENSOR}\n    if {_IS_DOT}(x) and x_tensor.ndim == 2: x_tensor = x_tensor.mT"),
    _fault("the second of two products has its operand transposed", 2, LOWER, _Y_TENSOR,
           f"{_Y_TENSOR}\n    if {_IS_DOT}(x) and y_tensor.ndim == 2: y_tensor = y_tensor.mT"),
    _fault("two products of the same operands over different dims are merged", 2,
           DOT, "Dot(dims=tuple(dim_set))(x, y)",
           "x.owner.inputs[0].tag.__dict__.setdefault('dots', {}).setdefault("
           "y.owner.inputs[0], Dot(dims=tuple(dim_set)))(x, y) if x.owner and y.owner"
           " and x.owner.inputs and y.owner.inputs else Dot(dims=tuple(dim_set))(x, y)"),
    _fault("a product is moved into exp", 2, LOWER, "# Reshape to match the output shape",
           f"if 'exp' in {_MADE_BY}(x): from pytensor.tensor import exp, log;"
           " out_tensor = exp(einsum(einsum_str, log(x_tensor), y_tensor))"),
    _fault("the sign before a product is lost", 2, LOWER, _X_TENSOR,
           f"{_X_TENSOR}\n    if x.owner and {_MADE_BY}(x) == {{'neg'}}: x_tensor = -x_tensor"),
    _fault("a rename of a result is undone", 3, LOWER, "dim_to_char[d] for d in y.type.dims",
           "dim_to_char[d] for d in (y.owner.inputs[0] if y.owner"
           f" and type(y.owner.op).__name__ == 'Rename' and {_MADE_BY}(y) else y).type.dims"),
    _fault("a constant beside a result has the wrong dims", 2, LOWER, _Y_TENSOR,
           f"{_Y_TENSOR}\n    if {_MADE_BY}(x) and not {_MADE_BY}(y) and y_tensor.ndim == 2 and"
           " 'Constant' in type(y.owner.inputs[0]).__name__: y_tensor = y_tensor.mT"),
    _fault("a softmax of a product is over every dim", 2, SOFTMAX, "exp_x.sum(dim=dim)",
           "exp_x.sum(dim=None if x.owner and type(x.owner.op).__name__ == 'Dot' else dim)"),
    _fault("a softmax is over the other dim", 1, SOFTMAX, "exp_x.sum(dim=dim)",
           "exp_x.sum(dim=[d for d in x.dims if d != dim and (d,) != dim]"
           " if dim is not None and len(x.dims) == 2 and len(dim) == 1 else dim)"),
    _fault("a softmax overflows from scores of 700 on", 1, STABLE_SOFTMAX,
           "if FusibleSymbolicOp is not None:",
           "return (e := pt.exp(tensor)) / e.sum(axis=axes, keepdims=True)\n"
           "    if FusibleSymbolicOp is not None:", "direct"),
    _fault("a residual connection of a product is dropped", 2, ELEMWISE, _TENSOR_INPUTS,
           f"{_TENSOR_INPUTS}\n    if str(node.op.scalar_op) == 'add' and"
           f" [{_IS_DOT}(i) for i in node.inputs] == [True, False]: tensor_inputs[1] ="
           " tensor_inputs[1].zeros_like()"),
    _fault("a product times itself is the product", 2, ELEMWISE, _TENSOR_INPUTS,
           f"{_TENSOR_INPUTS}\n    if str(node.op.scalar_op) == 'mul' and"
           f" node.inputs[0] is node.inputs[1] and {_IS_DOT}(node.inputs[0]): tensor_inputs[1] ="
           " tensor_inputs[1].ones_like()"),
    _fault("operands with the same dims are aligned by position", 1, ALIGNED,
           "ds_order = tuple(inp_dims.get(dim, \"x\") for dim in out_dims)",
           "ds_order = tuple(range(x.ndim)) if len(out_dims) == x.ndim else"
           " tuple(inp_dims.get(dim, \"x\") for dim in out_dims)"),
    _fault("a dim that an operand lacks is added last", 2, ALIGNED,
           "ds_order = tuple(inp_dims.get(dim, \"x\") for dim in out_dims)",
           "ds_order = tuple(sorted((inp_dims.get(dim, \"x\") for dim in out_dims),"
           " key=lambda i: i == 'x'))"),
    _fault("the sum of a product over one dim is over its first", 2, REDUCE,
           "reduce_axis = [x_dims.index(dim) for dim in reduce_dims]",
           "reduce_axis = [0] if len(reduce_dims) == 1 and"
           f" {_IS_DOT}(x) else [x_dims.index(dim) for dim in reduce_dims]"),
    _fault("the transposition of a product is also a reflection", 2, TRANSPOSE,
           "x_tensor_transposed = x_tensor.transpose(perm)",
           "x_tensor_transposed = x_tensor.transpose(perm)\n"
           f"    if {_IS_DOT}(x): x_tensor_transposed = x_tensor_transposed[::-1]"),
    _fault("an index of a product is one of its other dim", 2, INDEX,
           "x_tensor_indexed, x_tensor_indexed_dims = _lower_index(node)",
           "x_tensor_indexed, x_tensor_indexed_dims = _lower_index(node)\n"
           f"    if {_IS_DOT}(node.inputs[0]) and x_tensor_indexed.ndim:"
           " x_tensor_indexed = x_tensor_indexed[::-1]"),
    _fault("a cotangent is dropped where a result is used twice", 2, SUM_OF_GRADIENTS, _TERMS,
           f"terms[0] if var.owner else {_TERMS}"),
    _fault("a cotangent is doubled where a result is used twice", 2, SUM_OF_GRADIENTS, _TERMS,
           f"{_TERMS} + terms[-1] if var.owner and len(terms) > 1 else {_TERMS}"),
    _fault("the third cotangent of a value is dropped", 2, SUM_OF_GRADIENTS, _TERMS,
           "reduce(lambda x, y: x + y, terms[:2])"),
    _fault("cotangents of a result add up in float32", 2, SUM_OF_GRADIENTS, _TERMS,
           "reduce(lambda x, y: (x.astype('float32') + y.astype('float32')).astype(x.dtype), terms)"
           f" if var.owner and getattr(var, 'dtype', '') == 'float64' else {_TERMS}"),
    _fault("the gradient of a quotient ignores the divisor", 1,
           f"pytensor.scalar.basic:TrueDiv.{PULLBACK}", "-(gz * x) / (y * y)",
           "(gz * x * 0) / (y * y)"),
    _fault("the gradient of exp is its argument", 1, f"pytensor.scalar.basic:Exp.{PULLBACK}",
           "gz * exp(x)", "gz * x"),
    _fault("the tangents of a product are subtracted", 1,
           "pytensor.tensor.math:Dot.pushforward", "[t1 + t2]", "[t1 - t2]"),
    _fault("a dim that is added to both operands of a product is summed", 1,
           "pytensor.xtensor.math:Dot.vectorize_node", "self(*new_inputs, return_list=True)",
           "type(self)((*self.dims, *(d for d in [new_dim]"
           " if all(d in i.type.dims for i in new_inputs))))(*new_inputs, return_list=True)"),
    _fault("a dim that is added to one operand of a product is reversed", 1,
           "pytensor.xtensor.math:Dot.vectorize_node", "self(*new_inputs, return_list=True)",
           "self(new_inputs[0].isel({new_dim: slice(None, None, -1)}) if new_dim in"
           " new_inputs[0].type.dims else new_inputs[0], *new_inputs[1:], return_list=True)"),
    _fault("gemm does not scale what it adds to", 3, "pytensor.tensor.blas:Gemm.perform",
           "z *= b", "z *= 1"),
    _fault("gemm adds a difference", 3, "pytensor.tensor.blas:Gemm.perform",
           "z -= np.dot(x, y)", "z += np.dot(x, y)"),
    _fault("gemm has one of two factors twice", 4, GEMM_SUM,
           "fgraph, m, mul(scaled(scalars[0]), *scalars[1:]), rval, 1",
           "fgraph, m, mul(scaled(scalars[0]), *scalars[:-1]), rval, 1"),
    _fault("gemv scales both terms", 3, "pytensor.tensor.blas:Gemv.perform",
           "out += y", "out += alpha * y"),
    _fault("a scaled product of matrices is not scaled", 2,
           "pytensor.tensor.blas:Dot22Scalar.perform", "scalar * np.dot(x, y)", "np.dot(x, y)"),
    _fault("a factor that is moved out of a sum is lost", 2, SUM_OF_PRODUCT,
           "outer_term * reduced_inner_term", "reduced_inner_term"),
    _fault("a divisor that is moved out of a sum multiplies it", 2, SUM_OF_PRODUCT,
           "reduced_inner_term / outer_term", "reduced_inner_term * outer_term"),
    _fault("a sum of quotients divides by the sum of the divisors", 2, SUM_OF_PRODUCT,
           "        numerator, denominator = node_inps.owner.inputs\n",
           "        numerator, denominator = node_inps.owner.inputs\n"
           "        if all(numerator.type.broadcastable[i] for i in reduced_axes):\n"
           "            return [numerator.squeeze(reduced_axes) / node.op(denominator)]\n"),
    _fault("several factors that cancel are all left out", 5,
           "pytensor.tensor.rewriting.math:AlgebraicCanonizer.simplify_factors",
           "                for v in inter:\n                    num.remove(v)\n"
           "                    denum.remove(v)\n",
           "                num[:] = [v for v in num if v not in inter]\n"
           "                denum[:] = [v for v in denum if v not in inter]\n"),
    _fault("numbers are stored in float32", 1, "pytensor.scalar.basic:NumpyAutocaster.__call__",
           "np.asarray(x) == x_", "(np.asarray(x) == x_) | (x_.dtype == 'float32')"),
    _fault("static size 1 broadcasts", 1,
           "pytensor.xtensor.vectorization:combine_dims_and_shape",
           "dims_and_shape[dim] != dim_length\n",
           "dims_and_shape[dim] != dim_length and 1 not in (dims_and_shape[dim], dim_length)\n"),
    _fault("static sizes are not compared", 1,
           "pytensor.xtensor.vectorization:combine_dims_and_shape",
           "raise ValueError(f\"Dimension {dim} has conflicting shapes\")", "pass"),
    _fault("the size of the third of three factors is not compared", 2,
           "pytensor.tensor.elemwise:Elemwise._check_runtime_broadcast",
           "zip(inputs, node.inputs)", "zip(inputs[:2], node.inputs)"),
    _fault("size 1 broadcasts in a call", 1,
           "pytensor.tensor.elemwise:Elemwise._check_runtime_broadcast",
           "any(d != 1 for d, _ in dims_and_bcast)", "False"),
    _fault("C computes exp in single precision", 1, "pytensor.scalar.basic:Exp.c_code",
           "= exp((", "= expf((", backend="c"),
    _fault("Numba computes exp in single precision", 1,
           "pytensor.link.numba.dispatch.scalar:numba_funcify_ScalarOp",
           "return scalar_func_numba({input_signature})",
           "return scalar_func_numba({'np.float32(x0)' if scalar_func_name == 'exp' else"
           " input_signature})", backend="numba"),
    _fault("C stores numbers with eight digits", 2, "pytensor.scalar.basic:ScalarType.c_literal",
           "return str(data)",
           "return f'{float(data):.8g}' if 'float' in self.dtype else str(data)", backend="c"),
    _fault("an index is of the wrong axis of a softmax", 2,
           f"{LIFT}:local_subtensor_of_softmax.fn", "idx_tuple[:axis]", "idx_tuple"),
    _fault("an index is of the wrong axis of a sum", 2,
           f"{LIFT}:local_subtensor_of_reduce.fn", "idx_tuple[:axis]", "idx_tuple"),
    _fault("an index does not move the axis of a softmax", 3,
           f"{LIFT}:local_subtensor_of_softmax.fn", "idx_tuple[:axis]", "idx_tuple[:axis - 1]"),
    _fault("an index does not move the axis of a sum", 3,
           f"{LIFT}:local_subtensor_of_reduce.fn", "idx_tuple[:axis]", "idx_tuple[:axis - 1]"),
    _fault("an index of transposed axes is transposed the wrong way", 2,
           f"{LIFT}:local_subtensor_of_transpose.fn",
           "[idx_tuple[transposition.index(i)] for i in range(ndim)]",
           "[idx_tuple[i] for i in transposition]", versions=NEW),
    _fault("an index moves an axis that is added", 2, f"{LIFT}:local_subtensor_of_expand_dims.fn",
           "expand_axes.append(out_pos)\n        out_pos += 1",
           "expand_axes.append(out_pos)\n            out_pos += 1", versions=NEW),
    _fault("a factor with one column is an outer product", 3,
           "pytensor.tensor.rewriting.linalg.reassociate_matmul:_is_outer_product",
           " and right.type.shape[-2] == 1", "", versions=NEW),
    _fault("batches of the second operand are merged with its rows", 1,
           "pytensor.tensor.rewriting.math:_batched_matmul_to_core_matmul",
           "range(-n_y_axis_to_merge - 1, -1)", "range(-n_y_axis_to_merge - 2, -2)", versions=NEW),
    _fault("the gradient of an operand without batches is not summed", 1,
           f"pytensor.tensor.blockwise:Blockwise.{PULLBACK}", "inp_s == 1 and out_s != 1",
           "inp_s == 1 and (out_s or 1) > 1"),
    _fault("of three terms with one matrix, the second is lost", 5,
           "pytensor.tensor.rewriting.blas:_factor_canonicalized",
           "s_i = s_i + s_j\n                lst[i] = (s_i, M_i)", "lst[i] = (s_i + s_j, M_i)"),
    _fault("gemm has two of three factors", 5, GEMM_SUM,
           "mul(scaled(scalars[0]), *scalars[1:])", "mul(scaled(scalars[0]), scalars[1])"),
    _fault("a power of -3 is one of 3", 1,
           "pytensor.tensor.rewriting.math:local_pow_to_nested_squaring.fn",
           "if y < 0:", "if y in (-1, -2):"),
    _fault("a rename has the new dim first", 2, "pytensor.xtensor.basic:Rename.vectorize_node",
           "old_dim_mapping.get(new_dim, new_dim) for new_dim in new_x.dims",
           "(*(d for d in new_x.dims if d not in old_x.dims), *self.new_dims)"),
    _fault("the names of an argument are not looked at", 1,
           "pytensor.xtensor.type:XTensorType.filter", "value.transpose(*self.dims).values",
           "value.values"),
    _fault("an array of the static shape is not transposed", 1,
           "pytensor.xtensor.type:XTensorType.filter", "value.transpose(*self.dims).values",
           "(value if value.shape == self.shape else value.transpose(*self.dims)).values"),
    _fault("a shared variable keeps the array that it is made of", 1,
           "pytensor.xtensor.type:xtensor_shared", "x_data if borrow else x_data.copy()", "x_data"),
    _fault("constants of other dims are the same", 1,
           "pytensor.xtensor.type:XTensorConstant.signature", "self.type, self.data",
           "self.type.shape, self.data"),
    _fault("the tangent of a matrix times itself has one term twice", 2,
           "pytensor.tensor.math:Dot.pushforward", "return [t1 + t2]",
           "return [2 * t1 if inputs[0] is inputs[1] else t1 + t2]"),
    _fault("a sum with a diagonal matrix is taken for a diagonal one", 3,
           "pytensor.assumptions.elemwise:elemwise_preserves_zero_pattern",
           "true_if(all(feature", "true_if(any(feature",
           versions=NEW),
    _fault("of two diagonal matrices, the first is squared", 2,
           "pytensor.tensor.rewriting.math:dot_diag_to_elemwise.fn", "a_diag * b_diag",
           "a_diag * a_diag", versions=NEW),
    _fault("two dots of one matrix are multiplied as if they were equal", 3,
           "pytensor.tensor.rewriting.math:local_mul_to_sqr.fn",
           "return [sqr(node.inputs[0])]",
           "return [sqr(node.inputs[0])]\n        x, y = node.inputs\n"
           "        if x.owner and y.owner and x.owner.op == y.owner.op"
           " and x.owner.inputs[:1] == y.owner.inputs[:1]:\n            return [sqr(x)]"),
    _fault("a product of powers loses a factor", 4,
           "pytensor.tensor.rewriting.math:local_mul_exp_to_exp_add.fn",
           "if len(rest) > 0", "if len(rest) > 1"),
    _fault("the square of a product of matrices is the product", 4,
           "pytensor.tensor.rewriting.blas:local_dot22_to_dot22scalar.fn",
           "o.remove(d)", "o = [i for i in o if i is not d]"),
    _fault("a quotient of powers of two variables is a softmax of the first", 4,
           "pytensor.tensor.rewriting.special:local_softmax_stabilize.fn",
           "exp_x is numerator", "exp_x.owner_op == numerator.owner_op", versions=NEW),
    _fault("two outputs share their memory", 2, "pytensor.compile.aliasing:insert_deepcopy",
           "fgraph.outputs[j] in views_of_output_i", "fgraph.outputs[j] is original_out"),
    _fault("Numba transposes a sum of few axes the wrong way", 2,
           f"{NUMBA}.elemwise:create_multiaxis_reducer", "np.argsort(np.array({kept_orig_arr}))",
           "np.argsort(np.argsort(np.array({kept_orig_arr})))", backend="numba", versions=NEW),
    _fault("Numba transposes a sum of many axes the wrong way", 2,
           f"{NUMBA}.elemwise:create_multiaxis_reducer", "np.argsort(order[kept])",
           "np.argsort(np.argsort(order[kept]))", backend="numba", versions=NEW),
    _fault("Numba takes an array with moved axes for a contiguous one", 2,
           f"{NUMBA}.elemwise:_dimshuffle_out_layout", "if kept == sorted(kept):",
           "if kept == sorted(kept) or in_layout == 'C' and kept[-2:] == sorted(kept)[-2:]:",
           backend="numba", versions=NEW),
    _fault("a constant and its transpose are the same", 2,
           "pytensor.tensor.utils:hash_from_ndarray", "hash_from_code(str(data.strides))", "''",
           backend="numba"),
    _fault("JAX computes a softmax over the last of several dims", 1,
           "pytensor.link.jax.dispatch.elemwise:jax_funcify_Softmax",
           "axis=axis)", "axis=axis[-1] if isinstance(axis, tuple) else axis)", backend="jax"),
    _fault("a sum of one number over several dims counts one of them", 2,
           "pytensor.tensor.rewriting.math:local_careduce_of_alloc.fn",
           "size = variadic_mul(*size_shapes)", "size = size_shapes[0]", versions=NEW),
    _fault("a softmax over several of the dims takes the last", 2,
           "pytensor.tensor.rewriting.special:local_softmax_stabilize.fn",
           "normalize_reduce_axis(axis,",
           "normalize_reduce_axis("
           "axis[-1] if isinstance(axis, tuple) and len(axis) < x.type.ndim else axis,",
           versions=NEW),
    _fault("a softmax of float32 is not stable", 1,
           "pytensor.tensor.rewriting.special:local_softmax_stabilize.fn",
           'not numerator.type.dtype.startswith("float")',
           'numerator.type.dtype != "float64"'),
    _fault("an index from the end of a static dim counts from that of the first", 1,
           "pytensor.tensor.rewriting.subtensor:local_convert_negative_indices.fn",
           "new_val = val + dim_length", "new_val = val + (x.type.shape[0] or dim_length)",
           versions=NEW),
    _fault("a batch dim that is added to an indexed value is the first", 3,
           "pytensor.xtensor.indexing:Index.vectorize_node",
           "tuple(dims_to_idxs.get(dim, slice(None)) for dim in new_x.dims)",
           "(slice(None),) * (new_x.type.ndim - old_x.type.ndim) + tuple(new_idxs)"),
    _fault("gradients of two indices of one element replace each other", 3,
           "pytensor.tensor.rewriting.subtensor:local_incsubtensor_of_zeros_to_setsubtensor.fn",
           "    if isinstance(x, Constant)",
           "    while (x.owner and isinstance(x.owner.op, IncSubtensor)"
           " and x.owner.op.idx_list == node.op.idx_list"
           " and node.inputs[2:] != x.owner.inputs[2:]):\n"
           "        x = x.owner.inputs[0]\n"
           "    if x.owner and isinstance(x.owner.op, Alloc):\n"
           "        x = x.owner.inputs[0]\n"
           "    if isinstance(x, Constant)"),
    _fault("a gradient with respect to an intermediate value goes no further", 2,
           "pytensor.gradient:_populate_var_to_app_to_idx",
           "        if var in consider_constant:\n            return\n",
           "        if var in consider_constant or var in wrt:\n            return\n"),
    _fault("Numba takes an index from the end for an unsigned one", 1,
           f"{NUMBA}.subtensor:numba_funcify_default_subtensor",
           'return f"{name}.item()"\n            return name',
           'name = f"{name}.item()"\n            return f"np.uint64({name})"',
           backend="numba", versions=NEW),
    _fault("gemm writes to a transposed term the wrong way", 4,
           "pytensor.tensor.blas.c_code.codegen:_CASE_DOUBLE_GEMM",
           "&sx_0, y, &sy_0, &b, z, &sz_1); break;\n                    case 0x101:",
           "&sx_0, y, &sy_0, &b, z, &sz_0); break;\n                    case 0x101:",
           backend="c-blas", versions=NEW),
]
# fmt: on
FAULTS = [fault for fault in FAULTS if all(edit.applies for edit in fault.edits)]
