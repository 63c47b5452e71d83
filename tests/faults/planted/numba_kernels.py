"""Faults in the code that PyTensor generates for Numba."""

from planting import Edit

from planted.places import NEW, OLD, fault
from refdot.cases.notation import dot_case

__all__ = ["FAULTS"]

ELEMWISE = "pytensor.link.numba.dispatch.elemwise"
DOT = f"{ELEMWISE}:numba_funcify_Dot"
BATCHED_DOT = f"{ELEMWISE}:numba_funcify_BatchedDot"
TRANSPOSE = f"{ELEMWISE}:numba_funcify_DimShuffle"
REDUCE = f"{ELEMWISE}:numba_funcify_CAReduce"
REDUCER = f"{ELEMWISE}:create_multiaxis_reducer"
BLOCKWISE = "pytensor.link.numba.dispatch.blockwise:numba_funcify_Blockwise"
SCALAR = "pytensor.link.numba.dispatch.scalar"
SHAPE = "pytensor.link.numba.dispatch.shape"
ASSERT = "pytensor.link.numba.dispatch.compile_ops:numba_funcify_CheckAndRaise"
ON_NUMBA = {"backend": "numba"}


def then(statement: str, condition: str = "True") -> tuple[Edit, ...]:
    """Change the product `out` of two matrices by a statement, if their dtype fulfils a condition.

    Numba cannot compile the condition.
    """
    wrapper = (
        "right = dot\n\n    @numba_basic.numba_njit\n    def changed(x, y, out=None):\n"
        f"        out = right(x, y, out)\n        {statement}\n        return out\n\n"
        f"    dot = changed if {condition} else right\n    "
    )
    return (
        Edit(DOT, "cache_version = 2", f"{wrapper}cache_version = 2", OLD),
        Edit(DOT, "# Bump whenever", f"{wrapper}# Bump whenever", NEW),
    )


def in_batch(new: str) -> tuple[Edit, ...]:
    """Multiply the arrays x and y of a batch by other statements, on rows i."""
    return (
        Edit(BATCHED_DOT, "out[i] = np.dot(x[i], y[i])", new, OLD),
        Edit(BATCHED_DOT, "_gemm(x[i], y[i], out[i])", new, NEW),
    )


MATRICES = dot_case("a? b?", "b? c?")
BATCHED = dot_case("a:3? b? c?", "a:3? c? d?", "c")

