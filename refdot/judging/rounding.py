"""How far a correct floating-point answer may lie from the exact one: derived, never guessed.

Take one element of the output, the sum of k products x·y. Rounding to nearest with unit
roundoff u, every operation gives fl(a op b) = (a op b)(1 + δ), |δ| ≤ u. A product passes through
its own multiplication and at most k − 1 additions, whatever the order of summation (sequential,
reversed, pairwise, blocked, fused multiply-add, or first along one dim and then another), so it
arrives with at most k factors (1 + δ). With γₖ = k·u/(1 − k·u), and Higham's lemma 3.1,

    |answer − exact| ≤ γₖ · Σ|x||y|.

That is Higham, *Accuracy and Stability of Numerical Algorithms* (2nd edition, 2002), §3.1, eq.
(3.5). Four terms are added to it, all of them small:

- the reference is itself computed, in a wider precision: γₖ of that precision;
- a product that underflows loses up to half the smallest subnormal η of the answer's precision,
  and a sum never underflows: k·η/2, which later additions may enlarge as they do the rest;
- an operand of a 64-bit integer dtype is rounded on its way to floating point: one more factor;
- a complex product is two real products and an addition: γₖ₊₁ and k·η, and √2 for the two
  components together (Higham §3.6); one product alone is within √5·u (Brent, Percival and
  Zimmermann, *Error bounds on complex floating-point multiplication*, 2007).

Two tiers follow. Where all data are integers and Σ|x||y| ≤ 2ᵖ, with p the bits of the answer's
significand, no operation rounds at all: the bound is 0 and every bit counts. Elsewhere the bound
above holds. Integer and bool dtypes are always exact (modulo 2ⁿ, any-of-alls).

Where more than one answer is right, just those are accepted. If the positive products add up to
more than the largest finite number, some order of summation overflows to +inf; likewise −inf;
and NaN if both. A non-finite operand makes the elements it reaches NaN, +inf or −inf by IEEE
754, the same in every order. Summing a dim alone before multiplying can turn 2·inf − 1·inf,
which is NaN, into (2 − 1)·inf, and so an element that is NaN without a NaN in any factor may be
anything that is not finite. It changes no infinite element: if that is +inf, then no product is
NaN or −inf, so that all the numbers that meet an infinity have one sign and do not add up to 0.
And where the sum alone overflows, what it is multiplied into may not be finite. BLAS does not
multiply by a scalar 0 at all, so where 0 meets a non-finite number the product may be NaN or left
out. Of a complex element that is not finite only that much is asked. −0.0 equals 0.0.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import ceil, exp, prod, sqrt
from typing import Any

import numpy as np

from refdot.evaluation import dot
from refdot.lowering import Dim, dim_set, lower
from refdot.tensor import Array, NamedTensor

__all__ = [
    "CorrectAnswers",
    "correct_answers",
    "correct_gradients",
    "correct_pull_back",
    "gamma",
    "unit_roundoff",
]


def unit_roundoff(dtype: np.dtype[Any]) -> float:
    """Give u of a floating-point or complex dtype: half the gap between 1 and the next number.

    Examples
    --------
    >>> unit_roundoff(np.dtype("float64")) == 2.0**-53
    True
    """
    return float(np.finfo(dtype).eps) / 2


def gamma(k: int, u: float) -> float:
    """Give γₖ = k·u/(1 − k·u), or infinity from k·u = 1 on, where the theory ends.

    Examples
    --------
    >>> gamma(10, 2.0**-11) < 10.1 * 2.0**-11, gamma(3000, 2.0**-11)
    (True, inf)
    """
    return k * u / (1 - k * u) if k * u < 1 else float("inf")


def _widened(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Give the dtype that the reference for answers of `dtype` is computed in."""
    complex_, small = dtype.kind == "c", unit_roundoff(dtype) > 2.0**-53
    if complex_:
        return np.dtype(np.complex128 if small else np.clongdouble)
    return np.dtype(np.float64 if small else np.longdouble)


