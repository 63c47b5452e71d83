"""Faults in how the memory of an array is read."""

from planting import Edit

from planted.places import SUM, fault, product
from refdot.cases.case import DotCase
from refdot.cases.notation import dot_case

__all__ = ["FAULTS"]

ELEMWISE = "pytensor.tensor.elemwise:Elemwise.perform"
# Whether an axis of an array x has a stride of 0, and whether its last two axes overlap.
REPEATS = "any(n > 1 and s == 0 for n, s in zip(x.shape, x.strides))"
OVERLAPS = (
    "x.strides[-2:] in ((x.itemsize, x.itemsize), (-x.itemsize, x.itemsize)) and x.shape[-2] > 1"
)
IN_LARGER = "x.base is not None and getattr(x.base, 'size', 0) > x.size > 0"


def read_as(new: str, condition: str) -> tuple[Edit, ...]:
    """Read the first operand of a matrix product as another array under a condition on it."""
    return product(f"np.matmul(({new}) if {condition} else x, y)")


def layout_of_x(layout: str) -> DotCase:
    """Return the product of a matrix in a layout and another matrix."""
    return dot_case("a:4? b:3?", "b:3? c?", layout=(layout, "c"))


# In each: name, aspect and example; then the edit: where, old and new. Formatted by hand.
# fmt: off
FAULTS = [
    fault("an axis with a stride of 0 has only one element", "values",
          dot_case("a:2? b:3?", "b:3? c?", layout=("broadcast", "c")),
          *product("np.matmul(x[..., :1], y[..., :1, :])"
                   " if x.shape[-1] > 1 and x.strides[-1] == 0 else np.matmul(x, y)")),
    fault("a broadcast operand is read as one row", "values",
          dot_case("a:4? b:3?", "b:3? c?", layout=("broadcast", "c")),
          *product("np.matmul(x, y)[..., :1, :]"
                   " if x.shape[-2] > 1 and x.strides[-2] == 0 else np.matmul(x, y)")),
    fault("windows that overlap are read as their first", "values", layout_of_x("windows"),
          *read_as("np.broadcast_to(x[..., :1, :], x.shape)", OVERLAPS)),
    fault("the order of bytes is ignored", "values", layout_of_x("byte-swapped"),
          "pytensor.tensor.type:TensorType.filter", "data = data.astype(self.dtype)",
          "data = data.view(self.dtype) if data.dtype.newbyteorder() == self.dtype"
          " else data.astype(self.dtype)"),
    fault("a part of a larger array is read from its start", "values", layout_of_x("slice"),
          *read_as("x.base.reshape(-1)[:x.size].reshape(x.shape)",
                   f"{IN_LARGER} and x.base.ndim == 2 and x.base.dtype == x.dtype")),
    fault("every second element is read as every element", "values", layout_of_x("strided"),
          *read_as("np.lib.stride_tricks.as_strided(x, strides=[s // 2 for s in x.strides])",
                   "x.size and min(map(abs, x.strides)) == 2 * x.itemsize and x.flags.aligned")),
    fault("a read-only operand is rejected", "values", layout_of_x("read-only"),
          *product("np.matmul(x, y) if x.flags.writeable else np.matmul(x, y, out=x)")),
    fault("a matrix in Fortran order is transposed if it is square", "values",
          dot_case("d? e?", "e? c?", layout=("fortran", "c")),
          *read_as("x.T", "x.ndim == 2 and x.flags.f_contiguous and not x.flags.c_contiguous"
                   " and x.shape[0] == x.shape[1]")),
    fault("a sum reads a reversed operand from its start", "values",
          dot_case("a? b?", "c?", "b", layout=("reversed", "c")),
          SUM, "input = np.array(input, dtype=acc_dtype)",
          "input = np.array(input, dtype=acc_dtype); input = input if min(inp[0].strides,"
          " default=0) >= 0 else input.reshape(-1)[::-1].reshape(input.shape).copy()"
          " if axis else input; input.reshape(-1)[:1] *= 2 if min(inp[0].strides, default=0) < 0"
          " else 1"),
    fault("an elementwise product reads a broadcast operand once", "values",
          dot_case("a:3?", "a:3?", (), layout=("broadcast", "c")),
          ELEMWISE, "ufunc_args = inputs",
          f"ufunc_args = [x * (np.arange(x.size).reshape(x.shape) == 0) if x.size > 1 and {REPEATS}"
          " and not any(i.type.broadcastable == (True,) * i.type.ndim for i in node.inputs)"
          " else x for x in inputs]"),
]
# fmt: on
