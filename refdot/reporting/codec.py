"""Reports as JSON: the schema, which msgspec checks, and the conversion in both directions."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, TypeAlias, TypeVar

from msgspec import Meta, MsgspecError, Struct, convert, field, to_builtins

from refdot import __version__
from refdot.cases.codec import CaseRecord
from refdot.check.findings import Coverage, Finding, Report
from refdot.check.plan import Shard
from refdot.programs.codec import ProgramCaseRecord
from refdot.programs.findings import Observation, ProgramFinding
from refdot.programs.judgement import Difference
from refdot.reporting.names import program_script_name, reproducer_name
from refdot.rules import ASPECTS, KINDS, RULES, STAGES

__all__ = ["report_from_json", "report_to_json"]


def _one_of(words: Iterable[str]) -> Meta:
    return Meta(pattern=rf"\A({'|'.join(words)})\Z")


_Count: TypeAlias = Annotated[int, Meta(ge=0)]
_T = TypeVar("_T", bound=Struct)


# A field has the name of the attribute that it stores; some keys of the files differ from it.
# `convert` fills the fields of the report from the fields and properties of these records.
class _Record(Struct, forbid_unknown_fields=True):
    pass


class _ProfileRecord(_Record):
    cases: _Count
    exhaustive: _Count | None
    thorough: bool
    sample: _Count | None
    fixed: bool = True
    programs: _Count = 0
    sample_cases: _Count | None = None
    look: bool = False


class _ConfigurationRecord(_Record):
    backend: str
    lowering: str


class _RankRecord(_Record):
    rank: _Count
    patterns: _Count
    of: _Count


class _CoverageRecord(_Record):
    cases: _Count
    thorough: bool
    ranks: list[_RankRecord]
    kernels: dict[str, _Count] = {}
    rewrites: dict[str, _Count] = {}

    def __post_init__(self) -> None:
        if [each.rank for each in self.ranks] != [*range(len(self.ranks))]:
            raise ValueError("the ranks must be 0, 1, 2, … in this order")

    @property
    def patterns(self) -> list[tuple[int, int]]:
        return [(each.patterns, each.of) for each in self.ranks]


class _AnyFindingRecord(_Record, kw_only=True):
    signature: str
    rule: Annotated[str, _one_of(RULES)]
    kind: Annotated[str, _one_of(KINDS)]
    stage: Annotated[str, _one_of(STAGES)]
    backends: Annotated[list[str], Meta(min_length=1)]
    lowerings: Annotated[list[str], Meta(min_length=1)]
    count: Annotated[int, Meta(ge=1)]
    known: str | None
    configuration: _ConfigurationRecord
    expected: str
    got: str
    reproducer: str
    also_on: list[str] = []


class _FindingRecord(_AnyFindingRecord):
    detail: str
    case: CaseRecord
    earliest_stage: Annotated[str, _one_of(("", *STAGES))]
    replicate: _Count = field(name="draw")
    order: Annotated[int, Meta(ge=0, le=2)]
    operand: Annotated[str, _one_of(("", "x", "y"))]

    @property
    def mismatch(self) -> _FindingRecord:
        return self


class _ProgramFindingRecord(_AnyFindingRecord):
    name: str
    case: ProgramCaseRecord
    replicate: _Count

    @property
    def observation(self) -> Observation:
        difference = Difference(
            self.name,
            self.rule,
            self.kind,
            self.expected,
            self.got,
            self.stage,
            self.replicate,
        )
        where = self.configuration
        return Observation(self.case.case, difference, where.backend, where.lowering)


class _ReportRecord(_Record):
    refdot: str
    target: str
    target_version: str
    python: str
    seed: int
    profile: _ProfileRecord
    only: list[Annotated[str, _one_of(ASPECTS)]]
    shard_text: Annotated[str, Meta(pattern=r"\A[1-9][0-9]*/[1-9][0-9]*\Z")] = field(name="shard")
    cases: _Count
    skipped: _Count
    lost: _Count
    backends: list[str]
    lowerings: list[str]
    absent_backends: dict[str, str]
    unsupported: dict[str, dict[str, _Count]] = field(name="limits")
    coverage: dict[str, _CoverageRecord]
    seconds: Annotated[float, Meta(ge=0, le=1e12)]
    interrupted: bool
    findings: list[_FindingRecord] = field(name="mismatches")
    environment: dict[str, str] = {}
    other_backends: list[str] = []
    other_lowerings: list[str] = []
    stopped: bool = False
    gone: list[str] = []
    programs: _Count = 0
    program_records: list[_ProgramFindingRecord] = field(name="program_mismatches", default=[])

    @property
    def program_findings(self) -> list[ProgramFinding]:
        return [
            ProgramFinding(
                each.observation,
                each.known,
                each.backends,
                each.lowerings,
                each.count,
                each.also_on,
            )
            for each in self.program_records
        ]

    def __post_init__(self) -> None:
        _shard(self.shard_text)  # `convert` takes a property that raises for one that is absent

    @property
    def shard(self) -> Shard:
        return _shard(self.shard_text)


def _shard(text: str) -> Shard:
    return Shard(*map(int, text.split("/")))


def report_to_json(report: Report) -> dict[str, Any]:
    """Return a report as what `json` can write."""
    record = _build(
        _ReportRecord,
        report,
        refdot=__version__,
        only=list(report.only),
        shard_text=str(report.shard),
        backends=list(report.backends),
        lowerings=list(report.lowerings),
        other_backends=list(report.other_backends),
        other_lowerings=list(report.other_lowerings),
        coverage={name: _coverage_record(each) for name, each in report.coverage.items()},
        seconds=round(report.seconds, 3),
        findings=[_finding_record(finding) for finding in report.findings],
        program_records=[_program_record(finding) for finding in report.program_findings],
    )
    data: dict[str, Any] = to_builtins(record)
    return data


def _coverage_record(coverage: Coverage) -> _CoverageRecord:
    ranks = [_RankRecord(rank, *counts) for rank, counts in enumerate(coverage.patterns)]
    return _build(_CoverageRecord, coverage, ranks=ranks)


def _finding_record(finding: Finding) -> _FindingRecord:
    return _build(
        _FindingRecord,
        finding.mismatch,
        finding,
        case=CaseRecord.of(finding.mismatch.case),
        reproducer=reproducer_name(finding),
    )


def _program_record(finding: ProgramFinding) -> _ProgramFindingRecord:
    seen = finding.observation
    return _build(
        _ProgramFindingRecord,
        seen.difference,
        finding,
        case=ProgramCaseRecord.of(seen.case),
        configuration=_ConfigurationRecord(seen.backend, seen.lowering),
        reproducer=program_script_name(finding),
    )


def report_from_json(data: Any) -> Report:
    """Return the report that `report_to_json` of this version wrote, or raise a `ValueError`."""
    if not isinstance(data, dict) or "refdot" not in data:
        raise ValueError("not written by refdot check")
    if data["refdot"] != __version__:
        raise ValueError(f"written by refdot {data['refdot']}, and this is {__version__}")
    try:
        report = convert(convert(data, _ReportRecord), Report, from_attributes=True)
        _check_consistency(report)
    except (MsgspecError, ValueError) as error:
        raise ValueError(f"not written by refdot check: {error}") from None
    return report


def _build(kind: type[_T], *sources: object, **values: Any) -> _T:
    """Return a new record with these values, and attributes of the sources for the others."""
    for name in kind.__struct_fields__:
        for source in sources:
            if name not in values and hasattr(source, name):
                values[name] = getattr(source, name)
    return kind(**values)


def _check_consistency(report: Report) -> None:
    if report.coverage.keys() != {*report.backends}:
        raise ValueError("coverage must have one entry for each backend")
    rank = report.profile.exhaustive
    for backend, coverage in report.coverage.items():
        if len(coverage.patterns) != (0 if rank is None else rank + 1):
            raise ValueError(f"the ranks of backend {backend!r} are not those of the profile")
        if any(judged > total for judged, total in coverage.patterns):
            raise ValueError(f"backend {backend!r} covers more patterns than exist")
    for finding in report.all_findings:
        try:
            report.place(finding)
        except ValueError:
            known_here = False
        else:
            known_here = {*finding.backends} <= {*report.backends}
            known_here &= {*finding.lowerings} <= {*report.lowerings}
        if not known_here:
            raise ValueError("a mismatch on a backend or lowering that the report does not have")
