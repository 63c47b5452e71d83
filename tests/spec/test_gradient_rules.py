"""The oracle's gradients follow from the dot being bilinear: R8 of SPEC.md."""

from itertools import permutations, product

import numpy as np
import pytest
from operands import CONTINUOUS, INTEGERS, dim_arguments, problems, raises, tensor

import refdot as rd
from refdot.tensor import NamedTensor


def cotangent_for(x, y, dim) -> NamedTensor:
    """Return a cotangent with the shape of `dot(x, y, dim)`."""
    return tensor(rd.lower_dot(x.dims, y.dims, dim).out_dims, x.sizes | y.sizes, start=11)


def like(primal: NamedTensor, start: int) -> NamedTensor:
    """Return a tangent with the shape of `primal`."""
    return tensor(primal.dims, primal.sizes, primal.dtype, start)


def total(x: NamedTensor, y: NamedTensor):
    """Return the sum of the products of two tensors with the same dims, in any order."""
    return (x.data * y.transpose(*x.dims).data).sum()


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
