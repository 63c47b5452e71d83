"""Trials: cases that fail on empty arrays, run again without what may be the cause."""

from collections.abc import Iterator
from dataclasses import replace

from refdot.cases.case import DotCase
from refdot.errors import SizeMismatchError
from refdot.judging.expected import expected_error
from refdot.pytensor.deviations.joined import are_products_of_joined
from refdot.pytensor.deviations.record import is_error
from refdot.pytensor.deviations.size_errors import is_about_sizes
from refdot.targets.mismatch import Mismatch
from refdot.targets.outcome import Outcome

__all__ = [
    "BLOCKWISE_OF_NOTHING",
    "DEDUCES_SIZES",
    "DROPS_RESHAPE",
    "JOINS_BATCHES",
    "SELECTS",
    "TRIALS",
    "has_failed",
    "is_caused_by",
    "trials_of",
]

# The rewrites that break some dots of empty arrays.
DROPS_RESHAPE = "local_useless_reshape"
JOINS_BATCHES = "specialize_matmul_to_batched_dot"
SELECTS = "selection_dot_to_indexing"
# Not a rewrite: `Reshape.make_node` deduces the static size of a dim from the number of elements.
DEDUCES_SIZES = "sizes deduced by Reshape"
# This one breaks some of them if the others are left out.
_MULTIPLIES = "local_dot_to_mul"

# What each trial leaves out.
TRIALS = (
    (DROPS_RESHAPE,),
    (JOINS_BATCHES,),
    (DROPS_RESHAPE, JOINS_BATCHES),
    (JOINS_BATCHES, _MULTIPLIES),
    (DROPS_RESHAPE, JOINS_BATCHES, _MULTIPLIES),
)


# The error of a batch of size 0, for the products and reshapes that rewrites do not replace.
BLOCKWISE_OF_NOTHING = (
    "NotImplementedError",
    "vectorize with zero size not implemented",
    "Blockwise.perform",
)


def trials_of(case: DotCase) -> tuple[tuple[str, ...], ...]:
    """Return what each trial of a case leaves out, in the order of the trials."""
    single: list[tuple[str, ...]] = [*TRIALS[:2]]
    joint: list[tuple[str, ...]] = [*TRIALS[2:]]
    has_constant = "constant" in (case.x.origin, case.y.origin)
    if has_constant:
        single.append((SELECTS,))
        joint.append((*TRIALS[-1], SELECTS))
    if has_constant or any(0 in each.static_sizes.values() for each in (case.x, case.y)):
        single.append((DEDUCES_SIZES,))
        joint += [(DROPS_RESHAPE, DEDUCES_SIZES), (*joint[-1], DEDUCES_SIZES)]
    return (*single, *joint)


def has_failed(case: DotCase, outcome: Outcome) -> bool:
    """Return whether a case of empty arrays has failed in a way that a rewrite may cause."""
    return any(_failures(case, outcome))


def is_caused_by(part: str, mismatch: Mismatch, outcome: Outcome) -> bool:
    """Return whether a mismatch is a failure that is gone if a part of PyTensor is left out.

    Another failure may take its place, but not if further parts are left out. Failures that the
    case has besides may stay. Errors that PyTensor only logs count if the mismatch is one of them.
    """
    case, alone = mismatch.case, outcome.without.get((part,))
    failures = {*_failures(case, outcome)}
    is_failure = mismatch.stage != "build" and mismatch.got in failures
    if not is_failure or alone is None or mismatch.got in _failures(case, alone):
        return False
    others = (failures - {mismatch.got}).union(_failures_of_blockwise(case, outcome))
    is_logged = mismatch.kind == "structure"
    trials = (trial for parts, trial in outcome.without.items() if part in parts)
    return any(
        others.issuperset(_failures(case, trial if is_logged else replace(trial, logged=())))
        for trial in trials
    )


def _failures_of_blockwise(case: DotCase, outcome: Outcome) -> Iterator[str]:
    """Yield the failures of trials in the reshape of a constant that a rewrite would replace."""
    if "constant" in (case.x.origin, case.y.origin):
        errors = (error for trial in outcome.without.values() for error in trial.errors)
        yield from (str(error) for error in errors if is_error(error, *BLOCKWISE_OF_NOTHING))


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
