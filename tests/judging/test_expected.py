"""The oracle's answers to a case: its error, its values, its gradients."""

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings

import refdot as rd
from refdot.cases.case import DimArgument, DotCase, Operand
from refdot.cases.notation import dot_case
from refdot.cases.strategies import dot_cases
from refdot.judging.expected import (
    correct_gradient,
    correct_value,
    expected_answer,
    expected_error,
    unjudged_reason,
)
from refdot.tensor import NamedTensor

quickly = settings(max_examples=100, database=None, deadline=None, derandomize=True)
A, AB, BC = Operand(("a",), (2,)), Operand(("a", "b"), (2, 3)), Operand(("b", "c"), (3, 4))
CASE = DotCase(AB, BC)

ERRORS = {
    "none": (CASE, None),
    "R1": (DotCase(Operand(("a", "a"), (2, 2)), A), rd.DimNameError),
    "R2": (replace(CASE, dim=DimArgument("object", (5,))), rd.DimTypeError),
    "R3": (replace(CASE, dim=DimArgument("str", ("z",))), rd.DimNotFoundError),
    "R4": (DotCase(AB, Operand(("b",), (4,))), rd.SizeMismatchError),
    "R1 before R3": (
        DotCase(Operand(("",), (2,)), A, DimArgument("str", ("z",))),
        rd.DimNameError,
    ),
}


@pytest.mark.parametrize(("case", "error"), ERRORS.values(), ids=ERRORS)
def test_a_case_has_the_error_of_the_first_rule_that_it_breaks(case, error):
    assert type(expected_error(case)) is (error or type(None))


@given(dot_cases(valid=True))
@quickly
def test_an_answer_has_the_sizes_of_its_case(case):
    answer = expected_answer(case)
    assert answer.sizes == case.out_sizes
    assert list(answer.sizes) == list(case.out_sizes)
    correct = correct_value(case)
    assert (correct.dims, correct.dtype) == (answer.dims, answer.dtype)


@given(dot_cases(valid=True))
@quickly
def test_the_oracles_answer_is_correct_in_every_replicate(case):
    for replicate in range(2):
        answer = expected_answer(case, replicate)
        assert not correct_value(case, replicate).wrong(answer.data).any()


def test_replicates_differ():
    assert expected_answer(CASE) == expected_answer(CASE, 0) != expected_answer(CASE, 1)
    assert not correct_value(CASE).wrong(expected_answer(CASE, 0).data).any()
    assert correct_value(CASE).wrong(expected_answer(CASE, 1).data).any()


def test_cotangents_and_tangents_differ_from_each_other_and_between_replicates():
    case = DotCase(A, A, DimArgument("tuple"))
    tensors = [tensor for replicate in range(3) for tensor in case.cotangents(replicate)]
    assert case.cotangents() == case.cotangents(0)
    assert all(one != other for one, other in combinations(tensors, 2))


def test_a_gradient_uses_the_cotangent_of_its_replicate():
    x, y = CASE.tensors(1)
    cotangent, _, _ = CASE.cotangents(1)
    for operand, bar in zip("xy", rd.dot_vjp(x, y, cotangent), strict=True):
        assert not correct_gradient(CASE, 1, operand, 1).wrong(bar.data).any()
        assert correct_gradient(CASE, 1, operand, 0).wrong(bar.data).any()


def test_cotangents_have_the_shapes_and_dtypes_of_their_primals():
    case = DotCase(AB, replace(BC, dtype="float32"), DimArgument("str", ("b",)))
    cotangent, v, w = case.cotangents()
    assert [(t.sizes, str(t.dtype)) for t in (cotangent, v, w)] == [
        ({"a": 2, "c": 4}, "float64"),
        ({"a": 2, "b": 3}, "float64"),
        ({"b": 3, "c": 4}, "float32"),
    ]
    cotangent, v, w = DotCase(AB, AB, same_variable=True).cotangents()
    assert v == w
    for x_dtype, y_dtype, dtype in (
        ("float16", "float16", "float16"),
        ("float16", "float32", "float32"),
        ("float32", "float16", "float32"),
    ):
        case = DotCase(replace(AB, dtype=x_dtype), replace(BC, dtype=y_dtype))
        assert [str(t.dtype) for t in case.cotangents()] == [dtype, x_dtype, y_dtype]


GRADIENT_CASES = {
    "a matrix product": CASE,
    "a batch": DotCase(AB, AB, DimArgument("str", ("b",))),
    "summed alone": replace(CASE, dim=DimArgument("ellipsis")),
    "nothing summed": replace(CASE, dim=DimArgument("tuple")),
    "a scale": DotCase(AB, Operand((), ())),
}


