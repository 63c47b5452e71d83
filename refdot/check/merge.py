"""Joins the reports of a campaign's shards to the report of the campaign."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from refdot.check.findings import Coverage, Report, order_of
from refdot.check.plan import WHOLE

__all__ = ["MergeError", "merged"]


# What the shards of one campaign have in common, and how a person would call it.
_COMMON = {
    "target": "targets",
    "target_version": "versions of the target",
    "python": "versions of Python",
    "seed": "seeds",
    "profile": "profiles",
    "only": "aspects",
    "backends": "backends",
    "lowerings": "lowerings",
}


class MergeError(ValueError):
    """Reports that are not all the shards of one campaign; the message says why in one line."""


def merged(reports: Sequence[Report]) -> Report:
    """Join the reports of all shards of a campaign.

    Of each distinct mismatch the smallest case is kept, and what was counted is added.

    Parameters
    ----------
    reports : sequence of Report
        In any order.

    Raises
    ------
    MergeError
        They are of several campaigns, or a shard is missing or there twice.
    """
    for name, said in _COMMON.items():
        found = list(dict.fromkeys(getattr(report, name) for report in reports))
        if len(found) > 1:
            raise MergeError(f"reports of different {said}: {found[0]} and {found[1]}")
    of = {report.shard.of for report in reports}
    if len(of) > 1:
        raise MergeError(f"reports of shards of {' and of '.join(map(str, sorted(of)))}")
    numbers = [report.shard.number for report in reports]
    for report in reports:
        if numbers.count(report.shard.number) > 1:
            raise MergeError(f"shard {report.shard} is there twice")
    missing = {*range(1, max(of) + 1)}.difference(numbers)
    if missing:
        raise MergeError(f"missing of {max(of)} shards: {', '.join(map(str, sorted(missing)))}")
    return _joined(sorted(reports, key=lambda report: report.shard.number))


def _joined(reports: Sequence[Report]) -> Report:
    """Add reports that belong together."""
    whole = replace(
        reports[0],
        shard=WHOLE,
        cases=sum(report.cases for report in reports),
        skipped=sum(report.skipped for report in reports),
        lost=sum(report.lost for report in reports),
        unsupported={},
        coverage={
            backend: _added([report.coverage[backend] for report in reports])
            for backend in reports[0].backends
        },
        seconds=sum(report.seconds for report in reports),
        findings=[],
        interrupted=any(report.interrupted for report in reports),
    )
    for report in reports:
        whole.count_limits(report.unsupported)
        whole.collect(replace(finding) for finding in report.findings)
    whole.forget_the_number_of_dims()
    whole.findings.sort(key=order_of)
    return whole


def _added(parts: Sequence[Coverage]) -> Coverage:
    """Add what shards judged on one backend."""
    return Coverage(
        cases=sum(part.cases for part in parts),
        patterns=[
            (sum(judged for judged, _ in rank), rank[0][1])
            for rank in zip(*(part.patterns for part in parts), strict=True)
        ],
        thorough=parts[0].thorough,
    )
