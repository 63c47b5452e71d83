"""Correct implementations that differ from the oracle have no mismatches.

`python -m pytest -m deep` judges each of them on 100,000 cases, and a run without options on 1,000.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import prod

import numpy as np
import opt_einsum
import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from refdot.cases.strategies import dot_cases
from refdot.evaluation import checked_lowering
from refdot.judging.comparison import compare
from refdot.targets.callable import CallableTarget
from refdot.targets.protocol import Unsupported, unsupported_reason
from refdot.targets.xarray import XarrayTarget
from refdot.tensor import NamedTensor

Way = Callable[..., np.ndarray]


def target(way: Way) -> CallableTarget:
    """Return a target that evaluates a lowering in some way, if no size is 0.

    Its gradients are dots that are evaluated in the same way, as in automatic differentiation.
    """

    def dot(x, y, dim):
        low = checked_lowering(x.sizes, y.sizes, dim)
        sizes, dtype = x.sizes | y.sizes, np.result_type(x.data, y.data)
        if not (x.data.size and y.data.size):
            return NamedTensor(np.zeros([sizes[d] for d in low.out_dims], dtype), low.out_dims)
        out = way(low, sizes, x.data.astype(dtype), y.data.astype(dtype))
        assert out.dtype == dtype
        return NamedTensor(np.asarray(out), low.out_dims)

    def vjp(x, y, cotangent, dim):
        return pull_back(cotangent, y, x), pull_back(cotangent, x, y)

    def pull_back(cotangent, other, operand):
        there = {*cotangent.dims, *other.dims}
        found = dot(cotangent, other, there.difference(operand.dims))
        gradient = np.empty(operand.shape, found.dtype)
        alone = [name for name in operand.dims if name not in found.dims]
        order = [*alone, *found.dims]
        gradient.transpose([operand.dims.index(name) for name in order])[...] = found.data
        narrowed = gradient.real if operand.dtype.kind != "c" else gradient
        return NamedTensor(narrowed.astype(operand.dtype), operand.dims)

    dot.vjp = vjp
    return CallableTarget(dot, getattr(way, "__name__", "way"), gradients=True)


def products(low, sizes, x, y):
    """Return all products: the axes are those of the output, and one for all summed dims."""
    every = [*low.out_dims, *low.contracted, *low.x_summed, *low.y_summed]

    def aligned(array, dims):
        array = array.transpose([dims.index(name) for name in every if name in dims])
        return np.expand_dims(array, [at for at, name in enumerate(every) if name not in dims])

    together = aligned(x, low.x_dims) * aligned(y, low.y_dims)
    shape = [sizes[name] for name in low.out_dims]
    return np.broadcast_to(together, [sizes[name] for name in every]).reshape([*shape, -1])


def adding(total: Callable[[np.ndarray], np.ndarray]) -> Way:
    """Return a way that adds up the products along the last axis with `total`."""

    def way(low, sizes, x, y):
        return total(products(low, sizes, x, y))

    way.__name__ = getattr(total, "__name__", "adding")
    return way


def in_order(terms):
    total = terms[..., 0].copy()
    for at in range(1, terms.shape[-1]):
        total = total + terms[..., at]
    return total


def reversed_(terms):
    return in_order(terms[..., ::-1])


def pairwise(terms):
    count = terms.shape[-1]
    if count == 1:
        return terms[..., 0].copy()
    return pairwise(terms[..., : count // 2]) + pairwise(terms[..., count // 2 :])


def blocked(terms):
    blocks = [in_order(terms[..., at : at + 4]) for at in range(0, terms.shape[-1], 4)]
    return in_order(np.stack(blocks, -1))


def numpys_sum(terms):
    return terms.sum(-1, dtype=terms.dtype)


def fortran_ordered(terms):
    return np.array(pairwise(terms), order="F")


def laid_out_backwards(terms):
    return np.flip(np.flip(in_order(terms)).copy())


def fused(low, sizes, x, y):
    """Multiply and add in double precision, and round once for both."""
    if x.dtype not in ("float16", "float32"):
        return in_order(products(low, sizes, x, y))
    terms = products(low, sizes, x.astype("float64"), y.astype("float64"))
    total = terms[..., 0].astype(x.dtype)
    for at in range(1, terms.shape[-1]):
        total = (total.astype("float64") + terms[..., at]).astype(x.dtype)
    return total


def alone_first(low, x, y):
    """Sum the dims of only one operand."""
    x_axes, y_axes = (
        tuple(dims.index(name) for name in alone)
        for dims, alone in ((low.x_dims, low.x_summed), (low.y_dims, low.y_summed))
    )
    x = x.sum(x_axes, dtype=x.dtype) if x_axes else x
    y = y.sum(y_axes, dtype=y.dtype) if y_axes else y
    x_dims = [name for name in low.x_dims if name not in low.x_summed]
    y_dims = [name for name in low.y_dims if name not in low.y_summed]
    return x, y, x_dims, y_dims


def matmul(low, sizes, x, y):
    """Sum alone, then transpose and reshape to one batched matrix product."""
    x, y, x_dims, y_dims = alone_first(low, x, y)

    def matrices(array, dims, *groups):
        order = [dims.index(name) for group in groups for name in group]
        shape = [prod(sizes[name] for name in group) for group in groups]
        return array.transpose(order).reshape(shape)

    left = matrices(x, x_dims, low.batch, low.x_free, low.contracted)
    right = matrices(y, y_dims, low.batch, low.contracted, low.y_free)
    found = [*low.batch, *low.x_free, *low.y_free]
    out = np.matmul(left, right).reshape([sizes[name] for name in found])
    return out.transpose([found.index(name) for name in low.out_dims])


def tensordot(low, sizes, x, y):
    """Sum alone, then use np.tensordot for each index of the batch."""
    x, y, x_dims, y_dims = alone_first(low, x, y)
    x = np.moveaxis(x, [x_dims.index(name) for name in low.batch], range(len(low.batch)))
    y = np.moveaxis(y, [y_dims.index(name) for name in low.batch], range(len(low.batch)))
    x_rest, y_rest = ([n for n in dims if n not in low.batch] for dims in (x_dims, y_dims))
    axes = [[dims.index(name) for name in low.contracted] for dims in (x_rest, y_rest)]
    found = [*low.batch, *low.x_free, *low.y_free]
    out = np.empty([sizes[name] for name in found], x.dtype)
    for place in np.ndindex(*[sizes[name] for name in low.batch]):
        out[place] = np.tensordot(x[place], y[place], axes)
    return out.transpose([found.index(name) for name in low.out_dims])


def optimized_einsum(low, sizes, x, y):
    symbols = {name: opt_einsum.get_symbol(at) for at, name in enumerate(sizes)}
    groups = ("".join(symbols[name] for name in dims) for dims in (low.x_dims, low.y_dims))
    to = "".join(symbols[name] for name in low.out_dims)
    return np.array(opt_einsum.contract(",".join(groups) + "->" + to, x, y))


FEW_NAMES = Unsupported(
    "opt_einsum uses np.einsum, which has 52 letters, unless it finds a matrix product",
    lambda case: len({*case.x.dims, *case.y.dims}) > 52,
)


FEW_DIMS = Unsupported(
    "the products have one axis more than the output, and NumPy has no arrays of more than 64 axes",
    lambda case: len({*case.x.dims, *case.y.dims}) > 63,
)


def limited(way: Way, limit: Unsupported) -> CallableTarget:
    """Return a target that evaluates a lowering in some way, which has a limit."""
    return replace(target(way), unsupported=(*CallableTarget.unsupported, limit))


RIGHT = {
    "in order": limited(adding(in_order), FEW_DIMS),
    "reversed": limited(adding(reversed_), FEW_DIMS),
    "pairwise": limited(adding(pairwise), FEW_DIMS),
    "blocked": limited(adding(blocked), FEW_DIMS),
    "fused": limited(fused, FEW_DIMS),
    "NumPy's sum": limited(adding(numpys_sum), FEW_DIMS),
    "Fortran-ordered": limited(adding(fortran_ordered), FEW_DIMS),
    "laid out backwards": limited(adding(laid_out_backwards), FEW_DIMS),
    "matmul": target(matmul),
    "tensordot": target(tensordot),
    "opt_einsum": limited(optimized_einsum, FEW_NAMES),
    "xarray": XarrayTarget(),
}
CHEAP = ("pairwise", "fused", "matmul")
CHUNKS = 20


def lengthened(case):
    """Return a case of long doubles instead of double-precision numbers."""
    longer = {"float64": "longdouble", "complex128": "clongdouble"}
    x, y = (replace(each, dtype=longer.get(each.dtype, each.dtype)) for each in (case.x, case.y))
    return replace(case, x=x, y=y)


def judge_each(targets, cases: int, number: int = 0) -> None:
    """Judge every target on random cases."""
    judged = dict.fromkeys(targets, 0)

    @settings(
        max_examples=cases,
        phases=[Phase.generate],
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @seed(number)
    @given(dot_cases(), st.sampled_from([True, *[False] * 7]))
    def judge(case, is_long):
        case = lengthened(case) if is_long else case
        for name, right in targets.items():
            if unsupported_reason(right, case) is None:
                judged[name] += 1
                found = compare(case, right.run(case, "call", "stock"), right)
                assert not found, f"{name}: {found[0]}"

    judge()
    assert min(judged.values()) > cases * 0.7, judged


def test_correct_implementations_have_no_mismatch() -> None:
    cheap = {name: replace(RIGHT[name], gradients=False) for name in CHEAP}
    judge_each(cheap, 1000)


@pytest.mark.deep
@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_correct_implementations_have_no_mismatch_in_very_many_cases(chunk: int) -> None:
    judge_each(RIGHT, 100_000 // CHUNKS, 1 + chunk)
