"""Merges the reports of a campaign's shards."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import replace

from refdot.check.findings import Report
from refdot.check.plan import WHOLE

__all__ = ["MergeError", "merge_reports"]


# The fields in which the shards of one campaign agree, and their names in messages.
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
    """The reports are not all the shards of one campaign; the message is one line."""


def merge_reports(reports: Sequence[Report]) -> Report:
    """Merge the reports of all shards of a campaign.

    Counts are added, and the smallest case of each distinct mismatch is kept.

    Parameters
    ----------
    reports : sequence of Report
        In any order.

    Raises
    ------
    MergeError
        The reports are of several campaigns, or a shard is missing or given twice.
    """
    for name, plural in _COMMON.items():
        found = list(dict.fromkeys(getattr(report, name) for report in reports))
        if len(found) > 1:
            raise MergeError(f"the reports have different {plural}: {found[0]} and {found[1]}")
    totals = sorted({report.shard.of for report in reports})
    if len(totals) > 1:
        raise MergeError(
            f"the reports have different numbers of shards: {totals[0]} and {totals[1]}"
        )
    numbers = [report.shard.number for report in reports]
    for report in reports:
        if numbers.count(report.shard.number) > 1:
            raise MergeError(f"shard {report.shard} is given twice")
    missing = {*range(1, totals[0] + 1)}.difference(numbers)
    if missing:
        shards = ", ".join(f"{number}/{totals[0]}" for number in sorted(missing))
        raise MergeError(f"missing shards: {shards}")
    return _merged(sorted(reports, key=lambda report: report.shard.number))


def _merged(shards: Sequence[Report]) -> Report:
    whole = replace(deepcopy(shards[0]), shard=WHOLE, findings=[])
    for shard in shards[1:]:
        whole.add(shard)
        whole.seconds += shard.seconds
        whole.interrupted |= shard.interrupted
    for shard in shards:
        whole.collect(replace(finding) for finding in shard.findings)
    whole.merge_many_dims()
    whole.sort()
    return whole
