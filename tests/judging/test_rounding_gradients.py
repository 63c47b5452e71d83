"""The bound on rounding errors of gradients, and of sums of dots."""

from fractions import Fraction

import numpy as np
import pytest
from summation import DTYPES, ORDERS, exact_bound, hard_operands, vectors

import refdot as rd
from refdot.judging.references import dot_by_records
from refdot.judging.rounding import (
    CorrectAnswers,
    correct_answers,
    correct_pull_back,
    unit_roundoff,
)
from refdot.tensor import NamedTensor

pytestmark = pytest.mark.filterwarnings("ignore:(overflow|invalid value):RuntimeWarning")

INF, NAN = np.inf, np.nan
SHAPES: dict[str, tuple[tuple[str, ...], tuple[str, ...], object]] = {
    "a matrix product": (("a", "b"), ("b", "c"), None),
    "a batch": (("n", "a", "b"), ("b", "c", "n"), "b"),
    "summed alone": (("a", "b"), ("b", "c"), ("a", "b", "c")),
    "all": (("a", "b"), ("b", "a"), ...),
    "nothing": (("a", "b"), ("b", "c"), ()),
}


def magnitudes(tensor: NamedTensor) -> NamedTensor:
    """Return |x|."""
    return NamedTensor(np.abs(tensor.data), tensor.dims)


def correct_gradients(x, y, cotangent) -> tuple[CorrectAnswers, CorrectAnswers]:
    """Return the correct cotangents of x and of y."""
    return correct_pull_back(cotangent, y, x), correct_pull_back(cotangent, x, y)


