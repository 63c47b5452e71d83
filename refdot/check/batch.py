"""Judges one batch of cases."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from functools import partial
from typing import TypeVar

import numpy as np

from refdot.cases.case import DotCase
from refdot.cases.size_variants import size_variants
from refdot.check.findings import BatchResult, Coverage, Finding
from refdot.check.plan import Batch, Configuration
from refdot.check.pool import OutOfTimeError, ProcessDied, WorkerPool, run_tasks, with_time_limit
from refdot.check.programs import judge_programs
from refdot.errors import SizeMismatchError
from refdot.judging.comparison import every_mismatch
from refdot.judging.expected import expected_error, unjudged_reason
from refdot.programs.case import ProgramCase
from refdot.programs.findings import ProgramFinding, finding_without_answer
from refdot.rules import ASPECTS, KINDS
from refdot.targets.interrupt import is_interrupt
from refdot.targets.mismatch import Mismatch
from refdot.targets.outcome import Outcome, Raised
from refdot.targets.protocol import (
    CachingTarget,
    ProgramTarget,
    Target,
    TargetError,
    deviation_of,
    unsupported_reason,
)

__all__ = [
    "is_fatal",
    "judge",
    "judge_alone",
    "judge_batch",
    "judge_cases",
    "judge_individually",
    "possible_kinds",
]


_Case = TypeVar("_Case", DotCase, ProgramCase)
_ANSWER = "an answer or an error"
_DIED = "the process died"
_TIMED_OUT = "no answer within"
# The number of fatal cases after which the rest of a batch is given up: each costs two processes.
_MAX_FATAL_CASES = 3


def judge(
    target: Target,
    case: DotCase,
    configuration: Configuration,
    only: Sequence[str] = (),
    until: str = "run",
) -> tuple[Mismatch, ...]:
    """Run a case on one configuration, and return the mismatches of the aspects in `only`."""
    found = judge_cases(target, [case], configuration, only, until)
    return tuple(finding.mismatch for finding in found)


def judge_cases(
    target: Target,
    cases: Sequence[DotCase],
    configuration: Configuration,
    only: Sequence[str] = (),
    until: str = "run",
    timeout: float | None = None,
    coverage: Coverage | None = None,
) -> Iterator[Finding]:
    """Run cases on one configuration, and yield the distinct mismatches, new or known.

    `timeout` limits the seconds that one case may take, see `with_time_limit`. The kernels and
    rewrites that the target uses are counted in `coverage`.
    """
    kinds = _kinds(only)
    cases = [case for case in cases if kinds & possible_kinds(case)]
    backend, lowering = configuration.backend, configuration.lowering

    def run(case: DotCase) -> Outcome:
        return target.run(case, backend, lowering, until)

    try:
        with closing(with_time_limit(cases, timeout)) as limited:
            outcomes = target.run_all(limited, backend, lowering, until)
    except OutOfTimeError as stopped:
        # The target has no outcome for the cases before this one either.
        number = cases.index(stopped.item)
        for others in (cases[:number], cases[number + 1 :]):
            yield from judge_cases(target, others, configuration, only, until, timeout, coverage)
        if "rejected-valid" in kinds:
            yield _fatal_finding(target, stopped.item, configuration, str(stopped))
        return
    except BaseException as error:  # those of what it judges are in the outcomes
        if is_interrupt(error):
            raise
        raise TargetError(f"the target {target.name} failed: {Raised.at('run', error)}") from error
    if coverage is not None:
        for outcome in outcomes:
            coverage.count(Counter(outcome.kernels), Counter(outcome.rewrites))
    for case, outcome in zip(cases, outcomes, strict=True):
        found: dict[tuple[str, str | None], Finding] = {}
        for mismatch in every_mismatch(case, outcome, target, run):
            if mismatch.kind in kinds:
                finding = _finding(target, mismatch, outcome, configuration)
                # A known deviation in one replicate must not hide another mismatch in the next.
                found.setdefault(finding.key, finding)
        yield from found.values()


def judge_alone(
    target: Target,
    case: DotCase | ProgramCase,
    configuration: Configuration,
    timeout: float | None = None,
) -> list[Finding | ProgramFinding]:
    """Return all findings of one dot or program on one configuration.

    There are none if the target, or the backend, does not support the case.
    """
    if unsupported_reason(target, case, configuration.backend):
        return []
    if isinstance(case, DotCase):
        return [*judge_cases(target, [case], configuration, timeout=timeout)]
    assert isinstance(target, ProgramTarget)  # the others support no program
    return [*judge_programs(target, [case], configuration, KINDS, timeout)]


def possible_kinds(case: DotCase) -> set[str]:
    """Return the kinds of mismatch that a case can have.

    Examples
    --------
    >>> from refdot.cases.notation import dot_case
    >>> set(ASPECTS["errors"]) & possible_kinds(dot_case("a", "a"))
    set()
    """
    kinds = {*KINDS}
    is_valid = expected_error(case) is None
    if not (is_valid and case.gradient_order):
        kinds -= {*ASPECTS["gradients"]}
    # An integer or bool operand has no gradient: to give one is to accept something invalid.
    discrete = any(np.dtype(operand.dtype).kind in "biu" for operand in (case.x, case.y))
    if is_valid and not (case.gradient_order and discrete):
        kinds -= {*ASPECTS["errors"]}
    return kinds


def _kinds_of_batch(batch: Batch, case: DotCase) -> set[str]:
    """Return the kinds of mismatch that a case of a batch can have; its size variants have any."""
    return {*KINDS} if batch.size_variants else possible_kinds(case)


def _kinds(only: Sequence[str]) -> set[str]:
    return {kind for aspect in only or ASPECTS for kind in ASPECTS[aspect]}


def _finding(
    target: Target, mismatch: Mismatch, outcome: Outcome, configuration: Configuration
) -> Finding:
    backend, lowering = configuration.backend, configuration.lowering
    deviation = deviation_of(target, mismatch, outcome, backend, lowering)
    return Finding(mismatch, configuration, known=deviation.id if deviation else None)


def judge_batch(target: Target, batch: Batch, timeout: float | None = None) -> BatchResult:
    """Judge the cases of a batch that the target and the backend support."""
    result, supported = _supported(target, batch)
    if batch.needs_empty_cache and isinstance(target, CachingTarget):
        target = target.with_empty_cache()
    for configuration, cases in supported.work:
        if batch.size_variants:
            variants = _with_size_variants(target, cases, configuration.backend)
            cases = tuple(dict.fromkeys(variants))
        result.findings += judge_cases(
            target,
            cases,
            configuration,
            batch.only,
            timeout=timeout,
            coverage=result.coverage[configuration.backend],
        )
    if isinstance(target, ProgramTarget):
        for configuration, programs in supported.programs:
            kinds = _kinds(batch.only)
            coverage = result.coverage.setdefault(configuration.backend, Coverage())
            result.program_findings += judge_programs(
                target, programs, configuration, kinds, timeout, coverage
            )
    return result


def _with_size_variants(
    target: Target, cases: Sequence[DotCase], backend: str
) -> Iterator[DotCase]:
    for case in cases:
        yield case
        if isinstance(expected_error(case), SizeMismatchError | None):
            for variant in size_variants(case):
                if unsupported_reason(target, variant, backend) is None:
                    yield variant


def _supported(target: Target, batch: Batch) -> tuple[BatchResult, Batch]:
    """Return the supported part of a batch, and a result that counts all of it.

    Cases that cannot have a mismatch of the aspects to judge are neither judged nor counted.
    """
    kinds = _kinds(batch.only) - target.not_checked.keys()
    reasons: dict[str, dict[DotCase, str | None]] = {}
    program_reasons: dict[str, dict[ProgramCase, str | None]] = {}
    work, programs = [], []
    for configuration, all_cases in batch.work:
        cases = [case for case in all_cases if kinds & _kinds_of_batch(batch, case)]
        if supported := _without_unsupported(target, configuration.backend, cases, reasons):
            work.append((configuration, supported))
    for configuration, all_programs in batch.programs:
        backend = configuration.backend
        if found := _without_unsupported(target, backend, all_programs, program_reasons):
            programs.append((configuration, found))
    judged = {case for _, cases in work for case in cases}
    result = BatchResult(
        cases=len(judged),
        programs=len({program for _, own in programs for program in own}),
        skipped=len(set().union(*reasons.values()) - judged),
    )
    for backend, by_case in reasons.items():
        count = list(by_case.values()).count(None)
        result.coverage[backend] = Coverage(count, batch.pattern_counts if count else [])
    for backend in reasons.keys() | program_reasons.keys():
        by_case, by_program = reasons.get(backend, {}), program_reasons.get(backend, {})
        limits = [reason or unjudged_reason(case) for case, reason in by_case.items()]
        result.unsupported[backend] = dict(Counter(filter(None, (*limits, *by_program.values()))))
    return result, replace(batch, work=tuple(work), programs=tuple(programs))


def _without_unsupported(
    target: Target,
    backend: str,
    cases: Sequence[_Case],
    reasons: dict[str, dict[_Case, str | None]],
) -> tuple[_Case, ...]:
    """Return the cases that a backend supports, and note in `reasons` why it does not others."""
    by_case = reasons.setdefault(backend, {})
    for case in cases:
        if case not in by_case:
            by_case[case] = unsupported_reason(target, case, backend)
    return tuple(case for case in cases if by_case[case] is None)


def judge_individually(target: Target, batch: Batch, timeout: float | None = None) -> BatchResult:
    """Judge a batch that killed its process: each case in a process that only it can kill.

    A case that does so is a finding.
    """
    result, supported = _supported(target, batch)
    alone = replace(batch, work=(), programs=())
    parts = [
        replace(alone, work=((configuration, (case,)),))
        for configuration, cases in supported.work
        for case in cases
    ]
    parts += [
        replace(alone, programs=((configuration, (program,)),))
        for configuration, programs in supported.programs
        for program in programs
    ]
    judge_part = partial(judge_batch, timeout=timeout)
    fatal_cases = 0
    with WorkerPool(1) as pool:
        for done, (part, judged) in enumerate(run_tasks(judge_part, target, parts, pool), 1):
            if not isinstance(judged, ProcessDied):
                result.findings += judged.findings
                result.program_findings += judged.program_findings
                continue
            fatal_cases += 1
            if "rejected-valid" in _kinds(batch.only):
                got = f"{_TIMED_OUT} {timeout:g} s" if judged.timed_out else _DIED
                result.findings += [
                    _fatal_finding(target, case, configuration, got)
                    for configuration, (case,) in part.work
                ]
                result.program_findings += [
                    finding_without_answer(
                        program, configuration.backend, configuration.lowering, got
                    )
                    for configuration, (program,) in part.programs
                ]
            if fatal_cases == _MAX_FATAL_CASES:
                left = parts[done:]
                result.lost = len({each for part in left for _, (each,) in _all_work(part)})
                break
    return result


def _all_work(batch: Batch) -> tuple[tuple[Configuration, tuple[DotCase | ProgramCase, ...]], ...]:
    return batch.work + batch.programs


def _fatal_finding(
    target: Target, case: DotCase, configuration: Configuration, got: str
) -> Finding:
    mismatch = Mismatch("R6", "rejected-valid", "run", got, _ANSWER, got, case)
    outcome = Outcome(raised=Raised("run", "", got, expected_type=False))
    return _finding(target, mismatch, outcome, configuration)


def is_fatal(text: str) -> bool:
    """Return whether the text of a mismatch is that its process died or ran out of time."""
    return text == _DIED or text.startswith(_TIMED_OUT)
