"""The oracle's answers have the right dims, values and dtype: R5 to R7 of SPEC.md."""

from itertools import permutations

import numpy as np
import pytest
import xarray
from operands import DTYPES, INTEGERS, REALS, problems, raises, tensor

import refdot as rd
from refdot.judging.references import dot_by_definition, dot_by_records
from refdot.tensor import NamedTensor

# R5 output dims


def test_r05_output_dims_are_those_of_x_then_those_of_y():
    for x, y, dim in problems():
        names = {None: set(x.dims) & set(y.dims), ...: set("abc")}.get(dim, dim)
        expected = x.dims + tuple(name for name in y.dims if name not in x.dims)
        expected = tuple(name for name in expected if name not in names)
        assert rd.dot(x, y, dim).dims == expected, (x.dims, y.dims, dim)


def test_r05_output_dims_match_xarray():
    for x, y, dim in problems():
        theirs = xarray.dot(x.to_xarray(), y.to_xarray(), dim=dim).dims
        assert rd.dot(x, y, dim).dims == theirs, (x.dims, y.dims, dim)


# R6 value


def test_r06_value_matches_xarray():
    for x, y, dim in problems():
        theirs = xarray.dot(x.to_xarray(), y.to_xarray(), dim=dim)
        assert rd.dot(x, y, dim) == NamedTensor.from_xarray(theirs), (x.sizes, y.sizes, dim)


def test_r06_value_is_the_sum_of_products_aligned_by_name():
    for x, y, dim in problems():
        result = rd.dot(x, y, dim)
        assert result == dot_by_definition(x, y, dim), (x.sizes, y.sizes, dim)
        records = dot_by_records(x, y, dim)
        assert dict(np.ndenumerate(result.data)) == records, (x.sizes, y.sizes, dim)


def test_r06_value_of_large_operands_is_the_same():
    sizes = {"a": 30, "b": 40, "c": 50, "d": 3}
    for x_dims, y_dims, dim in (("abd", "dcb", "b"), ("ab", "bc", None), ("abd", "bc", ("d", "b"))):
        x, y = tensor(x_dims, sizes), tensor(y_dims, sizes, start=5)
        assert rd.dot(x, y, dim) == dot_by_definition(x, y, dim)


def test_r06_a_0d_operand_scales_the_other():
    x = tensor("ab")
    for scale in (3.0, -0.5, np.inf):
        expected = NamedTensor(scale * x.data[:, 1:], x.dims)
        assert rd.dot(x.isel(b=slice(1, None)), NamedTensor(scale, ())) == expected
        assert rd.dot(NamedTensor(scale, ()), x.isel(b=slice(1, None))) == expected


@pytest.mark.parametrize("factor", [7.0, np.inf, -np.inf, np.nan])
def test_r06_an_empty_sum_is_0_even_times_infinity(factor):
    nothing = NamedTensor(np.arange(0.0), "n")
    y = NamedTensor(np.array([factor, 2.0]), "b")
    for x, other in ((nothing, y), (y, nothing)):
        assert rd.dot(x, other, "n") == NamedTensor(np.array([0.0, 0.0]), "b")
    for factor_alone in (NamedTensor(factor, ()), NamedTensor(np.array([factor, 1.0])[:0], "n")):
        assert rd.dot(nothing, factor_alone, "n") == NamedTensor(0.0, ())


INF, NAN = np.inf, np.nan
NON_FINITE = {
    "infinity times a number": ([INF, 2], [3, 4], INF),
    "infinity times a negative number": ([INF, 2], [-3, 4], -INF),
    "infinity times zero": ([INF, 2], [0, 4], NAN),
    "infinity less infinity": ([INF, INF], [3, -4], NAN),
    "not a number": ([NAN, 2], [0, 4], NAN),
}


@pytest.mark.filterwarnings("ignore:invalid value encountered:RuntimeWarning")
@pytest.mark.parametrize(("x", "y", "expected"), NON_FINITE.values(), ids=NON_FINITE)
def test_r06_non_finite_values_propagate_as_in_ieee_754(x, y, expected):
    for dtype in REALS:
        operands = [NamedTensor(np.array(data, dtype), "a") for data in (x, y)]
        assert rd.dot(*operands) == NamedTensor(np.array(expected, dtype), ())


@pytest.mark.filterwarnings("ignore:invalid value encountered:RuntimeWarning")
def test_r06_a_dim_summed_alone_is_summed_after_multiplying():
    small = tensor("sb", {"s": 2, "b": 3}), NamedTensor(np.array([INF, 3.0, -2.0]), "b"), "s"
    scaled = NamedTensor(np.array([2.0, -1.0]), "s"), NamedTensor(INF, ()), "s"
    rows = NamedTensor(np.outer([2.0, -1.0], np.arange(1.0, 301)), ("s", "k"))
    columns = tensor("kf", {"k": 300, "f": 200})
    columns.data[3, 5] = INF
    for x, y, dim in (small, scaled, (rows, columns, ("s", "k"))):
        expected = dot_by_definition(x, y, dim)
        assert np.isnan(expected.data).any()
        assert rd.dot(x, y, dim) == expected


