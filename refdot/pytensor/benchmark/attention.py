"""Stacked attention: in tensor code, in xtensor and with the oracle.

pymc-devs/pytensor#2164 reports that it compiles slowly; the sizes are from that issue. A layer is
a fused projection to queries, keys and values, scores with a causal mask, a softmax over the time
of the keys, the weighted values, a projection back, and a residual connection. The loss is the
mean square of the output of the last layer.
"""

from dataclasses import dataclass
from math import sqrt
from typing import Any

import numpy as np
import pytensor
import pytensor.tensor as pt
from pytensor.xtensor import as_xtensor, dot
from pytensor.xtensor.math import softmax

from refdot.programs.gradients import gradient
from refdot.programs.interpretation import NUMPY, interpret
from refdot.programs.named import attention
from refdot.tensor import Array, NamedTensor

__all__ = ["STATIC", "Values", "draw_values", "oracle_loss", "tensor_model", "xtensor_model"]


BATCH, BLOCK, EMBD, HEADS, HEAD_DIM = 4, 32, 64, 4, 16
INPUT_DIMS = ("batch", "time", "embd")
IN_DIMS = ("embd", "qkv", "head", "head_dim")
OUT_DIMS = ("head", "head_dim", "embd")
SCALE = 1 / sqrt(HEAD_DIM)
# Added to the scores, so that no time attends to a later one.
CAUSAL = np.where(np.tril(np.ones((BLOCK, BLOCK), dtype=bool)), 0.0, -1e9)


@dataclass(frozen=True)
class Values:
    """The values of the input and the weights of a stack of layers."""

    x: Array  # dims: INPUT_DIMS
    layers: tuple[tuple[Array, Array], ...]  # both projections; dims: IN_DIMS and OUT_DIMS


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


# Whether the shapes of the two weights of a layer are static.
STATIC = {"unknown": (False, False), "static": (True, True), "mixed": (True, False)}


def _shared(value: Array, static: bool) -> Any:
    return pytensor.shared(value, shape=value.shape if static else (None,) * value.ndim)


def tensor_model(values: Values, weights_shape: str) -> tuple[Any, list[Any], Any]:
    """Build the stack in hand-written tensor code, where each projection is a matrix.

    `weights_shape` is a key of `STATIC`. Return the input, the weights (shared variables) and the
    loss.
    """
    x = out = pt.tensor("x", shape=values.x.shape)
    weights = []
    for into, back in values.layers:
        matrices = into.reshape(EMBD, -1), back.reshape(-1, EMBD)
        into_matrix, back_matrix = map(_shared, matrices, STATIC[weights_shape])
        weights += [into_matrix, back_matrix]
        qkv = (out @ into_matrix).reshape((BATCH, BLOCK, 3, HEADS, HEAD_DIM))
        q, k, v = (qkv[:, :, i].transpose(0, 2, 1, 3) for i in range(3))
        scores = q @ k.mT * SCALE + CAUSAL
        attended = (pt.special.softmax(scores, axis=-1) @ v).transpose(0, 2, 1, 3)
        out = out + attended.reshape((BATCH, BLOCK, HEADS * HEAD_DIM)) @ back_matrix
    return x, weights, (out**2).mean()


def xtensor_model(values: Values, weights_shape: str) -> tuple[Any, list[Any], Any]:
    """Build the same stack in xtensor, with named dims."""
    x = pt.tensor("x", shape=values.x.shape)
    causal = as_xtensor(CAUSAL, dims=("time", "time_k"))
    out = as_xtensor(x, dims=INPUT_DIMS)
    weights = []
    for layer in values.layers:
        pair = list(map(_shared, layer, STATIC[weights_shape]))
        weights += pair
        into_named, back_named = map(as_xtensor, pair, (IN_DIMS, OUT_DIMS))
        qkv = dot(out, into_named, dim="embd")
        q, k, v = (qkv.isel(qkv=i) for i in range(3))
        k, v = k.rename(time="time_k"), v.rename(time="time_k")
        scores = dot(q, k, dim="head_dim") * SCALE + causal
        attended = dot(softmax(scores, dim="time_k"), v, dim="time_k")
        out = out + dot(attended, back_named, dim=("head", "head_dim"))
    return x, weights, (out**2).mean().values


def oracle_loss(values: Values) -> tuple[float, list[Array]]:
    """Compute the loss, and its gradients with respect to the input and each of the weights.

    They are those of the program `refdot.programs.named.attention`.
    """
    model = attention(len(values.layers), BATCH, BLOCK, EMBD, HEADS, HEAD_DIM)
    arrays = {"x": values.x}
    for layer, (into, back) in enumerate(values.layers, start=1):
        arrays |= {f"into_{layer}": into, f"back_{layer}": back}
    gradients = gradient(model, "loss", tuple(arrays))
    inputs = {
        name: NamedTensor(array, model.types[name].dims)
        for name, array in (arrays | {"causal": CAUSAL}).items()
    }
    loss = interpret(model, inputs, NUMPY)["loss"]
    found = interpret(gradients, inputs | {"loss_bar": NamedTensor(1.0, ())}, NUMPY)
    return float(loss.data), [found[name].data for name in gradients.outputs]
