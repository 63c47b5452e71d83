"""A bound on the rounding error of a correct floating-point answer, derived for each element.

Take one element of the output: the sum of k products x·y, in any order of summation (sequential,
reversed, pairwise, blocked, with fused multiply-add, one dim after another, ...). Every operation
rounds to nearest, with unit roundoff u: fl(a op b) = (a op b)(1 + δ), |δ| ≤ u.

**Sums.** The sum of n numbers tᵢ, in any order, is off by at most (n − 1)·u·Σ|tᵢ|, for every n
(Rump, *Error estimation of floating-point summation and dot product*, BIT 2012; Jeannerod and Rump,
*Improved error bounds for inner products in floating-point arithmetic*, SIMAX 2013). By induction:
the last addition adds computed sums a and b of m and n numbers, whose magnitudes add up to A and B.
Their errors are at most (m − 1)·u·A and (n − 1)·u·B, so the addition may add u·(n·A + m·B).

- If B ≤ u·A: since a itself is a floating-point number, the addition is off by at most
  |b| ≤ B + (n − 1)·u·B ≤ u·A + (n − 1)·u·A. If A ≤ u·B, likewise. (In a fused multiply-add, b is a
  product that is no floating-point number; then n = 1, and the third case covers A ≤ u·B.)
- Otherwise it is off by at most u·|a + b| ≤ u·(A + B + (m − 1)·u·A + (n − 1)·u·B), and u·A < B and
  u·B < A.

**Dots.** A product has one rounding of its own, and another for each operand of a 64-bit integer
dtype, which is rounded when it becomes floating point: r factors (1 + δ). Together,

    |answer − exact| ≤ Bₖ · Σ|x||y|,   Bₖ = (1 + u)ʳ · (1 + (k − 1)·u) − 1.

It is finite for every k, at most Higham's (1 + u)ᵏ⁺ʳ⁻¹ − 1 (*Accuracy and Stability of Numerical
Algorithms*, 2002, §3.1), and 0 where Σ|x||y| is 0. If dims are summed alone before the
multiplication, (1 + (i − 1)·u)(1 + (j − 1)·u) ≤ 1 + (i·j − 1)·u shows that the bound still holds.
It holds as well for sums in a higher precision, which are rounded to the answer's in the end. It
does not hold for algorithms with fewer multiplications, as those of Strassen and Karatsuba.

These terms are added to it:

- The reference is computed, too, in a wider precision: Bₖ of that precision.
- A product that underflows loses up to half the smallest subnormal η of the answer's precision; a
  sum never underflows. This gives k·η/2, which later additions can enlarge like the products.
- Each component of a complex dot is a sum of 2·k real products, and √2 covers both components. A
  single product is within √5·u (Brent, Percival and Zimmermann, *Error bounds on complex
  floating-point multiplication*, 2007).

If all data are integers and Σ|x||y| ≤ 2ᵖ, where p is the number of bits of the answer's
significand, no operation rounds: the bound is 0, and every bit counts. Integer and bool dtypes are
always exact (modulo 2ⁿ, and any-of-alls).

Where several answers are correct, exactly those are accepted:

- Rounding is monotonic. So a partial sum is at most 1 + Bₖ times the sum of the positive products.
  If that exceeds the largest finite number, some order of summation may overflow to +inf; likewise
  to −inf; and to NaN if both are possible.
- A non-finite operand makes the elements that depend on it NaN, +inf or −inf by IEEE 754, in the
  same way in every order.
- BLAS does not multiply by a scalar 0. So where 0 meets a non-finite number, the product may be NaN
  or missing.
- Summing a dim alone before multiplying (`np.einsum` also does so in a contracted dim along which
  the other operand has the stride 0) can turn 2·inf − 1·inf, which is NaN, into (2 − 1)·inf. So an
  element with infinities of both signs and no NaN may be any non-finite number. Where that sum
  may be 0, its products with non-finite numbers may be missing. Where that sum alone overflows, its
  products may be non-finite. An element whose infinities have one sign stays as it is: the numbers
  that meet an infinity have one sign, too, and cannot add up to 0.
- A complex element that is non-finite, or whose magnitudes may overflow, may be any non-finite
  number; so may its real part, the gradient of a real operand.
- −0.0 equals 0.0.

A long double has no wider dtype. So the reference of long doubles has errors as large as those of
an answer, and elements whose magnitudes add up to more than the largest number are not judged.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from math import expm1, log1p, prod, sqrt
from typing import Any

import numpy as np

from refdot.evaluation import checked_lowering, real_factors
from refdot.judging.nonfinite import (
    early_overflows,
    nonfinite_arrays,
    one_sided_sums,
    summed_alone,
)
from refdot.lowering import Dim
from refdot.readings import evaluate
from refdot.tensor import Array, NamedTensor, silent

__all__ = [
    "CorrectAnswers",
    "correct_answers",
    "correct_pull_back",
    "has_wider",
    "relative_error",
    "unit_roundoff",
]


def unit_roundoff(dtype: np.dtype[Any]) -> float:
    """Return u of a floating-point or complex dtype: half the gap between 1 and the next number.

    Examples
    --------
    >>> unit_roundoff(np.dtype("float64")) == 2.0**-53
    True
    """
    return float(np.finfo(dtype).eps) / 2


def relative_error(roundings: int, terms: int, u: float) -> float:
    """Return (1 + u)ʳ · (1 + (n − 1)·u) − 1, the bound for n terms with r roundings each.

    Examples
    --------
    >>> relative_error(1, 1, 0.5), relative_error(1, 3, 0.5), relative_error(2, 1, 0.5)
    (0.5, 2.0, 1.25)
    """
    of_term, of_sum = expm1(roundings * log1p(u)), max(terms - 1, 0) * u
    return of_term + of_sum + of_term * of_sum


def has_wider(dtype: np.dtype[Any]) -> bool:
    """Return whether a dtype is exact, or some floating-point dtype has a wider range."""
    return dtype.kind in "biu" or bool(np.finfo(_wider(dtype)).max > np.finfo(dtype).max)


def _wider(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Return the dtype in which the reference for answers of `dtype` is computed."""
    small = unit_roundoff(dtype) > 2.0**-53
    if dtype.kind == "c":
        return np.dtype(np.complex128 if small else np.clongdouble)
    return np.dtype(np.float64 if small else np.longdouble)


