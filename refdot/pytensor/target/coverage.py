"""Coverage of PyTensor: its kernels and rewrites for dots, and which of them run.

Kernels are the operations that multiply in a compiled function. The candidates are taken from
PyTensor's own registries, so that the report can show those that no case has reached.
"""

import sys
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from typing import Any
from unittest.mock import patch

from pytensor.compile.maker import FunctionMaker
from pytensor.compile.mode import optdb
from pytensor.graph.op import HasInnerGraph, Op
from pytensor.graph.rewriting.basic import (
    ChangeTracker,
    EquilibriumGraphRewriter,
    FromFunctionNodeRewriter,
    GraphRewriter,
    NodeProcessingGraphRewriter,
    SequentialGraphRewriter,
    SequentialNodeRewriter,
)
from pytensor.tensor.blockwise import Blockwise
from pytensor.tensor.einsum import Einsum
from pytensor.tensor.elemwise import Elemwise
from pytensor.tensor.math import Dot, Sum
from pytensor.xtensor.math import Dot as XDot

from refdot.pytensor.target.backends import PyTensorBackend

__all__ = ["Used", "kernels", "recorded", "rewrites"]

# Rewriters of whole graphs do not say which operations they are about; their names do.
_WORDS = ("blas", "dot", "einsum", "gemm", "matmul")


@dataclass
class Used:
    """The kernels and rewrites that PyTensor has used for dots since the last `clear`."""

    kernels: set[str] = field(default_factory=set)
    rewrites: set[str] = field(default_factory=set)

    def clear(self) -> None:
        """Forget what was used so far."""
        self.kernels.clear()
        self.rewrites.clear()


@cache
def _blas_operations() -> frozenset[type]:
    """Return the classes of the operations in PyTensor's modules for BLAS."""
    modules = [
        each for name, each in sys.modules.items() if name.startswith("pytensor.tensor.blas")
    ]
    return frozenset(
        type(each) for module in modules for each in vars(module).values() if isinstance(each, Op)
    )


def kernels(backend: PyTensorBackend) -> tuple[str, ...]:
    """Return the names of the kernels that a backend has for a dot.

    A backend that converts operations has those that are registered with it. The others have every
    operation, but those of `blas_c` only with a BLAS.
    """
    found = {Dot, *_blas_operations()}
    if backend.dispatch:
        registries = vars(import_module(f"{backend.dispatch}.basic")).values()
        found &= {each for one in registries for each in getattr(one, "registry", ())}
    elif not backend.links_blas:
        found -= {each for each in found if each.__module__.endswith("blas_c")}
    return tuple(sorted({each.__name__ for each in found} | {"Blockwise Dot", "Mul", "Sum"}))


def rewrites(backend: PyTensorBackend) -> tuple[str, ...]:
    """Return the names of the rewrites in a backend's mode that are about dots."""
    return tuple(sorted({_name(each) for each in _rewriters(backend)}))


@cache  # PyTensor takes a while to find all its rewrites
def _rewriters(backend: PyTensorBackend) -> tuple[Any, ...]:
    return tuple(filter(_is_about_dots, _members(optdb.query(backend.make_mode()._optimizer))))


def _is_about_dots(rewriter: Any) -> bool:
    if isinstance(rewriter, FromFunctionNodeRewriter):
        return any(map(_is_dot, rewriter.tracks() or ()))
    return isinstance(rewriter, GraphRewriter) and _is_named_after_dot(rewriter)


def _members(rewriter: Any) -> Iterator[Any]:
    """Yield the rewriters that a rewriter consists of, or the rewriter itself."""
    parts: Iterable[Any] = ()
    if isinstance(rewriter, SequentialGraphRewriter):
        parts = rewriter
    elif isinstance(rewriter, EquilibriumGraphRewriter):
        parts = (*rewriter.get_node_rewriters(), *rewriter.global_rewriters)
    elif isinstance(rewriter, NodeProcessingGraphRewriter):
        parts = [rewriter.node_rewriter]
    elif isinstance(rewriter, SequentialNodeRewriter):
        parts = rewriter.rewrites
    else:
        yield rewriter
    for part in parts:
        yield from _members(part)


