"""Runs a campaign: judges batches of cases, groups the mismatches, and shrinks them."""

import gc
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from functools import partial
from itertools import chain, groupby
from operator import attrgetter
from pathlib import Path

from refdot.check.batch import judge_batch, judge_individually
from refdot.check.confirmation import Confirmations
from refdot.check.database import load_cases, save_case
from refdot.check.findings import BatchResult, Coverage, Finding, Report
from refdot.check.plan import PROFILES, WHOLE, Batch, Campaign, Profile, Shard, pattern_counts
from refdot.check.pool import ProcessDied, WorkerPool, run_tasks
from refdot.check.replays import deviations_that_are_gone, with_other_backends
from refdot.programs.case import ProgramCase
from refdot.programs.findings import ProgramFinding
from refdot.targets.environment import environment_of
from refdot.targets.interrupt import interrupts_held
from refdot.targets.protocol import Target

__all__ = ["run"]

_CHECKPOINT_SECONDS = 10.0  # at least, from one call of `checkpoint` to the next
Progress = Callable[[str, int, int], None]
Listener = Callable[[Report, Finding | ProgramFinding], None]


@contextmanager
def _modules_not_collected() -> Iterator[None]:
    """Exclude the objects that exist now, most of them of modules, from garbage collection.

    There are so many of them that it takes long to look at them again and again.
    """
    if gc.get_freeze_count():  # the caller has excluded some, and these must stay so
        yield
        return
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


