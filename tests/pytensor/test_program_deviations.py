"""Known deviations of programs: each has its own cause, and hides nothing else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest
from packaging.specifiers import SpecifierSet
from processes import run_python
from pytensor.graph.basic import Apply
from pytensor.graph.op import Op
from test_programs import case_of

from refdot.check.plan import Configuration
from refdot.check.programs import judge_programs
from refdot.check.shrink import confirmed_program
from refdot.programs.case import ProgramCase
from refdot.programs.findings import Observation, ProgramDeviation
from refdot.programs.judgement import Difference
from refdot.pytensor.deviations import DEVIATIONS
from refdot.pytensor.programs import graph as graphs
from refdot.pytensor.programs.deviations import (
    PROGRAM_DEVIATIONS,
    known_cause,
)
from refdot.pytensor.programs.judge import judge_program
from refdot.pytensor.programs.target import PyTensorProgramTarget
from refdot.pytensor.target import PyTensorTarget
from refdot.rules import KINDS

TARGET = PyTensorTarget()
BACKENDS = [backend.name for backend in TARGET.backends() if not backend.absent]


def causes(case: ProgramCase, lowering: str = "inlined", backend: str = "python"):
    """Return the kind and the known cause of everything that is wrong with a program.

    An answer that is wrong in both replicates, and for the same cause, is there once.
    """
    found = judge_program(TARGET, case, backend, lowering)
    told = (
        (each.name, each.kind, known_cause(Observation(case, each, backend, lowering), TARGET))
        for each in found
    )
    return [(kind, cause) for _, kind, cause in dict.fromkeys(told)]


@pytest.mark.parametrize("deviation", PROGRAM_DEVIATIONS, ids=lambda deviation: deviation.id)
def test_the_example_shows_the_deviation(deviation: ProgramDeviation):
    assert deviation.title.endswith(".")
    if deviation.backends and not {*deviation.backends} & {*BACKENDS}:
        pytest.skip(f"{' and '.join(deviation.backends)} cannot run here")
    assert deviation.cause
    is_of_version = SpecifierSet(deviation.versions).contains(TARGET.version)
    backend = next(name for name in deviation.backends or ("python",) if name in BACKENDS)
    found = [
        cause
        for lowering in deviation.lowerings or ("stock", "inlined")
        for _, cause in causes(deviation.example, lowering, backend)
    ]
    assert (deviation.id in found) == is_of_version
    assert None not in found


def test_a_cause_that_dots_have_too_has_the_same_id():
    of_programs = {deviation.id for deviation in PROGRAM_DEVIATIONS}
    shared = of_programs & {deviation.id for deviation in DEVIATIONS}
    assert shared == {
        "integer-constants-as-floats",
        "integers-as-floats-in-numba",
        "known-length-forgotten",
        "conflicting-assumptions",
        "constants-without-dtype-in-jax",
        "gradients-in-an-inner-graph",
        "products-in-types-of-c",
        "promotion-of-jax",
        "reshape-of-nothing-dropped",
        "reshape-to-unknown-of-nothing",
        "selection-of-nothing",
        "sizes-of-nothing-deduced",
        "strides-that-a-blas-refuses",
        "summed-alone-first",
        "sums-widened-in-jax",
        "traced-shapes-in-jax",
    }


def test_the_second_gradient_of_a_softmax_is_a_wrong_number_from_177_on():
    case = case_of(
        "x: float64(a: 3); y = scale(x, 0.4); z = softmax(y); return z",
        regime="large",
        seed=6,
        gradient_order=2,
    )
    found = causes(case)
    assert found
    assert {cause for _, cause in found} == {"softmax-overflows"}


def test_a_dot_of_a_program_is_explained_although_it_does_not_accept_the_layout_alone():
    case = case_of("x: int64 unaligned(a: 2, b: 3?); y = dot(x, x, dim='b'); return y")
    assert {cause for _, cause in causes(case, "stock", "numba")} == {"integer-batches-in-numba"}


@pytest.mark.parametrize(
    ("text", "settings", "cause"),
    [
        (
            "x: float64(a: 2?); y = softmax(x); z = multiply(y, y); return z",
            {"regime": "rounding", "gradient_order": 1},
            "softmax-overflows",
        ),
        (
            "x: float64(a: 5?, b: 2?); y = softmax(x, dim='b'); z = rename(y, a='c'); "
            "v = dot(z, y); return v",
            {"regime": "rounding", "gradient_order": 1, "built": "vectorized"},
            "softmax-overflows",
        ),
        (
            "x: float64 zeros(); y: float64(a: 0?); z = divide(y, x); return z",
            {"gradient_order": 1},
            "quotient-of-an-empty-sum",
        ),
        (
            "x: float32(); y: float64(); v = rename(x); w = scale(x, 2); return v, y, w",
            {"gradient_order": 1, "built": "forward"},
            "tangents-in-the-default-dtype",
        ),
    ],
)
def test_a_trial_explains_what_has_no_formula(text: str, settings: dict[str, Any], cause: str):
    # The numbers of some seeds overflow.
    found = [
        each
        for seed in range(60, 80)
        for each in causes(replace(case_of(text, **settings), seed=seed), "inlined")
    ]
    assert cause in {known for _, known in found}
    assert None not in {known for _, known in found}


def test_an_error_beside_that_of_a_softmax_of_nothing_has_its_own_cause():
    case = case_of(
        "x: float64(a: 0); y: float64(b: 1, c: 2); z = softmax(x); v = dot(z, y); "
        "w = dot(v, v); return w"
    )
    assert {cause for _, cause in causes(case, "stock")} <= {
        "reshape-of-nothing-dropped",
        "softmax-of-nothing",
    }


BESIDE_A_SOFTMAX = """
from test_program_deviations import *

