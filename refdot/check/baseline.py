"""Compares a report with an earlier one, and with the mismatches that a user expects."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from refdot.check.findings import Finding, Report
from refdot.programs.findings import ProgramFinding

__all__ = ["STATES", "Comparison", "Expectation", "compare", "read_expectations"]

# The states of a finding. Only a new one fails a check.
STATES = ("new", "unchanged", "expected", "known")
# The attributes of a report that determine its cases.
_THAT_CHOOSE_CASES = ("seed", "profile", "only", "shard")


@dataclass(frozen=True)
class Expectation:
    """A mismatch that a user expects: its signature or the id of its known deviation, and why."""

    name: str
    reason: str


@dataclass(frozen=True)
class Comparison:
    """The state of each finding of a report, and what it does not show any more.

    Attributes
    ----------
    states : dict
        One of `STATES` for the key of each finding. "unchanged" is in the baseline too, and
        "expected" in the user's list.
    fixed : list of str
        The signatures of the baseline's mismatches that this report does not have, although it
        judged the same cases, on a backend and a lowering that had them.
    unseen : list of Expectation
        What the user expects, and the report does not have.
    differences : list of str
        What the baseline judged that this report did not, such as "seed 1".
    """

    states: dict[tuple[str, str | None], str]
    fixed: list[str] = field(default_factory=list)
    unseen: list[Expectation] = field(default_factory=list)
    differences: list[str] = field(default_factory=list)

    def count(self, state: str) -> int:
        """Return the number of findings in a state."""
        return list(self.states.values()).count(state)


def read_expectations(text: str) -> tuple[Expectation, ...]:
    """Read a list of expected mismatches: in each line a signature or an id, " # " and a reason.

    Empty lines, and lines that start with "#", are left out.

    Raises
    ------
    ValueError
        A line has no reason.

    Examples
    --------
    >>> read_expectations("R5 wrong-dims at run: dims # the old order, until 2.0")
    (Expectation(name='R5 wrong-dims at run: dims', reason='the old order, until 2.0'),)
    """
    expectations = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        name, _, reason = (part.strip() for part in line.rpartition(" # "))
        if not (name and reason):
            raise ValueError(f"line {number} needs a reason: SIGNATURE # REASON")
        expectations.append(Expectation(name, reason))
    return tuple(expectations)


def compare(
    report: Report, baseline: Report | None = None, expectations: Sequence[Expectation] = ()
) -> Comparison:
    """Compare a report with an earlier one, and with a user's list.

    Parameters
    ----------
    report : Report
    baseline : Report, optional
        An earlier report of the same target, possibly of another version.
    expectations : sequence of Expectation, optional

    Returns
    -------
    Comparison
    """
    expected = {each.name for each in expectations}
    before = {} if baseline is None else {each.key: each for each in baseline.all_findings}
    states, names = {}, set()
    for finding in report.all_findings:
        signature, known = finding.key
        names |= {signature, known}
        if known is not None:
            states[finding.key] = "known"
        elif signature in expected:
            states[finding.key] = "expected"
        else:
            states[finding.key] = "unchanged" if finding.key in before else "new"
    fixed = [
        finding.signature
        for key, finding in before.items()
        if key not in states and _is_judged(finding, report, baseline)
    ]
    is_complete = not (report.interrupted or report.stopped)
    unseen = [each for each in expectations if is_complete and each.name not in names]
    return Comparison(states, fixed, unseen, _differences(report, baseline))


def _is_judged(finding: Finding | ProgramFinding, report: Report, baseline: Report | None) -> bool:
    """Return whether a report judged the case of a finding of the baseline."""
    if baseline is None or report.interrupted or report.stopped:
        return False
    if any(getattr(report, name) != getattr(baseline, name) for name in _THAT_CHOOSE_CASES):
        return False
    on_backend = not {*report.backends}.isdisjoint(finding.backends)
    return on_backend and not {*report.lowerings}.isdisjoint(finding.lowerings)


def _differences(report: Report, baseline: Report | None) -> list[str]:
    """Return in what the baseline judged other cases."""
    if baseline is None:
        return []
    found = []
    if baseline.seed != report.seed:
        found.append(f"seed {baseline.seed}")
    if baseline.profile != report.profile:
        found.append("another number of cases")
    for noun in ("backends", "lowerings", "only"):
        then, now = getattr(baseline, noun), getattr(report, noun)
        if then != now:
            found.append(f"{'aspects' if noun == 'only' else noun} {', '.join(then) or 'all'}")
    return found
