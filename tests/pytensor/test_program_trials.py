"""Trials of programs: each replicate has its own cause, and a trial that fails explains nothing."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest
from pytensor.scalar.basic import Exp
from pytensor.tensor.elemwise import Elemwise
from test_program_deviations import TARGET, causes
from test_programs import case_of

from refdot.programs.findings import Observation
from refdot.pytensor.programs import graph as graphs
from refdot.pytensor.programs import judge
from refdot.pytensor.programs.deviations.trials import is_gone, with_stable_softmax
from refdot.pytensor.programs.judge import judge_program
from refdot.pytensor.programs.target import PyTensorProgramTarget
from refdot.pytensor.target.configuration import without_rewrites


def test_a_fused_exp_in_single_precision_is_new(monkeypatch):
    def impl(exp, x):
        is_python_number = isinstance(x, float) and not isinstance(x, np.generic)
        return np.exp(x, dtype="float32" if is_python_number else x.dtype)

    text = "x: float64(a: 3); y: float64(a: 3); z = exp(x); v = multiply(z, y); return v"
    monkeypatch.setattr(Exp, "impl", impl)
    assert causes(case_of(text)) == [("wrong-value", None)]


def test_a_cause_is_told_although_later_numbers_have_another():
    case = case_of("x: float64(a: 2?); y = softmax(x); return x, y", regime="rounding")
    case = replace(case, gradient_order=1, built="forward")
    # Only the exponents of the second replicate overflow.
    largest = [case.values(case.program, number)["x"].data.max() for number in range(2)]
    assert largest[0] < 50 < 700 < largest[1]
    assert causes(case, "stock") == [("wrong-gradient", "tangents-replace-each-other")]


def test_a_known_cause_does_not_hide_another_in_the_next_numbers(monkeypatch):
    case = case_of("x: float64(a: 2?); y = softmax(x); return x, y", regime="rounding")
    case = replace(case, gradient_order=1, built="forward")
    arguments_of = judge.arguments_of

    def other_cotangents(*arguments):
        values = arguments_of(*arguments)
        replicate = arguments[-1]
        return {name: 2 * value for name, value in values.items()} if replicate else values

    monkeypatch.setattr(judge, "arguments_of", other_cotangents)
    verdict = PyTensorProgramTarget().judge_program(case, "python", "stock")
    found = {(each.observation.difference.replicate, each.known) for each in verdict.findings}
    assert found >= {(0, "tangents-replace-each-other"), (1, None)}


def test_tangents_that_are_lost_beside_an_overflow_are_known():
    case = case_of("x: float64(a: 2?); y = softmax(x); return x, y", regime="rounding")
    case = replace(case, gradient_order=1, built="forward", seed=48)
    assert 177 < case.values(case.program)["x"].data.max() < 700
    assert causes(case, "stock") == [("wrong-gradient", "tangents-replace-each-other")]


def test_a_trial_that_makes_another_error_explains_nothing():
    @contextmanager
    def failing():
        with pytest.MonkeyPatch.context() as patched:
            patched.setitem(graphs._XTENSOR, "softmax", lambda x, dim: 1 // 0)
            yield

    case = case_of(
        "x: float64(a: 3); y = scale(x, 10); z = softmax(y); v = dot(z, x); return v",
        regime="large",
    )
    difference, _ = judge_program(TARGET, case, lowering="inlined")
    seen = Observation(case, difference, "python", "inlined")
    assert is_gone(seen, TARGET, with_stable_softmax)
    assert not is_gone(seen, TARGET, failing)


def test_a_dot_that_is_an_inner_graph_without_a_batch_is_new():
    case = case_of(
        "x: float64(a: 2?); y: float64(b: 2?); v = dot(x, x); w = exp(y); return v, w",
        built="vectorized-after-lowering",
    )
    assert causes(case, "stock") == []
    with without_rewrites("inline_optimized_einsum"):
        assert causes(case, "stock") == [("structure", None)]


def test_size_1_that_broadcasts_outside_gemm_is_new(monkeypatch):
    case = case_of(
        "x: float64(a: 2?, b: 3?); y: float64(b: 3?, c: 4?); z: float64(a: 2?, c: 4?); "
        "v = dot(x, y); u = exp(v); w = add(z, u); return w",
        has_wrong_sizes=True,
    )
    assert causes(case) == []
    monkeypatch.setattr(Elemwise, "_check_runtime_broadcast", lambda *arguments: None)
    assert {*causes(case)} == {("accepted-invalid", None)}
