"""Impostors: for each known deviation, a fault that has the same symptom beside it.

The impostor breaks the same rule in the same way, in a case that may show the deviation as well, so
a matcher that looks at the symptom alone takes it for the deviation.
"""

from __future__ import annotations

from dataclasses import replace

from planted.places import BATCHED, BATCHED_DOT, DOT, GENERAL_DOT, NODE, fault, product
from planting import Edit, Fault

from refdot.cases.case import DimArgument, DotCase
from refdot.cases.notation import dot_case, operand

__all__ = ["IMPOSTORS", "OPERATOR_WITHOUT_TRANSPOSE"]

ASSERT = "pytensor.raise_op:CheckAndRaise.perform"
BATCHED_DOT_IN_C = "pytensor.tensor.blas:BatchedDot.c_code"
EINSUM = "pytensor.tensor.einsum:einsum"
GER = "pytensor.tensor.blas:Ger.perform"
JAX = "pytensor.link.jax.dispatch"
JAX_DOT = f"{JAX}.math:jax_funcify_Dot"
MUL_IN_C = "pytensor.scalar.basic:Mul.c_code"
NUMBA = "pytensor.link.numba.dispatch"
NUMBA_BATCHED_DOT = f"{NUMBA}.elemwise:numba_funcify_BatchedDot"
NUMBA_DOT = f"{NUMBA}.elemwise:numba_funcify_Dot"
NUMBA_MUL = f"{NUMBA}.scalar:numba_funcify_Mul"
RESHAPE = "pytensor.tensor.shape:Reshape.perform"
SPECIFY_SHAPE = "pytensor.tensor.shape:SpecifyShape.perform"
TYPE = "pytensor.xtensor.type:XTensorType.__init__"
OF_ZEROS = {"origin": ("constant", "input"), "content": ("zeros", "drawn")}
ONE_HOT_IN_X = {"origin": ("constant", "input"), "content": ("one-hot", "drawn")}
ONE_HOT = {"origin": ("input", "constant"), "content": ("drawn", "one-hot")}
WITH_ARRAY = DotCase(operand("a b"), operand("a b"), DimArgument("array", ("a",)))

# A fast path for matrices.
OPERATOR_WITHOUT_TRANSPOSE = fault(
    "x @ y does not transpose y", "values", dot_case("a? b?", "c? b?", call="operator"),
    "pytensor.xtensor.type:XTensorVariable.__matmul__", "return px.math.dot(self, other)",
    """
        if self.type.ndim == other.type.ndim == 2 and len({*self.type.dims, *other.type.dims}) == 3:
            from pytensor.xtensor.basic import tensor_from_xtensor, xtensor_from_tensor
            dims = [d for d in dict.fromkeys(self.type.dims + other.type.dims)
                    if not (d in self.type.dims and d in other.type.dims)]
            return xtensor_from_tensor(
                tensor_from_xtensor(self) @ tensor_from_xtensor(other), dims=dims)
        return px.math.dot(self, other)""".lstrip(),
)  # fmt: skip