@pytest.mark.filterwarnings("ignore:overflow encountered:RuntimeWarning")
def test_r06_a_sum_that_may_overflow_matches_some_order():
    for dtype in ("float16", "float32", "float64"):
        largest = np.finfo(dtype).max
        x = NamedTensor(np.array([largest, largest, -largest]), "a")
        ones = NamedTensor(np.array([1, 1, 1], dtype), "a")
        orders = {float(first + second + third) for first, second, third in permutations(x.data)}
        assert orders == {INF, float(largest)}
        assert float(rd.dot(x, ones).data) in orders


def test_r06_overflow_underflow_and_nan_are_silent():
    x = NamedTensor(np.array([6e4, 6e-8, INF, INF], "float16"), "a")
    y = NamedTensor(np.array([6e4, 6e-8, 1, -1], "float16"), "a")
    with np.errstate(all="raise"):
        product = rd.dot(x, y, ())
        assert product == NamedTensor(np.array([INF, 0, INF, -INF], "float16"), "a")
        assert np.isnan(x.dot(y).data)
        assert np.isnan((x @ y).data)
        assert product.sum() == rd.dot(x, y)
        assert rd.dot_vjp(x, y, y, ()) == (rd.dot(y, y, ()), product)
        assert rd.dot_jvp(x, y, x, y, ()).data.tolist() == [INF, 0, INF, -INF]


# R7 dtype


@pytest.mark.filterwarnings("ignore:overflow encountered:RuntimeWarning")
@pytest.mark.parametrize("x_dtype", DTYPES)
def test_r07_dtype_is_result_type_as_in_xarray(x_dtype):
    for y_dtype in DTYPES:
        # These products wrap in eight bits and are exact in every other dtype.
        x = NamedTensor(np.array([[3, 5, 100], [101, 2, 7]]).astype(x_dtype), ("a", "b"))
        y = NamedTensor(np.array([2, 0, 4]).astype(y_dtype), "b")
        result = rd.dot(x, y)
        theirs = NamedTensor.from_xarray(xarray.dot(x.to_xarray(), y.to_xarray()))
        assert result.dtype == np.result_type(x_dtype, y_dtype), y_dtype
        assert result == theirs == dot_by_definition(x, y), y_dtype


@pytest.mark.parametrize(
    ("x_dtype", "y_dtype"), [("int8", "int64"), ("float32", "float64"), ("int8", "float16")]
)
def test_r07_a_0d_operand_is_promoted_by_its_dtype(x_dtype, y_dtype):
    x = NamedTensor(np.array([1, 2, 3], x_dtype), "a")
    scale = NamedTensor(np.array(2, y_dtype), ())
    expected = NamedTensor(np.array([2, 4, 6], np.result_type(x_dtype, y_dtype)), "a")
    assert rd.dot(x, scale) == rd.dot(scale, x) == expected


@pytest.mark.parametrize("dtype", INTEGERS)
def test_r07_integers_wrap(dtype):
    largest = np.iinfo(dtype).max
    x, y = (NamedTensor(np.array(data, dtype), "a") for data in ([largest, 5, 1], [3, 2, 1]))
    exact, modulus = dot_by_records(x, y)[()], 2 ** np.iinfo(dtype).bits
    result = rd.dot(x, y)
    assert result.dtype == dtype
    assert int(result.data) != exact
    assert (int(result.data) - exact) % modulus == 0


def test_r07_bool_dot_is_any_of_all():
    for x, y, dim in problems("bool"):
        out_dims = rd.dot(x, y, dim).dims
        counts = rd.dot(*(NamedTensor(t.data.astype(int), t.dims) for t in (x, y)), dim)
        assert rd.dot(x, y, dim) == NamedTensor(counts.data > 0, out_dims)


@pytest.mark.parametrize("dtype", ["object", "<U1", "|S1", "datetime64[s]", "timedelta64[s]"])
def test_r07_other_dtypes_are_rejected(dtype):
    good, bad = tensor("a"), NamedTensor(np.array([0, 1], "int64").astype(dtype), "a")
    for operands, name in (((bad, good), "x"), ((good, bad), "y"), ((bad, bad), "x")):
        message = f"dot needs numbers or bools, but the dtype of {name} is {dtype}"
        with raises(rd.DTypeError, message):
            rd.dot(*operands)
