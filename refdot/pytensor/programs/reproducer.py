"""Write what is wrong with a program as a standalone script for a bug report.

The text of the script is the template `program`, beside those of dots; this module computes the
values to fill in.
"""

from __future__ import annotations

import builtins
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from refdot.cases.case import Operand
from refdot.cases.layouts import LAYOUTS, layout_function
from refdot.programs.case import ProgramCase
from refdot.programs.findings import Observation
from refdot.programs.judgement import Difference
from refdot.programs.operations import OPERATIONS
from refdot.programs.program import Program, Step
from refdot.programs.wrong_sizes import WrongSize
from refdot.pytensor.programs.answers import answers_of, estimates_of
from refdot.pytensor.programs.graph import NOT_ACCEPTED, dims_with_batch, number_beside
from refdot.pytensor.target.backends import BACKENDS
from refdot.pytensor.target.scripts import (
    complete_script,
    layout_sources,
    script_templates,
    sources,
)
from refdot.tensor import Array

if TYPE_CHECKING:
    from jinja2 import Environment

__all__ = ["program_reproducer"]


def program_reproducer(seen: Observation) -> str:
    """Return a standalone script that shows what is wrong with a program.

    The script prints the expected and the actual answer, and exits 1 while they differ. It imports
    refdot only if the lowering is "direct", which is refdot's own.
    """
    entry = BACKENDS[seen.backend]
    case = seen.case.computed
    script = _Script(case, seen.case, seen.difference, seen.lowering, entry.mode, entry.blas_flags)
    operands = [operand for _, operand in case.program.inputs if _layout(operand)]
    body = (
        _templates()
        .get_template("program.py.jinja")
        .render(script=script, layout_sources=layout_sources(operands), **sources())
    )
    needs_refdot = seen.lowering == "direct" and not script.is_build_only
    return complete_script(body, f"{seen.difference}\n{seen.case}", needs_refdot)


@cache
def _templates() -> Environment:
    jinja = script_templates()
    jinja.filters.update(
        entries=_entries, layout_of_inputs=_layout, python_name=_python_name, step_code=_step_code
    )
    return jinja


def _entries(names: Iterable[str], mapping: str) -> str:
    return ", ".join(f"{mapping}[{name!r}]" for name in names)


def _layout(operand: Operand) -> str:
    """Return the name of the function that gives an input its layout; empty for C order."""
    function = layout_function(operand.layout)
    return function.__name__ if function and operand.layout not in NOT_ACCEPTED else ""


def _python_name(name: str) -> str:
    """Return a variable of the script for a value: its name, if the script does not use it."""
    return f"{name}_" if name.rstrip("_") in _words() else name


@cache
def _words() -> set[str]:
    """Return the names that a script may use, without the underscores at their ends."""
    loader = _templates().loader
    assert loader is not None
    texts = [
        loader.get_source(_templates(), name)[0]
        for name in loader.list_templates()
        if name.endswith(".py.jinja")
    ]
    layouts = filter(None, map(layout_function, LAYOUTS))
    functions = [name.removeprefix("source_of_") for name in sources()]
    functions += [each.__name__ for each in layouts]
    words = (*functions, *dir(builtins), *re.findall(r"\w+", "\n".join(texts)))
    return {word.rstrip("_") for word in words}


def _number(dtype: str, step: Step) -> str:
    number = number_beside(dtype, step.operation, step.parameter)
    if isinstance(number, np.generic):
        return f"number(np.{number.dtype}({step.parameter!r}))"
    return f"number({number!r})"


def _index(index: int) -> str:
    return f"number(np.int64({index}))"


def _isel(x: str, step: Step) -> str:
    indices = (f"{dim!r}: {_index(index)}" for dim, index in step.parameter)
    return f"{x}.isel({{{', '.join(indices)}}})"


def _place(x: str, like: str, step: Step) -> str:
    zeros = f"as_xtensor(pt.zeros_like({like}.values, dtype={x}.type.dtype), dims={like}.type.dims)"
    return f"{_isel(zeros, step)}.set({x})"


