"""What the author of a test needs: hold any dot against the oracle."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from refdot import check
from refdot.compare import flaws
from refdot.lowering import Dim
from refdot.strategies import dim_arguments, dot_cases
from refdot.targets import CallableTarget
from refdot.tensor import NamedTensor

__all__ = ["assert_dot_matches", "check_dot", "dim_arguments", "dot_cases"]


def check_dot(
    fn: Callable[..., Any], cases: int = 200, gradients: bool = False, seed: int = 0
) -> None:
    """Hold a function against the oracle, on random cases, valid and invalid.

    Parameters
    ----------
    fn : callable
        `fn(x: NamedTensor, y: NamedTensor, dim) -> NamedTensor`, or raises a `ValueError` or
        `TypeError` that names the dim.
    cases : int, optional
        How many distinct cases.
    gradients : bool, optional
        Whether to judge gradients too: those of `fn.vjp(x, y, cotangent, dim)`, which gives
        `(x_bar, y_bar)`, or without such an attribute those that the function's values on basis
        vectors imply, since a dot is bilinear.
    seed : int, optional
        The same seed draws the same cases.

    Raises
    ------
    AssertionError
        A rule is broken: the message shows each distinct mismatch with its smallest case.

    Examples
    --------
    >>> import refdot as rd
    >>> check_dot(rd.dot, cases=50)
    """
    target = CallableTarget(fn, getattr(fn, "__qualname__", repr(fn)), gradients=gradients)
    report = check.run(target, cases=cases, seed=seed)
    if report.interrupted:
        raise KeyboardInterrupt
    if report.findings:
        shown = "\n\n".join(str(finding.mismatch) for finding in report.findings)
        raise AssertionError(
            f"{target.name} breaks {len(report.findings)} of the rules of dot "
            f"in {report.cases} cases (seed {seed}):\n\n{shown}"
        )


def assert_dot_matches(
    actual: NamedTensor, x: NamedTensor, y: NamedTensor, dim: Dim = None
) -> None:
    """Assert that an answer to `dot(x, y, dim)` is a correct one: dims, dtype and values.

    Integers and bools must be equal, and floats as near as rounding allows: see
    `refdot.rounding`.

    Raises
    ------
    AssertionError
        It is not; the message shows the first wrong element, its place named by dims.

    Examples
    --------
    >>> x = NamedTensor([0.1, 0.2, 0.3], "a")
    >>> assert_dot_matches(NamedTensor(0.14, ()), x, x)
    >>> assert_dot_matches(NamedTensor(0.15, ()), x, x)
    Traceback (most recent call last):
    AssertionError: R6 wrong-value: expected 0.14, got 0.15
    """
    if found := flaws(actual, x, y, dim):
        raise AssertionError(
            "; ".join(
                f"{flaw.rule} {flaw.kind}: expected {flaw.expected}, got {flaw.got}"
                for flaw in found
            )
        )
