"""Named lowerings of PyTensor's xtensor dot, and the context manager that installs one.

"stock" is what PyTensor itself does: `lower_dot` gives an einsum, wrapped in an `OpFromGraph`.
"inlined" does the same and then puts the einsum's inner graph in its place at once.
"direct" does without an einsum: see `refdot.pytensor.direct`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from pytensor.compile.builders import OpFromGraph
from pytensor.graph.basic import Variable
from pytensor.xtensor.rewriting.utils import lower_xtensor_db

from refdot.pytensor.lowerings.direct import lower_dot as direct_lower_dot
from refdot.pytensor.lowerings.direct import lower_elemwise_and_softmax

__all__ = ["LOWERINGS", "use_lowering", "without_inner_graphs"]


try:
    from pytensor.compile.rewriting import inline_ofg_node
except ImportError:  # PyTensor 3.0 has it elsewhere
    from pytensor.tensor.rewriting.ofg import inline_ofg_node
_Rewrite = Callable[[Any, Any], Any]
_Wrapping = Callable[[_Rewrite], _Rewrite]


def _inlined(rewrite: _Rewrite) -> _Rewrite:
    """Give PyTensor's own lowering with every `OpFromGraph` that it makes inlined."""

    def lower_dot(fgraph: Any, node: Any) -> Any:
        outputs = rewrite(fgraph, node)
        return outputs and without_inner_graphs(outputs, node.inputs)

    return lower_dot


def _direct(rewrite: _Rewrite) -> _Rewrite:
    """Give the lowering without an einsum, whatever PyTensor's own is."""
    for package in filter(find_spec, ("numba", "jax")):
        import_module(
            f"refdot.pytensor.lowerings.{package}_ops"
        )  # which tells it how to run its operations

    def lower_dot(fgraph: Any, node: Any) -> Any:
        return direct_lower_dot(node)

    return lower_dot


# For each lowering: which of PyTensor's rewrites it wraps, and in what.
LOWERINGS: dict[str, dict[str, _Wrapping]] = {
    "stock": {},
    "inlined": {"lower_dot": _inlined},
    "direct": {"lower_dot": _direct, "lower_elemwise": lower_elemwise_and_softmax},
}
# What any of them wraps, and so must give back where another is installed.
_WRAPPED = tuple(dict.fromkeys(name for wrappings in LOWERINGS.values() for name in wrappings))


@contextmanager
def use_lowering(name: str) -> Iterator[None]:
    """Lower xtensor's dot in the way named, until the `with` block ends.

    What was installed before comes back at the end, also after an exception and when blocks are
    nested. It takes effect in compilation modes that exist already.

    Parameters
    ----------
    name : str
        "stock", "inlined" or "direct".

    Raises
    ------
    ValueError
        There is no lowering of that name.

    Examples
    --------
    >>> from pytensor.graph.rewriting.utils import rewrite_graph
    >>> from pytensor.xtensor import dot, xtensor
    >>> x, y = xtensor("x", dims=("a", "b")), xtensor("y", dims=("b", "c"))
    >>> with use_lowering("inlined"):
    ...     lowered = rewrite_graph(dot(x, y).values, include=("lower_xtensor",), clone=True)
    >>> type(lowered.owner.op).__name__
    'Dot'
    """
    if name not in LOWERINGS:
        raise ValueError(f"no lowering {name!r}: there are {', '.join(LOWERINGS)}")
    rewriters = {rewrite: lower_xtensor_db[rewrite] for rewrite in _WRAPPED}
    before = {rewrite: rewriter.fn for rewrite, rewriter in rewriters.items()}
    for rewrite, rewriter in rewriters.items():
        # An outer block may have wrapped PyTensor's own: start from that, not from the wrapping.
        own = getattr(before[rewrite], "wraps", before[rewrite])
        rewriter.fn = own
        if wrap := LOWERINGS[name].get(rewrite):
            rewriter.fn = wrap(own)
            vars(rewriter.fn)["wraps"] = own
    try:
        yield
    finally:
        for rewrite, rewriter in rewriters.items():
            rewriter.fn = before[rewrite]


def without_inner_graphs(outputs: Sequence[Any], inputs: Sequence[Any]) -> list[Variable]:
    """Rebuild what leads from `inputs` to `outputs` with each `OpFromGraph` inlined."""
    rebuilt: dict[Any, Any] = {variable: variable for variable in inputs}

    def rebuild(variable: Any) -> Any:
        if variable in rebuilt or variable.owner is None:
            return rebuilt.get(variable, variable)
        node = variable.owner
        arguments = [rebuild(argument) for argument in node.inputs]
        if any(new is not old for new, old in zip(arguments, node.inputs, strict=True)):
            node = node.clone_with_new_inputs(arguments)
        results = node.outputs
        if isinstance(node.op, OpFromGraph):
            results = [rebuild(result) for result in inline_ofg_node(node)]
        rebuilt.update(zip(variable.owner.outputs, results, strict=True))
        return rebuilt[variable]

    return [rebuild(output) for output in outputs]