@dataclass(frozen=True)
class CorrectAnswers:
    """The correct answers to one dot, or to a sum of dots, element by element.

    Attributes
    ----------
    dims : tuple of str
        The dims of the arrays below.
    dtype : dtype
        The dtype that R7 gives the answer.
    reference : ndarray
        The answer in a wider precision; for integer and bool dtypes the answer itself.
    magnitude : ndarray
        Σ|x||y|, for the finite products alone.
    rises, falls : ndarray
        What the finite products add up to, the positive ones alone and the negative ones alone,
        or more: they only serve to tell whether a sum can overflow.
    finite : ndarray
        The reference with the products left out that are not finite.
    zero_times_nonfinite : ndarray of bool
        Whether 0 is multiplied by something that is not finite, which BLAS may leave out.
    surely_nonfinite : ndarray of bool
        Whether a product is not finite for another reason.
    roundings : int
        How many factors (1 + δ) a product arrives with, k above.
    products : int
        How many products there are that may underflow.
    integers : bool
        Whether every finite number in the operands is an integer.
    reassociates : ndarray of bool
        Whether summing a dim alone first may make NaN an infinity.
    overflows_early : ndarray of bool
        Whether summing a dim alone first may overflow.
    """

    dims: tuple[str, ...]
    dtype: np.dtype[Any]
    reference: Array
    magnitude: Array
    rises: Array
    falls: Array
    finite: Array
    zero_times_nonfinite: Array
    surely_nonfinite: Array
    roundings: int
    products: int
    integers: bool
    reassociates: Array
    overflows_early: Array

    def __add__(self, other: CorrectAnswers) -> CorrectAnswers:
        return replace(
            self,
            reference=self.reference + other.reference,
            magnitude=self.magnitude + other.magnitude,
            rises=self.rises + other.rises,
            falls=self.falls + other.falls,
            finite=self.finite + other.finite,
            zero_times_nonfinite=self.zero_times_nonfinite | other.zero_times_nonfinite,
            surely_nonfinite=self.surely_nonfinite | other.surely_nonfinite,
            roundings=max(self.roundings, other.roundings) + 1,
            products=self.products + other.products,
            integers=self.integers and other.integers,
            reassociates=self.reassociates | other.reassociates,
            overflows_early=self.overflows_early | other.overflows_early,
        )

    def bound(self, u: float, digits: int, underflow: float) -> Array:
        """Give how far an answer may lie from the reference.

        Parameters
        ----------
        u : float
            The unit roundoff of the arithmetic that gave the answer.
        digits : int
            The bits of its significand.
        underflow : float
            Its smallest subnormal.

        Returns
        -------
        ndarray
            Of the reference's shape; 0 where no operation rounds, and infinite where there are so
            many operations that the theory says nothing.
        """
        own = gamma(self.roundings, unit_roundoff(self.reference.dtype))
        relative = (gamma(self.roundings, u) + own) / (1 - own) if own < 1 else float("inf")
        if not np.isfinite(relative):
            return np.full(self.magnitude.shape, np.inf)
        underflows = self.products / 2
        if self.dtype.kind == "c":
            # γ₂ of one product alone is √5·u in both components together.
            relative *= sqrt(5) / 2 if self.roundings == 2 else sqrt(2)
            underflows = self.products * sqrt(2)
        # There may be no number between one subnormal and the next to halve it to.
        absolute = ceil(underflows * (1 + relative)) * underflow
        bound: Array = relative * self.magnitude + absolute
        if self.integers:
            bound = np.where(self.magnitude <= 2.0**digits, 0, bound)
        return bound

    def wrong(self, answer: Array, unit: float = 0.0) -> Array:
        """Tell which elements of an answer no correct implementation gives.

        Parameters
        ----------
        answer : ndarray
            Of the reference's shape, of any numeric dtype.
        unit : float, optional
            The unit roundoff of a backend that works in less precision than its dtypes have.

        Returns
        -------
        ndarray of bool
        """
        if self.dtype.kind in "biu":
            return np.asarray(answer != self.reference)
        if answer.dtype.kind not in "fc":
            precision = np.finfo(self.dtype)
        else:
            precision = max(np.finfo(self.dtype), np.finfo(answer.dtype), key=lambda f: f.eps)
        u = max(float(precision.eps) / 2, unit)
        bound = self.bound(u, int(-np.log2(u)), float(precision.smallest_subnormal))
        largest = precision.max

        with np.errstate(all="ignore"):
            near = np.abs(answer - self.reference) <= bound
            slack = exp(self.roundings * u)  # at least (1 + u)ᵏ, which no partial sum outgrows
            if self.dtype.kind == "c" or answer.dtype.kind == "c":
                may_overflow = self.magnitude * slack >= largest
                may_not_be_finite = (
                    ~np.isfinite(self.reference) | may_overflow | self.overflows_early
                )
                acceptable = near | may_not_be_finite & ~np.isfinite(answer)
                return np.asarray(~(acceptable | self.right_without_zeros(answer, bound)))
            up, down = self.rises * slack >= largest, self.falls * slack >= largest

        plus, minus, nan = np.isposinf(answer), np.isneginf(answer), np.isnan(answer)
        ordinary = np.isfinite(self.reference)
        from_overflow = (plus & up) | (minus & down) | (nan & up & down)
        same = (
            (np.isnan(self.reference) & nan)
            | (np.isposinf(self.reference) & (plus | (nan & down)))
            | (np.isneginf(self.reference) & (minus | (nan & up)))
        )
        acceptable = np.where(ordinary, near | from_overflow, same)
        acceptable |= (self.reassociates | self.overflows_early) & ~np.isfinite(answer)
        return np.asarray(~(acceptable | self.right_without_zeros(answer, bound)))

    def right_without_zeros(self, answer: Array, bound: Array) -> Array:
        """Tell which elements are right if products of 0 and a non-finite number are left out."""
        with np.errstate(all="ignore"):
            near = np.abs(answer - self.finite) <= bound
        right = np.where(self.surely_nonfinite, ~np.isfinite(answer), near)
        return np.asarray(self.zero_times_nonfinite & right)


