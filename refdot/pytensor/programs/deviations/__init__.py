"""Known deviations of PyTensor that programs show.

Some are those of a dot, which a program has as well: their ids are those of the record of dots. The
others need more than one operation. As for dots, a matcher computes what its cause does to a
program, so that any other mismatch of that program is still new.
"""

from __future__ import annotations

from packaging.specifiers import SpecifierSet

from refdot.programs.findings import Observation

# Importing these registers their deviations.
from refdot.pytensor.programs.deviations import failures, graphs, softmax, values
from refdot.pytensor.programs.deviations.dots import cause_in_a_dot
from refdot.pytensor.programs.deviations.record import PROGRAM_DEVIATIONS
from refdot.pytensor.target import PyTensorTarget

__all__ = ["PROGRAM_DEVIATIONS", "failures", "graphs", "known_cause", "softmax", "values"]


def known_cause(seen: Observation, target: PyTensorTarget) -> str | None:
    """Return the id of the known deviation that explains what was seen, or None."""
    for deviation in PROGRAM_DEVIATIONS:
        if (
            seen.difference.kind in deviation.kinds
            and (not deviation.backends or seen.backend in deviation.backends)
            and (not deviation.lowerings or seen.lowering in deviation.lowerings)
            and SpecifierSet(deviation.versions).contains(target.version, prereleases=True)
            and deviation.matches(seen, target)
        ):
            return deviation.id
    return cause_in_a_dot(seen, target)
