"""The dot agrees with two reference implementations."""

from itertools import product

import numpy as np
import pytest
from dots import (
    ALL,
    ALL_FEW,
    ALL_MANY,
    CONTINUOUS,
    DISCRETE,
    NOT_FINITE,
    REAL,
    WITH_BLAS,
    as_many_and_as_few,
    assert_agrees_with_references,
    assert_not_finite_agrees,
    few_up_to,
    inf,
    like,
    nan,
    numbers,
    problems,
    quickly,
    tensor,
)
from hypothesis import given

from refdot.evaluation import dot, dot_jvp, dot_vjp
from refdot.judging.references import dot_by_definition, dot_by_records
from refdot.tensor import NamedTensor

# Agreement with the reference implementations


@quickly
@given(problems(DISCRETE))
def test_bools_and_integers_that_wrap_agree_with_the_references(problem):
    assert_agrees_with_references(*problem)


@quickly
@given(problems(REAL))
def test_real_numbers_agree_with_the_references(problem):
    assert_agrees_with_references(*problem)


@quickly
@given(problems((*DISCRETE, *CONTINUOUS)))
def test_mixed_dtypes_agree_with_the_references(problem):
    assert_agrees_with_references(*problem)


@quickly
@given(problems(WITH_BLAS))
def test_matmuls_agree_with_the_references(problem):
    with few_up_to(ALL_MANY):
        assert_agrees_with_references(*problem)


@quickly
@given(problems(("complex64", "complex128")))
def test_a_complex_dot_is_four_real_ones(problem):
    x, y, dim = problem
    x_parts, y_parts = (
        [NamedTensor(part, operand.dims) for part in (operand.data.real, operand.data.imag)]
        for operand in (x, y)
    )
    exact = {
        (i, j): dot_by_records(x_parts[i], y_parts[j], dim) for i, j in product((0, 1), repeat=2)
    }
    answer = dot(x, y, dim)
    for index in np.ndindex(answer.shape):
        parts = {pair: totals[index] for pair, totals in exact.items()}
        assert answer.data[index].real == parts[0, 0] - parts[1, 1]
        assert answer.data[index].imag == parts[0, 1] + parts[1, 0]


@pytest.mark.parametrize("x_dtype", ALL)
@pytest.mark.parametrize("y_dtype", ALL)
def test_the_dtype_is_promoted_as_in_numpy(x_dtype, y_dtype):
    sizes = {"a": 2, "b": 3}
    x, y = tensor("a b", sizes, x_dtype, 1), tensor("b", sizes, y_dtype, 2)
    for dim in (None, ..., (), "a"):
        answer = dot(x, y, dim)
        assert answer.dtype == np.result_type(x_dtype, y_dtype)
        assert answer == dot_by_definition(x, y, dim)


@pytest.mark.parametrize(
    ("x", "y", "total"),
    [
        (np.array([100, 27, 1], "int8"), np.array([1, 1, 1], "int8"), -128),
        (np.array([16, 2], "int8"), np.array([16, 3], "int8"), 6),
        (np.array([200, 100], "uint8"), np.array([1, 2], "uint8"), 144),
        (np.array([2**63 - 1, 5], "int64"), np.array([1, 1], "int64"), -(2**63) + 4),
        (np.array([2**63, 7], "uint64"), np.array([2, 3], "uint64"), 21),
        (np.array([True, True]), np.array([True, True]), True),
        (np.array([True, False]), np.array([False, True]), False),
        (np.array([True, True, False]), np.array([3, 5, 7], "int8"), 8),
        (np.array([2048, 1], "float16"), np.array([1, 2], "float16"), 2050),
    ],
)
def test_the_dtype_is_kept_while_accumulating(x, y, total):
    answer = dot(NamedTensor(x, "a"), NamedTensor(y, "a"))
    assert answer == NamedTensor(np.array(total, np.result_type(x, y)), ())


@pytest.mark.parametrize("order", ["<f8", ">f8"])
@as_many_and_as_few
def test_the_byte_order_of_an_operand_does_not_matter(order, limit):
    sizes = {"a": 2, "b": 3, "c": 5}
    x, y = tensor("a b", sizes, seed=1), tensor("b c", sizes, seed=2)
    other = NamedTensor(x.data.astype(order), x.dims), NamedTensor(y.data.astype(order), y.dims)
    with few_up_to(limit):
        assert dot(*other) == dot(x, y)


# Einsum and matmul

