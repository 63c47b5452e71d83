"""PyTensor as a target: builds, lowers, compiles and runs a case on one of its backends."""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, replace
from functools import partial
from importlib.util import find_spec
from typing import Any

import numpy as np
import pytensor
import pytensor.tensor as pt
from pytensor.compile.mode import Mode, get_mode

from refdot.case import DotCase
from refdot.oracle import drawn_cotangents
from refdot.pytensor import graph as graphs
from refdot.pytensor.lowerings import LOWERINGS, use_lowering
from refdot.pytensor.reproducer import reproducer
from refdot.pytensor.stages import StageError, stage
from refdot.pytensor.structure import leftovers
from refdot.pytensor.variations import variations
from refdot.targets import (
    DRAWS,
    STAGES,
    Backend,
    Declared,
    Gradient,
    Limit,
    Mismatch,
    Outcome,
    Raised,
    effects,
)
from refdot.tensor import Array, NamedTensor

__all__ = ["BACKENDS", "PyTensorTarget"]


@dataclass(frozen=True)
class PyTensorBackend:
    """A way to execute.

    Attributes
    ----------
    mode : str
        The compilation mode, as PyTensor code.
    needs : str
        The package that it cannot run without.
    compiles_c : bool
        Whether it compiles C; the others are faster without a compiler.
    default : bool
        Whether it runs unless others are asked for.
    """

    mode: str
    needs: str = ""
    compiles_c: bool = False
    default: bool = False

    @property
    def absent(self) -> str:
        """Why it cannot run here; empty if it can."""
        if self.compiles_c and not pytensor.config.cxx:
            return "there is no C++ compiler (config.cxx is empty)"
        if self.needs and find_spec(self.needs) is None:
            return f"{self.needs} is not installed"
        return ""

    def make_mode(self) -> Mode:
        """Make the mode anew, with the rewrites that are registered now."""
        mode: Mode = eval(self.mode, {"Mode": Mode, "get_mode": get_mode})
        return mode


BACKENDS = {
    "python": PyTensorBackend('Mode(linker="py", optimizer="fast_run")', default=True),
    "python-minimum": PyTensorBackend('Mode(linker="py", optimizer="minimum_compile")'),
    "c": PyTensorBackend('Mode(linker="cvm", optimizer="fast_run")', compiles_c=True),
    "numba": PyTensorBackend('get_mode("NUMBA")', needs="numba"),
}


@contextmanager
def quiet() -> Iterator[None]:
    """Keep PyTensor from logging and printing what the outcome holds as data."""
    logger = logging.getLogger("pytensor")
    level = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
            yield
    finally:
        logger.setLevel(level)


class PyTensorTarget:
    """The PyTensor that is installed, or patched, in this process."""

    name = "pytensor"
    stages: tuple[str, ...] = STAGES
    lowerings: tuple[str, ...] = tuple(LOWERINGS)
    # "direct" is refdot's own: what is wrong with it says nothing about PyTensor.
    default_lowerings: tuple[str, ...] = ("stock", "inlined")
    limits: tuple[Limit, ...] = ()
    unjudged: Mapping[str, str] = {}

    @property
    def version(self) -> str:
        """PyTensor's version."""
        return str(pytensor.__version__)

    def backends(self) -> tuple[Backend, ...]:
        """List PyTensor's backends; those that are slow to compile run when asked for."""
        return tuple(
            Backend(name, backend.absent, backend.default) for name, backend in BACKENDS.items()
        )

    def run(self, case: DotCase, backend: str, lowering: str, until: str = "run") -> Outcome:
        """Build, lower, compile and run a case, or as much of that as is asked for."""
        compiler = "" if not BACKENDS[backend].compiles_c else pytensor.config.cxx
        with warnings.catch_warnings(), quiet():
            warnings.simplefilter("ignore")
            mode = BACKENDS[backend].make_mode()
            # A rewrite that fails is otherwise only logged, which hides the cause; and what an
            # OpFromGraph holds is compiled in the default mode, whatever the mode outside.
            with (
                pytensor.config.change_flags(on_opt_error="raise", cxx=compiler, mode=mode),
                use_lowering(lowering),
            ):
                outcome = run(case, mode, lowering, until)
                if lowering == self.lowerings[0]:
                    outcome = replace(outcome, variations=variations(case))
                return outcome

    def reproducer(self, mismatch: Mismatch, backend: str, lowering: str) -> str:
        """Write a script that needs PyTensor and NumPy alone, and for "direct" refdot."""
        return reproducer(mismatch, BACKENDS[backend].mode, lowering)


