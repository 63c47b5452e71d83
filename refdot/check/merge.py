"""Merges the reports of a campaign's shards."""

from collections import Counter
from collections.abc import Iterable, Sequence
from copy import deepcopy
from dataclasses import replace
from operator import attrgetter

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
    "shard.of": "numbers of shards",
}


class MergeError(ValueError):
    """The reports are not all the shards of one campaign; the message is one line."""


def merge_reports(reports: Sequence[Report]) -> Report:
    """Merge the reports of all shards of a campaign.

    Counts are added, and the smallest case of each distinct mismatch is kept. The reports can be
    in any order.

    Raises
    ------
    MergeError
        The reports are of several campaigns, or a shard is missing or given twice.
    """
    for name, plural in _COMMON.items():
        found = list(dict.fromkeys(map(attrgetter(name), reports)))
        if len(found) > 1:
            raise MergeError(f"the reports have different {plural}: {found[0]} and {found[1]}")
    total = reports[0].shard.of
    counts = Counter(report.shard.number for report in reports)
    for number, times in counts.items():
        if times > 1:
            raise MergeError(f"shard {number}/{total} is given twice")
    if missing := [f"{number}/{total}" for number in range(1, total + 1) if not counts[number]]:
        raise MergeError(f"missing shards: {', '.join(missing)}")

    first, *others = sorted(reports, key=lambda report: report.shard.number)
    whole = replace(deepcopy(first), shard=WHOLE, findings=[], program_findings=[])
    for shard in others:
        whole.add(shard)
        whole.seconds += shard.seconds
        whole.interrupted |= shard.interrupted
        whole.stopped |= shard.stopped
    for shard in (first, *others):
        whole.collect(replace(finding) for finding in shard.findings)
        whole.collect_programs(replace(finding) for finding in shard.program_findings)
    whole.environment = _joined(report.environment for report in (first, *others))
    whole.merge_many_dims()
    whole.sort()
    return whole


def _joined(environments: Iterable[dict[str, str]]) -> dict[str, str]:
    """Return environments as one, with all values where the machines of the shards differ."""
    values: dict[str, dict[str, None]] = {}
    for environment in environments:
        for name, value in environment.items():
            values.setdefault(name, {})[value] = None
    return {name: " or ".join(each) for name, each in values.items()}
