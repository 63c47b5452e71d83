"""The comparison of the answers to a program with its estimates, rule by rule."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from refdot.programs.estimates import Estimate
from refdot.tensor import NamedTensor
from refdot.text import one_line, printable

__all__ = ["Difference", "differences"]


@dataclass(frozen=True)
class Difference:
    """An answer that no correct implementation gives.

    Attributes
    ----------
    name : str
        The value of the program.
    rule, kind : str
        Terms of `refdot.rules`, such as "R6" and "wrong-value".
    expected, got : str
        One line each, for people.
    stage : str
        The stage that shows it, a term of `refdot.rules`.
    replicate : int
        The replicate of the case that shows it.
    evidence : object
        The array of the wrong answer, its shape if that is wrong, the exception, or the wrong size
        that is accepted, from which a cause can be told.
    """

    name: str
    rule: str
    kind: str
    expected: str
    got: str
    stage: str = "run"
    replicate: int = 0
    evidence: Any = field(default=None, compare=False, repr=False)

    def __str__(self) -> str:
        where = f"{self.name}: {self.rule} {self.kind}"
        return printable(f"{where}: expected {self.expected}, got {self.got}")


def differences(
    names: Sequence[str], estimates: Mapping[str, Estimate], answers: Sequence[NamedTensor]
) -> Iterator[Difference]:
    """Yield what is wrong with answers for some values of a program: R5, R6, R7 and R9.

    Examples
    --------
    >>> from refdot.programs.estimates import known
    >>> x = known(NamedTensor([0.1, 0.2], "a"))
    >>> print(*differences(["x"], {"x": x}, [NamedTensor([0.1, 0.3], "a")]))
    x: R6 wrong-value: expected a=1: 0.2, got a=1: 0.3
    """
    for name, answer in zip(names, answers, strict=True):
        yield from _of_one(name, estimates[name], answer)


def _of_one(name: str, estimate: Estimate, answer: NamedTensor) -> Iterator[Difference]:
    if answer.dims != estimate.dims:
        expected, got = one_line(estimate.dims), one_line(answer.dims)
        yield Difference(name, "R5", "wrong-dims", expected, got)
        return
    if answer.shape != estimate.value.shape:
        expected, got = one_line(estimate.value.shape), one_line(answer.shape)
        yield Difference(name, "R9", "wrong-shape", expected, got, evidence=answer.shape)
        return
    if answer.dtype != estimate.dtype:
        yield Difference(name, "R7", "wrong-dtype", str(estimate.dtype), str(answer.dtype))
        if answer.dtype.kind not in "biuf":
            return
    wrong = estimate.wrong(answer.data)
    if wrong.any():
        place = tuple(int(index) for index in np.argwhere(wrong)[0])
        where = ", ".join(f"{d}={i}" for d, i in zip(answer.dims, place, strict=True))
        where = f"{where}: " if where else ""
        expected = estimate.value[place].astype(estimate.dtype)
        shown = f"{where}{expected}", f"{where}{answer.data[place]}"
        yield Difference(name, "R6", "wrong-value", *shown, evidence=answer.data)
