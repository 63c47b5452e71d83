"""Take a case through PyTensor's stages."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
import pytensor
import pytensor.tensor as pt
from pytensor.compile.mode import Mode

from refdot.cases.case import DotCase, Operand
from refdot.pytensor.target import graph as graphs
from refdot.pytensor.target.determinism import check_determinism
from refdot.pytensor.target.stages import StageError, stage
from refdot.pytensor.target.structure import unlowered_nodes
from refdot.targets.outcome import REPLICATES, Declared, Gradient, Outcome, Raised, effects
from refdot.tensor import Array, NamedTensor

__all__ = ["Preparation"]


@dataclass(frozen=True)
class _Prepared:
    """A graph that was taken as far as it goes, or as far as was asked for.

    Attributes
    ----------
    outcome : Outcome
        What there is to see before the first call.
    function : callable, optional
        What can be called, if it came to that.
    gradient : GradientGraph, optional
    """

    outcome: Outcome
    function: Callable[..., Any] | None = None
    gradient: _GradientGraph | None = None


@dataclass
class Preparation:
    """Runs cases on one mode and lowering, and compiles each of their graphs once."""

    mode: Mode
    lowering: str
    until: str
    in_other_words: bool
    done: dict[DotCase, _Prepared] = field(default_factory=dict)

    def run(self, case: DotCase) -> Outcome:
        """Take a case through the stages."""
        graph = graph_alone(case)
        if graph not in self.done:
            self.done[graph] = self.prepare(case)
        prepared = self.done[graph]
        outcome = prepared.outcome
        if prepared.function is not None:
            try:
                outcome = _called(prepared.function, case, prepared)
            except StageError as stopped:
                outcome = replace(outcome, raised=stopped.raised)
        if outcome.raised is None or not case.gradient_order or not _differentiated(case):
            return outcome
        # Either the gradient's fault or the dot's own: without a gradient it shows.
        alone = self.run(replace(case, gradient_order=0))
        return replace(
            alone,
            gradient_raised=outcome.raised,
            unlowered_nodes=outcome.unlowered_nodes,
            discrete_gradients=outcome.discrete_gradients,
            discrete_gradient_raised=outcome.discrete_gradient_raised,
        )

    def prepare(self, case: DotCase) -> _Prepared:
        """Build, lower, differentiate and compile."""
        outcome, gradient = Outcome(), None
        if self.in_other_words:
            outcome = replace(outcome, nondeterminism=check_determinism(case))
        try:
            with stage("build"):
                graph = graphs.build(case)
            out = graph.out.type
            outcome = replace(outcome, declared=Declared(out.dims, out.dtype, out.shape))
            if self.until == "build":
                return _Prepared(outcome)
            with stage("lower"):
                lowered = graphs.lower(graph)
            found = unlowered_nodes([lowered], self.lowering, "the forward graph")
            outcome = replace(outcome, unlowered_nodes=found)
            if case.gradient_order:
                given, refused = _discrete_gradients(case, graph, lowered)
                outcome = replace(
                    outcome, discrete_gradients=given, discrete_gradient_raised=refused
                )
            if case.gradient_order and _differentiated(case):
                gradient = _GradientGraph.build(case, graph, lowered)
                found += unlowered_nodes(gradient.outputs, self.lowering, "the gradient graph")
                outcome = replace(outcome, unlowered_nodes=found)
            if self.until == "lower":
                return _Prepared(outcome)
            function, logged = _compiled(self.mode, graph, lowered, gradient)
            return _Prepared(replace(outcome, logged=logged), function, gradient)
        except StageError as stopped:
            return _Prepared(replace(outcome, raised=stopped.raised))


def graph_alone(case: DotCase) -> DotCase:
    """Give a case without what its graph does not depend on."""

    def told(operand: Operand) -> Operand:
        shape = tuple(-1 if size is None else size for size in operand.static_shape)
        return replace(operand, shape=shape, layout="c")

    return replace(case, x=told(case.x), y=told(case.y), regime="exact", seed=0)


def _discrete_gradients(
    case: DotCase, graph: graphs.Graph, lowered: Any
) -> tuple[tuple[str, ...], Raised | None]:
    """Differentiate by the operands that are not continuous.

    Returns
    -------
    given : tuple of str
        The operands for which there is a gradient all the same.
    refused : Raised, optional
        What was raised for the first of the others.
    """
    operands = (case.x,) if case.same_variable else (case.x, case.y)
    given, refused = [], None
    for name, operand, variable in zip("xy", operands, graph.inputs, strict=False):
        if np.dtype(operand.dtype).kind in "biu":
            try:
                with stage("lower"):
                    graphs.first_gradients(lowered, [variable], lowered.type("cotangent"))
                    given.append(name)
            except StageError as stopped:
                refused = refused or stopped.raised
    return tuple(given), refused


def _differentiated(case: DotCase) -> tuple[str, ...]:
    """Name the operands that gradients are taken of: those of real continuous dtypes.

    PyTensor's convention for complex gradients is its own.
    """
    operands = {"x": case.x} if case.same_variable else {"x": case.x, "y": case.y}
    continuous = tuple(
        name for name, operand in operands.items() if np.dtype(operand.dtype).kind == "f"
    )
    complex_ = any(np.dtype(operand.dtype).kind == "c" for operand in (case.x, case.y))
    return () if complex_ else continuous


@dataclass(frozen=True)
class _GradientGraph:
    """The gradients of a lowered dot, and what they are fed with beside the operands.

    Attributes
    ----------
    inputs : list of variables
        The cotangent, and for second order the tangents.
    outputs : list of variables
    labels : list of (int, str)
        The order and the operand of each output.
    """

    inputs: list[Any]
    outputs: list[Any]
    labels: list[tuple[int, str]]

    @classmethod
    def build(cls, case: DotCase, graph: graphs.Graph, lowered: Any) -> _GradientGraph:
        """Differentiate once or twice, as the case asks."""
        names = _differentiated(case)
        with stage("lower"):
            operands = [dict(zip("xy", graph.inputs, strict=False))[name] for name in names]
            cotangent = pt.tensor("cotangent", dtype=lowered.dtype, shape=lowered.type.shape)
            first = graphs.first_gradients(lowered, operands, cotangent)
            inputs, outputs = [cotangent], list(first)
            labels = [(1, name) for name in names]
            if case.gradient_order == 2 and len(names) == len(graph.inputs):
                tangents = [
                    pt.tensor(f"{name}_tangent", dtype=bar.dtype, shape=bar.type.shape)
                    for name, bar in zip(names, first, strict=True)
                ]
                inputs += tangents
                outputs += graphs.second_gradients(first, operands, tangents)
                labels += [(2, name) for name in names]
        return cls(inputs, outputs, labels)

    def values(self, case: DotCase, replicate: int) -> list[Any]:
        """Draw what the inputs are fed with: the same that the oracle uses."""
        cotangent, v, w = case.cotangents(replicate)
        fed = [cotangent, v] if case.same_variable else [cotangent, v, w]
        return [
            np.asarray(tensor.data, dtype=variable.dtype)
            for tensor, variable in zip(fed, self.inputs, strict=False)
        ]


def _compiled(
    mode: Mode, graph: graphs.Graph, lowered: Any, gradient: _GradientGraph | None
) -> tuple[Callable[..., Any], tuple[Raised, ...]]:
    """Compile a lowered graph and its gradients into one function."""
    inputs = graph.inputs + (gradient.inputs if gradient else [])
    outputs = [lowered, *(gradient.outputs if gradient else [])]
    compiling = partial(pytensor.function, inputs, outputs, mode=mode, on_unused_input="ignore")
    return _run_with_rewrite_fallback("compile", compiling)


def _called(function: Callable[..., Any], case: DotCase, prepared: _Prepared) -> Outcome:
    """Call what was compiled on each replicate of numbers, unless it raises."""
    outcome, gradient = prepared.outcome, prepared.gradient
    dims = outcome.declared.dims if outcome.declared else ()
    logged, values, gradients, side_effects = outcome.logged, [], [], []
    first: Array = np.zeros(())
    for replicate in range(REPLICATES):
        arrays = case.arrays(replicate)[: 1 if case.same_variable else 2]
        before = tuple(array.copy() for array in arrays)
        fed = [*arrays, *(gradient.values(case, replicate) if gradient else [])]
        # The inner graph of an OpFromGraph is compiled at the first call.
        results, logged_at_run = _run_with_rewrite_fallback("run", partial(function, *fed))
        results, logged = [np.asarray(result) for result in results], logged + logged_at_run
        side_effects += effects(arrays, before, results[0])
        values.append(NamedTensor.trusted(results[0].copy(), dims))
        if gradient is not None:
            gradients += [
                Gradient(order, operand, replicate, result)
                for (order, operand), result in zip(gradient.labels, results[1:], strict=True)
            ]
        first = results[0] if replicate == 0 else first
    if not np.array_equal(first, values[0].data, equal_nan=first.dtype.kind in "fc"):
        side_effects.append("a second call changed the first answer")
    return replace(
        outcome,
        values=tuple(values),
        gradients=tuple(gradients),
        side_effects=tuple(dict.fromkeys(side_effects)),
        logged=logged,
    )


def _run_with_rewrite_fallback(
    name: str, action: Callable[[], Any]
) -> tuple[Any, tuple[Raised, ...]]:
    """Do what a stage does; if a rewrite fails, do it as users have it, without that rewrite.

    Returns
    -------
    result : object
        What `action` gave.
    logged : tuple of Raised
        What failed, and would only have been logged.
    """
    try:
        with stage(name):
            return action(), ()
    except StageError as stopped:
        with stage(name), pytensor.config.change_flags(on_opt_error="ignore"):
            return action(), (stopped.raised,)
