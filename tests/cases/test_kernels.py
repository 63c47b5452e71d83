"""Kernel cases: which kernels, dtypes and sizes they have, and how few graphs."""

from __future__ import annotations

from itertools import groupby, product
from math import prod

import pytest

from refdot.cases.case import LAYOUTS, DotCase
from refdot.cases.kernels import KERNELS, kernel_cases_of
from refdot.judging.expected import expected_error
from refdot.pytensor.target.graph import graph_key

SEEDS = range(12)


def cases_of(seed: int = 0, thorough: bool = False) -> list[DotCase]:
    """Return the cases of all kernels."""
    return [case for name in KERNELS for case in kernel_cases_of(name, seed, thorough)]


def graphs_of(seed: int = 0, thorough: bool = False) -> set[DotCase]:
    """Return the graphs of the cases of all kernels."""
    return {graph_key(case) for case in cases_of(seed, thorough)}


def dtypes(case: DotCase) -> tuple[str, str]:
    """Return the dtypes of both operands."""
    return case.x.dtype, case.y.dtype


def test_they_are_few_graphs_and_each_graph_comes_once() -> None:
    for seed in SEEDS:
        graphs = [key for key, _ in groupby(cases_of(seed), graph_key)]
        assert len(graphs) == len({*graphs}) <= 40
    # The dims of a matrix that is multiplied by a vector have both orders, in two dtypes.
    assert len(graphs_of(thorough=True)) == 8 * len(KERNELS) + 2


def test_no_size_is_static_and_batches_have_several_elements() -> None:
    for case in cases_of():
        assert not any(case.x.static + case.y.static)
    for name in KERNELS:
        assert min(KERNELS[name].pattern.distinct_sizes.values()) >= 2


def test_every_seed_has_float64_for_each_kernel_and_every_family_for_two_matrices() -> None:
    for seed in SEEDS:
        for name in KERNELS:
            assert ("float64", "float64") in map(dtypes, kernel_cases_of(name, seed))
        matrices = kernel_cases_of("two matrices", seed)
        kinds = {case.x.dtype.rstrip("0123456789") for case in matrices}
        assert {"float", "complex", "bool"} < kinds
        assert kinds & {"int", "uint"}
        assert any(
            "complex" in case.x.dtype for case in kernel_cases_of("a batch of matrices", seed)
        )
        assert ("uint64", "int8") in map(dtypes, kernel_cases_of("elements", seed))


def test_other_seeds_have_other_dtypes_and_orders_of_dims() -> None:
    for name in KERNELS:
        cases = [case for seed in SEEDS for case in kernel_cases_of(name, seed)]
        assert len({*map(dtypes, cases)}) >= 8
        orders = {(case.x.dims, case.y.dims) for case in cases}
        matrices = [len(dims) for dims in KERNELS[name].pattern[:2]].count(2)
        assert len(orders) == (1 if len(cases[0].x.dims) == 3 else 2**matrices)


def test_each_dim_is_large_and_long_sums_are_longer() -> None:
    for name in KERNELS:
        cases = [case for case in kernel_cases_of(name) if expected_error(case) is None]
        for dim in KERNELS[name].pattern.dims:
            sizes = {(case.x.sizes | case.y.sizes)[dim] for case in cases}
            assert {0, 1} < sizes
            assert (1025 if dim in cases[0].lowering.out_dims else 32_768) in sizes


@pytest.mark.parametrize(
    "name", ["two matrices", "elements", "an outer product", "a matrix and a vector"]
)
def test_cheap_kernels_have_every_memory_layout_in_every_run(name: str) -> None:
    for seed in SEEDS:
        cases = [*kernel_cases_of(name, seed)]
        assert {(each, each) for each in LAYOUTS} <= {(c.x.layout, c.y.layout) for c in cases}


def test_products_of_two_matrices_have_rows_and_columns_in_each_order() -> None:
    orders = {*product(("c", "fortran"), repeat=2)}
    for seed in SEEDS:
        for dtype in ("float64", "float32"):
            cases = [c for c in kernel_cases_of("two matrices", seed) if c.x.dtype == dtype]
            assert orders <= {(c.x.layout, c.y.layout) for c in cases if c.y.dtype == dtype}
            few = kernel_cases_of("two matrices", seed, every_layout=False)
            assert all(c.x.layout == c.y.layout for c in few)


@pytest.mark.parametrize("name", KERNELS)
def test_each_kernel_has_arrays_with_gaps_between_their_elements(name: str) -> None:
    for seed in SEEDS:
        layouts = {case.x.layout for case in kernel_cases_of(name, seed)}
        assert {"c", "reversed", "strided", "slice"} <= layouts


def test_a_batch_of_matrices_has_floats_of_two_dtypes() -> None:
    for seed in SEEDS:
        found = {*map(dtypes, kernel_cases_of("a batch of matrices", seed))}
        assert found & {("float32", "float64"), ("float64", "float32")}


def test_reshaped_matrices_have_sizes_that_differ_and_whose_product_is_equal() -> None:
    for seed in SEEDS:
        invalid = [c for c in kernel_cases_of("reshaped matrices", seed) if expected_error(c)]
        products = [[prod(o.sizes[dim] for dim in ("a", "b")) for o in (c.x, c.y)] for c in invalid]
        assert [x == y for x, y in products].count(True) == 1


def test_no_case_has_too_many_elements_to_judge_fast() -> None:
    for seed in SEEDS:
        for case in cases_of(seed):
            assert prod((case.x.sizes | case.y.sizes).values()) <= 600_000


@pytest.mark.parametrize("name", KERNELS)
def test_invalid_cases_have_sizes_that_do_not_match(name: str) -> None:
    errors = {type(expected_error(case)).__name__ for case in kernel_cases_of(name)}
    shared = KERNELS[name].pattern.shared
    assert errors == ({"NoneType", "SizeMismatchError"} if shared else {"NoneType"})
