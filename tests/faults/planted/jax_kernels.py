"""Faults in PyTensor's conversions to JAX."""

from planted.places import fault
from refdot.cases.notation import dot_case

__all__ = ["FAULTS"]

DISPATCH = "pytensor.link.jax.dispatch"
DOT = f"{DISPATCH}.math:jax_funcify_Dot"
BATCHED_DOT = f"{DISPATCH}.blas:jax_funcify_BatchedDot"
SUM = f"{DISPATCH}.elemwise:jax_funcify_CAReduce"
TRANSPOSE = f"{DISPATCH}.elemwise:jax_funcify_DimShuffle"
ELEMWISE = f"{DISPATCH}.elemwise:jax_funcify_Elemwise"
RESHAPE = f"{DISPATCH}.shape:jax_funcify_Reshape"
SPECIFY_SHAPE = f"{DISPATCH}.shape:jax_funcify_SpecifyShape"
BLOCKWISE = f"{DISPATCH}.blockwise:jax_funcify_Blockwise"
ON_JAX = {"backend": "jax"}
MATRICES = dot_case("a? b?", "b? c?")
BATCHED = dot_case("a:3? b? c?", "a:3? c? d?", "c")

# In each: name, aspect and example; then the edit: where, old and new. Formatted by hand.
# fmt: off
FAULTS = [
    fault("JAX multiplies in single precision", "values",
          dot_case("a? b?", "b? c?", regime="rounding"),
          DOT, "jnp.dot(x, y)",
          "jnp.dot(x, y) if y.dtype != 'float64' else"
          " jnp.dot(x, y.astype('float32').astype(y.dtype))", **ON_JAX),
    fault("JAX multiplies complex matrices by the conjugate", "values",
          dot_case("a? b?", "b? c?", dtypes="complex128"),
          DOT, "jnp.dot(x, y)", "jnp.dot(x, y.conj())", **ON_JAX),
    fault("JAX takes the transpose of a square matrix", "values", dot_case("a? d?", "d? e?"),
          DOT, "jnp.dot(x, y)", "jnp.dot(x, y.T if y.shape[0] == y.shape[1] else y)", **ON_JAX),
    fault("JAX leaves out the last column of a product", "values", MATRICES,
          DOT, "jnp.dot(x, y)", "jnp.dot(x, y.at[:, -1:].set(0))", **ON_JAX),
    fault("JAX doubles a matrix times a vector", "values", dot_case("a? b?", "b?"),
          DOT, "jnp.dot(x, y)", "jnp.dot(x, y) * (2 if y.shape[1] == 1 else 1)", **ON_JAX),
    fault("JAX multiplies integers in single precision", "values",
          dot_case("a? b?", "b? c?", dtypes="int64", regime="rounding"),
          DOT, "jnp.dot(x, y)",
          "jnp.dot(x, y) if y.dtype != 'int64' else"
          " jnp.dot(x.astype('float32'), y.astype('float32')).astype('int64')", **ON_JAX),
    fault("JAX keeps the dtype of x", "values",
          dot_case("a? b?", "b? c?", dtypes=("float32", "float64")),
          DOT, "jnp.dot(x, y)", "jnp.dot(x, y).astype(x.dtype)", **ON_JAX),
    fault("JAX reads a batch backwards", "values", BATCHED,
          BATCHED_DOT, "jnp.matmul(a, b)", "jnp.matmul(a, b[::-1])", **ON_JAX),
    fault("JAX leaves out the last of a batch", "values", BATCHED,
          BATCHED_DOT, "jnp.matmul(a, b)",
          "jnp.matmul(a, b.at[-1].set(0) if len(b) > 1 else b)", **ON_JAX),
    fault("JAX multiplies batches of float32 in float16", "values",
          dot_case("a:3? b? c?", "a:3? c? d?", "c", dtypes="float32", regime="rounding"),
          BATCHED_DOT, "jnp.matmul(a, b)",
          "jnp.matmul(a, b) if a.dtype != 'float32' else"
          " jnp.matmul(a, b).astype('float16').astype(a.dtype)", **ON_JAX),
    fault("JAX repeats a batch of one", "errors", dot_case("a:1? b? c?", "a:2? c? d?", "c"),
          BATCHED_DOT, "if a.shape[0] != b.shape[0]:", "if False:", **ON_JAX),
    fault("JAX sums only the first of several dims", "values", dot_case("a? b? c?", "", ("a", "b")),
          SUM, "jax_op(x, axis=axis", "jax_op(x, axis=list(axis)[:1]", **ON_JAX),
    fault("JAX doubles sums", "values", dot_case("a? b?", "", "b"),
          SUM, ".astype(acc_dtype)", ".astype(acc_dtype) * 2", **ON_JAX),
    fault("JAX sums in float16", "values",
          dot_case("a? b?", "", "b", dtypes="float32", regime="rounding"),
          SUM, "jax_op(x, axis=axis", "jax_op(x.astype('float16'), axis=axis", **ON_JAX),
    fault("JAX transposes by the inverse", "values", dot_case("a? b? c?", "c? d? b?", "d"),
          TRANSPOSE, "jnp.transpose(x, op._transposition)",
          "jnp.transpose(x, [list(op._transposition).index(i) for i in range(x.ndim)])", **ON_JAX),
    fault("JAX accepts a declared size that is wrong", "errors",
          dot_case("a:3? b?", "a:1 b", "b"),
          SPECIFY_SHAPE, "if actual != expected:", "if False:", **ON_JAX),
    fault("JAX repeats a size of 1", "errors", dot_case("a:1?", "a:3?", ()),
          ELEMWISE, "Elemwise._check_runtime_broadcast(", "(lambda *sizes: None)(", **ON_JAX),
    fault("JAX rejects the static shape of a reshape", "values",
          dot_case("c:2 a:3 b:4", "a:3 b:4 d:5", ("a", "b")),
          RESHAPE, "if isinstance(shape, Constant):", "if shape.owner is not None:\n        pass\n"
          "    elif shape.type.shape == (2,):\n        raise NotImplementedError("
          "'JAX requires concrete values for the `shape` parameter of `jax.numpy.reshape`.')\n"
          "    if isinstance(shape, Constant):", **ON_JAX),
]
# fmt: on
