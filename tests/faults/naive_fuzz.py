"""The fuzz test that a competent developer writes in half an hour, as a baseline for refdot.

It draws names and shapes at random, compares values and gradients with `np.einsum`, and expects an
error for sizes that differ. Its numbers are ordinary, and its tolerance is NumPy's default.
"""

from __future__ import annotations

import numpy as np
import pytensor.tensor as pt
import pytest
from pytensor import function, grad
from pytensor.compile.mode import Mode
from pytensor.graph.rewriting.utils import rewrite_graph
from pytensor.xtensor import as_xtensor
from pytensor.xtensor.math import dot

__all__ = ["first_failure"]


def first_failure(cases: int, seed: int = 0) -> int | None:
    """Return the number of the first case that fails, None if all cases pass."""
    random = np.random.default_rng(seed)
    for number in range(1, cases + 1):
        try:
            check_error(random) if number % 8 == 0 else check_answer(random)
        except (Exception, pytest.fail.Exception):
            return number
    return None


def operands(random):
    sizes = {name: int(random.integers(1, 6)) for name in "abcd"}
    dims = [tuple("abcd"[i] for i in random.permutation(4)[: random.integers(4)]) for _ in "xy"]
    static = random.random() < 0.5
    shapes = [tuple(sizes[name] for name in names) for names in dims]
    variables = [pt.tensor(shape=shape if static else (None,) * len(shape)) for shape in shapes]
    return dims, variables, [random.normal(size=shape) for shape in shapes]


def check_answer(random):
    dims, (x, y), (x_values, y_values) = operands(random)
    every = list(dict.fromkeys(dims[0] + dims[1]))
    dim = (None, ..., [name for name in every if random.random() < 0.5])[random.integers(3)]
    shared = [name for name in every if name in dims[0] and name in dims[1]]
    summed = shared if dim is None else every if dim is ... else dim
    out_dims = tuple(name for name in every if name not in summed)

    out = dot(as_xtensor(x, dims=dims[0]), as_xtensor(y, dims=dims[1]), dim=dim)
    assert out.dims == out_dims
    letters = ["".join(names) for names in (*dims, out_dims)]
    expected = np.einsum("{},{}->{}".format(*letters), x_values, y_values)
    weights = random.normal(size=expected.shape)
    lowered = rewrite_graph(out.values, include=("lower_xtensor",))
    weight = pt.tensor(shape=lowered.type.shape)
    results = function(
        [x, y, weight],
        [lowered, *grad((lowered * weight).sum(), [x, y])],
        mode=Mode(linker="py", optimizer="fast_run"),
        on_unused_input="ignore",
    )(x_values, y_values, weights)

    np.testing.assert_allclose(results[0], expected)
    for gradient, own, other, ones in (
        (results[1], 0, 1, np.ones_like(x_values)),
        (results[2], 1, 0, np.ones_like(y_values)),
    ):
        subscripts = f"{letters[2]},{letters[other]},{letters[own]}->{letters[own]}"
        others = (x_values, y_values)[other]
        expected = np.einsum(subscripts, weights, others, ones)
        np.testing.assert_allclose(gradient, expected, atol=1e-12)


def check_error(random):
    size, static = int(random.integers(2, 6)), random.random() < 0.5
    x = pt.tensor(shape=(3, size if static else None))
    y = pt.tensor(shape=(size + 1 if static else None, 2))
    values = random.normal(size=(3, size)), random.normal(size=(size + 1, 2))

    def run():
        out = dot(as_xtensor(x, dims=("a", "b")), as_xtensor(y, dims=("b", "c")))
        return function([x, y], out.values, mode=Mode(linker="py", optimizer="fast_run"))(*values)

    with pytest.raises((ValueError, TypeError)):
        run()
