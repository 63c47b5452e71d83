"""Each known deviation is still present, matches its own mismatches, and hides no others."""

from __future__ import annotations

import re
import warnings
from typing import Any

import numpy as np
import pytensor
import pytest
from packaging.specifiers import SpecifierSet
from planted import FAULTS
from planting import planted

from refdot.cases.case import DotCase
from refdot.cases.notation import dot_case
from refdot.cases.random_cases import case_at
from refdot.check.batch import judge_cases
from refdot.check.plan import Configuration
from refdot.errors import DotError
from refdot.judging.comparison import compare
from refdot.judging.expected import expected_answer, expected_error
from refdot.pytensor.deviations import known_deviations
from refdot.pytensor.deviations.record import DEVIATIONS
from refdot.pytensor.target.backends import BACKENDS
from refdot.pytensor.target.target import PyTensorTarget
from refdot.targets.mismatch import Deviation, Mismatch
from refdot.targets.outcome import REPLICATES, Declared, Gradient, Outcome, Raised
from refdot.targets.protocol import deviation_of
from refdot.tensor import Array, NamedTensor

TARGET = PyTensorTarget()
SQUARED = dot_case("a?", "a?", gradient_order=1, same_variable=True)
BY_NAME = {fault.name: fault for fault in FAULTS}


def mismatches(
    case: DotCase, backend: str = "python", lowering: str = "stock"
) -> dict[Mismatch, str | None]:
    """Judge a case, and return each mismatch with the id of its known deviation."""
    outcome = TARGET.run(case, backend, lowering)
    return {
        mismatch: known.id if known else None
        for mismatch in compare(case, outcome, TARGET)
        for known in [deviation_of(TARGET, mismatch, outcome, backend, lowering)]
    }


def backend_of(deviation: Deviation) -> str | None:
    present = [backend.name for backend in TARGET.backends() if not backend.absent]
    return next((name for name in deviation.backends or present if name in present), None)


@pytest.mark.parametrize("deviation", DEVIATIONS, ids=[deviation.id for deviation in DEVIATIONS])
def test_the_example_deviates_on_the_versions_on_record_only(
    deviation: Deviation,
) -> None:
    backend = backend_of(deviation)
    if backend is None:
        pytest.skip(f"none of {', '.join(deviation.backends)} can run here")
    is_on_record = deviation in known_deviations(pytensor.__version__)
    deviates = any(
        deviation.id in mismatches(deviation.example, backend, lowering).values()
        for lowering in deviation.lowerings or TARGET.default_lowerings
    )
    assert deviates == is_on_record


def test_a_logged_error_of_another_deviation_does_not_hide_the_cause_of_a_failure() -> None:
    # On PyTensor 3.0, the dot fails, and without the cause of that a rewrite is logged to fail.
    case = dot_case("c:3? s:0 a:2?", "a:2? s:0? c:3?", ("c", "s"), gradient_order=1)
    found = mismatches(case)
    assert None not in found.values()
    if pytensor.__version__.startswith("3.0."):
        assert "reshape-of-nothing-dropped" in found.values()


def test_each_deviation_has_a_unique_id_a_title_and_a_cause() -> None:
    assert len({deviation.id for deviation in DEVIATIONS}) == len(DEVIATIONS)
    for deviation in DEVIATIONS:
        assert re.fullmatch(r"[a-z]+(-[a-z0-9]+)+", deviation.id)
        assert deviation.title.endswith(".")
        assert "\n" not in deviation.title
        assert deviation.cause.endswith((".", "`"))
        assert all(re.fullmatch(r"R\d+", rule) for rule in deviation.rules)


def test_versions_are_compared_by_pep_440() -> None:
    assert known_deviations("2.99") == ()
    assert known_deviations("3.0.7") == known_deviations("3.0.7+4.gabcdef.dirty") != ()
    assert known_deviations("3.10.0") != ()


