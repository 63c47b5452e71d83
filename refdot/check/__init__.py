"""The campaign: its plan, the judging of its cases, and the shrinking of its findings."""

from refdot.check.batch import judge, judge_batch
from refdot.check.campaign import run
from refdot.check.findings import Counts, Coverage, Finding, Report
from refdot.check.plan import LOOK, PROFILES, Configuration, Profile, Shard

__all__ = [
    "LOOK",
    "PROFILES",
    "Configuration",
    "Counts",
    "Coverage",
    "Finding",
    "Profile",
    "Report",
    "Shard",
    "judge",
    "judge_batch",
    "run",
]