# For each operation, a function from its arguments, as code, and its step to the code of its
# result.
_CODE: dict[str, Callable[..., str]] = {
    "dot": lambda x, y, step: f"dot({x}, {y}, dim={step.parameter!r})",
    "add": lambda x, y, step: f"{x} + {y}",
    "subtract": lambda x, y, step: f"{x} - {y}",
    "multiply": lambda x, y, step: f"{x} * {y}",
    "divide": lambda x, y, step: f"{x} / {y}",
    "negative": lambda x, step: f"-{x}",
    "exp": lambda x, step: f"exp({x})",
    "power": lambda x, number, step: f"{x} ** {number}",
    "scale": lambda x, number, step: f"{x} * {number}",
    "sum": lambda x, step: f"{x}.sum(dim={step.parameter!r})",
    "softmax": lambda x, step: f"softmax({x}, dim={step.parameter!r})",
    "transpose": lambda x, step: f"{x}.transpose(*{step.parameter!r})",
    "rename": lambda x, step: f"{x}.rename({dict(step.parameter)!r})",
    "isel": _isel,
    "place": _place,
    "broadcast_like": lambda x, y, step: f"{x}.broadcast_like({y}).transpose(*{y}.type.dims)",
}


def _step_code(step: Step, types: Mapping[str, Operand]) -> str:
    arguments = [_python_name(name) for name in step.arguments]
    if OPERATIONS[step.operation].parameter == "number":
        arguments.append(_number(types[step.arguments[0]].dtype, step))
    return _CODE[step.operation](*arguments, step)


@dataclass(frozen=True)
class _Derivative:
    """The gradients of one order: their cotangents, and the gradients as code."""

    cotangents: tuple[tuple[str, Operand], ...]
    code: str


