"""Replays at the end of a run: new mismatches on other backends, and known deviations not seen."""

from collections.abc import Iterator
from dataclasses import replace

from refdot.check.batch import judge_cases
from refdot.check.findings import Finding, Report
from refdot.check.plan import Configuration
from refdot.targets.mismatch import Deviation
from refdot.targets.protocol import Target, unsupported_reason

__all__ = ["deviations_that_are_gone", "with_other_backends"]

# Each may compile a graph on every backend.
_MOST_REPLAYED = 10


def with_other_backends(report: Report, target: Target) -> list[Finding]:
    """Return the findings of a report; the first new ones have the other backends that show them.

    They are replayed on the backends that can run here and run by default.
    """
    able = [each.name for each in target.backends() if each.default and not each.absent]
    left = _MOST_REPLAYED
    findings = []
    for finding in report.findings:
        if finding.known is None and left:
            left -= 1
            others = [name for name in able if name not in finding.backends]
            also = [name for name in others if _shows(finding, name, target)]
            finding = replace(finding, also_on=also)
        findings.append(finding)
    return findings


def _shows(finding: Finding, backend: str, target: Target) -> bool:
    if unsupported_reason(target, finding.case, backend):
        return False
    configuration = Configuration(backend, finding.configuration.lowering)
    found = judge_cases(target, [finding.case], configuration)
    return any(each.signature == finding.signature for each in found)


def deviations_that_are_gone(report: Report, target: Target) -> Iterator[str]:
    """Yield the ids of known deviations that a run did not see, and whose example is right now."""
    seen = {finding.known for finding in report.all_findings}
    for deviation in target.deviations:
        if deviation.id not in seen and _is_gone(deviation, report, target):
            yield deviation.id


def _is_gone(deviation: Deviation, report: Report, target: Target) -> bool:
    backends = [name for name in report.backends if name in (deviation.backends or report.backends)]
    lowerings = deviation.lowerings or target.default_lowerings
    configurations = [Configuration(backends[0], each) for each in lowerings] if backends else []
    able = [
        each
        for each in configurations
        if each.lowering in report.lowerings
        and unsupported_reason(target, deviation.example, each.backend) is None
    ]
    found = [each for where in able for each in judge_cases(target, [deviation.example], where)]
    return bool(able) and all(each.known != deviation.id for each in found)
