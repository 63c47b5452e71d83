"""The test cases of programs: their numbers, their derivatives and their text."""

from dataclasses import replace

import numpy as np
import pytest

from refdot.programs.case import PROGRAM_REGIMES, ProgramCase
from refdot.programs.notation import program

TEXT = """
x: float64(a: 2, b: 3?)
c: float64 constant(b: 3)
i: int64(b: 3)
s: float64 shared ones(b: 3)
y = dot(x, c)
z = multiply(y, y)
w = add(i, i)
v = dot(y, x)
u = add(v, s)
return z, w, u
"""


@pytest.fixture
def case():
    return ProgramCase(program(TEXT), "rounding", seed=3, gradient_order=2)


def test_a_case_prints_with_what_is_not_the_default(case):
    assert str(case).endswith("return z, w, u  [rounding, seed 3, second gradient]")
    assert str(ProgramCase(case.program)) == str(case.program)


def test_only_floating_point_inputs_that_are_no_constants_have_gradients(case):
    assert case.differentiable == ("x", "s")


def test_the_first_derivatives_pull_a_cotangent_of_each_floating_point_output_back(case):
    first, second = case.derivatives
    names = ["x", "c", "i", "s", "z_bar", "u_bar"]
    assert [name for name, _ in first.inputs] == names
    assert [first.types[name].dims for name in first.outputs] == [("a", "b"), ("b",)]
    assert [name for name, _ in second.inputs][:6] == names
    assert [second.types[name].dims for name in second.outputs] == [("a", "b"), ("b",)]


def test_programs_without_gradients_have_no_derivatives():
    ints = program("i: int64(a: 2)\nj = add(i, i)\nreturn j")
    constant = program("c: float64 constant(a: 2)\nd = exp(c)\nreturn d")
    assert ProgramCase(ints, gradient_order=1).derivatives == ()
    assert ProgramCase(constant, gradient_order=2).derivatives == ()


def test_replicates_have_other_numbers_except_in_constants(case):
    one, other = case.values(case.program), case.values(case.program, 1)
    equal = {name for name in one if one[name] == other[name]}
    assert equal == {"c", "s"}
    assert one["x"] == case.values(case.derivatives[0])["x"]


@pytest.mark.parametrize("regime", PROGRAM_REGIMES)
def test_values_have_the_types_of_the_inputs_and_cotangents_are_finite(regime, case):
    case = ProgramCase(case.program, regime, gradient_order=1)
    (first,) = case.derivatives
    for name, tensor in case.values(first).items():
        operand = first.types[name]
        assert (tensor.dims, tensor.shape, tensor.dtype) == (
            operand.dims,
            operand.shape,
            operand.dtype,
        )
        if name.endswith("_bar"):
            assert np.isfinite(tensor.data).all()
            assert np.abs(tensor.data).max() <= 2.0**13


def test_large_numbers_are_large():
    case = ProgramCase(program("x: float64(a: 200)\ny = exp(x)\nreturn y"), "large")
    values = case.values(case.program)["x"].data
    assert 900 < values.max() <= 1000
    assert -1000 <= values.min() < -900
    assert not case.estimates(case.program)["y"].judged.all()


def test_gradients_with_respect_to_outputs_that_others_use_have_all_their_paths():
    whole = program("x: float64(a: 2)\ny = scale(x, 3)\nz = multiply(y, x)\nreturn y, z")
    case = ProgramCase(whole, gradient_order=1, built="intermediates")
    assert case.differentiable == ("x", "y")
    assert replace(case, built="plain").differentiable == ("x",)
    (derivative,) = case.derivatives
    values = case.values(derivative)
    x, y_bar, z_bar = (values[name].data for name in ("x", "y_bar", "z_bar"))
    of_x, of_y = (case.estimates(derivative)[name].value for name in derivative.outputs)
    np.testing.assert_allclose(of_y, y_bar + z_bar * x)
    np.testing.assert_allclose(of_x, 3 * (y_bar + z_bar * x) + z_bar * 3 * x)


def test_intermediate_values_have_first_gradients_and_no_names_of_other_values():
    text = "x: float64(a: 2)\ny = exp(x)\nw = rename(y, a='b')\nu = exp(w)\nv = exp(y)\n"
    case = ProgramCase(program(f"{text}return y, w, u, v"), gradient_order=2, built="intermediates")
    assert case.differentiable == ("x", "y")
    assert len(case.derivatives) == 1
