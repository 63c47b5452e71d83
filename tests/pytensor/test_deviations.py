"""The known deviations: each is still there, explains what it causes, and hides nothing else."""

from __future__ import annotations

import re
import warnings
from typing import Any

import numpy as np
import pytensor
import pytest
from planted import FAULTS, planted

from refdot.cases.case import DimArgument, DotCase, Operand
from refdot.cases.notation import dot_case, operand
from refdot.cases.random_cases import case_at
from refdot.errors import DotError
from refdot.judging.comparison import compare
from refdot.judging.expected import expected_answer, expected_error
from refdot.lowering import lower_dot
from refdot.pytensor.deviations import known_deviations
from refdot.pytensor.deviations.record import DEVIATIONS
from refdot.pytensor.target.target import PyTensorTarget
from refdot.targets.mismatch import Deviation, Mismatch
from refdot.targets.outcome import Declared, Gradient, Outcome, Raised
from refdot.targets.protocol import deviation_of
from refdot.tensor import Array, NamedTensor

TARGET = PyTensorTarget()
SQUARED = dot_case("a?", "a?", gradient_order=1, same_variable=True)
BY_NAME = {fault.name: fault for fault in FAULTS}


def found(
    case: DotCase, backend: str = "python", lowering: str = "stock"
) -> dict[Mismatch, str | None]:
    """Judge a case; give each mismatch with the id of the known deviation that it is."""
    outcome = TARGET.run(case, backend, lowering)
    deviations = {
        mismatch: deviation_of(TARGET, mismatch, outcome, backend)
        for mismatch in compare(case, outcome, TARGET)
    }
    return {mismatch: known and known.id for mismatch, known in deviations.items()}


def backend_of(deviation: Deviation) -> str | None:
    there = [backend.name for backend in TARGET.backends() if not backend.absent]
    return next((name for name in deviation.backends or there if name in there), None)


@pytest.mark.parametrize("deviation", DEVIATIONS, ids=[deviation.id for deviation in DEVIATIONS])
def test_the_witness_deviates_on_the_versions_on_record_and_on_no_others(
    deviation: Deviation,
) -> None:
    backend = backend_of(deviation)
    if backend is None:
        pytest.skip(f"none of {', '.join(deviation.backends)} can run here")
    is_on_record = deviation in known_deviations(pytensor.__version__)
    shown = any(
        deviation.id in found(deviation.example, backend, lowering).values()
        for lowering in TARGET.default_lowerings
    )
    assert shown == is_on_record


def test_each_has_a_name_of_its_own_and_says_what_and_why() -> None:
    assert len({deviation.id for deviation in DEVIATIONS}) == len(DEVIATIONS)
    for deviation in DEVIATIONS:
        assert re.fullmatch(r"[a-z]+(-[a-z0-9]+)+", deviation.id)
        assert deviation.title.endswith(".")
        assert "\n" not in deviation.title
        assert deviation.cause.endswith((".", "`"))
        assert all(re.fullmatch(r"R\d+", rule) for rule in deviation.rules)


def test_versions_are_compared_as_versions() -> None:
    assert known_deviations("2.99") == ()
    assert known_deviations("3.0.7") == known_deviations("3.0.7+4.gabcdef.dirty") != ()
    assert known_deviations("3.10.0") != ()


