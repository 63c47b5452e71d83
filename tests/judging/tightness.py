"""Measure how tight the bound on rounding errors is: the largest ratio of an error to its bound.

`python tests/judging/tightness.py` prints the table of `docs/rounding.md`: 100,000 random sums for
each dtype and number of products, sequential and pairwise, of numbers of one sign and of both.
Above 1 the bound would be wrong, and far below 1 it would miss errors.
"""

from __future__ import annotations

import numpy as np

from refdot.judging.rounding import correct_answers
from refdot.tensor import NamedTensor

__all__ = ["DTYPES", "PRODUCTS", "worst_ratio"]

CASES = 100_000
DTYPES = ("float16", "float32", "float64", "complex64", "complex128")
PRODUCTS = (1, 2, 3, 4, 8, 16, 64)
CHUNK = 10_000  # sums at a time, to save memory


def in_order(x, y):
    """Return the sum of the products of each row, in their order."""
    total = x[:, 0] * y[:, 0]
    for k in range(1, x.shape[1]):
        total = total + x[:, k] * y[:, k]
    return total


def pairwise(x, y):
    """Return the sum of the products of each row, by halves."""
    count = x.shape[1]
    if count == 1:
        return x[:, 0] * y[:, 0]
    half = count // 2
    return pairwise(x[:, :half], y[:, :half]) + pairwise(x[:, half:], y[:, half:])


def numbers(random, shape, dtype, positive):
    """Return random numbers with magnitudes from 1 to 2."""
    real = random.uniform(1, 2, (2, *shape))
    if not positive:
        real *= random.choice([-1.0, 1.0], (2, *shape))
    return (real[0] + (1j * real[1] if dtype.startswith("c") else 0)).astype(dtype)


def worst_ratio(dtype: str, products: int, cases: int = CASES, seed: int = 0) -> float:
    """Return the largest ratio of an error to its bound in random sums of products."""
    random, worst = np.random.default_rng(seed), 0.0
    for start in range(0, cases, CHUNK):
        shape = (min(CHUNK, cases - start), products)
        positive = start // CHUNK % 2 == 0
        x, y = (numbers(random, shape, dtype, positive) for _ in "xy")
        correct = correct_answers(*(NamedTensor(data, ("n", "k")) for data in (x, y)), "k")
        precision = np.finfo(dtype)
        bound = correct.bound(
            float(precision.eps) / 2, precision.nmant + 1, float(precision.smallest_subnormal)
        )
        for order in (in_order, pairwise):
            answer = order(x, y)
            assert not correct.wrong(answer).any()
            error = np.abs(answer.astype(correct.reference.dtype) - correct.reference)
            worst = max(worst, float((error / bound).max()))
    return worst


def main() -> None:
    print("| dtype |", " | ".join(f"k = {count}" for count in PRODUCTS), "|")
    print("|---|" + "--:|" * len(PRODUCTS))
    for dtype in DTYPES:
        ratios = [f"{worst_ratio(dtype, count):.2f}" for count in PRODUCTS]
        print(f"| {dtype} |", " | ".join(ratios), "|", flush=True)


if __name__ == "__main__":
    main()
