"""The oracle and the judge are silent (R6), in whatever `np.errstate` they are called."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

import refdot as rd
from refdot.cases.case import REGIMES, DotCase
from refdot.cases.strategies import dot_cases
from refdot.judging.comparison import compare
from refdot.judging.expected import correct_gradient, correct_value, unjudged_reason
from refdot.judging.references import dot_by_definition
from refdot.targets.callable import CallableTarget

DTYPES = (
    *("float16", "float32", "float64", "longdouble"),
    *("complex64", "complex128", "clongdouble"),
)
CASES, CHUNKS, DEEP_CASES = 400, 10, 50_000
TARGET = CallableTarget(rd.dot, "dot", gradients=True)


def use_everything(case: DotCase) -> None:
    """Compute and judge the answer to a case and its derivatives."""
    x, y = case.tensors()
    dim, (cotangent, x_tangent, y_tangent) = case.dim.names, case.cotangents()
    answer = x.dot(y, dim)
    dot_by_definition(x, y, dim)
    x.sum()
    bars = rd.dot_vjp(x, y, cotangent, dim)
    rd.dot_jvp(x, y, x_tangent, y_tangent, dim)
    unjudged_reason(case)
    assert not correct_value(case).wrong(answer.data).any()
    for name, bar in zip("xy", bars, strict=True):
        if not case.same_variable:
            assert not correct_gradient(case, 1, name).wrong(bar.data).any()
        correct_gradient(case, 2, name).wrong(bar.data)
    assert not compare(case, TARGET.run(case, "call", "stock"), TARGET)


def use_everything_in_cases(count: int, number: int) -> None:
    """Turn each warning into an error, in cases of every regime and all pairs of dtypes."""
    kinds = st.sampled_from([*product(DTYPES, DTYPES, REGIMES)])

    @settings(
        max_examples=count,
        phases=[Phase.generate],
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @seed(number)
    @given(dot_cases(valid=True), kinds)
    def use(case, kind):
        x_dtype, y_dtype, regime = kind
        same = case.same_variable or case.same_array
        x, y = replace(case.x, dtype=x_dtype), replace(case.y, dtype=x_dtype if same else y_dtype)
        with np.errstate(all="raise"):
            use_everything(replace(case, x=x, y=y, regime=regime, gradient_order=1))

    use()


def test_nothing_warns_or_raises() -> None:
    use_everything_in_cases(CASES, 0)


@pytest.mark.deep
@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_nothing_warns_or_raises_in_very_many_cases(chunk: int) -> None:
    use_everything_in_cases(DEEP_CASES // CHUNKS, 1 + chunk)
