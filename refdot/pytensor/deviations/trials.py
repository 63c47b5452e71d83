"""Trials: cases that fail on empty arrays, run again without rewrites that may be the cause."""

from collections.abc import Iterator
from dataclasses import replace

from refdot.cases.case import DotCase
from refdot.errors import SizeMismatchError
from refdot.judging.expected import expected_error
from refdot.pytensor.deviations.joined import are_products_of_joined
from refdot.pytensor.deviations.size_errors import is_about_sizes
from refdot.targets.mismatch import Mismatch
from refdot.targets.outcome import Outcome

__all__ = [
    "DROPS_RESHAPE",
    "JOINS_BATCHES",
    "LEFT_OUT",
    "SELECTS",
    "is_caused_by",
    "is_on_record",
    "left_out",
]

# The rewrites that break some dots of empty arrays.
DROPS_RESHAPE = "local_useless_reshape"
JOINS_BATCHES = "specialize_matmul_to_batched_dot"
SELECTS = "selection_dot_to_indexing"
# This one breaks some of them if the others are left out.
_MULTIPLIES = "local_dot_to_mul"

# The sets of rewrites that are left out, one after the other.
LEFT_OUT = (
    (DROPS_RESHAPE,),
    (JOINS_BATCHES,),
    (DROPS_RESHAPE, JOINS_BATCHES),
    (JOINS_BATCHES, _MULTIPLIES),
    (DROPS_RESHAPE, JOINS_BATCHES, _MULTIPLIES),
)


def left_out(case: DotCase) -> tuple[tuple[str, ...], ...]:
    """Return the sets of rewrites to leave out, one after the other, until a case does not fail."""
    if "constant" in (case.x.origin, case.y.origin):
        return (*LEFT_OUT[:2], (SELECTS,), *LEFT_OUT[2:], (*LEFT_OUT[-1], SELECTS))
    return LEFT_OUT


def is_on_record(case: DotCase, outcome: Outcome) -> bool:
    """Return whether an outcome of empty arrays is right but for deviations with other causes."""
    return not any(_failures(case, outcome))


def is_caused_by(rewrite: str, mismatch: Mismatch, outcome: Outcome) -> bool:
    """Return whether a failure is gone if a rewrite is left out.

    Another failure may take its place. But if other rewrites are left out as well, there is none
    but those that have nothing to do with this one. To a failure of the dot or of its gradient, an
    error that PyTensor only logs has nothing to do.
    """
    case, alone = mismatch.case, outcome.without.get((rewrite,))
    failures = {*_failures(case, outcome)}
    is_one = mismatch.stage != "build" and mismatch.got in failures
    if not is_one or alone is None or mismatch.got in _failures(case, alone):
        return False
    others, is_logged = failures - {mismatch.got}, mismatch.kind == "structure"
    trials = (other for rewrites, other in outcome.without.items() if rewrite in rewrites)
    return any(
        others.issuperset(_failures(case, other if is_logged else replace(other, logged=())))
        for other in trials
    )


def _failures(case: DotCase, outcome: Outcome) -> Iterator[str]:
    """Yield the errors that a case should not have, and the shapes that are wrong, as text."""
    error = expected_error(case)
    if error is None:
        yield from map(str, outcome.errors)
        yield from _wrong_shapes(case, outcome)
    elif isinstance(error, SizeMismatchError):
        if outcome.cause is not None and not is_about_sizes(outcome.cause, case):
            yield str(outcome.cause)
        if outcome.raised is None and not are_products_of_joined(case, outcome):
            yield "accepted"


def _wrong_shapes(case: DotCase, outcome: Outcome) -> Iterator[str]:
    sizes = case.y.sizes | case.x.sizes
    for answer in outcome.values:
        if answer.shape != tuple(map(sizes.get, answer.dims)):
            yield str(answer.shape)
    for gradient in outcome.gradients:
        if gradient.value.shape != getattr(case, gradient.operand).shape:
            yield str(gradient.value.shape)
