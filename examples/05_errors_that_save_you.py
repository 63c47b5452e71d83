# %% [markdown]
# # Errors that save you
#
# NumPy stretches an axis of size 1 to fit any other. That is handy, and it hides mistakes: here
# are two recordings of four seconds, and a filter that somebody cut to one second by accident.

# %%
import numpy as np

import refdot as rd

recording = np.array([[1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 7.0, 8.0]])
cut_too_short = np.array([0.5])

print("np.einsum:", np.einsum("ct,t->c", recording, cut_too_short))
print("multiply and sum:", (recording * cut_too_short).sum(axis=1))

# %% [markdown]
# Both gave an answer, and nobody notices. With names there is no reason to stretch: a filter that
# does not depend on time has no dim `time`. So a dim that both operands have must be of one size,
# and 1 is a size like any other. That is rule R4.

# %%
x = rd.NamedTensor(recording, ("channel", "time"))
short = rd.NamedTensor(cut_too_short, "time")
try:
    rd.dot(x, short)
except rd.SizeMismatchError as error:
    print(error)
    print(error.__notes__[0])

# %% [markdown]
# It holds for **batch** dims too, which are not summed over. There a size of 1 is stretched most
# quietly of all, since no sum is wrong and every shape is as expected.

# %%
gain = rd.NamedTensor([[2.0]], ("channel", "band"))
print("np.einsum:", np.einsum("ct,cb->ctb", recording, gain.data).shape)
try:
    rd.dot(x, gain, dim=())
except rd.SizeMismatchError as error:
    print(error)

# %% [markdown]
# If it was meant, say so: take the dim away.

# %%
print(rd.dot(x, gain.isel(channel=0), dim=()).sizes)

# %% [markdown]
# Every mismatch is listed at once, and programs can read it from the error.

# %%
try:
    rd.dot(x, rd.NamedTensor(np.ones((3, 5)), ("time", "channel")))
except rd.SizeMismatchError as error:
    print(error)
    print(error.sizes, error.rule)

# %% [markdown]
# Other mistakes that would give another answer, or a strange error far away:


# %%
def message(dim):
    """Give what `dot` says of a `dim` argument."""
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
