"""PyTensor as a target: builds, lowers, compiles and runs a case on one of its backends."""

from __future__ import annotations

import io
import logging
import tempfile
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from pathlib import Path
from shutil import rmtree
from typing import Any
from weakref import finalize

import numpy as np
import pytensor
import pytensor.tensor as pt
from pytensor.compile.mode import Mode

from refdot.case import DotCase, Operand
from refdot.oracle import drawn_cotangents
from refdot.pytensor import graph as graphs
from refdot.pytensor.backends import BACKENDS
from refdot.pytensor.deviations import known_deviations
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
    Deviation,
    Gradient,
    Limit,
    Mismatch,
    Outcome,
    Raised,
    effects,
)
from refdot.tensor import Array, NamedTensor

__all__ = ["PyTensorTarget"]


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


@contextmanager
def temporary_files_in(folder: Path) -> Iterator[None]:
    """Have temporary files there: of each function that numba compiles, PyTensor leaves one."""
    before, tempfile.tempdir = tempfile.tempdir, str(folder)
    try:
        yield
    finally:
        tempfile.tempdir = before


class PyTensorTarget:
    """The PyTensor that is installed, or patched, in this process."""

    name = "pytensor"
    stages: tuple[str, ...] = STAGES
    lowerings: tuple[str, ...] = tuple(LOWERINGS)
    # "direct" is refdot's own: what is wrong with it says nothing about PyTensor.
    default_lowerings: tuple[str, ...] = ("stock", "inlined")
    limits: tuple[Limit, ...] = ()
    unjudged: Mapping[str, str] = {}

    @cached_property
    def deviations(self) -> tuple[Deviation, ...]:
        """The known deviations of the version that is installed."""
        return known_deviations(self.version)

    def __reduce__(self) -> tuple[Any, ...]:
        # In another process it is the PyTensor of that process, with a folder of its own.
        return type(self), ()

    @cached_property
    def folder(self) -> Path:
        """A folder of this target's own, there for as long as it is."""
        folder = tempfile.mkdtemp(prefix="refdot-")
        finalize(self, rmtree, folder, ignore_errors=True)
        return Path(folder)

    @property
    def version(self) -> str:
        """PyTensor's version."""
        return str(pytensor.__version__)

    def backends(self) -> tuple[Backend, ...]:
        """List PyTensor's backends."""
        return tuple(
            Backend(name, backend.absent, backend.default, backend.dear, backend.limits)
            for name, backend in BACKENDS.items()
        )

    def run(self, case: DotCase, backend: str, lowering: str, until: str = "run") -> Outcome:
        """Build, lower, compile and run a case, or as much of that as is asked for."""
        return self.run_all([case], backend, lowering, until)[0]

    def run_all(
        self, cases: Iterable[DotCase], backend: str, lowering: str, until: str = "run"
    ) -> tuple[Outcome, ...]:
        """Run cases in turn; those that are one graph are calls of one function."""
        way = BACKENDS[backend]
        compiler = pytensor.config.cxx if way.compiles_c else ""
        with (
            warnings.catch_warnings(),
            quiet(),
            temporary_files_in(self.folder),
            way.afresh(self.folder),
        ):
            warnings.simplefilter("ignore")
            mode = way.make_mode()
            # A rewrite that fails is otherwise only logged, which hides the cause; and what an
            # OpFromGraph holds is compiled in the default mode, whatever the mode outside.
            with (
                pytensor.config.change_flags(on_opt_error="raise", cxx=compiler, mode=mode),
                use_lowering(lowering),
            ):
                asked = lowering == self.lowerings[0]
                prepared = Preparation(mode, lowering, until, in_other_words=asked)
                return tuple(prepared.run(case) for case in cases)

    def reproducer(self, mismatch: Mismatch, backend: str, lowering: str) -> str:
        """Write a script that needs PyTensor and NumPy alone, and for "direct" refdot."""
        return reproducer(mismatch, BACKENDS[backend].mode, lowering)


