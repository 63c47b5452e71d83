"""Known deviations of forward mode: tangents that are lost, and faults that look like these."""

from __future__ import annotations

import pytensor
import pytest
from test_program_deviations import causes
from test_programs import case_of

from refdot.pytensor.programs import graph as graphs


def test_a_tangent_that_is_doubled_is_new(monkeypatch):
    case = case_of(
        "x: float64(a: 2); y: float64(a: 2); v = dot(x, y); return v",
        gradient_order=1,
        built="forward",
    )
    pushforward = graphs.pushforward
    monkeypatch.setattr(
        graphs, "pushforward", lambda *args, **kw: [2 * each for each in pushforward(*args, **kw)]
    )
    assert causes(case) == [("wrong-gradient", None)]


def test_a_tangent_through_an_output_that_is_another_name_of_a_value_is_lost():
    case = case_of(
        "x: float64(); v = dot(x, x); y = sum(v); z = dot(v, x); return y, z",
        gradient_order=1,
        built="forward",
    )
    assert causes(case, "inlined") == [("wrong-gradient", "tangents-replace-each-other")]


@pytest.mark.parametrize("name", ["pullback", "pushforward_through_pullback"])
@pytest.mark.parametrize(
    "text",
    [
        "x: float64(a: 2); y: float64(a: 2); v = dot(x, y); return v",
        # Here, a tangent is lost as well.
        "x: float64(); v = dot(x, x); y = sum(v); z = dot(v, x); return y, z",
    ],
)
def test_a_fault_in_what_pushes_tangents_forward_is_new(monkeypatch, name, text):
    function = getattr(pytensor.gradient, name)
    monkeypatch.setattr(
        pytensor.gradient, name, lambda *args, **kw: [2 * each for each in function(*args, **kw)]
    )
    case = case_of(text, gradient_order=1, built="forward")
    assert {*causes(case)} == {("wrong-gradient", None)}


def test_a_pushed_tangent_that_is_doubled_is_new(monkeypatch):
    text = "x: float64(a: 2); y = power(x, 2); return y"
    case = case_of(text, gradient_order=1, built="pushforward")
    push = graphs.pushforward
    monkeypatch.setattr(
        graphs, "pushforward", lambda *args, **kw: [2 * each for each in push(*args, **kw)]
    )
    assert causes(case, backend="python-minimum") == [("wrong-gradient", None)]


def test_a_connected_tangent_of_another_dtype_is_new(monkeypatch):
    case = case_of(
        "x: float32(a: 2); y: float32(a: 2); v = dot(x, y); return v",
        gradient_order=1,
        built="forward",
    )
    assert causes(case) == []
    push = graphs.pushforward
    monkeypatch.setattr(
        graphs, "pushforward", lambda *args, **kw: [t.astype("float64") for t in push(*args, **kw)]
    )
    assert causes(case) == [("wrong-gradient", None)]
