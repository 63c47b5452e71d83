# %% [markdown]
# # Why 26 letters are not enough
#
# A lowering spells dims with letters. Two ways to choose them look right, pass every small test,
# and fail later.
#
# **By initial.** It reads well: `b` for batch, `t` for time.

# %%
import string

import numpy as np

import refdot as rd


def by_initial(x_dims, y_dims, out_dims):
    """Spell each dim by the first letter of its name."""
    x, y, out = ("".join(dim[0] for dim in dims) for dims in (x_dims, y_dims, out_dims))
    return f"{x},{y}->{out}"


good = rd.lower_dot(("batch", "time"), ("time", "embd"))
print(by_initial(good.x_dims, good.y_dims, good.out_dims), "is as good as", good.subscripts)

# %% [markdown]
# Until two dims share an initial. Attention compares each time with each other time, so it needs
# two dims for them. Spelt by initial they are one. Einsum refuses a letter that comes twice in the
# output; whoever then takes it out once has an answer, and it is only the diagonal.

# %%
bad = rd.lower_dot(("time", "key"), ("time_k", "key"))
spelt = by_initial(bad.x_dims, bad.y_dims, bad.out_dims)
print(f"{spelt} instead of {bad.subscripts}")

query, key = np.arange(6.0).reshape(3, 2), np.arange(6.0).reshape(3, 2)
try:
    np.einsum(spelt, query, key)
except ValueError as error:
    print("np.einsum says:", error)
print(f"{spelt[:-1]} gives", np.einsum(spelt[:-1], query, key))
print(f"{bad.subscripts} gives\n{np.einsum(bad.subscripts, query, key)}")

# %% [markdown]
# **By alphabet.** It is right as long as it lasts. There are 26 lowercase letters, and 52 that
# einsum knows. Nobody names so many dims by hand, but programs do: one dim for each variable of a
# graphical model, or for each qubit. Most are of size 1 or 2, so the arrays are small.

# %%
x_dims = [f"left{n}" for n in range(30)] + ["shared"]
y_dims = [f"right{n}" for n in range(30)] + ["shared"]
low = rd.lower_dot(x_dims, y_dims)
print(len(low.all_dims), "dims, and", len(string.ascii_letters), "letters")
print(low.subscripts)

# %% [markdown]
# The lowering goes on with letters that einsum does not know:

# %%
x_data = np.arange(8).reshape((2,) + (1,) * 29 + (4,))
y_data = np.arange(12).reshape((3,) + (1,) * 29 + (4,))
try:
    np.einsum(low.subscripts, x_data, y_data)
except ValueError as error:
    print("np.einsum says:", error)

# %% [markdown]
# The answer does not end there. A dim of size 1 adds neither a product nor a place, so refdot
# leaves those dims out, does the rest, and puts them back. How many letters there are is no
# property of a dot; that is rule R11 of the specification.

# %%
out = rd.dot(rd.NamedTensor(x_data, x_dims), rd.NamedTensor(y_data, y_dims))
print(out.ndim, "dims in the output, of sizes", set(out.shape))
print(out.data.squeeze())

assert np.array_equal(out.data.squeeze(), x_data.squeeze() @ y_data.squeeze().T)
assert out.dims == tuple(x_dims[:-1] + y_dims[:-1])
assert len(set(low.symbol.values())) == 61 > len(string.ascii_letters)
assert by_initial(bad.x_dims, bad.y_dims, bad.out_dims) == "tk,tk->tt"
