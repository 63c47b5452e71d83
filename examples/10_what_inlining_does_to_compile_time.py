# %% [markdown]
# # What inlining does to compile time
#
# PyTensor lowers a dot to an einsum, and wraps that in an `OpFromGraph`: a node that holds a graph
# of its own. The gradient of such a node is wrapped again. *Inlining* puts the inner graph in the
# place of the node at once, before anything is differentiated.
#
# Some layers, each a dot and a tanh, and the gradient by all weights. (PyTensor is needed here.)

# %%
from pathlib import Path
from time import perf_counter

import matplotlib.pyplot as plt
import numpy as np
import pytensor
import pytensor.tensor as pt
import pytensor.xtensor as px
from pytensor.compile.builders import OpFromGraph
from pytensor.compile.mode import Mode
from pytensor.graph.rewriting.utils import rewrite_graph
from pytensor.graph.traversal import ancestors

from refdot.pytensor.lowerings.install import use_lowering

LAYERS = (1, 2, 3, 4, 5)
mode = Mode(linker="py", optimizer="fast_run")


def network(layers):
    """Stack layers: give the input, the weights and the loss."""
    x = pt.tensor("x", shape=(None, None, None))
    weights = [pt.tensor(f"w{layer}", shape=(None, None)) for layer in range(layers)]
    hidden = px.as_xtensor(x, dims=("batch", "time", "embd"))
    for weight in weights:
        named = px.as_xtensor(weight, dims=("embd", "next"))
        hidden = px.math.tanh(px.dot(hidden, named, dim="embd")).rename(next="embd")
    return x, weights, px.dot(hidden, hidden, dim=...)


# %% [markdown]
# Three steps lead to a function: lowering replaces names by positions, `grad` differentiates, and
# compiling rewrites the graph until it is fast. The lowering is the only thing that differs. No C
# is compiled: that would take longest of all, and say nothing of the rewrites.


# %%
def compiled(lowering, layers):
    """Compile the gradient: give the function, its graph before compiling, and the seconds."""
    x, weights, loss = network(layers)
    start = perf_counter()
    with use_lowering(lowering), pytensor.config.change_flags(cxx="", mode=mode):
        lowered = rewrite_graph(loss.values, include=("lower_xtensor",))
        gradients = pytensor.grad(lowered, weights)
        function = pytensor.function([x, *weights], gradients, mode=mode)
    return function, gradients, perf_counter() - start


def count_nodes(outputs):
    """Count the nodes that lead to some outputs, those of inner graphs too, and the wrappers."""
    nodes, wrappers = 0, 0
    for variable in ancestors(outputs):
        if variable.owner and variable is variable.owner.outputs[0]:
            nodes += 1
            if isinstance(variable.owner.op, OpFromGraph):
                inner_nodes, inner_wrappers = count_nodes(variable.owner.op.inner_outputs)
                nodes, wrappers = nodes + inner_nodes, wrappers + 1 + inner_wrappers
    return nodes, wrappers


# %% [markdown]
# Lowerings take turns, so that neither has the warmer machine. One that takes longer than a second
# has shown enough, and is not asked for more layers.

# %%
compiled("inlined", 1)  # what PyTensor does once only is not to be counted
seconds = {"stock": [], "inlined": []}
functions, graphs = {}, {}
print("layers  lowering  seconds  nodes before compiling  wrappers among them")
for layers in LAYERS:
    for lowering, times in seconds.items():
        if times and times[-1] > 1:
            continue
        functions[lowering, layers], gradients, taken = compiled(lowering, layers)
        graphs[lowering, layers] = gradients
        times.append(taken)
        nodes, wrappers = count_nodes(gradients)
        print(f"{layers:>6}  {lowering:<8}  {times[-1]:7.2f}  {nodes:>22}  {wrappers:>19}")

# %%
figure, axes = plt.subplots(figsize=(5, 3.2), layout="constrained")
for (lowering, times), line in zip(seconds.items(), ("o--", "s-"), strict=True):
    color = {"stock": "#d04a00", "inlined": "#1a4fa3"}[lowering]
    axes.semilogy(LAYERS[: len(times)], times, line, color=color, label=lowering)
axes.set(xlabel="layers", ylabel="seconds to compile", xticks=LAYERS)
axes.set_title(f"PyTensor {pytensor.__version__}")
axes.legend()
output = Path("output")
output.mkdir(exist_ok=True)
figure.savefig(output / "compile_time.svg")

# %% [markdown]
# With PyTensor 3.0 the stock line bends upwards: a layer more takes about twice as long, though the
# number of nodes grows evenly. A profile shows why. To infer the shape of what a wrapper gives, its
# inner graph is copied and gone through, and for that the shapes of the wrappers before it are
# inferred again: at five layers `OpFromGraph.infer_shape` had 17 of 20 seconds (profiled).
#
# With 3.3 the line does not bend, and in graphs as small as these inlining saves no time. What it
# still does is to leave plain operations for other rewrites to see. Both lowerings compute the
# same.

# %%
random = np.random.default_rng(0)
arguments = [random.normal(size=(2, 3, 4)), *(random.normal(size=(4, 4)) for _ in range(2))]
for stock, inlined in zip(
    functions["stock", 2](*arguments), functions["inlined", 2](*arguments), strict=True
):
    assert np.allclose(stock, inlined, rtol=1e-12)
assert count_nodes(graphs["stock", 2])[1] > 0
assert all(count_nodes(graphs["inlined", layers])[1] == 0 for layers in LAYERS)
