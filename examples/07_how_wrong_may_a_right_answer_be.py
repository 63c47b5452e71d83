# %% [markdown]
# # How wrong may a right answer be?
#
# Floating-point numbers are rounded after every operation, so a sum depends on its order. Which
# order a library takes is its own business: forwards, in pairs, in blocks, on several cores. So
# two right answers differ, and a test must know by how much they may.

# %%
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import refdot as rd
from refdot.judging.rounding import correct_answers, gamma, unit_roundoff

random = np.random.default_rng(0)
x, y = random.normal(size=(2, 1000)).astype("float32")


def one_by_one(products):
    """Add up in the order given, rounding after each step."""
    total = np.float32(0)
    for product in products:
        total += product
    return total


for name, products in {"forwards": x * y, "backwards": (x * y)[::-1]}.items():
    print(f"{name:<11}{one_by_one(products):.7f}")
print(f"{'np.dot':<11}{np.dot(x, y):.7f}")
print(f"{'exact':<11}{np.dot(x.astype('float64'), y.astype('float64')):.7f}")

# %% [markdown]
# The usual way is a relative tolerance, guessed until the tests pass. It is wrong in both
# directions. Where large products cancel, right answers are refused:

# %%
changes = np.array([1e6, 0.1, -1e6] * 100, "float32")
right, exact = one_by_one(changes), changes.astype("float64").sum()
print(right, exact, "close by rtol:", np.isclose(right, exact, rtol=1e-5))

# %% [markdown]
# and where nothing cancels, wrong ones pass. Here one product of ten is off by 3 parts in 100,000,
# which no rounding in float32 does:

# %%
ten = rd.NamedTensor(np.linspace(1, 2, 10).astype("float32"), "time")
off = np.float32((ten @ ten).data - 3e-5 * ten.data[-1] ** 2)
print(off, (ten @ ten).data, "close by rtol:", np.isclose(off, (ten @ ten).data, rtol=1e-5))

# %% [markdown]
# There is a bound that need not be guessed. Each operation is exact up to a factor 1 + δ with
# |δ| ≤ u, the unit roundoff. A product in a sum of k passes through at most k such factors, in
# whatever order they are added. With γₖ = k·u / (1 − k·u),
#
# > |answer − exact| ≤ γₖ · Σ|x||y|.
#
# The sum of the absolute values is a dot as well, so it knows about cancelling. (Higham, *Accuracy
# and Stability of Numerical Algorithms*, chapter 3.)

# %%
u = unit_roundoff(np.dtype("float32"))
print("u =", u)
print("bound:", gamma(10, u) * float((ten @ ten).data))
answers = correct_answers(ten, ten)
print("wrong by the bound:", bool(answers.wrong(np.asarray(off))))

# %% [markdown]
# Does it hold? Here are twenty sums of k products for each of several k, each point the error of
# one of them.

# %%
lengths = [2**n for n in range(1, 13)]
errors = []
for k in lengths:
    factors = random.normal(size=(2, 20, k)).astype("float32")
    products, wide = factors[0] * factors[1], factors.astype("float64").prod(axis=0)
    sums = np.array([one_by_one(row) for row in products])
    errors.append(np.abs(sums - wide.sum(axis=1)) / np.abs(wide).sum(axis=1))

bounds = [gamma(k, u) for k in lengths]
figure, axes = plt.subplots(figsize=(5, 3.2), layout="constrained")
axes.loglog(lengths, bounds, "k-", label="the bound, γₖ")
axes.loglog(lengths, np.array(errors), "o", color="#1a4fa3", markersize=3)
axes.set(xlabel="k, the number of products", ylabel="error / Σ|x||y|", ylim=(1e-10, 1e-3))
axes.legend()
output = Path("output")
output.mkdir(exist_ok=True)
figure.savefig(output / "rounding.svg")

# %% [markdown]
# No error is above its bound, however long the sum. And where all numbers are whole and small,
# nothing is rounded at all: then the bound is 0, and every bit must be right.

# %%
whole = rd.NamedTensor(np.arange(100.0, dtype="float32"), "time")
exactly = correct_answers(whole, whole)
assert all(np.all(error <= bound) for error, bound in zip(errors, bounds, strict=True))
assert not exactly.wrong(np.float32(328350))
assert exactly.wrong(np.nextafter(np.float32(328350), np.float32(0)))
assert answers.wrong(np.asarray(off))
assert np.isclose(off, (ten @ ten).data, rtol=1e-5)
assert not np.isclose(right, exact, rtol=1e-5)
in_order = rd.NamedTensor(changes, "time"), rd.NamedTensor(np.ones(300, "float32"), "time")
assert not correct_answers(*in_order).wrong(np.asarray(right))
