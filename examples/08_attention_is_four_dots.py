# %% [markdown]
# # Attention is four dots
#
# Multi-head attention, the central part of a transformer, is known for code such as `(q @
# k.transpose(-2, -1)).view(b, t, n, -1)`. With names, no axis has to be transposed or counted.
# Attention is then four dots and a softmax.

# %%
from importlib.util import find_spec
from pathlib import Path

import numpy as np

import refdot as rd

sizes = {"batch": 2, "time": 6, "embd": 8, "part": 3, "head": 2, "key": 4}
random = np.random.default_rng(0)


def normal(*dims):
    """Draw a tensor of random numbers with these dims."""
    return rd.NamedTensor(random.normal(size=[sizes[dim] for dim in dims]), dims)


x = normal("batch", "time", "embd")
weights = {
    "project": normal("embd", "part", "head", "key"),
    "merge": normal("head", "key", "embd"),
}

# %% [markdown]
# **One: project.** For each head, each time step has a query (what it looks for), a key (what it
# offers to queries) and a value (what it passes on). All three are linear in x, so one dot computes
# all three *parts*.

# %%
parts = rd.dot(x, weights["project"], dim="embd")
query, key, value = (parts.isel(part=part) for part in range(3))
print(query.sizes)
rd.lower_dot(x.dims, weights["project"].dims, dim="embd")

# %% [markdown]
# **Two: score.** How well does the query of one step match the key of another? Query and key both
# have the dim `time`, and every step is compared with every other. So one of the two dims gets
# another name. `key` is contracted. `batch` and `head` are batch dims, since heads do not interact.

# %%
key, value = key.rename(time="time_k"), value.rename(time="time_k")
scores = rd.dot(query, key, dim="key")
low = rd.lower_dot(query.dims, key.dims, dim="key")
output = Path("output")
output.mkdir(exist_ok=True)
(output / "scores.svg").write_text(low.to_svg(query.sizes | key.sizes), encoding="utf-8")
low

# %% [markdown]
# A score is a sum over `key`, so it grows with the size of `key`. It is divided by the square
# root of this size, so that the softmax does not become a choice of one step. A step may only
# attend to itself and to earlier steps, and a softmax over `time_k` turns the scores into
# weights. None of these operations is a dot, but they use dims by name.


# %%
def causal_softmax(scores):
    """Return weights of scaled scores that are 0 for later steps and add up to 1."""
    times = np.arange(sizes["time"])
    later = times[None, :] > times[:, None]
    scores = scores.transpose(..., "time", "time_k")
    masked = np.where(later, -np.inf, scores.data / np.sqrt(sizes["key"]))
    weights = np.exp(masked - masked.max(axis=-1, keepdims=True))
    return rd.NamedTensor(weights / weights.sum(axis=-1, keepdims=True), scores.dims)


attention = causal_softmax(scores)

# %% [markdown]
# **Three: mix.** The result of each step is the sum of the values, weighted by attention.

# %%
mixed = rd.dot(attention, value, dim="time_k")
mixing = rd.lower_dot(attention.dims, value.dims, dim="time_k")
(output / "mixed.svg").write_text(mixing.to_svg(attention.sizes | value.sizes), encoding="utf-8")
mixing

# %% [markdown]
# **Four: merge.** One dot combines the results of the heads into one vector. It contracts two dims
# at once and needs no reshape.

# %%
out = rd.dot(mixed, weights["merge"], dim=("head", "key")).transpose(*x.dims)
print(out.sizes)
rd.lower_dot(mixed.dims, weights["merge"].dims, dim=("head", "key"))

# %% [markdown]
# This is the same without names, with einsum. It is as short, but a reader has to remember what `n`
# means.

# %%
q, k, v = np.einsum("bte,epnd->pbtnd", x.data, weights["project"].data)
by_letters = np.einsum("btnd,bsnd->bnts", q, k) / np.sqrt(sizes["key"])
later = np.triu(np.ones((6, 6), bool), 1)
by_letters = np.exp(np.where(later, -np.inf, by_letters))
by_letters /= by_letters.sum(axis=-1, keepdims=True)
by_letters = np.einsum("bnts,bsnd,nde->bte", by_letters, v, weights["merge"].data)

assert out.dims == x.dims
assert np.allclose(out.data, by_letters)

# %% [markdown]
# PyTensor's xtensor has the same dot. If PyTensor is installed, this computes the four dots with
# it:

# %%
if find_spec("pytensor"):
    import pytensor
    import pytensor.xtensor as px
    from pytensor.compile.mode import Mode

    x_symbol = px.xtensor("x", dims=x.dims)
    project, merge = (px.xtensor(name, dims=weights[name].dims) for name in weights)
    parts = px.dot(x_symbol, project, dim="embd")
    query, key, value = (parts.isel(part=part) for part in range(3))
    key, value = key.rename(time="time_k"), value.rename(time="time_k")
    scores = px.dot(query, key, dim="key") / np.sqrt(sizes["key"])
    not_later = px.as_xtensor(~later, dims=("time", "time_k"))
    attention = px.math.softmax(px.where(not_later, scores, -np.inf), dim="time_k")
    mixed = px.dot(attention, value, dim="time_k")
    merged = px.dot(mixed, merge, dim=("head", "key")).transpose(*x.dims)

    without_compiler = Mode(linker="py", optimizer="minimum_compile")
    evaluate = pytensor.function([x_symbol, project, merge], merged.values, mode=without_compiler)
    theirs = evaluate(x.data, *(weight.data for weight in weights.values()))
    assert np.allclose(theirs, out.data)
    print("PyTensor agrees")
