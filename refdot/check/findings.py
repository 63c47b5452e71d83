"""What a campaign found."""

from __future__ import annotations

import platform
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from refdot.cases.case import DotCase
from refdot.check.plan import PROFILES, WHOLE, Batch, Configuration, Profile, Shard
from refdot.targets.mismatch import Mismatch

__all__ = ["BatchResult", "Coverage", "Finding", "Report", "order_of"]


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
class BatchResult:
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
    unsupported : dict of str to dict of str to int
        For each backend and reason, how many cases it kept away.
    findings : list of Finding
    """

    cases: dict[str, int] = field(default_factory=dict)
    distinct: int = 0
    skipped: int = 0
    lost: int = 0
    unsupported: dict[str, dict[str, int]] = field(default_factory=dict)
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
    unsupported : dict of str to dict of str to int
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
    unsupported: dict[str, dict[str, int]] = field(default_factory=dict)
    coverage: dict[str, Coverage] = field(default_factory=dict)
    seconds: float = 0.0
    findings: list[Finding] = field(default_factory=list)
    interrupted: bool = False

    def add(self, batch: Batch, judged: BatchResult) -> None:
        """Count what came of a batch, but for what was found."""
        self.cases += judged.distinct
        self.skipped += judged.skipped
        self.lost += judged.lost
        self.count_limits(judged.unsupported)
        for backend, cases in judged.cases.items():
            coverage = self.coverage[backend]
            coverage.cases += cases
            if batch.pattern is not None and cases:
                rank = max(len(batch.pattern.x_dims), len(batch.pattern.y_dims))
                judged_before, there_are = coverage.patterns[rank]
                coverage.patterns[rank] = judged_before + 1, there_are

    def count_limits(self, unsupported: dict[str, dict[str, int]]) -> None:
        """Count for each backend the cases that each limit kept away."""
        for backend, counts in unsupported.items():
            self.unsupported[backend] = dict(
                Counter(self.unsupported.get(backend, {})) + Counter(counts)
            )

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
            _weight(case),
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


def order_of(finding: Finding) -> tuple[int, str, str]:
    """Sort findings by rule, then by signature, and what is new before what is known."""
    return int(finding.mismatch.rule[1:]), finding.mismatch.signature, finding.known or ""


def _weight(case: DotCase) -> tuple[int, int, int]:
    """Say how large a case is: its dims, their sizes, and what there is to say of it."""
    shapes = case.x.shape + case.y.shape
    return len(shapes), sum(shapes), len(str(case))