# Dots above the limit for a matmul: the dims of x and y, `dim` and the sizes.
LARGE = {
    "matrices": ("a b", "b c", None, {"a": 29, "b": 31, "c": 37}),
    "transposed on the left": ("b a", "b c", None, {"a": 29, "b": 31, "c": 37}),
    "transposed on the right": ("a b", "c b", None, {"a": 29, "b": 31, "c": 37}),
    "matrix by a long vector": ("a b", "b", None, {"a": 200, "b": 211}),
    "vector by matrix": ("b", "b a", None, {"a": 211, "b": 200}),
    "batched": ("n a b", "n b c", "b", {"n": 5, "a": 17, "b": 19, "c": 23}),
    "batch dims in two orders": (
        "a m b n",
        "n c b m",
        "b",
        {"m": 2, "n": 3, "a": 17, "b": 19, "c": 23},
    ),
    "contracted dims in two orders": ("a b c", "d c b", None, {"a": 13, "b": 11, "c": 17, "d": 19}),
    "summed in x": ("a b s", "b c", ("b", "s"), {"a": 17, "b": 19, "c": 23, "s": 7}),
    "summed in y": ("a b", "s b c", ("b", "s"), {"a": 17, "b": 79, "c": 31, "s": 3}),
    "every role": (
        "s a n b",
        "t c b n u",
        ("b", "s", "t"),
        {"s": 3, "a": 11, "n": 5, "b": 13, "t": 2, "c": 17, "u": 7},
    ),
    "all dims": ("a b", "b c", ..., {"a": 1100, "b": 31, "c": 7}),
    "a size of one": ("a b i", "b c j", "b", {"a": 29, "b": 31, "c": 37, "i": 1, "j": 1}),
}


@pytest.mark.parametrize("dtype", [*WITH_BLAS, "float16", "longdouble", "int8", "uint64", "bool"])
@pytest.mark.parametrize(("x_dims", "y_dims", "dim", "sizes"), LARGE.values(), ids=LARGE)
def test_large_operands_give_the_same_bits_as_few_products(x_dims, y_dims, dim, sizes, dtype):
    x, y = tensor(x_dims, sizes, dtype, 1), tensor(y_dims, sizes, dtype, 2)
    with few_up_to(ALL_FEW):
        expected = dot(x, y, dim)
    answer = dot(x, y, dim)
    assert answer == expected
    assert not np.shares_memory(answer.data, x.data)


@pytest.mark.parametrize("empty", "abcnst")
@as_many_and_as_few
def test_a_size_of_zero_gives_an_empty_output_or_an_empty_sum(empty, limit):
    sizes = {"n": 2, "a": 3, "b": 5, "s": 7, "c": 11, "t": 13, empty: 0}
    x, y = tensor("n a b s", sizes, seed=1), tensor("t b c n", sizes, seed=2)
    with few_up_to(limit):
        answer = dot(x, y, ("b", "s", "t"))
    assert answer.sizes == {name: sizes[name] for name in "nac"}
    assert not answer.data.any()
    assert answer == dot_by_definition(x, y, ("b", "s", "t"))


@as_many_and_as_few
@pytest.mark.parametrize(("x", "y", "dim", "values"), NOT_FINITE.values(), ids=NOT_FINITE)
def test_nan_and_infinity_propagate_as_in_ieee_754(x, y, dim, values, limit):
    x = NamedTensor(np.array(x, float), ("row", "alone", "k"))
    y = NamedTensor(np.array(y, float), ("k", "column"))
    assert_not_finite_agrees(x, y, dim, values, limit)


@pytest.mark.parametrize("swapped", [False, True])
def test_integers_are_multiplied_by_an_infinity_before_summing(swapped):
    x, y = NamedTensor([2, -1], "s"), NamedTensor([np.inf, 3.0], "b")
    out = dot(y, x, "s") if swapped else dot(x, y, "s")
    assert np.array_equal(out.data, [np.nan, 3.0], equal_nan=True)


@pytest.mark.parametrize("values", [[2.0, 3.0], [inf, 2.0], [nan, inf]])
@pytest.mark.parametrize("dim", [..., "b"], ids=str)
def test_an_empty_sum_is_zero_even_times_infinity(values, dim):
    x, nothing = NamedTensor(values, "a"), NamedTensor(np.array([5.0, 7.0])[:0], "b")
    zero = NamedTensor(np.zeros(2 if dim == "b" else ()), ("a",) if dim == "b" else ())
    assert dot(x, nothing, dim) == dot(nothing, x, dim) == zero


# Dims and shape of the output

