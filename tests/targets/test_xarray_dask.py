"""xarray on dask as a target: one known deviation."""

import pickle
from itertools import islice

import numpy as np
import pytest

import refdot as rd
from refdot.cases.notation import dot_case
from refdot.cases.patterns import Pattern, dtype_cases_of
from refdot.check.batch import judge_cases
from refdot.check.plan import Configuration
from refdot.reporting.deviations import deviation_markdown
from refdot.targets.xarray import XarrayTarget
from refdot.tensor import NamedTensor

pytest.importorskip("dask.array")
from refdot.targets.xarray_dask import XarrayDaskTarget

CALL = Configuration("call", "stock")
MATRICES = Pattern(("c", "a"), ("a", "d"), ("a",))
OUTER = Pattern(("c",), ("a",), ())


def test_the_dtype_of_sums_of_chunks_is_one_known_deviation():
    """Whatever the dtypes of the operands are."""
    target = XarrayDaskTarget()
    cases = [*islice(dtype_cases_of(MATRICES), 0, None, 2), *islice(dtype_cases_of(OUTER), 8)]
    keys = {finding.key for finding in judge_cases(target, cases, CALL)}
    assert keys == {("R7 wrong-dtype at run: promoted as by np.sum", "sums-of-chunks-promoted")}


def test_dask_counts_bools_and_does_not_wrap_int8():
    dask, xarray = XarrayDaskTarget().function, XarrayTarget().function
    hundred, one = (NamedTensor(np.array([n, n], "int8"), "a") for n in (100, 1))
    yes = NamedTensor([True, True], "a")
    for dot, expected in ((dask, (200, "int64", 2)), (xarray, (-56, "int8", True))):
        total, count = dot(hundred, one), dot(yes, yes)
        assert (total.data.item(), str(total.dtype), count.data.item()) == expected


@pytest.mark.parametrize(
    "case",
    [
        dot_case("a b:5", "b:5 c"),
        dot_case("a:0 b", "b a:0"),
        dot_case("", ""),
        dot_case("b:1", "b:1"),
    ],
)
def test_operands_of_every_size_are_cut_into_chunks(case):
    x, y = case.tensors()
    assert XarrayDaskTarget().function(x, y) == rd.dot(x, y)


def test_the_known_deviation_does_not_hide_another_wrong_dtype():
    target = XarrayDaskTarget()
    right = target.function

    def dot(x, y, dim=None):
        answer = right(x, y, dim)
        return NamedTensor(answer.data.astype("int16"), answer.dims)

    target.function = dot
    (found,) = judge_cases(target, [dot_case("a", "a", dtypes="int8")], CALL)
    assert found.key == ("R7 wrong-dtype at run: integer gave wider integer", None)


def test_the_target_is_pickled_and_listed():
    target = pickle.loads(pickle.dumps(XarrayDaskTarget()))
    assert (target.name, target.lowerings) == ("xarray-dask", ("stock",))
    (deviation,) = target.deviations
    text = deviation_markdown(deviation, target)
    assert "(wrong-dtype) on every backend, xarray-dask.\n" in text
    assert "expected  int8\ngot       int64\n" in text
