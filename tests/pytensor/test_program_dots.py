"""Known deviations of the dots of a program, which a dot alone has for these dtypes and strides."""

from __future__ import annotations

import numpy as np
import pytest
from pytensor.tensor.rewriting.math import local_mul_canonizer
from test_program_deviations import BACKENDS, TARGET, causes
from test_programs import case_of

from refdot.programs.case import ProgramCase
from refdot.programs.findings import Observation
from refdot.programs.judgement import Difference
from refdot.programs.named import named_program
from refdot.programs.notation import program
from refdot.pytensor.programs import graph as graphs
from refdot.pytensor.programs.alternatives import with_sums_first
from refdot.pytensor.programs.answers import estimates_of
from refdot.pytensor.programs.deviations import known_cause

ALONE = "x: float64(c: 3?, a: 2?); y: {dtype}(d: 4?, a: 2?)"
REFUSED = "x: float64 broadcast(a: 4?, b: 3?); y: float64(a: 4?)"


def found(text: str, backend: str = "python", **settings: object) -> set[tuple[str, str | None]]:
    return {
        each
        for lowering in ("stock", "inlined")
        for each in causes(case_of(text, **settings), lowering, backend)
    }


def test_dims_of_one_operand_are_summed_before_a_dot():
    inputs = "x: float64(c: 3, a: 2)\ny: int64(d: 4, a: 2)"
    of = program(f"{inputs}\nv_y = dot(x, y)\nv = dot(x, y, dim=('d', 'a'))\nreturn v, v_y")
    assert str(with_sums_first(of)).splitlines()[2:] == [
        "v_y = dot(x, y, dim='a')",
        "v_y_ = sum(y, dim='d')",
        "v = dot(x, v_y_, dim='a')",
        "return v, v_y",
    ]


@pytest.mark.parametrize("dtype", ["float32", "int64"])
@pytest.mark.parametrize(
    "then", ["return v", "w = scale(v, 0.5); return w", "w = dot(v, y); return w"]
)
def test_a_dim_summed_in_the_dtype_of_its_operand_is_known(dtype: str, then: str):
    text = f"{ALONE.format(dtype=dtype)}; v = dot(x, y, dim=('d', 'a')); {then}"
    seen = found(text, regime="rounding", seed=1)
    assert seen == {("wrong-value", "summed-alone-first")}


def test_a_factor_of_an_empty_sum_that_is_not_finite_is_known():
    text = (
        "x: float64(a: 0, c: 3); y: float64(c: 3?, d: 1?); v = dot(x, y, dim=('a', 'c')); return v"
    )
    settings = ({"regime": "special", "seed": seed} for seed in range(4))
    seen = set().union(*(found(text, **each) for each in settings))
    assert seen == {("wrong-value", "summed-alone-first")}


@pytest.mark.parametrize("dtype", ["float32", "int64"])
def test_another_error_beside_a_dim_that_is_summed_first_is_new(monkeypatch, dtype: str):
    text = f"{ALONE.format(dtype=dtype)}; v = dot(x, y, dim=('d', 'a')); return v"
    dot = graphs._XTENSOR["dot"]
    monkeypatch.setitem(graphs._XTENSOR, "dot", lambda x, y, dim: dot(x, y, dim) * (1 + 1e-5))
    assert ("wrong-value", None) in found(text, regime="rounding", seed=1)


def test_single_precision_without_a_dim_that_is_summed_first_is_new(monkeypatch):
    text = f"{ALONE.format(dtype='float32')}; v = dot(x, y); return v"
    assert found(text, regime="rounding") == set()
    dot = graphs._XTENSOR["dot"]

    def single(x, y, dim):
        return dot(x.astype("float32"), y, dim).astype("float64")

    monkeypatch.setitem(graphs._XTENSOR, "dot", single)
    assert found(text, regime="rounding") == {("wrong-value", None)}