@pytest.mark.parametrize(("x_dims", "y_dims", "dim"), SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize(("x_dtype", "y_dtype"), [("float32", "float32"), ("float16", "float64")])
def test_gradients_have_the_bound_of_dots(x_dims, y_dims, dim, x_dtype, y_dtype):
    random, sizes = np.random.RandomState(4), {"n": 2, "a": 3, "b": 5, "c": 4}

    def drawn(dims, dtype):
        values = random.standard_normal([sizes[name] for name in dims])
        return NamedTensor(values.astype(dtype), dims)

    x, y = drawn(x_dims, x_dtype), drawn(y_dims, y_dtype)
    out_dims = rd.lower_dot(x_dims, y_dims, dim).out_dims
    cotangent = drawn(out_dims, np.result_type(x.data, y.data))
    bars = rd.dot_vjp(x, y, cotangent, dim)
    for bar, primal, correct in zip(bars, (x, y), correct_gradients(x, y, cotangent), strict=True):
        assert (correct.dims, correct.reference.shape) == (primal.dims, primal.shape)
        assert not correct.wrong(bar.data).any()
        for factor in (-1, 0, 1.01):
            assert correct.wrong(bar.data * bar.dtype.type(factor)).any(), factor
        moved = bar.data.copy()
        moved[(0,) * moved.ndim] += moved.dtype.type(0.1)
        assert correct.wrong(moved).sum() == 1


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("data", hard_operands("float64"))
def test_gradients_of_both_orders_are_within_the_bound_in_every_order(data, dtype):
    along, other = hard_operands(dtype)[data]
    length, least = len(along), Fraction(float(np.finfo(dtype).smallest_subnormal))
    random = np.random.RandomState(8)
    y = NamedTensor(np.stack([along, other[::-1]]), ("b", "c"))
    x = NamedTensor(random.standard_normal(2).astype(dtype), "b")
    cotangent = NamedTensor(other, "c")
    tangents = [NamedTensor(random.standard_normal(t.shape).astype(dtype), t.dims) for t in (x, y)]

    first, _ = correct_gradients(x, y, cotangent)
    exact = dot_by_records(cotangent, y, "c")
    size = dot_by_records(magnitudes(cotangent), magnitudes(y), "c")
    for order in ORDERS:
        answer = np.array([order(row, other) for row in y.data])
        assert not first.wrong(answer).any(), order
        for place in range(2):
            bound = exact_bound(length, unit_roundoff(y.dtype)) * size[place,] + length * least / 2
            assert abs(Fraction(float(answer[place])) - exact[place,]) <= bound

    # The gradient of ⟨x_bar, v⟩ + ⟨y_bar, w⟩ with respect to x is a dot of the cotangent with w.
    second = correct_pull_back(cotangent, tangents[1], x)
    answers = [np.array([order(row, other) for row in tangents[1].data]) for order in ORDERS]
    assert not any(second.wrong(answer).any() for answer in answers)
    moved = answers[0] + np.abs(answers[0]).max()
    assert second.wrong(moved).all()


def test_only_a_gradient_with_another_dtype_has_more_roundings():
    x, y, cotangent = (NamedTensor(np.array([0.1, 0.2, 0.3], "float32"), "a") for _ in range(3))
    for dtype, roundings in (("float32", 1), ("float64", 4)):
        wide = NamedTensor(cotangent.data.astype(dtype), "a")
        first, _ = correct_gradients(x, y, wide)
        assert (first.dtype, first.roundings, first.products) == (
            np.float32,
            roundings,
            1 + (dtype == "float64"),
        )


def test_a_real_operand_beside_a_complex_one_has_a_real_gradient():
    x = NamedTensor(np.array([1.5, 2.5]), "a")
    y = NamedTensor(np.array([1 + 2j, 3 - 1j]), "a")
    x_bar, y_bar = correct_gradients(x, y, NamedTensor(np.array(2 + 1j), ()))
    assert x_bar.reference.dtype.kind == "f"
    assert y_bar.reference.dtype.kind == "c"
    assert not x_bar.wrong(np.array([0.0, 7.0])).any()
    assert x_bar.wrong(np.array([0.0, 7.0 + 1e-12])).tolist() == [False, True]


# Sums of dots


@pytest.mark.parametrize("dtype", DTYPES)
def test_every_product_of_a_sum_of_dots_may_underflow(dtype):
    least = np.finfo(dtype).smallest_subnormal
    root = np.sqrt(np.longdouble(least) / 2).astype(dtype) * (1 - np.finfo(dtype).eps)
    assert root > 0
    x = NamedTensor(np.full(5, root), "k")
    y = NamedTensor(np.full(5, root * (1 - np.finfo(dtype).eps)), "k")
    once = correct_answers(x, y)
    assert once.reference > 2.4 * np.longdouble(least)
    assert not once.wrong(np.asarray(0, dtype))
    assert not (once + once).wrong(np.asarray(0, dtype))
    # Each product loses at most half the smallest subnormal.
    assert once.wrong(np.asarray(6 * least, dtype))
    assert (once + once).wrong(np.asarray(12 * least, dtype))


PARTS = {
    "ordinary": ([0.1, -0.2], [0.3, 0.4], [0.5, 0.7], [-0.6, 0.9]),
    "integers": ([1.0, 2.0], [3.0, 4.0], [5.0, 6.0], [7.0, 8.0]),
    "overflowing": ([1e200, -1e200], [1e200, 1e200], [1e200, 3.0], [-1e200, 2.0]),
    "NaN": ([NAN, 1.0], [1.0, 2.0], [3.0, 4.0], [0.5, INF]),
    "infinity times 0": ([INF, 1.0], [0.0, 2.0], [3.0, 4.0], [0.5, 0.25]),
    "infinity times 0, then NaN": ([INF, 1.0], [0.0, 2.0], [NAN, 4.0], [0.5, 0.25]),
}


@pytest.mark.parametrize("flipped", [False, True])
@pytest.mark.parametrize(("x", "y", "v", "w"), PARTS.values(), ids=PARTS)
def test_a_sum_of_dots_is_judged_as_one_dot_of_all_products(x, y, v, w, flipped):
    first, second = correct_answers(*vectors(x, y)), correct_answers(*vectors(v, w))
    total = second + first if flipped else first + second
    whole = correct_answers(*vectors(x + v, y + w))
    assert (total.roundings, total.products) == (1, 4)
    assert total.integers == whole.integers
    for name in ("reference", "magnitude", "finite", "plus", "minus", "nan", "surely_nonfinite"):
        one, other = getattr(total, name), getattr(whole, name)
        if one.dtype == bool:
            assert one == other, name
        else:
            assert np.allclose(one, other, rtol=1e-15, atol=0, equal_nan=True), name
    for answer in (0.0, float(whole.finite), INF, -INF, NAN):
        assert total.wrong(np.asarray(answer)) == whole.wrong(np.asarray(answer)), answer


def test_a_sum_of_dots_may_overflow_early_and_reassociate_where_either_dot_may():
    s, b = NamedTensor(np.array([2.0, -1.0]), "s"), NamedTensor(np.array([INF, 3.0]), "b")
    large, small = (NamedTensor(np.array([v, v]), "s") for v in (1.5e308, 1.0))
    scale = NamedTensor(np.array([0.25, 0.5]), "b")
    plain = correct_answers(small, scale, "s")
    for special, field in (
        (correct_answers(s, b, "s"), "reassociates"),
        (correct_answers(large, scale, "s"), "overflows_early"),
    ):
        for total in (special + plain, plain + special):
            assert np.array_equal(getattr(total, field), getattr(special, field))
            assert getattr(total, field).any()
            assert not getattr(plain, field).any()
