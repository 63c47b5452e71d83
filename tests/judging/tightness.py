"""Measure how tight the bound on rounding errors is.

`python tests/judging/tightness.py` writes the tables of `docs/rounding.md`: the greatest number of
products with which a bound refuses twice the answer, and the largest ratio of an error to its bound
in 100,000 random sums for each dtype and number of products, sequential and pairwise, of numbers of
one sign and of both. Above 1 the bound would be wrong, and far below 1 it would miss errors.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np

from refdot.judging.rounding import correct_answers
from refdot.tensor import NamedTensor

__all__ = [
    "DTYPES",
    "JUDGED",
    "PAGE",
    "PRODUCTS",
    "greatest_refusing_twice",
    "rounded",
    "worst_ratio",
]

BLOCK = re.compile(
    r"(?<=<!-- written by tests/judging/tightness\.py -->\n\n).*?(?=\n\n<!-- end -->)", re.DOTALL
)
PAGE = Path(__file__).parents[2] / "docs" / "rounding.md"
CASES = 100_000
DTYPES = ("float16", "float32", "float64", "complex64", "complex128")
JUDGED = (*DTYPES, "longdouble", "clongdouble")
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
        bound = correct.bound(np.finfo(dtype))
        for order in (in_order, pairwise):
            answer = order(x, y)
            assert not correct.wrong(answer).any()
            error = np.abs(answer.astype(correct.reference.dtype) - correct.reference)
            worst = max(worst, float((error / bound).max()))
    return worst


def greatest_refusing_twice(dtype: str) -> int:
    """Return the greatest number of products, all alike, of which twice the sum is refused."""
    one = NamedTensor(np.array([1.5], dtype), "k")
    correct = replace(correct_answers(one, one), integers=False)

    def refuses(products: int) -> bool:
        bound = replace(correct, products=products).bound(np.finfo(dtype))
        return bool(bound < correct.magnitude)

    low, high = 1, 2**63
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if refuses(middle) else (low, middle)
    return low


def rounded(count: int) -> str:
    """Return a number as text, with three digits if it is large."""
    return f"{count:,}" if count < 10_000 else f"{count:.2e}".replace("e+", "e")


def table(heading: list[str], rows: list[list[str]]) -> str:
    lines = [heading, ["---", *["--:"] * (len(heading) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def main() -> None:
    limits = [[dtype, rounded(greatest_refusing_twice(dtype))] for dtype in JUDGED]
    ratios = [[d, *(f"{worst_ratio(d, count):.2f}" for count in PRODUCTS)] for d in DTYPES]
    tables = [
        table(["dtype", "greatest k"], limits),
        table(["dtype", *(f"k = {count}" for count in PRODUCTS)], ratios),
    ]
    PAGE.write_text(BLOCK.sub(lambda _: tables.pop(0), PAGE.read_text("utf-8")), "utf-8")


if __name__ == "__main__":
    main()
