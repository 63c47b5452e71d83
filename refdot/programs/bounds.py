"""The estimate of each operation's result.

x and y are the references of the arguments, Bₓ and Bᵧ the bounds on their errors, Mₓ and Mᵧ their
magnitudes, and u the unit roundoff; see `refdot.programs.estimates`. An answer's arguments are
x + d and y + e with |d| ≤ Bₓ and |e| ≤ Bᵧ, so their sizes are at most Mₓ + Bₓ and Mᵧ + Bᵧ.

What a compiler may do, and the bounds cover:

- add the terms of a sum in any order, also across nested sums and dots, with or without fused
  multiply-add; multiply factors in any order, or each term of a sum by a factor;
- write x/y as x·(1/y), x·c as x/(1/c), and powers as products, roots and reciprocals;
- write eˣ·eʸ as eˣ⁺ʸ and eˣ/eʸ as eˣ⁻ʸ, and compute eˣ as 2 to the power of x/log 2;
- compute softmax with or without a shift by the maximum, or from the logarithm of the sum.

Not covered: products of two sums, term by term; dots of sums, term by term; chains of dots from
the other end; parts of a product that overflow or underflow in another order; and arithmetic in a
lower precision than that of the dtype (for which `unit` is).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import ceil, prod

import numpy as np

from refdot.cases.case import Operand
from refdot.lowering import lower_dot
from refdot.programs.estimates import Estimate, Precision
from refdot.programs.moves import MOVES
from refdot.programs.operations import dims_of
from refdot.readings import evaluate
from refdot.tensor import Array

__all__ = ["ESTIMATORS"]

# The error of `exp` and `pow`, in roundings: 4 units in the last place, the most that vector
# libraries state. A correctly rounded result would be within 1 rounding.
_FUNCTION = 8


def _dot(
    out: Operand, precision: Precision, x: Estimate, y: Estimate, dim: tuple[str, ...] | None
) -> Estimate:
    """Estimate a dot of K products.

    Each product of x + d and y + e differs from x·y by at most Bₓ(|y| + Bᵧ) + |x|Bᵧ. It takes part
    in one multiplication and K − 1 additions in any order of summation: K roundings.
    """
    lowering = lower_dot(x.dims, y.dims, dim)
    sizes = dict(zip(x.dims + y.dims, x.value.shape + y.value.shape, strict=True))
    count = prod(size for name, size in sizes.items() if name not in out.dims)

    def products(left: Array, right: Array) -> Array:
        return evaluate(lowering, left, right)

    def change(x_error: Array, y_error: Array) -> Array:
        return products(x_error, y.reach) + products(np.abs(x.value), y_error)

    return Estimate.computed(
        out,
        precision,
        value=products(x.value, y.value),
        propagated=change(x.bound, y.bound),
        skipped=change(x.skipped, y.skipped),
        rounding=precision.growth(count) * products(x.reach, y.reach) + count * precision.least,
        magnitude=products(np.abs(x.value), np.abs(y.value)),
        grid=x.grid * y.grid,
        terms=max(count, 1),
    )


def _add(out: Operand, precision: Precision, x: Estimate, y: Estimate, _: None) -> Estimate:
    """Estimate a sum of sums.

    In a sum of n terms, a term takes part in up to n − 1 additions. Bₓ contains those of x's nₓ
    terms among themselves; nᵧ more are possible, and likewise for y.
    """
    x, y = x.along(out.dims), y.along(out.dims)
    return Estimate.computed(
        out,
        precision,
        value=x.value + y.value,
        propagated=x.bound + y.bound,
        skipped=x.skipped + y.skipped,
        rounding=precision.growth(y.terms) * x.size + precision.growth(x.terms) * y.size,
        magnitude=x.magnitude + y.magnitude,
        grid=min(x.grid, y.grid),
        terms=x.terms + y.terms,
    )


def _subtract(out: Operand, precision: Precision, x: Estimate, y: Estimate, _: None) -> Estimate:
    return _add(out, precision, x, replace(y, value=-y.value), None)


def _sum(out: Operand, precision: Precision, x: Estimate, dim: tuple[str, ...] | None) -> Estimate:
    """Estimate the sum of n elements, each a sum of nₓ terms.

    That is a sum of n·nₓ terms, with n·nₓ − 1 roundings. Bₓ contains nₓ − 1 of them.
    """
    axes = tuple(axis for axis, name in enumerate(x.dims) if name not in out.dims)
    count = prod(x.value.shape[axis] for axis in axes)

    def total(array: Array) -> Array:
        return np.asarray(array.sum(axis=axes, dtype=array.dtype))

    return Estimate.computed(
        out,
        precision,
        value=total(x.value),
        propagated=total(x.bound),
        skipped=total(x.skipped),
        rounding=precision.growth(max(count - 1, 0) * x.terms) * total(x.size),
        magnitude=total(x.magnitude),
        grid=x.grid,
        terms=max(count, 1) * x.terms,
    )


def _multiply(out: Operand, precision: Precision, x: Estimate, y: Estimate, _: None) -> Estimate:
    """Estimate a product: the dot of one product, but it may multiply each term of one factor."""
    x, y = x.along(out.dims), y.along(out.dims)
    sizes = np.maximum(x.size * y.reach, x.reach * y.size)
    return Estimate.computed(
        out,
        precision,
        value=x.value * y.value,
        propagated=x.bound * y.reach + np.abs(x.value) * y.bound,
        skipped=x.skipped * y.reach + np.abs(x.value) * y.skipped,
        rounding=precision.growth(1) * sizes + precision.least,
        magnitude=np.maximum(x.magnitude * np.abs(y.value), np.abs(x.value) * y.magnitude),
        grid=x.grid * y.grid,
        terms=max(x.terms, y.terms) if 1 in (x.terms, y.terms) else 1,
    )


def _scale(out: Operand, precision: Precision, x: Estimate, factor: float) -> Estimate:
    """Estimate a multiple. The factor is rounded to the dtype; so may be its reciprocal.

    A power of two rounds nothing.
    """
    size = abs(factor)
    numerator, denominator = float(factor).as_integer_ratio()
    grid = (numerator & -numerator) / denominator  # the largest power of two that divides it
    roundings = 0 if size == grid else 3
    return Estimate.computed(
        out,
        precision,
        value=x.value * np.asarray(factor, x.value.dtype),
        propagated=size * x.bound,
        skipped=size * x.skipped,
        rounding=precision.growth(roundings) * size * x.size + precision.least,
        magnitude=size * x.magnitude,
        grid=x.grid * (grid or 1.0),
        terms=x.terms,
    )


def _divide(out: Operand, precision: Precision, x: Estimate, y: Estimate, _: None) -> Estimate:
    """Estimate a quotient.

    (x + d)/(y + e) − x/y = (d − e·x/y)/(y + e), and |y + e| ≥ |y| − Bᵧ. If that is not above 0, the
    divisor may be 0. There are two roundings in x·(1/y), and 1/y may be flushed to 0 or overflow.
    """
    x, y = x.along(out.dims), y.along(out.dims)
    least_divisor = np.abs(y.value) - y.bound
    quotient = x.value / y.value
    propagated = (x.bound + np.abs(quotient) * y.bound) / least_divisor
    skipped = (x.skipped + np.abs(quotient) * y.skipped) / least_divisor
    rounding = precision.growth(2) * x.size / least_divisor + precision.least * (1 + x.size)
    return Estimate.computed(
        out,
        precision,
        value=quotient,
        propagated=np.where(least_divisor * precision.largest > 1, propagated, np.inf),
        skipped=skipped,
        rounding=rounding,
        magnitude=x.magnitude / np.abs(y.value),
        terms=x.terms,
    )


def _exp(out: Operand, precision: Precision, x: Estimate, _: None) -> Estimate:
    """Estimate eˣ.

    |eˣ⁺ᵈ − eˣ| ≤ eˣ(e^Bₓ − 1). A compiler may add the exponents of two factors, which rounds x
    once, or take 2 to the power of x·(1/log 2), which rounds it twice: by 2u(|x| + Bₓ).
    """
    value = np.exp(x.value)
    exponent = x.bound + x.skipped + precision.unit * (2 * x.reach + _FUNCTION)
    return Estimate.computed(
        out,
        precision,
        value=value,
        propagated=value * np.expm1(exponent) + precision.least,
        rounding=0,
        magnitude=value,
    )


def _softmax(
    out: Operand, precision: Precision, x: Estimate, dim: tuple[str, ...] | None
) -> Estimate:
    """Estimate the softmax s of n elements.

    If the exponent of the element i is off by dᵢ, |dᵢ| ≤ Eᵢ, then sᵢ changes by the factor
    exp(dᵢ)/Σⱼ sⱼ exp(dⱼ), which is between exp(−Eᵢ − D) and exp(Eᵢ + D), D = log Σⱼ sⱼ exp(Eⱼ).

    Let m be the maximum. Each usual formula rounds the exponent (x − m, or x less the logarithm of
    the sum), what it is made of, and what `exp` makes of it: 4u(|x| + |m|). Then follow n − 1
    additions and a division, or a logarithm. The formula exp(x)/Σ exp(x) has the same bound, but
    for terms that underflow before they are divided by a sum of at least eᵐ. Where eᵐ overflows or
    underflows, it is wrong, and the others are correct.
    """
    reduced = dims_of(Operand(x.dims, x.value.shape), dim)
    axes = tuple(axis for axis, name in enumerate(x.dims) if name in reduced)
    count = prod(x.value.shape[axis] for axis in axes)
    largest = x.value.max(axis=axes, keepdims=True, initial=-np.inf)
    powers = np.exp(x.value - largest)
    value = powers / powers.sum(axis=axes, keepdims=True)
    error = x.bound + x.skipped
    exponent = error + precision.unit * (4 * (x.reach + np.abs(largest)) + _FUNCTION)
    total = np.log((value * np.exp(exponent)).sum(axis=axes, keepdims=True))
    relative = np.expm1(exponent + total + precision.unit * (2 * count + 2))
    scale = np.exp(largest)
    flushed = precision.least * (1 + np.where(scale > precision.least, 1 / scale, 0))
    return Estimate.computed(
        out,
        precision,
        value=value,
        propagated=value * relative + flushed,
        rounding=0,
        magnitude=value,
    )


def _power(out: Operand, precision: Precision, x: Estimate, exponent: float) -> Estimate:
    """Estimate xᵖ.

    By the mean value theorem, an error of x changes it by at most |p|ξᵖ⁻¹Bₓ, for some ξ between
    |x| − Bₓ and |x| + Bₓ. Unless p is a positive integer, 0 is a pole or the edge of the domain.
    Repeated multiplication and a reciprocal take |p| roundings. Only a square is sure to be exact.
    """
    is_integer = exponent == int(exponent)
    is_natural = is_integer and exponent > 0
    sizes = np.abs(x.value)
    value = x.value**exponent
    slopes = [np.abs(end) ** (exponent - 1) for end in (sizes - x.bound, sizes + x.bound)]
    slope = abs(exponent) * np.maximum(*slopes)
    propagated = slope * x.bound
    if not is_natural:
        is_inside = (sizes if is_integer else x.value) > x.bound
        propagated = np.where(is_inside, propagated, np.inf)
    rounding = precision.growth(ceil(abs(exponent)) + _FUNCTION) * (np.abs(value) + propagated)
    return Estimate.computed(
        out,
        precision,
        value=value,
        propagated=propagated,
        skipped=slope * x.skipped,
        rounding=rounding + precision.least,
        magnitude=np.abs(value),
        grid=x.grid**2 if exponent == 2 else 0.0,
    )


# For each operation, a function of the type of the result, the precision, the estimates of the
# arguments and the parameter.
ESTIMATORS: dict[str, Callable[..., Estimate]] = {
    "dot": _dot,
    "add": _add,
    "subtract": _subtract,
    "sum": _sum,
    "multiply": _multiply,
    "scale": _scale,
    "divide": _divide,
    "exp": _exp,
    "softmax": _softmax,
    "power": _power,
    **MOVES,
}
