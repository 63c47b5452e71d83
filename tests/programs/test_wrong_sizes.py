"""Sizes that break R4 in a program are found, and others are not."""

import pytest
from test_programs import case_of

from refdot.errors import SizeMismatchError
from refdot.programs.findings import signature
from refdot.programs.judgement import Difference
from refdot.programs.program import Program
from refdot.programs.smoke import smoke_programs
from refdot.programs.wrong_sizes import WrongSize, wrong_sizes


def of(text: str) -> list[WrongSize]:
    return list(wrong_sizes(case_of(text).program))


def test_each_breaks_the_rule():
    found = [
        (case.program, wrong) for case in smoke_programs() for wrong in wrong_sizes(case.program)
    ]
    assert len(found) > 400
    for program, wrong in found:
        with pytest.raises(SizeMismatchError):
            Program(wrong.inputs(program), program.steps, program.outputs)


def test_a_dim_that_no_other_value_has_may_have_any_size():
    assert of(
        "x: float64(a: 2?, b: 3?); y: float64(b: 3?); z = dot(x, y); w = exp(z); return w"
    ) == [
        WrongSize(name, "b", size, is_static)
        for name in "xy"
        for size in (4, 1)
        for is_static in (False, True)
    ]


def test_renamed_dims_are_others():
    assert (
        of("x: float64(a: 2?); y: float64(b: 2?); z = rename(y, b='c'); w = dot(x, z); return w")
        == []
    )


def test_size_1_is_compared_with_larger_sizes():
    found = of("x: float64(a: 1?); y: float64(a: 1?); z = add(x, y); return z")
    assert {wrong.size for wrong in found} == {2}


def test_a_static_size_is_wrong_before_a_call():
    found = of("x: float64(a: 3); y: float64(a: 3?); z = add(x, y); return z")
    assert [wrong.is_static for wrong in found if wrong.input == "x"] == [True, True]


def test_the_size_of_a_constant_is_right():
    found = of("x: float64 constant(a: 3); y: float64(a: 3?); z = add(x, y); return z")
    assert {wrong.input for wrong in found} == {"y"}


def test_a_step_that_no_output_needs_has_no_sizes():
    assert of("x: float64(a: 3?); y: float64(a: 3?); z = add(x, y); w = exp(x); return w") == []


def test_a_size_that_breaks_another_rule_is_left_out():
    text = "x: float64(a: 3?); y: float64(a: 3?); w = isel(x, a=2); z = add(x, y); return z, w"
    assert {wrong.size for wrong in of(text) if wrong.input == "x"} == {4}


def test_sizes_of_each_kind_have_a_signature():
    found = of("x: float64(a: 3?); y: float64(a: 3?); z = add(x, y); return z")
    accepted = [
        Difference(each.input, "R4", "accepted-invalid", "an error", f"none for {each}")
        for each in found
    ]
    assert {signature(each) for each in accepted} == {
        f"R4 accepted-invalid: {size}"
        for size in ("size n", "size 1", "static size n", "static size 1")
    }
