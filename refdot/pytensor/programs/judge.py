"""The verdict on PyTensor's answers to a program: its values, types, gradients and graphs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import pytensor
from pytensor.compile.mode import Mode
from pytensor.compile.sharedvalue import SharedVariable
from pytensor.xtensor.type import XTensorVariable

from refdot.cases.case import Operand
from refdot.programs.case import ProgramCase
from refdot.programs.judgement import Difference, differences
from refdot.programs.wrong_sizes import wrong_sizes
from refdot.pytensor.programs import graph as graphs
from refdot.pytensor.programs.answers import answers_of, estimates_of
from refdot.pytensor.target.graph import is_input
from refdot.pytensor.target.runner import run_with_rewrite_fallback
from refdot.pytensor.target.stages import StageError, stage
from refdot.pytensor.target.structure import compiled_nodes, unlowered_nodes
from refdot.pytensor.target.target import PyTensorTarget
from refdot.targets.outcome import REPLICATES, Raised
from refdot.tensor import Array, NamedTensor
from refdot.text import one_line, shortened

try:
    from xarray import DataArray
except ImportError:
    DataArray = None

__all__ = ["arguments_of", "compiled_outputs", "judge_program", "run_program"]


def judge_program(
    target: PyTensorTarget,
    case: ProgramCase,
    backend: str = "python",
    lowering: str = "stock",
    trial: AbstractContextManager[Any] | None = None,
) -> tuple[Difference, ...]:
    """Return what is wrong with a program and its gradients on PyTensor.

    Operands that PyTensor does not accept, which are not aligned or have swapped bytes, are copied.

    Parameters
    ----------
    target : PyTensorTarget
    case : ProgramCase
    backend, lowering : str, optional
        A backend and a lowering of the target.
    trial : context manager, optional
        What to change in PyTensor while it is judged, such as `without_rewrites("fusion")`.

    Returns
    -------
    tuple of Difference
        Each has the name of a value, of a gradient, such as "gradient of x", of a graph or, for
        an exception, of a stage.

    Examples
    --------
    >>> from refdot.programs.named import named_program
    >>> case = ProgramCase(named_program("attention:layers=1"), gradient_order=1)
    >>> judge_program(PyTensorTarget(), case, lowering="inlined")
    ()
    """
    with target.configured(backend, lowering) as mode, trial or nullcontext():
        return _Judge(mode, lowering).judge(case)


def run_program(
    target: PyTensorTarget, case: ProgramCase, backend: str = "python", lowering: str = "stock"
) -> dict[str, Array]:
    """Return PyTensor's answers to a case, its outputs and gradients, by their names.

    Examples
    --------
    >>> from refdot.programs.named import named_program
    >>> case = ProgramCase(named_program("gram"), gradient_order=1)
    >>> {name: answer.shape for name, answer in run_program(PyTensorTarget(), case).items()}
    {'gram': (4, 4), 'gradient of x': (4, 3)}
    """
    compiled = _compiled(target, case, backend, lowering)
    with target.configured(backend, lowering):
        arguments = arguments_of(case.computed, compiled.graph, compiled.derivatives, replicate=0)
        results = compiled.function(*arguments.values())
    return dict(zip(compiled.names, map(np.asarray, results), strict=True))


def compiled_outputs(
    target: PyTensorTarget, case: ProgramCase, backend: str = "python", lowering: str = "stock"
) -> dict[str, Any]:
    """Return the variables of the compiled graph that are the answers to a case, by their names.

    Raises
    ------
    StageError
        The graph cannot be built, lowered or compiled.
    """
    compiled = _compiled(target, case, backend, lowering)
    return dict(zip(compiled.names, compiled.function.maker.fgraph.outputs, strict=True))


class _Compiled(NamedTuple):
    function: Any
    graph: graphs.ProgramGraph
    derivatives: Sequence[graphs.Derivative]
    names: list[str]  # of the answers that the function returns


def _compiled(target: PyTensorTarget, case: ProgramCase, backend: str, lowering: str) -> _Compiled:
    names = [answer.name for answer in answers_of(case.computed)]
    with target.configured(backend, lowering) as mode, stage("compile"):
        graph = graphs.build(case)
        case = case.computed
        lowered = graphs.lower(case, graph)
        derivatives = graphs.derivatives(case, graph, lowered)
        inputs = graphs.inputs_of(graph, derivatives)
        bars = [bar for derivative in derivatives for bar in derivative.outputs]
        function = pytensor.function(inputs, [*lowered, *bars], mode=mode, on_unused_input="ignore")
    return _Compiled(function, graph, derivatives, names)


@dataclass(frozen=True)
class _Judge:
    mode: Mode
    lowering: str

    def judge(self, case: ProgramCase) -> tuple[Difference, ...]:
        """Judge a case; if a gradient raises an exception, judge the values without it."""
        found: list[Difference] = []
        try:
            found += self._differences(case)
        except StageError as stopped:
            found.append(_rejected(stopped.raised))
            if case.gradient_order:
                found += self.judge(replace(case, gradient_order=case.gradient_order - 1))
        return tuple(dict.fromkeys(found))

    def _differences(self, case: ProgramCase) -> Iterator[Difference]:
        # A graph that is vectorized after it is lowered is lowered here.
        first = "lower" if case.built == "vectorized-after-lowering" else "build"
        graph, logged = run_with_rewrite_fallback(first, partial(graphs.build, case))
        yield from _wrong_types(case, graph)
        case = case.computed
        lowered, logged_later = run_with_rewrite_fallback(
            "lower", partial(graphs.lower, case, graph)
        )
        logged = logged or logged_later
        with stage("lower"):
            derivatives = graphs.derivatives(case, graph, lowered)
        bars = [bar for derivative in derivatives for bar in derivative.outputs]
        inputs = graphs.inputs_of(graph, derivatives)
        compiling = partial(self._compiled, inputs, [*lowered, *bars])
        function, logged_again = run_with_rewrite_fallback("compile", compiling)
        if failures := logged or logged_again:
            yield from map(_failed_rewrite, failures)
        else:
            left = self._wrong_graphs(inputs, lowered, bars, function)
            yield from (each for each in left if not _is_of_inputs(each, case))
        function = partial(_called, function, inputs)
        for replicate in range(REPLICATES):
            for each in _wrong_answers(case, graph, derivatives, function, replicate):
                yield replace(each, replicate=replicate)
        if case.has_wrong_sizes:
            yield from self._accepted_sizes(case, graph, derivatives, function)

    def _compiled(self, inputs: Sequence[Any], outputs: Sequence[Any]) -> Any:
        return pytensor.function(inputs, outputs, mode=self.mode, on_unused_input="ignore")

    def _accepted_sizes(
        self,
        case: ProgramCase,
        graph: graphs.ProgramGraph,
        derivatives: Sequence[graphs.Derivative],
        function: Any,
    ) -> Iterator[Difference]:
        """Yield the sizes that break R4 and with which no error is raised."""
        arguments = arguments_of(case, graph, derivatives, replicate=0)
        for wrong in wrong_sizes(case.program):
            inputs = wrong.inputs(case.program)
            resized = _arrays(case, graph, inputs)
            try:
                if wrong.is_static:
                    self._compute(case, inputs)
                else:
                    given = (arguments | {wrong.input: resized[wrong.input]}).values()
                    run_with_rewrite_fallback("run", partial(function, *given))
            except StageError:
                continue
            got = f"none for {wrong}"
            yield Difference(wrong.input, "R4", "accepted-invalid", "an error", got, evidence=wrong)

    def _compute(self, case: ProgramCase, inputs: Sequence[tuple[str, Operand]]) -> None:
        """Compute the outputs of a program for inputs that have a wrong size.

        PyTensor only logs that a rewrite raises an exception.
        """
        with stage("build"):
            graph = graphs.build_with(case, inputs)
        lowered, _ = run_with_rewrite_fallback("lower", partial(graphs.lower, case, graph))
        compiling = partial(self._compiled, graphs.inputs_of(graph, ()), lowered)
        function, _ = run_with_rewrite_fallback("compile", compiling)
        arrays = _arrays(case, graph, inputs).values()
        run_with_rewrite_fallback("run", partial(function, *arrays))

    def _wrong_graphs(
        self, inputs: Sequence[Any], lowered: Sequence[Any], bars: Sequence[Any], function: Any
    ) -> Iterator[Difference]:
        # Only the lowering "stock" may leave an `OpFromGraph` to the rewrites of a mode.
        inner_graphs = self.lowering == "stock"
        compiled = compiled_nodes(function, self.mode, self.lowering, len(lowered))
        if bars and any("forward" in each for each in compiled):
            # A fused node may compute both an answer and a gradient: compile the answers alone.
            with stage("compile"):
                alone = self._compiled(inputs, lowered)
            of_gradients = (each for each in compiled if "gradient" in each)
            of_answers = compiled_nodes(alone, self.mode, self.lowering, len(lowered))
            compiled = (*of_answers, *of_gradients)
        found = {
            ("the lowered graph", "lower"): (
                *unlowered_nodes(lowered, "the forward graph", inner_graphs),
                *unlowered_nodes(bars, "the gradient graph", inner_graphs),
            ),
            ("the compiled graph", "compile"): compiled,
        }
        wanted = "only tensor operations"
        for (name, at), sentences in found.items():
            for sentence in sentences:
                yield Difference(name, "R14", "structure", wanted, sentence, at)


def _called(function: Any, inputs: Sequence[Any], *arguments: Array) -> Any:
    """Call a function; for xtensors, pass transposed arrays of xarray if it is installed."""
    return function(
        *(
            DataArray(array.T, dims=variable.type.dims[::-1])
            if DataArray is not None and isinstance(variable, XTensorVariable)
            else array
            for variable, array in zip(inputs, arguments, strict=True)
        )
    )


def _arrays(
    case: ProgramCase, graph: graphs.ProgramGraph, inputs: Sequence[tuple[str, Operand]]
) -> dict[str, Array]:
    """Return the arguments of a call for inputs that have a wrong size."""
    return {
        name: graphs.readable(case.array(number, operand))
        for number, (name, operand) in enumerate(inputs)
        if is_input(graph.variables[name])
    }


def _is_of_inputs(difference: Difference, case: ProgramCase) -> bool:
    """Return whether a graph has only what stays of inputs that are xtensors."""
    left = ("an xtensor is left", "the xtensor op TensorFromXTensor is left")
    return case.built == "xtensors" and difference.got.startswith(left)


def _rejected(raised: Raised) -> Difference:
    return _failure(raised, "R6", "rejected-valid", "no error")


def _failed_rewrite(raised: Raised) -> Difference:
    return _failure(raised, "R14", "structure", "no failing rewrite")


def _failure(raised: Raised, rule: str, kind: str, expected: str) -> Difference:
    got = shortened(f"{raised.type}: {' '.join(raised.message.split())}")
    return Difference(raised.stage, rule, kind, expected, got, raised.stage, evidence=raised)


def _wrong_types(case: ProgramCase, graph: graphs.ProgramGraph) -> Iterator[Difference]:
    """Yield what is wrong with the declared dims, dtype and static shape of results.

    What follows from a wrong type is left out. Lowered graphs declare no dims, and need not know
    the static shape.
    """
    if case.built == "vectorized-after-lowering":
        return
    program = case.computed.program
    wrong: set[str] = set()
    for step in program.steps:
        if step.name not in graph.values:
            continue
        if not wrong.isdisjoint(step.arguments):
            wrong.add(step.name)
            continue
        operand, declared = program.types[step.name], graph.values[step.name].type
        for rule, kind, expected, got in (
            ("R5", "wrong-dims", operand.dims, declared.dims),
            ("R7", "wrong-dtype", operand.dtype, declared.dtype),
            ("R9", "wrong-shape", operand.static_shape, declared.shape),
        ):
            if got != expected:
                shown = f"declared {one_line(expected)}", f"declared {one_line(got)}"
                wrong.add(step.name)
                yield Difference(step.name, rule, kind, *shown, "build")


def _wrong_answers(
    case: ProgramCase,
    graph: graphs.ProgramGraph,
    derivatives: Sequence[graphs.Derivative],
    function: Any,
    replicate: int,
) -> Iterator[Difference]:
    """Call the function with the numbers of a replicate, and judge its results."""
    with stage("run"):
        arguments = [*arguments_of(case, graph, derivatives, replicate).values()]
    # PyTensor compiles the inner graph of an OpFromGraph at the first call.
    before = [argument.copy() for argument in arguments]
    results, logged = run_with_rewrite_fallback("run", partial(function, *arguments))
    yield from map(_failed_rewrite, logged)
    results = [np.asarray(result) for result in results]
    first = [result.copy() for result in results]
    with stage("run"):
        again = function(*arguments)
    yield from _wrong_conduct(case, arguments, before, results, first, again)
    expected = list(answers_of(case))
    estimates = {
        program: estimates_of(case, program, replicate)
        for program in dict.fromkeys(answer.program for answer in expected)
    }
    for answer, result in zip(expected, results, strict=True):
        # The dims of an output are those that its graph declares.
        dims = answer.dims if answer.order else graph.values[answer.name].type.dims
        found = NamedTensor.trusted(result, dims)
        for each in differences([answer.output], estimates[answer.program], [found]):
            if answer.order:
                each = replace(each, name=answer.name, rule="R8", kind="wrong-gradient")
            yield each


def arguments_of(
    case: ProgramCase,
    graph: graphs.ProgramGraph,
    derivatives: Sequence[graphs.Derivative],
    replicate: int,
) -> dict[str, Array]:
    """Return the arguments of a call, in order, and give shared variables their values."""
    program = derivatives[-1].program if derivatives else case.program
    values = case.values(program, replicate)
    arguments = {}
    for name, _ in program.inputs:
        array = graphs.readable(values[name].data)
        variable = graph.variables.get(name)
        # A shared xtensor is judged with the value that it is made with, too.
        has_value = isinstance(variable, XTensorVariable) and replicate == 0
        if variable is None or is_input(variable):
            arguments[name] = array
        elif isinstance(variable, SharedVariable) and not has_value:
            graphs.set_shared_value(variable, array)
    return arguments


def _wrong_conduct(
    case: ProgramCase,
    arguments: Sequence[Array],
    before: Sequence[Array],
    results: Sequence[Array],
    first: Sequence[Array],
    again: Sequence[Any],
) -> Iterator[Difference]:
    """Yield what a call changes, shares or answers anew (R10 and R12).

    `before` and `first` are copies of the arguments and of the results of the first call.
    """
    for argument, copy in zip(arguments, before, strict=True):
        if not _is_equal(argument, copy):
            yield Difference("an input", "R12", "side-effect", "unchanged", "written to")
        if any(np.shares_memory(argument, result) for result in results):
            yield Difference("an output", "R12", "side-effect", "its own memory", "an input's")
    names = [answer.name for answer in answers_of(case)]
    for number, result in enumerate(results):
        if any(np.shares_memory(result, other) for other in results[:number]):
            wanted, got = "its own memory", "another output's"
            yield Difference(names[number], "R12", "side-effect", wanted, got)
    for name, result, copy, second in zip(names, results, first, again, strict=True):
        if not _is_equal(result, copy):
            yield Difference(name, "R12", "side-effect", "unchanged", "changed by another call")
        if not _is_equal(copy, np.asarray(second)):
            yield Difference(name, "R10", "nondeterminism", "the same again", "another answer")


def _is_equal(x: Array, y: Array) -> bool:
    return np.array_equal(x, y, equal_nan=x.dtype.kind == "f")