def run(case: DotCase, mode: Mode, lowering: str, until: str) -> Outcome:
    """Take a case through the stages, as far as asked for or as far as it goes."""
    outcome = Outcome()
    try:
        with stage("build"):
            graph = graphs.build(case)
            out = graph.out.type
            outcome = replace(outcome, declared=Declared(out.dims, out.dtype, out.shape))
        if until == "build":
            return outcome
        with stage("lower"):
            lowered = graphs.lower(graph)
        outcome = replace(outcome, leftovers=leftovers([lowered], lowering, "the forward graph"))
        if case.gradient_order:
            outcome = replace(outcome, discrete_gradients=discrete_gradients(case, graph, lowered))
        if case.gradient_order and differentiated(case):
            try:
                gradient = GradientGraph.build(case, graph, lowered)
                found = leftovers(gradient.outputs, lowering, "the gradient graph")
                outcome = replace(outcome, leftovers=outcome.leftovers + found)
                if until == "lower":
                    return outcome
                return execute(case, mode, graph, lowered, gradient, outcome)
            except StageError as stopped:
                # Either the gradient's fault or the dot's own: without a gradient it shows.
                outcome = replace(outcome, gradient_raised=stopped.raised)
        if until == "lower":
            return outcome
        return execute(case, mode, graph, lowered, None, outcome)
    except StageError as stopped:
        return replace(outcome, raised=stopped.raised)


def discrete_gradients(case: DotCase, graph: graphs.Graph, lowered: Any) -> tuple[str, ...]:
    """Name the operands that can be differentiated by although they are not continuous."""
    operands = (case.x,) if case.same_variable else (case.x, case.y)
    found = []
    for name, operand, variable in zip("xy", operands, graph.inputs, strict=False):
        if np.dtype(operand.dtype).kind in "biu":
            try:
                with stage("lower"):
                    graphs.first_gradients(lowered, [variable], lowered.type("cotangent"))
                    found.append(name)
            except StageError:
                continue
    return tuple(found)


def differentiated(case: DotCase) -> tuple[str, ...]:
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
class GradientGraph:
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
    def build(cls, case: DotCase, graph: graphs.Graph, lowered: Any) -> GradientGraph:
        """Differentiate once or twice, as the case asks."""
        names = differentiated(case)
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

    def values(self, case: DotCase, draw: int) -> list[Any]:
        """Draw what the inputs are fed with: the same that the oracle uses."""
        cotangent, v, w = drawn_cotangents(case, draw)
        fed = [cotangent, v] if case.same_variable else [cotangent, v, w]
        return [
            np.asarray(tensor.data, dtype=variable.dtype)
            for tensor, variable in zip(fed, self.inputs, strict=False)
        ]


def execute(
    case: DotCase,
    mode: Mode,
    graph: graphs.Graph,
    lowered: Any,
    gradient: GradientGraph | None,
    outcome: Outcome,
) -> Outcome:
    """Compile a lowered case, and call it on each draw of numbers."""
    inputs = graph.inputs + (gradient.inputs if gradient else [])
    outputs = [lowered, *(gradient.outputs if gradient else [])]
    compiling = partial(pytensor.function, inputs, outputs, mode=mode, on_unused_input="ignore")
    function, logged = forgiving("compile", compiling)
    dims = outcome.declared.dims if outcome.declared else ()
    values, gradients, side_effects = [], [], []
    first: Array = np.zeros(())
    for draw in range(DRAWS):
        arrays = case.arrays(draw)[: len(graph.inputs)]
        before = tuple(array.copy() for array in arrays)
        fed = [*arrays, *(gradient.values(case, draw) if gradient else [])]
        # The inner graph of an OpFromGraph is compiled at the first call.
        results, logged_at_run = forgiving("run", partial(function, *fed))
        results, logged = [np.asarray(result) for result in results], logged + logged_at_run
        side_effects += effects(arrays, before, results[0])
        values.append(NamedTensor.trusted(results[0].copy(), dims))
        if gradient is not None:
            gradients += [
                Gradient(order, operand, draw, result)
                for (order, operand), result in zip(gradient.labels, results[1:], strict=True)
            ]
        first = results[0] if draw == 0 else first
    if not np.array_equal(first, values[0].data, equal_nan=first.dtype.kind in "fc"):
        side_effects.append("a second call changed the first answer")
    return replace(
        outcome,
        values=tuple(values),
        gradients=tuple(gradients),
        side_effects=tuple(dict.fromkeys(side_effects)),
        logged=logged,
    )


def forgiving(name: str, action: Callable[[], Any]) -> tuple[Any, tuple[Raised, ...]]:
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
