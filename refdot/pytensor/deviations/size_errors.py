"""PyTensor's errors for sizes that differ, and the sizes that they compare."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest
from math import prod
from typing import Literal

from refdot.cases.case import DotCase
from refdot.pytensor.deviations.record import static_sizes, unequal_dims
from refdot.targets.outcome import Raised

__all__ = ["is_about_sizes", "is_squeezed", "joined_dims"]

Role = Literal["contracted", "batch"]
_Pair = tuple[str, str]


@dataclass(frozen=True)
class _Check:
    """A comparison of sizes in an operation.

    The groups of the message, if it has any, are the two sizes or shapes that are compared. Without
    them, the message does not show the sizes.
    """

    role: Role | Literal["any"]  # of the dims that it compares
    type: str
    message: str
    broadcasts: bool = False  # whether the size 1 of a free dim may stand beside another one


_SHAPE = r"\(([\w, ]*)\)"
_CHECKS = (
    # Matrix products: NumPy's, Numba's, JAX's, and PyTensor's in C.
    _Check("contracted", "ValueError", r"matmul: .* \(size (\d+) is different from (\d+)\)"),
    _Check(
        "contracted",
        "ValueError",
        r"shapes \S+ and \S+ not aligned: (\d+) \(dim \d\) != (\d+) \(dim \d\)",
    ),
    _Check("contracted", "ValueError", "gemm: operands have mismatched contraction dimensions"),
    _Check("contracted", "ValueError", r"incompatible array sizes for np\.dot\(a, b\)"),
    _Check(
        "contracted",
        "TypeError",
        rf"dot_general requires contracting dimensions to have the same shape, got {_SHAPE}"
        rf" and {_SHAPE}\.",
    ),
    _Check(
        "contracted",
        "ValueError",
        r"Shape mismatch: x has (\d+) cols \(and \d+ rows\) but y has (\d+) rows",
    ),
    _Check("contracted", "ValueError", r"Shape mismatch: A\.shape\[\d\] != [xy]\.shape\[0\]"),
    _Check(
        "contracted",
        "ValueError",
        r"Shape mismatch: summation axis sizes unequal\. x\.shape is \(\d+, \d+, (\d+)\),"
        r" y\.shape is \(\d+, (\d+), \d+\)",
    ),
    _Check(
        "contracted",
        "AssertionError",
        "Input array shape along reduced axes of tensordot are not equal",
    ),
    # Batched products.
    _Check(
        "batch",
        "TypeError",
        # Of a message with large arrays, refdot keeps the start and the end.
        r"Inputs .* size in axis 0, but have sizes \[(\d+), (\d+)\]",
    ),
    _Check("batch", "TypeError", "Shapes must match along the first dimension of BatchedDot"),
    _Check(
        "batch",
        "ValueError",
        r"Shape mismatch: batch sizes unequal\. x\.shape is \((\d+), \d+, \d+\),"
        r" y\.shape is \((\d+), \d+, \d+\)",
    ),
    _Check(
        "batch",
        "ValueError",
        r"operands could not be broadcast together with remapped shapes .*?->"
        rf"{_SHAPE}.*?->{_SHAPE}",
        broadcasts=True,
    ),
    # Elementwise products.
    _Check(
        "batch",
        "ValueError",
        rf"operands could not be broadcast together with shapes {_SHAPE} {_SHAPE}",
        broadcasts=True,
    ),
    _Check(
        "batch",
        "TypeError",
        rf"mul got incompatible shapes for broadcasting: {_SHAPE}, {_SHAPE}",
        broadcasts=True,
    ),
    _Check(
        "batch",
        "ValueError",
        r"(?:Input dimension mismatch|Runtime broadcasting not allowed.*): "
        r"\(input\[\d+\]\.shape\[\d+\] = (\d+), input\[\d+\]\.shape\[\d+\] = (\d+)\)",
    ),
    _Check("batch", "ValueError", r"Vectorized input \d+ has an incompatible shape in axis \d+"),
    _Check(
        "batch",
        "ValueError",
        "Runtime broadcasting not allowed. At least one input has a distinct (?:batch )?dimension"
        " length of (1), but was not marked as broadcastable",
    ),
    _Check(
        "batch",
        "ValueError",
        r"Incompatible vectorized shapes for input \d+ and axis \d+\. Input \d+ has shape (1),",
    ),
    _Check("batch", "AssertionError", "Could not broadcast dimensions"),
    # The shapes to which each matrix of a batch is reshaped.
    _Check(
        "batch",
        "ValueError",
        r"all the input array dimensions except for the concatenation axis must match exactly, "
        r"but along dimension \d, the array at index \d has size (\d+) "
        r"and the array at index \d has size (\d+)",
    ),
    # Static sizes: of the inputs of an operation, then of the graph's output.
    _Check(
        "batch",
        "ValueError",
        rf"Incompatible Elemwise input shapes \[{_SHAPE}, {_SHAPE}\]",
        broadcasts=True,
    ),
    _Check(
        "batch",
        "ValueError",
        r"Incompatible Blockwise batch input shapes "
        r"\[\(([\w, ]*), \w+, \w+\), \(([\w, ]*), \w+, \w+\)\]",
        broadcasts=True,
    ),
    _Check(
        "batch",
        "ValueError",
        r"Size of label '\w' for operand 1 \((\d+)\) does not match previous terms \((\d+)\)",
    ),
    _Check(
        "batch",
        "TypeError",
        rf"Cannot convert Type XTensorType{{.*?shape={_SHAPE}.*? into Type"
        rf" XTensorType{{.*?shape={_SHAPE}",
    ),
    _Check(
        "any",
        "AssertionError",
        rf"SpecifyShape: Got shape {_SHAPE}, expected {_SHAPE}",
    ),
    _Check(
        "any",
        "AssertionError",
        r"SpecifyShape: dim \d+ of input has shape (\d+), expected (\d+)",
    ),
    _Check("any", "ValueError", rf"Invalid shape: Expected {_SHAPE} but got {_SHAPE}"),
    # The lowering "direct", for static sizes that building the graph has accepted.
    _Check("batch", "ValueError", r"Size of dim '.*' does not match: (\d+) in x, (\d+) in y"),
)

_ABOUT_SHAPES = r"\b(?:shapes?|sizes?|dimensions?|broadcast\w*)\b"
_ABOUT_RESHAPES = "reshape|total size of new array"


def is_about_sizes(raised: Raised, case: DotCase) -> bool:
    """Return whether an error of PyTensor compares sizes that do differ in a case."""
    is_empty = 0 in case.x.shape + case.y.shape
    if is_empty and re.search(_ABOUT_RESHAPES, raised.message):
        return False  # only a trial can tell which of the arrays has a wrong shape
    listed = [
        (check, match)
        for check in _CHECKS
        if (match := re.match(check.message, raised.message, re.DOTALL))
    ]
    for check, match in listed:
        if check.type == raised.type:
            # Rewrites replace products with constants by other operations.
            has_constant = "constant" in (case.x.origin, case.y.origin)
            differing = _differing_sizes(case, "any" if has_constant else check.role)
            return bool(differing) and _shows(check, match, differing)
    return not listed and _shows_differing_sizes(raised, case)


def _shows_differing_sizes(raised: Raised, case: DotCase) -> bool:
    """Return whether an error is about shapes, and shows two sizes that differ, or no numbers.

    Such errors cannot all be listed: any operation may be the first one to meet the sizes.
    """
    if raised.type not in ("ValueError", "TypeError"):
        return False
    if not re.search(_ABOUT_SHAPES, raised.message):
        return False
    differing = _differing_sizes(case, "any")
    shown = {*map(int, re.findall(r"\b\d+\b", raised.message))}
    return bool(differing) and (not shown or any(pair <= shown for pair in differing))


def _shows(check: _Check, match: re.Match[str], differing: set[frozenset[int]]) -> bool:
    """Return whether all sizes that differ in a message are among those that differ in a case."""
    if not match.groups():
        return True
    if len(match.groups()) == 1:
        return any(int(match[1]) in pair for pair in differing)
    shown = [*_unequal_entries(match[1], match[2], check.broadcasts)]
    return bool(shown) and differing.issuperset(shown)


def _unequal_entries(one: str, other: str, broadcasts: bool) -> Iterator[frozenset[int]]:
    """Yield each pair of known sizes that differ, of two shapes aligned at their ends."""
    shapes = (re.findall(r"\w+", shape)[::-1] for shape in (one, other))
    for pair in zip_longest(*shapes, fillvalue="1"):
        is_known = all(entry.isdigit() for entry in pair)
        if is_known and pair[0] != pair[1] and not (broadcasts and "1" in pair):
            yield frozenset(map(int, pair))


def _differing_sizes(case: DotCase, role: Role | Literal["any"]) -> set[frozenset[int]]:
    """Return the sizes of the dims of a role that differ, one by one and joined."""
    if role == "any":
        return _differing_sizes(case, "contracted") | _differing_sizes(case, "batch")
    x, y, dims = case.x.sizes, case.y.sizes, joined_dims(case, role)
    unequal = unequal_dims(case).intersection(getattr(case.lowering, role))
    pairs = {(x[dim], y[dim]) for dim in unequal}
    if pairs:
        pairs.add((prod(x[dim] for dim in dims), prod(y[dim] for dim in dims)))
    return {frozenset(pair) for pair in pairs if pair[0] != pair[1]}


def joined_dims(case: DotCase, role: Role) -> list[str]:
    """Return the contracted or batch dims that a matrix product joins into one, in order."""
    dims = getattr(case.lowering, role)
    return [dim for dim in case.dims if dim in dims and not is_squeezed(case, dim)]


def is_squeezed(case: DotCase, dim: str) -> bool:
    """Return whether einsum drops a shared dim from one operand: it has the static size 1 there."""
    x_size, y_size = static_sizes(case, dim)
    return (x_size == 1) != (y_size == 1)
