"""The values of a program, each with a bound on the error of correct answers."""

from collections.abc import Mapping

import numpy as np

from refdot.programs.bounds import ESTIMATORS
from refdot.programs.estimates import Estimate, Precision, known
from refdot.programs.program import Program
from refdot.tensor import NamedTensor

__all__ = ["estimate"]


def estimate(
    program: Program, values: Mapping[str, NamedTensor], unit: float = 0.0
) -> dict[str, Estimate]:
    """Return an estimate of every value of a program: of its inputs and of each step's result.

    Parameters
    ----------
    program : Program
    values : mapping of str to NamedTensor
        The value of each input.
    unit : float, optional
        The unit roundoff of a backend that computes in less precision than its dtypes have.

    Examples
    --------
    >>> from refdot.programs.notation import program
    >>> scores = program('''
    ... x: float64(a: 2)
    ... p = softmax(x)
    ... return p
    ... ''')
    >>> p = estimate(scores, {"x": NamedTensor([1000.0, 0.0], "a")})["p"]
    >>> p.value.astype(float).tolist(), bool(p.bound.max() < 1e-11)
    ([1.0, 0.0], True)
    >>> p.wrong(np.array([np.nan, 0.0])).tolist()
    [True, False]
    """
    estimates = {name: known(values[name]) for name, _ in program.inputs}
    with np.errstate(all="ignore"):
        for step in program.steps:
            out = program.types[step.name]
            dtype = np.dtype(out.dtype)
            precision = Precision.of(dtype, unit)
            arguments = [estimates[name].rounded_to(dtype, precision) for name in step.arguments]
            estimator = ESTIMATORS[step.operation]
            estimates[step.name] = estimator(out, precision, *arguments, step.parameter)
    return estimates
