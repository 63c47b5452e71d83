"""The fuzz that a competent developer writes in half an hour, to measure refdot against.

It knows the definition, draws shapes and names at random, differentiates, and expects an error for
sizes that differ. Its data are ordinary, and its tolerance is NumPy's.
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
    """Give the number of the first case that fails, if one of so many does."""
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
    known = random.random() < 0.5
    variables = [pt.tensor(shape=tuple(sizes[d] if known else None for d in of)) for of in dims]
    return dims, variables, [random.normal(size=[sizes[d] for d in of]) for of in dims]


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
    for bar, own, other, ones in (
        (results[1], 0, 1, np.ones_like(x_values)),
        (results[2], 1, 0, np.ones_like(y_values)),
    ):
        subscripts = f"{letters[2]},{letters[other]},{letters[own]}->{letters[own]}"
        others = (x_values, y_values)[other]
        np.testing.assert_allclose(bar, np.einsum(subscripts, weights, others, ones), atol=1e-12)


def check_error(random):
    size, known = int(random.integers(2, 6)), random.random() < 0.5
    x = pt.tensor(shape=(3, size if known else None))
    y = pt.tensor(shape=(size + 1 if known else None, 2))
    values = random.normal(size=(3, size)), random.normal(size=(size + 1, 2))

    def run():
        out = dot(as_xtensor(x, dims=("a", "b")), as_xtensor(y, dims=("b", "c")))
        return function([x, y], out.values, mode=Mode(linker="py", optimizer="fast_run"))(*values)

    with pytest.raises((ValueError, TypeError)):
        run()
