# %% [markdown]
# # Errors that save you
#
# NumPy stretches an axis of size 1 to fit any other size. This is convenient, but it can hide
# mistakes. Here are two recordings of four seconds, and a filter that was cut to one second by
# accident.

# %%
import numpy as np

import refdot as rd

recording = np.array([[1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 7.0, 8.0]])
cut_too_short = np.array([0.5])

print("np.einsum:", np.einsum("ct,t->c", recording, cut_too_short))
print("multiply and sum:", (recording * cut_too_short).sum(axis=1))

# %% [markdown]
# Both ways compute a result, and nobody notices the mistake. With names, there is no need to
# stretch an axis: a filter that does not depend on time has no dim `time`. So a dim that is in both
# operands must have the same size in both, and 1 is a size like any other. This is rule R4.

# %%
x = rd.NamedTensor(recording, ("channel", "time"))
short = rd.NamedTensor(cut_too_short, "time")
try:
    rd.dot(x, short)
except rd.SizeMismatchError as error:
    print(error)
    print(error.__notes__[0])

# %% [markdown]
# The rule also applies to **batch** dims, which are not summed over. There a stretched axis is
# hardest to notice, since every shape is as expected.

# %%
gain = rd.NamedTensor([[2.0]], ("channel", "band"))
print("np.einsum:", np.einsum("ct,cb->ctb", recording, gain.data).shape)
try:
    rd.dot(x, gain, dim=())
except rd.SizeMismatchError as error:
    print(error)

# %% [markdown]
# If broadcasting is intended, remove the dim:

# %%
print(rd.dot(x, gain.isel(channel=0), dim=()).sizes)

# %% [markdown]
# The error lists every mismatch, and a program can read the sizes from its attributes.

# %%
try:
    rd.dot(x, rd.NamedTensor(np.ones((3, 5)), ("time", "channel")))
except rd.SizeMismatchError as error:
    print(error)
    print(error.sizes, error.rule)

# %% [markdown]
# These are other mistakes that would change the result, or cause an unclear error in another place:


# %%
def message(dim):
    """Return the error message of `dot` for a `dim` argument."""
    try:
        rd.dot(x, x, dim)
    except rd.DotError as error:
        return f"{type(error).__name__}: {error}"
    return "no error"


for wrong in ("tiem", 1, np.array(["time"]), ["time", 0]):
    print(message(wrong))

assert np.array_equal(np.einsum("ct,t->c", recording, cut_too_short), [5, 13])
assert message("tiem").endswith("did you mean time?")
assert message(1).startswith("DimTypeError: dim must be")
assert message(("time", "time")) == message({"time"}) == "no error"

# %% [markdown]
# ## Exercises
#
# **1.** The filter is cut to three seconds instead of one. What do `np.einsum` and `rd.dot` do now?
#
# <details markdown="1"><summary>Answer</summary>
#
# Both raise an error, since only an axis of size 1 is stretched. So this mistake is noticed at
# once, unless the wrong size is 1.
#
# ```python
# def raises(call):
#     """Return whether a call raises a ValueError."""
#     try:
#         call()
#     except ValueError:
#         return True
#     return False
#
#
# assert raises(lambda: np.einsum("ct,t->c", recording, np.ones(3)))
# assert raises(lambda: rd.dot(x, rd.NamedTensor(np.ones(3), "time")))
# ```
#
# </details>
#
# **2.** A filter of one second is to be applied to every second. Write this as a dot that is valid.
#
# <details markdown="1"><summary>Answer</summary>
#
# Remove the dim `time` of the filter. Then `time` is only in `x`, and the dot sums over it alone.
#
# ```python
# applied = rd.dot(x, short.isel(time=0), dim="time")
# assert np.array_equal(applied.data, 0.5 * recording.sum(axis=1))
# ```
#
# </details>