# By the deviation that each resembles. Formatted by hand.
# fmt: off
IMPOSTORS: dict[str, Fault] = {
    # --- dtypes
    "small-integers-do-not-lower": fault(
        "a sum of small integers is int32", "values", dot_case("", "a:2?", "a", ("int8", "int8")),
        EINSUM, "operand = operand.sum(axes)", "operand = operand.sum(axes, dtype='int32')"),
    "products-in-types-of-c": fault(
        "a product in C is one too large", "values",
        dot_case("", "", None, ("uint32", "int8")),
        MUL_IN_C, 'op.join(inputs) + ";"', 'op.join(inputs) + " + 1;"', backend="c"),
    "products-in-types-of-numba": fault(
        "Numba adds where it should multiply", "values",
        dot_case("", "", None, ("uint64", "int8"), regime="rounding"),
        NUMBA_MUL, '"*"', '"+"', backend="numba"),
    "fused-products-as-python-numbers": fault(
        "a fused product of Python's numbers is one too large", "values",
        dot_case("a:1", "b:1", ("a", "b"), ("uint64", "int16"), regime="rounding"),
        "pytensor.scalar.basic:Mul.impl", "np.prod(inputs)", "np.prod(inputs) * 3 // 2"),
    "sums-widened-in-jax": fault(
        "JAX accumulates float16 in double precision", "values",
        dot_case("", "a:2", "a", ("float16", "float16")),
        f"{JAX}.elemwise:jax_funcify_CAReduce",
        'acc_dtype = getattr(op, "acc_dtype", None)', 'acc_dtype = "float64"', backend="jax"),
    "promotion-of-jax": fault(
        "JAX's product has the dtype of its last operand", "values",
        dot_case("", "", None, ("float32", "int64")),
        f"{JAX}.scalar:jax_funcify_scalar_Mul", "reduce(operator.mul, inputs, 1)",
        "reduce(operator.mul, inputs, 1).astype(inputs[-1].dtype)", backend="jax"),
    "products-of-bools-in-jax": fault(
        "JAX's product of two bools is a small integer", "values",
        dot_case("", "", None, ("bool", "bool")),
        f"{JAX}.scalar:jax_funcify_scalar_Mul", "reduce(operator.mul, inputs, 1)",
        "reduce(operator.mul, inputs, 1).astype('int8')", backend="jax"),
    "gradient-of-integers": fault(
        "an integer beside a complex number has a gradient", "gradients",
        dot_case("a", "a", None, ("int64", "complex128"), gradient_order=1),
        "pytensor.gradient:grad", "t0 = time.perf_counter()",
        "if wrt[0].dtype == 'int64':\n        return [wrt[0].astype('float64')]\n"
        "    t0 = time.perf_counter()"),
    # --- failures
    "traced-shapes-in-jax": fault(
        "JAX's product is reshaped by its values", "values", dot_case("a b", "b c"),
        JAX_DOT, "jnp.dot(x, y)", "jnp.dot(x, y).reshape((x.sum().astype(int),))", backend="jax"),
    "sizes-without-axes": fault(
        "a rewrite compares a number with nothing", "structure",
        dot_case("a:2", "a:2? b:1? c:1?", (), origin=("constant", "input")),
        "pytensor.tensor.rewriting.shape:local_useless_reshape.fn",
        "if inp.type.ndim != output.type.ndim:",
        "if None > 1 or inp.type.ndim != output.type.ndim:"),
    "shapes-of-constants-in-jax": fault(
        "JAX's product of a constant has no operation", "values",
        dot_case("a b", "b? c?", origin=("constant", "input")), JAX_DOT, "jnp.dot(x, y)",
        "(_ for _ in ()).throw(AttributeError(\"'NoneType' object has no attribute 'op'\"))",
        backend="jax"),
    "blockwise-of-nothing": fault(
        "a batched product over a size 0 is not implemented", "values",
        dot_case("a b:0?", "a b:0?", "b"),
        "pytensor.tensor.blockwise:Blockwise.perform", "try:\n            gufunc",
        "if not all(x.size for x in inputs):\n            raise NotImplementedError("
        "'vectorize with zero size not implemented')\n        try:\n            gufunc",
        backend="fast-compile"),
    "blockwise-of-nothing-beside-a-constant": fault(
        "a batched product of a constant over a size 0 is not implemented", "values",
        dot_case("d:0 b:2 c:2", "c:2? d:0? b:2?", ("b", "d"), origin=("constant", "input")),
        "pytensor.tensor.blockwise:Blockwise.perform", "try:\n            gufunc",
        "if not all(x.size for x in inputs):\n            raise NotImplementedError("
        "'vectorize with zero size not implemented')\n        try:\n            gufunc"),
    "integer-batches-in-numba": fault(
        "Numba cannot index the operands of a batched product", "values",
        dot_case("a b", "a b", "b", ("int64", "int64")),
        NUMBA_BATCHED_DOT, "x[i]", "x['i']", backend="numba"),
    "twenty-six-letters": fault(
        "a dot of more than 26 dims cannot be built", "values",
        dot_case(" ".join(f"p{n}:1?" for n in range(27)), ""),
        NODE, "out_dims = tuple(",
        "if len(shape_dict) > 26:\n"
        "            raise ValueError('Too many dimensions to map to einsum subscripts')\n"
        "        out_dims = tuple("),
    "conflicting-assumptions": fault(
        "the lowering of dot meets conflicting assumptions", "structure",
        dot_case("a:1? b:1?", "b:1?", ()),
        Edit("pytensor.tensor.rewriting.shape:local_useless_reshape.fn",
             "inp, output_shape = node.inputs",
             "from pytensor.assumptions.core import ConflictingAssumptionsError\n"
             "    raise ConflictingAssumptionsError("
             "'Conflicting evidence for key diagonal on TensorConstant(data=array([[1]])).')",
             ">=3.1,<3.3.4"),
        Edit("pytensor.tensor.rewriting.shape:local_useless_reshape.fn",
             "inp, output_shape = node.inputs",
             "raise type('ConflictingAssumptionsError', (Exception,), {})("
             "'Conflicting evidence for key diagonal on TensorConstant(data=array([[1]])).')",
             "<3.1")),
    "outer-product-of-float16": fault(
        "an outer product of float64 fails in a rewrite", "structure",
        dot_case("a:2? b:3?", "a:2?", None, ("float64", "float64"), gradient_order=1),
        "pytensor.tensor.blas:Ger.make_node",
        'if x.dtype not in ("float32", "float64", "complex64", "complex128"):', "if True:"),
    "reshape-to-unknown-of-nothing": fault(
        "an empty array cannot be reshaped", "values",
        dot_case("a b:0? c", "b:0? d"),
        RESHAPE, "out[0] = np.reshape(x, shp)",
        "if not x.size:\n            raise ValueError("
        "f'cannot reshape array of size 0 into shape {tuple(map(int, shp))}')\n"
        "        out[0] = np.reshape(x, shp)"),
    "reshape-of-nothing-dropped": fault(
        "an empty matrix is not transposed", "values", dot_case("a:0? b:2?", "b:2? c:3?"),
        "pytensor.tensor.math:Dot.perform", "np.matmul(*inputs)",
        "np.dot(inputs[0], inputs[1] if inputs[0].size else inputs[1].T)"),
    "sizes-of-nothing-deduced": fault(
        "an empty array has no static size", "values", dot_case("c:1? a:0", "c:1? d:0", "a"),
        SPECIFY_SHAPE, "x, *shape = inp",
        "x, *shape = inp\n"
        "        if not x.size:\n"
        "            raise TypeError(\"The type's shape ((0, 0)) is not compatible with \"\n"
        "                            \"the data's ((1, 0))\")", lowering="inlined"),
    # --- names
    "names-unchecked": fault(
        "a repeated dim is accepted", "errors", dot_case("a? a?", "a?"),
        TYPE, "if len(set(dims)) < len(dims)", "if False"),
    "array-of-dims": fault(
        "an array means all shared dims", "errors", WITH_ARRAY,
        DOT, "dim_set = set(dim)", "dim_set = intersection"),
    "dim-not-iterable": fault(
        "another variable is unbound if dim is not iterable", "errors", dot_case("a", "a", 5),
        DOT, "for d in dim_set:",
        "if dim == 5:\n        del union\n        union\n    for d in dim_set:"),
    "order-of-a-set": fault(
        "the error shows a set", "structure", dot_case("a b", "b", ("z", "y")),
        DOT, "{d} not found", "{dim_set} not found"),
    # --- sizes
    "known-length-forgotten": fault(
        "static sizes of y are lost", "values", dot_case("a:2 b:3?", "a:2? b:3", ()),
        NODE, "dict(zip(y.type.dims, y.type.shape))", "dict.fromkeys(y.type.dims)"),
    "batch-sizes-compared-late": fault(
        "einsum compares the sizes of other dims", "errors", dot_case("a:2 b:4", "a:3 b:4", ()),
        EINSUM, "tensor_operands = _ensure_not_equal(", "if operands[0].type.shape[0] !="
        " operands[1].type.shape[0]:\n        raise ValueError('Size of label \\'b\\' for operand 1"
        " (5) does not match previous terms (4).')\n    tensor_operands = _ensure_not_equal("),
    "static-one-broadcasts": fault(
        "an operand that broadcasts is doubled", "errors", dot_case("a:1", "a:3?"),
        EINSUM, "return operand.squeeze(squeeze_axes)", "return 2 * operand.squeeze(squeeze_axes)"),
    "batch-dims-joined": fault(
        "the last batch of joined ones comes first", "errors",
        dot_case("a:2? b:5? c:3?", "a:5? b:2? c:3?", "c"),
        BATCHED_DOT, "np.matmul(x, y)", "np.matmul(x, y[::-1])"),
    "sizes-as-assertion": fault(
        "the declared shape is that of other dims", "errors", dot_case("a:3? b:4?", "a:1 b:4?", ()),
        SPECIFY_SHAPE, "Got shape {x.shape}", "Got shape {x.shape[::-1]}"),
    "sizes-without-names": fault(
        "the error for a product is about its other dims", "errors",
        dot_case("a:2? b:3?", "b:4? c:5?"),
        "pytensor.tensor.math:Dot.perform", "np.matmul(*inputs)",
        "np.matmul(inputs[0].T, inputs[1].T)"),
    "first-contracted-size-unchecked": fault(
        "a product over nothing is 1", "errors", dot_case("a:2? b:0?", "b:0? a:3?"),
        *product("np.matmul(x, y) + (x.shape[-1] == 0)")),
    "assertions-in-no-batch": fault(
        "products of no batches are not compared", "errors",
        dot_case("a:2? c:0?", "a:3? c:0?", "a"),
        Edit(BATCHED_DOT, "np.matmul(x, y)",
             "np.matmul(x, y) if len(x) else np.zeros((0, x.shape[1], y.shape[2]))")),
    "batch-sizes-unchecked-in-numba": fault(
        "Numba multiplies each batch by the first one", "errors",
        dot_case("a:2? b:3?", "a:3? b:3?", "b"),
        NUMBA_BATCHED_DOT, "y[i]", "y[0]", backend="numba"),
    "sums-of-nothing-in-numba": fault(
        "Numba's product is zero if y has nothing to sum", "errors",
        dot_case("a:0? b:2?", "a:3?"),
        NUMBA_DOT, "np.asarray(np.dot(x, y))", "np.asarray(np.dot(x, y)) + 1", backend="numba"),
    "assertions-dropped-in-jax": fault(
        "JAX's product of one-sided sizes is halved", "errors",
        dot_case("a:2? b:3?", "a:3? b:2?"),
        JAX_DOT, "jnp.dot(x, y)", "jnp.dot(x, y) / 2", backend="jax"),
    # --- values
    "summed-alone-first": fault(
        "dims of one operand are averaged", "values",
        dot_case("", "a:3?", "a", ("float64", "float16"), regime="rounding"),
        EINSUM, "operand = operand.sum(axes)", "operand = operand.mean(axes)"),
    "outer-product-conjugated": fault(
        "an outer product of complex vectors is doubled", "values",
        dot_case("a:2?", "b:3?", None, ("complex128", "complex128")),
        GER, "ger_func(alpha", "ger_func(2 * alpha", lowering="inlined"),
    "integers-as-floats-in-numba": fault(
        "Numba adds 1 to what it casts", "values",
        dot_case("a:2", "a:2", None, ("int64", "int64")),
        NUMBA_DOT, "x.astype(numba_dot_dtype)", "(x.astype(numba_dot_dtype) + 1)",
        backend="numba"),
    "complex-products-in-c": fault(
        "a complex product in C is one too large", "values",
        dot_case("a:4", "", None, ("complex64", "float64"), regime="rounding"),
        MUL_IN_C, 'op.join(inputs) + ";"', 'op.join(inputs) + " * 1.001;"', backend="c"),
    # --- a BLAS
    "batches-of-other-dtypes-in-blas": fault(
        "with a BLAS, a batched product of float64 is rejected", "values",
        dot_case("a:2? b:3? c:4?", "a:2? c:4? d:5?", "c"),
        BATCHED_DOT_IN_C, "(PyArray_DESCR({_x})->type_num != NPY_DOUBLE)",
        "(PyArray_DESCR({_x})->type_num != NPY_FLOAT)", backend="c-blas"),
    "batches-of-nothing-in-blas": fault(
        "with a BLAS, a product of no batches is rejected", "values",
        dot_case("a:0? b:3? c:4?", "a:0? c:4? d:5?", "c"),
        BATCHED_DOT_IN_C, "switch (type_num)",
        "if (PyArray_SIZE({_x}) == 0) {{PyErr_SetString(PyExc_ValueError,"
        ' "some matrix has no unit stride"); {fail};}}\n        switch (type_num)',
        backend="c-blas"),
    "strides-that-a-blas-refuses": fault(
        "overlapping rows are averaged", "values",
        replace(dot_case("a:2? b:4? c:3?", "a:2? c:3? d:5?", ("b", "c"), regime="rounding"),
                x=replace(operand("a:2? b:4? c:3?"), layout="windows")),
        EINSUM, "operand = operand.sum(axes)", "operand = operand.mean(axes)", backend="c-blas"),
    # --- constants
    "dot-with-zeros": fault(
        "a matrix product with zeros is ones", "errors", dot_case("a b:3", "b:5? c?", **OF_ZEROS),
        "pytensor.tensor.rewriting.math:local_0_dot_x.fn", "return [zeros(", "return [1 + zeros(",
        lowering="inlined"),
    "selections-compare-no-sizes": fault(
        "what a constant selects is doubled", "errors", dot_case("c:2? b:5?", "b:3 a:3", **ONE_HOT),
        "pytensor.tensor.rewriting.linalg.products:selection_dot_to_indexing.fn",
        "= a[..., b_sel[0]]", "= 2 * a[..., b_sel[0]]", lowering="inlined"),
    "bools-added-up-in-jax": fault(
        "JAX adds no rows", "values", dot_case("a:2 b:3", "b:3? c:4?", **ONE_HOT_IN_X),
        f"{JAX}.subtensor:jax_funcify_IncSubtensor", "return x.at[indices].add(y)",
        "raise TypeError('add does not accept dtype bool at position 0.')",
        backend="jax", lowering="inlined"),
    "selections-without-dtype-in-jax": fault(
        "JAX adds rows twice", "values", dot_case("a:2 b:3", "b:3? c:4?", **ONE_HOT_IN_X),
        f"{JAX}.subtensor:jax_funcify_IncSubtensor", "return x.at[indices].add(y)",
        "return x.at[indices].add(y).at[indices].add(y)", backend="jax", lowering="inlined"),
    "selection-of-nothing": fault(
        "a rewrite asks for the least of an empty constant", "structure",
        dot_case("a:0?", "a:0 b:0", origin=("input", "constant")),
        "pytensor.tensor.rewriting.linalg.products:_selection_operand", "np.argmax(S.data,",
        "np.argmin(S.data,", lowering="inlined"),
    "product-with-zeros": fault(
        "a product stops at the shorter operand", "errors", dot_case("b:3", "b:5?", **OF_ZEROS),
        *product("np.matmul(x[..., : y.shape[-2]], y[..., : x.shape[-1], :])")),
    "integer-constants-as-floats": fault(
        "a constant loses more digits than rounding does", "values",
        dot_case("", "a?", None, "int64", origin=("constant", "input"), regime="rounding"),
        "pytensor.tensor.rewriting.math:mul_calculate", "return [v]",
        "return [np.floor(v / 2**20) * 2**20]", lowering="inlined"),
    "no-complex-gradients": fault(
        "the gradient of real operands is rejected", "gradients",
        dot_case("a?", "a?", gradient_order=1),
        "pytensor.gradient:grad", '"float" not in', '"complex" not in'),
    "constants-without-dtype-in-jax": fault(
        "JAX's product with a constant is of float16", "values",
        dot_case("", "", None, ("float32", "float32"), origin=("constant", "input")),
        f"{JAX}.scalar:jax_funcify_scalar_Mul", "reduce(operator.mul, inputs, 1)",
        "reduce(operator.mul, inputs, 1).astype('float16')", backend="jax"),
    # --- costs
    "arrays-for-a-path": fault(
        "einsum allocates three times the operands", "resources", dot_case("a:2", "a:2"),
        EINSUM, "np.empty(shape)", "np.empty((3, *shape))[0]"),
    "gradients-in-an-inner-graph": fault(
        "a batched product is left in an inner graph", "structure",
        replace(BATCHED, gradient_order=1),
        GENERAL_DOT, "partial(tensordot, axes=[core_lhs_axes, core_rhs_axes])",
        "(lambda a, b: __import__('pytensor').compile.builders.OpFromGraph([a, b],"
        " [tensordot(a, b, axes=[core_lhs_axes, core_rhs_axes])])(a, b))"),
}
# fmt: on
