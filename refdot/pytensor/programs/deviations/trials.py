"""Trials: a program is judged again while a part of PyTensor is changed."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any
from unittest.mock import patch

import pytensor
from pytensor.scalar.basic import Pow
from pytensor.xtensor.rewriting.utils import lower_xtensor_db

from refdot.programs.findings import Observation
from refdot.pytensor.lowerings.softmax import lower_elemwise_and_softmax
from refdot.pytensor.programs.judge import judge_program
from refdot.pytensor.target import PyTensorTarget

__all__ = [
    "is_gone",
    "with_added_tangents",
    "with_constant_exponents",
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


def with_added_tangents() -> AbstractContextManager[Any]:
    """Push tangents forward by two gradients of sums, which add what cotangents replace."""
    return patch("pytensor.gradient.pushforward_through_pullback", _pushforward)


def with_constant_exponents() -> AbstractContextManager[Any]:
    """Differentiate a power for its base only."""
    pullback = Pow.pullback

    def pullback_to_base(power: Pow, inputs: Any, outputs: Any, cotangents: Any) -> list[Any]:
        base, _ = pullback(power, inputs, outputs, cotangents)
        return [base, inputs[1].zeros_like(dtype=base.type.dtype)]

    return patch.object(Pow, "pullback", pullback_to_base)


def _pushforward(
    outputs: Sequence[Any], inputs: Sequence[Any], tangents: Sequence[Any], *_: Any
) -> list[Any]:
    cotangents = [output.zeros_like() for output in outputs]
    bars = _gradient_of_products(outputs, cotangents, inputs)
    return _gradient_of_products(bars, tangents, cotangents)


def _gradient_of_products(xs: Sequence[Any], ys: Sequence[Any], wrt: Sequence[Any]) -> list[Any]:
    total = sum((x * y).sum() for x, y in zip(xs, ys, strict=True))
    return list(pytensor.grad(total, list(wrt), disconnected_inputs="ignore"))