@_modules_not_collected()
def run(
    target: Target,
    *,
    cases: int = 300,
    exhaustive: int | None = None,
    thorough: bool = True,
    sample: int | None = PROFILES["quick"].sample,
    fixed: bool = True,
    programs: int = 0,
    sample_cases: int | None = None,
    look: bool = False,
    named_programs: Sequence[ProgramCase] = (),
    program_backends: Sequence[str] = (),
    seed: int = 0,
    backends: Sequence[str] = (),
    lowerings: Sequence[str] = (),
    only: Sequence[str] = (),
    shard: Shard = WHOLE,
    maxfail: int | None = None,
    hours: float | None = None,
    timeout: float | None = 300.0,
    database: Path | None = None,
    executor: Executor | None = None,
    starts_here: bool = False,
    progress: Progress = lambda stage, done, total: None,
    listener: Listener = lambda report, finding: None,
    checkpoint: Callable[[Report], None] | None = None,
) -> Report:
    """Test a target against the oracle.

    Parameters
    ----------
    target : Target
    cases : int, optional
        Number of distinct random cases, each judged on every backend: with every lowering if
        thorough, else with one of them in turn.
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
        kernel cases and boundary cases, and the smoke programs if the target can run programs.
    programs : int, optional
        Number of random programs.
    sample_cases : int, optional
        The number of random cases for a backend that compiles slowly, instead of `sample`.
    look : bool, optional
        Whether to judge only the smoke cases of those that `fixed` selects.
    named_programs : sequence of ProgramCase, optional
        Other programs to judge.
    program_backends : sequence of str, optional
        The backends that run programs. By default the first of `backends` that compiles fast.
    seed : int, optional
        The same seed gives the same cases on every interpreter and with every hash seed.
    backends, lowerings : sequence of str, optional
        By default the default backends that can run here, and the target's default lowerings.
    only : sequence of str, optional
        Aspects to judge, from `refdot.rules.ASPECTS`; by default all.
    shard : Shard, optional
        The part of the campaign to judge.
    maxfail : int, optional
        Stop after this many distinct mismatches that are not known.
    hours : float, optional
        Duration: stop after it, and judge further random cases until then. By default the other
        options determine the end.
    timeout : float, optional
        The number of seconds that one case may take; None: no limit. A case that takes longer is
        a finding. In worker processes the limit ends even loops in C code; in this process it ends
        Python code, in the main thread. There is no limit on Windows.
    database : Path, optional
        A folder of counterexamples. Those of this target are judged first, and new ones are saved.
    executor : concurrent.futures.Executor, optional
        Where to judge; by default in this process. Other processes import the target again, and
        do not see what is patched in this one. An executor of threads is rejected.
    starts_here : bool, optional
        Whether this process judges the smoke cases, and confirms mismatches, beside the executor:
        the first mismatch does not wait until other processes have imported the target.
    progress : callable, optional
        Called with the stage, how much of it is done, and how much there is.
    listener : callable, optional
        Called with the report so far and each mismatch that is not known, as soon as it is shrunk.
    checkpoint : callable, optional
        Called with the report so far at the start, and then about every ten seconds.

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
    profile = Profile(cases, exhaustive, thorough, sample, fixed, programs, sample_cases, look)
    backends = tuple(backends) or tuple(
        each.name for each in target.backends() if each.default and not each.absent
    )
    campaign = Campaign(
        profile,
        seed,
        backends,
        tuple(lowerings) or target.default_lowerings,
        tuple(only),
        tuple(named_programs),
        tuple(program_backends),
    )
    report = _empty_report(target, campaign, shard)
    end = None if hours is None else started + 3600 * hours
    batches = _batches(target, campaign, shard, database, endless=hours is not None)
    with nullcontext() if starts_here else _confirming(executor) as where:
        confirmations = Confirmations(target, report, where, timeout)
        judge = partial(judge_batch, timeout=timeout)
        checkpoints = _Checkpoints(checkpoint, started)
        try:
            checkpoints.reach(confirmations)
            for batch, result in _judged(judge, target, batches, executor, starts_here):
                if isinstance(result, ProcessDied):
                    result = judge_individually(target, batch, timeout)
                report.add(result)
                report.collect(result.findings)
                report.collect_programs(result.program_findings)
                progress(batch.stage, batch.number, batch.total)
                for finding in confirmations.add():
                    if database is not None and isinstance(finding, Finding):
                        save_case(database, target.name, finding.mismatch.case)
                    if finding.known is None:
                        report.seconds = time.monotonic() - started
                        listener(confirmations.report(), finding)
                    if maxfail is not None and confirmations.new >= maxfail:
                        report.stopped = True
                        break
                checkpoints.reach(confirmations)
                if end is not None and time.monotonic() >= end:
                    break
                if report.stopped:
                    confirmations.drop_others()
                    break
            confirmations.settle()
        except KeyboardInterrupt:
            report.interrupted = True
    report.seconds = time.monotonic() - started
    report = confirmations.report()
    if profile.fixed and not (report.interrupted or report.stopped or profile.look):
        _replay(report, target, executor, timeout)
        report.seconds = time.monotonic() - started
    if database is not None:
        for found in report.findings:
            save_case(database, target.name, found.mismatch.case)
    return report


def _judged(
    judge: Callable[[Target, Batch], BatchResult],
    target: Target,
    batches: Iterator[Batch],
    executor: Executor | None,
    starts_here: bool,
) -> Iterator[tuple[Batch, BatchResult | ProcessDied]]:
    """Judge batches on an executor, but those of the first stage here if it `starts_here`."""
    if starts_here:
        first, batches = _first_stage(batches)
        yield from run_tasks(judge, target, first)
    yield from run_tasks(judge, target, batches, executor)


def _first_stage(batches: Iterator[Batch]) -> tuple[Iterator[Batch], Iterator[Batch]]:
    """Return the batches of the first stage, and the others.

    The others follow the first ones: they are there when those have been taken.
    """
    stages = groupby(batches, key=attrgetter("stage"))
    _, first = next(stages, ("", iter(())))
    return first, chain.from_iterable(group for _, group in stages)


def _confirming(executor: Executor | None) -> AbstractContextManager[Executor | None]:
    """Return where to confirm findings: not after the batches that wait for a worker."""
    return WorkerPool(1) if isinstance(executor, WorkerPool) else nullcontext(executor)


def _replay(
    report: Report, target: Target, executor: Executor | None, timeout: float | None
) -> None:
    """Add to the report of a complete run what replays show."""
    try:
        report.findings, report.program_findings = with_other_backends(
            report, target, executor, timeout
        )
        if report.shard == WHOLE and not report.only:
            report.gone = deviations_that_are_gone(report, target, executor, timeout)
    except KeyboardInterrupt:
        report.interrupted = True


class _Checkpoints:
    """Calls a function with the report so far, so rarely that it takes little of the time."""

    def __init__(self, function: Callable[[Report], None] | None, started: float) -> None:
        self._function = function
        self._started = self._next = started

    def reach(self, confirmations: Confirmations) -> None:
        """Call the function, if there is one, and enough time has passed since the last call."""
        if self._function is None or (start := time.monotonic()) < self._next:
            return
        report = confirmations.report()
        self._function(replace(report, seconds=start - self._started))
        end = time.monotonic()
        self._next = end + max(_CHECKPOINT_SECONDS, 20 * (end - start))


def _empty_report(target: Target, campaign: Campaign, shard: Shard) -> Report:
    by_name = {backend.name: backend for backend in target.backends()}
    profile, backends = campaign.profile, campaign.backends
    sampled, rank = campaign.samples(target), profile.exhaustive
    return Report(
        target=target.name,
        target_version=target.version,
        seed=campaign.seed,
        backends=backends,
        lowerings=campaign.lowerings,
        absent_backends={name: b.absent for name, b in by_name.items() if b.absent},
        environment=environment_of(target),
        other_backends=tuple(
            name for name, b in by_name.items() if not b.absent and name not in backends
        ),
        other_lowerings=tuple(name for name in target.lowerings if name not in campaign.lowerings),
        profile=profile,
        only=campaign.only,
        shard=shard,
        coverage={
            name: Coverage(
                patterns=[] if rank is None else [(0, total) for total in pattern_counts(rank)],
                thorough=profile.thorough and name not in sampled,
                kernels=dict.fromkeys(by_name[name].kernels, 0),
                rewrites=dict.fromkeys(by_name[name].rewrites, 0),
            )
            for name in backends
        },
    )


def _batches(
    target: Target, campaign: Campaign, shard: Shard, database: Path | None, endless: bool
) -> Iterator[Batch]:
    """Return the batches: saved counterexamples first, and further random cases without end."""
    batches = campaign.batches(target, shard)
    if endless:
        batches = chain(batches, campaign.further_batches(target, shard))
    if database is not None and (saved := load_cases(database, target.name)):
        count = len(saved)
        more = {"stage": "judging saved counterexamples", "number": count, "total": count}
        batches = chain([campaign.batch(campaign.backends, saved, **more)], batches)
    return _drawn(batches)


def _drawn(batches: Iterator[Batch]) -> Iterator[Batch]:
    """Yield batches; an interrupt waits while Hypothesis draws, which would lose it."""
    while True:
        with interrupts_held():
            batch = next(batches, None)
        if batch is None:
            return
        yield batch
