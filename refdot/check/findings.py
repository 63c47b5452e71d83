"""The findings of a campaign, and the counts of what it judged."""

from __future__ import annotations

import platform
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import zip_longest
from typing import Any, TypeVar

from refdot.cases.case import DotCase
from refdot.check.plan import PROFILES, WHOLE, Configuration, Profile, Shard
from refdot.programs.findings import ProgramFinding
from refdot.targets.mismatch import Mismatch
from refdot.targets.rendering import environment
from refdot.text import counted

__all__ = ["BatchResult", "Counts", "Coverage", "Finding", "Report"]

_Found = TypeVar("_Found", "Finding", ProgramFinding)


@dataclass
class Finding:
    """A distinct mismatch: all mismatches with one signature and the same known deviation.

    Attributes
    ----------
    mismatch : Mismatch
        The smallest one.
    configuration : Configuration
        Where the smallest one was found.
    backends, lowerings : list of str
        All on which the mismatch was found.
    count : int
        Number of occurrences, over all cases and configurations.
    known : str, optional
        The id of its known deviation; None if it is new.
    also_on : list of str
        Other backends on which its case, replayed at the end of the run, has the mismatch too.
    """

    mismatch: Mismatch
    configuration: Configuration
    backends: list[str] = field(default_factory=list)
    lowerings: list[str] = field(default_factory=list)
    count: int = 1
    known: str | None = None
    also_on: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.backends = self.backends or [self.configuration.backend]
        self.lowerings = self.lowerings or [self.configuration.lowering]

    @property
    def signature(self) -> str:
        """The text that all mismatches with the same cause share."""
        return self.mismatch.signature

    @property
    def where(self) -> tuple[str, str]:
        """The backend and the lowering on which the smallest case was found."""
        return self.configuration.backend, self.configuration.lowering

    @property
    def detail(self) -> str:
        """What is wrong, in words."""
        return self.mismatch.detail

    @property
    def case(self) -> DotCase:
        """The smallest case."""
        return self.mismatch.case

    @property
    def key(self) -> tuple[str, str | None]:
        """What makes it distinct: a known deviation does not hide a new one that looks the same."""
        return self.signature, self.known

    @property
    def key_with_few_dims(self) -> tuple[str, str | None] | None:
        """The key of the same finding about few dims (R6), if this one is about many (R11)."""
        if self.mismatch.rule != "R11":
            return None
        return self.signature.replace("R11 ", "R6 ", 1), self.known


@dataclass
class Coverage:
    """The number of distinct cases and of dim patterns that one backend judged.

    Attributes
    ----------
    kernels, rewrites : dict of str to int
        What the backend could use for a dot, with the number of graphs for which it did.
    """

    cases: int = 0
    # For each rank, how many dim patterns were judged, and how many exist.
    patterns: list[tuple[int, int]] = field(default_factory=list)
    thorough: bool = False  # whether each pattern was judged with all its cases, on every lowering
    kernels: dict[str, int] = field(default_factory=dict)
    rewrites: dict[str, int] = field(default_factory=dict)

    def add(self, other: Coverage) -> None:
        """Add the counts of another part of the campaign."""
        self.cases += other.cases
        ranks = zip_longest(self.patterns, other.patterns, fillvalue=(0, 0))
        self.patterns = [
            (judged + more, max(total, same)) for (judged, total), (more, same) in ranks
        ]
        self.count(other.kernels, other.rewrites)

    def count(self, kernels: Mapping[str, int], rewrites: Mapping[str, int]) -> None:
        """Count the kernels and the rewrites that were used in other graphs."""
        for own, used in ((self.kernels, kernels), (self.rewrites, rewrites)):
            for name, graphs in used.items():
                own[name] = own.get(name, 0) + graphs


@dataclass(kw_only=True)
class Counts:
    """The number of cases judged, and of those left out.

    Attributes
    ----------
    cases : int
        Distinct cases that some backend judged.
    programs : int
        Distinct programs that some backend judged.
    skipped : int
        Distinct cases that no backend supports.
    lost : int
        Cases given up on some configuration, because too many others had killed their process.
    unsupported : dict of str to dict of str to int
        For each backend, the number of cases not judged, in whole or in part, for each reason.
    coverage : dict of str to Coverage
        For each backend, what it judged.
    """

    cases: int = 0
    programs: int = 0
    skipped: int = 0
    lost: int = 0
    unsupported: dict[str, dict[str, int]] = field(default_factory=dict)
    coverage: dict[str, Coverage] = field(default_factory=dict)

    def add(self, other: Counts) -> None:
        """Add the counts of another part of the campaign."""
        self.cases += other.cases
        self.programs += other.programs
        self.skipped += other.skipped
        self.lost += other.lost
        for backend, reasons in other.unsupported.items():
            totals = Counter(self.unsupported.get(backend, {})) + Counter(reasons)
            self.unsupported[backend] = dict(totals)
        for backend, coverage in other.coverage.items():
            self.coverage.setdefault(backend, Coverage()).add(coverage)


