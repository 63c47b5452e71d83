# %% [markdown]
# # What inlining does to compile time
#
# PyTensor lowers a dot to an einsum that is wrapped in an `OpFromGraph`, a node that contains a
# graph. The gradient of such a node is wrapped again. *Inlining* replaces the node by its inner
# graph at once, before the graph is differentiated.
#
# This example compiles the gradient of several layers with respect to their weights. Each layer is
# a dot and a tanh. (This example needs PyTensor.)

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

from refdot.pytensor import use_lowering

LAYERS = (1, 2, 3, 4, 5)
mode = Mode(linker="py", optimizer="fast_run")


def network(layers):
    """Return the input, the weights and the loss of a stack of layers."""
    x = pt.tensor("x", shape=(None, None, None))
    weights = [pt.tensor(f"w{layer}", shape=(None, None)) for layer in range(layers)]
    hidden = px.as_xtensor(x, dims=("batch", "time", "embd"))
    for weight in weights:
        named = px.as_xtensor(weight, dims=("embd", "next"))
        hidden = px.math.tanh(px.dot(hidden, named, dim="embd")).rename(next="embd")
    return x, weights, px.dot(hidden, hidden, dim=...)


# %% [markdown]
# There are three steps from a graph to a function. Lowering replaces names by positions, `grad`
# differentiates, and compiling rewrites the graph until it is fast. Only the lowering differs here.
# The C compiler is off: it would take most of the time and is not affected by the lowering.


# %%
def compiled(lowering, layers):
    """Return the compiled gradient, its graph before compiling, and the time in seconds."""
    x, weights, loss = network(layers)
    start = perf_counter()
    with use_lowering(lowering), pytensor.config.change_flags(cxx="", mode=mode):
        lowered = rewrite_graph(loss.values, include=("lower_xtensor",))
        gradients = pytensor.grad(lowered, weights)
        function = pytensor.function([x, *weights], gradients, mode=mode)
    return function, gradients, perf_counter() - start


def count_nodes(outputs):
    """Count all nodes of a graph and its inner graphs, and the wrappers among them."""
    nodes, wrappers = 0, 0
    for variable in ancestors(outputs):
        if variable.owner and variable is variable.owner.outputs[0]:
            nodes += 1
            if isinstance(variable.owner.op, OpFromGraph):
                inner_nodes, inner_wrappers = count_nodes(variable.owner.op.inner_outputs)
                nodes, wrappers = nodes + inner_nodes, wrappers + 1 + inner_wrappers
    return nodes, wrappers


# %% [markdown]
# The two lowerings alternate, so that changes in the speed of the machine affect both. A lowering
# that takes longer than a second gets no further layers, but both get at least two.

# %%
compiled("inlined", 1)  # do not measure what PyTensor does only once
seconds = {"stock": [], "inlined": []}
functions, graphs = {}, {}
print("layers  lowering  seconds  nodes before compiling  wrappers among them")
for layers in LAYERS:
    for lowering, times in seconds.items():
        if layers > 2 and times[-1] > 1:
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
axes.legend(loc="upper left")
output = Path("output")
output.mkdir(exist_ok=True)
figure.savefig(output / "compile_time.svg")

# %% [markdown]
# With PyTensor 3.0 the time of the stock lowering grows exponentially: each further layer takes
# about twice as long, although the number of nodes grows linearly. A profile shows the cause. To
# infer the shape of the output of a wrapper, PyTensor copies and traverses its inner graph, and for
# this it infers the shapes of the preceding wrappers again. With five layers,
# `OpFromGraph.infer_shape` took 17 of 20 seconds in the profiler.
#
# With PyTensor 3.3 the time grows slowly for both lowerings, and inlining saves no time in graphs
# as small as these. It still leaves plain operations that other rewrites can recognize. Both
# lowerings compute the same values.

# %%
random = np.random.default_rng(0)
arguments = [random.normal(size=(2, 3, 4)), *(random.normal(size=(4, 4)) for _ in range(2))]
for stock, inlined in zip(
    functions["stock", 2](*arguments), functions["inlined", 2](*arguments), strict=True
):
    assert np.allclose(stock, inlined, rtol=1e-12)
assert count_nodes(graphs["stock", 2])[1] > 0
for (lowering, _), gradients in graphs.items():
    assert lowering == "stock" or count_nodes(gradients)[1] == 0
