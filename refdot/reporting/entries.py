"""What every report shows of a finding, whether it is of a dot or of a program."""

from dataclasses import dataclass

from refdot.check.findings import Finding, Report
from refdot.programs.findings import ProgramFinding
from refdot.programs.judgement import Difference
from refdot.reporting.names import program_script_name, reproducer_name
from refdot.targets.mismatch import Mismatch

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
    named_where : bool
        Whether the names of the backends and of the lowerings are shown.
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
    named_where: bool = True

    @property
    def key(self) -> tuple[str, str | None]:
        """What makes the finding distinct."""
        return self.signature, self.known

    @property
    def times(self) -> str:
        """How often it was seen."""
        return "once" if self.count == 1 else f"{self.count:,} times"

    @property
    def seen(self) -> str:
        """How often it was seen, and on which backends and lowerings."""
        if not self.named_where:
            return self.times
        also = f" (also on {', '.join(self.also_on)})" if self.also_on else ""
        return f"{self.times} on {', '.join(self.backends)}{also}; {', '.join(self.lowerings)}"


def entry_of(finding: Finding | ProgramFinding, *, named_where: bool = True) -> Entry:
    """Return what reports show of a finding."""
    about = ""
    wrong: Difference | Mismatch
    if isinstance(finding, ProgramFinding):
        wrong, script = finding.observation.difference, program_script_name(finding)
        about = wrong.name
    else:
        wrong, script = finding.mismatch, reproducer_name(finding)
    return Entry(
        signature=finding.signature,
        rule=wrong.rule,
        kind=wrong.kind,
        case=str(finding.case),
        about=about,
        expected=wrong.expected,
        got=wrong.got,
        backends=tuple(finding.backends),
        lowerings=tuple(finding.lowerings),
        count=finding.count,
        known=finding.known,
        script=script,
        also_on=tuple(finding.also_on),
        named_where=named_where,
    )


def entries_of(report: Report) -> list[Entry]:
    """Return the entries of a report: those of dots first."""
    named_where = report.has_choice
    return [entry_of(finding, named_where=named_where) for finding in report.all_findings]