test_an_error_beside_that_of_a_softmax_of_nothing_has_its_own_cause()
"""


def test_a_cause_does_not_depend_on_what_was_judged_before():
    # What judges the lowering "direct" registers rewrites.
    folder = Path(__file__).parent
    ran = run_python("-c", BESIDE_A_SOFTMAX, folder=folder, PYTHONPATH=str(folder.parent))
    assert ran.returncode == 0, ran.stderr


class Impostor(NamedTuple):
    """A mistake in an operation that looks like a known deviation."""

    text: str
    settings: dict[str, Any]
    operation: str
    function: Callable[..., Any]
    kind: str
    lowering: str = "inlined"


class Failing(Op):
    """An operation that raises an error when it runs."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def make_node(self, x):
        return Apply(self, [x], [x.type()])

    def perform(self, node, inputs, outputs):
        raise self.error


def failing(error: Exception) -> Callable[..., Any]:
    return lambda x, *_: graphs.as_xtensor(Failing(error)(x.values), dims=x.type.dims)


def off_by_one(x, y, dim):
    return graphs.dot(x, y, dim=dim) + graphs.as_xtensor(pt.constant(np.int64(1)), dims=())


def nan_where_large(x, dim):
    nan = graphs.as_xtensor(pt.constant(np.nan), dims=())
    return graphs.softmax(x, dim=dim) + graphs.as_xtensor(
        pt.switch(pt.gt(x.values, 0.25), nan.values, 0.0), dims=x.type.dims
    )


