"""Judges programs of several dots."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from contextlib import closing

from refdot.check.findings import Coverage
from refdot.check.plan import Configuration
from refdot.check.pool import OutOfTimeError, with_time_limit
from refdot.programs.case import ProgramCase
from refdot.programs.findings import ProgramFinding, ProgramVerdict, finding_without_answer
from refdot.targets.protocol import ProgramTarget

__all__ = ["judge_programs"]


def judge_programs(
    target: ProgramTarget,
    cases: Sequence[ProgramCase],
    configuration: Configuration,
    kinds: Collection[str],
    timeout: float | None = None,
    coverage: Coverage | None = None,
) -> Iterator[ProgramFinding]:
    """Run programs on one configuration, and yield what is wrong, of some kinds, new or known.

    `timeout` limits the seconds that one program may take, see `with_time_limit`. The kernels and
    rewrites that the target uses are counted in `coverage`.
    """
    with closing(with_time_limit(cases, timeout)) as limited:
        for case in limited:
            verdict = _judge(target, case, configuration)
            if coverage is not None:
                coverage.count(Counter(verdict.kernels), Counter(verdict.rewrites))
            for found in verdict.findings:
                if found.observation.difference.kind in kinds:
                    yield found


def _judge(
    target: ProgramTarget, case: ProgramCase, configuration: Configuration
) -> ProgramVerdict:
    backend, lowering = configuration.backend, configuration.lowering
    try:
        return target.judge_program(case, backend, lowering)
    except OutOfTimeError as stopped:
        return ProgramVerdict((finding_without_answer(case, backend, lowering, str(stopped)),))