# In each: name, aspect and example; then the edit: where, old and new. Formatted by hand.
# fmt: off
FAULTS = [
    fault("Numba leaves out the last column of a product", "values", MATRICES,
          *then("out[:, out.shape[1] - 1:] = 0"), **ON_NUMBA),
    fault("Numba leaves out the last row of a product", "values", MATRICES,
          *then("out[out.shape[0] - 1:] = 0"), **ON_NUMBA),
    fault("Numba doubles a matrix times a vector", "values", dot_case("a? b?", "b?"),
          *then("if out.shape[1] == 1 and out.shape[0] > 1:\n            out += out"), **ON_NUMBA),
    fault("Numba doubles a vector times a matrix", "values", dot_case("b?", "b? c?"),
          *then("if out.shape[0] == 1 and out.shape[1] > 1:\n            out += out"), **ON_NUMBA),
    fault("Numba doubles a vector times a vector", "values", dot_case("b?", "b?"),
          *then("if out.size == 1:\n            out += out"), **ON_NUMBA),
    fault("Numba multiplies complex matrices by the conjugate", "values",
          dot_case("a? b?", "b? c?", dtypes="complex128"),
          *then("out[:] = np.conj(out)", "numba_dot_dtype.kind == 'c'"), **ON_NUMBA),
    fault("Numba drops the imaginary part of a product", "values",
          dot_case("a? b?", "b? c?", dtypes="complex64"),
          *then("out[:] = out.real", "numba_dot_dtype == 'complex64'"), **ON_NUMBA),
    fault("Numba rounds products of integers up", "values",
          dot_case("a? b?", "b? c?", dtypes="int64"),
          DOT, "dot(x, y).astype(out_dtype)", "(dot(x, y) + 1).astype(out_dtype)", **ON_NUMBA),
    fault("Numba takes y in single precision beside a float64", "values",
          dot_case("a? b?", "b? c?", dtypes=("float32", "float64"), regime="rounding"),
          *then("if x.dtype != y.dtype:\n"
                "            out[:] = out.astype(np.float32)"), **ON_NUMBA),
    fault("Numba reads 128 rows and more as 127", "values", dot_case("a:130? b?", "b? c?"),
          *then("out[127:] = 0"), **ON_NUMBA),
    fault("Numba leaves out the last of a batch", "values", BATCHED,
          BATCHED_DOT, "range(out.shape[0])", "range(out.shape[0] - 1)", **ON_NUMBA),
    fault("Numba multiplies each of a batch by the first", "values", BATCHED,
          *in_batch("out[i] = np.dot(x[i], y[0])"), **ON_NUMBA),
    fault("Numba adds up the batch", "values", BATCHED,
          *in_batch("out[i] = np.dot(x[i], y[i]) + (out[i - 1] if i else 0 * out[i])"), **ON_NUMBA),
    fault("Numba multiplies only the first 64 of a batch", "values",
          dot_case("a:130? b:2? c:2?", "a:130? c:2? d?", "c"),
          *in_batch("out[i] = np.dot(x[i % 64], y[i % 64])"), **ON_NUMBA),
    fault("Numba exchanges axes of a transposed array of three axes", "values",
          dot_case("a? b? c?", "c? b?", "b"),
          TRANSPOSE, "new_strides, i, old_strides[o]",
          "new_strides, i, old_strides[o if len(new_order) < 3 or o > 1 else 1 - o]", **ON_NUMBA),
    fault("Numba adds the factors of an elementwise product", "values", dot_case("a?", "a?", ()),
          f"{SCALAR}:numba_funcify_Mul", '"*"', '"+"', **ON_NUMBA),
    fault("Numba sums float64 in single precision", "values",
          dot_case("a? b?", "", "b", regime="rounding"),
          REDUCE, "acc_dtype = op.acc_dtype",
          "acc_dtype = op.acc_dtype if op.acc_dtype != 'float64' else 'float32'", **ON_NUMBA),
    fault("Numba starts a sum at 1", "values", dot_case("a? b?", "", "b"),
          REDUCE, "identity=op.scalar_op.identity", "identity=op.scalar_op.identity + 1",
          **ON_NUMBA),
    fault("Numba reshapes in column order", "values", dot_case("a? b? c?", "c?"),
          f"{SHAPE}:numba_funcify_Reshape", "np.ascontiguousarray(np.asarray(x))",
          "np.ascontiguousarray(np.asarray(x).T)", **ON_NUMBA),
    fault("Numba leaves out assertions", "errors", dot_case("a:2? b:3?", "a:3? b:2?"),
          ASSERT, "if not cond:", "if not cond and False:", **ON_NUMBA),
    fault("Numba casts through integers", "values",
          dot_case("a? b? c?", "a? c? d?", "c", dtypes=("float32", "float64"),
                   regime="rounding"),
          f"{SCALAR}:numba_funcify_Cast", "numba_basic.direct_cast(x, dtype)",
          "numba_basic.direct_cast(np.rint(x), dtype)", lowering="inlined", **ON_NUMBA),
    fault("Numba accepts a declared size that is wrong", "errors",
          dot_case("a:3? b?", "a:1 b", "b"),
          f"{SHAPE}:numba_funcify_SpecifyShape",
          "if not isinstance(node_dim_input.type, NoneTypeT)", "if False", **ON_NUMBA),
    fault("Numba rounds products of 64-bit integers to float32", "values",
          dot_case("a? b?", "b? c?", dtypes="int64", regime="rounding"),
          *then("out[:] = out.astype(np.float32)",
                "numba_dot_dtype != out_dtype and numba_dot_dtype.itemsize == 8"), **ON_NUMBA),
    fault("Numba takes a reversed array for a dense one", "values",
          dot_case("a? b?", "", ("a", "b"), layout="reversed"),
          Edit(REDUCER, "if _is_non_reversed_dense(",
               "if x.strides[0] < 0 or _is_non_reversed_dense(", NEW), **ON_NUMBA),
    fault("Numba multiplies by a broadcast vector as by zeros", "values",
          dot_case("a? b:4?", "b:4?", layout=("c", "broadcast")),
          *then("if y.strides[0] == 0 and y.shape[0] > 1 and y.shape[1] == 1:\n"
                "            out[:] = 0"), **ON_NUMBA),
]
# fmt: on
