"""Faults in matrix products and other operations as NumPy computes them."""

from planted.places import (
    BATCHED,
    BATCHED_DOT,
    MATRICES,
    SUM,
    TENSORDOT,
    fault,
    product,
)
from refdot.cases.notation import dot_case

__all__ = ["FAULTS"]

ELEMWISE = "pytensor.tensor.elemwise:Elemwise.perform"
GEMV = "pytensor.tensor.blas:Gemv.perform"
RESHAPE = "pytensor.tensor.shape:Reshape.perform"

# In each: name, aspect and example; then the edit: where, old and new. Formatted by hand.
# fmt: off
FAULTS = [
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
    fault("a sum sorts its operand", "values", dot_case("a? b?", "c?", "a"),
          SUM, "input = np.array(input, dtype=acc_dtype)",
          "input = np.asarray(input, dtype=acc_dtype);"
          " input.flags.writeable and axis and input.sort(axis=axis[0])"),
    fault("a reshape changes its operand", "values", dot_case("a? b? c?", "c?"),
          RESHAPE, "out[0] = np.reshape(x, shp)",
          "out[0] = np.reshape(x, shp);"
          " x.flags.writeable and x.size and x.reshape(-1)[:1].fill(1)"),
    fault("integer products are computed in float64", "values",
          dot_case("a? b?", "b? c?", dtypes="int64", regime="rounding"),
          *product("np.matmul(x.astype(float), y.astype(float)).astype(x.dtype)"
                   " if x.dtype == y.dtype == np.int64 else np.matmul(x, y)")),
    fault("a product of bools counts", "values", dot_case("a? b?", "b? c?", dtypes="bool"),
          *product("np.matmul(x.view(np.int8), y.view(np.int8)) == 1"
                   " if x.dtype == y.dtype == bool else np.matmul(x, y)")),
    fault("a complex product has the precision of complex64", "values",
          dot_case("a? b?", "b? c?", dtypes="complex128", regime="rounding"),
          *product("np.matmul(x.astype(np.complex64), y.astype(np.complex64)).astype(x.dtype)"
                   " if x.dtype == y.dtype == np.complex128 else np.matmul(x, y)")),
    fault("float16 is summed after each product", "values",
          dot_case("a? b:20?", "b:20? c?", dtypes="float16"),
          *product("np.matmul(x, y) if x.dtype != np.float16 else"
                   " np.matmul(x, y) + np.matmul(x[..., :1], y[..., :1, :]) * np.float16(0.0625)")),
    fault("the last of several batches is left out", "values", BATCHED,
          BATCHED_DOT, "np.matmul(x, y)",
          "(lambda out: [len(out) > 1 and out[-1].fill(0), out][1])(np.matmul(x, y))",
          lowering="inlined"),
    fault("the largest number is infinite", "values",
          dot_case("a:7? b:5?", "b:5? c?", regime="special"),
          *product("np.matmul(np.where(x == np.finfo(float).max, np.inf, x)"
                   " if x.dtype == float else x, y)")),
    fault("a complex product takes the conjugate of its second operand", "values",
          dot_case("a? b?", "b? c?", dtypes="complex64"),
          *product("np.matmul(x, y.conj())")),
    fault("a product of bools counts in eight bits", "values",
          dot_case("a? b:256?", "b:256? c?", dtypes="bool", content="ones"),
          *product("np.matmul(x.view(np.uint8), y.view(np.uint8)).astype(bool)"
                   " if x.dtype == y.dtype == bool else np.matmul(x, y)")),
    fault("the last row is left out if their number is a multiple of 32", "values",
          dot_case("a:64? b?", "b? c?"),
          *product("np.matmul(x, y) * np.asarray("
                   "[[i < x.shape[-2] - 1 or i % 32 < 31] for i in range(x.shape[-2])],"
                   " np.matmul(x, y).dtype)")),
]
# fmt: on
