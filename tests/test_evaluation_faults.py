"""The assertions of the other tests detect planted faults."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from dots import (
    ALL_FEW,
    ALL_MANY,
    MISMATCHES,
    NOT_FINITE,
    assert_agrees_with_references,
    assert_gradient_agrees,
    assert_not_finite_agrees,
    few_up_to,
    like,
    tensor,
)

from refdot import evaluation, readings
from refdot.errors import SizeMismatchError
from refdot.judging.references import dot_by_definition
from refdot.tensor import NamedTensor

SQUARE = {"n": 2, "a": 3, "b": 3, "c": 3, "s": 2}


def check_values():
    """Test values with a few problems whose equal sizes can hide a fault."""
    assert_agrees_with_references(NamedTensor([[2, 3], [5, 7]], ("a", "b")), NamedTensor(1, ()))
    for x_dims, y_dims, dim in [
        ("a b", "b c", None),
        ("b a", "c b", None),
        ("a b", "b a", "b"),
        ("n a b", "b n c", "b"),
        ("a b", "b a", None),
        ("s a", "a c", ("s", "a")),
        ("a b", "", ()),
    ]:
        for dtype in ("bool", "int8", "float64", "complex128"):
            x, y = tensor(x_dims, SQUARE, dtype, 1, wide=True), tensor(y_dims, SQUARE, dtype, 2)
            for limit in (ALL_MANY, ALL_FEW):
                with few_up_to(limit):
                    assert_agrees_with_references(x, y, dim)


def check_gradients():
    """Test gradients with a few such problems."""
    for x_dims, y_dims, dim in [("b a", "c b", None), ("s b a", "b n c", ("a", "s", "n"))]:
        for x_dtype, y_dtype in [("float64", "float64"), ("float32", "complex64")]:
            x, y = tensor(x_dims, SQUARE, x_dtype, 1), tensor(y_dims, SQUARE, y_dtype, 2)
            assert_gradient_agrees(x, y, like(dot_by_definition(x, y, dim), 3), dim)


def check_sizes():
    """Test that size 1 does not broadcast."""
    for name in ("contracted, size 1 vs n", "batch, size n vs 1"):
        x, y, dim, *_ = MISMATCHES[name]
        try:
            answer = evaluation.dot(x, y, dim)
        except SizeMismatchError:
            continue
        except ValueError as error:
            answer = error
        raise AssertionError(f"R4: a dim with two sizes was accepted, with the result {answer}")


def check_not_finite():
    """Test that NaN and infinity propagate in the same way."""
    x, y, dim, values = NOT_FINITE["2 - 1 summed alone, times inf"]
    x, y = NamedTensor(np.array(x, float), ("row", "alone", "k")), NamedTensor(y, ("k", "column"))
    assert_not_finite_agrees(x, y, dim, values, ALL_MANY)


FAULTS = {}


def planted(name, check, module=evaluation):
    """Register a fault in a function of a module, and the test that must detect it.

    The fault replaces the function, and gets it as its first argument.
    """

    def register(fault):
        FAULTS[fault.__name__.replace("_", " ")] = module, name, fault, check
        return fault

    return register


@planted("lower", check_values)
def the_dims_of_the_output_in_another_order(lower, *names):
    right = lower(*names)
    return replace(right, out_dims=right.out_dims[::-1])


@planted("silently", check_values)
def the_axes_of_the_output_in_another_order(silently, read, x, y):
    return silently(read, x, y).T


@planted("lower", check_values)
def a_contracted_dim_ignored(lower, x_dims, y_dims, dim):
    right = lower(x_dims, y_dims, dim)
    return lower(x_dims, y_dims, frozenset(right.contracted[:-1] + right.x_summed))


@planted("lower", check_values)
def a_batch_dim_contracted(lower, x_dims, y_dims, dim):
    return lower(x_dims, y_dims, None)


@planted("lower", check_values)
def the_last_two_dims_of_y_swapped(lower, *names):
    right = lower(*names)
    *others, one, other = ("", "", *right.y_dims)
    return replace(right, y_dims=(*others, other, one)[2:]) if len(right.y_dims) > 1 else right


@planted("silently", check_values)
def y_transposed(silently, read, x, y):
    return silently(read, x, y.T if y.shape == y.T.shape else y)


@planted("silently", check_values)
def int8_upcast(silently, read, x, y):
    return silently(read, x.astype("int64") if x.dtype == "int8" else x, y)


@planted("silently", check_values)
def int8_that_saturates(silently, read, x, y):
    if x.dtype != "int8":
        return silently(read, x, y)
    return silently(read, x.astype("int64"), y).clip(-128, 127).astype("int8")


@planted("silently", check_values)
def bools_counted_modulo_two(silently, read, x, y):
    if x.dtype != bool:
        return silently(read, x, y)
    return silently(read, x.astype("int8"), y.astype("int8")) % 2 == 1


@planted("silently", check_values)
def a_conjugate_taken(silently, read, x, y):
    return silently(read, x, y.conj() if y.dtype.kind == "c" else y)


@planted("silently", check_values)
def an_operand_written_to(silently, read, x, y):
    answer = silently(read, x.copy(), y)
    x.fill(0)
    return answer


@planted("silently", check_values)
def an_operand_returned(silently, read, x, y):
    return x if not y.ndim and y == 1 else silently(read, x, y)


@planted("silently", check_values)
def the_output_read_only(silently, read, x, y):
    answer = silently(read, x, y)
    answer.flags.writeable = False
    return answer


@planted("sums_first", check_values, readings)
def dims_summed_alone_ignored(sums_first, lowering, *types):
    read = sums_first(lowering, *types)
    first = tuple(slice(1 if name in lowering.x_summed else None) for name in lowering.x_dims)
    return lambda x, y: read(x[first], y)


@planted("lower", check_sizes)
def sizes_unchecked_so_that_one_broadcasts(lower, *names):
    return replace(lower(*names), shared_axes=())


@planted("_checked", check_not_finite, readings)
def dims_summed_alone_before_the_product(checked, read, careful):
    return read


@planted("pull_back", check_gradients)
def a_cotangent_transposed(pull_back, cotangent, other, operand):
    right = pull_back(cotangent, other, operand)
    return right if right.shape != right.shape[::-1] else NamedTensor(right.data.T, right.dims)


@planted("pull_back", check_gradients)
def a_cotangent_of_the_wrong_sign(pull_back, cotangent, other, operand):
    right = pull_back(cotangent, other, operand)
    return NamedTensor(-right.data, right.dims)


@planted("pull_back", check_gradients)
def a_cotangent_divided_among_dims_summed_alone(pull_back, cotangent, other, operand):
    right = pull_back(cotangent, other, operand)
    alone = [size for name, size in operand.sizes.items() if name not in other.dims][:1]
    return NamedTensor(right.data / right.dtype.type(*alone or [1]), right.dims)


@planted("pull_back", check_gradients)
def a_cotangent_of_the_conjugate(pull_back, cotangent, other, operand):
    return pull_back(cotangent, NamedTensor(other.data.conj(), other.dims), operand)


@planted("pull_back", check_gradients)
def a_cotangent_in_the_dtype_of_the_output(pull_back, cotangent, other, operand):
    right = pull_back(cotangent, other, operand)
    return NamedTensor(right.data.astype(cotangent.dtype), right.dims)


@pytest.mark.parametrize(("module", "name", "fault", "check"), FAULTS.values(), ids=FAULTS)
def test_a_planted_fault_is_detected(module, name, fault, check, monkeypatch):
    check()
    monkeypatch.setattr(module, name, partial(fault, getattr(module, name)))
    with pytest.raises(AssertionError), few_up_to(readings.FEW):  # with no reading from before
        check()