def correct_answers(x: NamedTensor, y: NamedTensor, dim: Dim = None) -> CorrectAnswers:
    """Work out the correct answers to `dot(x, y, dim)`, for valid input.

    Examples
    --------
    >>> x = NamedTensor(np.array([0.1, 0.2, 0.3]), "a")
    >>> answers = correct_answers(x, x)
    >>> bool(answers.wrong(np.array(0.14))), bool(answers.wrong(np.array(0.1400000001)))
    (False, True)
    """
    dim = dim_set(dim)  # an iterator can be read once only
    lowering = lower(x.dims, y.dims, dim)
    dtype = np.result_type(x.data, y.data)
    if dtype.kind in "biu":
        exact = dot(x, y, dim).data
        never = np.zeros(exact.shape, bool)
        return CorrectAnswers(
            dims=lowering.out_dims,
            dtype=dtype,
            reference=exact,
            magnitude=exact,
            rises=exact,
            falls=exact,
            finite=exact,
            zero_times_nonfinite=never,
            surely_nonfinite=never,
            roundings=0,
            products=0,
            integers=True,
            reassociates=never,
            overflows_early=never,
        )

    wide = _widened(dtype)
    x_wide, y_wide = (NamedTensor.trusted(t.data.astype(wide), t.dims) for t in (x, y))
    x_finite, y_finite = (
        NamedTensor.trusted(np.where(np.isfinite(t.data), t.data, 0), t.dims)
        for t in (x_wide, y_wide)
    )
    sizes = x.sizes | y.sizes
    summed_over = [name for name in sizes if name not in lowering.out_dims]
    products = prod(sizes[name] for name in summed_over)
    roundings = products + (dtype.kind == "c")
    roundings += sum(t.dtype.kind in "iu" and t.dtype.itemsize == 8 for t in (x, y))

    with np.errstate(all="ignore"):
        reference = dot(x_wide, y_wide, dim).data
        never = np.zeros(reference.shape, bool)
        finite, zeros, surely, reassociates = reference, never, ~np.isfinite(reference), never
        if surely.any():
            finite = dot(x_finite, y_finite, dim).data
            zeros = _either(x_wide, y_wide, dim, _is_zero, _is_nonfinite)
            surely = _either(x_wide, y_wide, dim, _is_nonzero, _is_nonfinite)
            if lowering.x_summed or lowering.y_summed:
                of_nan = _either(x_wide, y_wide, dim, np.isnan, _is_anything)
                reassociates = np.isnan(reference) & ~of_nan
        magnitude = dot(absolute(x_finite), absolute(y_finite), dim).data
        rises = falls = magnitude
        largest = np.finfo(dtype).max
        if dtype.kind == "f" and (magnitude >= largest / 2).any():
            x_up, x_down, y_up, y_down = (
                NamedTensor.trusted(np.maximum(sign * tensor.data, 0), tensor.dims)
                for tensor in (x_finite, y_finite)
                for sign in (1, -1)
            )
            rises = dot(x_up, y_up, dim).data + dot(x_down, y_down, dim).data
            falls = dot(x_up, y_down, dim).data + dot(x_down, y_up, dim).data
        overflows_early = never
        if products and (lowering.x_summed or lowering.y_summed):
            x_early = _alone_may_overflow(x_finite, lowering.x_summed, largest / 2)
            y_early = _alone_may_overflow(y_finite, lowering.y_summed, largest / 2)
            overflows_early = _either(
                x_early, y_early, lowering.contracted, np.asarray, _is_anything
            )
    return CorrectAnswers(
        dims=lowering.out_dims,
        dtype=dtype,
        reference=reference,
        magnitude=magnitude,
        rises=rises,
        falls=falls,
        finite=finite,
        zero_times_nonfinite=zeros,
        surely_nonfinite=surely,
        roundings=roundings,
        products=products,
        integers=_holds_integers(x_finite) and _holds_integers(y_finite),
        reassociates=reassociates,
        overflows_early=overflows_early,
    )


