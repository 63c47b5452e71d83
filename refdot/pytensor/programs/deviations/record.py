"""The record of the known deviations that programs show."""

from __future__ import annotations

from collections.abc import Callable
from inspect import cleandoc

from refdot.programs.case import ProgramCase
from refdot.programs.findings import Observation, ProgramDeviation
from refdot.programs.notation import program
from refdot.pytensor.deviations.record import is_error
from refdot.pytensor.target import PyTensorTarget
from refdot.targets.outcome import Raised

__all__ = ["PROGRAM_DEVIATIONS", "case_of", "has_raised", "known"]

_Matcher = Callable[[Observation, PyTensorTarget], bool]


PROGRAM_DEVIATIONS: list[ProgramDeviation] = []


def known(
    kinds: str,
    example: ProgramCase,
    *,
    versions: str = ">=3.0.3",
    backends: str = "",
    lowerings: str = "",
) -> Callable[[_Matcher], _Matcher]:
    """Put a matcher on record; its name is the id, and its docstring the title and the cause."""

    def record(matches: _Matcher) -> _Matcher:
        title, _, cause = cleandoc(matches.__doc__ or "").partition("\n\n")
        words = (kinds, backends, lowerings)
        kinds_of, backends_of, lowerings_of = (tuple(each.split()) for each in words)
        PROGRAM_DEVIATIONS.append(
            ProgramDeviation(
                matches.__name__.replace("_", "-"),
                title,
                kinds_of,
                versions,
                backends_of,
                lowerings_of,
                matches,
                example,
                cause,
            )
        )
        return matches

    return record


def has_raised(seen: Observation, type_: str, pattern: str, function: str = "") -> bool:
    """Return whether what was seen is such an error; see `is_error`."""
    raised = seen.difference.evidence
    return isinstance(raised, Raised) and is_error(raised, type_, pattern, function)


def case_of(
    text: str, regime: str = "unit", gradient_order: int = 0, built: str = "plain"
) -> ProgramCase:
    """Return the case of a program whose steps are separated by semicolons."""
    return ProgramCase(program(text.replace("; ", "\n")), regime, 0, gradient_order, built)
