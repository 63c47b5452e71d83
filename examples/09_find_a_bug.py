# %% [markdown]
# # Find a bug
#
# Here is a dot with a mistake in its lowering. Its author gave letters to the dims of x, and then
# to those of y: a dim that is contracted takes the next letter of those that x has for contracted
# dims. It saves a look-up, and it is right most of the time.

# %%
from dataclasses import replace
from pathlib import Path

import refdot as rd
from refdot import check
from refdot.evaluation import evaluate
from refdot.lowering import dim_set
from refdot.targets.callable import CallableTarget
from refdot.testing import check_dot


def subscripts_in_order(low):
    """Spell a lowering, with the letters of contracted dims in the order of x."""
    letters = low.symbol
    contracted = iter([letters[dim] for dim in low.contracted])
    x = "".join(letters[dim] for dim in low.x_dims)
    y = "".join(next(contracted) if dim in low.contracted else letters[dim] for dim in low.y_dims)
    return f"{x},{y}->{''.join(letters[dim] for dim in low.out_dims)}"


def dot(x, y, dim=None):
    """Refuse what must be refused, and evaluate those subscripts."""
    dim = None if dim is None else dim_set(dim)
    rd.dot(x, y, dim)
    low = rd.lower_dot(x.dims, y.dims, dim)
    low = replace(low, subscripts=subscripts_in_order(low))
    return rd.NamedTensor(evaluate(low, x.data, y.data), low.out_dims)


# %% [markdown]
# The tests that people write first all pass: a product of matrices, a batch of them, two dims
# contracted at once.

# %%
for x_dims, y_dims in (("ab", "bc"), ("zab", "zbc"), ("abc", "bcd")):
    low = rd.lower_dot(tuple(x_dims), tuple(y_dims))
    assert subscripts_in_order(low) == low.subscripts

# %% [markdown]
# Now let the checker try. It draws cases of all kinds, and holds each answer against the oracle.
# What is wrong it makes smaller: it takes dims out, makes sizes 1, and plain what is fancy, as
# long as the same thing stays wrong.

# %%
report = check.run(CallableTarget(dot, "dot"), cases=200, seed=1)
for finding in report.findings:
    print(f"seen {finding.count} times in {report.cases} cases:")
    print(finding.mismatch)

# %% [markdown]
# So the mistake shows in two ways. Often einsum refuses valid input, for the sizes do not fit. If
# they do, or if one is 1 and einsum stretches it, a wrong answer comes out without a word. Each
# was shrunk until nothing was left but the cause: two dims, both contracted, in another order in y
# than in x.

# %%
wrong_value = next(f.mismatch for f in report.findings if f.mismatch.kind == "wrong-value")
low = rd.lower_dot(wrong_value.case.x.dims, wrong_value.case.y.dims, wrong_value.case.dim.names)
output = Path("output")
output.mkdir(exist_ok=True)
(output / "bug.svg").write_text(low.to_svg(wrong_value.case.x.sizes), encoding="utf-8")
print(f"it says {subscripts_in_order(low)}, and should say {low.subscripts}")
wrong_value

# %% [markdown]
# In a test suite the same is one line. It raises an `AssertionError` with the mismatches above for
# the dot with the mistake, and is content with one that has none.

# %%
try:
    check_dot(dot, cases=60, seed=1)
except AssertionError as error:
    print(str(error).splitlines()[0])
check_dot(rd.dot, cases=60)

assert set(low.all_dims) == set(low.contracted)
assert len(low.contracted) == 2
assert low.x_dims == low.y_dims[::-1]