@dataclass(frozen=True)
class CorrectAnswers:
    """The correct answers to a dot, or to a sum of dots, element by element."""

    dims: tuple[str, ...]  # of the arrays below
    dtype: np.dtype[Any]  # of the answer, by R7
    # The answer in a wider precision; for integer and bool dtypes the answer itself.
    reference: Array
    magnitude: Array  # Σ|x||y| of the finite products
    # Upper bounds on the sums of the positive and of the negative finite products, which show
    # whether a sum can overflow.
    rises: Array
    falls: Array
    finite: Array  # the reference without the non-finite products
    # Whether a product is +inf, −inf or NaN, other than 0 times a non-finite number. A complex
    # product that is not finite counts as NaN.
    plus: Array
    minus: Array
    nan: Array
    # Whether 0 is multiplied by a non-finite number. BLAS may skip that product.
    zero_times_nonfinite: Array
    surely_nonfinite: Array  # whether a product is non-finite even if each sum that may be 0 is 0
    reassociates: Array  # whether summing a dim alone first can make another non-finite number
    overflows_early: Array  # whether summing a dim alone first can overflow
    roundings: int  # the roundings of one product: r above
    products: int  # their number: k above
    integers: bool  # whether every finite number in the operands is an integer

    @silent
    def __add__(self, other: CorrectAnswers) -> CorrectAnswers:
        return replace(
            self,
            **self._combine(np.add, other),  # for bool arrays this is "or"
            roundings=max(self.roundings, other.roundings),
            products=self.products + other.products,
            integers=self.integers and other.integers,
        )

    def _combine(self, function: Callable[..., Array], *others: CorrectAnswers) -> dict[str, Any]:
        """Return the result of a function for each array, with the same array of `others`."""
        return {
            name: function(*(getattr(answers, name) for answers in (self, *others)))
            for name in _ARRAYS
        }

    @property
    @silent
    def unjudged(self) -> Array:
        """Which elements cannot be judged, since the reference may have overflowed."""
        if self.dtype.kind in "biu":
            return np.zeros(self.reference.shape, bool)
        wide = np.finfo(self.reference.dtype)
        return np.asarray(~(self.magnitude < wide.max / (1 + self._error(float(wide.eps) / 2))))

    def _error(self, u: float) -> float:
        """Return Bₖ, the largest relative error, for each component of a complex number."""
        terms = self.products * (2 if self.dtype.kind == "c" else 1)
        return relative_error(self.roundings, terms, u)

    @silent
    def bound(self, precision: np.finfo[Any], unit: float = 0.0) -> Array:
        """Return how far a correct answer can be from the reference; 0 where no operation rounds.

        The arithmetic that computed the answer has some `precision`, or the unit roundoff `unit` if
        that is larger.
        """
        u, wide = max(float(precision.eps) / 2, unit), np.finfo(self.reference.dtype)
        own = self._error(float(wide.eps) / 2)
        relative = (self._error(u) + own) / (1 - own) if own < 1 else np.inf
        underflows = self.products / 2
        if self.dtype.kind == "c":
            is_single = self.products == self.roundings == 1
            relative *= sqrt(5) / 2 if is_single else sqrt(2)
            underflows *= 2 * sqrt(2)
        least = wide.dtype.type(precision.smallest_subnormal)
        is_wider = bool(wide.smallest_subnormal < least)
        # Without a wider range, the products of the reference underflow as well.
        absolute = underflows * (1 + relative) * least * (1 if is_wider else 2)
        bound: Array = relative * self.magnitude + absolute
        exact = (self.magnitude == 0) & is_wider
        if self.integers:
            exact |= self.magnitude <= 2.0 ** int(-np.log2(u))
        return np.where(exact, 0, bound)

    @silent
    def wrong(self, answer: Array, unit: float = 0.0) -> Array:
        """Return which elements of an answer no correct implementation can give.

        The answer can have any numeric dtype. `unit` is the unit roundoff of a backend that
        computes in less precision than its dtypes have.
        """
        if self.dtype.kind in "biu":
            return np.asarray(answer != self.reference)
        precision = np.finfo(self.dtype)
        if answer.dtype.kind in "fc":
            precision = max(precision, np.finfo(answer.dtype), key=lambda info: info.eps)
        finite = np.isfinite(answer)
        near = finite & (np.abs(answer - self.finite) <= self.bound(precision, unit))
        limit = precision.max / self.magnitude.dtype.type(
            1 + self._error(max(float(precision.eps) / 2, unit))
        )
        if "c" in (self.dtype.kind, answer.dtype.kind):
            may_overflow = self.magnitude >= limit
            nonfinite = self.plus | self.minus | self.nan | self.zero_times_nonfinite
            right = ~finite & (nonfinite | may_overflow)
        else:
            right = self._is_right_nonfinite(answer, self.rises >= limit, self.falls >= limit)
        right |= near & ~self.surely_nonfinite
        right |= ~finite & (self.reassociates | self.overflows_early)
        return np.asarray(~(right | self.unjudged))

    def _is_right_nonfinite(self, answer: Array, rises: Array, falls: Array) -> Array:
        """Return which elements are right non-finite numbers.

        Sums may overflow to +inf (`rises`) or −inf (`falls`).
        """
        up, down = rises | self.plus, falls | self.minus
        right: Array = np.isposinf(answer) & up & ~(self.minus | self.nan)
        right |= np.isneginf(answer) & down & ~(self.plus | self.nan)
        right |= np.isnan(answer) & (self.nan | (up & down) | self.zero_times_nonfinite)
        return right


