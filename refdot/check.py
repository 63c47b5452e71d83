"""The campaign: draws cases, judges them, groups what is wrong, and shrinks each cause."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import product

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import seed as seeded
from hypothesis.strategies import SearchStrategy

from refdot.case import DotCase
from refdot.compare import ASPECTS, compare
from refdot.patterns import (
    disagreeing_cases_of,
    dtype_cases_of,
    forward_cases_of,
    gradient_cases_of,
    patterns,
    slow_cases_of,
    telling_cases,
)
from refdot.simplify import simplified
from refdot.strategies import dot_cases
from refdot.targets import Mismatch, Target, limit_of

__all__ = ["PROFILES", "Configuration", "Finding", "Profile", "Report", "case_at", "run", "shrink"]

# How long making one counterexample smaller may take: unless a case takes very long, it ends
# long before, at a minimum.
SHRINK_SECONDS = 10.0

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Profile:
    """How much to judge.

    Attributes
    ----------
    cases : int
        How many cases to draw.
    exhaustive : int, optional
        The rank up to which to judge every pattern of dims.
    thorough : bool
        Whether with all the cases of each pattern on every lowering.
    """

    cases: int
    exhaustive: int | None
    thorough: bool = True


PROFILES = {
    "quick": Profile(150, 2, thorough=False),
    "standard": Profile(2000, 2),
    "deep": Profile(20_000, 3),
}


@dataclass(frozen=True)
class Configuration:
    """One way to run a target: a backend and a lowering."""

    backend: str
    lowering: str


@dataclass
class Finding:
    """One distinct mismatch: all that was found with one signature.

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
    count: int = 0
    known: str | None = None

    def add(self, configuration: Configuration) -> None:
        """Count one more, on `configuration`."""
        self.count += 1
        for names, name in (
            (self.backends, configuration.backend),
            (self.lowerings, configuration.lowering),
        ):
            if name not in names:
                names.append(name)


@dataclass
class Report:
    """What a campaign did and found.

    Attributes
    ----------
    target, target_version, python : str
    seed : int
    cases : int
        How many distinct cases were judged.
    skipped : int
        How many more there were, but beyond the target's limits.
    exhaustive : int, optional
        The rank up to which every pattern of dims was among them.
    backends, lowerings : tuple of str
    absent_backends : dict of str to str
        Those that cannot run here, with the reason.
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
    cases: int = 0
    skipped: int = 0
    exhaustive: int | None = None
    seconds: float = 0.0
    findings: list[Finding] = field(default_factory=list)
    interrupted: bool = False


def run(
    target: Target,
    *,
    cases: int = 300,
    exhaustive: int | None = None,
    thorough: bool = True,
    seed: int = 0,
    backends: Sequence[str] = (),
    lowerings: Sequence[str] = (),
    only: Sequence[str] = (),
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
    seed : int, optional
        The same seed gives the same cases on every interpreter and hash seed.
    backends, lowerings : sequence of str, optional
        By default every backend that can run here and is not slow, and the lowerings that the
        target runs unless others are asked for.
    only : sequence of str, optional
        Aspects to judge, of `refdot.compare.ASPECTS`; by default all.
    progress : callable, optional
        Told what is being done, how much of it is done, and how much there is.

    Returns
    -------
    Report
        If interrupted from the keyboard, of what was found until then.
    """
    started = time.monotonic()
    there = target.backends()
    report = Report(
        target=target.name,
        target_version=target.version,
        seed=seed,
        backends=tuple(backends) or tuple(b.name for b in there if b.default and not b.absent),
        lowerings=tuple(lowerings) or target.default_lowerings,
        absent_backends={b.name: b.absent for b in there if b.absent},
    )
    campaign = Campaign(target, report, tuple(only), progress)
    try:
        if exhaustive is not None:
            campaign.judge(telling_cases(), report.lowerings)
        campaign.judge_drawn_cases(cases)
        if exhaustive is not None:
            campaign.judge_every_pattern(exhaustive, thorough)
        campaign.shrink_findings()
    except KeyboardInterrupt:
        report.interrupted = True
    report.findings = sorted(campaign.findings.values(), key=order_of)
    report.seconds = time.monotonic() - started
    return report


