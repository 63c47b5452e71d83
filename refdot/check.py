"""The campaign: judges batches of cases, groups what is wrong, and shrinks each cause."""

from __future__ import annotations

import platform
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import chain, takewhile
from pathlib import Path

from refdot.batches import (
    PROFILES,
    WHOLE,
    Batch,
    Campaign,
    Configuration,
    Profile,
    Shard,
    pattern_counts,
)
from refdot.case import DotCase
from refdot.compare import ASPECTS, compare
from refdot.counterexamples import keep, kept_cases
from refdot.errors import SizeMismatchError
from refdot.oracle import expected_error
from refdot.siblings import siblings
from refdot.simplify import simplified
from refdot.targets import Mismatch, Outcome, Raised, Target, deviation_of, limit_of
from refdot.workers import Crew, results

__all__ = [
    "Coverage",
    "Finding",
    "Judged",
    "Report",
    "judge",
    "judge_all",
    "judge_batch",
    "run",
    "shrink",
]

# How long making one counterexample smaller may take: unless a case takes very long, it ends
# long before, at a minimum.
SHRINK_SECONDS = 10.0

DIED = "the process died"
# After so many cases of a batch that kill, the rest of it is given up: each costs two processes.
MOST_DEATHS = 3

Progress = Callable[[str, int, int], None]


@dataclass
class Finding:
    """One distinct mismatch: all that was found with one signature, and is known alike.

    Attributes
    ----------
    mismatch : Mismatch
        The smallest one.
    configuration : Configuration
        Where that was seen.
    backends, lowerings : list of str
        Every one on which the signature was seen.
    count : int
        How often, over all cases and configurations.
    known : str, optional
        The id of the known deviation that it is.
    """

    mismatch: Mismatch
    configuration: Configuration
    backends: list[str] = field(default_factory=list)
    lowerings: list[str] = field(default_factory=list)
    count: int = 1
    known: str | None = None

    def __post_init__(self) -> None:
        self.backends = self.backends or [self.configuration.backend]
        self.lowerings = self.lowerings or [self.configuration.lowering]

    @property
    def key(self) -> tuple[str, str | None]:
        """What tells it from others: a known deviation hides nothing that looks alike."""
        return self.mismatch.signature, self.known


@dataclass
class Coverage:
    """What one backend judged.

    Attributes
    ----------
    cases : int
        How many distinct cases.
    patterns : list of (int, int)
        For each rank, how many patterns of dims were among them, and how many there are.
    thorough : bool
        Whether with all the cases of each pattern on every lowering.
    """

    cases: int = 0
    patterns: list[tuple[int, int]] = field(default_factory=list)
    thorough: bool = False


@dataclass
class Judged:
    """What came of one batch, as plain data.

    Attributes
    ----------
    cases : dict of str to int
        For each backend how many distinct cases it judged.
    distinct : int
        How many all of them judged.
    skipped : int
        How many none of them claims to do.
    lost : int
        How many were given up.
    limits : dict of str to dict of str to int
        For each backend and reason, how many cases it kept away.
    findings : list of Finding
    """

    cases: dict[str, int] = field(default_factory=dict)
    distinct: int = 0
    skipped: int = 0
    lost: int = 0
    limits: dict[str, dict[str, int]] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)


