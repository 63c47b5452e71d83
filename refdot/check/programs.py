"""Judges programs of several dots."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import closing

from refdot.check.plan import Configuration
from refdot.check.pool import with_time_limit
from refdot.programs.case import ProgramCase
from refdot.programs.findings import ProgramFinding
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

    In a worker process, `timeout` limits the seconds that one program may take.
    """
    with closing(with_time_limit(cases, timeout)) as limited:
        for case in limited:
            for found in target.judge_program(case, configuration.backend, configuration.lowering):
                if found.observation.difference.kind in kinds:
                    yield found
