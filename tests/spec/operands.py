"""Operands for the tests of SPEC.md's rules.

Most rules are tested with all pairs of operands of up to three dims: every subset of the dims in
every order for x and for y, with every `dim`. The data are small integers, so every correct answer
has the same bits, and no test needs a tolerance.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from itertools import combinations, permutations, product
from math import prod

import numpy as np
import pytest

import refdot as rd
from refdot.tensor import NamedTensor

__all__ = [
    "CONTINUOUS",
    "DTYPES",
    "INTEGERS",
    "REALS",
    "SIZES",
    "WITH_0_AND_1",
    "dim_arguments",
    "long_tensor",
    "problems",
    "raises",
    "tensor",
]

SIZES = {"a": 2, "b": 3, "c": 4}
WITH_0_AND_1 = {"a": 3, "b": 1, "c": 0}
INTEGERS = ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"]
REALS = ["float16", "float32", "float64", "longdouble"]
CONTINUOUS = [*REALS, "complex64", "complex128", "clongdouble"]
DTYPES = ["bool", *INTEGERS, *CONTINUOUS]


def tensor(dims, sizes=SIZES, dtype="float64", start=0) -> NamedTensor:
    """Return a tensor of integers from -11 to 11; for bool, of whether they are positive."""
    shape = [sizes[dim] for dim in dims]
    values = (np.arange(prod(shape)) * 7 + start) % 23 - 11
    if dtype == "bool":
        values = values > 0
    return NamedTensor(values.reshape(shape).astype(dtype), tuple(dims))


def dim_arguments(x_dims, y_dims) -> Iterator[object]:
    """Return one `dim` argument for each distinct meaning."""
    every = sorted({*x_dims, *y_dims})
    yield from (None, ...)
    for count in range(len(every) + 1):
        yield from combinations(every, count)


@cache
def problems(dtype="float64") -> list[tuple[NamedTensor, NamedTensor, object]]:
    """Return every dot of operands with up to three dims, for two sets of sizes."""
    orders = [order for count in range(4) for order in permutations("abc", count)]
    return [
        (tensor(x_dims, sizes, dtype), tensor(y_dims, sizes, dtype, start=5), dim)
        for sizes in (SIZES, WITH_0_AND_1)
        for x_dims, y_dims in product(orders, repeat=2)
        for dim in dim_arguments(x_dims, y_dims)
    ]


def long_tensor(short: NamedTensor, ndim: int, names: str) -> NamedTensor:
    """Add dims of size 1 before and after those of `short`, up to `ndim` dims."""
    new = [f"{names}{number}" for number in range(ndim - short.ndim)]
    before, after = new[: len(new) // 2], new[len(new) // 2 :]
    shape = (1,) * len(before) + short.shape + (1,) * len(after)
    return NamedTensor(short.data.reshape(shape), [*before, *short.dims, *after])


@contextmanager
def raises(error: type[rd.DotError], message: str) -> Iterator[None]:
    """Assert that a block raises an error of this exact type and message."""
    with pytest.raises(error) as caught:
        yield
    assert caught.type is error
    assert str(caught.value) == message
