# %% [markdown]
# # An error regex, judged
#
# A test says which error must come: `with pytest.raises(ValueError, match="Size of dim")`. What
# comes depends on when the mistake is seen: while the graph is built if sizes are known, or else
# when it runs, by whatever operation it was lowered to. So a regex can be too narrow, and pass
# today only because of a lowering; or too wide, and pass for an error that is about something
# else. (PyTensor is needed here.)

# %%
import re

from refdot.cases.case import DimArgument, DotCase, Operand
from refdot.judging.expected import expected_error
from refdot.pytensor.target.target import PyTensorTarget

# %% [markdown]
# First, the situations: a matrix product whose inner sizes differ, 3 against 4 and 3 against 1, and
# one with a batch dim beside it. The sizes are known to the graph, or they are not. And two other
# errors, which must not be taken for a mismatch.


# %%
def case(x, y, dim, static):
    """Make a case from named shapes."""
    x, y = (
        Operand(tuple(sizes), tuple(sizes.values()), static=(static,) * len(sizes))
        for sizes in (x, y)
    )
    return DotCase(x, y, DimArgument("str", (dim,)) if dim else DimArgument())


PRODUCT = {"a": 2, "b": 3}, {"b": 4, "c": 5}
mismatches = {
    "sizes known": case(*PRODUCT, "b", static=True),
    "sizes unknown": case(*PRODUCT, "b", static=False),
    "1 against 3, known": case({"a": 2, "b": 3}, {"b": 1, "c": 5}, "b", static=True),
    "1 against 3, unknown": case({"a": 2, "b": 3}, {"b": 1, "c": 5}, "b", static=False),
    "batch of products": case({"z": 2, "b": 3}, {"z": 2, "b": 4, "c": 5}, "b", static=False),
}
others = {
    "unknown dim": case({"a": 2, "b": 3}, {"b": 3, "c": 5}, "e", static=True),
    "same name twice": DotCase(Operand(("a", "a"), (2, 2)), Operand(("a",), (2,))),
}

# %% [markdown]
# What does each of them say? The oracle's message has one form, whatever is known when. PyTensor's
# is another one at run time.

# %%
target = PyTensorTarget()
raised = {}
for name, situation in (mismatches | others).items():
    outcome = target.run(situation, "python", "stock")
    raised[name] = outcome.raised
    print(f"{name}\n    oracle:   {expected_error(situation)}\n    PyTensor: {outcome.raised}")

# %% [markdown]
# Now some regexes. `pytest.raises` searches for the pattern anywhere in the message. A good one is
# found in every message of a mismatch, and in no message that is about something else.


# %%
def judge(pattern):
    """Say which mismatches a pattern misses, and which other errors it takes for one."""
    found = {name for name, error in raised.items() if error and re.search(pattern, error.message)}
    return sorted(set(mismatches) - found), sorted(found & set(others))


right = "|".join(map(re.escape, ["Size of dim", "has a mismatch in its core dimension"]))
for pattern in ("Size of dim 'b' does not match", "mismatch", "[Dd]im", ".*", right):
    missed, also = judge(pattern)
    verdict = "holds" if not missed + also else f"misses {missed}, also takes {also}"
    print(f"{pattern!r}: {verdict}")

# %% [markdown]
# The first is the words of the error that comes earliest, and says nothing of run time. `mismatch`
# is the other half. `[Dd]im` and `.*` pass whatever happens. The last has an alternative for each
# way in which the mistake is seen; `re.escape` keeps what is meant literally from meaning more.
#
# On the oracle one alternative would do, since it names the dim and both sizes wherever it raises.

# %%
assert all(re.search("Size of dim 'b'", str(expected_error(each))) for each in mismatches.values())
assert judge(right) == ([], [])
assert judge("Size of dim 'b' does not match")[0]
assert judge(".*") == ([], sorted(others))

# %% [markdown]
# refdot knows more situations than these, and does this work by itself. `mismatch_pattern` gives
# the right regex for the PyTensor that is installed, and `assert_error_pattern` is a test of one:
# it fails for one that misses a message, and for one that takes another error for it. From the
# shell, `refdot regex` says the same of any pattern.

# %%
from refdot.testing import assert_error_pattern, mismatch_pattern

suggested = mismatch_pattern(backends=["python"])
print(f"for the PyTensor that is installed: {suggested!r}")
assert_error_pattern(suggested, backends=["python"])
assert suggested not in (".*", right)
