"""Faults at sizes, numbers of dims and dtypes that random cases seldom have.

They are found by the fixed cases, however few random cases a run has.
"""

from collections.abc import Callable
from itertools import chain
from math import prod

import numpy as np
import pytest

import refdot as rd
from refdot import check
from refdot.cases.boundaries import DIM_COUNTS, dim_count_cases
from refdot.cases.kernels import KERNELS, kernel_cases_of
from refdot.check.plan import Configuration
from refdot.lowering import Lowering
from refdot.targets.callable import CallableTarget
from refdot.tensor import NamedTensor
from refdot.testing import check_dot

Condition = Callable[[NamedTensor, NamedTensor, Lowering], object]


def wrong_where(condition: Condition) -> Callable:
    """Return a dot whose last element is wrong where a condition holds."""

    def dot(x, y, dim=None):
        dim = dim if dim is None or dim is ... or isinstance(dim, str) else list(dim)
        out = rd.dot(x, y, dim)
        if not out.data.size or not condition(x, y, rd.lower_dot(x.dims, y.dims, dim)):
            return out
        values = out.data.copy()
        last = tuple(size - 1 for size in values.shape)
        with np.errstate(all="ignore"):
            values[last] = ~values[last] if out.dtype == bool else values[last] + 1
        return NamedTensor(values, out.dims)

    return dot


def number_of(*roles: str) -> Callable[[NamedTensor, NamedTensor, Lowering], int]:
    """Return a function that multiplies the sizes of the dims with some roles."""

    def number(x: NamedTensor, y: NamedTensor, low: Lowering) -> int:
        sizes = x.sizes | y.sizes
        return prod(sizes[dim] for role in roles for dim in getattr(low, role))

    return number


rows, columns = number_of("x_free"), number_of("y_free")
terms, batch = number_of("contracted"), number_of("batch")
summed = number_of("x_summed")
SIZES: dict[str, Condition] = {
    "from eight columns on": lambda *case: columns(*case) >= 8,
    "from eight rows on": lambda *case: rows(*case) >= 8,
    "from 129 columns on": lambda *case: columns(*case) >= 129,
    "from 129 rows on": lambda *case: rows(*case) >= 129,
    "more than 1,024 columns": lambda *case: columns(*case) > 1024,
    "from 257 terms on": lambda *case: terms(*case) >= 257,
    "from 1,025 terms on": lambda *case: terms(*case) >= 1025,
    "from 4,097 terms on": lambda *case: terms(*case) >= 4097,
    "from 32,768 terms on": lambda *case: terms(*case) >= 32_768,
    "from 4,097 terms on of an operand alone": lambda *case: summed(*case) >= 4097,
    "a batch of more than 1,024 elements": lambda *case: batch(*case) > 1024,
    "a batch of more than 1,024 matrices": lambda *case: (
        batch(*case) > 1024 and terms(*case) > 1 and rows(*case) > 1 and columns(*case) > 1
    ),
    "blocks in all dims": lambda *case: min(rows(*case), columns(*case), terms(*case)) > 64,
}
COUNTS: dict[str, Condition] = {
    f"exactly {count} dims {where}": (
        lambda x, y, low, count=count, number=number: number(x, y, low) == count
    )
    for count in DIM_COUNTS
    for where, number in {
        "in x": lambda x, y, low: x.ndim,
        "in y": lambda x, y, low: y.ndim,
        "in the output": lambda x, y, low: len(low.out_dims),
        "contracted": lambda x, y, low: len(low.contracted),
    }.items()
}
DTYPES: dict[str, Condition] = {
    f"a product of two matrices of {name}": (
        lambda x, y, low, kind=kind: (
            np.result_type(x.data, y.data).kind == kind and bool(low.x_free and low.y_free)
        )
    )
    for name, kind in {"bool": "b", "integers": "i", "complex numbers": "c"}.items()
}
FAULTS = SIZES | COUNTS | DTYPES


FIXED = [
    *chain.from_iterable(map(kernel_cases_of, KERNELS)),
    *chain.from_iterable(map(dim_count_cases, DIM_COUNTS)),
]


@pytest.mark.parametrize("condition", FAULTS.values(), ids=FAULTS)
def test_a_fixed_case_finds_each_fault(condition: Condition) -> None:
    target = CallableTarget(wrong_where(condition), "wrong")
    judged = (check.judge(target, case, Configuration("call", "stock")) for case in FIXED)
    assert ("R6", "wrong-value") in {(m.rule, m.kind) for m in next(filter(None, judged), ())}


def test_check_dot_has_the_fixed_cases_however_few_random_ones_it_has() -> None:
    shown = r"1 distinct mismatch, of R6, in [\d,]+ cases[^:]*:\s+R6 wrong-value"
    with pytest.raises(AssertionError, match=shown):
        check_dot(wrong_where(SIZES["from 32,768 terms on"]), cases=1)
