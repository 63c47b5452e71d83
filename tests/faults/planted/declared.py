"""Faults in what a graph declares: dtypes, static sizes and dims."""

from planting import Edit

from planted.places import (
    INTEGERS,
    LOWER,
    MATRICES,
    NODE,
    fault,
)
from refdot.cases.notation import dot_case

__all__ = ["FAULTS"]


# In each: name, aspect and example; then the edit: where, old and new. Formatted by hand.
# fmt: off
FAULTS = [
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
    fault("a static size of 1 is lost", "values", dot_case("a:1", "b"),
          NODE, "tuple(shape_dict[d] for",
          "tuple(None if shape_dict[d] == 1 else shape_dict[d] for"),
    fault("a batch dim has the static size that x knows", "values",
          dot_case("a? b?", "a b?", ()),
          NODE, "out_dims = tuple(", "shape_dict.update(x_shape_dict); out_dims = tuple("),
    fault("the last output dim has no static size", "values", dot_case("a b", "b c"),
          NODE, "# Determine output dtype", "out_shape = (*out_shape[:-1], None)[:len(out_dims)]"),
    fault("static sizes above 64 are lost", "values", dot_case("a:70", "b"),
          NODE, "tuple(shape_dict[d] for",
          "tuple(None if (shape_dict[d] or 0) > 64 else shape_dict[d] for"),
    fault("the output of two bool operands is int8", "values",
          dot_case("a?", "a? b?", dtypes="bool"),
          NODE, "upcast(x.type.dtype, y.type.dtype)",
          "upcast(x.type.dtype, y.type.dtype).replace('bool', 'int8')"),
    *(
        fault(f"the dot of {x} and {y} is {wrong}", "values",
              dot_case("a? b?", "b?", dtypes=(x, y)),
              Edit(NODE, "upcast(x.type.dtype, y.type.dtype)",
                   f"{wrong!r} if {{x.type.dtype, y.type.dtype}} == {{{x!r}, {y!r}}}"
                   " else upcast(x.type.dtype, y.type.dtype)"),
              Edit(LOWER, "# Reshape to match the output shape",
                   "out_tensor = out_tensor.astype(out.type.dtype)"))
        for x, y, wrong in (
            ("complex64", "float64", "complex64"),
            ("int32", "float32", "float32"),
            ("uint8", "int8", "int8"),
            ("float16", "int16", "float16"),
            ("bool", "uint16", "bool"),
        )
    ),
    fault("the declared sizes are asserted in reverse", "values", dot_case("a b?", "b? c"),
          LOWER, "specify_shape(out_tensor, out.type.shape)",
          "specify_shape(out_tensor, out.type.shape[::-1])"),
]
# fmt: on
