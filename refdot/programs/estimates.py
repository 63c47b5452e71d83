"""Estimates: a value, and a bound on the error of correct answers.

This is running error analysis (Higham, *Accuracy and Stability of Numerical Algorithms*, 2nd
edition, 2002, §3.3): each operation bounds the error of its result from the errors of its
arguments. Let a be the answer of an implementation and r the reference, which is computed in the
widest precision that there is. An estimate states |a − r| ≤ bound. Each operation adds two parts:

- the *propagated* error, of the exact operation f on inexact arguments: |f(a) − f(r)|;
- the *rounding* of the operation itself. With k roundings to nearest, it is growth(k) times the
  magnitude, where growth(k) = (1 + u)ᵏ − 1. The reference rounds in the same way, so u is the unit
  roundoff of the answer plus that of the reference.

**Compilers may rearrange.** An answer is correct if it comes from the program by the rules of
arithmetic. So the rounding of a sum is not proportional to its value, which may be small by
cancellation, but to its *magnitude*: the same sum of the absolute values of its terms. And a term
of a sum of n terms may take part in up to n − 1 additions, in whatever order they are written. So
an estimate counts its terms.

**Exact where nothing rounds.** If all values that add up are multiples of one power of two (the
`grid`, which is 1 for integers) and the magnitude is at most 2ᵖ times the grid, with p bits in the
significand, no operation rounds and the bound is 0. Where such a result is a factor of one that
does round, a compiler that multiplies in another order rounds more often. So an estimate keeps the
rounding that it did without, as *skipped*, and adds it to the next bound that is not 0.

**Not judged.** Where an argument is NaN or infinite, where the magnitude exceeds the largest
finite number, or where a divisor may be 0, the bound is infinite: every answer is accepted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from math import expm1, log1p
from typing import Any

import numpy as np

from refdot.cases.case import Operand
from refdot.tensor import Array, NamedTensor

__all__ = ["WIDEST", "Estimate", "Precision", "known"]

WIDEST = np.dtype(np.longdouble)
# More than the rounding errors in computing the bound itself.
_SAFETY = 1 + 2.0**-30


@dataclass(frozen=True)
class Precision:
    """The precision of the arithmetic that computed an answer.

    Attributes
    ----------
    unit : float
        The unit roundoff of the answer plus that of the reference.
    digits : int
        The number of bits of the significand.
    least : float
        The smallest normal number. Below it, an answer may be flushed to 0.
    largest : float
        The largest finite number.
    """

    unit: float
    digits: int
    least: float
    largest: float

    @classmethod
    def of(cls, dtype: np.dtype[Any], unit: float = 0.0) -> Precision:
        """Return the precision of a dtype, or a lower one with the unit roundoff `unit`."""
        limits = np.finfo(dtype if dtype.kind == "f" else WIDEST)
        own = max(float(limits.eps) / 2, unit)
        return cls(
            unit=own + float(np.finfo(WIDEST).eps) / 2,
            digits=int(-np.log2(own)),
            least=float(limits.smallest_normal),
            largest=float(limits.max),
        )

    def growth(self, roundings: float) -> float:
        """Return (1 + u)ᵏ − 1, the most that k roundings can change a number, relative to it."""
        return expm1(roundings * log1p(self.unit))


@dataclass(frozen=True)
class Estimate:
    """The reference value of a result, and a bound on the error of correct answers.

    Attributes
    ----------
    dims : tuple of str
    dtype : np.dtype
        The dtype of the answer.
    value : Array
        The reference; for an integer dtype, the answer itself.
    bound : Array
        The largest |answer − value| of a correct answer; infinite where it is not judged.
    magnitude : Array
        The sum of the absolute values of the terms that add up to the value.
    skipped : Array
        Where the bound is 0, the error that the value could have in another order of factors.
    grid : float
        A power of two. Where the bound is 0, the value is a multiple of it. 0 if there is none.
    terms : int
        The number of terms of the sum, which may be added in any order.
    """

    dims: tuple[str, ...]
    dtype: np.dtype[Any]
    value: Array
    bound: Array
    magnitude: Array
    skipped: Array
    grid: float = 0.0
    terms: int = 1

    @property
    def reach(self) -> Array:
        """The largest possible absolute value of a correct answer."""
        return np.asarray(np.abs(self.value) + self.bound)

    @property
    def size(self) -> Array:
        """The largest possible sum of the absolute values of the terms."""
        return np.asarray(self.magnitude + self.bound)

    @property
    def judged(self) -> Array:
        """Whether each element is judged."""
        return np.isfinite(self.bound)

    def wrong(self, answer: Array) -> Array:
        """Return which elements of an answer no correct implementation can give.

        An answer in a narrower dtype than the estimate's was rounded once more.

        Examples
        --------
        >>> x = known(NamedTensor([0.1, 0.2], "a"))
        >>> x.wrong(np.array([0.1, 0.3])).tolist()
        [False, True]
        """
        bound = self.bound
        if answer.dtype.kind == "f" and self.dtype.kind == "f":
            own = np.finfo(answer.dtype)
            if own.eps > np.finfo(self.dtype).eps:
                bound = bound + float(own.eps) / 2 * self.reach + float(own.smallest_subnormal)
        with np.errstate(all="ignore"):
            # In the widest dtype even 64-bit integers keep all their digits.
            is_near = np.abs(answer.astype(WIDEST) - self.value) <= bound
        return np.asarray(~is_near & self.judged)

    def moved(self, function: Callable[[Array], Array], dims: Iterable[str]) -> Estimate:
        """Return the estimate with its arrays moved by a function that does not compute."""
        names = ("value", "bound", "magnitude", "skipped")
        moved: dict[str, Any] = {name: function(getattr(self, name)) for name in names}
        return replace(self, dims=tuple(dims), **moved)

    def along(self, dims: tuple[str, ...]) -> Estimate:
        """Return the estimate with its axes in the order of `dims`, and size 1 for other dims."""
        order = [self.dims.index(dim) for dim in dims if dim in self.dims]
        absent = tuple(axis for axis, dim in enumerate(dims) if dim not in self.dims)
        return self.moved(lambda array: np.expand_dims(array.transpose(order), absent), dims)

    def rounded_to(self, dtype: np.dtype[Any], precision: Precision) -> Estimate:
        """Return the estimate after a conversion to a dtype of at least its kind."""
        if self.dtype.kind == "f" or dtype.kind != "f":
            return replace(self, dtype=dtype)
        value = self.value.astype(WIDEST)
        size = np.abs(value)
        bound = np.where(size <= 2.0**precision.digits, 0, precision.unit * size)
        return replace(self, dtype=dtype, value=value, bound=bound, magnitude=size, grid=1.0)

    @classmethod
    def computed(
        cls,
        out: Operand,
        precision: Precision,
        *,
        value: Array,
        propagated: Array,
        rounding: Array | float,
        magnitude: Array,
        skipped: Array | float = 0.0,
        grid: float = 0.0,
        terms: int = 1,
    ) -> Estimate:
        """Return the estimate of a result of the type `out`, from the parts of its error."""
        is_exact = (grid > 0) & (propagated == 0) & (magnitude <= 2.0**precision.digits * grid)
        more = np.broadcast_to(rounding + skipped, value.shape)
        bound = _SAFETY * (propagated + np.where(is_exact, 0, more))
        skipped = np.where(is_exact, more, 0)
        is_judged = magnitude + bound <= precision.largest  # False if one of them is NaN
        bound = np.where(is_judged, bound, np.inf)
        return cls(out.dims, np.dtype(out.dtype), value, bound, magnitude, skipped, grid, terms)


def known(tensor: NamedTensor) -> Estimate:
    """Return the estimate of an input, which has no error."""
    data = tensor.data.astype(tensor.dtype.newbyteorder("="), copy=False)
    if data.dtype.kind == "i":
        return Estimate(tensor.dims, data.dtype, data, *(np.zeros(data.shape, WIDEST),) * 3, 1.0)
    value, is_finite = data.astype(WIDEST), np.isfinite(data)
    magnitude = np.where(is_finite, np.abs(value), 0)
    bound = np.where(is_finite, 0, np.inf).astype(WIDEST)
    are_integers = bool((magnitude == np.rint(magnitude)).all())
    skipped, grid = np.zeros(data.shape, WIDEST), float(are_integers)
    return Estimate(tensor.dims, data.dtype, value, bound, magnitude, skipped, grid)
