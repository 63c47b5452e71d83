"""The campaign: judges batches of cases, groups what is wrong, and shrinks each cause."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import Executor
from itertools import chain, takewhile
from pathlib import Path

from refdot.check.batch import judge_apart, judge_batch
from refdot.check.database import keep, kept_cases
from refdot.check.findings import Coverage, Report, order_of
from refdot.check.plan import PROFILES, WHOLE, Campaign, Profile, Shard, pattern_counts
from refdot.check.pool import results
from refdot.check.shrink import Progress, shrink_findings
from refdot.targets.protocol import Target

__all__ = ["run"]


def run(
    target: Target,
    *,
    cases: int = 300,
    exhaustive: int | None = None,
    thorough: bool = True,
    sample: int | None = PROFILES["quick"].sample,
    seed: int = 0,
    backends: Sequence[str] = (),
    lowerings: Sequence[str] = (),
    only: Sequence[str] = (),
    shard: Shard = WHOLE,
    hours: float | None = None,
    database: Path | None = None,
    executor: Executor | None = None,
    progress: Progress = lambda stage, done, total: None,
) -> Report:
    """Hold a target against the oracle.

    Parameters
    ----------
    target : Target
    cases : int, optional
        How many distinct cases to draw and judge, each on every configuration.
    exhaustive : int, optional
        A rank: every pattern of dims of operands of at most that rank is judged too.
    thorough : bool, optional
        Whether with all the cases of each pattern on every lowering, or with those that are
        judged fast, and gradients, errors and dtypes on one lowering alone.
    sample : int, optional
        How many of the cases and patterns a backend gets to which each graph is dear; None: all.
    seed : int, optional
        The same seed gives the same cases on every interpreter and hash seed.
    backends, lowerings : sequence of str, optional
        By default every backend that can run here, and the lowerings that the
        target runs unless others are asked for.
    only : sequence of str, optional
        Aspects to judge, of `refdot.compare.ASPECTS`; by default all.
    shard : Shard, optional
        Judge only this part of it.
    hours : float, optional
        For how long to judge. What is left then is not judged; if nothing is left before, more
        cases are drawn. By default until nothing is left.
    database : Path, optional
        A folder that keeps what is found. What it holds of this target is judged first.
    executor : concurrent.futures.Executor, optional
        Where to judge; by default in this process. In another one the target is made anew, so
        that what is patched in this process is not seen.
    progress : callable, optional
        Told what is being done, how much of it is done, and how much there is.

    Returns
    -------
    Report
        If interrupted from the keyboard, of what was found until then. But for the seconds it is
        the same wherever the batches were judged.

    Raises
    ------
    TargetError
        The target cannot be sent to the executor's processes.
    """
    started = time.monotonic()
    there = target.backends()
    profile = Profile(cases, exhaustive, thorough, sample)
    backends = tuple(backends) or tuple(b.name for b in there if b.default and not b.absent)
    lowerings = tuple(lowerings) or target.default_lowerings
    campaign = Campaign(profile, seed, backends, lowerings, tuple(only))
    report = Report(
        target=target.name,
        target_version=target.version,
        seed=seed,
        backends=backends,
        lowerings=lowerings,
        absent_backends={b.name: b.absent for b in there if b.absent},
        profile=profile,
        only=campaign.only,
        shard=shard,
        coverage=_nothing_covered(campaign, target),
    )
    batches = campaign.batches(target, shard)
    if hours is not None:
        end = started + 3600 * hours
        endless = chain(batches, campaign.further(target, shard))
        batches = takewhile(lambda _: time.monotonic() < end, endless)
    if database is not None:
        kept = kept_cases(database, target.name)
        first = campaign.batch(backends, kept, "judging what was kept", len(kept), len(kept))
        batches = chain([first] if kept else [], batches)
    try:
        for batch, judged in results(judge_batch, target, batches, executor):
            judged = judged or judge_apart(target, batch)
            report.add(batch, judged)
            report.collect(judged.findings)
            progress(batch.stage, batch.number, batch.of)
        shrink_findings(report, target, executor, progress)
    except KeyboardInterrupt:
        report.interrupted = True
    report.findings.sort(key=order_of)
    if database is not None:
        for finding in report.findings:
            keep(database, target.name, finding.mismatch.case)
    report.seconds = time.monotonic() - started
    return report


def _nothing_covered(campaign: Campaign, target: Target) -> dict[str, Coverage]:
    """Give the coverage of a campaign that has not begun."""
    rank = campaign.profile.exhaustive
    there_are = () if rank is None else pattern_counts(rank)
    sampled = campaign.sampled(target)
    return {
        backend: Coverage(
            patterns=[(0, count) for count in there_are],
            thorough=campaign.profile.thorough and backend not in sampled,
        )
        for backend in campaign.backends
    }
