"""The oracle's answers to a case: its error, its value, and the bounds for other answers."""

from refdot.cases.case import DotCase
from refdot.errors import DotError
from refdot.evaluation import dot
from refdot.judging.rounding import (
    CorrectAnswers,
    correct_answers,
    correct_pull_back,
    has_wider,
)
from refdot.targets.outcome import REPLICATES
from refdot.tensor import NamedTensor

__all__ = [
    "correct_gradient",
    "correct_value",
    "expected_answer",
    "expected_error",
    "unjudged_reason",
]


def expected_error(case: DotCase) -> DotError | None:
    """Return the error that a case must raise, or None if the case is valid (R1 to R4)."""
    try:
        expected_answer(case)
    except DotError as error:
        return error
    return None


def expected_answer(case: DotCase, replicate: int = 0) -> NamedTensor:
    """Return the oracle's answer to a case, or raise its error."""
    return dot(*case.tensors(replicate), case.dim.value)


def correct_value(case: DotCase, replicate: int = 0) -> CorrectAnswers:
    """Return the correct answers to a valid case."""
    return correct_answers(*case.tensors(replicate), case.dim.names)


def correct_gradient(
    case: DotCase, order: int, operand: str, replicate: int = 0, conjugates: bool = False
) -> CorrectAnswers:
    """Return the correct gradients of a valid case.

    First order: the cotangents of x and y. Second order: the gradients of ⟨v, x̄⟩ + ⟨w, ȳ⟩ for
    random tangents v and w. Since x̄ is a dot of the cotangent with y, its gradient with respect to
    y is the cotangent of y with v in place of x; likewise for w. If both operands are the same
    variable, its name is "x".

    For complex numbers, ⟨a, b⟩ is Σ ab, or the real part of Σ āb if the convention `conjugates`.
    The gradients are then dots with the conjugates of y, x, w and v.
    """
    x, y = case.tensors(replicate)
    cotangent, v, w = case.cotangents(replicate)
    beside_x, beside_y = (y, x) if order == 1 else (w, v)
    if conjugates:
        beside_x, beside_y = (NamedTensor(t.data.conj(), t.dims) for t in (beside_x, beside_y))
    of_x = correct_pull_back(cotangent, beside_x, x)
    of_y = correct_pull_back(cotangent, beside_y, y)
    if case.same_variable:
        return of_x + of_y
    return of_x if operand == "x" else of_y


def unjudged_reason(case: DotCase) -> str | None:
    """Return why some elements of a case's answers are not judged, or None if all are."""
    if has_wider(case.result_dtype) or expected_error(case) is not None:
        return None
    if not any(correct_value(case, replicate).unjudged.any() for replicate in range(REPLICATES)):
        return None
    return f"sums beyond the range of {case.result_dtype}, which has no wider dtype"
