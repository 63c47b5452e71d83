"""Faults in how operands come into a graph: one variable twice, constants, shared variables."""

from planting import Edit

from planted.places import DOT_GRADIENT, LOWER, fault, product
from refdot.cases.notation import dot_case

__all__ = ["FAULTS"]

AS_XTENSOR = "pytensor.xtensor.type:as_xtensor"
CALL = "einsum(einsum_str, x_tensor, y_tensor)"
# In the lowering: the variable that an xtensor renames, and its numbers if it is a constant.
ROOT = (
    "root = lambda v: root(v.owner.inputs[0]) if v.owner is not None"
    " and type(v.owner.op).__name__ in ('Rename', 'XTensorFromTensor') else v;"
    " numbers = lambda v: getattr(root(v), 'data', None)"
)
SAME = "root(x) is root(y)"
IS_IDENTITY = (
    "x.ndim == 2 and x.shape[0] == x.shape[1]"
    " and (x == __import__('numpy').eye(len(x), dtype=x.dtype)).all()"
)
SAME_DTYPE = "x.type.dtype == y.type.dtype"
ZEROS = (
    "__import__('pytensor').tensor.zeros([dict(zip(x_subs + y_subs,"
    " [*x_tensor.shape, *y_tensor.shape]))[d] for d in out_subs], dtype=out.type.dtype)"
)
SUM_OF_Y = "y_tensor.sum([i for i, d in enumerate(y_subs) if d not in out_subs])"


def lowered_to(new: str, condition: str) -> Edit:
    """Lower a dot to another tensor under a condition."""
    call = f"({new}) if {condition} else {CALL}"
    return Edit(LOWER, f"out_tensor = {CALL}", f"{ROOT}; out_tensor = {call}")


def where_x_is_constant(new: str, content: str, more: str = "True") -> Edit:
    """Lower a dot to another tensor under a condition on the numbers x of a constant x."""
    condition = f"numbers(x) is not None and (lambda x: {content})(numbers(x)) and {more}"
    return lowered_to(new, condition)


