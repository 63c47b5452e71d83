"""Non-finite products and overflowing sums of a dot, element by element."""

from typing import Any

import numpy as np

from refdot.lowering import Dims, Lowering
from refdot.readings import evaluate
from refdot.tensor import Array

__all__ = ["early_overflows", "nonfinite_arrays", "one_sided_sums", "summed_alone"]


_Alone = tuple[Dims, Dims]  # of x and of y


def summed_alone(lowering: Lowering, x: Array, y: Array) -> _Alone:
    """Return the dims over which an operand can be summed before the multiplication.

    The other operand lacks them, or repeats itself along them: then `np.einsum` sums first, too.
    """

    def repeated(data: Array, dims: Dims) -> Dims:
        strides = dict(zip(dims, data.strides, strict=True))
        return tuple(dim for dim in lowering.contracted if strides[dim] == 0)

    x_repeats, y_repeats = repeated(x, lowering.x_dims), repeated(y, lowering.y_dims)
    return lowering.x_summed + y_repeats, lowering.y_summed + x_repeats


def nonfinite_arrays(
    lowering: Lowering, x: Array, y: Array, alone: _Alone, u: float
) -> dict[str, Array]:
    """Return which elements have a product that is not finite, and why.

    The keys are fields of `CorrectAnswers`. The unit roundoff `u` is that of the answer.
    """
    nonfinite = ~np.isfinite(x), ~np.isfinite(y)
    zero, nonzero = (x == 0, y == 0), (x != 0, y != 0)
    arrays = {
        "zero_times_nonfinite": _either(lowering, zero, nonfinite),
        "surely_nonfinite": _either(lowering, nonzero, nonfinite),
    }
    if x.dtype.kind == "c":
        arrays["nan"] = arrays["surely_nonfinite"]
    else:
        positive, negative = (x > 0, y > 0), (x < 0, y < 0)
        plus, minus = ((x == infinity, y == infinity) for infinity in (np.inf, -np.inf))
        arrays |= {
            "plus": _either(lowering, plus, positive) | _either(lowering, minus, negative),
            "minus": _either(lowering, plus, negative) | _either(lowering, minus, positive),
            "nan": _either(lowering, (np.isnan(x), np.isnan(y)), nonzero),
        }
    if any(alone):
        x_zero = _may_add_up_to_0(x, lowering.x_dims, alone[0], u)
        y_zero = _may_add_up_to_0(y, lowering.y_dims, alone[1], u)
        cancels = _either(lowering, (x_zero & nonzero[0], y_zero & nonzero[1]), nonfinite)
        arrays["surely_nonfinite"] = _either(lowering, (~x_zero, ~y_zero), nonfinite)
        if x.dtype.kind != "c":
            cancels |= arrays["plus"] & arrays["minus"] & ~arrays["nan"]
        arrays["reassociates"] = cancels
    return arrays


def one_sided_sums(lowering: Lowering, x: Array, y: Array) -> dict[str, Array]:
    """Return the magnitudes of the sums of the positive products and of the negative ones."""
    x_up, x_down, y_up, y_down = (np.maximum(sign * data, 0) for data in (x, y) for sign in (1, -1))
    return {
        "rises": evaluate(lowering, x_up, y_up) + evaluate(lowering, x_down, y_down),
        "falls": evaluate(lowering, x_up, y_down) + evaluate(lowering, x_down, y_up),
    }


def early_overflows(
    lowering: Lowering, x: Array, y: Array, alone: _Alone, precision: np.finfo[Any]
) -> dict[str, Array]:
    """Return which elements have a factor that is a sum, and that may overflow."""

    def overflows(data: Array, dims: Dims, summed: Dims) -> Array:
        _, magnitudes, error = _sums(data, dims, summed, float(precision.eps) / 2)
        large = magnitudes >= precision.max / magnitudes.dtype.type(1 + error)
        return np.broadcast_to(large & bool(summed), data.shape)

    early = (
        overflows(x, lowering.x_dims, alone[0]),
        overflows(y, lowering.y_dims, alone[1]),
    )
    if not (early[0].any() or early[1].any()):
        return {}
    anything = np.ones(x.shape, bool), np.ones(y.shape, bool)
    return {"overflows_early": _either(lowering, early, anything)}


def _may_add_up_to_0(data: Array, dims: Dims, summed: Dims, u: float) -> Array:
    """Return which finite numbers are 0, or in a sum over `summed` that may be rounded to 0."""
    finite = np.isfinite(data)
    sums, magnitudes, error = _sums(np.where(finite, data, 0), dims, summed, u)
    return finite & (np.abs(sums) <= error * magnitudes)


def _sums(data: Array, dims: Dims, summed: Dims, u: float) -> tuple[Array, Array, float]:
    """Return the sums over some dims, those of the magnitudes, and the largest relative error."""
    axes = tuple(map(dims.index, summed))
    sums, magnitudes = (part.sum(axis=axes, keepdims=True) for part in (data, np.abs(data)))
    # One more rounding, since an operand of 64-bit integers may be rounded before it is summed.
    return sums, magnitudes, u * (data.size // max(magnitudes.size, 1) if summed else 0)


def _either(lowering: Lowering, one: tuple[Array, Array], other: tuple[Array, Array]) -> Array:
    """Return which elements have a product of a factor in `one` and a factor in `other`.

    Both are masks of x and of y. A dot of bools is any-of-alls.
    """
    (x_one, y_one), (x_other, y_other) = one, other
    return np.asarray(evaluate(lowering, x_one, y_other) | evaluate(lowering, x_other, y_one))
