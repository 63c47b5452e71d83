# %% [markdown]
# # Why 26 letters are not enough
#
# A lowering assigns a letter to each dim. Two ways to choose the letters seem right, pass every
# small test, and fail later.
#
# **By initial.** This is easy to read: `b` for batch, `t` for time.

# %%
import string

import numpy as np

import refdot as rd


def by_initial(x_dims, y_dims, out_dims):
    """Use the first letter of the name of each dim."""
    x, y, out = ("".join(dim[0] for dim in dims) for dims in (x_dims, y_dims, out_dims))
    return f"{x},{y}->{out}"


good = rd.lower_dot(("batch", "time"), ("time", "embd"))
print(by_initial(good.x_dims, good.y_dims, good.out_dims), "means the same as", good.subscripts)

# %% [markdown]
# It fails when two dims have the same initial. Attention compares each time step with every other
# one, so it needs two dims for time. With initials, both get the same letter. Einsum rejects a
# letter that appears twice in the output. Removing one of the two silences the error, but gives
# only the diagonal of the result.

# %%
bad = rd.lower_dot(("time", "key"), ("time_k", "key"))
subscripts = by_initial(bad.x_dims, bad.y_dims, bad.out_dims)
print(f"{subscripts} instead of {bad.subscripts}")

query, key = np.arange(6.0).reshape(3, 2), np.arange(6.0).reshape(3, 2)
try:
    np.einsum(subscripts, query, key)
except ValueError as error:
    print("np.einsum says:", error)
print(f"{subscripts[:-1]} gives", np.einsum(subscripts[:-1], query, key))
print(f"{bad.subscripts} gives\n{np.einsum(bad.subscripts, query, key)}")

# %% [markdown]
# **In alphabetical order.** This is correct as long as there are enough letters: 26 lowercase
# letters, and 52 letters that einsum accepts. People rarely write so many dims, but programs do:
# one dim for each variable of a graphical model, or for each qubit. Most of these dims have size 1
# or 2, so the arrays are small.

# %%
x_dims = [f"left{n}" for n in range(30)] + ["shared"]
y_dims = [f"right{n}" for n in range(30)] + ["shared"]
low = rd.lower_dot(x_dims, y_dims)
print(len(low.all_dims), "dims, and", len(string.ascii_letters), "letters")
print(low.subscripts)

# %% [markdown]
# After the 52 letters, the lowering uses letters that einsum does not accept:

# %%
x_data = np.arange(8).reshape((2,) + (1,) * 29 + (4,))
y_data = np.arange(12).reshape((3,) + (1,) * 29 + (4,))
try:
    np.einsum(low.subscripts, x_data, y_data)
except ValueError as error:
    print("np.einsum says:", error)

# %% [markdown]
# refdot still computes the result. A dim of size 1 changes neither the number of products nor the
# number of elements. So refdot removes these dims, computes the dot, and adds them again. The
# number of letters is not a property of a dot; this is rule R11 of the specification.

# %%
out = rd.dot(rd.NamedTensor(x_data, x_dims), rd.NamedTensor(y_data, y_dims))
print(out.ndim, "dims in the output, of sizes", set(out.shape))
print(out.data.squeeze())

assert np.array_equal(out.data.squeeze(), x_data.squeeze() @ y_data.squeeze().T)
assert out.dims == tuple(x_dims[:-1] + y_dims[:-1])
assert len(set(low.symbol.values())) == 61 > len(string.ascii_letters)
assert by_initial(bad.x_dims, bad.y_dims, bad.out_dims) == "tk,tk->tt"

# %% [markdown]
# ## Exercises
#
# **1.** Improve `by_initial`: use the first letter of each name that no other dim has yet. Is
# this always correct?
#
# <details markdown="1"><summary>Answer</summary>
#
# No. All letters of a name may be taken. And the names `a`, `ab` and `b` fail in this order,
# although another choice of letters would do.
#
# ```python
# def by_unused(names):
#     """Return a letter for each name."""
#     letters = {}
#     for name in names:
#         letters[name] = next(a for a in name if a not in letters.values())
#     return letters
#
#
# assert by_unused(["time", "key", "time_k"]) == {"time": "t", "key": "k", "time_k": "i"}
# try:
#     by_unused(["a", "ab", "b"])
# except StopIteration:
#     print("no letter left")
# ```
#
# </details>
#
# **2.** refdot removes only dims of size 1 when the letters run out. Why is this enough?
#
# <details markdown="1"><summary>Answer</summary>
#
# Without dims of size 1, an array that is not empty has only dims of size 2 or more. With 53 of
# them, it has at least 2⁵³ elements, which take 64 PiB in float64: more than any memory has.
#
# ```python
# assert 2**53 * 8 == 64 * 1024**5
# ```
#
# </details>
