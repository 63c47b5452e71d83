# %% [markdown]
# # An error regex, judged
#
# A test states the error that it expects: `with pytest.raises(ValueError, match="Size of dim")`.
# The actual error depends on when the mistake is detected. If the sizes are static, this is when
# the graph is built. Otherwise it is at run time, in whatever operation the dot was lowered to. So
# a regex can be too narrow, and pass only because of the current lowering. Or it can be too wide,
# and match errors with other causes. (This example needs PyTensor.)

# %%
import re

from refdot.cases.case import DimArgument, DotCase, Operand
from refdot.judging.expected import expected_error
from refdot.pytensor.target.target import PyTensorTarget

# %% [markdown]
# First, some error scenarios: a matrix product whose inner sizes differ, 3 and 4 or 3 and 1, and a
# batch of such products. The sizes are static or unknown to the graph. Two other errors must not be
# mistaken for a mismatch of sizes.


# %%
def case(x, y, dim, static):
    """Make a case from two named shapes."""
    x, y = (
        Operand(tuple(sizes), tuple(sizes.values()), static=(static,) * len(sizes))
        for sizes in (x, y)
    )
    return DotCase(x, y, DimArgument("str", (dim,)) if dim else DimArgument())


PRODUCT = {"a": 2, "b": 3}, {"b": 4, "c": 5}
mismatches = {
    "static": case(*PRODUCT, "b", static=True),
    "unknown": case(*PRODUCT, "b", static=False),
    "size 1 vs 3, static": case({"a": 2, "b": 3}, {"b": 1, "c": 5}, "b", static=True),
    "size 1 vs 3, unknown": case({"a": 2, "b": 3}, {"b": 1, "c": 5}, "b", static=False),
    "batch, unknown": case({"z": 2, "b": 3}, {"z": 2, "b": 4, "c": 5}, "b", static=False),
}
others = {
    "missing dim": case({"a": 2, "b": 3}, {"b": 3, "c": 5}, "e", static=True),
    "repeated dim": DotCase(Operand(("a", "a"), (2, 2)), Operand(("a",), (2,))),
}

# %% [markdown]
# What is the message in each scenario? The oracle always uses the same form. PyTensor has a
# different message at run time.

# %%
target = PyTensorTarget()
raised = {}
for name, scenario in (mismatches | others).items():
    outcome = target.run(scenario, "python", "stock")
    raised[name] = outcome.raised
    print(f"{name}\n    oracle:   {expected_error(scenario)}\n    PyTensor: {outcome.raised}")

# %% [markdown]
# Now some regexes. `pytest.raises` searches for the pattern anywhere in the message. A good pattern
# matches the message of every size mismatch, and no message of another error.


# %%
def judge(pattern):
    """Return the mismatches that a pattern misses, and the other errors that it matches."""
    found = {name for name, error in raised.items() if error and re.search(pattern, error.message)}
    return sorted(set(mismatches) - found), sorted(found & set(others))


right = "|".join(map(re.escape, ["Size of dim", "has a mismatch in its core dimension"]))
for pattern in ("Size of dim 'b' does not match", "mismatch", "[Dd]im", ".*", right):
    missed, other = judge(pattern)
    verdict = "correct" if not missed + other else f"misses {missed}, matches other {other}"
    print(f"{pattern!r}: {verdict}")

# %% [markdown]
# The first pattern has the words of the earliest error, and misses every error at run time.
# `mismatch` matches only those. `[Dd]im` and `.*` also match other errors. The last pattern has an
# alternative for each place where the mistake can be detected; `re.escape` ensures that the text is
# matched literally.
#
# For the oracle, one alternative is enough: its message always names the dim and both sizes.

# %%
assert all(re.search("Size of dim 'b'", str(expected_error(case))) for case in mismatches.values())
assert judge(right) == ([], [])
assert judge("Size of dim 'b' does not match")[0]
assert judge(".*") == ([], sorted(others))

# %% [markdown]
# refdot has more scenarios than these, and automates this work. `mismatch_pattern` returns a
# correct regex for the installed PyTensor. `assert_error_pattern` tests a regex: it fails if the
# regex misses a message or matches another error. On the command line, `refdot regex` does the
# same.

# %%
from refdot.testing import assert_error_pattern, mismatch_pattern

suggested = mismatch_pattern(backends=["python"])
print(f"for the installed PyTensor: {suggested!r}")
assert_error_pattern(suggested, backends=["python"])
assert suggested not in (".*", right)
