"""A bound on the rounding error of a correct floating-point answer, derived for each element.

Take one element of the output: the sum of k products x·y. With rounding to nearest and unit
roundoff u, every operation gives fl(a op b) = (a op b)(1 + δ), |δ| ≤ u. In any order of summation
(sequential, reversed, pairwise, blocked, with fused multiply-add, or one dim after another), a
product goes through its own multiplication and at most k − 1 additions. So it ends up with at most
k factors (1 + δ). With γₖ = k·u/(1 − k·u), and Higham's lemma 3.1,

    |answer − exact| ≤ γₖ · Σ|x||y|.

This is Higham, *Accuracy and Stability of Numerical Algorithms* (2nd edition, 2002), §3.1, eq.
(3.5). Four small terms are added to it:

- The reference is computed, too, in a wider precision: γₖ of that precision.
- A product that underflows loses up to half the smallest subnormal η of the answer's precision; a
  sum never underflows. This gives k·η/2, which later additions can enlarge like the products.
- An operand of a 64-bit integer dtype is rounded when it becomes floating point: one more factor.
- A complex product is two real products and an addition: γₖ₊₁ and k·η, and √2 for the two
  components together (Higham §3.6). A single product is within √5·u (Brent, Percival and
  Zimmermann, *Error bounds on complex floating-point multiplication*, 2007).

If all data are integers and Σ|x||y| ≤ 2ᵖ, where p is the number of bits of the answer's
significand, no operation rounds: the bound is 0, and every bit counts. Integer and bool dtypes are
always exact (modulo 2ⁿ, and any-of-alls).

Where several answers are correct, exactly those are accepted:

- If the positive products add up to more than the largest finite number, some order of summation
  overflows to +inf; likewise to −inf; and to NaN if both are possible.
- A non-finite operand makes the elements that depend on it NaN, +inf or −inf by IEEE 754, in the
  same way in every order.
- Summing a dim alone before multiplying can turn 2·inf − 1·inf, which is NaN, into (2 − 1)·inf. So
  an element that is NaN without a NaN in any factor may be any non-finite number. An infinite
  element stays as it is: if it is +inf, no product is NaN or −inf, so all the numbers that meet an
  infinity have one sign and cannot add up to 0.
- Where that sum alone overflows, its products may be non-finite.
- BLAS does not multiply by a scalar 0. So where 0 meets a non-finite number, the product may be NaN
  or missing.
- A complex element that is non-finite may be any non-finite number.
- −0.0 equals 0.0.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from math import ceil, exp, prod, sqrt
from typing import Any

import numpy as np

from refdot.evaluation import checked_lowering, evaluate
from refdot.lowering import Dim, Lowering
from refdot.tensor import Array, NamedTensor

__all__ = ["CorrectAnswers", "correct_answers", "correct_pull_back", "gamma", "unit_roundoff"]


def unit_roundoff(dtype: np.dtype[Any]) -> float:
    """Return u of a floating-point or complex dtype: half the gap between 1 and the next number.

    Examples
    --------
    >>> unit_roundoff(np.dtype("float64")) == 2.0**-53
    True
    """
    return float(np.finfo(dtype).eps) / 2


def gamma(k: int, u: float) -> float:
    """Return γₖ = k·u/(1 − k·u), or infinity if k·u ≥ 1, where the theory does not apply.

    Examples
    --------
    >>> gamma(10, 2.0**-11) < 10.1 * 2.0**-11, gamma(3000, 2.0**-11)
    (True, inf)
    """
    return k * u / (1 - k * u) if k * u < 1 else float("inf")


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
    # Whether 0 is multiplied by a non-finite number. BLAS may skip that product.
    zero_times_nonfinite: Array
    surely_nonfinite: Array  # whether a product is non-finite for another reason
    reassociates: Array  # whether summing a dim alone first can turn NaN into an infinity
    overflows_early: Array  # whether summing a dim alone first can overflow
    roundings: int  # the number of factors (1 + δ) of a product: k above
    products: int  # the number of products that can underflow
    integers: bool  # whether every finite number in the operands is an integer

    def __add__(self, other: CorrectAnswers) -> CorrectAnswers:
        return replace(
            self,
            **self._combine(np.add, other),  # for bool arrays this is "or"
            roundings=max(self.roundings, other.roundings) + 1,
            products=self.products + other.products,
            integers=self.integers and other.integers,
        )

    def _combine(self, function: Callable[..., Array], *others: CorrectAnswers) -> dict[str, Any]:
        """Return the result of a function for each array, with the same array of `others`."""
        return {
            name: function(*(getattr(answers, name) for answers in (self, *others)))
            for name in _ARRAYS
        }

    def bound(self, u: float, digits: int, underflow: float) -> Array:
        """Return how far a correct answer can be from the reference.

        It is 0 where no operation rounds, and infinite if there are too many operations for the
        theory. The arithmetic that computed the answer has the unit roundoff `u`, a significand of
        `digits` bits and the smallest subnormal `underflow`.
        """
        own = gamma(self.roundings, unit_roundoff(self.reference.dtype))
        relative = (gamma(self.roundings, u) + own) / (1 - own) if own < 1 else float("inf")
        if not np.isfinite(relative):
            return np.full(self.magnitude.shape, np.inf)
        underflows = self.products / 2
        if self.dtype.kind == "c":
            # γ₂ of a single product is √5·u for both components together.
            relative *= sqrt(5) / 2 if self.roundings == 2 else sqrt(2)
            underflows = self.products * sqrt(2)
        # Near 0, every number is a multiple of the smallest subnormal.
        absolute = ceil(underflows * (1 + relative)) * underflow
        bound: Array = relative * self.magnitude + absolute
        if self.integers:
            bound = np.where(self.magnitude <= 2.0**digits, 0, bound)
        return bound

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
        u = max(float(precision.eps) / 2, unit)
        bound = self.bound(u, int(-np.log2(u)), float(precision.smallest_subnormal))
        slack = exp(self.roundings * u)  # at least (1 + u)ᵏ, the most that a partial sum can grow
        nonfinite = ~np.isfinite(answer)
        with np.errstate(all="ignore"):
            near = np.abs(answer - self.reference) <= bound
            without_zeros = np.abs(answer - self.finite) <= bound
            if "c" in (self.dtype.kind, answer.dtype.kind):
                overflows = self.magnitude * slack >= precision.max
                right = near | (overflows | ~np.isfinite(self.reference)) & nonfinite
            else:
                up, down = (part * slack >= precision.max for part in (self.rises, self.falls))
                right = self._is_right_real(answer, near, up, down)
        right = right | (self.reassociates | self.overflows_early) & nonfinite
        without_zeros = np.where(self.surely_nonfinite, nonfinite, without_zeros)
        return np.asarray(~(right | self.zero_times_nonfinite & without_zeros))

    def _is_right_real(self, answer: Array, near: Array, up: Array, down: Array) -> Array:
        """Return which elements are right, if sums may overflow to +inf (`up`) or −inf (`down`)."""
        plus, minus, nan = np.isposinf(answer), np.isneginf(answer), np.isnan(answer)
        from_overflow = (plus & up) | (minus & down) | (nan & up & down)
        same = (
            (np.isnan(self.reference) & nan)
            | (np.isposinf(self.reference) & (plus | (nan & down)))
            | (np.isneginf(self.reference) & (minus | (nan & up)))
        )
        return np.where(np.isfinite(self.reference), near | from_overflow, same)


_ARRAYS = tuple(field.name for field in fields(CorrectAnswers) if field.type == "Array")


def correct_answers(x: NamedTensor, y: NamedTensor, dim: Dim = None) -> CorrectAnswers:
    """Return the correct answers to `dot(x, y, dim)`, for valid input.

    Examples
    --------
    >>> x = NamedTensor(np.array([0.1, 0.2, 0.3]), "a")
    >>> answers = correct_answers(x, x)
    >>> bool(answers.wrong(np.array(0.14))), bool(answers.wrong(np.array(0.1400000001)))
    (False, True)
    """
    lowering = checked_lowering(x, y, dim)
    dtype = np.result_type(x.data, y.data)
    if dtype.kind in "biu":
        exact = evaluate(lowering, x.data, y.data)
        return _answers(lowering.out_dims, dtype, exact, exact)

    x_wide, y_wide = (t.data.astype(_wider(dtype)) for t in (x, y))
    x_finite, y_finite = (np.where(np.isfinite(data), data, 0) for data in (x_wide, y_wide))
    with np.errstate(all="ignore"):
        reference = evaluate(lowering, x_wide, y_wide)
        magnitude = evaluate(lowering, np.abs(x_finite), np.abs(y_finite))
        others: dict[str, Any] = {}
        if not np.isfinite(reference).all():
            others["finite"] = evaluate(lowering, x_finite, y_finite)
            others |= _nonfinite_arrays(lowering, x_wide, y_wide, reference)
        limit = np.finfo(dtype).max / 2
        if dtype.kind == "f" and (magnitude >= limit).any():
            others |= _one_sided_sums(lowering, x_finite, y_finite)
        if lowering.x_summed or lowering.y_summed:
            others |= _early_overflows(lowering, x_finite, y_finite, limit)
    summed = [size for name, size in (x.sizes | y.sizes).items() if name not in lowering.out_dims]
    others["products"] = prod(summed)
    others["roundings"] = prod(summed) + (dtype.kind == "c")
    others["roundings"] += sum(t.dtype.kind in "iu" and t.dtype.itemsize == 8 for t in (x, y))
    others["integers"] = all((data == np.rint(data)).all() for data in (x_finite, y_finite))
    return _answers(lowering.out_dims, dtype, reference, magnitude, **others)


def correct_pull_back(
    cotangent: NamedTensor, other: NamedTensor, operand: NamedTensor
) -> CorrectAnswers:
    """Return the correct cotangents of one operand; see `refdot.evaluation.pull_back`.

    A gradient is a dot of the cotangent with the other operand, so its bound is that of a dot.
    """
    there = set(cotangent.dims) | set(other.dims)
    answers = correct_answers(cotangent, other, there.difference(operand.dims))
    kept = [name for name in operand.dims if name in answers.dims]
    order = [answers.dims.index(name) for name in kept]
    absent = tuple(axis for axis, name in enumerate(operand.dims) if name not in kept)
    is_real, is_cast = operand.dtype.kind != "c", operand.dtype != answers.dtype

    def spread(array: Array) -> Array:
        aligned = np.expand_dims(array.transpose(order), absent)
        return np.broadcast_to(aligned.real if is_real else aligned, operand.shape)

    return replace(
        answers,
        **answers._combine(spread),
        dims=operand.dims,
        dtype=operand.dtype,
        # The answer can be rounded to the operand's dtype, and both factors before it.
        roundings=answers.roundings + 3 * is_cast,
        products=answers.products + is_cast,
    )


def _answers(
    dims: tuple[str, ...], dtype: np.dtype[Any], reference: Array, magnitude: Array, **others: Any
) -> CorrectAnswers:
    """Return answers that do not round, with finite products only, except for `others`."""
    given: dict[str, Any] = dict.fromkeys(_ARRAYS, np.zeros(reference.shape, bool))
    given |= dict.fromkeys(("reference", "finite"), reference)
    given |= dict.fromkeys(("magnitude", "rises", "falls"), magnitude)
    given |= {"roundings": 0, "products": 0, "integers": True}
    return CorrectAnswers(dims=dims, dtype=dtype, **(given | others))


def _nonfinite_arrays(lowering: Lowering, x: Array, y: Array, reference: Array) -> dict[str, Array]:
    """Return which elements have a product that is not finite, and why."""
    nonfinite = ~np.isfinite(x), ~np.isfinite(y)
    arrays = {
        "zero_times_nonfinite": _either(lowering, (x == 0, y == 0), nonfinite),
        "surely_nonfinite": _either(lowering, (x != 0, y != 0), nonfinite),
    }
    if lowering.x_summed or lowering.y_summed:
        of_nan = _either(lowering, (np.isnan(x), np.isnan(y)), _anything(x, y))
        arrays["reassociates"] = np.isnan(reference) & ~of_nan
    return arrays


def _one_sided_sums(lowering: Lowering, x: Array, y: Array) -> dict[str, Array]:
    """Return the magnitudes of the sums of the positive products and of the negative ones."""
    x_up, x_down, y_up, y_down = (np.maximum(sign * data, 0) for data in (x, y) for sign in (1, -1))
    return {
        "rises": evaluate(lowering, x_up, y_up) + evaluate(lowering, x_down, y_down),
        "falls": evaluate(lowering, x_up, y_down) + evaluate(lowering, x_down, y_up),
    }


def _early_overflows(lowering: Lowering, x: Array, y: Array, limit: float) -> dict[str, Array]:
    """Return which elements have a factor that is a sum, with magnitudes that exceed `limit`."""

    def exceeds(data: Array, dims: tuple[str, ...], summed: tuple[str, ...]) -> Array:
        axes = tuple(map(dims.index, summed))
        sums = np.abs(data).sum(axis=axes, keepdims=True) if axes else np.zeros(data.shape)
        return np.broadcast_to(sums > limit, data.shape)

    x_early = exceeds(x, lowering.x_dims, lowering.x_summed)
    y_early = exceeds(y, lowering.y_dims, lowering.y_summed)
    if not (x_early.any() or y_early.any()):
        return {}
    return {"overflows_early": _either(lowering, (x_early, y_early), _anything(x, y))}


def _either(lowering: Lowering, one: tuple[Array, Array], other: tuple[Array, Array]) -> Array:
    """Return which elements have a product of a factor in `one` and a factor in `other`.

    Both are masks of x and of y. A dot of bools is any-of-alls.
    """
    (x_one, y_one), (x_other, y_other) = one, other
    return np.asarray(evaluate(lowering, x_one, y_other) | evaluate(lowering, x_other, y_one))


def _anything(x: Array, y: Array) -> tuple[Array, Array]:
    return np.ones(x.shape, bool), np.ones(y.shape, bool)
