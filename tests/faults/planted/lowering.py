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
]
# fmt: on