def correct_gradients(
    x: NamedTensor, y: NamedTensor, cotangent: NamedTensor, dim: Dim = None
) -> tuple[CorrectAnswers, CorrectAnswers]:
    """Work out the correct cotangents of x and of y, as `dot_vjp` gives them.

    Gradients are dots of the cotangent with the other operand, so their bounds are those of dots.
    """
    return (
        correct_pull_back(cotangent, y, x),
        correct_pull_back(cotangent, x, y),
    )


def correct_pull_back(
    cotangent: NamedTensor, other: NamedTensor, operand: NamedTensor
) -> CorrectAnswers:
    """Work out the correct cotangents of one operand; see `refdot.evaluation.pull_back`."""
    there = set(cotangent.dims) | set(other.dims)
    answers = correct_answers(cotangent, other, there.difference(operand.dims))
    kept = [name for name in operand.dims if name in answers.dims]
    order = [answers.dims.index(name) for name in kept]
    absent = tuple(axis for axis, name in enumerate(operand.dims) if name not in kept)
    real = operand.dtype.kind != "c"

    def spread(array: Array) -> Array:
        aligned = np.expand_dims(array.transpose(order), absent)
        return np.broadcast_to(aligned.real if real else aligned, operand.shape)

    return replace(
        answers,
        dims=operand.dims,
        dtype=operand.dtype,
        reference=spread(answers.reference),
        magnitude=spread(answers.magnitude),
        rises=spread(answers.rises),
        falls=spread(answers.falls),
        finite=spread(answers.finite),
        zero_times_nonfinite=spread(answers.zero_times_nonfinite),
        surely_nonfinite=spread(answers.surely_nonfinite),
        reassociates=spread(answers.reassociates),
        overflows_early=spread(answers.overflows_early),
        # The answer may be rounded to the operand's dtype, and the factors before it.
        roundings=answers.roundings + (3 if operand.dtype != answers.dtype else 0),
        products=answers.products + (operand.dtype != answers.dtype),
    )


def _either(
    x: NamedTensor,
    y: NamedTensor,
    dim: Dim,
    one: Callable[[Array], Array],
    other: Callable[[Array], Array],
) -> Array:
    """Tell which elements have a product of which `one` holds for a factor, `other` for the other.

    A dot of bools is any-of-alls, so this is one, both ways round.
    """

    def where(tensor: NamedTensor, condition: Callable[[Array], Array]) -> NamedTensor:
        return NamedTensor.trusted(condition(tensor.data), tensor.dims)

    there = dot(where(x, one), where(y, other), dim)
    return np.asarray(there.data | dot(where(x, other), where(y, one), dim).data)


def _alone_may_overflow(tensor: NamedTensor, dims: tuple[str, ...], most: float) -> NamedTensor:
    """Tell which sums over `dims`, if there are any, have magnitudes that exceed `most`."""
    kept = tuple(dim for dim in tensor.dims if dim not in dims)
    sums = absolute(tensor).sum(*dims).data if dims else np.zeros(tensor.shape)
    return NamedTensor.trusted(np.asarray(sums > most), kept)


def _is_zero(values: Array) -> Array:
    """Tell which values are 0."""
    return np.asarray(values == 0)


def _is_nonzero(values: Array) -> Array:
    """Tell which values are not 0, NaN among them."""
    return np.asarray(values != 0)


def _is_anything(values: Array) -> Array:
    """Tell of every value that it is one."""
    return np.ones(values.shape, bool)


def _is_nonfinite(values: Array) -> Array:
    """Tell which values are NaN or infinite."""
    return np.asarray(~np.isfinite(values))


def absolute(tensor: NamedTensor) -> NamedTensor:
    """Give |x|."""
    return NamedTensor.trusted(np.abs(tensor.data), tensor.dims)


def _holds_integers(tensor: NamedTensor) -> bool:
    """Whether every number of a tensor of finite numbers is an integer."""
    return bool((tensor.data == np.rint(tensor.data)).all())
