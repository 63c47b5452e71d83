"""The products that PyTensor computes of operands whose sizes differ."""

from math import prod

import numpy as np

from refdot.cases.case import DotCase, Operand
from refdot.judging.rounding import correct_answers, unit_roundoff
from refdot.pytensor.deviations.size_errors import is_squeezed, joined_dims
from refdot.targets.outcome import Outcome
from refdot.tensor import NamedTensor

__all__ = ["are_products_of_joined"]

# No case has dims of these names.
_BATCH, _CONTRACTED = "\0batch", "\0contracted"


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
    x, y = case.tensors(replicate)
    x, y = _joined(case, case.x, x), _joined(case, case.y, y)
    joined = _flattened(answer, batch, _BATCH)
    # Numba does not compare the sizes of batches, and goes on after the end of the shorter one.
    # And its product of nothing is 0, whatever it is multiplied by.
    batches = slice(min(tensor.sizes[_BATCH] for tensor in (x, y, joined)))
    terms = {x.sizes[_CONTRACTED], y.sizes[_CONTRACTED]}
    if len(terms) > 1 and 0 not in terms and batches.stop > 0:
        return False
    least = slice(min(terms))
    x, y = (t.isel(**{_BATCH: batches, _CONTRACTED: least}) for t in (x, y))
    correct = correct_answers(x, y, {*x.dims, *y.dims}.difference(joined.dims))
    value = joined.isel(**{_BATCH: batches}).transpose(*correct.dims).data
    if value.shape != correct.reference.shape:
        return False
    dtypes = [np.dtype(operand.dtype) for operand in (case.x, case.y)]
    if dtypes[0] != dtypes[1] and correct.dtype.kind in "biu":
        return True  # Not every backend multiplies two types of integers in the type of the answer.
    units = [unit_roundoff(dtype) for dtype in dtypes if dtype.kind in "fc"]
    return not correct.wrong(value, max(units, default=0.0)).any()


def _joined(case: DotCase, operand: Operand, tensor: NamedTensor) -> NamedTensor:
    """Return an operand without its squeezed dims, and with its joined dims."""
    squeezed = {
        dim: 0
        for dim in (*case.lowering.contracted, *case.lowering.batch)
        if is_squeezed(case, dim) and operand.static_sizes[dim] == 1
    }
    batch, contracted = joined_dims(case, "batch"), joined_dims(case, "contracted")
    return _flattened(_flattened(tensor.isel(**squeezed), batch, _BATCH), contracted, _CONTRACTED)


def _flattened(tensor: NamedTensor, dims: list[str], name: str) -> NamedTensor:
    """Return a tensor with some of its dims joined into one, which comes first."""
    tensor = tensor.transpose(*dims, ...)
    shape = (prod(tensor.shape[: len(dims)]), *tensor.shape[len(dims) :])
    return NamedTensor(tensor.data.reshape(shape), (name, *tensor.dims[len(dims) :]))
