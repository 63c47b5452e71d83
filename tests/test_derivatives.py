"""The VJP and JVP of a dot agree with differences and with each other."""

import numpy as np
import pytest
from dots import (
    ALL_MANY,
    CONTINUOUS,
    WITH_BLAS,
    assert_gradient_agrees,
    few_up_to,
    inner,
    like,
    problems,
    problems_with_cotangents,
    quickly,
    tensor,
)
from hypothesis import given
from hypothesis import strategies as st

from refdot.evaluation import dot, dot_jvp, dot_vjp
from refdot.tensor import NamedTensor


@quickly
@given(problems_with_cotangents())
def test_the_vjp_agrees_with_the_vjp_by_basis(problem):
    x, y, dim, cotangent = problem
    assert_gradient_agrees(x, y, cotangent, dim)


@quickly
@given(problems_with_cotangents(WITH_BLAS))
def test_the_vjp_by_matmuls_agrees_with_the_vjp_by_basis(problem):
    x, y, dim, cotangent = problem
    with few_up_to(ALL_MANY):
        assert_gradient_agrees(x, y, cotangent, dim)


@quickly
@given(problems_with_cotangents(("complex64",)) | problems_with_cotangents(("float32",)))
def test_vjp_and_jvp_are_adjoint(problem):
    x, y, dim, cotangent = problem
    x_dot, y_dot = like(x, 101), like(y, 102)
    x_bar, y_bar = dot_vjp(x, y, cotangent, dim)
    pushed = dot_jvp(x, y, x_dot, y_dot, dim)
    assert inner(cotangent, pushed) == inner(x_bar, x_dot) + inner(y_bar, y_dot)


@quickly
@given(problems(CONTINUOUS), st.randoms(use_true_random=False))
def test_the_jvp_is_the_difference_without_its_second_order_term(problem, random):
    x, y, dim = problem
    x_dot, y_dot = like(x, 101), like(y, 102)
    moved = dot(
        NamedTensor(x.data + x_dot.data, x.dims), NamedTensor(y.data + y_dot.data, y.dims), dim
    )
    difference = moved.data - dot(x, y, dim).data - dot(x_dot, y_dot, dim).data
    x_order, y_order = (random.sample(operand.dims, operand.ndim) for operand in (x, y))
    pushed = dot_jvp(x, y, x_dot.transpose(*x_order), y_dot.transpose(*y_order), dim)
    assert pushed == NamedTensor(difference, moved.dims)


@quickly
@given(problems_with_cotangents(("float64",)))
def test_second_derivatives_do_not_depend_on_their_order(problem):
    x, y, dim, cotangent = problem
    x_dot, y_dot = like(x, 101), like(y, 102)
    x_then_y = inner(dot_vjp(x, y_dot, cotangent, dim)[0], x_dot)
    y_then_x = inner(dot_vjp(x_dot, y, cotangent, dim)[1], y_dot)
    assert x_then_y == y_then_x == inner(cotangent, dot(x_dot, y_dot, dim))


@quickly
@given(problems_with_cotangents(("float64",)))
def test_the_gradient_of_the_gradient_agrees_with_a_basis(problem):
    x, y, dim, cotangent = problem
    weight = like(x, 101)
    # The gradient of <x_bar, weight> with respect to y; x_bar is the gradient of <dot, cotangent>.
    found = dot_vjp(weight, y, cotangent, dim)[1]
    expected = np.zeros(y.shape)
    for index in np.ndindex(y.shape):
        basis = np.zeros(y.shape)
        basis[index] = 1
        moved = NamedTensor(y.data + basis, y.dims)
        expected[index] = inner(dot_vjp(x, moved, cotangent, dim)[0], weight) - inner(
            dot_vjp(x, y, cotangent, dim)[0], weight
        )
    assert found == NamedTensor(expected, y.dims)


@pytest.mark.parametrize("dim", [None, ..., (), "a", "b"], ids=str)
def test_the_cotangents_of_one_variable_are_added(dim):
    x = NamedTensor(np.array([[2.0, 3.0, 5.0], [7.0, 11.0, 13.0]]), ("a", "b"))
    square = dot(x, x, dim)
    cotangent = like(square, 3)
    total = np.add(*(bar.data for bar in dot_vjp(x, x, cotangent, dim)))
    for index in np.ndindex(x.shape):
        basis = np.zeros(x.shape)
        basis[index] = 1
        step = NamedTensor(basis, x.dims)
        moved = dot(NamedTensor(x.data + basis, x.dims), NamedTensor(x.data + basis, x.dims), dim)
        first_order = moved.data - square.data - dot(step, step, dim).data
        assert total[index] == (cotangent.data * first_order).sum()


