# %% [markdown]
# # How wrong may a right answer be?
#
# Every floating-point operation rounds its result, so a sum depends on the order of summation.
# Libraries use different orders: from the first element to the last, in pairs, in blocks, or on
# several cores. So two correct answers can differ, and a test must know by how much.

# %%
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import refdot as rd
from refdot.judging.rounding import correct_answers, relative_error, unit_roundoff

random = np.random.default_rng(0)
x, y = random.normal(size=(2, 1000)).astype("float32")


def one_by_one(products):
    """Add the products in their order, rounding after each step."""
    total = np.float32(0)
    for product in products:
        total += product
    return total


for name, products in {"forward": x * y, "backward": (x * y)[::-1]}.items():
    print(f"{name:<11}{one_by_one(products):.7f}")
print(f"{'np.dot':<11}{np.dot(x, y):.7f}")
print(f"{'exact':<11}{np.dot(x.astype('float64'), y.astype('float64')):.7f}")

# %% [markdown]
# A common solution is a relative tolerance that is guessed until the tests pass. It fails in both
# directions. If large products cancel, it rejects correct answers:

# %%
changes = np.array([1e6, 0.1, -1e6] * 100, "float32")
right, exact = one_by_one(changes), changes.astype("float64").sum()
print(right, exact, "close by rtol:", np.isclose(right, exact, rtol=1e-5))

# %% [markdown]
# If nothing cancels, it accepts wrong answers. Here one of ten products has a relative error of 3
# in 100,000, which rounding in float32 cannot cause:

# %%
ten = rd.NamedTensor(np.linspace(1, 2, 10).astype("float32"), "time")
off = np.float32((ten @ ten).data - 3e-5 * ten.data[-1] ** 2)
print(off, (ten @ ten).data, "close by rtol:", np.isclose(off, (ten @ ten).data, rtol=1e-5))

# %% [markdown]
# There is a bound that does not have to be guessed. Each operation is exact up to a factor 1 + δ
# with |δ| ≤ u, the unit roundoff. In a sum of k products, each product is multiplied by at most k
# such factors, whatever the order of summation. The first factor is the multiplication's, so that
#
# > |answer − exact| ≤ ((1 + u)·(1 + (k − 1)·u) − 1) · Σ|x||y|.
#
# The sum of absolute values is a dot too. It stays large when products cancel, so the bound allows
# for cancellation. (Higham, *Accuracy and Stability of Numerical Algorithms*, chapter 3.)

# %%
u = unit_roundoff(np.dtype("float32"))
print("u =", u)
print("bound:", relative_error(1, 10, u) * float((ten @ ten).data))
answers = correct_answers(ten, ten)
print("wrong by the bound:", bool(answers.wrong(np.asarray(off))))

# %% [markdown]
# Does the bound hold? For several values of k, these are the errors of twenty sums of k products.

# %%
lengths = [2**n for n in range(1, 13)]
errors = []
for k in lengths:
    factors = random.normal(size=(2, 20, k)).astype("float32")
    products, wide = factors[0] * factors[1], factors.astype("float64").prod(axis=0)
    sums = np.array([one_by_one(row) for row in products])
    errors.append(np.abs(sums - wide.sum(axis=1)) / np.abs(wide).sum(axis=1))

bounds = [relative_error(1, k, u) for k in lengths]
figure, axes = plt.subplots(figsize=(5, 3.2), layout="constrained")
axes.loglog(lengths, bounds, "k-", label="the bound")
axes.loglog(lengths, np.array(errors), "o", color="#1a4fa3", markersize=3)
axes.set(xlabel="k (number of products)", ylabel="error / Σ|x||y|", ylim=(1e-10, 1e-3))
axes.legend(loc="upper left")
output = Path("output")
output.mkdir(exist_ok=True)
figure.savefig(output / "rounding.svg")

# %% [markdown]
# No error is above its bound, for any length of the sum. If all numbers are small integers, no
# operation rounds. Then the bound is 0, and every bit must be correct.

# %%
integers = rd.NamedTensor(np.arange(100.0, dtype="float32"), "time")
exactly = correct_answers(integers, integers)
assert all(np.all(error <= bound) for error, bound in zip(errors, bounds, strict=True))
assert not exactly.wrong(np.float32(328350))
assert exactly.wrong(np.nextafter(np.float32(328350), np.float32(0)))
assert answers.wrong(np.asarray(off))
assert np.isclose(off, (ten @ ten).data, rtol=1e-5)
assert not np.isclose(right, exact, rtol=1e-5)
operands = rd.NamedTensor(changes, "time"), rd.NamedTensor(np.ones(300, "float32"), "time")
assert not correct_answers(*operands).wrong(np.asarray(right))
