# %% [markdown]
# # Find a bug
#
# Here is a dot with a bug in its lowering. It assigns letters to the dims of x, and then to the
# dims of y. In y, each contracted dim gets the next letter of the contracted dims of x, without
# regard to its name. This saves a look-up, and is usually correct.

# %%
from pathlib import Path

import numpy as np

import refdot as rd
from refdot import check
from refdot.lowering import dim_set
from refdot.targets.callable import CallableTarget
from refdot.testing import check_dot


def subscripts_in_order(low):
    """Write subscripts with the letters of contracted dims in the order of x."""
    letters = low.symbol
    contracted = iter([letters[dim] for dim in low.contracted])
    x = "".join(letters[dim] for dim in low.x_dims)
    y = "".join(next(contracted) if dim in low.contracted else letters[dim] for dim in low.y_dims)
    return f"{x},{y}->{''.join(letters[dim] for dim in low.out_dims)}"


def dot(x, y, dim=None):
    """Check the arguments like `rd.dot`, then evaluate the wrong subscripts."""
    dim = None if dim is None else dim_set(dim)
    right, low = rd.dot(x, y, dim), rd.lower_dot(x.dims, y.dims, dim)
    if len(low.all_dims) > 52:  # einsum has no more letters
        return right
    return rd.NamedTensor(np.einsum(subscripts_in_order(low), x.data, y.data), low.out_dims)


# %% [markdown]
# The usual first tests pass: a matrix product, a batch of matrix products, and two contracted dims.

# %%
for x_dims, y_dims in (("ab", "bc"), ("zab", "zbc"), ("abc", "bcd")):
    low = rd.lower_dot(tuple(x_dims), tuple(y_dims))
    assert subscripts_in_order(low) == low.subscripts

# %% [markdown]
# Now run the checker. It draws many kinds of random cases, and compares each answer with the
# oracle. Then it simplifies each case with a mismatch: it removes dims, reduces sizes to 1 and
# replaces unusual properties by plain ones, as long as the mismatch stays the same.
#
# For each kind of mismatch, this prints the number of cases that show it, and four lines: the
# rule that is broken with the kind of mismatch and its stage, the smallest case, the answer of
# the oracle, and that of `dot`. The 200 random cases are not all: others are part of every check. A
# notebook also shows the report itself, as a list to unfold.

# %%
report = check.run(CallableTarget(dot, "dot"), cases=200, seed=1)
for finding in report.findings:
    print(f"seen in {finding.count} of {report.cases} cases:")
    print(finding.mismatch)
report

# %% [markdown]
# The bug shows in two ways. Often the sizes do not fit, and einsum rejects valid input: this is
# the first kind. If the sizes fit, or if one is 1 and einsum stretches it, the answer is wrong
# and there is no error. The other kinds are of this sort; they differ in the numbers, which are
# real, complex, or not finite. Each case was shrunk to its cause: two dims, both contracted,
# whose order in y differs from that in x.

# %%
wrong_value = next(f.mismatch for f in report.findings if f.mismatch.kind == "wrong-value")
low = rd.lower_dot(wrong_value.case.x.dims, wrong_value.case.y.dims, wrong_value.case.dim.names)
output = Path("output")
output.mkdir(exist_ok=True)
(output / "bug.svg").write_text(low.to_svg(wrong_value.case.x.sizes), encoding="utf-8")
print(f"the subscripts are {subscripts_in_order(low)}, and should be {low.subscripts}")
wrong_value

# %% [markdown]
# In a test suite, one line does the same. `check_dot` raises an `AssertionError` with these
# mismatches for the wrong dot, and passes for a correct one. This prints the first line of the
# error, which counts the mismatches.

# %%
try:
    check_dot(dot, cases=60, seed=1)
except AssertionError as error:
    print(str(error).splitlines()[0])
check_dot(rd.dot, cases=60)

assert set(low.all_dims) == set(low.contracted)
assert len(low.contracted) == 2
assert low.x_dims == low.y_dims[::-1]
