# %% [markdown]
# # Names instead of axes
#
# An array knows how many axes it has, but not what they mean. Here are the temperatures of three
# cities on three days, and how much each day shall count.

# %%
import numpy as np

import refdot as rd

readings = np.array([[10.0, 20.0, 30.0], [11.0, 12.0, 13.0], [5.0, 0.0, 5.0]])
day_weights = np.array([0.5, 0.25, 0.25])

# %% [markdown]
# Which axis is the day? The program that wrote the readings knew. Whoever reads them must guess,
# and NumPy cannot tell a wrong guess from a right one: there are as many cities as days.

# %%
print("if days are columns:", readings @ day_weights)
print("if days are rows:   ", day_weights @ readings)

# %% [markdown]
# A `NamedTensor` is an array that has a name for each axis. Such a named axis is called a **dim**.
# Now the product can be asked for by name, and there is one answer, however the array is stored.

# %%
temperature = rd.NamedTensor(readings, ("city", "day"))
weight = rd.NamedTensor(day_weights, "day")
transposed = temperature.transpose("day", "city")

print(rd.dot(temperature, weight, dim="day"))
print(rd.dot(transposed, weight, dim="day"))

# %% [markdown]
# `dot` multiplies what has the same names, and sums over `dim`. Without `dim` it sums over every
# dim that both have, which is what `@` does too. A name that is not there is an error that helps.

# %%
print(temperature @ weight == rd.dot(temperature, weight, dim="day"))
try:
    rd.dot(temperature, weight, dim="days")
except rd.DimNotFoundError as error:
    print(error)

# %% [markdown]
# What this example showed:

# %%
by_day = temperature @ weight
assert by_day.dims == ("city",)
assert np.array_equal(by_day.data, [17.5, 11.75, 3.75])
assert by_day == transposed @ weight == weight @ temperature
assert not np.array_equal(readings @ day_weights, day_weights @ readings)
