"""What is known of a softmax hides no fault of the softmax that PyTensor recognizes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytensor.tensor as pt
import pytest
from planted.places import PULLBACK
from pytensor.scalar.basic import Exp, scalar_minimum
from pytensor.tensor.special import Softmax
from test_program_deviations import BACKENDS, causes
from test_programs import case_of

from refdot.pytensor.programs import graph as graphs
from refdot.pytensor.programs.deviations.softmax import _most_factors

OVERFLOWS = "x: float64(a: 3); y = scale(x, 10); z = softmax(y)"


def inner_graph_without_maximum(softmax, x):
    powers = pt.exp(x)
    return [powers / powers.sum(axis=softmax.axis, keepdims=True)]


def perform_without_maximum(softmax, node, inputs, outputs):
    powers = np.exp(inputs[0])
    outputs[0][0] = powers / powers.sum(axis=softmax.axis, keepdims=True)


@pytest.fixture
def softmax_without_maximum(monkeypatch):
    if hasattr(Softmax, "build_inner_graph"):  # from PyTensor 3.3.8 on
        monkeypatch.setattr(Softmax, "build_inner_graph", inner_graph_without_maximum)
    else:
        monkeypatch.setattr(Softmax, "perform", perform_without_maximum)


@pytest.mark.parametrize("lowering", ["stock", "inlined"])
@pytest.mark.parametrize("then", ["return z", "v = negative(z); return v", "v = exp(z); return v"])
def test_a_softmax_that_subtracts_no_maximum_is_new(
    softmax_without_maximum, lowering: str, then: str
):
    found = causes(case_of(f"{OVERFLOWS}; {then}", regime="large"), lowering)
    assert ("wrong-value", None) in found
    assert ("wrong-value", "softmax-overflows") not in found


def test_the_overflow_of_a_softmax_that_is_not_recognized_is_known():
    case = case_of(f"{OVERFLOWS}; v = dot(z, x); return v", regime="large")
    assert causes(case, "inlined") == [("wrong-value", "softmax-overflows")]


@pytest.mark.skipif("python-minimum" not in BACKENDS, reason="python-minimum cannot run here")
def test_the_overflow_of_a_softmax_without_rewrites_is_known():
    found = causes(case_of(f"{OVERFLOWS}; return z", regime="large"), "inlined", "python-minimum")
    assert found == [("wrong-value", "softmax-overflows")]


def test_a_value_is_explained_although_its_gradients_fail(monkeypatch):
    text = (
        "x: float64(a: 3, b: 2); y = scale(x, 10); z = softmax(y, dim='a'); w = rename(z, a='c'); "
        "v = transpose(w, 'b', 'c'); return v"
    )
    settings = {"regime": "large", "gradient_order": 1, "built": "unlowered"}
    kinds = dict(causes(case_of(text, **settings), "inlined", "python-minimum"))
    assert kinds["wrong-value"] == "softmax-overflows"


@pytest.mark.parametrize(
    "backend", [name for name in ("python", "c", "numba", "jax") if name in BACKENDS]
)
def test_a_softmax_of_integers_that_are_far_apart_is_known(backend: str):
    case = case_of("x: int64(a: 4); y = softmax(x); return y", regime="special")
    assert causes(case, "inlined", backend) == [("wrong-value", "softmax-of-integers")]


def test_another_softmax_of_integers_is_new(monkeypatch):
    softmax = graphs._XTENSOR["softmax"]
    monkeypatch.setitem(graphs._XTENSOR, "softmax", lambda x, dim: softmax(x, dim) * 2)
    found = causes(case_of("x: int64(a: 4); y = softmax(x); return y", regime="special"))
    assert ("wrong-value", None) in found


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_gradient_that_is_wrong_before_anything_overflows_is_new(monkeypatch, seed: int):
    pullback = getattr(Exp, PULLBACK)

    def pullback_of_smaller(exp, inputs, outputs, cotangents):
        return pullback(exp, [scalar_minimum(inputs[0], 88)], outputs, cotangents)

    case = replace(
        case_of("x: float64(a: 3?); y = scale(x, 0.3); z = softmax(y); return z", regime="large"),
        gradient_order=1,
        seed=seed,
    )
    assert causes(case) == []
    monkeypatch.setattr(Exp, PULLBACK, pullback_of_smaller)
    assert causes(case) == [("wrong-gradient", None)]


@pytest.mark.parametrize(
    ("then", "factors"),
    [
        ("return z", 1),
        ("v = multiply(z, z); return v", 2),
        ("v = power(z, 3); w = dot(v, z); return w", 4),
        ("v = add(z, z); w = sum(v); return w", 1),
        ("v = softmax(z); return v", 1),
    ],
)
def test_factors_of_a_product_are_counted(then: str, factors: int):
    assert _most_factors(case_of(f"{OVERFLOWS}; {then}").program, "z") == factors


@pytest.mark.skipif("jax" not in BACKENDS, reason="jax cannot run here")
def test_an_overflow_beside_a_wrong_dtype_is_known_on_jax():
    text = "x: float32(a: 3?); y = scale(x, 10); z = softmax(y); return z"
    case = replace(case_of(text, regime="large"), gradient_order=1)
    assert set(causes(case, "inlined", "jax")) >= {
        ("wrong-gradient", "sums-widened-in-jax"),
        ("wrong-gradient", "softmax-overflows"),
    }
    assert None not in {cause for _, cause in causes(case, "inlined", "jax")}
