"""Trials: a program is judged again while a part of PyTensor is changed."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any
from unittest.mock import patch

from pytensor.xtensor.rewriting.utils import lower_xtensor_db

from refdot.programs.findings import Observation
from refdot.pytensor.lowerings.softmax import lower_elemwise_and_softmax
from refdot.pytensor.programs.judge import judge_program
from refdot.pytensor.target import PyTensorTarget

__all__ = ["is_gone", "with_stable_softmax"]


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