def moved(tensor: NamedTensor, by: NamedTensor, step: int) -> NamedTensor:
    """Return `tensor + step * by`; the data are small integers, so nothing rounds."""
    return NamedTensor(tensor.data + step * by.data, tensor.dims)


@pytest.mark.parametrize("case", GRADIENT_CASES.values(), ids=GRADIENT_CASES)
def test_a_first_gradient_is_the_difference_quotient_of_the_answer(case):
    x, y = case.tensors()
    cotangent, v, w = case.cotangents()
    dim = case.dim.names
    for operand, step, at in (("x", v, lambda t: (moved(x, v, t), y)),
                              ("y", w, lambda t: (x, moved(y, w, t)))):  # fmt: skip
        gradient = correct_gradient(case, 1, operand).reference
        change = [(rd.dot(*at(t), dim).data * cotangent.data).sum() for t in (-1, 1)]
        assert float((gradient * step.data).sum()) == (change[1] - change[0]) / 2


@pytest.mark.parametrize("case", GRADIENT_CASES.values(), ids=GRADIENT_CASES)
def test_a_second_gradient_is_the_difference_quotient_of_the_first(case):
    x, y = case.tensors()
    cotangent, v, w = case.cotangents()
    dim = case.dim.names

    def paired(at_x, at_y):
        bars = rd.dot_vjp(at_x, at_y, cotangent, dim)
        return sum((bar.data * push.data).sum() for bar, push in zip(bars, (v, w), strict=True))

    for operand, step, at in (("x", v, lambda t: (moved(x, v, t), y)),
                              ("y", w, lambda t: (x, moved(y, w, t)))):  # fmt: skip
        gradient = correct_gradient(case, 2, operand).reference
        change = paired(*at(1)) - paired(*at(-1))
        assert float((gradient * step.data).sum()) == change / 2


@pytest.mark.parametrize("order", [1, 2])
def test_the_same_variable_has_the_sum_of_both_gradients(order):
    twice = DotCase(AB, AB, DimArgument("str", ("b",)), same_variable=True)
    x, _ = twice.tensors()
    cotangent, v, _ = twice.cotangents()
    at = x if order == 1 else v
    both = [bar.data for bar in rd.dot_vjp(at, at, cotangent, "b")]
    correct = correct_gradient(twice, order, "x")
    assert np.array_equal(np.asarray(correct.reference, float), both[0] + both[1])
    assert not correct.wrong(both[0] + both[1]).any()
    assert correct.wrong(both[0]).any()


def huge(dtype: str, **changes) -> DotCase:
    """Return a case whose sums are beyond the range of long doubles, if it has any."""
    operand = Operand(("a",), (50,), dtype)
    return replace(DotCase(operand, operand, regime="special"), **changes)


def test_only_sums_beyond_the_range_of_the_widest_dtype_are_not_judged():
    assert unjudged_reason(huge("longdouble")) == (
        f"sums beyond the range of {np.dtype('longdouble')}, which has no wider dtype"
    )
    judged = [
        *(huge(dtype) for dtype in ("float64", "complex128", "float16", "int8")),
        huge("longdouble", regime="rounding"),
        huge("longdouble", y=Operand(("a",), (49,), "longdouble")),  # an error
    ]
    assert {unjudged_reason(case) for case in judged} == {None}


def test_conjugating_gradients_are_derivatives_of_real_products():
    def real_product(a, b):
        return (a.data.conj() * b.data).real.sum()

    for dtypes in (("complex128", "complex128"), ("float64", "complex128")):
        of = dot_case("a:2 b:3", "b:3 c:4", dtypes=dtypes, regime="rounding", gradient_order=2)
        x, y = of.tensors()
        cotangent, v, w = of.cotangents()

        def gradient(order, operand, of=of):
            correct = correct_gradient(of, order, operand, conjugates=True)
            return NamedTensor(np.asarray(correct.reference, complex), correct.dims)

        # Products are linear in each operand, so a difference is a derivative.
        assert real_product(gradient(1, "x"), v) == pytest.approx(
            real_product(cotangent, rd.dot(v, y))
        )
        assert real_product(gradient(1, "y"), w) == pytest.approx(
            real_product(cotangent, rd.dot(x, w))
        )
        step = NamedTensor(w.data[::-1] * (1 + 0.5j), w.dims)
        first = rd.dot(cotangent, NamedTensor(step.data.conj(), step.dims))
        assert real_product(gradient(2, "y"), step) == pytest.approx(real_product(v, first))
