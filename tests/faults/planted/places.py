"""The places of faults in PyTensor, and a notation for faults."""

from __future__ import annotations

from typing import Any

from planting import Edit, Fault
from pytensor.graph.op import Op

from refdot.cases.case import DotCase
from refdot.cases.notation import dot_case

# The name of the method for gradients depends on PyTensor's version.
PULLBACK = "pullback" if hasattr(Op, "pullback") else "L_op"

# PyTensor moved some of its code between these versions.
OLD, NEW = "<3.1", ">=3.3"

DOT = "pytensor.xtensor.math:dot"
NODE = "pytensor.xtensor.math:Dot.make_node"
LOWER = "pytensor.xtensor.rewriting.math:lower_dot.fn"
EINSUM = "pytensor.tensor.einsum:einsum"
GENERAL_DOT = "pytensor.tensor.einsum:_general_dot"
TENSORDOT = "pytensor.tensor.math:tensordot"
SUM = "pytensor.tensor.elemwise:CAReduce.perform"
MATMUL = "pytensor.tensor.math:Dot.perform"
DOT22 = "pytensor.tensor.blas:Dot22.perform"
BATCHED_DOT = "pytensor.tensor.blas:BatchedDot.perform"
PRODUCTS = {MATMUL, DOT22, BATCHED_DOT}  # code that runs, and makes no graphs
DOT_GRADIENT = f"pytensor.tensor.math:Dot.{PULLBACK}"


def product(new: str) -> tuple[Edit, ...]:
    """Replace each matrix product in PyTensor by an expression in the arrays x and y."""
    wrong = f"(lambda x, y: {new})"
    return (
        Edit(MATMUL, "np.matmul", wrong),
        Edit(DOT22, "np.dot", wrong),
        Edit(BATCHED_DOT, "np.matmul", wrong),
    )


def fault(name: str, aspect: str, example: DotCase, *edits: Any, **options: str) -> Fault:
    """Return a fault of one edit, given as its fields, or of several.

    It has only the edits that apply to the installed version; the options are its lowering and
    its backend.
    """
    if isinstance(edits[0], str):
        edits = (Edit(*edits),)
    return Fault(name, aspect, tuple(edit for edit in edits if edit.applies), example, **options)


MATRICES = dot_case("a? b?", "b? c?")
BATCHED = dot_case("a? b? c?", "a? c? d?", "c")
INTEGERS = ("int64", "int64")
