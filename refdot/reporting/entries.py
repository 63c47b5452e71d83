"""What every report shows of a finding, whether it is of a dot or of a program."""

from dataclasses import dataclass

from refdot.check.findings import Finding, Report
from refdot.programs.findings import ProgramFinding
from refdot.reporting.names import program_script_name, reproducer_name

__all__ = ["Entry", "entries_of", "entry_of"]


@dataclass(frozen=True)
class Entry:
    """A finding as reports show it.

    Attributes
    ----------
    case : str
        The smallest case; a program has several lines.
    about : str
        The value of a program that is wrong, or ""; a dot has one value.
    script : str
        The file name of its reproducer.
    """

    signature: str
    rule: str
    kind: str
    case: str
    about: str
    expected: str
    got: str
    backends: tuple[str, ...]
    lowerings: tuple[str, ...]
    count: int
    known: str | None
    script: str
    also_on: tuple[str, ...] = ()

    @property
    def key(self) -> tuple[str, str | None]:
        """What makes the finding distinct."""
        return self.signature, self.known

    @property
    def where(self) -> str:
        """The backends and the lowerings that show it."""
        also = f" (also on {', '.join(self.also_on)})" if self.also_on else ""
        return f"{', '.join(self.backends)}{also}; {', '.join(self.lowerings)}"

    @property
    def times(self) -> str:
        """How often it was seen."""
        return "once" if self.count == 1 else f"{self.count:,} times"


def entry_of(finding: Finding | ProgramFinding) -> Entry:
    """Return what reports show of a finding."""
    if isinstance(finding, ProgramFinding):
        difference = finding.observation.difference
        case, about = str(finding.observation.case), difference.name
        script = program_script_name(finding)
        rule, kind = difference.rule, difference.kind
        expected, got = difference.expected, difference.got
    else:
        mismatch = finding.mismatch
        case, about, script = str(mismatch.case), "", reproducer_name(finding)
        rule, kind = mismatch.rule, mismatch.kind
        expected, got = mismatch.expected, mismatch.got
    return Entry(
        finding.signature,
        rule,
        kind,
        case,
        about,
        expected,
        got,
        tuple(finding.backends),
        tuple(finding.lowerings),
        finding.count,
        finding.known,
        script,
        () if isinstance(finding, ProgramFinding) else tuple(finding.also_on),
    )


def entries_of(report: Report) -> list[Entry]:
    """Return the entries of a report: those of dots first."""
    return [entry_of(finding) for finding in report.all_findings]
