"""PyTensor's known deviations: each one cause, the case that shows it, and what comes from it.

A deviation is a function of a mismatch and of the outcome that it was found in: whether the cause
that its docstring tells explains them. It is as narrow as that cause, and where a wrong answer is
explained, it is worked out what the cause would have made of it. What is wrong beside a known
deviation is thus still new.
"""

from __future__ import annotations

from packaging.specifiers import SpecifierSet

# Importing these puts their deviations on record.
from refdot.pytensor.deviations import graphs, names, products, sizes, values
from refdot.pytensor.deviations.record import DEVIATIONS
from refdot.targets.mismatch import Deviation

__all__ = ["DEVIATIONS", "graphs", "known_deviations", "names", "products", "sizes", "values"]


def known_deviations(version: str) -> tuple[Deviation, ...]:
    """Give the deviations that are on record for a version of PyTensor.

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
