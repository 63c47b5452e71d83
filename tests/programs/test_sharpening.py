"""The sharper bounds of deep programs hold, and stay small where others grow."""

import numpy as np
import pytest
from arithmetic import Perturbed, Plain, Rearranged, run
from bound_table import UNIT, ratio

from refdot.programs.case import ProgramCase
from refdot.programs.evaluation import estimate
from refdot.programs.named import PROGRAMS, named_program
from refdot.programs.notation import program
from refdot.programs.random_programs import program_at
from refdot.programs.sharpening import sharpened
from refdot.tensor import NamedTensor

ARITHMETICS = (Plain(), Rearranged(), Perturbed(UNIT, 0), Perturbed(UNIT, 1))


def check(whole, values) -> float:
    """Check that correct answers are within the sharper bounds; return the largest ratio."""
    sharp = sharpened(whole, values)
    found = [
        ratio(run(whole, values, arithmetic)[name], sharp[name])
        for arithmetic in ARITHMETICS
        for name in whole.outputs
    ]
    assert max(found) <= 1
    return max(found)


def relative(estimates) -> float:
    """Return the largest bound relative to the largest element."""
    return max(float(e.bound.max() / np.abs(e.value).max()) for e in estimates.values())


@pytest.mark.parametrize("name", PROGRAMS)
def test_named_programs_and_their_gradients_are_within_the_sharper_bounds(name):
    case = ProgramCase(PROGRAMS[name](), gradient_order=1)
    for whole in (case.program, *case.derivatives):
        check(whole, case.values(whole))


@pytest.mark.parametrize("index", range(40))
def test_drawn_programs_are_within_the_sharper_bounds(index):
    case = program_at(9, index)
    if any(operand.dtype == "float32" for operand in case.program.types.values()):
        return
    for whole in (case.program, *case.derivatives):
        check(whole, case.values(whole))


@pytest.mark.parametrize("name", ["attention:layers=4", "transformer:layers=3"])
def test_the_loss_of_a_deep_network_has_a_small_bound(name):
    case = ProgramCase(named_program(name))
    values = case.values(case.program)
    assert relative(sharpened(case.program, values)) < 1e-11
    assert relative({"loss": estimate(case.program, values)["loss"]}) > 1e-8


def test_the_gradients_of_deep_attention_have_a_small_bound():
    case = ProgramCase(named_program("attention:layers=3"), gradient_order=1)
    (back,) = case.derivatives
    values = case.values(back)
    loose = estimate(back, values)
    assert relative({name: loose[name] for name in back.outputs}) > 1e-5
    assert relative(sharpened(back, values)) < 1e-9
    check(back, values)


def test_a_sharper_bound_is_reached():
    text = program("x: float64(a: 3)\ny = scale(x, 0.1)\nz = multiply(y, y)\nreturn z")
    values = {"x": NamedTensor([0.3, 0.7, 1.1], "a")}
    assert check(text, values) > 0.4


def test_bounds_that_are_not_small_and_exact_ones_are_kept():
    cancels = program(
        "x: float64(a: 1)\ny = scale(x, 0.1)\nz = scale(y, -1.0)\ns = add(y, z)\nreturn s"
    )
    values = {"x": NamedTensor([0.3], "a")}
    assert sharpened(cancels, values)["s"].bound == estimate(cancels, values)["s"].bound
    exact = ProgramCase(named_program("gram"), "exact")
    values = exact.values(exact.program)
    assert not sharpened(exact.program, values)["gram"].bound.any()


def test_what_is_not_judged_stays_so():
    text = program("x: float64(a: 2)\ny = exp(x)\nz = scale(y, 0.1)\nreturn z")
    values = {"x": NamedTensor([1.0, 800.0], "a")}
    assert sharpened(text, values)["z"].judged.tolist() == [True, False]


def test_outputs_of_many_elements_keep_their_bounds():
    text = program("x: float64(a: 1001)\ny = scale(x, 0.1)\nz = multiply(y, y)\nreturn z")
    values = {"x": NamedTensor(np.linspace(0.1, 0.2, 1001), "a")}
    assert (sharpened(text, values)["z"].bound == estimate(text, values)["z"].bound).all()