@dataclass(kw_only=True)
class BatchResult(Counts):
    """The counts and the findings of one batch."""

    findings: list[Finding] = field(default_factory=list)
    program_findings: list[ProgramFinding] = field(default_factory=list)


@dataclass(kw_only=True)
class Report(Counts):
    """What a campaign judged and found; see `Counts` for the other attributes.

    Attributes
    ----------
    absent_backends : dict of str to str
        Backends that cannot run here, with the reason.
    environment : dict of str to str
        What the verdict depends on besides the target and Python, by name.
    other_backends, other_lowerings : tuple of str
        Those that can run here, but were not selected.
    only : tuple of str
        The aspects that were judged; all if empty.
    findings : list of Finding
        Of dots, sorted by rule.
    program_findings : list of ProgramFinding
        Of programs, new ones first.
    interrupted : bool
        Whether the user ended the run.
    gone : list of str
        The ids of known deviations that the target does not have any more.
    stopped : bool
        Whether it ended at the number of new mismatches that the user asked for.
    """

    target: str
    target_version: str
    seed: int
    backends: tuple[str, ...]
    lowerings: tuple[str, ...]
    absent_backends: dict[str, str]
    python: str = platform.python_version()
    environment: dict[str, str] = field(default_factory=dict)
    other_backends: tuple[str, ...] = ()
    other_lowerings: tuple[str, ...] = ()
    profile: Profile = PROFILES["quick"]
    only: tuple[str, ...] = ()
    shard: Shard = WHOLE
    seconds: float = 0.0
    findings: list[Finding] = field(default_factory=list)
    program_findings: list[ProgramFinding] = field(default_factory=list)
    interrupted: bool = False
    stopped: bool = False
    gone: list[str] = field(default_factory=list)

    @property
    def all_findings(self) -> list[Finding | ProgramFinding]:
        """The findings of dots, and then those of programs."""
        return [*self.findings, *self.program_findings]

    @property
    def has_choice(self) -> bool:
        """Whether the target has several backends or lowerings, as a function has not."""
        backends = {*self.backends, *self.other_backends, *self.absent_backends}
        lowerings = {*self.lowerings, *self.other_lowerings}
        return len(backends) > 1 or len(lowerings) > 1

    def _repr_html_(self) -> str:
        new = [finding for finding in self.all_findings if not finding.known]
        template = environment("refdot.check").get_template("report.html.jinja")
        return template.render(report=self, new=new, counted=counted)

    def collect(self, found: Iterable[Finding]) -> None:
        """Merge each finding into the one with its key.

        The representative is the smallest case on the first configuration that shows the mismatch:
        if the stock lowering does, the reproducer need not install another one.
        """
        self.findings = self._merged(self.findings, found)

    def collect_programs(self, found: Iterable[ProgramFinding]) -> None:
        """Merge each finding of a program into the one with its key, as `collect` does."""
        self.program_findings = self._merged(self.program_findings, found)

    def _merged(self, own: Iterable[_Found], found: Iterable[_Found]) -> list[_Found]:
        findings = {finding.key: finding for finding in own}
        for finding in found:
            merged = findings.setdefault(finding.key, finding)
            if merged is finding:
                continue
            first, _ = sorted((merged, finding), key=self.representative_key)
            findings[finding.key] = replace(
                first,
                count=merged.count + finding.count,
                backends=_both(self.backends, merged.backends, finding.backends),
                lowerings=_both(self.lowerings, merged.lowerings, finding.lowerings),
            )
        return list(findings.values())

    def representative_key(self, finding: Finding | ProgramFinding) -> tuple[Any, ...]:
        """Return a sort key that no two cases share, so that their order does not matter."""
        text = str(finding.case)
        if isinstance(finding, ProgramFinding):
            size = len(finding.case.program.steps), finding.case.seed
        else:
            shapes = finding.case.x.shape + finding.case.y.shape
            size = len(shapes), sum(shapes)
        return (*self.place(finding), *size, len(text), text)

    def place(self, finding: Finding | ProgramFinding) -> tuple[int, int]:
        """Return the place of the configuration of a finding among those of the run."""
        backend, lowering = finding.where
        return self.backends.index(backend), self.lowerings.index(lowering)

    def merge_many_dims(self) -> None:
        """Count each finding about many dims (R11) with the same one about few dims, if found."""
        by_key = {finding.key: finding for finding in self.findings}
        for finding in self.findings:
            few = finding.key_with_few_dims
            if few is not None and few in by_key:
                del by_key[finding.key]
                by_key[few] = replace(by_key[few], count=by_key[few].count + finding.count)
        self.findings = list(by_key.values())

    def sort(self) -> None:
        """Sort the findings by rule and signature, new ones before known ones."""

        def key(finding: Finding) -> tuple[int, str, str]:
            return int(finding.mismatch.rule[1:]), finding.mismatch.signature, finding.known or ""

        self.findings.sort(key=key)
        self.program_findings.sort(key=lambda each: (each.known is not None, each.signature))


def _both(order: Sequence[str], some: Sequence[str], others: Sequence[str]) -> list[str]:
    """Return the names in either of two lists, in a given order."""
    return [name for name in order if name in some or name in others]
