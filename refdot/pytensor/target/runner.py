"""Run cases through PyTensor's stages: build, lower, compile and run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
import pytensor
import pytensor.tensor as pt
from pytensor.compile.mode import Mode

from refdot.cases.case import DotCase
from refdot.pytensor.deviations.trials import has_failed, trials_of
from refdot.pytensor.target import graph as graphs
from refdot.pytensor.target.configuration import without_parts
from refdot.pytensor.target.determinism import check_determinism
from refdot.pytensor.target.resources import ResourceCheck
from refdot.pytensor.target.stages import StageError, stage
from refdot.pytensor.target.structure import compiled_nodes, unlowered_nodes
from refdot.targets.outcome import REPLICATES, Declared, Gradient, Outcome, Raised, effects
from refdot.tensor import NamedTensor

__all__ = ["Runner", "run_with_rewrite_fallback"]


@dataclass
class Runner:
    """Runs cases with one mode and one lowering, and compiles each of their graphs once."""

    mode: Mode
    lowering: str
    until: str
    checks_determinism: bool
    prepared: dict[DotCase, _PreparedGraph] = field(default_factory=dict)
    resources: ResourceCheck = field(default_factory=ResourceCheck)
    # Runners without some parts of PyTensor, by the names of these.
    others: dict[tuple[str, ...], Runner] = field(default_factory=dict)

    def run(self, case: DotCase) -> Outcome:
        """Run a case, and again without parts of PyTensor if it fails on an empty array."""
        outcome = self._run(case)
        is_empty = 0 in case.x.shape + case.y.shape
        if is_empty and has_failed(case, outcome):
            outcome = replace(outcome, without=self._run_trials(case))
        return outcome

    def _run_trials(self, case: DotCase) -> dict[tuple[str, ...], Outcome]:
        """Run a case without parts of PyTensor that may be the cause, until it does not fail."""
        outcomes: dict[tuple[str, ...], Outcome] = {}
        for parts in trials_of(case):
            outcomes[parts] = self._run_without(parts, case)
            if not has_failed(case, outcomes[parts]):
                break
        return outcomes

    def _run_without(self, parts: tuple[str, ...], case: DotCase) -> Outcome:
        if parts not in self.others:
            self.others[parts] = Runner(
                self.mode, self.lowering, self.until, checks_determinism=False
            )
        with without_parts(*parts):
            return self.others[parts]._run(case)

    def _run(self, case: DotCase) -> Outcome:
        """Run a case, and without its gradients if these fail."""
        key = graphs.graph_key(case)
        if key not in self.prepared:
            self.prepared[key] = self._prepare(case)
        prepared = self.prepared[key]
        outcome = prepared.outcome
        if prepared.compiled is not None:
            try:
                outcome = _call(prepared.compiled, outcome, case)
            except StageError as stopped:
                outcome = replace(outcome, raised=stopped.raised)
        if outcome.raised is None or not case.gradient_order or not _differentiated(case):
            return outcome
        # The dot itself may have failed rather than its gradient: run it alone.
        without_gradient = self._run(replace(case, gradient_order=0))
        return replace(
            without_gradient,
            gradient_raised=outcome.raised,
            unlowered_nodes=outcome.unlowered_nodes,
            compiled_nodes=outcome.compiled_nodes,
            discrete_gradients=outcome.discrete_gradients,
            discrete_gradient_raised=outcome.discrete_gradient_raised,
        )

    def _prepare(self, case: DotCase) -> _PreparedGraph:
        """Run all stages before the first call."""
        outcome, gradient = Outcome(), _GradientGraph()
        if self.checks_determinism:
            outcome = replace(outcome, nondeterminism=check_determinism(case))
        outcome = replace(outcome, growth=self.resources.growth(case))
        try:
            with stage("build"):
                graph = graphs.build(case)
            out = graph.out.type
            outcome = replace(outcome, declared=Declared(out.dims, out.dtype, out.shape))
            if self.until == "build":
                return _PreparedGraph(outcome)
            lowering = partial(graphs.lower, graph)
            lowered, logged = run_with_rewrite_fallback("lower", lowering)
            # A rewrite that fails leaves what it should have lowered.
            found = () if logged else self._unlowered_nodes([lowered], "the forward graph")
            outcome = replace(outcome, unlowered_nodes=found, logged=logged)
            if case.gradient_order:
                given, refused = _discrete_gradients(case, graph, lowered)
                outcome = replace(
                    outcome, discrete_gradients=given, discrete_gradient_raised=refused
                )
            if case.gradient_order and _differentiated(case):
                gradient = _GradientGraph.build(case, graph, lowered)
                found += self._unlowered_nodes(gradient.outputs, "the gradient graph")
                outcome = replace(outcome, unlowered_nodes=found)
            if self.until == "lower" and not logged:
                return _PreparedGraph(outcome)
            compiling = partial(
                pytensor.function,
                graph.inputs + gradient.inputs,
                [lowered, *gradient.outputs],
                mode=self.mode,
                on_unused_input="ignore",
            )
            function, logged_again = run_with_rewrite_fallback("compile", compiling)
            left = () if logged else compiled_nodes(function, self.mode, self.lowering)
            # The mode lowers what is left, so that the same rewrite fails again.
            outcome = replace(outcome, logged=logged or logged_again, compiled_nodes=left)
            return _PreparedGraph(outcome, _CompiledGraph(function, graph, gradient))
        except StageError as stopped:
            return _PreparedGraph(replace(outcome, raised=stopped.raised))

    def _unlowered_nodes(self, outputs: list[Any], where: str) -> tuple[str, ...]:
        # Only the lowering "stock" may leave an `OpFromGraph` to the rewrites of a mode.
        return unlowered_nodes(outputs, where, inner_graphs=self.lowering == "stock")


def _discrete_gradients(
    case: DotCase, graph: graphs.Graph, lowered: Any
) -> tuple[tuple[str, ...], Raised | None]:
    """Return the operands of integer and bool dtypes that have a gradient.

    If PyTensor refuses to differentiate others, also return the exception for the first of them.
    """
    given, refused = [], None
    operands = graphs.operands(case)
    for name, variable in graph.differentiable.items():
        if np.dtype(operands[name].dtype).kind in "biu":
            try:
                with stage("lower"):
                    graphs.gradients({lowered: lowered.type("cotangent")}, [variable])
                    given.append(name)
            except StageError as stopped:
                refused = refused or stopped.raised
    return tuple(given), refused


def _differentiated(case: DotCase) -> tuple[str, ...]:
    """Return the names of the operands to differentiate.

    The gradient of a complex operand beside an integer or bool one is rightly an error (R8).
    """
    operands = graphs.operands(case)
    kinds = {name: np.dtype(operand.dtype).kind for name, operand in operands.items()}
    if "c" in kinds.values() and not {*kinds.values()} <= {"f", "c"}:
        return ()
    return tuple(
        name
        for name, operand in operands.items()
        if kinds[name] in "fc" and operand.origin != "constant"
    )


@dataclass(frozen=True)
class _GradientGraph:
    """The gradients of a lowered dot, if it has any."""

    inputs: list[Any] = field(default_factory=list)  # the cotangent, and for order 2 the tangents
    outputs: list[Any] = field(default_factory=list)
    labels: list[tuple[int, str]] = field(default_factory=list)  # order and operand of each output

    @classmethod
    def build(cls, case: DotCase, graph: graphs.Graph, lowered: Any) -> _GradientGraph:
        """Differentiate once, or twice if the case has gradients of second order."""
        names = _differentiated(case)
        with stage("lower"):
            operands = [graph.variables[name] for name in names]
            cotangent = pt.tensor("cotangent", dtype=lowered.dtype, shape=lowered.type.shape)
            first = graphs.gradients({lowered: cotangent}, operands)
            labels = [(1, name) for name in names]
            if case.gradient_order < 2 or len(names) < len(graph.variables):
                return cls([cotangent], first, labels)
            tangents = [
                pt.tensor(f"{name}_tangent", dtype=bar.dtype, shape=bar.type.shape)
                for name, bar in zip(names, first, strict=True)
            ]
            second = graphs.gradients(dict(zip(first, tangents, strict=True)), operands)
            labels += [(2, name) for name in names]
            return cls([cotangent, *tangents], [*first, *second], labels)

    def values(self, case: DotCase, replicate: int) -> list[Any]:
        """Return the values of the inputs: the same ones that the oracle uses."""
        if not self.inputs:
            return []
        cotangent, v, w = case.cotangents(replicate)
        tensors = [cotangent, v] if case.same_variable else [cotangent, v, w]
        return [
            np.asarray(tensor.data, dtype=variable.dtype)
            for tensor, variable in zip(tensors, self.inputs, strict=False)
        ]


@dataclass(frozen=True)
class _PreparedGraph:
    """The result of all stages before the first call."""

    outcome: Outcome
    compiled: _CompiledGraph | None = None  # if all stages up to compilation succeeded


@dataclass(frozen=True)
class _CompiledGraph:
    function: Callable[..., Any]
    graph: graphs.Graph
    gradient: _GradientGraph


def _call(compiled: _CompiledGraph, outcome: Outcome, case: DotCase) -> Outcome:
    """Call a compiled function once for each replicate, and add the results to an outcome."""
    graph, gradient = compiled.graph, compiled.gradient
    dims = outcome.declared.dims if outcome.declared else ()
    logged, answers, values, gradients, side_effects = outcome.logged, [], [], [], []
    for replicate in range(REPLICATES):
        with stage("run"):
            arrays = graph.memory(case, replicate)
        before = tuple(array.copy() for array in arrays)
        arguments = [*graph.arguments(arrays), *gradient.values(case, replicate)]
        calling = partial(compiled.function, *arguments)
        # PyTensor compiles the inner graph of an OpFromGraph at the first call.
        results, logged_at_run = run_with_rewrite_fallback("run", calling)
        results, logged = [np.asarray(result) for result in results], logged + logged_at_run
        side_effects += effects(arrays, before, results[0])
        answers.append(results[0])
        values.append(NamedTensor.trusted(results[0].copy(), dims))
        gradients += [
            # `Mul.pullback` (scalar/basic.py) multiplies by the conjugate of the other operand.
            Gradient(order, operand, replicate, result, conjugates=True)
            for (order, operand), result in zip(gradient.labels, results[1:], strict=True)
        ]
    is_inexact = answers[0].dtype.kind in "fc"
    if not np.array_equal(answers[0], values[0].data, equal_nan=is_inexact):
        side_effects.append("a second call changed the first answer")
    return replace(
        outcome,
        values=tuple(values),
        gradients=tuple(gradients),
        side_effects=tuple(dict.fromkeys(side_effects)),
        logged=logged,
    )


def run_with_rewrite_fallback(
    name: str, action: Callable[[], Any]
) -> tuple[Any, tuple[Raised, ...]]:
    """Run a stage; if it raises, run it again without the rewrite that fails, as users would.

    Return the result of `action`, and the exception that PyTensor would only have logged, if any.
    """
    try:
        with stage(name):
            return action(), ()
    except StageError as stopped:
        with stage(name), pytensor.config.change_flags(on_opt_error="ignore"):
            return action(), (stopped.raised,)
