"""Test the oracle against the rules of SPEC.md, which names these tests.

Most rules are tested with all pairs of operands of up to three dims: every subset of the dims in
every order for x and for y, with every `dim`. The data are small integers, so every correct answer
has the same bits, and no test needs a tolerance.
"""

import dataclasses
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from itertools import combinations, permutations, product
from math import prod
from pathlib import Path

import numpy as np
import pytest
import xarray
from processes import run_python

import refdot as rd
from refdot.judging.references import dot_by_definition, dot_by_records
from refdot.tensor import NamedTensor

SPEC = Path(__file__).parents[1] / "SPEC.md"
SIZES = {"a": 2, "b": 3, "c": 4}
WITH_0_AND_1 = {"a": 3, "b": 1, "c": 0}
INTEGERS = ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"]
REALS = ["float16", "float32", "float64", "longdouble"]
CONTINUOUS = [*REALS, "complex64", "complex128", "clongdouble"]
DTYPES = ["bool", *INTEGERS, *CONTINUOUS]


def tensor(dims, sizes=SIZES, dtype="float64", start=0) -> NamedTensor:
    """Return a tensor of integers from -11 to 11; for bool, of whether they are positive."""
    shape = [sizes[dim] for dim in dims]
    values = (np.arange(prod(shape)) * 7 + start) % 23 - 11
    if dtype == "bool":
        values = values > 0
    return NamedTensor(values.reshape(shape).astype(dtype), tuple(dims))


def dim_arguments(x_dims, y_dims) -> Iterator[object]:
    """Return one `dim` argument for each distinct meaning."""
    every = sorted({*x_dims, *y_dims})
    yield from (None, ...)
    for count in range(len(every) + 1):
        yield from combinations(every, count)


@cache
def problems(dtype="float64") -> list[tuple[NamedTensor, NamedTensor, object]]:
    """Return every dot of operands with up to three dims, for two sets of sizes."""
    orders = [order for count in range(4) for order in permutations("abc", count)]
    return [
        (tensor(x_dims, sizes, dtype), tensor(y_dims, sizes, dtype, start=5), dim)
        for sizes in (SIZES, WITH_0_AND_1)
        for x_dims, y_dims in product(orders, repeat=2)
        for dim in dim_arguments(x_dims, y_dims)
    ]


