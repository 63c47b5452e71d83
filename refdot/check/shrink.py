"""Confirms findings: shrinks a new one, and holds a known one to its deviation's examples."""

import os
import time
from dataclasses import replace
from functools import cache
from itertools import product

from refdot.cases.case import DotCase
from refdot.cases.shrinking import shrink_case
from refdot.check.batch import is_fatal, judge_alone, judge_cases
from refdot.check.findings import Finding
from refdot.check.plan import Configuration
from refdot.check.programs import judge_programs
from refdot.programs.case import ProgramCase
from refdot.programs.findings import ProgramFinding
from refdot.programs.shrinking import shrink_program
from refdot.targets.protocol import ProgramTarget, Target, deviations_by_id, unsupported_reason

__all__ = ["confirmed", "confirmed_program"]


def _processor_time() -> float:
    """Return the seconds that this process and its children, such as compilers, have computed."""
    return sum(os.times()[:4])


# The clocks that limit the shrinking of one counterexample, and their seconds. Only very slow cases
# reach a limit before the minimum. On a busy machine, the second one leaves enough time.
_LIMITS = ((_processor_time, 10.0), (time.monotonic, 60.0))
_PROGRAM_LIMITS = ((_processor_time, 60.0), (time.monotonic, 180.0))


def confirmed(target: Target, finding: Finding, timeout: float | None = None) -> Finding:
    """Return the finding with the smallest case that has its signature, and is as new.

    A known deviation has an example already. A finding whose deviation the target does not have is
    new: something else looks like it.
    """
    if is_fatal(finding.mismatch.detail):
        return finding
    if finding.known is None:
        return _with_smallest_case(target, finding, timeout)
    shown = _by_example(target, finding, timeout)
    if shown is not None:
        return shown
    return replace(_with_smallest_case(target, finding, timeout), known=None)


def _by_example(target: Target, finding: Finding, timeout: float | None) -> Finding | None:
    """Return a known finding if an example of its deviation still deviates, else None.

    The example becomes its case if it has the same signature. It need not deviate on each lowering.
    """
    shown = _shown_by_example(target, finding, timeout)
    same = next((each for each in shown if each.key == finding.key), None)
    if isinstance(same, Finding) and same.where == finding.where:
        return replace(finding, mismatch=same.mismatch)
    return finding if shown else None


def _shown_by_example(
    target: Target, finding: Finding | ProgramFinding, timeout: float | None
) -> list[Finding | ProgramFinding]:
    """Return what the deviation of a known finding explains of its own examples, on one backend.

    One example that deviates is enough, on some lowering. The example of a program need not deviate
    on each backend either: a mode with few rewrites may need another program for that. If the
    backend supports no example, the finding itself stands for it.
    """
    assert finding.known is not None
    deviations = deviations_by_id(target)[finding.known]
    # A dot in a program may have a deviation that is on record for dots only.
    deviation = deviations[0 if isinstance(finding, Finding) else -1]
    backend, own = finding.where
    examples = [
        each for each in deviation.examples if unsupported_reason(target, each, backend) is None
    ]
    if not examples:
        return [finding]
    backends = [backend]
    if isinstance(finding, ProgramFinding):
        fast = (each.name for each in target.backends() if not each.slow_to_compile)
        backends += [each for each in fast if each in deviation.backends or not deviation.backends]
    lowerings = dict.fromkeys((own, *target.default_lowerings))
    for example, *where in product(examples, dict.fromkeys(backends), lowerings):
        judged = judge_alone(target, example, Configuration(*where), timeout)
        if shown := [each for each in judged if each.known == finding.known]:
            return shown
    return []


def _with_smallest_case(target: Target, finding: Finding, timeout: float | None) -> Finding:
    """Return a finding with the smallest case that has its signature, and is as new.

    Gradients and later stages run only if the finding is about them.
    """
    kind = finding.mismatch.kind
    about_gradients = kind in ("wrong-gradient", "structure") or finding.mismatch.order > 0
    until = "run" if kind == "accepted-invalid" else finding.mismatch.stage
    deadlines = [(clock, clock() + seconds) for clock, seconds in _LIMITS]
    configuration, smallest = finding.configuration, finding.mismatch

    @cache
    def still_fails(case: DotCase) -> bool:
        nonlocal smallest
        if any(clock() > end for clock, end in deadlines):
            return False
        if unsupported_reason(target, case, configuration.backend):
            return False
        for found in judge_cases(target, [case], configuration, until=until, timeout=timeout):
            if found.key == finding.key:
                smallest = found.mismatch
                return True
        return False

    if not about_gradients:
        still_fails(replace(smallest.case, gradient_order=0))
    shrink_case(smallest.case, still_fails)
    return replace(finding, mismatch=smallest)


def confirmed_program(
    target: ProgramTarget, finding: ProgramFinding, timeout: float | None = None
) -> ProgramFinding:
    """Return the finding with the smallest program that has its signature, and is as new.

    A known deviation has an example already. A finding whose deviation the target does not have is
    new: something else looks like it.
    """
    if is_fatal(finding.detail):
        return finding
    if finding.known is None:
        return _with_smallest_program(target, finding, timeout)
    if _shown_by_example(target, finding, timeout):
        return finding
    return replace(_with_smallest_program(target, finding, timeout), known=None)


def _with_smallest_program(
    target: ProgramTarget, finding: ProgramFinding, timeout: float | None
) -> ProgramFinding:
    """Return a finding with the smallest program that has its signature, and is as new."""
    smallest = finding.observation
    deadlines = [(clock, clock() + seconds) for clock, seconds in _PROGRAM_LIMITS]
    configuration = Configuration(smallest.backend, smallest.lowering)
    kinds = {smallest.difference.kind}

    @cache
    def still_fails(case: ProgramCase) -> bool:
        nonlocal smallest
        if any(clock() > end for clock, end in deadlines):
            return False
        for found in judge_programs(target, [case], configuration, kinds, timeout):
            if found.key == finding.key:
                smallest = found.observation
                return True
        return False

    shrink_program(smallest.case, still_fails)
    return replace(finding, observation=smallest)
