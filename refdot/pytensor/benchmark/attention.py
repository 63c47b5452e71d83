"""Stacked multi-head attention, three times: in tensor code, in xtensor, and by the oracle.

This is what pymc-devs/pytensor#2164 found to compile slowly, at the sizes given there. The three
say the same: a fused projection to queries, keys and values, scores with a causal mask, softmax
over the keys' time, the weighted values, a projection back, and a residual connection. The loss
is the mean square of what comes out of the last layer.
"""

from __future__ import annotations

from collections.abc import Sequence
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

__all__ = ["Values", "draw_values", "in_tensors", "in_xtensors", "loss_by_oracle"]


BATCH, BLOCK, EMBD, HEADS, HEAD_DIM = 4, 32, 64, 4, 16
INPUT_DIMS = ("batch", "time", "embd")
IN_DIMS = ("embd", "qkv", "head", "head_dim")
OUT_DIMS = ("head", "head_dim", "embd")
SCALE = 1 / sqrt(HEAD_DIM)
# Added to the scores: no time sees a later one.
CAUSAL = np.where(np.tril(np.ones((BLOCK, BLOCK), dtype=bool)), 0.0, -1e9)


@dataclass(frozen=True)
class Values:
    """What a stack of layers is computed with.

    Attributes
    ----------
    x : ndarray
        The input, of `INPUT_DIMS`.
    layers : tuple of (ndarray, ndarray)
        For each layer the weights of both projections, of `IN_DIMS` and `OUT_DIMS`.
    """

    x: Array
    layers: tuple[tuple[Array, Array], ...]


@dataclass(frozen=True)
class _Model:
    """A stack of layers as symbols.

    Attributes
    ----------
    x : tensor variable
        The input.
    weights : list of shared variables
        Both projections of the first layer, then of the next.
    loss : tensor or xtensor variable
        Of no dims.
    """

    x: Any
    weights: list[Any]
    loss: Any


def draw_values(layers: int) -> Values:
    """Draw the values for a stack of layers, the same each time."""
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


def _share(value: Array, static: bool) -> Any:
    """Make a shared variable whose static shape is known or, as by default, is not."""
    return pytensor.shared(value, shape=value.shape if static else (None,) * value.ndim)


def in_tensors(values: Values, static: bool) -> _Model:
    """Build the stack as one writes it by hand: each projection is a matrix."""
    x = out = pt.tensor("x", shape=values.x.shape)
    weights = []
    for into, back in values.layers:
        into_matrix = _share(into.reshape(EMBD, -1), static)
        back_matrix = _share(back.reshape(-1, EMBD), static)
        weights += [into_matrix, back_matrix]
        qkv = (out @ into_matrix).reshape((BATCH, BLOCK, 3, HEADS, HEAD_DIM))
        q, k, v = (qkv[:, :, i].transpose(0, 2, 1, 3) for i in range(3))
        scores = q @ k.mT * SCALE + CAUSAL
        attended = (pt.special.softmax(scores, axis=-1) @ v).transpose(0, 2, 1, 3)
        out = out + attended.reshape((BATCH, BLOCK, HEADS * HEAD_DIM)) @ back_matrix
    return _Model(x, weights, (out**2).mean())


def in_xtensors(values: Values, static: bool) -> _Model:
    """Build the stack with names of dims."""
    x = pt.tensor("x", shape=values.x.shape)
    causal = as_xtensor(CAUSAL, dims=("time", "time_k"))
    out = as_xtensor(x, dims=INPUT_DIMS)
    weights = []
    for into, back in values.layers:
        shared = [_share(into, static), _share(back, static)]
        weights += shared
        into_named, back_named = map(as_xtensor, shared, (IN_DIMS, OUT_DIMS))
        qkv = dot(out, into_named, dim="embd")
        q, k, v = (qkv.isel(qkv=i) for i in range(3))
        k, v = k.rename(time="time_k"), v.rename(time="time_k")
        scores = dot(q, k, dim="head_dim") * SCALE + causal
        attended = dot(softmax(scores, dim="time_k"), v, dim="time_k")
        out = out + dot(attended, back_named, dim=("head", "head_dim"))
    return _Model(x, weights, (out**2).mean().values)


def loss_by_oracle(values: Values) -> tuple[float, list[Array]]:
    """Compute the loss, and its gradient with respect to the input and then to each weight.

    Every dot, and the gradient of every dot, is the oracle's.
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
    """One layer by the oracle; it keeps what its gradient needs."""

    def __init__(self, into: Array, back: Array) -> None:
        self.into, self.back = NamedTensor(into, IN_DIMS), NamedTensor(back, OUT_DIMS)

    def forward(self, x: NamedTensor) -> NamedTensor:
        """Compute what comes out of the layer."""
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
        """Pull a cotangent back to the layer's input and to its weights."""
        attended_bar, back_bar = dot_vjp(self.attended, self.back, bar, ("head", "head_dim"))
        weights_bar, v_bar = dot_vjp(self.weights, self.v, attended_bar, "time_k")
        weighted = weights_bar.data * self.weights.data
        scores_bar = weighted - self.weights.data * weighted.sum(axis=-1, keepdims=True)
        scaled_bar = NamedTensor(scores_bar * SCALE, self.weights.dims)
        q_bar, k_bar = dot_vjp(self.q, self.k, scaled_bar, "head_dim")
        qkv_bar = _stack([q_bar, k_bar.rename(time_k="time"), v_bar.rename(time_k="time")])
        x_bar, into_bar = dot_vjp(self.x, self.into, qkv_bar, "embd")
        return NamedTensor(x_bar.data + bar.data, x_bar.dims), into_bar, back_bar


def _stack(parts: Sequence[NamedTensor]) -> NamedTensor:
    """Put queries, keys and values into one tensor again."""
    dims = ("batch", "time", "head", "head_dim")
    data = np.stack([part.transpose(*dims).data for part in parts])
    return NamedTensor(data, ("qkv", *dims))