IMPOSTORS = {
    "a softmax of small numbers is NaN": Impostor(
        "x: float64(a: 9); y = softmax(x); return y", {}, "softmax", nan_where_large, "wrong-value"
    ),
    "a softmax that overflows is doubled": Impostor(
        "x: float64(a: 3); y = softmax(x); return y",
        {"regime": "large"},
        "softmax",
        lambda x, dim: 2 * graphs.softmax(x, dim=dim),
        "wrong-value",
    ),
    "a result has the digits of float32": Impostor(
        "x: float64(a: 3); y = exp(x); return y",
        {},
        "exp",
        lambda x: graphs.exp(x).astype("float32").astype("float64"),
        "wrong-value",
    ),
    "a reciprocal has the precision of float32 without being fused": Impostor(
        "x: float64(a: 3); y = power(x, -1); return y",
        {},
        "power",
        lambda x, p: (1 / x.astype("float32")).astype("float64"),
        "wrong-value",
    ),
    "a power has the precision of float32 without being fused": Impostor(
        "x: float64(a: 3); y = power(x, 1.5); return y",
        {},
        "power",
        lambda x, p: x.astype("float32").astype("float64") ** p,
        "wrong-value",
    ),
    "a quotient by a sum along another axis is half of it": Impostor(
        "x: float64(a: 3?, b: 2?); e = exp(x); s = sum(e, dim='b'); q = divide(e, s); return q",
        {},
        "divide",
        lambda x, y: x / (y * 2),
        "wrong-value",
    ),
    "a power of integers has the wrong sign": Impostor(
        "x: int64(a: 2); y = power(x, 2); return y",
        {},
        "power",
        lambda x, p: -(x * x).astype("float64"),
        "wrong-value",
    ),
    "a product of integers is half of a float": Impostor(
        "x: int64(); y = multiply(x, x); z = scale(y, 0.5); return z",
        {},
        "scale",
        lambda x, factor: x.astype("float64") * (factor / 2),
        "wrong-value",
    ),
    "a product whose other factors cancel has the wrong sign": Impostor(
        "x: int64(a: 2); y = scale(x, -1.0); z = multiply(y, y); return z",
        {},
        "multiply",
        lambda x, y: -(x * y),
        "wrong-value",
    ),
    "a dot of scaled integers is half of a float": Impostor(
        "x: int64(a: 2?); y = scale(x, 0.5); z = dot(y, x); return z",
        {},
        "dot",
        lambda x, y, dim: graphs.dot(x, y, dim=dim) * np.float64(0.5),
        "wrong-value",
    ),
    "a dot of integers is off by one": Impostor(
        "x: int64(a: 2?); y = dot(x, x); return y", {}, "dot", off_by_one, "wrong-value"
    ),
    "small integers overflow": Impostor(
        "x: int64(a: 2); y = negative(x); return y",
        {},
        "negative",
        failing(OverflowError("Python int too large to convert to C long")),
        "rejected-valid",
    ),
    "a softmax of something has no maximum": Impostor(
        "x: float64(a: 0, b: 2); y = softmax(x, dim='b'); return y",
        {},
        "softmax",
        failing(ValueError("zero-size array to reduction operation maximum which has no identity")),
        "rejected-valid",
    ),
    "a sum of quotients is NaN": Impostor(
        "x: float64(a: 2?); y: float64(); z = divide(x, y); v = sum(z); return v",
        {},
        "sum",
        lambda x, dim: x.sum(dim=dim) * np.nan,
        "wrong-value",
    ),
    "a product with an integer constant is off by one": Impostor(
        "x: int64(); y: int64 constant(); z = dot(x, y); return z",
        {},
        "dot",
        off_by_one,
        "wrong-value",
    ),
    "a number is out of bounds without being fused": Impostor(
        "x: float64(a: 2); y = negative(x); return y",
        {},
        "negative",
        failing(OverflowError("Python integer -144 out of bounds for int8")),
        "rejected-valid",
    ),
    "an output that has the new dim lacks it": Impostor(
        "x: float64(a: 2); y = negative(x); return y",
        {"built": "vectorized"},
        "negative",
        failing(ValueError("Dimensions {'batch_of_all'} do not exist. Expected one of: ('a',)")),
        "rejected-valid",
    ),
    "an empty array has another shape": Impostor(
        "x: float64(a: 2, b: 0); y = negative(x); return y",
        {},
        "negative",
        failing(AssertionError("SpecifyShape: Got shape (2, 1, 0), expected (None, 2, 0).")),
        "rejected-valid",
    ),
}


