"""Orders of summation, and operands whose dot is hard to compute."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from refdot.judging.rounding import correct_answers
from refdot.tensor import NamedTensor

__all__ = [
    "COMPLEX_ORDERS",
    "DTYPES",
    "ORDERS",
    "as_longdouble",
    "exact_bound",
    "hard_operands",
    "is_wrong",
    "pairwise",
    "reversed_",
    "sequential",
    "vectors",
]

DTYPES = ("float16", "float32", "float64")


def vectors(*operands, dtype=None) -> list[NamedTensor]:
    """Return operands with one dim."""
    return [NamedTensor(np.asarray(values, dtype), "k") for values in operands]


def as_longdouble(exact: Fraction) -> np.longdouble:
    """Round a fraction to a long double, or to infinity."""
    try:
        near = float(exact)
    except OverflowError:
        return np.longdouble(np.inf if exact > 0 else -np.inf)
    return np.longdouble(near) + np.longdouble(float(exact - Fraction(near)))


def is_wrong(answer, x, y, dim=None, dtype=None, unit=0.0) -> bool:
    """Return whether any element of an answer is wrong."""
    dtype = dtype or np.result_type(x.data, y.data)
    return bool(correct_answers(x, y, dim).wrong(np.asarray(answer, dtype), unit).any())


def exact_bound(terms: int, u: float, roundings: int = 1) -> Fraction:
    """Return the bound for a sum with magnitude 1, in exact arithmetic."""
    u = Fraction(float(u))
    return (1 + u) ** roundings * (1 + (terms - 1) * u) - 1


# Orders of summation. Each returns the sum of x·y, with one rounding for each operation.


def sequential(x, y):
    total = x.dtype.type(0)
    for a, b in zip(x, y, strict=True):
        total = total + a * b
    return total


def reversed_(x, y):
    return sequential(x[::-1], y[::-1])


def pairwise(x, y):
    if len(x) == 1:
        return x[0] * y[0]
    half = len(x) // 2
    return pairwise(x[:half], y[:half]) + pairwise(x[half:], y[half:])


def blocked(x, y):
    blocks = [sequential(x[at : at + 8], y[at : at + 8]) for at in range(0, len(x), 8)]
    return sequential(np.array(blocks), np.ones(len(blocks), x.dtype))


def interleaved(x, y):
    return sum((sequential(x[at::4], y[at::4]) for at in range(1, 4)), sequential(x[::4], y[::4]))


def positive_first(x, y):
    order = np.argsort(x * y)[::-1]
    return sequential(x[order], y[order])


def smallest_first(x, y):
    order = np.argsort(np.abs(x * y))
    return sequential(x[order], y[order])


def fused(x, y):
    """Multiply and add with one rounding, for float64 by exact fractions."""
    if x.dtype != "float64":
        return x.dtype.type(fused(x.astype("float64"), y.astype("float64")))
    total = 0.0
    for a, b in zip(x.tolist(), y.tolist(), strict=True):
        total = fused_multiply_add(a, b, total)
    return np.float64(total)


def fused_multiply_add(a: float, b: float, c: float) -> float:
    if not np.isfinite([a, b, c]).all():
        return a * b + c
    exact = Fraction(a) * Fraction(b) + Fraction(c)
    try:
        return float(exact)
    except OverflowError:
        return np.inf if exact > 0 else -np.inf


def component_by_component(x, y):
    """Sum real and imaginary products separately, as BLAS may."""
    real = sequential(x.real, y.real) - reversed_(x.imag, y.imag)
    return from_components(real, pairwise(x.real, y.imag) + sequential(x.imag, y.real))


def interleaved_components(x, y):
    """Add every real product to its component by itself, as kernels of BLAS do."""
    real = imaginary = x.real.dtype.type(0)
    for a, b in zip(x, y, strict=True):
        real = real + a.real * b.real
        real = real - a.imag * b.imag
        imaginary = imaginary + a.real * b.imag
        imaginary = imaginary + a.imag * b.real
    return from_components(real, imaginary)


def from_components(real, imaginary):
    number = np.empty((), np.result_type(real, np.complex64))
    number.real, number.imag = real, imaginary
    return number[()]


ORDERS = [
    sequential,
    reversed_,
    pairwise,
    blocked,
    interleaved,
    positive_first,
    smallest_first,
    fused,
    np.matmul,
    np.inner,
    lambda x, y: np.einsum("k,k->", x, y),
    lambda x, y: np.multiply(x, y).sum(),
]

COMPLEX_ORDERS = [component_by_component, interleaved_components]


def hard_operands(dtype: str) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Return operands whose dot is hard to compute."""
    random, length = np.random.RandomState(5), 61
    reach = 3 if dtype == "float16" else 20
    fractions, others = (1 + random.random_sample(length) for _ in range(2))
    signs = random.choice([-1.0, 1.0], length)
    wide = np.ldexp(fractions, random.randint(-reach, reach, length))
    cancelling = np.concatenate([wide, -wide[::-1] * (1 + 2 * np.finfo(dtype).eps), [0.125]])
    tiny = np.finfo(dtype).smallest_normal
    data = {
        "of one sign": (fractions, others),
        "of both signs": (fractions * signs, others),
        "of many magnitudes": (wide * signs, others),
        "ascending": (np.sort(wide), others),
        "descending": (np.sort(wide)[::-1], others),
        "cancelling": (cancelling, np.concatenate([others, others[::-1], [1.0]])),
        "large, then small": (np.concatenate([[2048.0], fractions]), np.ones(length + 1)),
        "underflowing": (fractions * np.sqrt(tiny), others * np.sqrt(tiny) * signs / 64),
        "subnormal": (fractions * tiny / 32 * signs, others),
    }
    return {name: (x.astype(dtype), y.astype(dtype)) for name, (x, y) in data.items()}
