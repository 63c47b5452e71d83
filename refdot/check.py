"""The campaign: draws cases, judges them, groups what is wrong, and shrinks each cause."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cache

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.strategies import SearchStrategy

from refdot.case import DotCase
from refdot.compare import ASPECTS, compare
from refdot.simplify import simplifications
from refdot.strategies import dot_cases
from refdot.targets import Mismatch, Target, limit_of

__all__ = ["Configuration", "Finding", "Report", "case_at", "run", "shrink"]

# How many cases Hypothesis may try to make one counterexample smaller, and how long the steps
# that follow may take: on a machine that is not very slow they end long before.
SHRINK_TRIES, SHRINK_SECONDS = 12, 10.0

Progress = Callable[[str, int, int], None]


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
    index : int
        The number of the case that it was shrunk from.
    """

    mismatch: Mismatch
    configuration: Configuration
    index: int
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
        How many more were drawn, but are beyond the target's limits.
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
    seconds: float = 0.0
    findings: list[Finding] = field(default_factory=list)
    interrupted: bool = False


def run(
    target: Target,
    *,
    cases: int = 300,
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
        How many distinct cases to judge, each on every configuration.
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
    chosen = tuple(backends) or tuple(b.name for b in there if b.default and not b.absent)
    report = Report(
        target=target.name,
        target_version=target.version,
        seed=seed,
        backends=chosen,
        lowerings=tuple(lowerings) or target.default_lowerings,
        absent_backends={b.name: b.absent for b in there if b.absent},
    )
    configurations = [
        Configuration(backend, lowering) for backend in chosen for lowering in report.lowerings
    ]
    findings: dict[str, Finding] = {}
    try:
        seen: set[DotCase] = set()
        index = 0
        # A target may be limited to so little that it is hardly ever drawn, or never.
        while report.cases < cases and index < 100 * cases:
            case = case_at(seed, index)
            index += 1
            if case in seen:
                continue
            seen.add(case)
            if limit_of(target, case):
                report.skipped += 1
                continue
            for configuration in configurations:
                for mismatch in judge(target, case, configuration, only):
                    found = Finding(mismatch, configuration, index - 1)
                    collect(findings, found, configurations)
            report.cases += 1
            progress("judging", report.cases, cases)
        forget_the_number_of_dims(findings)
        for number, finding in enumerate(findings.values(), 1):
            shrink(target, finding, seed)
            progress("shrinking", number, len(findings))
    except KeyboardInterrupt:
        report.interrupted = True
    report.findings = sorted(findings.values(), key=order_of)
    report.seconds = time.monotonic() - started
    return report


def judge(
    target: Target,
    case: DotCase,
    configuration: Configuration,
    only: Sequence[str] = (),
    until: str = "run",
) -> tuple[Mismatch, ...]:
    """Run a case on one configuration and compare; keep the aspects asked for."""
    outcome = target.run(case, configuration.backend, configuration.lowering, until)
    kinds = {kind for aspect in only or ASPECTS for kind in ASPECTS[aspect]}
    return tuple(found for found in compare(case, outcome, target) if found.kind in kinds)


def collect(
    findings: dict[str, Finding], found: Finding, configurations: Sequence[Configuration]
) -> None:
    """Add what was found to the finding of its signature.

    Kept is the smallest case on the first configuration that shows it: if the stock lowering
    does, its script need not bring another.
    """

    def preference(finding: Finding) -> tuple[int, tuple[int, int, int]]:
        return configurations.index(finding.configuration), weight(finding.mismatch.case)

    finding = findings.setdefault(found.mismatch.signature, found)
    if preference(found) < preference(finding):
        finding.mismatch, finding.index = found.mismatch, found.index
        finding.configuration = found.configuration
    finding.add(found.configuration)


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


def draw(number: int, phases: Iterable[Phase], visit: Callable[[DotCase], None]) -> None:
    """Let Hypothesis draw with a seed of its own for each number.

    Hypothesis draws the simplest case first and something random after that; and each case of a
    longer run resembles those before it. Cases that are each the second of their own run are
    independent, and any of them can be drawn again without the others.
    """

    @settings(
        max_examples=2,
        phases=tuple(phases),
        database=None,
        deadline=None,
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )
    @seed(number)
    @given(cases_strategy())
    def visited(case: DotCase) -> None:
        visit(case)

    visited()


def case_at(seed: int, index: int) -> DotCase:
    """Draw the case of a number: the same with the same seed on every machine.

    Examples
    --------
    >>> case_at(0, 5) == case_at(0, 5)
    True
    """
    drawn: list[DotCase] = []
    draw(number_of(seed, index), (Phase.generate,), drawn.append)
    return drawn[-1]


def number_of(seed: int, index: int) -> int:
    """Give every (seed, index) a number of its own, as long as indices stay below 2⁴⁰."""
    return (seed << 40) + index


class StillThereError(Exception):
    """Raised for Hypothesis to see that a case still shows what is being shrunk."""


class EnoughTries(BaseException):
    """Raised to stop Hypothesis, which catches errors and would go on trying."""


def shrink(target: Target, finding: Finding, seed: int) -> None:
    """Make the case of a finding as small as it can be with the same signature.

    Hypothesis draws the case again, sees it fail, and shrinks it by what it knows of how it was
    drawn, for some tries; then it is simplified step by step until no step leaves it as wrong as
    it was. What the finding is not about is not run: gradients, and stages after its own.
    """
    signature, kind = finding.mismatch.signature, finding.mismatch.kind
    about_gradients = kind in ("wrong-gradient", "structure") or finding.mismatch.order > 0
    until = "run" if kind == "accepted-invalid" else finding.mismatch.stage
    seen: dict[DotCase, Mismatch | None] = {}

    def look_at(case: DotCase) -> Mismatch | None:
        if limit_of(target, case):
            return None
        mismatches = judge(target, case, finding.configuration, until=until)
        return next((found for found in mismatches if found.signature == signature), None)

    def is_still_there(case: DotCase) -> bool:
        if case not in seen:
            seen[case] = look_at(case)
        finding.mismatch = seen[case] or finding.mismatch
        return seen[case] is not None

    def visit(drawn: DotCase) -> None:
        case = drawn if about_gradients else replace(drawn, gradient_order=0)
        if case not in seen and len(seen) >= SHRINK_TRIES:
            raise EnoughTries
        if is_still_there(case):
            raise StillThereError

    with suppress(StillThereError, EnoughTries):
        draw(number_of(seed, finding.index), (Phase.generate, Phase.shrink), visit)
    deadline = time.monotonic() + SHRINK_SECONDS
    while any(
        is_still_there(simpler)
        for simpler in simplifications(finding.mismatch.case)
        if time.monotonic() < deadline
    ):
        pass
