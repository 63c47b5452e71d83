# %% [markdown]
# # From names to einsum
#
# `np.einsum` writes a dot with one letter for each axis: `"ab,bc->ac"` is a product of matrices.
# Letters that two operands share are aligned; letters that the output lacks are summed over. To
# turn names into that is called *lowering*, and it takes four steps.

# %%
from string import ascii_lowercase

import numpy as np

import refdot as rd
from refdot.display.explanation import explain

x_dims, y_dims, dim = ("batch", "time", "embd"), ("embd", "head"), {"embd"}

# %% [markdown]
# **One.** List every dim once: x's in order, then those that only y has.

# %%
every_dim = [*x_dims, *(name for name in y_dims if name not in x_dims)]
print(every_dim)

# %% [markdown]
# **Two.** Give each dim a letter, whatever it is called. Its initial would not do: `head` and
# `hidden` are two dims.

# %%
letter = dict(zip(every_dim, ascii_lowercase, strict=False))
print(letter)

# %% [markdown]
# **Three.** The output keeps, in that order, the dims that are not summed over.

# %%
out_dims = [name for name in every_dim if name not in dim]
print(out_dims)

# %% [markdown]
# **Four.** Spell.

# %%
x, y, out = ("".join(letter[name] for name in dims) for dims in (x_dims, y_dims, out_dims))
subscripts = f"{x},{y}->{out}"
print(subscripts)

# %% [markdown]
# That is all there is to it. `lower_dot` does the same, and says each dim's role beside it. It
# needs no data, only names: sizes, dtypes and values play no part.

# %%
low = rd.lower_dot(x_dims, y_dims, dim)
print(explain(low, {"batch": 2, "time": 3, "embd": 4, "head": 5}))

# %%
low

# %% [markdown]
# Names can be spelt and ordered as one likes; the lowering is the same. Renaming every dim changes
# no letter.

# %%
random = np.random.default_rng(0)
x_data, y_data = random.integers(-9, 10, (2, 3, 4)), random.integers(-9, 10, (4, 5))
by_einsum = np.einsum(low.subscripts, x_data, y_data)
by_name = rd.dot(rd.NamedTensor(x_data, x_dims), rd.NamedTensor(y_data, y_dims), dim)

assert low.subscripts == subscripts == "abc,cd->abd"
assert low.out_dims == tuple(out_dims)
assert np.array_equal(by_einsum, by_name.data)
assert rd.lower_dot(("p", "q", "r"), ("r", "s"), "r").subscripts == subscripts
