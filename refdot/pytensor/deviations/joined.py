"""The products that PyTensor computes of operands whose sizes differ."""

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from refdot.cases.case import DotCase, Operand
from refdot.evaluation import dot
from refdot.judging.rounding import correct_answers, unit_roundoff
from refdot.pytensor.deviations.numbers import rounded_constants
from refdot.pytensor.deviations.size_errors import is_squeezed, joined_dims
from refdot.targets.outcome import Outcome
from refdot.tensor import NamedTensor

__all__ = ["CONTRACTED", "are_products_of_joined", "is_product", "joined_operands"]

# No case has dims of these names.
_BATCH, CONTRACTED = "\0batch", "\0contracted"
# The types of integers in which a backend may multiply others.
_WIDE = tuple(map(np.dtype, ("int64", "uint64")))
# A sum of floats of 53 bits, or of 24, depends on the order of its terms.
_TOLERANCE, _IN_SINGLE_PRECISION = 2.0**-40, 2.0**-20


def are_products_of_joined(case: DotCase, outcome: Outcome) -> bool:
    """Return whether the answers are products of the operands with joined dims.

    einsum drops a shared dim from an operand that has the static size 1 there. A matrix product
    then joins the batch dims into one, and the contracted dims into another one.
    """
    return all(
        _is_product_of_joined(case, replicate, answer)
        for replicate, answer in enumerate(outcome.values)
    )


def _is_product_of_joined(case: DotCase, replicate: int, answer: NamedTensor) -> bool:
    if answer.dims != case.lowering.out_dims:
        return False
    batch = joined_dims(case, "batch")
    batch_sizes = [answer.sizes[dim] for dim in batch]
    if batch_sizes not in [[operand.sizes[dim] for dim in batch] for operand in (case.x, case.y)]:
        return False
    x, y = joined_operands(case, replicate)
    joined = _flattened(answer, batch, _BATCH)
    # Numba does not compare the sizes of batches, and goes on after the end of the shorter one.
    # And its product of nothing is 0, whatever it is multiplied by. An empty answer has none.
    batches = slice(min(tensor.sizes[_BATCH] for tensor in (x, y, joined)))
    terms = {x.sizes[CONTRACTED], y.sizes[CONTRACTED]}
    if len(terms) > 1 and 0 not in terms and batches.stop > 0 and answer.data.size:
        return False
    least = slice(min(terms))
    x, y = (t.isel(**{_BATCH: batches, CONTRACTED: least}) for t in (x, y))
    are_constants = [operand.origin == "constant" for operand in (case.x, case.y)]
    return is_product(x, y, joined.isel(**{_BATCH: batches}), are_constants)


def is_product(
    x: NamedTensor, y: NamedTensor, out: NamedTensor, are_constants: Sequence[bool] = (False, False)
) -> bool:
    """Return whether a tensor is the product of two others, summed over the dims that it lacks."""
    # einsum sums the dims of one operand first. If such a sum is empty, it is 0, and its product
    # may be NaN or -0. A constant that is then one integer may be rounded.
    alone = _summed_alone(x, y, out), _summed_alone(y, x, out)
    pairs = ((x, y), alone, *rounded_constants(*alone, are_constants))
    return any(_is_exactly(*pair, out) for pair in pairs)


def _summed_alone(tensor: NamedTensor, other: NamedTensor, out: NamedTensor) -> NamedTensor:
    """Return a tensor without the dims that neither the other one nor the output has.

    As in PyTensor, the sum of smaller integers has 64 bits.
    """
    own = {*tensor.dims}.difference(other.dims, out.dims)
    dtype = np.ones(1, tensor.dtype).sum().dtype if own else tensor.dtype
    return dot(tensor, NamedTensor(np.ones((), dtype), ()), own)


def _is_exactly(x: NamedTensor, y: NamedTensor, out: NamedTensor) -> bool:
    correct = correct_answers(x, y, {*x.dims, *y.dims}.difference(out.dims))
    value = out.transpose(*correct.dims).data
    if value.shape != correct.reference.shape:
        return False
    if x.dtype != y.dtype and x.dtype.kind in "biu" and y.dtype.kind in "biu":
        # Not every backend multiplies two types of integers in the type of the answer.
        dtypes = (x.dtype, y.dtype, *_WIDE)
        return _is_product_of_floats(x, y, out) or any(
            _is_product_in(dtype, x, y, out) for dtype in dtypes
        )
    units = [unit_roundoff(each.dtype) for each in (x, y) if each.dtype.kind in "fc"]
    return not correct.wrong(value, max(units, default=0.0)).any()


def _is_product_in(dtype: np.dtype[Any], x: NamedTensor, y: NamedTensor, out: NamedTensor) -> bool:
    """Return whether a tensor is the sum of products that are computed in another dtype."""
    with np.errstate(all="ignore"):
        x, y = (NamedTensor(tensor.data.astype(dtype), tensor.dims) for tensor in (x, y))
        products = dot(x, y, ())
        converted = NamedTensor(products.data.astype(out.dtype), products.dims)
        one = NamedTensor(np.ones((), out.dtype), ())
        total = dot(converted, one, {*products.dims}.difference(out.dims)).transpose(*out.dims)
        return np.allclose(out.data, total.data, _TOLERANCE, 0, equal_nan=True)


def _is_product_of_floats(x: NamedTensor, y: NamedTensor, out: NamedTensor) -> bool:
    """Return whether a tensor is a dot of floats, where its dtype has numbers as large as that.

    Numba multiplies matrices of integers so, those of up to 32 bits in single precision.
    """
    x, y = (NamedTensor(tensor.data.astype("float64"), tensor.dims) for tensor in (x, y))
    x_size, y_size = (NamedTensor(np.abs(tensor.data), tensor.dims) for tensor in (x, y))
    dims = {*x.dims, *y.dims}.difference(out.dims)
    total = dot(x, y, dims).transpose(*out.dims).data
    magnitude = dot(x_size, y_size, dims).transpose(*out.dims).data
    error = magnitude * (_IN_SINGLE_PRECISION if out.dtype.itemsize <= 4 else _TOLERANCE)
    largest = np.iinfo(out.dtype).max if out.dtype.kind in "iu" else np.inf
    is_near = np.abs(out.data.astype("float64") - total) <= error
    return bool((is_near | (np.abs(total) + error > largest)).all())


def joined_operands(case: DotCase, replicate: int) -> tuple[NamedTensor, NamedTensor]:
    """Return the operands as einsum and matrix products see them.

    They have no dims that einsum drops, and the others are joined into one batch dim and one
    contracted dim.
    """
    x, y = case.tensors(replicate)
    return _joined(case, case.x, x), _joined(case, case.y, y)


def _joined(case: DotCase, operand: Operand, tensor: NamedTensor) -> NamedTensor:
    """Return an operand without its squeezed dims, and with its joined dims."""
    squeezed = {
        dim: 0
        for dim in (*case.lowering.contracted, *case.lowering.batch)
        if is_squeezed(case, dim) and operand.static_sizes[dim] == 1
    }
    batch, contracted = joined_dims(case, "batch"), joined_dims(case, "contracted")
    return _flattened(_flattened(tensor.isel(**squeezed), batch, _BATCH), contracted, CONTRACTED)


def _flattened(tensor: NamedTensor, dims: list[str], name: str) -> NamedTensor:
    """Return a tensor with some of its dims joined into one, which comes first."""
    tensor = tensor.transpose(*dims, ...)
    shape = (prod(tensor.shape[: len(dims)]), *tensor.shape[len(dims) :])
    return NamedTensor(tensor.data.reshape(shape), (name, *tensor.dims[len(dims) :]))