# The dims and shape of x and of y, `dim`, and the dims and shape of the output.
OUTPUTS = {
    "scalars": ("", (), "", (), None, "", ()),
    "a scale": ("", (), "b a", (3, 2), None, "b a", (3, 2)),
    "vectors": ("a", (3,), "a", (3,), None, "", ()),
    "the dims of x first": ("b a", (3, 2), "c b", (5, 3), None, "a c", (2, 5)),
    "x's order wins": ("b a", (3, 2), "a b", (2, 3), [], "b a", (3, 2)),
    "batch": ("n a", (7, 2), "a n", (2, 7), "a", "n", (7,)),
    "summed alone": ("a b", (2, 3), "c", (5,), "b", "a c", (2, 5)),
    "everything": ("a b", (2, 3), "c", (5,), ..., "", ()),
    "size one is kept": ("a b", (1, 3), "b c", (3, 1), None, "a c", (1, 1)),
    "size zero is kept": ("a b", (0, 3), "b c", (3, 2), None, "a c", (0, 2)),
    "size zero is summed": ("a b", (2, 0), "b c", (0, 3), None, "a c", (2, 3)),
}


@pytest.mark.parametrize(
    ("x_dims", "x_shape", "y_dims", "y_shape", "dim", "dims", "shape"),
    OUTPUTS.values(),
    ids=OUTPUTS,
)
def test_the_output_has_the_dims_of_x_then_those_of_y(
    x_dims, x_shape, y_dims, y_shape, dim, dims, shape
):
    x = NamedTensor(numbers(1, x_shape, "float64"), x_dims.split())
    y = NamedTensor(numbers(2, y_shape, "float64"), y_dims.split())
    answer = dot(x, y, dim)
    assert (answer.dims, answer.shape) == (tuple(dims.split()), shape)
    assert_agrees_with_references(x, y, dim)


MANY = [f"dim {number}" for number in range(64)]
LONG = dict(zip(MANY[1::9], (2, 3, 5, 2, 3, 2, 3), strict=True))

# The dims of x and y, and `dim`.
MANY_DIMS = {
    "52 letters": (MANY[:26], MANY[26:52], None),
    "one more": (MANY[:27], MANY[26:53], []),
    "53 of x": (MANY[:53], MANY[10:11], None),
    "53 of y": ((), MANY[:53], ()),
    "53 of both": (MANY[:53], MANY[52::-1], None),
    "60, every other one": (MANY[:60], MANY[59::-1], MANY[:60:2]),
    "60, all kept": (MANY[:60], MANY[59::-1], []),
    "64 of x": (MANY, (), MANY[1:]),
    "64 over both, kept": (MANY[:30], MANY[28:], ()),
    "64 over both, summed": (MANY[:30], MANY[20:], ...),
}


@pytest.mark.parametrize("empty", [None, MANY[1], MANY[28], MANY[50]])
@pytest.mark.parametrize(("x_dims", "y_dims", "dim"), MANY_DIMS.values(), ids=MANY_DIMS)
def test_more_dims_than_letters_are_supported(x_dims, y_dims, dim, empty):
    sizes = dict.fromkeys(MANY, 1) | LONG | ({empty: 0} if empty else {})
    x, y = (
        NamedTensor(numbers(seed, [sizes[name] for name in dims], "int8"), dims)
        for seed, dims in enumerate((x_dims, y_dims))
    )
    assert_agrees_with_references(x, y, dim)


def test_more_than_64_dims_over_both_may_be_summed():
    x = NamedTensor(np.arange(1.0, 7).reshape(2, 3, *[1] * 48), [f"x{i}" for i in range(50)])
    y = NamedTensor(np.arange(1.0, 6).reshape(*[1] * 49, 5), [f"y{i}" for i in range(50)])
    assert dot(x, y, ...) == NamedTensor(21.0 * 15.0, ())
    rows = dot(x, y, {*x.dims[1:], *y.dims})
    assert rows == NamedTensor([6.0 * 15.0, 15.0 * 15.0], "x0")


def test_many_dims_of_size_two_are_supported_beside_one_of_size_zero():
    x = NamedTensor(np.ones((0, *[2] * 53)), MANY[:54])
    y = NamedTensor([2.0, 3.0], MANY[53])
    assert dot(x, y, ...) == NamedTensor(0.0, ())
    assert dot(x, y).shape == (0, *[2] * 52)


# Memory (R12)

