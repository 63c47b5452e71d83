"""The record of known deviations, and predicates for their matchers."""

import re
from collections.abc import Callable
from inspect import cleandoc

from refdot.cases.case import DotCase
from refdot.errors import SizeMismatchError
from refdot.judging.expected import expected_error
from refdot.targets.mismatch import Deviation, Mismatch
from refdot.targets.outcome import Outcome, Raised

__all__ = [
    "DEVIATIONS",
    "REJECTED",
    "has_raised",
    "has_valid_names",
    "has_wrong_elements",
    "is_error",
    "known_deviation",
    "reported_errors",
    "static_sizes",
    "unequal_dims",
]


_Matcher = Callable[[Mismatch, Outcome], bool]
DEVIATIONS: list[Deviation] = []
# The mismatches of an error that valid cases have. Where sizes differ, it may come in place of the
# right one, and where static sizes do, it comes too late. A rewrite that computes constants logs
# it.
REJECTED = "R6 R8 R13 R14 rejected-valid wrong-gradient wrong-error late-error structure"


def known_deviation(
    mismatches: str,
    example: DotCase,
    *further_examples: DotCase,
    versions: str = ">=3.0.3",
    backends: str = "",
    lowerings: str = "",
    upstream: str = "",
) -> Callable[[_Matcher], _Matcher]:
    """Put a matcher on record as a known deviation.

    The function's name becomes the id, the first line of its docstring the title, and the rest the
    cause. `mismatches` has the rules and the kinds of the mismatches that it explains, `backends`
    and `lowerings` those that show it (all by default), and `upstream` the pull request or issue
    of PyTensor, such as "issues/203". The other arguments are those of `Deviation`. A deviation
    that comes from several places of PyTensor has further examples: an edit of one place may mend
    what the first example shows, and leave the others.
    """
    words = mismatches.split()

    def record(matches: _Matcher) -> _Matcher:
        title, _, cause = cleandoc(matches.__doc__ or "").partition("\n\n")
        DEVIATIONS.append(
            Deviation(
                id=matches.__name__.replace("_", "-"),
                title=title,
                rules=tuple(word for word in words if word[0] == "R"),
                kinds=tuple(word for word in words if word[0] != "R"),
                versions=versions,
                backends=tuple(backends.split()),
                matches=matches,
                example=example,
                cause=cause,
                lowerings=tuple(lowerings.split()),
                further_examples=further_examples,
                upstream=upstream and f"https://github.com/pymc-devs/pytensor/{upstream}",
            )
        )
        return matches

    return record


def has_raised(
    mismatch: Mismatch, outcome: Outcome, type_: str, pattern: str = "", function: str = ""
) -> bool:
    """Return whether a mismatch is about such an error.

    `pattern` is searched in its message, and `function` is the name of a function of PyTensor, such
    as "Dot.perform", which raised it.
    """
    errors = reported_errors(mismatch, outcome)
    return any(is_error(error, type_, pattern, function) for error in errors)


def reported_errors(mismatch: Mismatch, outcome: Outcome) -> list[Raised]:
    """Return the errors that a mismatch is about.

    They are errors of rewrites, which PyTensor logs, or the one with which the dot, or its gradient
    alone, ended.
    """
    if mismatch.kind == "structure":
        return [error for error in outcome.logged if str(error) == mismatch.got]
    error = outcome.cause or outcome.gradient_raised
    return [] if error is None else [error]


def is_error(error: Raised, type_: str, pattern: str = "", function: str = "") -> bool:
    """Return whether an error is of a type, with a pattern in its message, from a function."""
    is_from = not function or any(name.endswith(f":{function}") for name in error.trace)
    return error.type == type_ and is_from and bool(re.search(pattern, error.message))


def has_wrong_elements(mismatch: Mismatch, outcome: Outcome) -> bool:
    """Return whether there is an answer, or a gradient, of the right shape and dtype."""
    if mismatch.kind == "wrong-gradient" and outcome.gradient_raised is not None:
        return False
    return not mismatch.detail.endswith((": shape", ": dtype"))


def has_valid_names(case: DotCase) -> bool:
    """Return whether a case breaks none of R1 to R3, and so has a lowering."""
    error = expected_error(case)
    return error is None or isinstance(error, SizeMismatchError)


def unequal_dims(case: DotCase) -> set[str]:
    """Return the shared dims whose sizes differ, in a case of valid names."""
    error = expected_error(case)
    return {*error.dims} if isinstance(error, SizeMismatchError) else set()


def static_sizes(case: DotCase, dim: str) -> tuple[int | None, int | None]:
    """Return the static size of a shared dim in x and in y, None where it has none."""
    return case.x.static_sizes[dim], case.y.static_sizes[dim]
