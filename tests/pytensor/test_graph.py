"""PyTensor graphs of a case: static sizes, and gradients."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytensor
import pytest
from pytensor.compile.mode import Mode

from refdot.cases.case import CALLS
from refdot.cases.notation import dot_case
from refdot.judging.expected import correct_gradient
from refdot.pytensor.target import graph

PYTHON = Mode(linker="py", optimizer="fast_run")
MATRICES = dot_case("a? b?", "b? c?")


@pytest.mark.parametrize(
    ("x_static", "y_static", "shape"),
    [
        ((False, False), (False, False), (None, None)),
        ((True, True), (True, True), (2, 4)),
        ((True, False), (False, False), (2, None)),
        ((False, True), (False, True), (None, 4)),
    ],
)
def test_only_the_sizes_that_a_case_marks_are_static(x_static, y_static, shape):
    x, y = replace(MATRICES.x, static=x_static), replace(MATRICES.y, static=y_static)
    built = graph.build(replace(MATRICES, x=x, y=y))
    assert [variable.type.shape for variable in built.inputs] == [x.static_shape, y.static_shape]
    assert built.out.type.shape == shape
    assert graph.lower(built).type.shape == shape


@pytest.mark.parametrize("call", CALLS)
def test_function_method_and_operator_build_the_same_type(call):
    out = graph.build(replace(MATRICES, call=call)).out
    assert (out.type.dims, out.type.dtype) == (("a", "c"), "float64")


def test_the_same_variable_twice_is_one_input():
    built = graph.build(dot_case("a? b?", "a? b?", "a", same_variable=True))
    assert [variable.name for variable in built.inputs] == ["x"]
    assert [operand.owner.inputs[0] for operand in built.out.owner.inputs] == built.inputs * 2


def test_the_same_variable_under_other_names_is_renamed():
    built = graph.build(dot_case("a:3? b?", "b? c:3?", same_variable=True))
    assert [variable.name for variable in built.inputs] == ["x"]
    x, renamed = built.out.owner.inputs
    assert renamed.owner.inputs == [x]
    assert (x.type.dims, renamed.type.dims) == (("a", "b"), ("b", "c"))


def test_a_constant_and_a_shared_variable_are_no_inputs():
    case = dot_case("a? b?", "b? c", origin=("constant", "shared"))
    built = graph.build(case)
    assert built.inputs == []
    assert [*built.differentiable] == ["y"]
    x, y = built.variables.values()
    assert np.array_equal(x.data, case.arrays()[0])
    assert np.array_equal(y.get_value(), case.arrays()[1])
    assert (x.type.shape, y.type.shape) == ((2, 3), (None, 4))


def test_a_shared_variable_gets_the_values_of_each_replicate():
    case = dot_case("a? b?", "b? c", origin=("constant", "shared"), layout="fortran")
    built = graph.build(case)
    for replicate in range(2):
        memory = built.memory(case, replicate)
        assert built.arguments(memory) == []
        for array, expected in zip(memory, case.arrays(replicate), strict=True):
            assert np.array_equal(array, expected)
            assert array.strides == expected.strides
        assert memory[1] is built.variables["y"].get_value(borrow=True)


def test_only_inputs_are_arguments_of_a_call():
    case = dot_case("a? b?", "b? c", origin=("shared", "input"))
    built = graph.build(case)
    memory = built.memory(case, 0)
    [argument] = built.arguments(memory)
    assert argument is memory[1]


def test_the_same_array_is_two_inputs():
    case = dot_case("a? b?", "c:2? b:3?", same_array=True)
    built = graph.build(case)
    assert len(built.inputs) == 2
    x, y = built.arguments(built.memory(case, 0))
    assert x is y


@pytest.mark.parametrize(
    "case",
    [
        MATRICES,
        dot_case("a:3? b?", "b? c:3?", "b", same_variable=True),
        dot_case("a? b?", "a? b?", "a", same_variable=True),
        dot_case("a? b?", "b? c?", ("a", "b")),
    ],
    ids=str,
)
def test_gradients_agree_with_the_oracle(case):
    built = graph.build(case)
    lowered = graph.lower(built)
    cotangent = lowered.type("cotangent")
    first = graph.gradients({lowered: cotangent}, built.inputs)
    tangents = [gradient.type() for gradient in first]
    second = graph.gradients(dict(zip(first, tangents, strict=True)), built.inputs)
    arrays = case.arrays()[: len(built.inputs)]
    cotangents = [tensor.data for tensor in case.cotangents()][: 1 + len(arrays)]
    with pytensor.config.change_flags(cxx="", mode=PYTHON):
        inputs = [*built.inputs, cotangent, *tangents]
        function = pytensor.function(inputs, first + second, mode=PYTHON, on_unused_input="ignore")
        answers = function(*arrays, *cotangents)
    names = "x" if case.same_variable else "xy"
    labels = [(order, name) for order in (1, 2) for name in names]
    for (order, name), answer in zip(labels, answers, strict=True):
        correct = correct_gradient(case, order, name)
        assert answer.shape == (case.x if name == "x" else case.y).shape
        assert not correct.wrong(np.asarray(answer)).any()


def test_a_gradient_that_does_not_depend_on_an_operand_is_zero():
    # The first gradient of x depends on y, but not on x.
    built = graph.build(MATRICES)
    lowered = graph.lower(built)
    [x_bar, _] = graph.gradients({lowered: lowered.type("cotangent")}, built.inputs)
    [second] = graph.gradients({x_bar: x_bar.type()}, built.inputs[:1])
    mode = Mode(linker="py", optimizer=None)
    with pytensor.config.change_flags(cxx=""):
        function = pytensor.function(built.inputs, second, mode=mode, on_unused_input="ignore")
    assert not function(*MATRICES.arrays()).any()