LAYOUTS = {
    "Fortran-ordered": np.asfortranarray,
    "reversed": lambda array: array[::-1, ::-1].copy()[::-1, ::-1],
    "strided": lambda array: np.repeat(array, 3, axis=1)[:, ::3],
    "transposed": lambda array: array.T.copy().T,
    "unaligned": lambda array: (
        np.frombuffer(b"?" + array.tobytes(), "u1")[1:].view(array.dtype).reshape(array.shape)
    ),
    "byte-swapped": lambda array: array.astype(array.dtype.newbyteorder()),
    "part of a larger array": lambda array: np.pad(array, 1, constant_values=np.nan)[1:-1, 1:-1],
}


@as_many_and_as_few
@pytest.mark.parametrize("with_layout", LAYOUTS.values(), ids=LAYOUTS)
@pytest.mark.parametrize("dim", [None, ..., (), "a"], ids=str)
def test_operands_may_have_any_memory_layout_and_be_read_only(with_layout, dim, limit):
    sizes = {"a": 2, "b": 3, "c": 5}
    x, y = tensor("a b", sizes, seed=1), tensor("b c", sizes, seed=2)
    laid_out = [NamedTensor(with_layout(operand.data), operand.dims) for operand in (x, y)]
    for operand in laid_out:
        operand.data.flags.writeable = False
    with few_up_to(limit):
        assert_agrees_with_references(*laid_out, dim)
        assert dot(*laid_out, dim) == dot(x, y, dim)
    cotangent = like(dot(x, y, dim), 3)
    assert dot_vjp(*laid_out, cotangent, dim) == dot_vjp(x, y, cotangent, dim)


@as_many_and_as_few
@pytest.mark.parametrize("dim", [None, ..., ()], ids=str)
def test_operands_may_be_broadcast_views(dim, limit):
    x = NamedTensor(np.broadcast_to(np.array([2.0, 3.0, 5.0]), (2, 3)), ("a", "b"))
    with few_up_to(limit):
        assert_agrees_with_references(x, NamedTensor(np.broadcast_to(7.0, (3, 5)), ("b", "c")), dim)


@as_many_and_as_few
@pytest.mark.parametrize("dim", [None, ..., (), "store"], ids=str)
def test_operands_may_be_overlapping_windows(dim, limit):
    days = np.arange(20.0).reshape(2, 10)
    windows = np.lib.stride_tricks.sliding_window_view(days, 3, axis=1)
    x = NamedTensor(windows, ("store", "day", "lag"))
    with few_up_to(limit):
        assert_agrees_with_references(x, tensor("store lag k", {"store": 2, "lag": 3, "k": 5}), dim)


@pytest.mark.parametrize("derivative", [dot_vjp, dot_jvp])
def test_derivatives_of_byte_swapped_operands_are_native(derivative):
    x = NamedTensor(np.arange(6.0).reshape(2, 3).astype(">f8"), ("a", "b"))
    y = NamedTensor(np.arange(3.0).astype("<f8"), "b")
    arguments = (NamedTensor([1.0, 2.0], "a"),) if derivative is dot_vjp else (x, y)
    found = derivative(x, y, *arguments)
    for result in found if isinstance(found, tuple) else [found]:
        assert result.data.dtype.isnative


@as_many_and_as_few
@pytest.mark.parametrize("unit", [1.0, np.eye(3)], ids=["scalar", "identity"])
def test_a_product_with_one_is_a_copy(unit, limit):
    x = NamedTensor(np.arange(9.0).reshape(3, 3), ("a", "b"))
    with few_up_to(limit):
        answer = dot(x, NamedTensor(unit, ("b", "c")[: 2 * np.ndim(unit)]))
    assert np.array_equal(answer.data, x.data)
    answer.data[0] = -1
    assert np.array_equal(x.data, np.arange(9.0).reshape(3, 3))


def test_both_operands_may_be_the_same_object():
    x = NamedTensor(np.arange(6.0).reshape(2, 3), ("a", "b"))
    for dim in (None, ..., (), "a", "b"):
        assert_agrees_with_references(x, x, dim)


@pytest.mark.parametrize("flipped", [False, True])
def test_products_are_taken_before_sums_if_an_operand_repeats_itself(flipped):
    for number, values, expected in ((inf, [2.0, -1.0], nan), (0.25, [1e308, 1e308], 5e307)):
        pair = [
            NamedTensor(np.broadcast_to(np.array(number), (2,)), "k"),
            NamedTensor(np.array(values), "k"),
        ]
        assert dot(*(pair[::-1] if flipped else pair)) == NamedTensor(expected, ())
