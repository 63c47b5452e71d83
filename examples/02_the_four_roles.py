# %% [markdown]
# # The four roles of a dim
#
# In a dot, each dim has one of four roles. Two questions determine the role: is the dim in both
# operands or in one, and is it summed over or kept?
#
# | | summed over | kept |
# |---|---|---|
# | in both | **contracted** | **batch** |
# | in one | **summed** | **free** |
#
# As an example, take a shop that sells fruit on two days, in three towns. Its prices differ between
# days, and there are two currencies.

# %%
from pathlib import Path

import numpy as np

import refdot as rd

sold = rd.NamedTensor(np.arange(1, 25).reshape(2, 3, 4), ("day", "town", "fruit"))
price = rd.NamedTensor(np.arange(1, 17).reshape(4, 2, 2), ("fruit", "day", "currency"))
sizes = sold.sizes | price.sizes

# %% [markdown]
# What are the takings in each town, on each day, in each currency? Sum over fruit, and over nothing
# else.
#
# - `fruit` is **contracted**: the number sold of each fruit is multiplied by its price, and the
#   products are added.
# - `day` is **batch**: the sales of a day are multiplied by the prices of the same day, and the
#   days are kept apart.
# - `town` and `currency` are **free**: each is in one operand only, and every town is combined with
#   every currency.

# %%
takings = rd.lower_dot(sold.dims, price.dims, dim="fruit")
print(takings)

# %% [markdown]
# In a picture of the dot, each dim is an edge. A contracted edge connects the two operands. The
# edges of a batch dim come from both operands, meet, and lead to the output. A free edge leads from
# one operand to the output.

# %%
output = Path("output")
output.mkdir(exist_ok=True)
(output / "roles.svg").write_text(takings.to_svg(sizes), encoding="utf-8")
takings

# %% [markdown]
# Now sum over towns as well. Only `sold` has this dim, so its role is **summed**. Its edge ends in
# a dot.

# %%
all_towns = rd.lower_dot(sold.dims, price.dims, dim=("fruit", "town"))
(output / "summed.svg").write_text(all_towns.to_svg(sizes), encoding="utf-8")
all_towns

# %% [markdown]
# So a role is not a property of a dim. It depends on which operands have the dim, and on the `dim`
# argument. Here are the same two operands with other arguments:

# %%
for dim in (None, "fruit", ("fruit", "town"), (), ...):
    low = rd.lower_dot(sold.dims, price.dims, dim)
    print(f"dim={dim!r:<20}", ", ".join(f"{name}: {low.role(name)}" for name in low.all_dims))

# %% [markdown]
# Plain loops treat an index of each role in a different way:

# %%
by_loops = np.zeros((2, 3, 2), dtype=int)
for day in range(2):  # batch: an index of x, y and the output
    for town in range(3):  # free: an index of x and the output
        for currency in range(2):  # free: an index of y and the output
            for fruit in range(4):  # contracted: an index of x and y
                by_loops[day, town, currency] += (
                    sold.data[day, town, fruit] * price.data[fruit, day, currency]
                )

assert np.array_equal(rd.dot(sold, price, dim="fruit").data, by_loops)
assert np.array_equal(rd.dot(sold, price, dim=("fruit", "town")).data, by_loops.sum(axis=1))
assert [takings.role(dim) for dim in takings.all_dims] == ["batch", "free", "contracted", "free"]
assert all_towns.role("town") == "summed"

# %% [markdown]
# ## Exercises
#
# **1.** What does `dim=("fruit", "currency")` compute? Which role does each dim have, and does
# the result make sense?
#
# <details markdown="1"><summary>Answer</summary>
#
# `fruit` is contracted, `currency` is summed, `day` is batch and `town` is free. The result adds
# amounts in two currencies, which makes no sense. A role says how a dim is treated, not whether
# that is right.
#
# ```python
# low = rd.lower_dot(sold.dims, price.dims, dim=("fruit", "currency"))
# roles = {name: low.role(name) for name in low.all_dims}
# assert roles == {"day": "batch", "town": "free", "fruit": "contracted", "currency": "summed"}
# ```
#
# </details>
#
# **2.** How many pieces of fruit were sold in all? Compute it with a dot whose other operand has
# no dims.
#
# <details markdown="1"><summary>Answer</summary>
#
# Sum over every dim. All three are in one operand only, so their role is summed.
#
# ```python
# one = rd.NamedTensor(1, ())
# assert rd.dot(sold, one, dim=...).data == sold.data.sum()
# ```
#
# </details>
