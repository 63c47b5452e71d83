# %% [markdown]
# # From names to einsum
#
# `np.einsum` describes a dot with one letter for each axis: `"ab,bc->ac"` is a matrix product. Axes
# of the operands with the same letter are aligned, and letters that are not in the output are
# summed over. The step from names to letters is called *lowering*. It has four parts.

# %%
from string import ascii_lowercase

import numpy as np

import refdot as rd
from refdot.display.explanation import explain

x_dims, y_dims, dim = ("batch", "time", "embd"), ("embd", "head"), {"embd"}

# %% [markdown]
# **One.** List every dim once: x's dims in order, then the dims that are only in y.

# %%
every_dim = [*x_dims, *(name for name in y_dims if name not in x_dims)]
print(every_dim)

# %% [markdown]
# **Two.** Assign a letter to each dim, in this order. Initials would not work: two dims such as
# `head` and `hidden` can have the same initial.

# %%
letter = dict(zip(every_dim, ascii_lowercase, strict=False))
print(letter)

# %% [markdown]
# **Three.** The dims of the output are those that are not summed over, in the same order.

# %%
out_dims = [name for name in every_dim if name not in dim]
print(out_dims)

# %% [markdown]
# **Four.** Write the letters of x, y and the output.

# %%
x, y, out = ("".join(letter[name] for name in dims) for dims in (x_dims, y_dims, out_dims))
subscripts = f"{x},{y}->{out}"
print(subscripts)

# %% [markdown]
# This is the whole lowering. `lower_dot` does the same, and also determines the role of each dim.
# It needs only names; sizes, dtypes and values do not matter.

# %%
low = rd.lower_dot(x_dims, y_dims, dim)
print(explain(low, {"batch": 2, "time": 3, "embd": 4, "head": 5}))

# %%
low

# %% [markdown]
# The names in `dim` can be in any order and in any kind of iterable. If every dim is renamed, the
# letters stay the same.

# %%
random = np.random.default_rng(0)
x_data, y_data = random.integers(-9, 10, (2, 3, 4)), random.integers(-9, 10, (4, 5))
by_einsum = np.einsum(low.subscripts, x_data, y_data)
by_name = rd.dot(rd.NamedTensor(x_data, x_dims), rd.NamedTensor(y_data, y_dims), dim)

assert low.subscripts == subscripts == "abc,cd->abd"
assert low.out_dims == tuple(out_dims)
assert np.array_equal(by_einsum, by_name.data)
assert rd.lower_dot(("p", "q", "r"), ("r", "s"), "r").subscripts == subscripts

# %% [markdown]
# ## Exercises
#
# **1.** Lower this dot by hand: x has the dims `head`, `time` and `key`, y has `time_k`, `key`
# and `head`, and `dim` is `key`.
#
# <details markdown="1"><summary>Answer</summary>
#
# The dims in order are `head`, `time`, `key` and `time_k`, so their letters are a, b, c and d.
# `key` is summed over. `head` is in both operands and is kept: it is a batch dim.
#
# ```python
# low = rd.lower_dot(("head", "time", "key"), ("time_k", "key", "head"), "key")
# assert low.subscripts == "abc,dca->abd"
# ```
#
# </details>
#
# **2.** Which operands and which `dim` have the subscripts `"ab,ba->ab"`? What does this dot
# compute?
#
# <details markdown="1"><summary>Answer</summary>
#
# Both operands have the same two dims, in another order, and nothing is summed over. The dot
# multiplies each element of x by the element of y with the same names: y is transposed first.
#
# ```python
# low = rd.lower_dot(("time", "embd"), ("embd", "time"), dim=())
# assert low.subscripts == "ab,ba->ab"
# ```
#
# </details>