# Beside each deviation, where it shows or nearly does, a fault that must still be seen.
@pytest.mark.parametrize(
    ("fault", "case"),
    [
        (
            "dims of one operand are averaged",
            dot_case("", "a:2?", "a", ("float64", "uint64"), regime="rounding"),
        ),
        (
            "dims of one operand are averaged",
            dot_case("", "a:3?", "a", ("float64", "float16"), regime="rounding"),
        ),
        ("products are off by 1e-13", dot_case("a? b?", "b? c?", regime="rounding")),
        ("a known size of 1 fits any", dot_case("a:1", "a:2")),
        ("known sizes are not compared", dot_case("a:2", "a:3")),
        ("a dim twice is accepted", DotCase(Operand(("a", "a"), (2, 2)), Operand((), ()))),
        (
            "any other dim means None",
            DotCase(operand("a:2"), operand("a:2"), DimArgument("object", (5,))),
        ),
        ("sizes that y knows are forgotten", dot_case("a?", "a b", ())),
        ("output dims are in the order of a set", dot_case("a? b? c?", "c? d?")),
        ("the gradient of a sum is that of a mean", dot_case("a:2?", "", "a", gradient_order=1)),
        ("a variable used twice has one gradient", SQUARED),
        ("sizes that differ are an AssertionError", dot_case("a:2", "a:3")),
        ("a name that is not there is a KeyError", dot_case("a?", "a?", ("z",))),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_fault_beside_it_is_new(fault: str, case: DotCase) -> None:
    assert None not in found(case).values()
    with planted(BY_NAME[fault]):
        assert None in found(case).values()


class Anything:
    """A target, the outcomes of which may be anything that its types allow."""

    def __init__(self, seed: int) -> None:
        self.random = np.random.default_rng(seed)

    def among(self, *options: Any) -> Any:
        return options[self.random.integers(len(options))]

    def maybe(self, value: Any) -> Any:
        return self.among(value, None)

    def array(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
        """An array of that shape and dtype, or nearly."""
        shape = self.among(shape, shape, shape[1:], (*shape, 2), shape[::-1], (7,), ())
        dtype = self.among(dtype, dtype, *map(np.dtype, ("bool", "int8", "float16", "complex128")))
        return np.asarray(self.among(0, 1, np.nan, np.inf, 2**70) * np.ones(shape)).astype(dtype)

    def raised(self) -> Raised:
        errors = ("ValueError", "TypeError", "AssertionError", "UnboundLocalError", "KeyError")
        messages = ("", "Size of dim 'a' does not match", "Cannot convert Type XTensorType")
        stage = self.among(*PyTensorTarget.stages)
        return Raised(stage, self.among(*errors), self.among(*messages), self.among(True, False))

    def declared(self, case: DotCase) -> Declared:
        dims = self.among((), case.x.dims, case.y.dims, *self.out_dims(case))
        shape = tuple(self.among(None, 0, 1, 2) for _ in dims)
        return Declared(dims, self.among("int8", case.x.dtype, case.y.dtype), shape)

    def out_dims(self, case: DotCase) -> list[tuple[str, ...]]:
        try:
            return [lower_dot(case.x.dims, case.y.dims, case.dim.value).out_dims]
        except DotError:
            return []

    def value(self, case: DotCase, draw: int) -> NamedTensor:
        if expected_error(case) is None and self.among(True, True, False):
            right = expected_answer(case, draw)
            data = self.array(right.shape, right.dtype)
            names = right.dims + tuple("uvwz")
        else:
            data, names = self.array((2,), np.dtype(float)), tuple("uvwz")
        return NamedTensor(data, names[: data.ndim])

    def gradient(self, case: DotCase, order: int, name: str, draw: int) -> Gradient:
        operand = case.x if name == "x" else case.y
        return Gradient(order, name, draw, self.array(operand.shape, np.dtype(operand.dtype)))

    def outcome(self, case: DotCase) -> Outcome:
        with warnings.catch_warnings(action="ignore"):
            values = tuple(self.value(case, draw) for draw in range(2))
            gradients = tuple(
                self.gradient(case, order, name, draw)
                for order in range(1, case.gradient_order + 1)
                for name in ("x" if case.same_variable else "xy")
                for draw in range(2)
                if np.dtype((case.x if name == "x" else case.y).dtype).kind in "fc"
            )
        gradient_raised = self.maybe(self.raised())
        return Outcome(
            self.maybe(self.raised()),
            self.maybe(self.declared(case)),
            values,
            () if gradient_raised else gradients,
            gradient_raised,
            nondeterminism=(
                self.among("the op differs: Dot{dims=('a',)}, then Dot{dims=}", "other"),
            ),
            logged=(self.raised(),),
        )


@pytest.mark.parametrize("seed", range(4))
def test_whatever_a_target_does_is_judged(seed: int) -> None:
    anything = Anything(seed)
    there = [deviation for deviation in DEVIATIONS if backend_of(deviation) is not None]
    for index in range(250):
        case = case_at(seed, index)
        outcome = anything.outcome(case)
        for mismatch in compare(case, outcome, TARGET):
            explained = [
                deviation.id
                for deviation in there
                if mismatch.rule in deviation.rules
                and mismatch.kind in deviation.kinds
                and deviation.matches(mismatch, outcome)
            ]
            if mismatch.detail.endswith((": shape", ": dtype")):
                # JAX has other dtypes than PyTensor declares; nothing has another shape.
                assert all("-jax" in name for name in explained)
                assert not explained or mismatch.detail.endswith(": dtype")
