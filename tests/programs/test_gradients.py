"""Gradients of programs, against central differences in numbers of 50 digits."""

import numpy as np
import pytest
from arithmetic import CONTEXT, Exact, Plain, run

from refdot.errors import NoGradientError
from refdot.programs.case import ProgramCase
from refdot.programs.gradients import gradient, pushforward
from refdot.programs.named import PROGRAMS
from refdot.programs.notation import program
from refdot.programs.program import Program
from refdot.tensor import NamedTensor

INPUTS = "x: float64(a: 2, b: 3)\ny: float64(b: 3?, c: 2?)\nz: float64(b: 3, a: 2)"
# For each operation, and for values that are used twice.
STEPS = {
    "dot": "r = dot(x, y)",
    "dot over dims of one operand": "r = dot(x, y, dim=('a', 'b', 'c'))",
    "dot that keeps every dim": "r = dot(y, x, dim=())",
    "dot of a value with itself": "r = dot(x, x, dim='a')",
    "dot under two names": "w = rename(x, a='c')\nr = dot(x, w, dim='b')",
    "add": "r = add(x, y)",
    "add of a value to itself": "r = add(x, x)",
    "subtract": "r = subtract(y, x)",
    "subtract of a value from itself": "r = subtract(x, x)",
    "multiply": "r = multiply(y, x)",
    "divide": "r = divide(x, y)",
    "divide by itself transposed": "r = divide(x, z)",
    "negative": "r = negative(x)",
    "exp": "r = exp(x)",
    "square": "r = power(x, 2)",
    "cube": "r = power(x, 3)",
    "reciprocal": "r = power(x, -1)",
    "inverse root": "s = power(x, 2)\nr = power(s, -0.5)",
    "scale": "r = scale(x, 0.3)",
    "sum": "r = sum(x)",
    "sum over a dim": "r = sum(x, dim='a')",
    "softmax": "r = softmax(x)",
    "softmax over a dim": "r = softmax(x, dim='b')",
    "transpose": "r = transpose(x, 'b', 'a')",
    "rename that exchanges": "w = rename(x, a='b', b='a')\nr = exp(w)",
    "isel": "r = isel(x, b=1)",
    "isel of two dims, one from the end": "r = isel(x, b=-1, a=0)",
    "broadcast_like": "w = sum(x, dim='a')\nr = broadcast_like(w, y)",
    "place": "w = isel(x, b=1)\nv = exp(w)\nr = place(v, x, b=2)",
    "a value used twice": "p = exp(x)\nq = multiply(p, x)\nr = add(p, q)",
    "a result that no input reaches": "w = exp(z)\nr = scale(w, 2)",
}


def one(name: str) -> Program:
    return program(f"{INPUTS}\n{STEPS[name]}\nreturn r")


def values_of(program_: Program) -> dict[str, NamedTensor]:
    return ProgramCase(program_, seed=5).values(program_)


def difference(program_: Program, values, tangents) -> dict[str, np.ndarray]:
    """Return the derivative of every value in a direction, by a central difference."""
    step = CONTEXT.mpf(10) ** -20

    def moved(sign):
        exact = Exact()
        shifted = {
            name: NamedTensor(
                exact.number(tensor.data, "float64")
                + (
                    sign * step * exact.number(tangents[name].data, "float64")
                    if name in tangents
                    else 0
                ),
                tensor.dims,
            )
            for name, tensor in values.items()
        }
        return run(program_, shifted, exact)

    ahead, behind = moved(1), moved(-1)
    return {name: np.asarray((ahead[name] - behind[name]) / (2 * step)) for name in ahead}