@pytest.mark.parametrize("impostor", IMPOSTORS.values(), ids=IMPOSTORS)
def test_an_impostor_is_new(monkeypatch, impostor: Impostor):
    case = case_of(impostor.text, **impostor.settings)
    assert causes(case, impostor.lowering) == []
    monkeypatch.setitem(graphs._XTENSOR, impostor.operation, impostor.function)
    assert (impostor.kind, None) in causes(case, impostor.lowering)


def test_the_refusal_of_a_traced_shape_by_the_dispatch_of_jax_is_known():
    pytest.importorskip("jax")
    inputs = "x: float64(a: 1?); y: float64(a: 1?, b: 1?)"
    text = f"{inputs}; v = divide(y, y); z = dot(x, v, dim=()); return z"
    case = case_of(text, gradient_order=1)
    assert {cause for _, cause in causes(case, "inlined", "jax")} == {"traced-shapes-in-jax"}


def test_a_mode_with_few_rewrites_may_need_another_program_than_the_example():
    text = "x: float64(a: 0?, b: 2?); y: float64(b: 2, a: 0); v = dot(y, x); return v"
    where = Configuration("fast-compile", "stock")
    target = PyTensorProgramTarget()
    judged = judge_programs(target, [case_of(text, gradient_order=1)], where, {*KINDS}, None)
    found = [each for each in judged if each.known == "reshape-of-nothing-dropped"]
    assert [confirmed_program(target, each).known for each in found] == [found[0].known]


def test_a_missing_gradient_of_a_lowered_graph_is_new(monkeypatch):
    def absent(*args, **kw):
        raise NotImplementedError("pullback not implemented for Dot{dims=('a',)}")

    monkeypatch.setattr(pytensor, "grad", absent)
    case = case_of("x: float64(a: 2); v = dot(x, x); return v", gradient_order=1)
    assert causes(case) == [("rejected-valid", None)]


def test_an_error_of_another_rename_is_new(monkeypatch):
    error = ValueError("Cannot rename dims to b: dims not in ('a',)")
    monkeypatch.setitem(graphs._XTENSOR, "negative", failing(error))
    case = case_of("x: float64(a: 2); y = negative(x); return y", built="unlowered")
    assert causes(case) == [("rejected-valid", None)]


def test_an_inner_graph_without_a_dot_is_new():
    left = "the inner graph of OpFromGraph is left in the compiled gradient graph"
    difference = Difference("the compiled graph", "R14", "structure", "", left, "compile")
    case = case_of("x: float64(a: 2); y = exp(x); return y", gradient_order=1)
    assert known_cause(Observation(case, difference, "python", "stock"), TARGET) is None


@pytest.mark.parametrize("built", ["plain", "vectorized"])
@pytest.mark.parametrize(
    "steps",
    [
        "z = dot(x, y, dim='a'); return z",
        "v = dot(x, y, dim='a'); z = exp(v); return z",
        "v = dot(x, y, dim='a'); z = dot(v, v, dim=()); return z",
    ],
)
def test_a_size_that_only_x_has_is_forgotten_in_all_that_follows(built: str, steps: str):
    x, y = "x: float64(a: 2, b: 3)", "y: float64(a: 2?, b: 3?)"
    found = causes(case_of(f"{x}; {y}; {steps}", built=built))
    assert found == [("wrong-shape", "known-length-forgotten")]
    in_y = f"{x.replace('x', 'y')}; {y.replace('y', 'x')}; {steps}"
    assert causes(case_of(in_y, built=built)) == []


@pytest.mark.parametrize(
    "steps",
    [
        "y = multiply(x, x); z = negative(y); v = scale(z, 0.5); return v",
        "y = dot(x, x, dim=()); z = divide(y, x); return z",
        "s = sum(x); y = multiply(x, s); z = multiply(y, x); v = scale(z, 0.5); return v",
    ],
)
def test_integers_that_are_factors_of_floats_do_not_wrap_around(steps: str):
    found = causes(case_of(f"x: int64(a: 3); {steps}", regime="rounding"))
    assert {cause for _, cause in found} == {"integer-products-as-floats"}