_ARRAYS = tuple(field.name for field in fields(CorrectAnswers) if field.type == "Array")


@silent
def correct_answers(x: NamedTensor, y: NamedTensor, dim: Dim = None) -> CorrectAnswers:
    """Return the correct answers to `dot(x, y, dim)`, for valid input.

    Examples
    --------
    >>> x = NamedTensor(np.array([0.1, 0.2, 0.3]), "a")
    >>> answers = correct_answers(x, x)
    >>> bool(answers.wrong(np.array(0.14))), bool(answers.wrong(np.array(0.1400000001)))
    (False, True)
    """
    lowering = checked_lowering(x.sizes, y.sizes, dim)
    dtype = np.result_type(x.data, y.data)
    if dtype.kind in "biu":
        exact = evaluate(lowering, x.data, y.data)
        return _answers(lowering.out_dims, dtype, exact, exact)

    x_wide, y_wide = (t.data.astype(_wider(dtype)) for t in (x, y))
    x_finite, y_finite = (np.where(np.isfinite(data), data, 0) for data in (x_wide, y_wide))
    reference = evaluate(lowering, x_wide, y_wide)
    magnitude = evaluate(lowering, np.abs(x_finite), np.abs(y_finite))
    sizes = x.sizes | y.sizes
    others: dict[str, Any] = {
        "products": prod(size for name, size in sizes.items() if name not in lowering.out_dims),
        "roundings": 1 + sum(t.dtype.kind in "iu" and t.dtype.itemsize == 8 for t in (x, y)),
        "integers": all((data == np.rint(data)).all() for data in (x_finite, y_finite)),
    }
    precision, unit = np.finfo(dtype), unit_roundoff(dtype)
    alone = summed_alone(lowering, x.data, y.data)
    if not (np.isfinite(x_wide).all() and np.isfinite(y_wide).all()):
        others["finite"] = evaluate(lowering, x_finite, y_finite)
        others |= nonfinite_arrays(lowering, x_wide, y_wide, alone, unit)
    if dtype.kind == "f":
        error = relative_error(others["roundings"], others["products"], unit)
        if (magnitude >= precision.max / magnitude.dtype.type(1 + error)).any():
            others |= one_sided_sums(lowering, x_finite, y_finite)
        else:  # this is exact enough
            finite = others.get("finite", reference)
            others |= {"rises": (magnitude + finite) / 2, "falls": (magnitude - finite) / 2}
    if any(alone):
        others |= early_overflows(lowering, x_finite, y_finite, alone, precision)
    return _answers(lowering.out_dims, dtype, reference, magnitude, **others)


