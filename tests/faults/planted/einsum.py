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
]
# fmt: on