@dataclass
class Report:
    """What a campaign did and found.

    Attributes
    ----------
    target, target_version, python : str
    seed : int
    backends, lowerings : tuple of str
    absent_backends : dict of str to str
        Those that cannot run here, with the reason.
    profile : Profile
    only : tuple of str
        The aspects that were judged; all if empty.
    shard : Shard
    cases : int
        How many distinct cases were judged.
    skipped : int
        How many more there were, but beyond the limits of every backend.
    lost : int
        How many of them were given up on some configuration, as others had killed too many
        processes.
    limits : dict of str to dict of str to int
        For each backend and reason, how many cases it kept away.
    coverage : dict of str to Coverage
        What each backend judged.
    seconds : float
    findings : list of Finding
        In the order of their rules.
    interrupted : bool
    """

    target: str
    target_version: str
    seed: int
    backends: tuple[str, ...]
    lowerings: tuple[str, ...]
    absent_backends: dict[str, str]
    python: str = platform.python_version()
    profile: Profile = PROFILES["quick"]
    only: tuple[str, ...] = ()
    shard: Shard = WHOLE
    cases: int = 0
    skipped: int = 0
    lost: int = 0
    limits: dict[str, dict[str, int]] = field(default_factory=dict)
    coverage: dict[str, Coverage] = field(default_factory=dict)
    seconds: float = 0.0
    findings: list[Finding] = field(default_factory=list)
    interrupted: bool = False

    def add(self, batch: Batch, judged: Judged) -> None:
        """Count what came of a batch, but for what was found."""
        self.cases += judged.distinct
        self.skipped += judged.skipped
        self.lost += judged.lost
        self.count_limits(judged.limits)
        for backend, cases in judged.cases.items():
            coverage = self.coverage[backend]
            coverage.cases += cases
            if batch.pattern is not None and cases:
                rank = max(len(batch.pattern.x_dims), len(batch.pattern.y_dims))
                judged_before, there_are = coverage.patterns[rank]
                coverage.patterns[rank] = judged_before + 1, there_are

    def count_limits(self, limits: dict[str, dict[str, int]]) -> None:
        """Count for each backend the cases that each limit kept away."""
        for backend, counts in limits.items():
            self.limits[backend] = dict(Counter(self.limits.get(backend, {})) + Counter(counts))

    def collect(self, found: Iterable[Finding]) -> None:
        """Add each finding to the one of its key.

        Kept is the smallest case on the first configuration that shows it: if the stock lowering
        does, its script need not bring another.
        """
        findings = {finding.key: finding for finding in self.findings}
        for finding in found:
            same = findings.setdefault(finding.key, finding)
            if same is finding:
                continue
            if self.preference(finding) < self.preference(same):
                same.mismatch, same.configuration = finding.mismatch, finding.configuration
            same.count += finding.count
            same.backends = [b for b in self.backends if b in same.backends + finding.backends]
            same.lowerings = [x for x in self.lowerings if x in same.lowerings + finding.lowerings]
        self.findings = list(findings.values())

    def preference(self, finding: Finding) -> tuple[int, int, tuple[int, int, int], str]:
        """Say how gladly a finding's case is shown: the least is.

        No two cases are alike, so that it does not matter in which order they are found.
        """
        case, configuration = finding.mismatch.case, finding.configuration
        return (
            self.backends.index(configuration.backend),
            self.lowerings.index(configuration.lowering),
            weight(case),
            str(case),
        )

    def forget_the_number_of_dims(self) -> None:
        """Count what is said to be about many dims (R11) with the same of few dims, if there is."""
        few = {finding.key: finding for finding in self.findings if finding.mismatch.rule == "R6"}
        for finding in list(self.findings):
            signature, known = finding.key
            of_few_dims = few.get((signature.replace("R11 ", "R6 ", 1), known))
            if finding.mismatch.rule == "R11" and of_few_dims is not None:
                of_few_dims.count += finding.count
                self.findings.remove(finding)


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
        coverage=nothing_covered(campaign, target),
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


def nothing_covered(campaign: Campaign, target: Target) -> dict[str, Coverage]:
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


def judge(
    target: Target,
    case: DotCase,
    configuration: Configuration,
    only: Sequence[str] = (),
    until: str = "run",
) -> tuple[Mismatch, ...]:
    """Run a case on one configuration and compare; keep the aspects asked for."""
    return tuple(judge_all(target, [case], configuration, only, until))


def judge_all(
    target: Target,
    cases: Sequence[DotCase],
    configuration: Configuration,
    only: Sequence[str] = (),
    until: str = "run",
) -> Iterator[Mismatch]:
    """Run cases on one configuration and compare; keep the aspects asked for."""
    for finding in found_in(target, cases, configuration, only, until):
        yield finding.mismatch


def found_in(
    target: Target,
    cases: Sequence[DotCase],
    configuration: Configuration,
    only: Sequence[str] = (),
    until: str = "run",
) -> Iterator[Finding]:
    """Run cases on one configuration and compare, and tell what of it is known."""
    kinds = {kind for aspect in only or ASPECTS for kind in ASPECTS[aspect]}
    outcomes = target.run_all(cases, configuration.backend, configuration.lowering, until)
    for case, outcome in zip(cases, outcomes, strict=True):
        for mismatch in compare(case, outcome, target):
            if mismatch.kind in kinds:
                yield finding_of(target, mismatch, outcome, configuration)


def finding_of(
    target: Target, mismatch: Mismatch, outcome: Outcome, configuration: Configuration
) -> Finding:
    """Give a mismatch as what was found once, known or new."""
    deviation = deviation_of(target, mismatch, outcome, configuration.backend)
    return Finding(mismatch, configuration, known=deviation.id if deviation else None)


def judge_batch(target: Target, batch: Batch) -> Judged:
    """Judge those cases of a batch that are within the limits of target and backend."""
    judged, work = within_limits(target, batch)
    for configuration, cases in work:
        if batch.siblings:
            cases = with_siblings(target, cases, configuration.backend)
        judged.findings += found_in(target, cases, configuration, batch.only)
    return judged


def with_siblings(target: Target, cases: Iterable[DotCase], backend: str) -> list[DotCase]:
    """Give each case and its siblings, if they are within the limits of target and backend."""
    every: dict[DotCase, None] = {}
    for case in cases:
        every[case] = None
        if isinstance(expected_error(case), SizeMismatchError | None):
            every |= {
                other: None for other in siblings(case) if limit_of(target, other, backend) is None
            }
    return list(every)