def test_an_error_within_the_bounds_of_a_step_by_step_analysis_is_new():
    """The bounds of a long program are sharper; no dim of it is summed alone."""
    case = ProgramCase(named_program("attention:layers=3"))
    loose = case.estimates(case.program)["loss"]
    sharp = estimates_of(case, case.program, 0)["loss"]
    got = np.asarray(sharp.value + 10 * sharp.bound)
    assert sharp.wrong(got).all()
    assert not loose.wrong(got).any()
    difference = Difference("loss", "R6", "wrong-value", "", "", evidence=got)
    assert known_cause(Observation(case, difference, "fast-compile", "inlined"), TARGET) is None


JAX = pytest.mark.skipif("jax" not in BACKENDS, reason="jax cannot run here")


@JAX
@pytest.mark.parametrize("step", ["dot(x, y)", "multiply(x, y)", "add(x, y)", "divide(x, y)"])
def test_float32_beside_integers_is_float32_on_jax(step: str):
    seen = found(f"x: float32(a: 2?); y: int64(a: 2?); v = {step}; return v", "jax")
    assert {cause for _, cause in seen} == {"promotion-of-jax"}


@JAX
def test_a_float32_that_overflows_beside_integers_is_known_on_jax():
    text = "x: float32(); y: int64(); v = dot(x, y); w = dot(v, v); return w"
    seen = set().union(*(found(text, "jax", regime="rounding", seed=seed) for seed in range(4)))
    assert {cause for _, cause in seen} == {"promotion-of-jax"}


@JAX
@pytest.mark.parametrize("step", ["v = multiply(x, y); w = exp(c)", "v = dot(x, x); w = exp(c)"])
def test_a_float32_beside_no_constant_is_new(step: str):
    inputs = "x: float32(a: 2?); y: float64(a: 2?); c: float64 constant()"
    case = case_of(f"{inputs}; {step}; return v, w")
    difference = Difference("v", "R7", "wrong-dtype", "float64", "float32", "run")
    assert known_cause(Observation(case, difference, "jax", "inlined"), TARGET) is None


@JAX
def test_another_error_beside_the_promotion_of_jax_is_new(monkeypatch):
    text = "x: float32(a: 2?); y: int64(a: 2?); v = multiply(x, y); return v"
    multiply = graphs._XTENSOR["multiply"]
    monkeypatch.setitem(graphs._XTENSOR, "multiply", lambda x, y: multiply(x, y) * 2)
    seen = found(text, "jax", regime="rounding")
    assert ("wrong-value", None) in seen


@pytest.mark.skipif("c" not in BACKENDS, reason="c cannot run here")
def test_float32_beside_integers_is_computed_in_float32_in_c(monkeypatch):
    text = "x: float32(a: 3?); y: int64(a: 3?); v = multiply(x, y); w = exp(v); return v, w"
    seen = found(text, "c", regime="rounding")
    assert {cause for _, cause in seen} == {"products-in-types-of-c"}
    multiply = graphs._XTENSOR["multiply"]
    monkeypatch.setitem(graphs._XTENSOR, "multiply", lambda x, y: multiply(x, y) * (1 + 1e-5))
    text = "x: float32(a: 3?); y: int64(a: 3?); v = multiply(x, y); return v"
    assert ("wrong-value", None) in found(text, "c", regime="rounding")


@JAX
def test_a_constant_without_a_dtype_is_known_on_jax():
    known = {("wrong-dtype", "constants-without-dtype-in-jax")}
    assert found("x: float32 constant(); v = negative(x); return v", "jax") == known
    # A rewrite makes it a constant.
    assert found("x: float32(); v = divide(x, x); return v", "jax") == known
    text = "x: float64 constant(); y: float32(); v = dot(y, x); return v"
    assert {cause for _, cause in found(text, "jax", regime="rounding")} == {
        "constants-without-dtype-in-jax"
    }


@JAX
def test_a_float64_that_is_no_constant_is_new():
    case = case_of("x: float32(a: 2?); y: float32(a: 2?); v = multiply(x, y); return v")
    difference = Difference("v", "R7", "wrong-dtype", "float32", "float64", "run")
    assert known_cause(Observation(case, difference, "jax", "inlined"), TARGET) is None


