"""The values of an operand: drawn at random, or those of a matrix that rewrites recognize.

There are also values that differ from such a matrix by little: a rewrite that compares with a
tolerance, or does not compare all that matters, is wrong for these.
"""

from functools import lru_cache
from math import prod
from typing import Any

import numpy as np

from refdot.tensor import Array

__all__ = ["CONTENTS", "NEAR_CONTENTS", "content_values", "random_values"]

CONTENTS = ("drawn", "zeros", "ones", "identity", "diagonal", "one-hot")
NEAR_CONTENTS = tuple(f"nearly-{content}" for content in CONTENTS[1:])
# The largest absolute value in the regimes of uniform numbers, which only programs have.
_UNIFORM = {"unit": 1, "large": 1000}


def content_values(content: str, shape: tuple[int, ...], dtype: str) -> Array:
    """Return a new array of zeros or ones, or of zeros with some other elements.

    The identity has ones where all indices are equal, and a diagonal has other numbers there. Along
    the first axis, a one-hot array has a single one everywhere, which moves along the other axes.

    An array of one of the `NEAR_CONTENTS` differs from these by little: all zeros and ones by the
    same number, and the others in one place, which is not on the diagonal. The columns of a one-hot
    array still have the sum 1, if the dtype has such numbers.

    Examples
    --------
    >>> content_values("identity", (2, 3), "int64").tolist()
    [[1, 0, 0], [0, 1, 0]]
    >>> content_values("diagonal", (2, 3), "int64").tolist()
    [[2, 0, 0], [0, 3, 0]]
    >>> content_values("one-hot", (2, 3), "int64").tolist()
    [[0, 1, 0], [1, 0, 1]]
    >>> content_values("nearly-one-hot", (2, 3), "int64").tolist()
    [[0, 1, -1], [1, 0, 2]]
    >>> content_values("nearly-ones", (2,), "float64").tolist()
    [1.0000009536743164, 1.0000009536743164]
    """
    base = content.removeprefix("nearly-")
    array = np.full(shape, base == "ones", dtype)
    if base in ("identity", "diagonal"):
        # Not with one index array for each axis, of which NumPy accepts at most 63.
        step = sum(prod(shape[axis + 1 :]) for axis in range(len(shape)))
        places = np.arange(min(shape, default=1))
        numbers = 2 + places % 5 if base == "diagonal" else 1
        array.reshape(-1)[places * step] = numbers
    elif base == "one-hot" and array.size:
        columns = array.reshape(shape[0] if shape else 1, -1)
        number = np.arange(columns.shape[1])
        columns[(number + 1) % len(columns), number] = True
    if content in NEAR_CONTENTS and array.size:
        _change_by_little(base, array)
    return array


def _change_by_little(content: str, array: Array) -> None:
    """Change all elements by a small number, or one that is not on the diagonal."""
    columns = array.reshape(array.shape[0] if array.shape else 1, -1)
    small = array.dtype.type(_small_number(array.dtype))
    if content in ("zeros", "ones"):
        array[...] = array != small if array.dtype == bool else array + small
    elif content == "one-hot":
        one = columns.shape[1] % len(columns)  # its row in the last column
        columns[one - 1, -1] = small
        if len(columns) > 1 and array.dtype.kind in "fc":
            columns[one, -1] -= small
        elif len(columns) > 1 and array.dtype.kind == "i":
            columns[one - 1, -1], columns[one, -1] = -1, 2  # 1 and 0 would be one-hot
    else:
        columns[0, -1] = small


def _small_number(dtype: np.dtype[Any]) -> float:
    """Return a number that is small for a tolerance, but not for the rounding of a dtype."""
    return max(2.0**-20, 4 * float(np.finfo(dtype).eps)) if dtype.kind in "fc" else 1


def random_values(shape: tuple[int, ...], dtype: str, regime: str, seed: tuple[int, ...]) -> Array:
    """Return a new array of random values, equal on every machine and with every NumPy."""
    return _cached_values(shape, dtype, regime, seed).copy()


@lru_cache(maxsize=400)  # a batch needs the values of its cases several times
def _cached_values(
    shape: tuple[int, ...], dtype_name: str, regime: str, seed: tuple[int, ...]
) -> Array:
    # The streams of RandomState are frozen; those of default_rng may change with NumPy.
    random = np.random.RandomState(seed)
    dtype = np.dtype(dtype_name)
    if dtype.kind != "c":
        return _real_values(random, regime, shape, dtype)
    part = np.empty(0, dtype).real.dtype
    array = np.empty(shape, dtype)
    array.real = _real_values(random, regime, shape, part)
    array.imag = _real_values(random, regime, shape, part)
    return array


def _real_values(
    random: np.random.RandomState, regime: str, shape: tuple[int, ...], dtype: np.dtype[Any]
) -> Array:
    if dtype.kind == "b":
        return np.asarray(random.random_sample(shape) < 0.6)
    if dtype.kind in "iu":
        return _integer_values(random, regime, shape, dtype)
    if regime in _UNIFORM:
        return np.asarray(random.uniform(-1, 1, shape) * _UNIFORM[regime]).astype(dtype)
    # Without zeros, since a product with zero hides the other factor.
    small = random.randint(1, 4 if dtype.itemsize == 2 else 8, shape).astype(dtype)
    signs = np.where(random.random_sample(shape) < 0.5, -1, 1).astype(dtype)
    exact: Array = np.asarray(small * signs)
    if regime == "exact":
        return exact
    if regime in ("rounding", "short"):
        largest = 2 if dtype.itemsize == 2 else 12
        exponents = random.randint(-largest, largest + 1, shape)
        fractions = 1 + random.random_sample(shape)
        return np.asarray(np.ldexp(fractions * signs, exponents)).astype(dtype)
    limits = np.finfo(dtype)
    specials = np.array(
        [np.nan, np.inf, -np.inf, -0.0, 0.0, limits.smallest_subnormal, limits.max], dtype
    )
    chosen = specials[random.randint(0, len(specials), shape)]
    return np.where(random.random_sample(shape) < 0.3, chosen, exact)


def _integer_values(
    random: np.random.RandomState, regime: str, shape: tuple[int, ...], dtype: np.dtype[Any]
) -> Array:
    limits = np.iinfo(dtype)
    if regime == "exact" or regime in _UNIFORM:
        low = -7 if dtype.kind == "i" else 1
        drawn = random.randint(low, 8, shape).astype(dtype)
        return np.where(drawn == 0, dtype.type(7), drawn)
    if regime in ("rounding", "short"):
        count = int(np.prod(shape, dtype=int))
        drawn = np.frombuffer(random.bytes(count * dtype.itemsize), dtype).reshape(shape).copy()
        # With three bits in eight, sums do not overflow, but have too many digits for a float32.
        shift = dtype.itemsize * 5 if regime == "short" else 0
        smaller: Array = drawn >> dtype.type(shift)
        return np.where(smaller == 0, dtype.type(7), smaller)
    edges = np.array([limits.max, limits.min, limits.max - 1, limits.min + 1, 0, 1, 2], dtype)
    return np.asarray(edges[random.randint(0, len(edges), shape)])
