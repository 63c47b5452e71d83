"""Categories of the test cases of programs, and the number of cases in each."""

from collections import Counter
from collections.abc import Callable, Iterable, Set
from itertools import chain

from refdot.cases.case import CONTENTS, LAYOUTS, ORIGINS
from refdot.programs.case import BUILDS, PROGRAM_REGIMES, ProgramCase
from refdot.programs.operations import OPERATIONS
from refdot.programs.program import DTYPES

__all__ = ["count_programs_by_category"]

# Gradients need these; a drawn program has no use for them.
_ONLY_IN_GRADIENTS = {"place", "broadcast_like"}


def _operations(case: ProgramCase) -> set[str]:
    return {step.operation for step in case.program.steps}


def _static(case: ProgramCase) -> set[bool]:
    return {each for _, operand in case.program.inputs for each in operand.static}


def _uses(case: ProgramCase) -> Counter[str]:
    return Counter(name for step in case.program.steps for name in step.arguments)


def _origins_of(case: ProgramCase) -> dict[str, str]:
    """Return for each value the value that it is, but for the names and the order of its dims."""
    origins: dict[str, str] = {}
    for step in case.program.steps:
        moves = step.operation in ("rename", "transpose")
        first = step.arguments[0]
        origins[step.name] = origins.get(first, first) if moves else step.name
    return origins


def _meets_itself(case: ProgramCase) -> bool:
    origins, types = _origins_of(case), case.program.types
    return any(
        step.operation == "dot"
        and len({origins.get(name, name) for name in step.arguments}) == 1
        and len({types[name].dims for name in step.arguments}) == 2
        for step in case.program.steps
    )


def _follows(case: ProgramCase, first: str, second: str) -> bool:
    steps = case.program.step_of
    return any(
        step.operation == second and name in steps and steps[name].operation == first
        for step in case.program.steps
        for name in step.arguments
    )


# For each property: the values that are counted, and the values of a case.
_PROPERTIES: dict[str, tuple[Iterable[object], Callable[[ProgramCase], Set[object]]]] = {
    "operation": ([each for each in OPERATIONS if each not in _ONLY_IN_GRADIENTS], _operations),
    "number of steps": (range(2, 7), lambda case: {len(case.program.steps)}),
    "number of outputs": (range(1, 4), lambda case: {len(case.program.outputs)}),
    "value regime": (PROGRAM_REGIMES, lambda case: {case.regime}),
    "gradient order": (range(3), lambda case: {case.gradient_order}),
    "built": (BUILDS, lambda case: {case.built}),
    "dtype": (DTYPES, lambda case: {each.dtype for _, each in case.program.inputs}),
    "size": (range(6), lambda case: {n for _, each in case.program.inputs for n in each.shape}),
    "layout": (LAYOUTS, lambda case: {each.layout for _, each in case.program.inputs}),
    "origin": (ORIGINS, lambda case: {each.origin for _, each in case.program.inputs}),
    "content": (CONTENTS, lambda case: {each.content for _, each in case.program.inputs}),
}
_OTHERS: dict[str, Callable[[ProgramCase], bool]] = {
    "a value is used twice": lambda case: max(_uses(case).values()) > 1,
    "a value meets itself under another name": _meets_itself,
    "a dot of a dot": lambda case: _follows(case, "dot", "dot"),
    "a softmax of a dot": lambda case: _follows(case, "dot", "softmax"),
    "a dot of a softmax": lambda case: _follows(case, "softmax", "dot"),
    "all sizes are static": lambda case: _static(case) == {True},
    "some sizes are static, others not": lambda case: len(_static(case)) == 2,
    "no size is static": lambda case: _static(case) == {False},
}


def count_programs_by_category(cases: Iterable[ProgramCase]) -> dict[str, int]:
    """Return the number of test cases of programs in each category.

    Examples
    --------
    >>> from refdot.programs.named import named_program
    >>> counts = count_programs_by_category([ProgramCase(named_program("gram"))])
    >>> counts["operation: dot"], counts["a value meets itself under another name"]
    (1, 1)
    """
    cases = list(cases)
    counts: dict[str, int] = {}
    for label, (values, values_of) in _PROPERTIES.items():
        found = Counter(chain.from_iterable(map(values_of, cases)))
        counts |= {f"{label}: {value}": found[value] for value in values}
    return counts | {label: sum(map(holds, cases)) for label, holds in _OTHERS.items()}
