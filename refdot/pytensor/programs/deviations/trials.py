"""Trials: a program is judged again while a part of PyTensor, or what it reads, is changed."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any
from unittest.mock import patch

import numpy as np
import pytensor
from pytensor.scalar.basic import Pow
from pytensor.xtensor.rewriting.utils import lower_xtensor_db

from refdot.programs.findings import Observation
from refdot.pytensor.lowerings.softmax import lower_elemwise_and_softmax
from refdot.pytensor.programs import graph as graphs
from refdot.pytensor.programs.judge import judge_program
from refdot.pytensor.target import PyTensorTarget
from refdot.tensor import Array

__all__ = [
    "is_gone",
    "shares_elements",
    "with_added_tangents",
    "with_constant_exponents",
    "with_separate_elements",
    "with_stable_softmax",
]


def is_gone(seen: Observation, target: PyTensorTarget, trial: AbstractContextManager[Any]) -> bool:
    """Return whether a program does not show a difference while PyTensor is changed."""
    found = judge_program(target, seen.case, seen.backend, seen.lowering, trial)
    return all(each.name != seen.difference.name for each in found)


@contextmanager
def with_stable_softmax() -> Iterator[None]:
    """Lower each softmax to one that subtracts the maximum first."""
    rewrite = lower_xtensor_db["lower_elemwise"]
    with patch.object(rewrite, "fn", lower_elemwise_and_softmax(rewrite.fn)):
        yield


@contextmanager
def with_added_tangents() -> Iterator[None]:
    """Pull back the sum of all products with cotangents: only `pullback` itself replaces some.

    Each result gets the dtype of the tangent that it is.
    """
    pullback, dtypes = pytensor.gradient.pullback, dict[Any, str]()

    def pullback_of_sum(
        f: Sequence[Any], wrt: Sequence[Any], cotangents: Sequence[Any], **options: Any
    ) -> list[Any]:
        dtypes.update((bar, x.type.dtype) for x, bar in zip(f, cotangents, strict=True))
        total = sum((x * bar).sum() for x, bar in zip(f, cotangents, strict=True))
        found = pullback([total], wrt, [total.ones_like()], **options)
        return [
            each.astype(dtypes.get(x, x.type.dtype)) for x, each in zip(wrt, found, strict=True)
        ]

    with patch("pytensor.gradient.pullback", pullback_of_sum):
        yield


def with_constant_exponents() -> AbstractContextManager[Any]:
    """Differentiate a power for its base only."""
    pullback = Pow.pullback

    def pullback_to_base(power: Pow, inputs: Any, outputs: Any, cotangents: Any) -> list[Any]:
        base, _ = pullback(power, inputs, outputs, cotangents)
        return [base, inputs[1].zeros_like(dtype=base.type.dtype)]

    return patch.object(Pow, "pullback", pullback_to_base)


def with_separate_elements() -> AbstractContextManager[Any]:
    """Copy each array in which elements share memory, so that it has the strides of a new array."""
    readable = graphs.readable

    def separate(array: Array) -> Array:
        array = readable(array)
        return array.copy() if shares_elements(array) else array

    return patch.object(graphs, "readable", separate)


def shares_elements(array: Array) -> bool:
    """Return whether some elements of an array share memory, as in `broadcast_to`."""
    low, high = np.lib.array_utils.byte_bounds(array)
    return high - low < array.nbytes
