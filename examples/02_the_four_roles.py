# %% [markdown]
# # The four roles of a dim
#
# In a dot each dim plays one of four roles. Two questions tell which: is the dim in both operands
# or in one, and is it summed over or kept?
#
# | | summed over | kept |
# |---|---|---|
# | in both | **contracted** | **batch** |
# | in one | **summed** | **free** |
#
# Take a shop. It sells fruits on two days, in three towns; prices differ from day to day; and there
# are two currencies to count in.

# %%
from pathlib import Path

import numpy as np

import refdot as rd

sold = rd.NamedTensor(np.arange(1, 25).reshape(2, 3, 4), ("day", "town", "fruit"))
price = rd.NamedTensor(np.arange(1, 17).reshape(4, 2, 2), ("fruit", "day", "currency"))
sizes = sold.sizes | price.sizes

# %% [markdown]
# What each town took on each day, in each currency: sum over fruits, and nothing else.
#
# - `fruit` is **contracted**: each fruit's number meets its own price, and the products are added.
# - `day` is **batch**: Monday's numbers meet Monday's prices, and the days stay apart.
# - `town` and `currency` are **free**: each is in one operand only, and every town meets every
#   currency.

# %%
taken = rd.lower_dot(sold.dims, price.dims, dim="fruit")
print(taken)

# %% [markdown]
# As a picture: an edge for each dim. Contracted edges join the operands. Those of a batch dim meet
# and lead on to the output. Free edges lead there from one operand.

# %%
output = Path("output")
output.mkdir(exist_ok=True)
(output / "roles.svg").write_text(taken.to_svg(sizes), encoding="utf-8")
taken

# %% [markdown]
# Now sum over towns as well. Only `sold` has that dim, so nothing there meets it: its role is
# **summed**, and its edge ends in a dot.

# %%
everywhere = rd.lower_dot(sold.dims, price.dims, dim=("fruit", "town"))
(output / "summed.svg").write_text(everywhere.to_svg(sizes), encoding="utf-8")
everywhere

# %% [markdown]
# So roles do not belong to dims. They follow from which operands have a dim and from what `dim`
# says. The same two operands, in other words:

# %%
for dim in (None, "fruit", ("fruit", "town"), (), ...):
    low = rd.lower_dot(sold.dims, price.dims, dim)
    print(f"dim={dim!r:<20}", ", ".join(f"{name} {low.role(name)}" for name in low.all_dims))

# %% [markdown]
# Each role is a way in which a sum over plain loops treats an index:

# %%
by_hand = np.zeros((2, 3, 2), dtype=int)
for day in range(2):  # batch: one index for both operands and the output
    for town in range(3):  # free: an index of x and the output
        for currency in range(2):  # free: an index of y and the output
            for fruit in range(4):  # contracted: an index of x and y
                by_hand[day, town, currency] += (
                    sold.data[day, town, fruit] * price.data[fruit, day, currency]
                )

assert np.array_equal(rd.dot(sold, price, dim="fruit").data, by_hand)
assert np.array_equal(rd.dot(sold, price, dim=("fruit", "town")).data, by_hand.sum(axis=1))
assert [taken.role(dim) for dim in taken.all_dims] == ["batch", "free", "contracted", "free"]
assert everywhere.role("town") == "summed"
