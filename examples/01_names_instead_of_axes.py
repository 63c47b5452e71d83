# %% [markdown]
# # Names instead of axes
#
# An array has a number of axes, but does not say what they mean. These are the temperatures of
# three cities on three days, and a weight for each day.

# %%
import numpy as np

import refdot as rd

readings = np.array([[10.0, 20.0, 30.0], [11.0, 12.0, 13.0], [5.0, 0.0, 5.0]])
day_weights = np.array([0.5, 0.25, 0.25])

# %% [markdown]
# Which axis is the day? The author of the data knew. A reader has to guess, and NumPy cannot detect
# a wrong guess, since there are as many cities as days.

# %%
print("if days are columns:", readings @ day_weights)
print("if days are rows:   ", day_weights @ readings)

# %% [markdown]
# A `NamedTensor` is an array with a name for each axis. A named axis is called a **dim**. With
# names, the product has only one result, whatever the order of the axes in memory.

# %%
temperature = rd.NamedTensor(readings, ("city", "day"))
weight = rd.NamedTensor(day_weights, "day")
transposed = temperature.transpose("day", "city")

print(rd.dot(temperature, weight, dim="day"))
print(rd.dot(transposed, weight, dim="day"))

# %% [markdown]
# `dot` multiplies elements that have the same position along the dims with the same name, and then
# sums over `dim`. Without `dim`, it sums over every dim that is in both operands; `@` does the
# same. If a name does not exist, the error message suggests a similar one.

# %%
print(temperature @ weight == rd.dot(temperature, weight, dim="day"))
try:
    rd.dot(temperature, weight, dim="days")
except rd.DimNotFoundError as error:
    print(error)

# %% [markdown]
# The assertions repeat what this example has shown:

# %%
by_day = temperature @ weight
assert by_day.dims == ("city",)
assert np.array_equal(by_day.data, [17.5, 11.75, 3.75])
assert by_day == transposed @ weight == weight @ temperature
assert not np.array_equal(readings @ day_weights, day_weights @ readings)

# %% [markdown]
# ## Exercises
#
# **1.** Which dims does `rd.dot(temperature, temperature)` have, and what is its value? Decide
# before you run it.
#
# <details markdown="1"><summary>Answer</summary>
#
# None: both dims are in both operands, so the dot sums over both. The value is the sum of the
# squares.
#
# ```python
# squares = rd.dot(temperature, temperature)
# assert squares.dims == ()
# assert squares.data == (readings**2).sum()
# ```
#
# </details>
#
# **2.** By mistake, someone names the dim of the weights `city`. What is the result of
# `temperature @ weight` then, and why is there no error?
#
# <details markdown="1"><summary>Answer</summary>
#
# It is a weighted sum over the cities for each day. Both names exist and the sizes agree, so the
# dot is valid. But the mistake shows in the dims of the result, and an array without names has
# none to show.
#
# ```python
# mistaken = rd.NamedTensor(day_weights, "city")
# assert (temperature @ mistaken).dims == ("day",)
# ```
#
# </details>
