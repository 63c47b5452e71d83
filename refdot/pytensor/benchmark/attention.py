"""Stacked multi-head attention, written three times: in tensor code, in xtensor, with the oracle.

pymc-devs/pytensor#2164 reports that it compiles slowly; the sizes are from that issue. A layer is
a fused projection to queries, keys and values, scores with a causal mask, a softmax over the time
of the keys, the weighted values, a projection back, and a residual connection. The loss is the
mean square of the output of the last layer.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import Any

import numpy as np
import pytensor
import pytensor.tensor as pt
from pytensor.xtensor import as_xtensor, dot
from pytensor.xtensor.math import softmax

from refdot.evaluation import dot as oracle_dot
from refdot.evaluation import dot_vjp
from refdot.tensor import Array, NamedTensor

__all__ = ["Values", "draw_values", "oracle_loss", "tensor_model", "xtensor_model"]


BATCH, BLOCK, EMBD, HEADS, HEAD_DIM = 4, 32, 64, 4, 16
INPUT_DIMS = ("batch", "time", "embd")
IN_DIMS = ("embd", "qkv", "head", "head_dim")
OUT_DIMS = ("head", "head_dim", "embd")
SCALE = 1 / sqrt(HEAD_DIM)
# Added to the scores, so that no time attends to a later one.
CAUSAL = np.where(np.tril(np.ones((BLOCK, BLOCK), dtype=bool)), 0.0, -1e9)


@dataclass(frozen=True)
class Values:
    """The values of the input and the weights of a stack of layers.

    Attributes
    ----------
    x : ndarray
        The input; its dims are `INPUT_DIMS`.
    layers : tuple of (ndarray, ndarray)
        For each layer the weights of both projections; their dims are `IN_DIMS` and `OUT_DIMS`.
    """

    x: Array
    layers: tuple[tuple[Array, Array], ...]


@dataclass(frozen=True)
class _Model:
    """The graph of a stack of layers."""

    x: Any
    weights: list[Any]  # shared variables: both projections of each layer
    loss: Any


def draw_values(layers: int) -> Values:
    """Draw the values for a stack of layers; the seed is the number of layers."""
    random = np.random.default_rng(layers)
    return Values(
        random.normal(size=(BATCH, BLOCK, EMBD)),
        tuple(
            (
                random.normal(size=(EMBD, 3, HEADS, HEAD_DIM)) / sqrt(EMBD),
                random.normal(size=(HEADS, HEAD_DIM, EMBD)) / sqrt(EMBD),
            )
            for _ in range(layers)
        ),
    )


def _shared(value: Array, static: bool) -> Any:
    return pytensor.shared(value, shape=value.shape if static else (None,) * value.ndim)


def tensor_model(values: Values, static: bool) -> _Model:
    """Build the stack in hand-written tensor code, where each projection is a matrix."""
    x = out = pt.tensor("x", shape=values.x.shape)
    weights = []
    for into, back in values.layers:
        into_matrix = _shared(into.reshape(EMBD, -1), static)
        back_matrix = _shared(back.reshape(-1, EMBD), static)
        weights += [into_matrix, back_matrix]
        qkv = (out @ into_matrix).reshape((BATCH, BLOCK, 3, HEADS, HEAD_DIM))
        q, k, v = (qkv[:, :, i].transpose(0, 2, 1, 3) for i in range(3))
        scores = q @ k.mT * SCALE + CAUSAL
        attended = (pt.special.softmax(scores, axis=-1) @ v).transpose(0, 2, 1, 3)
        out = out + attended.reshape((BATCH, BLOCK, HEADS * HEAD_DIM)) @ back_matrix
    return _Model(x, weights, (out**2).mean())


def xtensor_model(values: Values, static: bool) -> _Model:
    """Build the stack in xtensor, with named dims."""
    x = pt.tensor("x", shape=values.x.shape)
    causal = as_xtensor(CAUSAL, dims=("time", "time_k"))
    out = as_xtensor(x, dims=INPUT_DIMS)
    weights = []
    for into, back in values.layers:
        pair = [_shared(into, static), _shared(back, static)]
        weights += pair
        into_named, back_named = map(as_xtensor, pair, (IN_DIMS, OUT_DIMS))
        qkv = dot(out, into_named, dim="embd")
        q, k, v = (qkv.isel(qkv=i) for i in range(3))
        k, v = k.rename(time="time_k"), v.rename(time="time_k")
        scores = dot(q, k, dim="head_dim") * SCALE + causal
        attended = dot(softmax(scores, dim="time_k"), v, dim="time_k")
        out = out + dot(attended, back_named, dim=("head", "head_dim"))
    return _Model(x, weights, (out**2).mean().values)


def oracle_loss(values: Values) -> tuple[float, list[Array]]:
    """Compute the loss, and its gradients with respect to the input and each of the weights.

    The oracle computes every dot and the gradient of every dot.
    """
    out = NamedTensor(values.x, INPUT_DIMS)
    layers = [_OracleLayer(*layer) for layer in values.layers]
    for layer in layers:
        out = layer.forward(out)
    loss = float((out.data**2).mean())
    bar = NamedTensor(2 * out.data / out.data.size, out.dims)
    gradients: list[Array] = []
    for layer in reversed(layers):
        bar, into_bar, back_bar = layer.backward(bar)
        gradients[:0] = [into_bar.data, back_bar.data]
    return loss, [bar.data, *gradients]


class _OracleLayer:
    """One layer, computed with the oracle; it keeps the values that its gradient needs."""

    def __init__(self, into: Array, back: Array) -> None:
        self.into, self.back = NamedTensor(into, IN_DIMS), NamedTensor(back, OUT_DIMS)

    def forward(self, x: NamedTensor) -> NamedTensor:
        """Compute the output of the layer."""
        self.x = x
        qkv = oracle_dot(x, self.into, "embd")
        self.q, k, v = (qkv.isel(qkv=i) for i in range(3))
        self.k, self.v = k.rename(time="time_k"), v.rename(time="time_k")
        scores = oracle_dot(self.q, self.k, "head_dim")  # batch, time, head, time_k
        masked = scores.data * SCALE + CAUSAL[:, None]
        powers = np.exp(masked - masked.max(axis=-1, keepdims=True))
        self.weights = NamedTensor(powers / powers.sum(axis=-1, keepdims=True), scores.dims)
        self.attended = oracle_dot(self.weights, self.v, "time_k")
        out = oracle_dot(self.attended, self.back, ("head", "head_dim"))
        return NamedTensor(x.data + out.data, x.dims)

    def backward(self, bar: NamedTensor) -> tuple[NamedTensor, NamedTensor, NamedTensor]:
        """Pull a cotangent of the output back to the input and the weights."""
        attended_bar, back_bar = dot_vjp(self.attended, self.back, bar, ("head", "head_dim"))
        weights_bar, v_bar = dot_vjp(self.weights, self.v, attended_bar, "time_k")
        weighted = weights_bar.data * self.weights.data
        scores_bar = weighted - self.weights.data * weighted.sum(axis=-1, keepdims=True)
        scaled_bar = NamedTensor(scores_bar * SCALE, self.weights.dims)
        q_bar, k_bar = dot_vjp(self.q, self.k, scaled_bar, "head_dim")
        dims = ("batch", "time", "head", "head_dim")
        bars = (q_bar, k_bar.rename(time_k="time"), v_bar.rename(time_k="time"))
        stacked = np.stack([part.transpose(*dims).data for part in bars])
        qkv_bar = NamedTensor(stacked, ("qkv", *dims))
        x_bar, into_bar = dot_vjp(self.x, self.into, qkv_bar, "embd")
        return NamedTensor(x_bar.data + bar.data, x_bar.dims), into_bar, back_bar
