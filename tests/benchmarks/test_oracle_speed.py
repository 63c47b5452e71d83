"""Compare the speed of a dot with alternatives, for several sizes; nothing is asserted.

Run with `pytest tests/benchmarks --benchmark-only -n 0`.
"""

from functools import partial

import numpy as np
import pytest
import xarray

import refdot

# The dims of x and y, their sizes, the subscripts, and the same product in plain NumPy.
PROBLEMS = {
    "2x3 by 3": ("a b", "b", {"a": 2, "b": 3}, "ab,b->a", np.matmul),
    "8x8 by 8x8": ("a b", "b c", {"a": 8, "b": 8, "c": 8}, "ab,bc->ac", np.matmul),
    "64x64 by 64x64": ("a b", "b c", {"a": 64, "b": 64, "c": 64}, "ab,bc->ac", np.matmul),
    "attention scores": (
        "batch head query embd",
        "batch head key embd",
        {"batch": 4, "head": 4, "query": 128, "key": 128, "embd": 32},
        "nhqe,nhke->nhqk",
        lambda x, y: np.matmul(x, y.swapaxes(-1, -2)),
    ),
    "512x512 by 512x512": ("a b", "b c", {"a": 512, "b": 512, "c": 512}, "ab,bc->ac", np.matmul),
}


def refdot_dot(x, y, subscripts, in_numpy):
    return partial(refdot.dot, x, y, x.dims[-1])


def numpy_einsum(x, y, subscripts, in_numpy):
    return partial(np.einsum, subscripts, x.data, y.data)


def numpy_einsum_optimize(x, y, subscripts, in_numpy):
    return partial(np.einsum, subscripts, x.data, y.data, optimize=True)


def numpy_matmul(x, y, subscripts, in_numpy):
    return partial(in_numpy, x.data, y.data)


def xarray_dot(x, y, subscripts, in_numpy):
    return partial(xarray.dot, x.to_xarray(), y.to_xarray(), dim=x.dims[-1])


IMPLEMENTATIONS = {
    implementation.__name__: implementation
    for implementation in (
        refdot_dot,
        numpy_einsum,
        numpy_einsum_optimize,
        numpy_matmul,
        xarray_dot,
    )
}


@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
@pytest.mark.parametrize("problem", PROBLEMS)
def test_speed(benchmark, problem, implementation):
    x_dims, y_dims, sizes, subscripts, in_numpy = PROBLEMS[problem]
    random = np.random.default_rng(7)
    x, y = (
        refdot.NamedTensor(
            random.integers(-3, 4, [sizes[name] for name in dims.split()]).astype("float64"),
            dims.split(),
        )
        for dims in (x_dims, y_dims)
    )
    expected = np.einsum(subscripts, x.data, y.data)
    benchmark.group = problem
    answer = benchmark(IMPLEMENTATIONS[implementation](x, y, subscripts, in_numpy))
    assert np.array_equal(np.asarray(answer), expected)