# In each: name, aspect and example; then the edit: where, old and new. Formatted by hand.
# fmt: off
FAULTS = [
    # --- one variable
    fault("a renamed operand keeps the subscripts it had", "values",
          dot_case("d? e?", "e? d?", (), same_variable=True),
          LOWER, 'out_subs = ""', f'{ROOT}; y_subs = x_subs if {SAME} else y_subs; out_subs = ""'),
    fault("the Gram matrix of a variable is that of its transpose", "values",
          dot_case("d? e?", "c:2? e?", same_variable=True),
          lowered_to("x_tensor.T @ x_tensor",
                      f"{SAME} and x.type.dims != y.type.dims and x.ndim == 2"
                      " and x_subs[1] == y_subs[1] and len(out_subs) == 2")),
    fault("a variable times itself under new names is its square", "values",
          dot_case("d?", "e?", same_variable=True),
          LOWER, "out_tensor = specify_shape",
          f"{ROOT}; out_tensor = (x_tensor[:, None] ** 2 + 0 * out_tensor)"
          f".astype(out.type.dtype) if {SAME} and len(out_subs) == 2 and x.ndim == 1"
          " else out_tensor; out_tensor = specify_shape"),
    fault("one array in two inputs is read as the first", "values",
          dot_case("d? e?", "c:2? e?", same_array=True),
          *product("np.matmul(x, x if np.may_share_memory(x, y) and x.shape == y.shape else y)")),
    fault("an array is scaled in place if it is in both inputs", "values",
          dot_case("d? e?", "c:2? e?", same_array=True),
          *product("[np.matmul(x, y), np.shares_memory(x, y) and x.flags.writeable"
                   " and np.negative(x, out=x, where=x.dtype.kind != 'b')][0]")),
    fault("the gradient of a matrix times its transpose counts once", "gradients",
          dot_case("a? b?", "c:2? b?", same_variable=True, gradient_order=1),
          DOT_GRADIENT, "ygrad = self(x.T, gz)",
          "ygrad = self(x.T, gz); ygrad = ygrad.zeros_like()"
          " if y.owner and x.owner and x.owner.inputs[0] is y.owner.inputs[0]"
          " or y.owner and y.owner.inputs[0] is x or x.owner and x.owner.inputs[0] is y else ygrad",
          lowering="inlined"),
    # --- constants
    fault("a constant of zeros fits operands of any size", "errors",
          dot_case("a b:3", "b:5? c?", origin=("constant", "input"), content=("zeros", "drawn")),
          where_x_is_constant(ZEROS, "not x.any()")),
    fault("a constant of ones is left out of a sum over its dims", "values",
          dot_case("a b", "b? c?", ("a", "b"), origin=("constant", "input"),
                   content=("ones", "drawn")),
          where_x_is_constant(SUM_OF_Y, "(x == 1).all()",
                              f"{SAME_DTYPE} and out_subs == ''.join(d for d in y_subs"
                              " if d in out_subs)")),
    fault("a constant of ones has no size", "values",
          dot_case("a b", "b? c?", origin=("constant", "input"), content=("ones", "drawn")),
          where_x_is_constant("y_tensor.sum(0, keepdims=True)", "(x == 1).all()",
                              f"{SAME_DTYPE} and einsum_str == 'ab,bc->ac'")),
    fault("a constant identity is left out, and the transposition too", "values",
          dot_case("d e", "c? e?", origin=("constant", "input"), content=("identity", "drawn")),
          where_x_is_constant("y_tensor", IS_IDENTITY,
                              f"{SAME_DTYPE} and y.ndim == 2 == len(out_subs)")),
    fault("a constant of integers is narrowed to int8", "values",
          dot_case("a b", "b?", origin=("constant", "input"), dtypes=("int64", "int8"),
                   regime="rounding"),
          LOWER, "y_tensor = tensor_from_xtensor(y)",
          f"y_tensor = tensor_from_xtensor(y); {ROOT}; x_tensor ="
          " x_tensor.astype('int8').astype(x.type.dtype)"
          " if numbers(x) is not None and x.type.dtype == 'int64' else x_tensor"),
    fault("two constants are multiplied in single precision", "values",
          dot_case("a b", "b c", origin="constant", regime="rounding"),
          lowered_to("einsum(einsum_str, x_tensor.astype('float32'), y_tensor.astype('float32'))"
                      ".astype('float64')",
                      "numbers(x) is not None and numbers(y) is not None"
                      " and x.type.dtype == y.type.dtype == 'float64'")),
    fault("a constant is read in memory order", "values",
          dot_case("a b", "b? c?", origin=("constant", "input"), layout=("fortran", "c")),
          "pytensor.tensor.basic:constant", "ttype = TensorType",
          "x_ = np.ravel(x_, 'K').reshape(x_.shape); ttype = TensorType"),
    fault("a constant keeps only its first row", "values",
          dot_case("a b", "b? c?", origin=("constant", "input")),
          "pytensor.tensor.basic:constant", "ttype = TensorType",
          "x_ = np.broadcast_to(x_[:1], x_.shape) if x_.ndim == 2 and len(x_) > 1 else x_;"
          " ttype = TensorType"),
    fault("a constant of ones makes the output a view of the input", "values",
          dot_case("a?", "", (), origin=("input", "constant"), content=("drawn", "ones")),
          "pytensor.compile.aliasing:insert_deepcopy", "reason =", "return; reason ="),
    # --- shared variables
    fault("a shared variable is read only when the function is compiled", "values",
          dot_case("a? b?", "b? c?", origin=("shared", "input")),
          AS_XTENSOR, "if isinstance(x, Variable):",
          "if hasattr(x, 'get_value'):\n        from pytensor.tensor import constant\n"
          "        x = constant(x.get_value())\n    if isinstance(x, Variable):"),
    fault("the square of a complex variable is that of its absolute value", "values",
          dot_case("a?", "a?", dtypes="complex128", same_variable=True),
          lowered_to("einsum(einsum_str, x_tensor.conj(), y_tensor)",
                      f"{SAME} and 'complex' in x.type.dtype")),
    fault("the Gram matrix of a complex variable is Hermitian", "values",
          dot_case("d? e?", "c:2? e?", dtypes="complex128", same_variable=True),
          lowered_to("einsum(einsum_str, x_tensor, y_tensor.conj())",
                      f"{SAME} and 'complex' in x.type.dtype and len(out_subs) == 2")),
]
# fmt: on
