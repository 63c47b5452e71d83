"""Deviations of one of the dots of a program."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from refdot.cases.case import REGIMES, DimArgument, DotCase, Operand
from refdot.errors import SizeMismatchError
from refdot.judging.comparison import every_mismatch
from refdot.judging.fingerprints import fingerprint
from refdot.programs.case import ProgramCase
from refdot.programs.findings import Observation
from refdot.programs.judgement import Difference
from refdot.programs.operations import result_type
from refdot.programs.program import Program, Step
from refdot.programs.wrong_sizes import WrongSize
from refdot.pytensor.programs.graph import NOT_ACCEPTED
from refdot.targets.mismatch import Mismatch
from refdot.targets.outcome import Raised
from refdot.targets.protocol import deviation_of

__all__ = ["cause_in_a_dot"]


def cause_in_a_dot(seen: Observation, target: Any) -> str | None:
    """Return the id of the known deviation of one of the dots, if that dot alone shows it.

    That is an error with the same message. A size that is accepted is known if each step that it
    makes invalid is a dot with a known deviation. A wrong number may come from any of the dots, so
    that none of them explains it.
    """
    evidence = seen.difference.evidence
    if isinstance(evidence, WrongSize):
        causes = [
            None if case is None else _cause(seen, case, target)
            for case in _invalid_dots(evidence, seen.case.computed)
        ]
        return causes[0] if causes and all(causes) else None
    if isinstance(evidence, Raised):
        cases = dict.fromkeys((*_dots(seen.case), *_dots(seen.case.computed)))
        return next(filter(None, (_cause(seen, case, target) for case in cases)), None)
    return None


def _cause(seen: Observation, case: DotCase, target: Any) -> str | None:
    """Return the id of the known deviation of a dot, if the dot alone shows what was seen."""
    outcome = target.run(case, seen.backend, seen.lowering)
    causes = [
        deviation_of(target, mismatch, outcome, seen.backend, seen.lowering)
        for mismatch in every_mismatch(case, outcome, target)
        if _is_same(seen.difference, mismatch)
    ]
    known = [deviation.id for deviation in causes if deviation is not None]
    return known[0] if known and len(known) == len(causes) else None


def _is_same(difference: Difference, mismatch: Mismatch) -> bool:
    """Return whether a dot alone raises the same error, or accepts the sizes too."""
    raised = difference.evidence
    if not isinstance(raised, Raised):
        return mismatch.kind == difference.kind
    message = f"{raised.type}: {fingerprint(raised, mismatch.case)}"
    return mismatch.stage == raised.stage and mismatch.detail.endswith(message)


def _accepted(operand: Operand) -> Operand:
    """Return the operand as the program passes it to PyTensor."""
    return replace(operand, layout="c") if operand.layout in NOT_ACCEPTED else operand


def _invalid_dots(wrong: WrongSize, case: ProgramCase) -> Iterator[DotCase | None]:
    """Yield the steps that a wrong size makes invalid as cases, and None for one that is no dot.

    A result of such a step has the type that it has with the right size.
    """
    types = dict(wrong.inputs(case.program))
    for step in case.program.pruned(keep_inputs=True).steps:
        operands = [types[name] for name in step.arguments]
        try:
            types[step.name] = result_type(step.operation, operands, step.parameter)
        except SizeMismatchError:
            order = 0 if wrong.is_static else case.gradient_order
            is_dot = step.operation == "dot"
            yield replace(_dot_case(case, step, types), gradient_order=order) if is_dot else None
            types[step.name] = case.program.types[step.name]


def _dots(case: ProgramCase) -> Iterator[DotCase]:
    """Yield each dot of a program as a case of its own.

    PyTensor may multiply integers first, and their product by the scalars that they are multiplied
    by: such a dot is also a case of integers.
    """
    integers = _scaled_integers(case.program)
    for step in case.program.steps:
        if step.operation == "dot":
            found = _dot_case(case, step, case.program.types)
            yield found
            if integers.issuperset(step.arguments):
                x, y = (replace(each, dtype="int64") for each in (found.x, found.y))
                yield replace(found, x=x, y=y, gradient_order=0)


def _dot_case(case: ProgramCase, step: Step, types: Mapping[str, Operand]) -> DotCase:
    x, y = (_accepted(types[name]) for name in step.arguments)
    return DotCase(
        x,
        y,
        DimArgument.of(step.parameter),
        case.regime if case.regime in REGIMES else "rounding",
        case.seed,
        same_variable=len(set(step.arguments)) == 1,
        gradient_order=case.gradient_order,
    )


def _scaled_integers(program: Program) -> set[str]:
    """Return the names of the values that are integers, or integers times a scalar."""
    types = program.types
    found = {name for name, operand in program.inputs if operand.dtype == "int64"}
    for step in program.steps:
        others = [name for name in step.arguments if types[name].dims]
        scales = step.operation in ("scale", "negative") or (
            step.operation == "multiply" and len(others) == 1
        )
        moves = step.operation in ("transpose", "rename", "isel")
        if types[step.name].dtype == "int64" or ((scales or moves) and found.issuperset(others)):
            found.add(step.name)
    return found
