"""Record which of the first programs of a run shows each fault of a program first.

    python tests/faults/first_programs.py

The tests judge that program first, so that they need not judge all the others before it. A record
that is out of date makes them slower, but not wrong. Write it where all the backends can run.
"""

from __future__ import annotations

import json
from pathlib import Path

from planted.programs import FAULTS, ProgramFault
from planting import planted

from refdot.check.batch import judge_batch
from refdot.check.plan import Batch, Configuration
from refdot.programs.case import ProgramCase
from refdot.programs.findings import ProgramFinding
from refdot.programs.smoke import programs_of_every_backend, smoke_programs
from refdot.pytensor.programs.target import PyTensorProgramTarget

__all__ = ["BACKENDS", "TARGET", "first_new_finding", "likely_first", "programs_of"]

TARGET = PyTensorProgramTarget()
BACKENDS = [backend.name for backend in TARGET.backends() if not backend.absent]
RECORD = Path(__file__).parent / "caught_by_program.json"


def programs_of(backend: str) -> list[ProgramCase]:
    """Return the first programs of a run on a backend."""
    return [*(smoke_programs() if backend == "python" else programs_of_every_backend())]


def likely_first(fault: ProgramFault) -> list[ProgramCase]:
    """Return the first programs of a run, the one that shows the fault before the others."""
    record = json.loads(RECORD.read_text(encoding="utf-8"))
    cases = programs_of(fault.backend)
    number = record.get(fault.name, 0)
    return [*cases[number : number + 1], *cases[:number], *cases[number + 1 :]]


def first_new_finding(
    cases: list[ProgramCase], lowering: str, backend: str = "python"
) -> ProgramFinding | None:
    """Return the first mismatch of some programs that is not known."""
    configuration = Configuration(backend, lowering)
    for case in cases:
        result = judge_batch(TARGET, Batch(programs=((configuration, (case,)),)))
        for found in result.program_findings:
            if found.known is None:
                return found
    return None


def main() -> None:
    """Write the record."""
    numbers = {}
    for fault in FAULTS:
        if fault.backend not in BACKENDS:
            continue
        cases = programs_of(fault.backend)
        with planted(fault):
            found = first_new_finding(cases, fault.lowering, fault.backend)
        assert found is not None, fault.name
        numbers[fault.name] = cases.index(found.observation.case)
    RECORD.write_text(json.dumps(numbers, indent=0) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
