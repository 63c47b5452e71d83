"""Any function as a target."""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np

from refdot.cases.case import DotCase
from refdot.targets.mismatch import Deviation, Mismatch, as_comment
from refdot.targets.outcome import REPLICATES, Gradient, Outcome, Raised, effects
from refdot.targets.protocol import Backend, Unsupported
from refdot.targets.rendering import render
from refdot.tensor import NamedTensor

__all__ = ["CallableTarget"]

_MOST_VECTORS = 1000  # that a gradient is computed from


def _breaks_r1(case: DotCase) -> bool:
    return any(
        len(set(dims)) < len(dims) or not all(isinstance(dim, str) and dim for dim in dims)
        for dims in (case.x.dims, case.y.dims)
    )


@dataclass(eq=False)
class CallableTarget:
    """Any callable `fn(x: NamedTensor, y: NamedTensor, dim) -> NamedTensor` as a target.

    The parameters that are not listed here are the attributes of a `Target`.

    Parameters
    ----------
    function : callable
        If it has an attribute `vjp`, then `vjp(x, y, cotangent, dim)` returns the gradients
        `(x_bar, y_bar)`. Otherwise the values of the function on basis vectors give the gradients,
        because a dot is bilinear.
    name : str
    gradients : bool, optional
        Whether to judge gradients.
    """

    function: Callable[..., Any]
    name: str
    gradients: bool = False
    version: str = ""
    stages: tuple[str, ...] = ("run",)
    lowerings: tuple[str, ...] = ("stock",)
    default_lowerings: tuple[str, ...] = ("stock",)
    unsupported: tuple[Unsupported, ...] = (
        Unsupported("NamedTensor does not accept dims that break R1", _breaks_r1),
    )
    not_checked: Mapping[str, str] = field(default_factory=dict)
    deviations: tuple[Deviation, ...] = ()

    def __post_init__(self) -> None:
        kinds = () if "build" in self.stages else ("nondeterminism", "structure", "resources")
        no_graph = dict.fromkeys(kinds, "the target builds no graph")
        no_gradient = {} if self.gradients else {"wrong-gradient": "the target has no gradient"}
        self.not_checked = {**no_graph, **no_gradient, **self.not_checked}

    def backends(self) -> tuple[Backend, ...]:
        """Return the only backend, "call"."""
        return (Backend("call"),)

    def run(self, case: DotCase, backend: str, lowering: str, until: str = "run") -> Outcome:
        """Call the function on each replicate of a case."""
        values: list[NamedTensor] = []
        gradients: list[Gradient] = []
        side_effects: list[str] = []
        for replicate in range(REPLICATES):
            x, y = case.tensors(replicate)
            before = x.data.copy(), y.data.copy()
            value = _attempt(self.function, x, y, case.dim.value)
            if not isinstance(value, Raised | NamedTensor):
                name = type(value).__name__
                value = Raised("run", name, f"returned a {name}, not a NamedTensor", False)
            if isinstance(value, Raised):
                return Outcome(raised=value, values=tuple(values))
            side_effects += effects((x.data, y.data), before, value.data)
            values.append(NamedTensor.trusted(value.data.copy(), value.dims))
            if replicate == 0:
                first = value.data
            if self.gradients and case.gradient_order:
                found = _attempt(self._gradients, case, x, y, replicate)
                if isinstance(found, Raised):
                    return Outcome(values=tuple(values), gradient_raised=found)
                gradients += found
        if not np.array_equal(first, values[0].data, equal_nan=first.dtype.kind in "fc"):
            side_effects.append("a second call changed the first answer")
        return Outcome(
            values=tuple(values),
            gradients=tuple(gradients),
            side_effects=tuple(dict.fromkeys(side_effects)),
        )

    def run_all(
        self, cases: Iterable[DotCase], backend: str, lowering: str, until: str = "run"
    ) -> tuple[Outcome, ...]:
        """Run cases in turn."""
        return tuple(self.run(case, backend, lowering, until) for case in cases)

    def _gradients(
        self, case: DotCase, x: NamedTensor, y: NamedTensor, replicate: int
    ) -> list[Gradient]:
        """Return the first gradients of both operands, if these are real floats."""
        vjp = getattr(self.function, "vjp", None)
        is_real = x.dtype.kind == y.dtype.kind == "f"
        if not is_real or (vjp is None and not _has_useful_basis(case)):
            return []
        cotangent, _, _ = case.cotangents(replicate)
        fn, dim = self.function, case.dim
        if vjp is not None:
            bars = vjp(x, y, cotangent, dim.value)
        else:
            bars = (
                _pull_back(lambda basis: fn(basis, y, dim.value), x, cotangent),
                _pull_back(lambda basis: fn(x, basis, dim.value), y, cotangent),
            )
        x_bar, y_bar = (np.asarray(bar.data) for bar in bars)
        values = {"x": x_bar + y_bar} if case.same_variable else {"x": x_bar, "y": y_bar}
        return [
            Gradient(1, name, replicate, np.asarray(value))
            for name, value in values.items()
            if getattr(case, name).origin != "constant"
        ]

    def reproducer(self, mismatch: Mismatch, backend: str, lowering: str) -> str:
        """Return a script that finds the function by its name and runs the case again."""
        from refdot.cases.codec import case_to_json  # only this needs msgspec

        return render(
            "reproducer.py.jinja",
            comment=as_comment(str(mismatch)),
            case=json.dumps(case_to_json(mismatch.case)),
            target=self.name,
            backend=backend,
            lowering=lowering,
        )


def _has_useful_basis(case: DotCase) -> bool:
    """Return whether the values of a dot on basis vectors show its gradient, and are few.

    Where an operand is not finite, a basis vector gives 0 · inf = NaN for terms that the gradient
    does not have.
    """
    return case.regime != "special" and prod(case.x.shape) + prod(case.y.shape) <= _MOST_VECTORS


def _attempt(function: Callable[..., Any], *arguments: Any) -> Any:
    """Return the result of a function, or a `Raised` if it raises an exception."""
    try:
        with np.errstate(all="ignore"):  # the operands may contain NaN and huge numbers
            return function(*arguments)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a target may raise anything
        return Raised.at("run", error)


def _pull_back(
    function: Callable[[NamedTensor], NamedTensor], operand: NamedTensor, cotangent: NamedTensor
) -> NamedTensor:
    """Pull a cotangent back through a linear function, by its values on basis vectors."""
    gradient = np.zeros(operand.shape, operand.dtype)
    for index in np.ndindex(*operand.shape):
        basis = np.zeros(operand.shape, operand.dtype)
        basis[index] = 1
        image = function(NamedTensor(basis, operand.dims))
        gradient[index] = (image.data * cotangent.transpose(*image.dims).data).sum()
    return NamedTensor(gradient, operand.dims)
