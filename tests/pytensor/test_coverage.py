"""The kernels and rewrites of a dot: which there are, and which a case uses."""

import pytest

from refdot.cases.notation import dot_case
from refdot.check.campaign import run
from refdot.pytensor.target.backends import BACKENDS
from refdot.pytensor.target.coverage import kernels, rewrites
from refdot.pytensor.target.target import PyTensorTarget
from refdot.reporting.not_tried import never_used

TARGET = PyTensorTarget()
HERE = {backend.name: backend for backend in TARGET.backends() if not backend.absent}
MATRICES = dot_case("a? b?", "b? c?")
VECTOR = dot_case("a? b?", "b?")
BATCHES = dot_case("t? a? b?", "t? b? c?", "b")
PRODUCTS = dot_case("a?", "a?", ())
SUMS = dot_case("a? b?", "a? c?", ("a", "b", "c"))


def test_the_candidates_are_those_in_the_registries_of_pytensor():
    assert {"BatchedDot", "Dot", "Dot22", "Gemm", "Gemv", "Mul", "Sum"} <= {*kernels(BACKENDS["c"])}
    assert kernels(BACKENDS["numba"]) == ("BatchedDot", "Blockwise Dot", "Dot", "Mul", "Sum")
    names = rewrites(BACKENDS["c"])
    assert {"lower_dot", "local_dot_to_dot22", "GemmOptimizer", "inline_optimized_einsum"} <= {
        *names
    }
    assert "local_useless_reshape" not in names
    assert len(rewrites(BACKENDS["python-minimum"])) < len(names)


def test_only_a_backend_with_a_blas_has_the_kernels_that_call_one():
    assert "CGemv" in kernels(BACKENDS["c-blas"])
    assert "CGemv" not in kernels(BACKENDS["c"])


@pytest.mark.parametrize(
    ("case", "kernel"),
    [
        (MATRICES, "Dot22"),
        (VECTOR, "Gemv"),
        (BATCHES, "BatchedDot"),
        (PRODUCTS, "Mul"),
        (SUMS, "Sum"),
    ],
    ids=["matrices", "vector", "batches", "products", "sums"],
)
def test_an_outcome_has_the_kernels_of_the_compiled_function(case, kernel):
    outcome = TARGET.run(case, "python", "inlined")
    assert kernel in outcome.kernels
    assert outcome.kernels <= {*HERE["python"].kernels}
    assert "lower_dot" in outcome.rewrites
    assert outcome.rewrites <= {*HERE["python"].rewrites}


@pytest.mark.parametrize("name", [name for name in HERE if name not in ("mlx", "torch")])
def test_every_backend_says_which_kernels_it_used(name):
    first, again = TARGET.run_all([BATCHES, BATCHES], name, "inlined")
    assert first.kernels & {"BatchedDot", "Dot", "Blockwise Dot"}
    assert not again.kernels  # the function was compiled for the first case


def test_a_kernel_in_an_inner_graph_counts():
    outcome = TARGET.run(MATRICES, "python-minimum", "stock")
    assert outcome.kernels & {"Dot", "Blockwise Dot"}


def test_a_report_counts_what_was_used_and_has_what_was_not():
    report = run(TARGET, cases=3, backends=("python",), lowerings=("inlined",), fixed=False)
    coverage = report.coverage["python"]
    assert {*coverage.kernels} == {*HERE["python"].kernels}
    assert {*coverage.rewrites} == {*HERE["python"].rewrites}
    assert coverage.rewrites["lower_dot"] >= 3
    assert never_used(report.coverage, "kernels")["Dot22Scalar"] == ["python"]
    assert report.other_lowerings == ("stock", "direct")
    assert "numba" in (*report.other_backends, *report.absent_backends)
