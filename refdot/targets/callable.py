"""Any function as a target."""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np

from refdot.cases.case import DotCase
from refdot.targets.containment import attempt
from refdot.targets.mismatch import Deviation, Mismatch, as_comment
from refdot.targets.outcome import REPLICATES, Gradient, Outcome, Raised, effects, has_changed
from refdot.targets.protocol import Backend, Unsupported
from refdot.targets.rendering import render
from refdot.tensor import Array, NamedTensor

__all__ = ["CallableTarget"]

_MOST_VECTORS = 1000  # that a gradient is computed from
_ALWAYS_READ = 1_000_000  # elements of an answer that are copied even if it cannot be right


def _breaks_r1(case: DotCase) -> bool:
    return any(
        len(set(dims)) < len(dims) or not all(isinstance(dim, str) and dim for dim in dims)
        for dims in (case.x.dims, case.y.dims)
    )


_BREAKS_R1 = Unsupported("NamedTensor does not accept dims that break R1", _breaks_r1)


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
    is_slow : bool, optional
        Whether a call takes much longer than a millisecond, so that a check has fewer random cases.
    """

    function: Callable[..., Any]
    name: str
    gradients: bool = False
    version: str = ""
    stages: tuple[str, ...] = ("run",)
    lowerings: tuple[str, ...] = ("stock",)
    default_lowerings: tuple[str, ...] = ("stock",)
    unsupported: tuple[Unsupported, ...] = (_BREAKS_R1,)
    not_checked: Mapping[str, str] = field(default_factory=dict)
    deviations: tuple[Deviation, ...] = ()
    is_slow: bool = False

    def __post_init__(self) -> None:
        if _BREAKS_R1 not in self.unsupported:  # as in a tuple of the target's own limits
            self.unsupported = (_BREAKS_R1, *self.unsupported)
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
            arrays = x.data, y.data
            before = x.data.copy(), y.data.copy()
            returned = attempt(self.function, x, y, case.dim.value)
            if type(returned) is not Raised:  # `isinstance` would look for its attributes
                returned = _answer(returned, _most_elements(case))
            if type(returned) is Raised:
                return Outcome(raised=returned, values=tuple(values))
            array, value = returned
            side_effects += effects(arrays, before, array)
            values.append(value)
            if replicate == 0:
                first = array
            if self.gradients and case.gradient_order:
                found = attempt(self._gradients, case, x, y, replicate)
                if isinstance(found, Raised):
                    return Outcome(values=tuple(values), gradient_raised=found)
                gradients += found
        if has_changed(first, values[0].data):
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
        most = _most_elements(case)
        x_bar, y_bar = (_checked_array(np.asanyarray(bar.data), most) for bar in bars)
        values = {"x": x_bar + y_bar} if case.same_variable else {"x": x_bar, "y": y_bar}
        return [
            Gradient(1, name, replicate, np.array(value))
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


def _most_elements(case: DotCase) -> int:
    """Return a number of elements that no correct answer or gradient of a case exceeds."""
    return max(prod(max(size, 1) for size in case.x.shape + case.y.shape), _ALWAYS_READ)


def _answer(returned: Any, most_elements: int) -> tuple[Array, NamedTensor] | Raised:
    """Return the array that a function returned, and a copy with its dims, or what is wrong."""
    type_name = type(returned).__name__
    try:
        if not isinstance(returned, NamedTensor):
            is_array = isinstance(returned, np.ndarray | np.generic)
            hint = ": write NamedTensor(array, dims)" if is_array else ""
            problem = f"an object of type {type_name}, not a NamedTensor{hint}"
        else:
            array, dims = _checked_array(returned.data, most_elements), returned.dims
            if type(dims) is not tuple:
                raise TypeError(f"its dims are of type {type(dims).__name__}, not tuple")
            return array, NamedTensor(array.copy(), dims)
    except Exception as error:  # any attribute may be of any class
        problem = f"an invalid NamedTensor: {Raised.at('run', error).message}"
    return Raised("run", type_name, f"returned {problem}", expected_type=False)


def _checked_array(data: Any, most_elements: int) -> Array:
    """Return an array, or raise a `TypeError` if it is none, or is too large to be copied."""
    if type(data) is not np.ndarray:
        raise TypeError(f"its data is of type {type(data).__name__}, not ndarray")
    if data.size > most_elements:
        raise TypeError(f"it has {data.size:,} elements")
    return data


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