@dataclass(frozen=True)
class Prepared:
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
    gradient: GradientGraph | None = None


@dataclass
class Preparation:
    """Runs cases on one mode and lowering, and compiles each of their graphs once."""

    mode: Mode
    lowering: str
    until: str
    in_other_words: bool
    done: dict[DotCase, Prepared] = field(default_factory=dict)

    def run(self, case: DotCase) -> Outcome:
        """Take a case through the stages."""
        graph = graph_alone(case)
        if graph not in self.done:
            self.done[graph] = self.prepare(case)
        prepared = self.done[graph]
        outcome = prepared.outcome
        if prepared.function is not None:
            try:
                outcome = called(prepared.function, case, prepared)
            except StageError as stopped:
                outcome = replace(outcome, raised=stopped.raised)
        if outcome.raised is None or not case.gradient_order or not differentiated(case):
            return outcome
        # Either the gradient's fault or the dot's own: without a gradient it shows.
        alone = self.run(replace(case, gradient_order=0))
        return replace(
            alone,
            gradient_raised=outcome.raised,
            leftovers=outcome.leftovers,
            discrete_gradients=outcome.discrete_gradients,
            discrete_gradient_raised=outcome.discrete_gradient_raised,
        )

    def prepare(self, case: DotCase) -> Prepared:
        """Build, lower, differentiate and compile."""
        outcome, gradient = Outcome(), None
        if self.in_other_words:
            outcome = replace(outcome, variations=variations(case))
        try:
            with stage("build"):
                graph = graphs.build(case)
            out = graph.out.type
            outcome = replace(outcome, declared=Declared(out.dims, out.dtype, out.shape))
            if self.until == "build":
                return Prepared(outcome)
            with stage("lower"):
                lowered = graphs.lower(graph)
            found = leftovers([lowered], self.lowering, "the forward graph")
            outcome = replace(outcome, leftovers=found)
            if case.gradient_order:
                given, refused = discrete_gradients(case, graph, lowered)
                outcome = replace(
                    outcome, discrete_gradients=given, discrete_gradient_raised=refused
                )
            if case.gradient_order and differentiated(case):
                gradient = GradientGraph.build(case, graph, lowered)
                found += leftovers(gradient.outputs, self.lowering, "the gradient graph")
                outcome = replace(outcome, leftovers=found)
            if self.until == "lower":
                return Prepared(outcome)
            function, logged = compiled(self.mode, graph, lowered, gradient)
            return Prepared(replace(outcome, logged=logged), function, gradient)
        except StageError as stopped:
            return Prepared(replace(outcome, raised=stopped.raised))


def graph_alone(case: DotCase) -> DotCase:
    """Give a case without what its graph does not depend on."""

    def told(operand: Operand) -> Operand:
        shape = tuple(-1 if size is None else size for size in operand.static_shape)
        return replace(operand, shape=shape, layout="c")

    return replace(case, x=told(case.x), y=told(case.y), tier="exact", seed=0)


def discrete_gradients(
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


def compiled(
    mode: Mode, graph: graphs.Graph, lowered: Any, gradient: GradientGraph | None
) -> tuple[Callable[..., Any], tuple[Raised, ...]]:
    """Compile a lowered graph and its gradients into one function."""
    inputs = graph.inputs + (gradient.inputs if gradient else [])
    outputs = [lowered, *(gradient.outputs if gradient else [])]
    compiling = partial(pytensor.function, inputs, outputs, mode=mode, on_unused_input="ignore")
    return forgiving("compile", compiling)


def called(function: Callable[..., Any], case: DotCase, prepared: Prepared) -> Outcome:
    """Call what was compiled on each draw of numbers, unless it raises."""
    outcome, gradient = prepared.outcome, prepared.gradient
    dims = outcome.declared.dims if outcome.declared else ()
    logged, values, gradients, side_effects = outcome.logged, [], [], []
    first: Array = np.zeros(())
    for draw in range(DRAWS):
        arrays = case.arrays(draw)[: 1 if case.same_variable else 2]
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