def _is_dot(tracked: Any) -> bool:
    """Return whether a tracked class, operation or pattern of operations is that of a dot."""
    if isinstance(tracked, Blockwise):
        return _is_dot(tracked.core_op)
    if hasattr(tracked, "op_type"):
        parts = dict(tracked.parameters)
        return _is_dot(tracked.op_type) or ("core_op" in parts and _is_dot(parts["core_op"]))
    class_ = tracked if isinstance(tracked, type) else type(tracked)
    return class_ in {Dot, XDot, Einsum, *_blas_operations()}


def _is_named_after_dot(rewriter: GraphRewriter) -> bool:
    name = f"{type(rewriter).__module__}.{type(rewriter).__name__}".rpartition("rewriting.")[2]
    return any(word in name.lower() for word in _WORDS)


def _name(rewriter: Any) -> str:
    function = getattr(rewriter, "fn", None)
    return str(function.__name__ if function else type(rewriter).__name__)


@contextmanager
def recorded(backend: PyTensorBackend) -> Iterator[Used]:
    """Record what PyTensor uses for dots on a backend."""
    used = Used()
    rewriters = _rewriters(backend)
    candidates = {id(rewriter): _name(rewriter) for rewriter in rewriters}
    graph_rewriters = {type(each) for each in rewriters if isinstance(each, GraphRewriter)}
    transform, create = FromFunctionNodeRewriter.transform, FunctionMaker.create

    def recording_transform(rewriter: Any, *arguments: Any, **options: Any) -> Any:
        replacements = transform(rewriter, *arguments, **options)
        if replacements and id(rewriter) in candidates:
            used.rewrites.add(candidates[id(rewriter)])
        return replacements

    def recording_create(maker: Any, *arguments: Any, **options: Any) -> Any:
        function = create(maker, *arguments, **options)
        used.kernels.update(_kernels_in(maker.fgraph))
        return function

    with ExitStack() as patches:
        patches.enter_context(
            patch.object(FromFunctionNodeRewriter, "transform", recording_transform)
        )
        patches.enter_context(patch.object(FunctionMaker, "create", recording_create))
        for class_ in graph_rewriters:
            recording_apply = _recording(class_.apply, class_.__name__, used)
            patches.enter_context(patch.object(class_, "apply", recording_apply))
        yield used


def _recording(apply: Any, name: str, used: Used) -> Any:
    def recording_apply(rewriter: Any, fgraph: Any, *arguments: Any, **options: Any) -> Any:
        tracker = ChangeTracker()
        fgraph.attach_feature(tracker)
        try:
            return apply(rewriter, fgraph, *arguments, **options)
        finally:
            if tracker.changed:
                used.rewrites.add(name)
            fgraph.remove_feature(tracker)

    return recording_apply


def _kernels_in(fgraph: Any) -> Iterator[str]:
    """Yield the names of the kernels in a graph, and in the graphs within it."""
    for node in fgraph.apply_nodes:
        op = node.op
        if isinstance(op, HasInnerGraph):
            yield from _kernels_in(op.fgraph)
        if isinstance(op, Elemwise):
            scalars = getattr(op.scalar_op, "fgraph", None)
            nodes = [node.op for node in scalars.apply_nodes] if scalars else [op.scalar_op]
            yield from ("Mul" for each in nodes if type(each).__name__ == "Mul")
        elif isinstance(op, Sum):
            yield "Sum"
        elif isinstance(op, Blockwise) and _is_dot(op):
            yield f"Blockwise {type(op.core_op).__name__}"
        elif _is_dot(op) and not isinstance(op, Einsum):
            yield type(op).__name__