@silent
def correct_pull_back(
    cotangent: NamedTensor, other: NamedTensor, operand: NamedTensor
) -> CorrectAnswers:
    """Return the correct cotangents of one operand; see `refdot.evaluation.pull_back`.

    A gradient is a dot of the cotangent with the other operand, so its bound is that of a dot.
    """
    dims = {*cotangent.dims, *other.dims}.difference(operand.dims)
    if operand.dtype.kind == "c":
        answers = correct_answers(cotangent, other, dims)
    else:
        answers = _correct_real_parts(*real_factors(cotangent, other), dims)
    kept = [name for name in operand.dims if name in answers.dims]
    order = [answers.dims.index(name) for name in kept]
    absent = tuple(axis for axis, name in enumerate(operand.dims) if name not in kept)
    is_cast = operand.dtype != answers.dtype

    def spread(array: Array) -> Array:
        return np.broadcast_to(np.expand_dims(array.transpose(order), absent), operand.shape)

    return replace(
        answers,
        **answers._combine(spread),
        dims=operand.dims,
        dtype=operand.dtype,
        # The answer can be rounded to the operand's dtype, and both factors before it.
        roundings=answers.roundings + 3 * is_cast,
        products=answers.products + is_cast,
    )


def _correct_real_parts(x: NamedTensor, y: NamedTensor, dims: set[str]) -> CorrectAnswers:
    """Return the correct real parts of a dot: the sum of two dots of components."""
    answers = correct_answers(x, y, dims)
    if answers.dtype.kind != "c":
        return answers
    (x_real, x_imaginary), (y_real, y_imaginary) = (
        (NamedTensor(t.data.real, t.dims), NamedTensor(t.data.imag, t.dims)) for t in (x, y)
    )
    negated = NamedTensor(-x_imaginary.data, x.dims)
    parts = correct_answers(x_real, y_real, dims) + correct_answers(negated, y_imaginary, dims)
    # In complex arithmetic, one component that overflows can make the other one NaN.
    spoiled = ~answers.wrong(np.full_like(answers.finite, np.nan))
    return replace(parts, overflows_early=parts.overflows_early | spoiled)


def _answers(
    dims: tuple[str, ...], dtype: np.dtype[Any], reference: Array, magnitude: Array, **others: Any
) -> CorrectAnswers:
    """Return answers that do not round, with finite products only, except for `others`."""
    given: dict[str, Any] = dict.fromkeys(_ARRAYS, np.zeros(reference.shape, bool))
    given |= dict.fromkeys(("reference", "finite"), reference)
    given |= dict.fromkeys(("magnitude", "rises", "falls"), magnitude)
    given |= {"roundings": 0, "products": 0, "integers": True}
    return CorrectAnswers(dims=dims, dtype=dtype, **(given | others))
