"""Judge one batch of cases."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from refdot.cases.case import DotCase
from refdot.cases.size_variants import size_variants
from refdot.check.findings import BatchResult, Finding
from refdot.check.plan import Batch, Configuration
from refdot.check.pool import WorkerPool, results
from refdot.errors import SizeMismatchError
from refdot.judging.comparison import compare
from refdot.judging.expected import expected_error
from refdot.rules import ASPECTS
from refdot.targets.mismatch import Mismatch
from refdot.targets.outcome import Outcome, Raised
from refdot.targets.protocol import Target, deviation_of, unsupported_reason

__all__ = ["DIED", "found_in", "judge", "judge_apart", "judge_batch"]


DIED = "the process died"
# After so many cases of a batch that kill, the rest of it is given up: each costs two processes.
_MOST_DEATHS = 3


def judge(
    target: Target,
    case: DotCase,
    configuration: Configuration,
    only: Sequence[str] = (),
    until: str = "run",
) -> tuple[Mismatch, ...]:
    """Run a case on one configuration and compare; keep the aspects asked for."""
    found = found_in(target, [case], configuration, only, until)
    return tuple(finding.mismatch for finding in found)


def found_in(
    target: Target,
    cases: Sequence[DotCase],
    configuration: Configuration,
    only: Sequence[str] = (),
    until: str = "run",
) -> Iterator[Finding]:
    """Run cases on one configuration and compare, and tell what of it is known."""
    kinds = {kind for aspect in only or ASPECTS for kind in ASPECTS[aspect]}
    outcomes = target.run_all(cases, configuration.backend, configuration.lowering, until)
    for case, outcome in zip(cases, outcomes, strict=True):
        for mismatch in compare(case, outcome, target):
            if mismatch.kind in kinds:
                yield _finding_of(target, mismatch, outcome, configuration)


def _finding_of(
    target: Target, mismatch: Mismatch, outcome: Outcome, configuration: Configuration
) -> Finding:
    """Give a mismatch as what was found once, known or new."""
    deviation = deviation_of(target, mismatch, outcome, configuration.backend)
    return Finding(mismatch, configuration, known=deviation.id if deviation else None)


def judge_batch(target: Target, batch: Batch) -> BatchResult:
    """Judge those cases of a batch that are within the limits of target and backend."""
    judged, work = _within_limits(target, batch)
    for configuration, cases in work:
        if batch.size_variants:
            cases = _with_siblings(target, cases, configuration.backend)
        judged.findings += found_in(target, cases, configuration, batch.only)
    return judged


def _with_siblings(target: Target, cases: Iterable[DotCase], backend: str) -> list[DotCase]:
    """Give each case and its size_variants, if they are within the limits of target and backend."""
    every: dict[DotCase, None] = {}
    for case in cases:
        every[case] = None
        if isinstance(expected_error(case), SizeMismatchError | None):
            every |= {
                other: None
                for other in size_variants(case)
                if unsupported_reason(target, other, backend) is None
            }
    return list(every)


def _within_limits(
    target: Target, batch: Batch
) -> tuple[BatchResult, list[tuple[Configuration, list[DotCase]]]]:
    """Find what of a batch is to be judged, and count that and the rest."""
    reasons: dict[str, dict[DotCase, str | None]] = {}
    for configuration, cases in batch.work:
        of_backend = reasons.setdefault(configuration.backend, {})
        for case in cases:
            if case not in of_backend:
                of_backend[case] = unsupported_reason(target, case, configuration.backend)
    every = {case for of_backend in reasons.values() for case in of_backend}
    within = {
        backend: {case for case, reason in of_backend.items() if reason is None}
        for backend, of_backend in reasons.items()
    }
    distinct = len(set().union(*within.values()))
    unsupported = {
        backend: dict(Counter(reason for reason in of_backend.values() if reason is not None))
        for backend, of_backend in reasons.items()
    }
    judged = BatchResult(
        cases={backend: len(cases) for backend, cases in within.items()},
        distinct=distinct,
        skipped=len(every) - distinct,
        unsupported=unsupported,
    )
    work = [
        (to, [case for case in cases if case in within[to.backend]]) for to, cases in batch.work
    ]
    return judged, [(configuration, cases) for configuration, cases in work if cases]


def judge_apart(target: Target, batch: Batch) -> BatchResult:
    """Judge each case of a batch that killed its processes in one that it alone can kill.

    A case that kills two more is a finding.
    """
    judged, work = _within_limits(target, batch)
    parts = [
        replace(batch, work=((configuration, (case,)),))
        for configuration, cases in work
        for case in cases
    ]
    kinds = {kind for aspect in batch.only or ASPECTS for kind in ASPECTS[aspect]}
    deaths = 0
    with WorkerPool(1) as crew:
        for done, (part, result) in enumerate(results(judge_batch, target, parts, crew), 1):
            if result is not None:
                judged.findings += result.findings
                continue
            deaths += 1
            if "rejected-valid" in kinds:
                ((configuration, (case,)),) = part.work
                judged.findings.append(_death_of(target, case, configuration))
            if deaths == _MOST_DEATHS:
                judged.lost = len({case for part in parts[done:] for _, (case,) in part.work})
                break
    return judged


def _death_of(target: Target, case: DotCase, configuration: Configuration) -> Finding:
    """Say of a case that it kills the process that runs it."""
    mismatch = Mismatch("R6", "rejected-valid", "run", DIED, "an answer or an error", DIED, case)
    outcome = Outcome(raised=Raised("run", "", DIED, False))
    return _finding_of(target, mismatch, outcome, configuration)