@dataclass
class Campaign:
    """Judges cases on every configuration, and keeps what is found by its signature."""

    target: Target
    report: Report
    only: tuple[str, ...]
    progress: Progress
    findings: dict[str, Finding] = field(default_factory=dict)

    def judge_drawn_cases(self, count: int) -> None:
        """Judge some number of distinct cases that Hypothesis draws."""
        seen: set[DotCase] = set()
        judged = index = 0
        # A target may be limited to so little that it is hardly ever drawn, or never.
        while judged < count and index < 100 * count:
            case = case_at(self.report.seed, index)
            index += 1
            if case not in seen and self.judge([case], self.report.lowerings):
                judged += 1
                self.progress("judging", judged, count)
            seen.add(case)

    def judge_every_pattern(self, rank: int, thorough: bool) -> None:
        """Judge the cases of every pattern of at most some rank.

        Unless thorough, gradients are those of the last lowering, which are the fastest where it
        leaves no inner graph, and the rest is of the first.
        """
        count = sum(1 for _ in patterns(rank))
        self.report.exhaustive, every = rank, self.report.lowerings
        first, last = (every, every) if thorough else (every[:1], every[-1:])
        for number, pattern in enumerate(patterns(rank), 1):
            self.judge(forward_cases_of(pattern), every)
            self.judge(gradient_cases_of(pattern), last)
            self.judge(disagreeing_cases_of(pattern), first)
            if len(pattern.dims) == 1:
                self.judge(dtype_cases_of(pattern), first)
            if thorough:
                self.judge(slow_cases_of(pattern), every)
            self.progress(f"judging every pattern of rank {rank}", number, count)

    def judge(self, cases: Iterable[DotCase], lowerings: Sequence[str]) -> int:
        """Judge those distinct cases that are within the target's limits, and count them."""
        cases = dict.fromkeys(cases)
        within = [case for case in cases if not limit_of(self.target, case)]
        for backend, lowering in product(self.report.backends, lowerings):
            configuration = Configuration(backend, lowering)
            for mismatch in judge_all(self.target, within, configuration, self.only):
                self.collect(Finding(mismatch, configuration))
        self.report.cases += len(within)
        self.report.skipped += len(cases) - len(within)
        return len(within)

    def collect(self, found: Finding) -> None:
        """Add what was found to the finding of its signature.

        Kept is the smallest case on the first configuration that shows it: if the stock lowering
        does, its script need not bring another.
        """

        def preference(finding: Finding) -> tuple[int, int, tuple[int, int, int]]:
            backend, lowering = finding.configuration.backend, finding.configuration.lowering
            return (
                self.report.backends.index(backend),
                self.report.lowerings.index(lowering),
                weight(finding.mismatch.case),
            )

        finding = self.findings.setdefault(found.mismatch.signature, found)
        if preference(found) < preference(finding):
            finding.mismatch, finding.configuration = found.mismatch, found.configuration
        finding.add(found.configuration)

    def shrink_findings(self) -> None:
        """Make the case of each finding as small as it can be."""
        forget_the_number_of_dims(self.findings)
        for number, finding in enumerate(self.findings.values(), 1):
            shrink(self.target, finding)
            self.progress("shrinking", number, len(self.findings))


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
    kinds = {kind for aspect in only or ASPECTS for kind in ASPECTS[aspect]}
    outcomes = target.run_all(cases, configuration.backend, configuration.lowering, until)
    for case, outcome in zip(cases, outcomes, strict=True):
        yield from (found for found in compare(case, outcome, target) if found.kind in kinds)


def forget_the_number_of_dims(findings: dict[str, Finding]) -> None:
    """Count what is said to be about many dims (R11) with the same of few dims, if there is."""
    for signature in [signature for signature in findings if signature.startswith("R11 ")]:
        of_few_dims = findings.get(signature.replace("R11 ", "R6 ", 1))
        if of_few_dims is not None:
            of_few_dims.count += findings.pop(signature).count


def order_of(finding: Finding) -> tuple[int, str]:
    """Sort findings by rule, then by signature."""
    return int(finding.mismatch.rule[1:]), finding.mismatch.signature


def weight(case: DotCase) -> tuple[int, int, int]:
    """Say how large a case is: its dims, their sizes, and what there is to say of it."""
    shapes = case.x.shape + case.y.shape
    return len(shapes), sum(shapes), len(str(case))


@cache
def cases_strategy() -> SearchStrategy[DotCase]:
    """Give the strategy of all campaigns, made once: making it is slow."""
    return dot_cases()


def case_at(seed: int, index: int) -> DotCase:
    """Draw the case of a number: the same with the same seed on every machine.

    Hypothesis draws the simplest case first and something random after that; and each case of a
    longer run resembles those before it. Cases that are each the second of their own run are
    independent, and any of them can be drawn again without the others.

    Examples
    --------
    >>> case_at(0, 5) == case_at(0, 5)
    True
    """
    drawn: list[DotCase] = []

    @settings(
        max_examples=2,
        phases=[Phase.generate],
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @seeded(number_of(seed, index))
    @given(cases_strategy())
    def draw(case: DotCase) -> None:
        drawn.append(case)

    draw()
    return drawn[-1]


def number_of(seed: int, index: int) -> int:
    """Give every (seed, index) a number of its own, as long as indices stay below 2⁴⁰."""
    return (seed << 40) + index


def shrink(target: Target, finding: Finding) -> None:
    """Make the case of a finding as small as it can be with the same signature.

    What the finding is not about is not run: gradients, and stages after its own.
    """
    signature, kind = finding.mismatch.signature, finding.mismatch.kind
    about_gradients = kind in ("wrong-gradient", "structure") or finding.mismatch.order > 0
    until = "run" if kind == "accepted-invalid" else finding.mismatch.stage
    deadline = time.monotonic() + SHRINK_SECONDS

    @cache
    def is_as_wrong(case: DotCase) -> bool:
        if time.monotonic() > deadline or limit_of(target, case):
            return False
        for found in judge(target, case, finding.configuration, until=until):
            if found.signature == signature:
                finding.mismatch = found
                return True
        return False

    case = finding.mismatch.case
    if not about_gradients and is_as_wrong(replace(case, gradient_order=0)):
        case = finding.mismatch.case
    simplified(case, is_as_wrong)
