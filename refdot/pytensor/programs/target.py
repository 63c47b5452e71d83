"""PyTensor as a target of dots and of programs."""

from functools import cached_property

from packaging.specifiers import SpecifierSet

from refdot.programs.case import ProgramCase
from refdot.programs.findings import (
    Observation,
    ProgramDeviation,
    ProgramFinding,
    ProgramVerdict,
)
from refdot.pytensor.programs.deviations import PROGRAM_DEVIATIONS, known_cause
from refdot.pytensor.programs.deviations.trials import shared_trials
from refdot.pytensor.programs.judge import judge_program
from refdot.pytensor.programs.reproducer import program_reproducer
from refdot.pytensor.target.backends import BACKENDS
from refdot.pytensor.target.coverage import recorded
from refdot.pytensor.target.target import PyTensorTarget

__all__ = ["PyTensorProgramTarget"]


class PyTensorProgramTarget(PyTensorTarget):
    """The PyTensor that is installed, or patched, in this process; it also judges programs."""

    @cached_property
    def program_deviations(self) -> tuple[ProgramDeviation, ...]:
        """The known deviations of the installed version that only programs show."""
        return tuple(
            deviation
            for deviation in PROGRAM_DEVIATIONS
            if SpecifierSet(deviation.versions).contains(self.version, prereleases=True)
        )

    def judge_program(self, case: ProgramCase, backend: str, lowering: str) -> ProgramVerdict:
        """Return what is wrong with a program, with the known deviations that explain it."""
        with recorded(BACKENDS[backend]) as used:
            differences = judge_program(self, case, backend, lowering)
        findings: dict[tuple[str, str, str | None], ProgramFinding] = {}
        with shared_trials(case, differences):
            for each in differences:
                seen = Observation(case, each, backend, lowering)
                cause = known_cause(seen, self)
                # A known deviation in one replicate must not hide another difference in the next.
                findings.setdefault((each.name, each.kind, cause), ProgramFinding(seen, cause))
        kernels, rewrites = frozenset(used.kernels), frozenset(used.rewrites)
        return ProgramVerdict(tuple(findings.values()), kernels, rewrites)

    def program_reproducer(self, finding: ProgramFinding) -> str:
        """Return a standalone script that shows a finding, and exits 1 as long as it exists."""
        return program_reproducer(finding.observation)