# Each: a fault, and a case that also shows a known deviation, or nearly does.
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
        ("a static size of 1 fits any size", dot_case("a:1", "a:2")),
        ("static sizes are not compared", dot_case("a:2", "a:3")),
        ("a repeated dim is accepted", dot_case("a:2? a:2?", "")),
        (
            "dim of another type means None",
            dot_case("a:2", "a:2", 5),
        ),
        ("static sizes of y are lost", dot_case("a?", "a b", ())),
        ("output dims are in the order of a set", dot_case("a? b? c?", "c? d?")),
        ("the gradient of a sum is that of a mean", dot_case("a:2?", "", "a", gradient_order=1)),
        ("a variable used twice has one gradient", SQUARED),
        ("sizes that differ raise AssertionError", dot_case("a:2", "a:3")),
        ("an unknown name raises KeyError", dot_case("a?", "a?", ("z",))),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_fault_beside_a_known_deviation_is_new(fault: str, case: DotCase) -> None:
    assert None not in mismatches(case).values()
    with planted(BY_NAME[fault]):
        assert None in mismatches(case).values()


class RandomOutcomes:
    """A source of random outcomes, including any that no target would produce."""

    def __init__(self, seed: int) -> None:
        self.random = np.random.default_rng(seed)

    def choice(self, *options: Any) -> Any:
        return options[self.random.integers(len(options))]

    def maybe(self, value: Any) -> Any:
        return self.choice(value, None)

    def array(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
        """Return an array that has the shape and dtype, or nearly."""
        longer = (*shape, 2)[:64]  # NumPy has no arrays of more axes
        shape = self.choice(shape, shape, shape[1:], longer, shape[::-1], (7,), ())
        dtype = self.choice(dtype, dtype, *map(np.dtype, ("bool", "int8", "float16", "complex128")))
        return np.asarray(self.choice(0, 1, np.nan, np.inf, 2**70) * np.ones(shape)).astype(dtype)

    def raised(self) -> Raised:
        errors = ("ValueError", "TypeError", "AssertionError", "UnboundLocalError", "KeyError")
        messages = ("", "Size of dim 'a' does not match", "Cannot convert Type XTensorType")
        stage = self.choice(*PyTensorTarget.stages)
        return Raised(stage, self.choice(*errors), self.choice(*messages), self.choice(True, False))

    def declared(self, case: DotCase) -> Declared:
        dims = self.choice((), case.x.dims, case.y.dims, *self.out_dims(case))
        shape = tuple(self.choice(None, 0, 1, 2) for _ in dims)
        return Declared(dims, self.choice("int8", case.x.dtype, case.y.dtype), shape)

    def out_dims(self, case: DotCase) -> list[tuple[str, ...]]:
        try:
            return [case.lowering.out_dims]
        except DotError:
            return []

    def value(self, case: DotCase, replicate: int) -> NamedTensor:
        if expected_error(case) is None and self.choice(True, True, False):
            right = expected_answer(case, replicate)
            data = self.array(right.shape, right.dtype)
            names = right.dims + tuple("uvwz")
        else:
            data, names = self.array((2,), np.dtype(float)), tuple("uvwz")
        return NamedTensor(data, names[: data.ndim])

    def gradient(self, case: DotCase, order: int, name: str, replicate: int) -> Gradient:
        operand = case.x if name == "x" else case.y
        return Gradient(order, name, replicate, self.array(operand.shape, np.dtype(operand.dtype)))

    def outcome(self, case: DotCase) -> Outcome:
        with warnings.catch_warnings(action="ignore"):
            values = tuple(self.value(case, replicate) for replicate in range(REPLICATES))
            gradients = tuple(
                self.gradient(case, order, name, replicate)
                for order in range(1, case.gradient_order + 1)
                for name in ("x" if case.same_variable else "xy")
                for replicate in range(REPLICATES)
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
                self.choice("the op differs: Dot{dims=('a',)}, then Dot{dims=}", "other"),
            ),
            logged=(self.raised(),),
        )


@pytest.mark.parametrize("seed", range(4))
def test_deviations_handle_any_outcome(seed: int) -> None:
    random = RandomOutcomes(seed)
    present = [deviation for deviation in DEVIATIONS if backend_of(deviation) is not None]
    for index in range(250):
        case = case_at(seed, index)
        outcome = random.outcome(case)
        for mismatch in compare(case, outcome, TARGET):
            matching = [
                deviation.id
                for deviation in present
                if mismatch.rule in deviation.rules
                and mismatch.kind in deviation.kinds
                and deviation.matches(mismatch, outcome)
            ]
            if mismatch.detail.endswith((": shape", ": dtype")):
                # Only JAX returns other dtypes than PyTensor declares, and nothing another shape.
                assert all("-jax" in name for name in matching)
                assert not matching or mismatch.detail.endswith(": dtype")


