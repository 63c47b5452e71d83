"""Runs campaigns on functions."""

from collections.abc import Callable

from refdot import check
from refdot.check.findings import Report
from refdot.targets.callable import CallableTarget


def campaign(fn: Callable, cases: int = 300, **options) -> Report:
    """Test a function against the oracle, by default on random cases only."""
    target = CallableTarget(fn, "fn", gradients=hasattr(fn, "vjp"))
    return check.run(target, **{"cases": cases, "fixed": False} | options)


def signatures(report: Report) -> list[str]:
    """Return the signatures of the findings."""
    return [finding.mismatch.signature for finding in report.findings]