def long_tensor(short: NamedTensor, ndim: int, names: str) -> NamedTensor:
    """Add dims of size 1 before and after those of `short`, up to `ndim` dims."""
    new = [f"{names}{number}" for number in range(ndim - short.ndim)]
    before, after = new[: len(new) // 2], new[len(new) // 2 :]
    shape = (1,) * len(before) + short.shape + (1,) * len(after)
    return NamedTensor(short.data.reshape(shape), [*before, *short.dims, *after])


@contextmanager
def raises(error: type[rd.DotError], message: str) -> Iterator[None]:
    """Assert that a block raises an error of this exact type and message."""
    with pytest.raises(error) as caught:
        yield
    assert caught.type is error
    assert str(caught.value) == message


def total(x: NamedTensor, y: NamedTensor):
    """Return the sum of the products of two tensors with the same dims, in any order."""
    return (x.data * y.transpose(*x.dims).data).sum()


# R1 operands

BAD_DIMS = {
    "repeated": (
        ("a", "b", "a"),
        "Dimensions must be unique. Found duplicates in ('a', 'b', 'a'): 'a' appears twice in {}",
    ),
    "empty": (("a", ""), "Dim '' is empty in {}: ('a', '')"),
    "a number": (("a", 0), "Dim 0 is not a str in {}: ('a', 0)"),
    "None": ((None,), "Dim None is not a str in {}: (None,)"),
    "bytes": ((b"a",), "Dim b'a' is not a str in {}: (b'a',)"),
}


@pytest.mark.parametrize(("dims", "message"), BAD_DIMS.values(), ids=BAD_DIMS)
def test_r01_dims_are_distinct_non_empty_str(dims, message):
    with raises(rd.DimNameError, message.format("x")):
        rd.lower_dot(dims, ("a",))
    with raises(rd.DimNameError, message.format("y")):
        rd.lower_dot(("a",), dims)
    with raises(rd.DimNameError, message.format("tensor")):
        NamedTensor(np.arange(2 ** len(dims)).reshape((2,) * len(dims)), dims)


NOT_A_SEQUENCE = {
    "a set": ({"a"}, "{'a'}"),
    "the keys of a dict": ({"a": 2}.keys(), "dict_keys(['a'])"),
    "a number": (5, "5"),
    "None": (None, "None"),
}


@pytest.mark.parametrize(("dims", "shown"), NOT_A_SEQUENCE.values(), ids=NOT_A_SEQUENCE)
def test_r01_dims_must_be_a_sequence(dims, shown):
    def message(operand: str) -> str:
        return f"Dims are not a sequence of str in {operand}: ({shown},)"

    with raises(rd.DimNameError, message("x")):
        rd.lower_dot(dims, ("a",))
    with raises(rd.DimNameError, message("y")):
        rd.lower_dot(("a",), dims)
    with raises(rd.DimNameError, message("tensor")):
        NamedTensor(np.arange(2), dims)


def test_r01_names_are_plain_str():
    name = np.str_("a")
    low = rd.lower_dot((name, "b"), (name,), [name])
    assert {type(dim) for dim in low.x_dims + low.y_dims + low.contracted} == {str}
    assert [type(dim) for dim in NamedTensor(np.arange(2), (name,)).dims] == [str]


@pytest.mark.parametrize(("shape", "dims"), [((), "a"), ((2,), ()), ((2, 3), ("a", "b", "c"))])
def test_r01_one_dim_for_each_axis(shape, dims):
    names, axes = (dims,) if isinstance(dims, str) else dims, len(shape)
    message = (
        f"Number of dims ({len(names)}) differs from number of axes ({axes}) in tensor: {names!r}"
    )
    with raises(rd.DimNameError, message):
        NamedTensor(np.arange(prod(shape)).reshape(shape), dims)


def test_r01_a_single_str_names_one_axis():
    assert NamedTensor(np.arange(3), "time").dims == ("time",)
    assert rd.lower_dot("time", ("time", "embd")).x_dims == ("time",)


# R2 the argument `dim`

SPELLINGS: dict[str, tuple[Callable[[], object], tuple[str, ...]]] = {
    "None is every shared dim": (lambda: None, ("a", "c")),
    "... is every dim": (lambda: ..., ()),
    "a str is that dim": (lambda: "b", ("a", "c")),
    "a tuple": (lambda: ("b", "a"), ("c",)),
    "in another order": (lambda: ("a", "b"), ("c",)),
    "with repeats": (lambda: ["a", "b", "a"], ("c",)),
    "a set": (lambda: {"a", "b"}, ("c",)),
    "a mapping": (lambda: {"a": 2, "b": None}, ("c",)),
    "an iterator": (lambda: iter(["a", "b"]), ("c",)),
    "NumPy's str": (lambda: [np.str_("a"), np.str_("b")], ("c",)),
    "empty contracts nothing": (tuple, ("a", "b", "c")),
}


@pytest.mark.parametrize(("dim", "out_dims"), SPELLINGS.values(), ids=SPELLINGS)
def test_r02_dim_is_none_ellipsis_a_str_or_an_iterable_of_str(dim, out_dims):
    x, y = tensor("ab"), tensor("bc")
    result = rd.dot(x, y, dim())
    assert result.dims == out_dims
    assert result == rd.dot(x, y, {"a", "b", "c"}.difference(out_dims))


def test_r02_a_str_is_one_dim_not_its_letters():
    x, y = NamedTensor(np.arange(3), "bc"), tensor("bc")
    assert rd.dot(x, y, "bc").dims == ("b", "c")
    assert rd.dot(x, y, ("b", "c")).dims == ("bc",)


DIM_MUST_BE = "dim must be None, ..., a str or an iterable of str, got "
BAD_DIM = {
    "a number": (5, "5"),
    "True": (True, "True"),
    "False": (False, "False"),
    "bytes": (b"ab", "b'ab'"),
    "an array of names": (np.array(["a", "b"]), "array(['a', 'b'], dtype='<U1')"),
    "an empty array": (np.arange(0), "array([], dtype=int64)"),
    "a number inside": (["a", 5], "['a', 5]: 5 is not a str"),
    "... inside": ([...], "[Ellipsis]: Ellipsis is not a str"),
    "None inside": (("a", None), "('a', None): None is not a str"),
    "a list inside": ([["a"]], "[['a']]: ['a'] is not a str"),
    "bytes inside": ({b"a": 1}, "{b'a': 1}: b'a' is not a str"),
    "a number in an iterator": (iter(["a", 5]), "('a', 5): 5 is not a str"),
}


@pytest.mark.parametrize(("dim", "shown"), BAD_DIM.values(), ids=BAD_DIM)
def test_r02_other_types_are_rejected(dim, shown):
    with raises(rd.DimTypeError, DIM_MUST_BE + shown):
        rd.dot(tensor("ab"), tensor("bc"), dim)


# R3 membership

MISSING = {
    "one": ("ab", "bc", "e", "Dimension e not found in either input; the dims are a, b, c"),
    "the empty name": ("a", "a", "", "Dimension  not found in either input; the dims are a"),
    "beside one that is there": (
        "ab",
        "bc",
        ["a", "e"],
        "Dimension e not found in either input; the dims are a, b, c",
    ),
    "several, sorted": (
        "ba",
        "bc",
        ["g", "e", "f"],
        "Dimension e not found in either input (also not found: f, g); the dims are b, a, c",
    ),
    "misspelt": (
        ["batch", "time"],
        ["time", "embd"],
        "tiem",
        "Dimension tiem not found in either input; the dims are batch, time, embd;"
        " did you mean time?",
    ),
    "no dims": ((), (), "a", "Dimension a not found in either input; there are no dims"),
}


@pytest.mark.parametrize(("x_dims", "y_dims", "dim", "message"), MISSING.values(), ids=MISSING)
def test_r03_every_name_in_dim_is_in_an_operand(x_dims, y_dims, dim, message):
    with raises(rd.DimNotFoundError, message):
        rd.lower_dot(tuple(x_dims), tuple(y_dims), dim)


def test_r03_one_operand_is_enough():
    assert rd.dot(tensor("ab"), tensor("bc"), ("a", "c")).dims == ("b",)


# R4 sizes


@pytest.mark.parametrize("dim", [None, ..., "b", "a", ()], ids=repr)
@pytest.mark.parametrize(("x_size", "y_size"), [(3, 4), (1, 3), (3, 1), (0, 1), (1, 0), (0, 3)])
def test_r04_a_shared_dim_has_one_size_contracted_or_batch(x_size, y_size, dim):
    x, y = tensor("ab", {"a": 2, "b": x_size}), tensor("b", {"b": y_size})
    for left, right, sizes in ((x, y, (x_size, y_size)), (y, x, (y_size, x_size))):
        message = "Size of dim 'b' does not match: {} in x, {} in y".format(*sizes)
        with raises(rd.SizeMismatchError, message):
            rd.dot(left, right, dim)


def test_r04_every_mismatch_is_listed_in_the_order_of_x():
    x = tensor("cab", {"a": 2, "b": 3, "c": 4})
    y = tensor("abc", {"a": 5, "b": 3, "c": 1})
    message = "Size of dim 'c' does not match: 4 in x, 1 in y; "
    message += "size of dim 'a' does not match: 2 in x, 5 in y"
    with raises(rd.SizeMismatchError, message):
        rd.dot(x, y, "b")
    with pytest.raises(rd.SizeMismatchError) as caught:
        rd.dot(x, y)
    assert caught.value.dims == ("c", "a")
    assert caught.value.sizes == {"c": (4, 1), "a": (2, 5)}
    assert caught.value.__notes__ == ["x is (c: 4, a: 2, b: 3), y is (a: 5, b: 3, c: 1)"]


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


# R8 gradient


def cotangent_for(x, y, dim) -> NamedTensor:
    """Return a cotangent with the shape of `dot(x, y, dim)`."""
    return tensor(rd.lower_dot(x.dims, y.dims, dim).out_dims, x.sizes | y.sizes, start=11)


def like(primal: NamedTensor, start: int) -> NamedTensor:
    """Return a tangent with the shape of `primal`."""
    return tensor(primal.dims, primal.sizes, primal.dtype, start)


def summed_over(x, y, dim) -> set[str]:
    """Return the dims that a dot sums over."""
    return {*x.dims, *y.dims}.difference(rd.lower_dot(x.dims, y.dims, dim).out_dims)


def test_r08_jvp_is_the_first_order_change():
    for x, y, dim in problems():
        x_dot, y_dot = like(x, 3), like(y, 17)
        moved = [NamedTensor(t.data + d.data, t.dims) for t, d in ((x, x_dot), (y, y_dot))]
        tangent = rd.dot_jvp(x, y, x_dot, y_dot, dim)
        change = rd.dot(*moved, dim).data - rd.dot(x, y, dim).data
        second_order = rd.dot(x_dot, y_dot, dim)
        assert tangent == NamedTensor(change - second_order.data, second_order.dims)


def test_r08_vjp_is_the_cotangent_times_the_jacobian():
    for x, y, dim in problems():
        cotangent, over = cotangent_for(x, y, dim), summed_over(x, y, dim)
        x_bar, y_bar = rd.dot_vjp(x, y, cotangent, dim)
        for bar, primal, jacobian in (
            (x_bar, x, rd.dot(identity(x), y, over)),
            (y_bar, y, rd.dot(x, identity(y), over)),
        ):
            expected = rd.dot(cotangent, jacobian, cotangent.dims)
            expected = expected.rename(**{f"{name}'": name for name in primal.dims})
            assert bar.sizes == primal.sizes
            assert bar == expected.transpose(*primal.dims), (x.sizes, y.sizes, dim)


def identity(primal: NamedTensor) -> NamedTensor:
    """Return the derivative of a tensor with respect to itself; the second dims have primes."""
    data = np.eye(primal.data.size).reshape(primal.shape * 2)
    return NamedTensor(data, primal.dims + tuple(f"{name}'" for name in primal.dims))


def test_r08_vjp_is_the_transpose_of_the_jvp():
    for x, y, dim in problems():
        x_dot, y_dot, cotangent = like(x, 3), like(y, 17), cotangent_for(x, y, dim)
        x_bar, y_bar = rd.dot_vjp(x, y, cotangent, dim)
        pushed = rd.dot_jvp(x, y, x_dot, y_dot, dim)
        assert total(cotangent, pushed) == total(x_bar, x_dot) + total(y_bar, y_dot)


def test_r08_cotangents_of_the_same_variable_are_added():
    for dims, dim in product(permutations("abc"), dim_arguments("abc", "abc")):
        x = tensor(dims)
        step, cotangent = like(x, 3), cotangent_for(x, x, dim)
        gradient = sum(bar.data for bar in rd.dot_vjp(x, x, cotangent, dim))
        moved = NamedTensor(x.data + step.data, dims)
        squares = [total(cotangent, rd.dot(t, t, dim)) for t in (moved, x, step)]
        # f(x + h) - f(x) - f(h) is linear in h, since f is a quadratic form.
        assert squares[0] - squares[1] - squares[2] == (gradient * step.data).sum()


def test_r08_second_order_is_the_vjp_of_the_vjp():
    for x, y, dim in problems():
        low, cotangent = rd.lower_dot(x.dims, y.dims, dim), cotangent_for(x, y, dim)
        push = like(x, 3)
        # The cotangent of x is dot(cotangent, y) over the dims not in x, broadcast to x's shape;
        # the transpose of broadcasting is a sum.
        over = {*cotangent.dims, *y.dims}.difference(x.dims)
        gathered = push.sum(*low.x_summed) if low.x_summed else push
        cotangent_bar, y_bar = rd.dot_vjp(cotangent, y, gathered, over)
        assert cotangent_bar == rd.dot(push, y, dim)
        assert y_bar == rd.dot_vjp(push, y, cotangent, dim)[1]


def test_r08_the_hessian_of_a_square_is_constant():
    x, step = tensor("ab"), tensor("ab", start=3)
    cotangent = NamedTensor(np.array([2.0, -5.0]), "a")

    def gradient(at: NamedTensor):
        return sum(bar.data for bar in rd.dot_vjp(at, at, cotangent, "b"))

    moved = NamedTensor(x.data + step.data, x.dims)
    assert np.array_equal(gradient(moved) - gradient(x), gradient(step))


def test_r08_a_cotangent_has_the_dtype_of_its_primal():
    for x_dtype, y_dtype in product(CONTINUOUS, repeat=2):
        x, y = tensor("ab", dtype=x_dtype), tensor("bc", dtype=y_dtype)
        x_bar, y_bar = rd.dot_vjp(x, y, cotangent_for(x, y, None))
        assert (x_bar.dtype, y_bar.dtype) == (x.dtype, y.dtype)


def test_r08_complex_cotangents_are_not_conjugated():
    z = NamedTensor(np.array([1 + 2j, 2 - 1j]), "a")
    w = NamedTensor(np.array([3 + 1j, 5 - 2j]), "a")
    real = NamedTensor(np.array([3.0, 5.0]), "a")
    cotangent = NamedTensor(2 + 1j, ())
    z_bar, w_bar = rd.dot_vjp(z, w, cotangent)
    assert z_bar == NamedTensor((2 + 1j) * w.data, "a")
    assert w_bar == NamedTensor((2 + 1j) * z.data, "a")
    z_bar, real_bar = rd.dot_vjp(z, real, cotangent)
    assert z_bar == NamedTensor((2 + 1j) * real.data, "a")
    assert real_bar == NamedTensor(((2 + 1j) * z.data).real, "a")


@pytest.mark.parametrize("dtype", ["bool", *INTEGERS])
def test_r08_integers_and_bools_have_no_gradient(dtype):
    x, discrete = tensor("a"), NamedTensor(np.array([0, 1], dtype), "a")
    for operands, name in (((discrete, x), "x"), ((x, discrete), "y"), ((discrete, discrete), "x")):
        message = f"{name} has no gradient: its dtype {dtype} is not continuous"
        with raises(rd.NoGradientError, message):
            rd.dot_vjp(*operands, NamedTensor(1.5, ()))
        with raises(rd.NoGradientError, message):
            rd.dot_jvp(*operands, x, x)


def test_r08_a_cotangent_has_the_shape_of_its_primal():
    x, y = tensor("ab"), tensor("bc")
    with raises(
        rd.CotangentError,
        "the cotangent must have the shape of the output, (a: 2, c: 4), but it is (b: 3)",
    ):
        rd.dot_vjp(x, y, tensor("b"))
    with raises(
        rd.CotangentError,
        "the tangent of y must have the shape of y, (b: 3, c: 4), but it is (b: 3, c: 1)",
    ):
        rd.dot_jvp(x, y, x, tensor("bc", {"b": 3, "c": 1}))
    with raises(
        rd.CotangentError, "the tangent of x must have the shape of x, (a: 2, b: 3), but it is ()"
    ):
        rd.dot_jvp(x, y, NamedTensor(1.5, ()), y)


def test_r08_a_cotangent_may_have_its_dims_in_any_order():
    for x, y, dim in problems():
        x_dot, y_dot, cotangent = like(x, 3), like(y, 17), cotangent_for(x, y, dim)
        turned = [t.transpose(*reversed(t.dims)) for t in (x_dot, y_dot, cotangent)]
        assert rd.dot_jvp(x, y, *turned[:2], dim) == rd.dot_jvp(x, y, x_dot, y_dot, dim)
        assert rd.dot_vjp(x, y, turned[2], dim) == rd.dot_vjp(x, y, cotangent, dim)


# R9 shape


def test_r09_output_sizes_come_from_the_operands():
    for x, y, dim in problems():
        sizes, result = y.sizes | x.sizes, rd.dot(x, y, dim)
        out_dims = rd.lower_dot(x.dims, y.dims, dim).out_dims
        assert list(result.sizes.items()) == [(name, sizes[name]) for name in out_dims]


# R10 determinism

REPORT = """
import numpy as np
import refdot as rd

names = ("i0", "i8", "j16", "time", "embd")
x = rd.NamedTensor(np.arange(72.0).reshape(2, 3, 1, 4, 3), names)
y = rd.NamedTensor(np.arange(72.0, 0, -1).reshape(3, 4, 1, 3, 2), names[::-1])
for dim in (None, ..., "j16", {"time", "i8"}, {"j16", "i0", "embd"}, set(names), frozenset()):
    print(rd.lower_dot(x.dims, y.dims, dim), rd.dot(x, y, dim))
z = rd.NamedTensor(np.arange(10.0).reshape(5, 2), ("time", "i0"))
for attempt in (
    lambda: rd.lower_dot(("a", "b", "a"), "b"),
    lambda: rd.lower_dot(names, names, 5),
    lambda: rd.lower_dot(names, names, {"tiem", "mebd", "zz", "time"}),
    lambda: rd.lower_dot(names, names, {5, None, "zz", "i0"}),
    lambda: rd.lower_dot(set(names), names),
    lambda: rd.dot(z, y, set(names)),
    lambda: rd.dot(z, rd.NamedTensor(np.arange(2), "i0").rename(i0="time")),
    lambda: rd.dot(z, rd.NamedTensor(np.array(["a", "b"]), "i0")),
    lambda: rd.dot_vjp(z, z, z),
):
    try:
        attempt()
    except rd.DotError as error:
        print(type(error).__name__, error, getattr(error, "__notes__", ()))
    else:
        print("no error")
"""


def test_r10_result_does_not_depend_on_the_hash_seed():
    def report(seed: str) -> str:
        completed = run_python("-W", "error", "-c", REPORT, PYTHONHASHSEED=seed)
        assert completed.returncode == 0, completed.stderr
        return completed.stdout

    first, *others = map(report, ("0", "1", "2", "3"))
    assert first.count("Error ") == 9
    assert "no error" not in first
    assert others == [first] * 3


def test_r10_result_does_not_depend_on_the_form_of_dim():
    x, y = tensor("abc"), tensor("cab", start=5)
    spellings = (list, tuple, set, iter, dict.fromkeys, reversed, lambda names: names * 2)
    for count in range(4):
        for names, spell in product(permutations("abc", count), spellings):
            in_order = tuple(sorted(names))
            low = rd.lower_dot(x.dims, y.dims, spell(names))
            assert low == rd.lower_dot(x.dims, y.dims, in_order)
            assert rd.dot(x, y, spell(names)) == rd.dot(x, y, in_order)


# R11 any rank


@pytest.mark.parametrize("ndim", [26, 27, 52, 53, 64])
def test_r11_more_dims_than_letters_are_supported(ndim):
    for dim in (None, ..., "b", ("a", "c"), ()):
        x, y = tensor("abc"), tensor("cab", start=5)
        short = rd.dot(x, y, dim)
        long_x, long_y = long_tensor(x, ndim, "n"), long_tensor(y, ndim, "n")
        result = rd.dot(long_x, long_y, dim)
        summed = long_x.dims if dim in (None, ...) else dim
        assert result.dims == tuple(name for name in long_x.dims if name not in summed)
        assert np.array_equal(result.data.squeeze(), short.data.squeeze())
        cotangent = NamedTensor(np.asarray(result.data * 2 - 1), result.dims)
        short_cotangent = NamedTensor(np.asarray(short.data * 2 - 1), short.dims)
        bars, short_bars = (
            rd.dot_vjp(long_x, long_y, cotangent, dim),
            rd.dot_vjp(x, y, short_cotangent, dim),
        )
        for bar, short_bar, primal in zip(bars, short_bars, (long_x, long_y), strict=True):
            assert bar.dims == primal.dims
            assert np.array_equal(bar.data.squeeze(), short_bar.data)


def test_r11_both_operands_may_have_64_dims():
    x, y = long_tensor(tensor("abc"), 64, "n"), long_tensor(tensor("cab", start=5), 64, "m")
    low = rd.lower_dot(x.dims, y.dims, ...)
    assert len(low.all_dims) == len(set(low.subscripts) - set(",->")) == 125
    assert rd.dot(x, y, ...) == rd.dot(tensor("abc"), tensor("cab", start=5), ...)


def test_r11_empty_sums_are_0_in_any_rank():
    sizes = {f"d{number}": 2 for number in range(55)} | {"n": 0}
    x, y = tensor(sizes, sizes), tensor(("n", "d7", "b"), sizes | {"b": 3}, start=5)
    assert rd.dot(x, y, ...) == NamedTensor(0.0, ())
    over = [f"d{number}" for number in range(53)] + ["n"]
    assert rd.dot(x, y, over) == NamedTensor(np.zeros((2, 2, 3)), ("d53", "d54", "b"))


def test_r11_the_limit_is_the_64_axes_of_numpy():
    x, y = long_tensor(tensor("abc"), 40, "n"), long_tensor(tensor("cab"), 30, "m")
    assert rd.dot(x, y).ndim == 64
    with pytest.raises(ValueError, match=r"^maximum supported dimension .* is currently 64"):
        rd.dot(x, y, "a")


# R12 purity

ALIASING = {
    "a scale of 1": (tensor("abc"), NamedTensor(1.0, ()), None),
    "two scalars": (NamedTensor(3.0, ()), NamedTensor(1.0, ()), None),
    "elementwise": (tensor("abc"), tensor("abc", start=5), ()),
    "views": (
        tensor("abc").transpose("c", "a", "b"),
        tensor("cb").isel(b=slice(None, None, -1)),
        (),
    ),
    "an empty sum": (tensor("ac", WITH_0_AND_1), tensor("cb", WITH_0_AND_1), None),
    "a matrix product": (tensor("ij", {"i": 60, "j": 70}), tensor("jk", {"j": 70, "k": 80}), None),
    "60 dims": (long_tensor(tensor("abc"), 60, "n"), NamedTensor(1.0, ()), None),
}


@pytest.mark.parametrize(("x", "y", "dim"), ALIASING.values(), ids=ALIASING)
def test_r12_inputs_are_not_modified_or_aliased(x, y, dim):
    for left, right in ((x, y), (y, x), (x, x)):
        for operand in (left, right):
            operand.data.flags.writeable = False
        names = [left.dims, right.dims]
        before = [left.data.tobytes(), right.data.tobytes()]
        result = rd.dot(left, right, dim)
        tangent = rd.dot_jvp(left, right, left, right, dim)
        bars = rd.dot_vjp(left, right, result, dim)
        assert [left.data.tobytes(), right.data.tobytes()] == before
        assert [left.dims, right.dims] == names
        for output in (result, tangent, *bars):
            assert output.data.flags.writeable
            assert not any(np.may_share_memory(output.data, t.data) for t in (left, right))
        assert not any(np.may_share_memory(bar.data, result.data) for bar in bars)


def test_r12_dim_is_not_modified():
    names = ["b", "a", "b"]
    rd.dot(tensor("abc"), tensor("bca"), names)
    assert names == ["b", "a", "b"]


# R13 the earliest stage

# Most of these break several rules; the error is that of the first one.
UNLIMITED = NamedTensor(np.broadcast_to(np.arange(1.0), (10**9, 10**9)), ("a", "b"))
LESS = NamedTensor(np.broadcast_to(np.arange(1.0), (10**9, 10**8)), ("a", "b"))
WORDS = NamedTensor(np.array(["word", "other"]), "a")
EARLIEST = {
    "names: R1": (lambda: rd.lower_dot(("a", "a"), "b", 5), rd.DimNameError, "'a'"),
    "names: R2": (lambda: rd.lower_dot(("a", "b"), "b", ["e", 5]), rd.DimTypeError, "5"),
    "names: R3": (lambda: rd.lower_dot(("a", "b"), "b", "e"), rd.DimNotFoundError, "Dimension e "),
    "an operand: R1": (lambda: NamedTensor(np.arange(2), ()), rd.DimNameError, "()"),
    "dot: R2": (lambda: rd.dot(UNLIMITED, WORDS, ["e", 5]), rd.DimTypeError, "5"),
    "dot: R3": (lambda: rd.dot(UNLIMITED, WORDS, "e"), rd.DimNotFoundError, "Dimension e "),
    "dot: R4": (lambda: rd.dot(UNLIMITED, WORDS), rd.SizeMismatchError, "'a'"),
    "dot: R4, nothing computed": (lambda: rd.dot(UNLIMITED, LESS), rd.SizeMismatchError, "'b'"),
    "dot: R7": (lambda: rd.dot(WORDS, WORDS), rd.DTypeError, "<U5"),
    "vjp: R3": (
        lambda: rd.dot_vjp(UNLIMITED, LESS, LESS, "e"),
        rd.DimNotFoundError,
        "Dimension e ",
    ),
    "vjp: R4": (lambda: rd.dot_vjp(UNLIMITED, LESS, LESS), rd.SizeMismatchError, "'b'"),
    "vjp: R8": (lambda: rd.dot_vjp(WORDS, WORDS, LESS), rd.NoGradientError, "<U5"),
    "jvp: R4": (
        lambda: rd.dot_jvp(UNLIMITED, LESS, UNLIMITED, LESS),
        rd.SizeMismatchError,
        "'b'",
    ),
}


@pytest.mark.parametrize(("attempt", "error", "named"), EARLIEST.values(), ids=EARLIEST)
def test_r13_an_error_is_raised_at_the_earliest_stage(attempt, error, named):
    with pytest.raises(error, match=re.escape(named)) as caught:
        attempt()
    assert caught.type is error
    assert isinstance(caught.value, ValueError | TypeError)


def test_r13_every_error_has_its_rule():
    rules = {error.__name__: error.rule for error in rd.DotError.__subclasses__()}
    assert rules == {
        "DimNameError": "R1",
        "DimTypeError": "R2",
        "DimNotFoundError": "R3",
        "SizeMismatchError": "R4",
        "DTypeError": "R7",
        "NoGradientError": "R8",
        "CotangentError": "R8",
    }
    assert all(issubclass(error, ValueError | TypeError) for error in rd.DotError.__subclasses__())


# R14 structure


def test_r14_subscripts_compute_the_whole_result():
    for x, y, dim in problems():
        low = rd.lower_dot(x.dims, y.dims, dim)
        by_position = np.asarray(np.einsum(low.subscripts, x.data, y.data))
        assert NamedTensor(by_position, low.out_dims) == rd.dot(x, y, dim)


def test_r14_subscripts_do_not_depend_on_the_names():
    for x, y, dim in problems():
        named = {"a": "time", "b": "batch", "c": "time_k"}
        longer = dim if dim in (None, ...) else [named[name] for name in dim]
        low = rd.lower_dot(x.dims, y.dims, dim)
        renamed = rd.lower_dot(*([named[name] for name in t.dims] for t in (x, y)), longer)
        assert renamed.subscripts == low.subscripts


def test_r14_a_lowering_holds_names_and_positions_only():
    def leaves(value: object) -> Iterator[object]:
        if isinstance(value, tuple):
            for member in value:
                yield from leaves(member)
        else:
            yield value

    low = rd.lower_dot(("a", "b", "d"), ("b", "c", "d"), ("b", "c"))
    assert {type(leaf) for leaf in leaves(dataclasses.astuple(low))} == {str, int}


# The specification itself


def test_every_rule_lists_its_tests_and_has_an_example():
    sections = re.split(r"^## (?=R\d+ )", SPEC.read_text("utf-8"), flags=re.MULTILINE)[1:]
    numbers = [int(section[1:].split()[0]) for section in sections]
    assert numbers == list(range(1, 15))
    for number, section in zip(numbers, sections, strict=True):
        listed = re.findall(r"`(test_r\d\d_\w+)`", section)
        tests = [name for name in globals() if name.startswith(f"test_r{number:02}_")]
        assert tests, f"R{number} has no test"
        assert listed == tests, f"SPEC.md does not list the tests of R{number} in order"
        assert ">>> " in section, f"R{number} has no example"