EMPTY = {
    "a failing rewrite beside a constant": (
        dot_case(
            "c:2 a:0 d:3",
            "a:0 e:3 d:3 c:2",
            dim=("a",),
            dtypes=("uint8", "float64"),
            origin=("constant", "input"),
            content=("ones", "drawn"),
        ),
        "reshape-to-unknown-of-nothing",
    ),
    "an assertion in place of the error of the sizes": (
        dot_case("s:3? c:3?", "c:3? s:0", ("c", "s")),
        "reshape-of-nothing-dropped",
    ),
}


@pytest.mark.parametrize(("case", "cause"), EMPTY.values(), ids=EMPTY)
def test_a_failure_on_an_empty_array_is_explained(case: DotCase, cause: str) -> None:
    found = [*judge_cases(TARGET, [case], Configuration("python", "stock"))]
    assert cause in {finding.known for finding in found}
    assert None not in {finding.known for finding in found}


# In the last two, a reshape of an array without elements makes the empty batch. y comes first in
# the product unless the output begins with the batch dims.
EMPTY_BATCHES = [
    dot_case("a:1? b:0?", "a:3? b:0?", "a"),
    dot_case("a:2? b:0?", "a:3? b:0?", "a"),
    dot_case("a:2? b:0?", "a:3? b:0? c:2?", "a"),
    dot_case("a:3 b:3? c:0? d:3", "a:1? b:1 c:0? d:2?", ("a", "b")),
    dot_case("c:3? e:2? f:2? d:3?", "a:0? d:3? f:2? c:4?", "c"),
    dot_case("f:2? d:3? e:0? c:3?", "f:2? d:3? c:4?", "c"),
]


@pytest.mark.skipif(bool(BACKENDS["numba"].absent), reason="numba cannot run here")
@pytest.mark.parametrize("case", EMPTY_BATCHES, ids=str)
def test_an_empty_batch_hides_contracted_sizes_that_differ_in_numba(case: DotCase) -> None:
    found = {*mismatches(case, "numba").values()} - {"order-of-a-set"}
    assert found == {"batch-sizes-unchecked-in-numba"}


@pytest.mark.skipif(bool(BACKENDS["numba"].absent), reason="numba cannot run here")
def test_an_empty_second_operand_hides_no_sizes_in_numba() -> None:
    case = dot_case("c:3? e:0? f:2? d:3?", "a:2? d:3? f:2? c:4?", "c")
    assert {*mismatches(case, "numba").values()} == {"sizes-without-names"}


# A static size of 1 is squeezed, beside a dim whose sizes something else does not compare.
BESIDE_A_STATIC_ONE = {
    "batch-dims-joined": dot_case("a:2? b:5? c:3? d:1", "a:5? b:2? c:3? d:4?", ("c", "d")),
    "assertions-dropped-in-jax": dot_case("a:2? b:3? d:1", "a:3? b:2? d:4?"),
    "batch-sizes-unchecked-in-numba": dot_case("a:2? b:3? d:1", "a:3? b:3? d:4?", ("b", "d")),
}


@pytest.mark.parametrize("known", BESIDE_A_STATIC_ONE)
def test_sizes_that_are_not_compared_beside_a_static_one_are_explained(known: str) -> None:
    case, backend = BESIDE_A_STATIC_ONE[known], known.rpartition("-in-")[2]
    backend = backend if backend in BACKENDS else "python"
    if BACKENDS[backend].absent:
        pytest.skip(f"{backend} cannot run here")
    assert known in mismatches(case, backend).values()
    assert None not in mismatches(case, backend).values()


@pytest.mark.skipif(bool(BACKENDS["numba"].absent), reason="numba cannot run here")
def test_a_dot_of_constants_that_a_rewrite_cannot_compute_is_explained() -> None:
    options = {"origin": ("constant", "constant"), "same_variable": True}
    case = dot_case("a:2 b:2", "a:2 c:2", (), "bool", **options)
    found = judge_cases(TARGET, [case], Configuration("numba", "stock"))
    # Later releases compute the dot in another way.
    is_old = SpecifierSet("<3.1").contains(TARGET.version)
    expected = {"integer-batches-in-numba"} if is_old else set()
    assert {finding.known for finding in found} == expected
