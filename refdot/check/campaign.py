"""Runs a campaign: judges batches of cases, groups the mismatches, and shrinks them."""

import time
from collections.abc import Sequence
from concurrent.futures import Executor
from functools import partial
from itertools import chain, takewhile
from pathlib import Path

from refdot.check.batch import judge_batch, judge_individually
from refdot.check.database import load_cases, save_case
from refdot.check.findings import Coverage, Report
from refdot.check.plan import PROFILES, WHOLE, Campaign, Profile, Shard, pattern_counts
from refdot.check.pool import ProcessDied, run_tasks
from refdot.check.shrink import Progress, shrink_findings
from refdot.targets.environment import environment_of
from refdot.targets.protocol import Target

__all__ = ["run"]


def run(
    target: Target,
    *,
    cases: int = 300,
    exhaustive: int | None = None,
    thorough: bool = True,
    sample: int | None = PROFILES["quick"].sample,
    fixed: bool = True,
    seed: int = 0,
    backends: Sequence[str] = (),
    lowerings: Sequence[str] = (),
    only: Sequence[str] = (),
    shard: Shard = WHOLE,
    hours: float | None = None,
    timeout: float | None = 300.0,
    database: Path | None = None,
    executor: Executor | None = None,
    progress: Progress = lambda stage, done, total: None,
) -> Report:
    """Test a target against the oracle.

    Parameters
    ----------
    target : Target
    cases : int, optional
        Number of distinct random cases, each judged on every configuration.
    exhaustive : int, optional
        The rank up to which every dim pattern is judged as well.
    thorough : bool, optional
        Whether to judge all the cases of each pattern on every lowering. If not, the slow cases
        are left out, and gradients, errors and dtypes are judged on one lowering only.
    sample : int, optional
        The number of random cases, and of patterns, for a backend that compiles slowly; None: all.
        PyTensor's default backend judges twice as many.
    fixed : bool, optional
        Whether to judge the cases that do not depend on the number of random cases: smoke cases,
        kernel cases and boundary cases.
    seed : int, optional
        The same seed gives the same cases on every interpreter and with every hash seed.
    backends, lowerings : sequence of str, optional
        By default the default backends that can run here, and the target's default lowerings.
    only : sequence of str, optional
        Aspects to judge, from `refdot.rules.ASPECTS`; by default all.
    shard : Shard, optional
        The part of the campaign to judge.
    hours : float, optional
        Duration: stop after it, and judge further random cases until then. By default the other
        options determine the end.
    timeout : float, optional
        The number of seconds that one case may take; None: no limit. A case that takes longer is
        a finding. The limit is in force in processes that `multiprocessing` starts, such as the
        workers of an executor, but not in this process and not on Windows.
    database : Path, optional
        A folder of counterexamples. Those of this target are judged first, and new ones are saved.
    executor : concurrent.futures.Executor, optional
        Where to judge; by default in this process. Other processes import the target again, and
        do not see what is patched in this one. An executor of threads is rejected.
    progress : callable, optional
        Called with the stage, how much of it is done, and how much there is.

    Returns
    -------
    Report
        The same for every executor, except for the seconds. After an interrupt from the keyboard,
        it holds the findings so far.

    Raises
    ------
    TargetError
        The target cannot be sent to the executor's processes.
    """
    started = time.monotonic()
    known_backends = target.backends()
    by_name = {backend.name: backend for backend in known_backends}
    profile = Profile(cases, exhaustive, thorough, sample, fixed)
    backends = tuple(backends) or tuple(
        b.name for b in known_backends if b.default and not b.absent
    )
    lowerings = tuple(lowerings) or target.default_lowerings
    campaign = Campaign(profile, seed, backends, lowerings, tuple(only))
    sampled = campaign.samples(target)
    patterns = [] if exhaustive is None else [(0, total) for total in pattern_counts(exhaustive)]
    report = Report(
        target=target.name,
        target_version=target.version,
        seed=seed,
        backends=backends,
        lowerings=lowerings,
        absent_backends={b.name: b.absent for b in known_backends if b.absent},
        environment=environment_of(target),
        other_backends=tuple(
            b.name for b in known_backends if not b.absent and b.name not in backends
        ),
        other_lowerings=tuple(name for name in target.lowerings if name not in lowerings),
        profile=profile,
        only=campaign.only,
        shard=shard,
        coverage={
            name: Coverage(
                patterns=[*patterns],
                thorough=thorough and name not in sampled,
                kernels=dict.fromkeys(by_name[name].kernels, 0),
                rewrites=dict.fromkeys(by_name[name].rewrites, 0),
            )
            for name in backends
        },
    )
    batches = campaign.batches(target, shard)
    if hours is not None:
        end = started + 3600 * hours
        endless = chain(batches, campaign.further_batches(target, shard))
        batches = takewhile(lambda _: time.monotonic() < end, endless)
    if database is not None and (saved := load_cases(database, target.name)):
        count = len(saved)
        more = {"stage": "judging saved counterexamples", "number": count, "total": count}
        batches = chain([campaign.batch(backends, saved, **more)], batches)
    # In this process a time limit would end the campaign.
    timeout = None if executor is None else timeout
    judge = partial(judge_batch, timeout=timeout)
    try:
        for batch, result in run_tasks(judge, target, batches, executor):
            if isinstance(result, ProcessDied):
                result = judge_individually(target, batch, timeout)
            report.add(result)
            report.collect(result.findings)
            progress(batch.stage, batch.number, batch.total)
        shrink_findings(report, target, executor, progress, timeout)
    except KeyboardInterrupt:
        report.interrupted = True
    report.sort()
    if database is not None:
        for finding in report.findings:
            save_case(database, target.name, finding.mismatch.case)
    report.seconds = time.monotonic() - started
    return report
