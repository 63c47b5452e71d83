"""Judges programs of several dots."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import closing

from refdot.check.plan import Configuration
from refdot.check.pool import OutOfTimeError, with_time_limit
from refdot.programs.case import ProgramCase
from refdot.programs.findings import Observation, ProgramFinding
from refdot.programs.judgement import Difference
from refdot.targets.protocol import ProgramTarget

__all__ = ["judge_programs"]


def judge_programs(
    target: ProgramTarget,
    cases: Sequence[ProgramCase],
    configuration: Configuration,
    kinds: Collection[str],
    timeout: float | None = None,
) -> Iterator[ProgramFinding]:
    """Run programs on one configuration, and yield what is wrong, of some kinds, new or known.

    `timeout` limits the seconds that one program may take, see `with_time_limit`.
    """
    with closing(with_time_limit(cases, timeout)) as limited:
        for case in limited:
            for found in _judge(target, case, configuration):
                if found.observation.difference.kind in kinds:
                    yield found


def _judge(
    target: ProgramTarget, case: ProgramCase, configuration: Configuration
) -> Sequence[ProgramFinding]:
    backend, lowering = configuration.backend, configuration.lowering
    try:
        return target.judge_program(case, backend, lowering)
    except OutOfTimeError as stopped:
        difference = Difference("run", "R11", "rejected-valid", "an answer", str(stopped))
        return [ProgramFinding(Observation(case, difference, backend, lowering))]
