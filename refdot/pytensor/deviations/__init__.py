"""PyTensor's known deviations: one cause each, with an example.

A deviation matches a mismatch if its cause explains it. The matcher is as narrow as the cause: for
a wrong answer, it computes the answer that the cause leads to. Any other mismatch in the same case
is therefore still new. If several deviations match, the first one on record is reported.
"""

from packaging.specifiers import SpecifierSet

# Importing these registers their deviations.
from refdot.pytensor.deviations import (
    blas,
    constants,
    dtypes,
    failures,
    names,
    resources,
    selections,
    sizes,
    values,
)
from refdot.pytensor.deviations.record import DEVIATIONS
from refdot.targets.mismatch import Deviation

__all__ = [
    "DEVIATIONS",
    "blas",
    "constants",
    "dtypes",
    "failures",
    "known_deviations",
    "names",
    "resources",
    "selections",
    "sizes",
    "values",
]


def known_deviations(version: str) -> tuple[Deviation, ...]:
    """Return the deviations on record for a version of PyTensor.

    Examples
    --------
    >>> {"order-of-a-set", "static-one-broadcasts"} <= {d.id for d in known_deviations("3.0.7")}
    True
    >>> known_deviations("2.30.0")
    ()
    """
    return tuple(
        deviation
        for deviation in DEVIATIONS
        if SpecifierSet(deviation.versions).contains(version, prereleases=True)
    )
