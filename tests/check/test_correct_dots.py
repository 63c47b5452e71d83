"""Campaigns on correct dots find no mismatch."""

from collections.abc import Callable

import numpy as np
import pytest
from running import campaign, signatures

import refdot as rd
from refdot import check
from refdot.cases.case import DotCase, Operand
from refdot.check.batch import judge_batch
from refdot.check.plan import Batch, Configuration
from refdot.judging.expected import unjudged_reason
from refdot.judging.references import dot_by_definition
from refdot.lowering import Lowering
from refdot.targets.callable import CallableTarget
from refdot.targets.registry import find_target
from refdot.tensor import NamedTensor


def validated(compute: Callable[[NamedTensor, NamedTensor, Lowering], NamedTensor]) -> Callable:
    """Return a dot that validates its input and computes with `compute`."""

    def dot(x: NamedTensor, y: NamedTensor, dim=None) -> NamedTensor:
        low = rd.lower_dot(x.dims, y.dims, dim)
        for name in low.contracted + low.batch:
            if x.sizes[name] != y.sizes[name]:
                raise ValueError(f"{name} is {x.sizes[name]} long, or {y.sizes[name]}")
        with np.errstate(all="ignore"):
            return compute(x, y, low)

    return dot


def summed_over(low: Lowering) -> set[str]:
    """Return every dim that a lowering sums over."""
    return {*low.contracted, *low.x_summed, *low.y_summed}


def by_definition(x, y, low):
    return dot_by_definition(x, y, summed_over(low))


def with_reversed_axes(x, y, low):
    def flipped(tensor):
        return NamedTensor(np.flip(tensor.data), tensor.dims)

    return flipped(rd.dot(flipped(x), flipped(y), summed_over(low)))


def with_swapped_operands(x, y, low):
    return rd.dot(y, x, summed_over(low)).transpose(*low.out_dims)


def in_fortran_order(x, y, low):
    result = rd.dot(x, y, summed_over(low))
    return NamedTensor(np.array(result.data, order="F"), result.dims)


def in_higher_precision(x, y, low):
    dtype = np.result_type(x.data, y.data)
    wider = {"f": np.longdouble, "c": np.clongdouble}.get(dtype.kind, dtype)
    result = rd.dot(*(NamedTensor(t.data.astype(wider), t.dims) for t in (x, y)), summed_over(low))
    return NamedTensor(result.data.astype(dtype), result.dims)


def by_tensordot(x, y, low):
    """Sum over the summed dims first, then call `np.tensordot` for each batch index."""
    dtype, sizes = np.result_type(x.data, y.data), x.sizes | y.sizes
    kept = low.batch + low.x_free + low.y_free
    out = np.zeros([sizes[name] for name in kept], dtype)
    if all(sizes[name] for name in summed_over(low)):
        x, y = (
            NamedTensor(t.data.astype(dtype), t.dims).sum(*names) if names else t
            for t, names in ((x, low.x_summed), (y, low.y_summed))
        )
        for place in np.ndindex(*(sizes[name] for name in low.batch)):
            here = dict(zip(low.batch, place, strict=True))
            at_x, at_y = x.isel(**here), y.isel(**here)
            axes = [[t.dims.index(name) for name in low.contracted] for t in (at_x, at_y)]
            out[place] = np.tensordot(at_x.data, at_y.data, axes)
    return NamedTensor(NamedTensor(out, kept).transpose(*low.out_dims).data, low.out_dims)


def by_pairwise_summation(x, y, low):
    """Multiply elementwise, then add the halves of each sum, again and again."""
    summed = sorted(summed_over(low))
    products = rd.dot(x, y, ()).transpose(*low.out_dims, *summed).data

    def total(terms):
        while (half := terms.shape[-1] // 2) > 0:
            sums = terms[..., :half] + terms[..., half : 2 * half]
            terms = np.concatenate([sums, terms[..., 2 * half :]], -1)
        return terms.sum(axis=-1, dtype=terms.dtype)

    sizes = x.sizes | y.sizes
    shape = [sizes[name] for name in low.out_dims]
    length = int(np.prod([sizes[name] for name in summed], dtype=int))
    return NamedTensor(np.asarray(total(products.reshape(*shape, length))), low.out_dims)


CORRECT = [
    by_definition,
    with_reversed_axes,
    with_swapped_operands,
    in_fortran_order,
    in_higher_precision,
    by_tensordot,
    by_pairwise_summation,
]


@pytest.mark.parametrize("compute", CORRECT, ids=lambda compute: compute.__name__)
def test_a_campaign_on_a_correct_dot_finds_no_mismatch(compute):
    assert signatures(campaign(validated(compute))) == []


def test_a_campaign_on_the_oracle_and_its_gradients_finds_no_mismatch():
    def dot(x, y, dim=None):
        return rd.dot(x, y, dim)

    assert signatures(campaign(dot)) == []
    dot.vjp = rd.dot_vjp
    assert signatures(campaign(dot)) == []


def test_a_campaign_on_xarray_finds_no_mismatch():
    report = check.run(find_target("xarray"), cases=300, fixed=False)
    assert signatures(report) == []
    assert (report.target, report.cases, report.absent_backends) == ("xarray", 300, {})
    assert report.skipped > 20


def test_a_case_with_elements_that_are_not_judged_is_counted() -> None:
    operand = Operand(("a",), (50,), "longdouble")
    case = DotCase(operand, operand, regime="special")
    batch = Batch(((Configuration("call", "stock"), (case,)),))
    result = judge_batch(CallableTarget(rd.dot, "dot"), batch)
    assert (result.cases, result.findings) == (1, [])
    assert result.unsupported == {"call": {unjudged_reason(case): 1}}
