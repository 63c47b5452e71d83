"""Any function as a target."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from refdot.cases.case import DotCase
from refdot.cases.codec import case_to_json
from refdot.targets.mismatch import Deviation, Mismatch, as_comment
from refdot.targets.outcome import REPLICATES, Gradient, Outcome, Raised, effects
from refdot.targets.protocol import Backend, Unsupported
from refdot.tensor import NamedTensor

__all__ = ["CallableTarget"]


def _breaks_r1(case: DotCase) -> bool:
    """Whether the dims of an operand break R1."""
    return not _are_names(case.x.dims) or not _are_names(case.y.dims)


def _are_names(dims: tuple[Any, ...]) -> bool:
    """Whether dims obey R1."""
    return len(set(dims)) == len(dims) and all(isinstance(dim, str) and dim for dim in dims)


@dataclass
class CallableTarget:
    """Any callable `fn(x: NamedTensor, y: NamedTensor, dim) -> NamedTensor`.

    Parameters
    ----------
    function : callable
        If it has an attribute `vjp`, then `vjp(x, y, cotangent, dim) -> (x_bar, y_bar)` is what
        gradients are taken with. Otherwise they are read off the function: it should be bilinear,
        so its values on basis vectors are its derivative.
    name : str
    gradients : bool, optional
        Whether to judge gradients too.
    """

    function: Callable[..., Any]
    name: str
    gradients: bool = False
    version: str = ""
    stages: tuple[str, ...] = ("run",)
    lowerings: tuple[str, ...] = ("stock",)
    default_lowerings: tuple[str, ...] = ("stock",)
    unsupported: tuple[Unsupported, ...] = (
        Unsupported("dims that break R1 cannot reach it: NamedTensor refuses them", _breaks_r1),
    )
    not_checked: Mapping[str, str] = field(default_factory=dict)
    deviations: tuple[Deviation, ...] = ()

    def __post_init__(self) -> None:
        said, kinds = "it is called, and has no graph", ("nondeterminism", "structure")
        no_graph = {} if "build" in self.stages else dict.fromkeys(kinds, said)
        no_gradient = {} if self.gradients else {"wrong-gradient": "it has no gradient"}
        self.not_checked = {**no_graph, **no_gradient, **self.not_checked}

    def backends(self) -> tuple[Backend, ...]:
        """One: calling it."""
        return (Backend("call"),)

    def run(self, case: DotCase, backend: str, lowering: str, until: str = "run") -> Outcome:
        """Call the function on each replicate of numbers."""
        values: list[NamedTensor] = []
        gradients: list[Gradient] = []
        side_effects: list[str] = []
        for replicate in range(REPLICATES):
            x, y = case.tensors(replicate)
            before = x.data.copy(), y.data.copy()
            try:
                # What overflows or is not a number is meant to, and no reason to warn.
                with np.errstate(all="ignore"):
                    value = self.function(x, y, case.dim.value)
            except KeyboardInterrupt:
                raise
            except BaseException as error:  # whatever it raises is its answer
                return Outcome(raised=Raised.at("run", error), values=tuple(values))
            if not isinstance(value, NamedTensor):
                said = f"it returned a {type(value).__name__}, which is not a NamedTensor"
                return Outcome(raised=Raised("run", type(value).__name__, said, False))
            side_effects += effects((x.data, y.data), before, value.data)
            values.append(NamedTensor.trusted(value.data.copy(), value.dims))
            if replicate == 0:
                first, first_copy = value.data, value.data.copy()
            if self.gradients and case.gradient_order:
                try:
                    with np.errstate(all="ignore"):
                        gradients += self.differentiate(case, x, y, replicate)
                except KeyboardInterrupt:
                    raise
                except BaseException as error:
                    raised = Raised.at("run", error)
                    return Outcome(values=tuple(values), gradient_raised=raised)
        if not np.array_equal(first, first_copy, equal_nan=first.dtype.kind in "fc"):
            side_effects.append("a second call changed the first answer")
        return Outcome(
            values=tuple(values),
            gradients=tuple(gradients),
            side_effects=tuple(dict.fromkeys(side_effects)),
        )

    def run_all(
        self, cases: Iterable[DotCase], backend: str, lowering: str, until: str = "run"
    ) -> tuple[Outcome, ...]:
        """Run cases in turn: there is nothing to share."""
        return tuple(self.run(case, backend, lowering, until) for case in cases)

    def differentiate(
        self, case: DotCase, x: NamedTensor, y: NamedTensor, replicate: int
    ) -> list[Gradient]:
        """Give the first gradients of both operands, if they are continuous."""
        vjp = getattr(self.function, "vjp", None)
        # Read off basis vectors, 0 times inf would be NaN where there should be nothing.
        if not _differentiable(case) or (vjp is None and case.regime == "special"):
            return []
        cotangent, _, _ = case.cotangents(replicate)
        if vjp is not None:
            x_bar, y_bar = vjp(x, y, cotangent, case.dim.value)
        else:
            x_bar = self.read_off(x, cotangent, lambda basis: (basis, y), case)
            y_bar = self.read_off(y, cotangent, lambda basis: (x, basis), case)
        if case.same_variable:
            return [Gradient(1, "x", replicate, np.asarray(x_bar.data + y_bar.data))]
        return [
            Gradient(1, "x", replicate, np.asarray(x_bar.data)),
            Gradient(1, "y", replicate, np.asarray(y_bar.data)),
        ]

    def read_off(
        self,
        operand: NamedTensor,
        cotangent: NamedTensor,
        operands: Callable[[NamedTensor], tuple[NamedTensor, NamedTensor]],
        case: DotCase,
    ) -> NamedTensor:
        """Read the gradient of one operand off the function's values on basis vectors."""
        gradient = np.zeros(operand.shape, operand.dtype)
        for index in np.ndindex(*operand.shape):
            basis = np.zeros(operand.shape, operand.dtype)
            basis[index] = 1
            image = self.function(*operands(NamedTensor(basis, operand.dims)), case.dim.value)
            gradient[index] = (image.data * cotangent.transpose(*image.dims).data).sum()
        return NamedTensor(gradient, operand.dims)

    def reproducer(self, mismatch: Mismatch, backend: str, lowering: str) -> str:
        """Write a script that replays the case on the function."""
        return _CALLABLE_REPRODUCER.format(
            mismatch=as_comment(mismatch), json=case_to_json(mismatch.case), target=self.name
        )


def _differentiable(case: DotCase) -> bool:
    """Whether both operands are real and continuous."""
    return all(np.dtype(operand.dtype).kind == "f" for operand in (case.x, case.y))


_CALLABLE_REPRODUCER = """\
{mismatch}
#
# Runs this case on {target}, and exits 1 while it is answered wrongly.

import sys

from refdot.cases.codec import case_from_json
from refdot.judging.comparison import compare
from refdot.targets import find_target

CASE = {json}

case, target = case_from_json(CASE), find_target("{target}")
mismatches = compare(case, target.run(case, "call", "stock"), target)
for mismatch in mismatches:
    print(mismatch)
sys.exit(1 if mismatches else 0)
"""