def check_gradient(program_: Program, of: str, inputs: tuple[str, ...]) -> None:
    """Check that ⟨cotangent, derivative in a direction⟩ = ⟨gradient, direction⟩."""
    back = gradient(program_, of, inputs)
    values = values_of(back)
    tangents = {name: NamedTensor(values[name].data + 0.5, values[name].dims) for name in inputs}
    known = {name for name, _ in program_.inputs}
    (bar,) = (name for name, _ in back.inputs if name not in known)
    derivative = difference(program_, {name: values[name] for name in known}, tangents)[of]
    expected = np.sum(derivative * values[bar].data)
    exact = run(back, values, Exact())
    got = sum(
        np.sum(exact[output] * tangents[name].data)
        for name, output in zip(inputs, back.outputs, strict=True)
    )
    assert abs(got - expected) <= 1e-30 * (1 + abs(expected))
    for name, output in zip(inputs, back.outputs, strict=True):
        assert back.types[output].dims == program_.types[name].dims
        assert back.types[output].shape == program_.types[name].shape


@pytest.mark.parametrize("name", STEPS)
def test_the_gradient_of_an_operation_is_its_derivative(name):
    check_gradient(one(name), "r", ("x", "y"))


@pytest.mark.parametrize("name", STEPS)
def test_the_gradient_of_a_gradient_is_its_derivative(name):
    first = gradient(one(name), "r", ("x", "y"))
    for output in dict.fromkeys(first.outputs):
        check_gradient(first, output, ("x", "y", "r_bar"))


@pytest.mark.parametrize("name", PROGRAMS)
def test_the_gradients_of_named_programs_are_their_derivatives(name):
    whole = PROGRAMS[name]()
    (of,) = whole.outputs
    check_gradient(whole, of, ProgramCase(whole).differentiable)


@pytest.mark.parametrize("name", STEPS)
def test_the_pushforward_is_the_derivative_in_a_direction(name):
    forward = pushforward(one(name), "r", ("x", "y"))
    values = values_of(forward)
    assert [name for name, _ in forward.inputs] == ["x", "y", "z", "x_dot", "y_dot"]
    own = {name: values[name] for name in "xyz"}
    tangents = {name: values[f"{name}_dot"] for name in "xy"}
    expected = difference(one(name), own, tangents)["r"]
    got = run(forward, values, Exact())[forward.outputs[0]]
    assert forward.types[forward.outputs[0]].dims == one(name).types["r"].dims
    assert np.all(abs(got - expected) <= 1e-30 * (1 + abs(expected)))


def test_gradients_of_several_values_add_up():
    both = program("x: float64(a: 2)\nr = exp(x)\ns = scale(x, 3.0)\nreturn r, s")
    back = gradient(both, ("r", "s"), "x")
    assert [name for name, _ in back.inputs] == ["x", "r_bar", "s_bar"]
    exact = run(back, values_of(back), Plain())
    values = values_of(back)
    expected = values["r_bar"].data * np.exp(values["x"].data) + 3 * values["s_bar"].data
    assert exact[back.outputs[0]] == pytest.approx(expected)


def test_a_value_given_twice_has_two_cotangents():
    back = gradient(program("x: float64(a: 2)\nr = exp(x)\nreturn r"), ("r", "r"), "x")
    assert [name for name, _ in back.inputs] == ["x", "r_bar", "r_bar_2"]


def test_the_gradient_with_respect_to_a_result_stops_there():
    chain = program("x: float64(a: 2)\nr = exp(x)\ns = exp(r)\nreturn s")
    back = gradient(chain, "s", "r")
    assert str(back.steps[-1]) == "r_bar = multiply(s_bar, s)"


def test_integers_have_no_gradient():
    ints = program("n: int64(a: 2)\nx: float64(a: 2)\nr = multiply(n, x)\nm = sum(n)\nreturn r, m")
    for of, to, name in (("r", "n", "n"), ("m", "x", "m")):
        with pytest.raises(NoGradientError) as caught:
            gradient(ints, of, to)
        assert str(caught.value) == f"{name} has no gradient: its dtype int64 is not continuous"
    assert len(gradient(ints, "r", "x").outputs) == 1


def test_a_gradient_prints_and_is_read_again():
    for name in STEPS:
        back = gradient(one(name), "r", ("x", "y"))
        assert program(str(back)) == back
