# %% [markdown]
# # A transformer under the oracle
#
# A model composes many dots. Here a transformer block, with its norms, its attention and its
# gradient, is held against the oracle: each number has a bound on how wrong it may be.

# %%
import numpy as np

import refdot as rd
from refdot.programs.case import ProgramCase
from refdot.programs.gradients import gradient
from refdot.programs.named import named_program
from refdot.pytensor.programs.answers import answers_of, estimates_of
from refdot.pytensor.programs.judge import judge_program, run_program
from refdot.pytensor.target import PyTensorTarget
from refdot.testing import check_program

# %% [markdown]
# The block is a *program*: plain data that prints like code. These are the steps of its attention.

# %%
block = named_program("transformer:layers=1")
steps = list(map(str, block.steps))
start = next(n for n, step in enumerate(steps) if step.startswith("qkv_1"))
print("\n".join(steps[start : start + 12]))

# %% [markdown]
# Its gradient is a program too, made of the same operations.

# %%
weights = [name for name, _ in block.inputs if name.startswith(("into", "back"))]
back = gradient(block, "loss", weights)
print(f"{len(block.steps)} steps forward, {len(back.steps)} with the gradient")

# %% [markdown]
# PyTensor computes both. An answer is right if it is within its bound, which is derived and not
# chosen. The table shows the largest error as a part of its bound, with PyTensor's lowering of
# dots, with the inlined one, and with refdot's direct one.


# %%
def largest_error(case, lowering):
    """Return the largest error of an answer, in units of its bound."""
    found, largest = run_program(target, case, lowering=lowering), 0.0
    for answer in answers_of(case):
        estimate = estimates_of(case, answer.program, 0)[answer.output]
        error = np.abs(found[answer.name] - estimate.value)
        largest = max(largest, float(np.max(error / estimate.bound)))
    return largest


target = PyTensorTarget()
case = ProgramCase(block, gradient_order=1)
errors = {lowering: largest_error(case, lowering) for lowering in target.lowerings}
for lowering, error in errors.items():
    print(f"{lowering:8} {error:.2g} of the bound")
assert max(errors.values()) < 1

# %% [markdown]
# The same program with numbers of up to 1,000: the scores of a softmax are so large that exp
# overflows. The gradient of PyTensor's softmax is then NaN; that of the direct lowering is right.

# %%
scores = ProgramCase(named_program("attention:layers=1"), regime="large", gradient_order=1)
for lowering in ("inlined", "direct"):
    wrong = judge_program(target, scores, lowering=lowering)
    print(f"{lowering:8} {len(wrong)} wrong")
    assert bool(wrong) == (lowering == "inlined")

# %% [markdown]
# A model in your own code is judged in the same way. This one forgets that the keys need another
# name for their dim: every product is of a time with itself.


# %%
def gram(x):
    """Return the Gram matrix, but of one name of the rows."""
    return rd.dot(x, x, dim="column")


found = ""
try:
    check_program(gram, "gram")
except AssertionError as error:
    found = str(error)
print(found)
assert "R5" in found