@pytest.mark.parametrize(
    "steps",
    [
        "v = scale(x, -1.0); z = multiply(v, v); u = sum(z); return u",
        "v = scale(x, 0.5); w = scale(y, 2.0); z = multiply(v, w); u = sum(z); return u",
        "v = scale(x, 4.0); w = scale(v, 0.25); z = multiply(w, y); u = exp(w); return z, u",
        "v = scale(x, -1.0); w = negative(v); z = multiply(w, y); return z",
    ],
)
@pytest.mark.parametrize("backend", BACKENDS)
def test_integers_wrap_around_if_all_other_factors_cancel(steps: str, backend: str):
    case = case_of(f"x: int64(a: 3); y: int64(a: 3); {steps}", regime="rounding")
    found = {cause for _, cause in causes(case, "inlined", backend)}
    assert found <= {"integer-factors-of-floats", "integers-as-python-numbers"}
    # Without rewrites, there is nothing to explain.
    assert bool(found) == (backend != "python-minimum")


@pytest.mark.parametrize(
    "steps",
    [
        "v = scale(x, 0.5); z = dot(v, y); return z",
        "v = scale(x, 0.5); w = scale(y, 3.0); z = dot(v, w, dim='a'); u = negative(z); return u",
        "v = scale(x, 0.5); z = dot(v, x, dim='a'); u = exp(z); return z, u",
        "z = dot(x, y, dim='a'); u = scale(z, 0.5); return z, u",
    ],
)
@pytest.mark.parametrize("lowering", TARGET.lowerings)
@pytest.mark.parametrize("backend", BACKENDS)
def test_a_dot_of_scaled_integers_is_explained(steps: str, lowering: str, backend: str):
    inputs = "x: int64(a: 3?, b: 2?); y: int64(a: 3?, b: 2?)"
    case = case_of(f"{inputs}; {steps}", regime="rounding")
    assert None not in {cause for _, cause in causes(case, lowering, backend)}


def test_a_deviation_is_told_in_a_vectorized_program_too():
    settings = {"regime": "rounding", "gradient_order": 1, "built": "vectorized"}
    case = case_of("x: float64(a: 1?); y = softmax(x); return y", **settings)
    assert causes(case) == [("wrong-gradient", "softmax-overflows")]


@pytest.mark.skipif("numba" not in BACKENDS, reason="numba cannot run here")
def test_a_cause_in_an_inner_graph_that_numba_optimizes_by_itself_is_told():
    case = case_of(
        "x: float64(d: 0?, a: 5?); y: float64(b: 2, d: 0); v = add(y, x); w = softmax(v, dim='a'); "
        "z = dot(w, v, dim=('d', 'a')); return z",
        gradient_order=2,
        seed=27,
    )
    assert None not in {cause for _, cause in causes(case, "stock", "numba")}


@pytest.mark.skipif("numba" not in BACKENDS, reason="numba cannot run here")
def test_an_error_of_a_dot_is_known_although_its_message_has_addresses():
    case = case_of("x: int64(a: 2?, b: 3?); y = dot(x, x, dim='b'); z = negative(y); return z")
    assert causes(case, "inlined", "numba") == [("rejected-valid", "integer-batches-in-numba")]


def test_a_wrong_size_of_another_step_is_new(monkeypatch):
    case = case_of(
        "x: float64(a: 1); y: float64(a: 1?); z = dot(x, y, dim=()); w = negative(x); return z, w"
    )

    def forgetful(x):
        return graphs.as_xtensor(-x.values[pytensor.shared(0) :], dims=("a",))

    monkeypatch.setitem(graphs._XTENSOR, "negative", forgetful)
    found = causes(case)
    assert [cause is None for _, cause in found] == [False, True]
