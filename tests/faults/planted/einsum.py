"""Faults in einsum and tensordot."""

from planted.places import (
    EINSUM,
    GENERAL_DOT,
    TENSORDOT,
    fault,
)
from refdot.cases.notation import dot_case

__all__ = ["FAULTS"]


# In each: name, aspect and example; then the edit: where, old and new. Formatted by hand.
# fmt: off
FAULTS = [
    fault("several contracted dims are paired wrongly", "values", dot_case("a? d?", "a? d?"),
          EINSUM, "(rhs_cont, lhs_cont)", "(rhs_cont[::-1], lhs_cont)"),
    fault("batch dims are paired wrongly", "values", dot_case("a? b?", "b? a?", ()),
          EINSUM, "(rhs_batch, lhs_batch)\n", "(rhs_batch[::-1], lhs_batch)\n"),
    fault("dims of one operand are averaged", "values", dot_case("a? b?", "b?", ("a", "b")),
          EINSUM, "operand = operand.sum(axes)\n            names = removechars",
          "operand = operand.mean(axes).astype(operand.dtype)\n            names = removechars"),
    fault("only one of several summed dims is summed", "values",
          dot_case("a? b?", "c?", ("a", "b")),
          EINSUM, "names.index(name) for name in uniques]",
          "names.index(name) for name in uniques[:1]]"),
    fault("the last transposition is inverted", "values", dot_case("c? a?", "a? d? e?", ()),
          EINSUM, "tuple(names.index(name) for name in result_names)",
          "tuple(result_names.index(name) for name in names)"),
    fault("the last transposition is missing", "values", dot_case("c? b? a?", "a? d?", ()),
          EINSUM, "if names != result_names", "if False"),
    fault("batch dims are moved the wrong way", "values", dot_case("d? a? b?", "d? a? b?", "d"),
          GENERAL_DOT, "moveaxis(var, var_batch_axes, new_var_batch_axes)",
          "moveaxis(var, new_var_batch_axes, var_batch_axes)"),
    fault("axes after a batch dim are miscounted", "values",
          dot_case("b? d? a?", "a? d? b?", "b"),
          GENERAL_DOT, "batch_axis > var_axis", "batch_axis < var_axis"),
    fault("three or more free dims of y are reversed", "values", dot_case("a?", "a? b? d? e?"),
          TENSORDOT, "axes_b + non_summed_axes_b\n",
          "axes_b + (non_summed_axes_b if ndim_b < 3 else non_summed_axes_b[::-1])\n"),
    fault("a free dim of static size 1 is dropped", "values", dot_case("a:1 b?", "b? c"),
          EINSUM, "(not op_bcast[i]) or (j == -1) or other_bcast[j]",
          "(not op_bcast[i]) or (j != -1 and other_bcast[j])"),
    fault("batch dims keep the order of x", "values", dot_case("a? d? b?", "d? a? b?", "b"),
          EINSUM, "(lhs_names.find(n), rhs_names.find(n)) for n in batch_names",
          "(sorted(map(lhs_names.find, batch_names))[i], rhs_names.find(n))"
          " for i, n in enumerate(batch_names)"),
    fault("a right operand with a batch dim is not transposed", "values",
          dot_case("a? b? c?", "b? a? d? c?", "c"),
          GENERAL_DOT, "zip(vars, axes, batch_axes, n_batch_axes, strict=True)\n    ):",
          "zip(vars, axes, batch_axes, n_batch_axes, strict=True)\n    ):\n"
          "        if i == 1 and var_n_batch_axes > 1 and sorted(var_batch_axes) =="
          " list(range(var_n_batch_axes)):\n            continue"),
    fault("an outer product within a batch is a product of equal indices", "values",
          dot_case("a? d?", "a? e?", ()),
          GENERAL_DOT, "signature == \"(),()->()\"",
          "len(lhs_signature) == len(rhs_signature) == 1 and not lhs_axes"),
    fault("the sizes of more than two contracted dims are not asserted", "errors",
          dot_case("d? b:3? c:4?", "d? b:4? c:3?"),
          TENSORDOT, "must_assert_runtime = True", "must_assert_runtime = na < 3"),
    fault("static sizes of one operand are not compared", "errors",
          dot_case("a:2 b:6", "a:6? b:2?"),
          TENSORDOT, "static_shape_a[ax_a] is None or static_shape_b[ax_b] is None",
          "static_shape_a[ax_a] is None and static_shape_b[ax_b] is None"),
    fault("the sizes of the contracted dims of y are reversed", "values",
          dot_case("a? b? c?", "b? c? d?"),
          TENSORDOT, "transpose_axes_b = axes_b + non_summed_axes_b",
          "transpose_axes_b = axes_b[::-1] + non_summed_axes_b"),
    fault("free dims of x and y are exchanged in the output", "values",
          dot_case("a? b? c?", "b? d? e?"),
          TENSORDOT, "res.reshape(non_summed_dims_a + non_summed_dims_b)",
          "res.reshape(non_summed_dims_b + non_summed_dims_a)"),
]
# fmt: on