@dataclass(frozen=True)
class _Script:
    """The values that the template fills in."""

    case: ProgramCase
    written: ProgramCase  # without the batch dim that is added to the graph of it
    difference: Difference
    lowering: str
    mode: str
    blas_flags: str

    @property
    def program(self) -> Program:
        return self.case.program

    @property
    def is_vectorized(self) -> bool:
        # With static sizes, the whole program is built anew.
        return self.case is not self.written and not self._has_static_size

    @property
    def batched(self) -> list[tuple[str, Operand]]:
        """The inputs to which a batch dim is added, without it."""
        computed = dict(self.program.inputs)
        return [each for each in self.written.program.inputs if computed[each[0]] != each[1]]

    def dims_before_transposition(self, name: str) -> tuple[str, ...]:
        """Return the dims of an output after its tensor is vectorized."""
        return dims_with_batch(self.written, name)

    @property
    def has_xtensors(self) -> bool:
        return self.case.built == "xtensors"

    @property
    def has_shared_xtensors(self) -> bool:
        return self.has_xtensors and any(each.origin == "shared" for _, each in self.inputs)

    @property
    def rewrites(self) -> str:
        more = ("canonicalize", "stabilize") if self.case.built == "stabilized" else ()
        return repr(("lower_xtensor", *more))

    @property
    def sources(self) -> str:
        """The outputs to differentiate, as code."""
        names = list(self.program.outputs)
        positions = map(names.index, self.case.differentiated)
        if self.case.built == "unlowered":
            return ", ".join(f"outputs[{number}]" for number in positions)
        return ", ".join(f"lowered[{number}]" for number in positions)

    @property
    def is_build_only(self) -> bool:
        """Whether building the graph shows the difference, without values."""
        return self.difference.stage == "build"

    @property
    def rewrite_fails(self) -> bool:
        """Whether the difference is a rewrite that raises, which PyTensor only logs."""
        return self.difference.expected == "no failing rewrite"

    @property
    def raises(self) -> bool:
        return self.rewrite_fails or self.difference.kind == "rejected-valid"

    @property
    def wrong_size(self) -> WrongSize | None:
        """The size that PyTensor accepts and should not, if this is the difference."""
        return self.difference.evidence if self.difference.rule == "R4" else None

    @property
    def _has_static_size(self) -> bool:
        return self.wrong_size is not None and self.wrong_size.is_static

    @property
    def is_behavior(self) -> bool:
        """Whether a call changes something, shares memory or gives another answer again."""
        return self.difference.kind in ("side-effect", "nondeterminism")

    @property
    def is_left_node(self) -> bool:
        """Whether the difference is a node that a graph must not have."""
        return self.difference.kind == "structure" and not self.rewrite_fails

    @property
    def graph_at_fault(self) -> tuple[str, str]:
        """The graph that has such a node, and its outputs as code."""
        compiled, count = "function.maker.fgraph.outputs", len(self.program.outputs)
        graphs = {
            "the compiled forward graph": f"{compiled}[:{count}]",
            "the compiled gradient graph": f"{compiled}[{count}:]",
            "the forward graph": "lowered",
            "the gradient graph": "bars",
        }
        return next(each for each in graphs.items() if self.difference.got.endswith(each[0]))

    @property
    def has_numbers(self) -> bool:
        return any(
            OPERATIONS[step.operation].parameter in ("number", "indices")
            for step in self.program.steps
        )

    def variable(self, name: str, operand: Operand) -> str:
        """Return the code of the variable of an input or a cotangent."""
        value = f"values[{name!r}]"
        if operand.origin == "constant":
            return (
                f"as_xtensor({value}, dims={operand.dims})"
                if self.has_xtensors
                else f"pt.constant({value})"
            )
        if operand.origin == "shared":
            # A later value is set after compiling: the first may be what the function keeps.
            first = f"np.ones_like({value})" if self.difference.replicate else value
            if self.has_xtensors:
                return f"shared_copy({first}, dims={operand.dims}, shape={operand.static_shape})"
            return f"pytensor.shared({first}, shape={operand.static_shape}, borrow=True)"
        if self.has_xtensors and name in dict(self.program.inputs):
            dims, shape = operand.dims, operand.static_shape
            return f"xtensor({name!r}, dims={dims}, shape={shape}, dtype={operand.dtype!r})"
        return f"pt.tensor({name!r}, dtype={operand.dtype!r}, shape={operand.static_shape})"

    @property
    def _derivative_programs(self) -> tuple[Program, ...]:
        """The gradients that the script computes: none if the answers show the difference."""
        is_of_answers = self.difference.got.endswith("the compiled forward graph")
        if self.is_build_only or is_of_answers or self._has_static_size:
            return ()
        return self.case.derivatives

    @property
    def last_program(self) -> Program:
        """The program that has all inputs of the script."""
        return self._derivative_programs[-1] if self._derivative_programs else self.program

    @property
    def derivatives(self) -> list[_Derivative]:
        sources, found, count = self.sources, [], len(self.program.inputs)
        of_program, outputs = dict(self.program.inputs), self.program.outputs
        inputs = ", ".join(
            f"variables[{name!r}]" if name in of_program else f"lowered[{outputs.index(name)}]"
            for name in self.case.differentiable
        )
        for program in self._derivative_programs:
            cotangents = program.inputs[count:]
            bars = _entries([name for name, _ in cotangents], "variables")
            code = f"gradients([{sources}], [{inputs}], [{bars}])"
            found.append(_Derivative(cotangents, code))
            sources, count = "*bars", len(program.inputs)
        return found

    @property
    def all_inputs(self) -> tuple[tuple[str, Operand], ...]:
        """The inputs and cotangents of the function."""
        size, program = self.wrong_size, self.last_program
        return size.inputs(program) if size else program.inputs

    @property
    def inputs(self) -> tuple[tuple[str, Operand], ...]:
        return self.all_inputs[: len(self.program.inputs)]

    @property
    def values(self) -> dict[str, Array]:
        return {
            name: self.case.array(number, operand, self.difference.replicate)
            for number, (name, operand) in enumerate(self.all_inputs)
        }

    @property
    def arguments(self) -> list[str]:
        """The inputs and cotangents that are arguments of the function."""
        return [name for name, each in self.all_inputs if each.origin == "input"]

    @property
    def given(self) -> str:
        """The arguments of the function, as code."""
        of_program = dict(self.program.inputs)
        return ", ".join(
            f"named(values[{name!r}], {of_program[name].dims})"
            if self.has_xtensors and name in of_program
            else f"values[{name!r}]"
            for name in self.arguments
        )

    @property
    def correct_type(self) -> tuple[tuple[str, ...], str, tuple[int | None, ...]]:
        """The dims, dtype and static shape that the graph should declare."""
        operand = self.program.types[self.difference.name]
        return operand.dims, operand.dtype, operand.static_shape

    @property
    def position(self) -> int:
        """The number of the wrong answer among those of the function."""
        names = [answer.name for answer in answers_of(self.case)]
        return names.index(self.difference.name)

    @property
    def correct_answer(self) -> tuple[Array, Array]:
        """A correct answer, and the distance from it that is allowed."""
        answer = list(answers_of(self.case))[self.position]
        estimate = estimates_of(self.case, answer.program, self.difference.replicate)[answer.output]
        with np.errstate(all="ignore"):
            reference = estimate.value.astype(estimate.dtype)
            rounding: Any = np.abs(reference - estimate.value)
        bound = np.where(estimate.judged, estimate.bound + rounding, np.inf)
        return np.asarray(reference), np.asarray(bound, dtype=float)
