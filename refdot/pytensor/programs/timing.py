"""The time that PyTensor takes for a program, by phase."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytensor

from refdot.programs.case import ProgramCase
from refdot.pytensor.programs import graph as graphs
from refdot.pytensor.programs.judge import arguments_of
from refdot.pytensor.target import PyTensorTarget

__all__ = ["PHASES", "program_seconds"]

PHASES = ("build", "lower", "gradient", "compile", "first call", "call")


def program_seconds(
    target: PyTensorTarget, case: ProgramCase, backend: str = "python", lowering: str = "stock"
) -> dict[str, float]:
    """Return the seconds of each phase of a program and its gradients.

    Examples
    --------
    >>> from refdot.programs.named import named_program
    >>> case = ProgramCase(named_program("gram"), gradient_order=1)
    >>> tuple(program_seconds(PyTensorTarget(), case, lowering="inlined")) == PHASES
    True
    """
    seconds: dict[str, float] = {}

    @contextmanager
    def phase(name: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        seconds[name] = time.perf_counter() - start

    with target.configured(backend, lowering) as mode:
        with phase("build"):
            graph = graphs.build(case)
        case = case.computed
        with phase("lower"):
            lowered = graphs.lower(case, graph)
        with phase("gradient"):
            derivatives = graphs.derivatives(case, graph, lowered)
        inputs = graphs.inputs_of(graph, derivatives)
        bars = [bar for derivative in derivatives for bar in derivative.outputs]
        with phase("compile"):
            function = pytensor.function(
                inputs, [*lowered, *bars], mode=mode, on_unused_input="ignore"
            )
        arguments = arguments_of(case, graph, derivatives, replicate=0).values()
        for name in ("first call", "call"):
            with phase(name):
                function(*arguments)
    return seconds
