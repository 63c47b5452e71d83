# %% [markdown]
# # The gradient of a dot is two dots
#
# A dot is linear in each operand: doubling x doubles the output. This makes its gradient simple.
# Suppose that a loss depends on `out = dot(x, w)`. The **cotangent** `out_bar` holds the derivative
# of the loss with respect to each element of `out`. What are the derivatives with respect to x and
# w?

# %%
from importlib.util import find_spec
from pathlib import Path

import numpy as np

import refdot as rd

random = np.random.default_rng(0)


def integers(**sizes):
    """Draw small integers, for which every sum is exact."""
    return rd.NamedTensor(random.integers(-9, 10, list(sizes.values())) * 1.0, tuple(sizes))


x = integers(batch=2, time=3, embd=4)
w = integers(embd=4, head=5)
low = rd.lower_dot(x.dims, w.dims, dim="embd")
out = rd.dot(x, w, dim="embd")
out_bar = integers(**out.sizes)

# %% [markdown]
# Change one element of x, at some batch, time and embd. Then `out` changes at this batch and time,
# for every head, by the change times `w[embd, head]`. The loss changes by the change times the sum
# over heads of `out_bar[batch, time, head] * w[embd, head]`. This sum is itself a dot: the dot of
# the cotangent and the other operand, over the dims that are not in x.

# %%
x_bar = rd.dot(out_bar, w, dim="head")
w_bar = rd.dot(out_bar, x, dim=("batch", "time")).transpose(*w.dims)

# %% [markdown]
# So one lowering leads to two others. The dim that was contracted becomes free, and the dims that
# were free in the other operand become contracted. In the second picture below, the box x is
# `out_bar`, the box y is `w`, and the output is `x_bar`.

# %%
of_x = rd.lower_dot(low.out_dims, low.y_dims, dim="head")
output = Path("output")
output.mkdir(exist_ok=True)
sizes = x.sizes | w.sizes
for name, lowering in (("dot", low), ("gradient_of_x", of_x)):
    (output / f"{name}.svg").write_text(lowering.to_svg(sizes), encoding="utf-8")
low

# %%
of_x

# %% [markdown]
# `dot_vjp` computes both cotangents (VJP is short for vector-Jacobian product). To check it, add 1
# to each element of x in turn and observe the change of the loss. Since a dot is linear, no limit
# and no small step are needed: the difference *is* the derivative.


# %%
def by_differences(operand, loss):
    """Add 1 to each element in turn, and return the changes of the loss."""
    changes = np.zeros(operand.shape)
    for index in np.ndindex(*operand.shape):
        data = operand.data.copy()
        data[index] += 1
        changes[index] = loss(rd.NamedTensor(data, operand.dims)) - loss(operand)
    return rd.NamedTensor(changes, operand.dims)


def loss(x, w):
    """Weight the output by `out_bar`, so that `out_bar` is its cotangent."""
    return float((rd.dot(x, w, dim="embd") @ out_bar).data)


print(x_bar.isel(batch=0))
assert x_bar == rd.dot_vjp(x, w, out_bar, dim="embd")[0]
assert w_bar == rd.dot_vjp(x, w, out_bar, dim="embd")[1]
assert x_bar == by_differences(x, lambda x: loss(x, w))
assert w_bar == by_differences(w, lambda w: loss(x, w))

# %% [markdown]
# One case remains: a dim that is only in x and is summed over. The output changes by the same
# amount wherever along this dim x is changed, so the cotangent of x is **broadcast** over it.

# %%
total_bar = integers(head=5)
total_x_bar, _ = rd.dot_vjp(x, w, total_bar, dim=("embd", "batch", "time"))
print(total_x_bar.isel(batch=0))
for batch, time in np.ndindex(2, 3):
    assert total_x_bar.isel(batch=batch, time=time) == rd.dot(total_bar, w, dim="head")

# %% [markdown]
# PyTensor differentiates a graph after lowering the names to positions. If it is installed, this
# compares its gradients:

# %%
if find_spec("pytensor"):
    import pytensor
    import pytensor.tensor as pt
    import pytensor.xtensor as px
    from pytensor.compile.mode import Mode
    from pytensor.graph.rewriting.utils import rewrite_graph

    tensors = [x, w, out_bar]
    inputs = [pt.tensor(shape=tensor.shape) for tensor in tensors]
    named = [
        px.as_xtensor(symbol, dims=tensor.dims)
        for symbol, tensor in zip(inputs, tensors, strict=True)
    ]
    weighted = px.dot(px.dot(named[0], named[1], dim="embd"), named[2])
    lowered = rewrite_graph(weighted.values, include=("lower_xtensor",))
    gradients = pytensor.grad(lowered, inputs[:2])
    without_compiler = Mode(linker="py", optimizer="minimum_compile")
    evaluate = pytensor.function(inputs, gradients, mode=without_compiler)
    for theirs, ours in zip(evaluate(*map(np.asarray, tensors)), (x_bar, w_bar), strict=True):
        assert np.array_equal(theirs, ours.data)
    print("PyTensor agrees")
