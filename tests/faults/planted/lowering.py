"""Faults in the lowering from names to an einsum."""

from planted.places import (
    INTEGERS,
    LOWER,
    fault,
)
from refdot.cases.notation import dot_case

__all__ = ["FAULTS"]


# In each: name, aspect and example; then the edit: where, old and new. Formatted by hand.
# fmt: off
FAULTS = [
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
          dot_case("a?", "", "a", dtypes=("complex64", "float64"), regime="rounding"),
          LOWER, "x_tensor = tensor_from_xtensor(x)",
          "x_tensor = tensor_from_xtensor(x); x_tensor ="
          " x_tensor.conj() if 'complex' in x.type.dtype else x_tensor"),
    fault("x's NaN becomes 0", "values", dot_case("a:6?", "a:6?", regime="special"),
          LOWER, "x_tensor = tensor_from_xtensor(x)",
          "from pytensor.tensor import isnan, where; x_tensor = tensor_from_xtensor(x);"
          " x_tensor = where(isnan(x_tensor), 0, x_tensor).astype(x.type.dtype)"
          " if x.type.dtype.startswith('float') else x_tensor"),
    fault("the smaller operand comes first, with the other's subscripts", "values",
          dot_case("d? e? a?", "a? d?"),
          LOWER, "einsum(einsum_str, x_tensor, y_tensor)",
          "einsum(einsum_str, *sorted([x_tensor, y_tensor], key=lambda v: v.type.ndim))"),
    fault("a dim is known by the first letter of its name", "values",
          dot_case("time:2? token:3?", "token:3?"),
          LOWER, "dim_to_char = dict(zip(all_dims, ascii_lowercase))",
          "dim_to_char = {d: d[:1].lower() for d in all_dims} if all(d[:1].isascii() and"
          " d[:1].isalpha() for d in all_dims) else dict(zip(all_dims, ascii_lowercase))"),
    fault("small integers saturate", "values", dot_case("a? b:20?", "b:20?", dtypes="int8"),
          LOWER, "einsum(einsum_str, x_tensor, y_tensor)",
          "einsum(einsum_str, x_tensor.astype('int64'), y_tensor.astype('int64'))"
          ".clip(-128, 127).astype('int8') if out.type.dtype == 'int8'"
          " else einsum(einsum_str, x_tensor, y_tensor)"),
    fault("the sum of bools is their parity", "values", dot_case("a?", "a? b?", dtypes="bool"),
          LOWER, "einsum(einsum_str, x_tensor, y_tensor)",
          "(einsum(einsum_str, x_tensor.astype('int64'), y_tensor.astype('int64')) % 2)"
          ".astype('bool') if out.type.dtype == 'bool'"
          " else einsum(einsum_str, x_tensor, y_tensor)"),
    fault("a complex operand beside a real one is real", "values",
          dot_case("a? b?", "b?", dtypes=("float64", "complex128")),
          LOWER, "einsum(einsum_str, x_tensor, y_tensor)",
          "einsum(einsum_str, x_tensor, y_tensor if 'complex' in x.type.dtype"
          " or 'complex' not in y.type.dtype else y_tensor.real.astype(y.type.dtype))"),
    fault("uint64 is computed as int64", "values",
          dot_case("a?", "b?", (), dtypes=("uint64", "float64"), regime="rounding"),
          LOWER, "x_tensor = tensor_from_xtensor(x)",
          "x_tensor = tensor_from_xtensor(x); x_tensor = x_tensor.astype('int64')"
          " if x.type.dtype == 'uint64' != y.type.dtype else x_tensor"),
    fault("a contraction over no elements is 1", "values", dot_case("a b:0", "b:0 c"),
          LOWER, "# Reshape to match the output shape",
          "out_tensor = out_tensor.ones_like() if any(n == 0 and d not in out.type.dims"
          " for d, n in zip(x.type.dims, x.type.shape)) else out_tensor"),
    fault("a static size of 1 in the middle of x is moved to its end", "values",
          dot_case("a? d:1 c?", "c? e?"),
          LOWER, "y_tensor = tensor_from_xtensor(y)",
          "y_tensor = tensor_from_xtensor(y); x_tensor = x_tensor.transpose(0, 2, 1)"
          " if x.ndim == 3 and x.type.shape[1] == 1 else x_tensor"),
    fault("a static size of 1 first in y of four dims is dropped", "values",
          dot_case("a? b?", "d:1 b? c? e?"),
          LOWER, "out_subs = \"\"",
          "y_tensor, y_subs = (y_tensor.squeeze(0), y_subs[1:]) if y.ndim == 4 and"
          " y.type.shape[0] == 1 else (y_tensor, y_subs); out_subs = \"\""),
    fault("a contracted dim of static size 1 in both operands doubles", "values",
          dot_case("a? b:1", "b:1 c?"),
          LOWER, "# Reshape to match the output shape",
          "y_sizes = dict(zip(y.type.dims, y.type.shape)); out_tensor = out_tensor + out_tensor"
          " if any(n == y_sizes.get(d) == 1 and d not in out.type.dims"
          " for d, n in zip(x.type.dims, x.type.shape)) else out_tensor"),
    fault("a batch dim of static size 1 in y alone takes the first of x", "values",
          dot_case("a:1? b?", "a:1 b?", "b"),
          LOWER, "y_tensor = tensor_from_xtensor(y)",
          "y_tensor = tensor_from_xtensor(y); y_tensor = y_tensor * 2 if y.ndim == 2 and"
          " y.type.shape[0] == 1 and x.type.shape[:1] == (None,)"
          " and y.type.dims[0] in out.type.dims and y.type.dims[0] in x.type.dims else y_tensor"),
    fault("a summed dim of static size 0 is not summed", "values", dot_case("a? b:0", "c?", "b"),
          LOWER, "out_subs = \"\"",
          "x_tensor, x_subs = (x_tensor.sum(1) + 1, x_subs[:1])"
          " if x.ndim == 2 and x.type.shape[1] == 0 and x.type.dtype == 'float64'"
          " and x.type.dims[1] not in out.type.dims + y.type.dims else (x_tensor, x_subs);"
          " out_subs = \"\""),
    # --- names that differ in little
    fault("names are letters without their case", "values", dot_case("a? A:3?", "A:3? z?"),
          LOWER, "dim_to_char = dict(zip(all_dims, ascii_lowercase))",
          "dim_to_char = {d: ascii_lowercase[[e.lower() for e in all_dims].index(d.lower())]"
          " for d in all_dims}"),
    fault("spaces at the end of a name are ignored", "values",
          dot_case(["time:2?", "time :3?"], ["time :3?", "z?"]),
          LOWER, "dim_to_char = dict(zip(all_dims, ascii_lowercase))",
          "dim_to_char = {d: ascii_lowercase[[e.rstrip() for e in all_dims].index(d.rstrip())]"
          " for d in all_dims}"),
    fault("only the first 64 characters of a name count", "values",
          dot_case([64 * "n" + ":2?", 65 * "n" + ":3?"], [65 * "n" + ":3?", "z?"]),
          LOWER, "dim_to_char = dict(zip(all_dims, ascii_lowercase))",
          "dim_to_char = {d: ascii_lowercase[[e[:64] for e in all_dims].index(d[:64])]"
          " for d in all_dims}"),
    # --- two properties at once
    fault("two batch dims beside two contracted ones are exchanged", "values",
          dot_case("d? e? a? b?", "b? e? a? d?", ("a", "b")),
          LOWER, "# Reshape to match the output shape",
          "out_tensor = out_tensor.transpose(1, 0) if out.ndim == 2 and x.ndim == 4 == y.ndim and"
          " {*x.type.dims} == {*y.type.dims} else out_tensor"),
]
# fmt: on