@JAX
def test_a_float32_that_no_integers_explain_is_new():
    case = case_of("x: float32(a: 2?); y: float64(a: 2?); v = multiply(x, y); return v")
    difference = Difference("v", "R7", "wrong-dtype", "float64", "float32", "run")
    assert known_cause(Observation(case, difference, "jax", "inlined"), TARGET) is None


BLAS = pytest.mark.skipif("c-blas" not in BACKENDS, reason="c-blas cannot run here")


@BLAS
def test_strides_that_a_blas_refuses_are_known_in_a_program():
    text = f"{REFUSED}; v = dot(x, y); w = scale(v, 2); return w"
    assert {cause for _, cause in found(text, "c-blas")} == {"strides-that-a-blas-refuses"}


@BLAS
def test_another_error_beside_such_strides_is_new(monkeypatch):
    text = f"{REFUSED}; v = dot(x, y); return v"
    dot = graphs._XTENSOR["dot"]
    monkeypatch.setitem(graphs._XTENSOR, "dot", lambda x, y, dim: dot(x, y, dim) * 2)
    assert ("wrong-value", None) in found(text, "c-blas")


FACTORS = "x: float32(a: 3?); y: float64 constant ones(); z = multiply(x, y)"


def test_factors_of_float32_are_multiplied_in_float32_if_all_others_cancel():
    text = f"{FACTORS}; v = multiply(z, z); w = exp(z); return v, w"
    assert found(text) == {("wrong-value", "float32-factors-of-float64")}


def test_another_loss_of_digits_in_such_a_product_is_new(monkeypatch):
    multiply = graphs._XTENSOR["multiply"]
    monkeypatch.setitem(
        graphs._XTENSOR,
        "multiply",
        lambda x, y: multiply(x, y).astype("float32").astype("float64"),
    )
    assert ("wrong-value", None) in found(f"{FACTORS}; v = exp(z); w = multiply(v, v); return w")


def test_digits_that_the_same_rewrite_loses_otherwise_are_new(monkeypatch):
    merge = local_mul_canonizer.merge_num_denum

    def rounded(factors, divisors):
        return merge(factors, divisors).astype("float32")

    monkeypatch.setattr(local_mul_canonizer, "merge_num_denum", rounded)
    text = f"{FACTORS}; w: float64(a: 3?); v = multiply(z, w); return v"
    assert found(text) == {("wrong-value", None)}


INTEGERS = "x: int64(); y: int64 constant(); z = multiply(x, y); v = multiply(z, y); return v"


def test_integer_constants_are_divided_by_one_as_floats():
    assert found(INTEGERS, regime="rounding") == {("wrong-value", "integer-constants-as-floats")}


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param(lambda product: [2 * each for each in product], id="doubled"),
        pytest.param(lambda product: [each + 1024 for each in product], id="near"),
        pytest.param(lambda product: [], id="left out"),
    ],
)
def test_constants_that_the_same_rewrite_multiplies_otherwise_are_new(monkeypatch, wrong):
    calculate = local_mul_canonizer.calculate

    def wrongly(factors, divisors, aslist=False, out_type=None):
        product = calculate(factors, divisors, aslist, out_type)
        return wrong(product) if aslist and len(factors) > 1 else product

    monkeypatch.setattr(local_mul_canonizer, "calculate", wrongly)
    assert found(INTEGERS, regime="rounding") == {("wrong-value", None)}


@pytest.mark.parametrize(
    "backend", [name for name in ("python", "c", "numba", "jax") if name in BACKENDS]
)
def test_a_power_of_a_product_of_integers_wraps_around(backend: str):
    text = "x: int64(); y: int64(); z = dot(x, y); v = power(z, 2); return v"
    assert found(text, backend, regime="rounding") == {("wrong-value", "power-of-integers")}