def test_no_conjugate_is_taken():
    x, y = NamedTensor([2 + 3j, 5 - 7j], "a"), NamedTensor([1 - 2j, 3 + 5j], "a")
    assert dot(x, y) == NamedTensor((2 + 3j) * (1 - 2j) + (5 - 7j) * (3 + 5j), ())
    x_bar, y_bar = dot_vjp(x, y, NamedTensor(2j, ()))
    assert x_bar == NamedTensor([4 + 2j, -10 + 6j], "a")
    assert y_bar == NamedTensor([-6 + 4j, 14 + 10j], "a")


def test_a_real_operand_beside_a_complex_one_gets_the_real_part():
    x, y = NamedTensor([2.0, 5.0], "a"), NamedTensor([1 - 2j, 3 + 5j], "a")
    x_bar, y_bar = dot_vjp(x, y, NamedTensor(2 + 1j, ()))
    assert x_bar == NamedTensor([4.0, 1.0], "a")
    assert y_bar == NamedTensor([4 + 2j, 10 + 5j], "a")


def test_the_cotangent_is_broadcast_over_a_dim_summed_alone():
    x, y = NamedTensor([[2.0, 3.0, 5.0]], ("a", "b")), NamedTensor([7.0, 11.0], "c")
    x_bar, y_bar = dot_vjp(x, y, NamedTensor([[1.0, 10.0]], ("a", "c")), dim="b")
    assert x_bar == NamedTensor([[117.0, 117.0, 117.0]], ("a", "b"))
    assert y_bar == NamedTensor([10.0, 100.0], "c")


@pytest.mark.parametrize("derivative", ["vjp", "jvp"])
@pytest.mark.parametrize("make_iterable", [iter, set, list, lambda names: (name for name in names)])
def test_gradients_accept_any_iterable_as_dim(derivative, make_iterable):
    x, y = tensor("a b", {"a": 2, "b": 3}, seed=1), tensor("b c", {"b": 3, "c": 5}, seed=2)
    given = {"vjp": (like(dot(x, y, ("a", "b")), 3),), "jvp": (like(x, 3), like(y, 4))}[derivative]
    take = {"vjp": dot_vjp, "jvp": dot_jvp}[derivative]
    assert take(x, y, *given, make_iterable("ab")) == take(x, y, *given, ("a", "b"))


HUGE = 1e308
# The cotangent, the complex operand and the real part of their product. Where the imaginary part
# overflows, BLAS makes the real part NaN.
COMPLEX_FACTORS = {
    "the imaginary part overflows": (1 + 1j, HUGE * (1 + 1j), 0.0),
    "it overflows below": (1 - 1j, HUGE * (1 - 1j), 0.0),
    "the real part overflows": (1 + 1j, HUGE * (1 - 1j), np.inf),
    "a real cotangent, and an infinite imaginary part": (2.0, complex(3, np.inf), 6.0),
}


@pytest.mark.parametrize("size", [1, 3, 64])
@pytest.mark.parametrize(
    ("factor", "number", "real"), COMPLEX_FACTORS.values(), ids=COMPLEX_FACTORS
)
def test_a_real_operand_gets_the_real_part_whatever_the_imaginary_one(factor, number, real, size):
    x = NamedTensor(np.ones((size, size)), ("b", "c"))
    y = NamedTensor(np.full((size, size), number), ("a", "b"))
    cotangent = NamedTensor(np.full((size, size), factor), ("a", "c"))
    x_bar, _ = dot_vjp(x, y, cotangent)
    assert x_bar == NamedTensor(np.full((size, size), size * real), ("b", "c"))


@pytest.mark.parametrize("size", [1, 3, 64])
def test_components_of_a_jvp_overflow_one_by_one(size):
    x = NamedTensor(np.full((size, size), 1.0), ("a", "b"))
    y = NamedTensor(np.full((size, size), complex(1, HUGE)), ("b", "c"))
    pushed = dot_jvp(x, y, NamedTensor(2 * x.data, x.dims), y)
    assert np.array_equal(pushed.data.real, np.full((size, size), 3.0 * size))
    assert np.isinf(pushed.data.imag).all()


def test_cotangents_have_the_byte_order_of_the_machine():
    swapped = np.dtype("float32").newbyteorder()
    x, y = (NamedTensor(np.array([2.0, 3.0], swapped), "a") for _ in "xy")
    for bar in dot_vjp(x, y, NamedTensor(np.float32(5), ())):
        assert bar == NamedTensor(np.array([10, 15], "float32"), "a")