def within_limits(
    target: Target, batch: Batch
) -> tuple[Judged, list[tuple[Configuration, list[DotCase]]]]:
    """Find what of a batch is to be judged, and count that and the rest."""
    reasons: dict[str, dict[DotCase, str | None]] = {}
    for configuration, cases in batch.work:
        of_backend = reasons.setdefault(configuration.backend, {})
        for case in cases:
            if case not in of_backend:
                of_backend[case] = limit_of(target, case, configuration.backend)
    every = {case for of_backend in reasons.values() for case in of_backend}
    within = {
        backend: {case for case, reason in of_backend.items() if reason is None}
        for backend, of_backend in reasons.items()
    }
    distinct = len(set().union(*within.values()))
    limits = {
        backend: dict(Counter(reason for reason in of_backend.values() if reason is not None))
        for backend, of_backend in reasons.items()
    }
    judged = Judged(
        cases={backend: len(cases) for backend, cases in within.items()},
        distinct=distinct,
        skipped=len(every) - distinct,
        limits=limits,
    )
    work = [
        (to, [case for case in cases if case in within[to.backend]]) for to, cases in batch.work
    ]
    return judged, [(configuration, cases) for configuration, cases in work if cases]


def judge_apart(target: Target, batch: Batch) -> Judged:
    """Judge each case of a batch that killed its processes in one that it alone can kill.

    A case that kills two more is a finding.
    """
    judged, work = within_limits(target, batch)
    parts = [
        replace(batch, work=((configuration, (case,)),))
        for configuration, cases in work
        for case in cases
    ]
    kinds = {kind for aspect in batch.only or ASPECTS for kind in ASPECTS[aspect]}
    deaths = 0
    with Crew(1) as crew:
        for done, (part, result) in enumerate(results(judge_batch, target, parts, crew), 1):
            if result is not None:
                judged.findings += result.findings
                continue
            deaths += 1
            if "rejected-valid" in kinds:
                ((configuration, (case,)),) = part.work
                judged.findings.append(death_of(target, case, configuration))
            if deaths == MOST_DEATHS:
                judged.lost = len({case for part in parts[done:] for _, (case,) in part.work})
                break
    return judged


def death_of(target: Target, case: DotCase, configuration: Configuration) -> Finding:
    """Say of a case that it kills the process that runs it."""
    mismatch = Mismatch("R6", "rejected-valid", "run", DIED, "an answer or an error", DIED, case)
    outcome = Outcome(raised=Raised("run", "", DIED, False))
    return finding_of(target, mismatch, outcome, configuration)


def order_of(finding: Finding) -> tuple[int, str, str]:
    """Sort findings by rule, then by signature, and what is new before what is known."""
    return int(finding.mismatch.rule[1:]), finding.mismatch.signature, finding.known or ""


def weight(case: DotCase) -> tuple[int, int, int]:
    """Say how large a case is: its dims, their sizes, and what there is to say of it."""
    shapes = case.x.shape + case.y.shape
    return len(shapes), sum(shapes), len(str(case))


def shrink_findings(
    report: Report, target: Target, executor: Executor | None, progress: Progress
) -> None:
    """Make the case of each finding as small as it can be."""
    report.forget_the_number_of_dims()
    found = list(report.findings)
    shrunk = results(shrink, target, found, executor)
    for number, (finding, smaller) in enumerate(shrunk, 1):
        # What kills the process that shrinks it stays as it is.
        report.findings[number - 1] = smaller or finding
        progress("shrinking", number, len(found))


def shrink(target: Target, finding: Finding) -> Finding:
    """Make the case of a finding as small as it can be with the same signature, and as new.

    What the finding is not about is not run: gradients, and stages after its own. A known
    deviation has a case already, its witness.
    """
    if finding.mismatch.detail == DIED:
        return finding
    if finding.known is not None:
        return with_witness(target, finding)
    kind = finding.mismatch.kind
    about_gradients = kind in ("wrong-gradient", "structure") or finding.mismatch.order > 0
    until = "run" if kind == "accepted-invalid" else finding.mismatch.stage
    deadline = time.monotonic() + SHRINK_SECONDS
    configuration, smallest = finding.configuration, finding.mismatch

    @cache
    def is_as_wrong(case: DotCase) -> bool:
        nonlocal smallest
        if time.monotonic() > deadline or limit_of(target, case, configuration.backend):
            return False
        for found in found_in(target, [case], configuration, until=until):
            if found.key == finding.key:
                smallest = found.mismatch
                return True
        return False

    if not about_gradients:
        is_as_wrong(replace(smallest.case, gradient_order=0))
    simplified(smallest.case, is_as_wrong)
    return replace(finding, mismatch=smallest)


def with_witness(target: Target, finding: Finding) -> Finding:
    """Give a known finding the witness of its deviation, if that shows the same."""
    (deviation,) = (each for each in target.deviations if each.id == finding.known)
    for found in found_in(target, [deviation.witness], finding.configuration):
        if found.key == finding.key:
            return replace(finding, mismatch=found.mismatch)
    return finding
