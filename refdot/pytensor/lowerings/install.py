"""Named lowerings of PyTensor's dot, and a function that installs one.

- "stock" is PyTensor's own: `lower_dot` makes an einsum, wrapped in an `OpFromGraph`.
- "inlined" replaces this `OpFromGraph` by its inner graph at once.
- "direct" uses no einsum, but one operation for each dot; see `refdot.pytensor.lowerings.direct`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from threading import RLock
from typing import Any

from pytensor.compile.builders import OpFromGraph
from pytensor.graph.basic import Variable
from pytensor.xtensor.rewriting.utils import lower_xtensor_db

from refdot.pytensor.lowerings.direct import lower_dot as direct_lower_dot
from refdot.pytensor.lowerings.softmax import lower_elemwise_and_softmax

try:
    from pytensor.compile.rewriting import inline_ofg_node
except ImportError:  # PyTensor 3.0
    from pytensor.tensor.rewriting.ofg import inline_ofg_node

__all__ = ["LOWERINGS", "use_lowering", "without_inner_graphs"]


_Rewrite = Callable[[Any, Any], Any]


def _inlined(rewrite: _Rewrite) -> _Rewrite:
    def lower_dot(fgraph: Any, node: Any) -> Any:
        outputs = rewrite(fgraph, node)
        return outputs and without_inner_graphs(outputs, node.inputs)

    return lower_dot


def _direct(rewrite: _Rewrite) -> _Rewrite:
    # These modules register how Numba and JAX run the operations of the lowering, and the rewrite
    # that expands them.
    import_module("refdot.pytensor.lowerings.expansion")
    for package in filter(find_spec, ("numba", "jax")):
        import_module(f"refdot.pytensor.lowerings.{package}_ops")
    return lambda fgraph, node: direct_lower_dot(node)


# For each lowering, by the name of each rewrite of PyTensor that it replaces: a function from
# PyTensor's own rewrite to the replacement.
LOWERINGS: dict[str, dict[str, Callable[[_Rewrite], _Rewrite]]] = {
    "stock": {},
    "inlined": {"lower_dot": _inlined},
    "direct": {"lower_dot": _direct, "lower_elemwise": lower_elemwise_and_softmax},
}


@contextmanager
def use_lowering(name: str) -> Iterator[None]:
    """Install a lowering of xtensor's dot until the `with` block ends.

    Blocks can be nested. The end of a block, also by an exception, brings back the lowering that
    was installed before. Blocks of generators may end in another order: when the last one ends,
    PyTensor's own lowering is back. Compilation modes that exist already use the new lowering too.

    Parameters
    ----------
    name : str
        "stock", "inlined" or "direct".

    Raises
    ------
    ValueError
        There is no lowering of that name.
    RuntimeError
        Another lowering is in use in another thread or task: there is one for the whole process.

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
        raise ValueError(f"unknown lowering {name!r}: choose from {', '.join(LOWERINGS)}")
    block = _begin(name)
    try:
        yield
    finally:
        _end(block)


@dataclass(eq=False)
class _Block:
    """A `with` block in which a lowering is in use, and the rewrites that were there before."""

    name: str
    before: dict[str, _Rewrite]


_LOCK = RLock()
_BLOCKS: list[_Block] = []  # those that have not ended, in the order in which they began
# Those of them that began in this thread or task, or in one that started it.
_OWN: ContextVar[tuple[_Block, ...]] = ContextVar("_OWN", default=())


def _begin(name: str) -> _Block:
    with _LOCK:
        for other in _BLOCKS:
            if other.name != name and other not in _OWN.get():
                raise RuntimeError(
                    f"cannot use the lowering {name!r}: another thread or task uses {other.name!r}"
                )
        # Those that only other lowerings replace are installed in their original form.
        replaceable = {rewrite for replaced in LOWERINGS.values() for rewrite in replaced}
        block = _Block(name, {rewrite: lower_xtensor_db[rewrite].fn for rewrite in replaceable})
        _install({rewrite: _replaced(name, rewrite, fn) for rewrite, fn in block.before.items()})
        _BLOCKS.append(block)
        _OWN.set((*_OWN.get(), block))
        return block


def _replaced(name: str, rewrite: str, fn: Any) -> Any:
    """Return what takes the place of a rewrite of PyTensor in a lowering."""
    # An outer block may have replaced PyTensor's own rewrite, which is kept in `original`.
    original = getattr(fn, "original", fn)
    replace = LOWERINGS[name].get(rewrite)
    if replace is None:
        return original
    replacement: Any = replace(original)
    replacement.original = original
    return replacement


def _end(block: _Block) -> None:
    with _LOCK:
        later = _BLOCKS[_BLOCKS.index(block) + 1 :]
        if later:
            later[0].before = block.before
        else:
            _install(block.before)
        _BLOCKS.remove(block)
        _OWN.set(tuple(own for own in _OWN.get() if own is not block))


def _install(rewrites: Mapping[str, _Rewrite]) -> None:
    for rewrite, fn in rewrites.items():
        lower_xtensor_db[rewrite].fn = fn


def without_inner_graphs(outputs: Sequence[Any], inputs: Sequence[Any]) -> list[Variable]:
    """Rebuild the graph between inputs and outputs with each `OpFromGraph` inlined."""
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
