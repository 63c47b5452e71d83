"""How a known deviation is put on record, and the predicates that they share."""

from __future__ import annotations

import re
from collections.abc import Callable
from inspect import cleandoc

from refdot.cases.case import DotCase
from refdot.errors import SizeMismatchError
from refdot.judging.expected import correct_gradient, correct_value, expected_error
from refdot.judging.rounding import CorrectAnswers
from refdot.lowering import Lowering, lower_dot
from refdot.targets.mismatch import Deviation, Mismatch
from refdot.targets.outcome import Outcome
from refdot.tensor import Array

__all__ = [
    "DEVIATIONS",
    "answer_of",
    "correct_of",
    "disagreeing",
    "has_lowering",
    "has_size_0",
    "has_wrong_elements",
    "is_as_declared",
    "known_sizes",
    "lowering_of",
    "on_record",
    "raised",
]


_Explanation = Callable[[Mismatch, Outcome], bool]
DEVIATIONS: list[Deviation] = []


def on_record(
    rules: str,
    kinds: str,
    *,
    example: DotCase,
    versions: str = ">=3.0",
    backends: tuple[str, ...] = (),
    upstream: str = "",
) -> Callable[[_Explanation], _Explanation]:
    """Put a deviation on record: its name is its id, its docstring its title and its cause.

    It explains mismatches of the given rules and kinds alone.
    """

    def record(matches: _Explanation) -> _Explanation:
        title, _, cause = cleandoc(matches.__doc__ or "").partition("\n\n")
        name = matches.__name__.replace("_", "-")
        DEVIATIONS.append(
            Deviation(
                name,
                title,
                tuple(rules.split()),
                tuple(kinds.split()),
                versions,
                backends,
                matches,
                example,
                cause,
                upstream,
            )
        )
        return matches

    return record


def correct_of(mismatch: Mismatch) -> CorrectAnswers:
    """Work out the correct answers, or gradients, of what is wrong."""
    case, replicate = mismatch.case, mismatch.replicate
    if mismatch.kind == "wrong-value":
        return correct_value(case, replicate)
    return correct_gradient(case, mismatch.order, mismatch.operand, replicate)


def answer_of(mismatch: Mismatch, outcome: Outcome) -> Array:
    """Find the answer, or the gradient, that is wrong."""
    if mismatch.kind == "wrong-value":
        return outcome.values[mismatch.replicate].data
    wanted = (mismatch.order, mismatch.operand, mismatch.replicate)
    return next(
        gradient.value
        for gradient in outcome.gradients
        if (gradient.order, gradient.operand, gradient.replicate) == wanted
    )


def has_wrong_elements(mismatch: Mismatch, outcome: Outcome) -> bool:
    """Whether what is wrong are elements, and nothing more: no error, no shape and no dtype."""
    ended = mismatch.kind == "wrong-gradient" and outcome.gradient_raised is not None
    return not ended and not mismatch.detail.endswith((": shape", ": dtype"))


def has_lowering(case: DotCase) -> bool:
    """Whether the names of a case are valid."""
    error = expected_error(case)
    return error is None or isinstance(error, SizeMismatchError)


def lowering_of(case: DotCase) -> Lowering:
    """Give the lowering of a case of valid names."""
    return lower_dot(case.x.dims, case.y.dims, case.dim.names)


def disagreeing(case: DotCase) -> dict[str, tuple[int, int]]:
    """Give the dims whose sizes differ, each with its size in x and in y."""
    error = expected_error(case)
    return error.sizes if isinstance(error, SizeMismatchError) else {}


def known_sizes(mismatch: Mismatch, dim: str) -> tuple[int | None, ...]:
    """Give the size of a shared dim in each operand, where the graph is told it."""
    operands = (mismatch.case.x, mismatch.case.y)
    return tuple(dict(zip(o.dims, o.static_shape, strict=True))[dim] for o in operands)


def raised(outcome: Outcome, type_: str, message: str) -> bool:
    """Whether an outcome, or its gradient alone, ended with an error of a type and message."""
    error = outcome.raised or outcome.gradient_raised
    return error is not None and error.type == type_ and bool(re.search(message, error.message))


def is_as_declared(outcome: Outcome) -> bool:
    """Whether there is an answer, and its shape is the one that the graph declares."""
    declared, values = outcome.declared, outcome.values
    return declared is not None and all(
        len(declared.shape) == value.ndim
        and all(map(lambda length, size: length in (None, size), declared.shape, value.shape))
        for value in values
    )


def has_size_0(case: DotCase) -> bool:
    """Whether an operand has no elements."""
    return 0 in case.x.shape + case.y.shape
