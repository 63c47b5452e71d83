"""The bounds on the errors of programs hold, and are not much larger than they must be."""

import numpy as np
import pytest
from arithmetic import Plain, Unstable, run
from bound_table import ratios, table

from refdot.judging.rounding import correct_answers
from refdot.programs.case import ProgramCase
from refdot.programs.estimates import Precision
from refdot.programs.evaluation import estimate
from refdot.programs.named import PROGRAMS
from refdot.programs.notation import program
from refdot.programs.random_programs import program_at
from refdot.tensor import NamedTensor

# Where an operation rounds, the largest errors of the perturbed arithmetic reach the bound.
TIGHT = {"add", "dot", "divide", "multiply", "scale", "subtract", "sum"}


def of(steps: str, **values: object):
    """Return the estimate of `r` after some steps, for inputs that are numbers or have a dim a."""
    tensors = {
        name: NamedTensor(value, "a" if np.ndim(value) else ()) for name, value in values.items()
    }
    inputs = [
        f"{name}: {tensor.dtype}({', '.join(f'{d}: {s}' for d, s in tensor.sizes.items())})"
        for name, tensor in tensors.items()
    ]
    lines = [line.strip() for line in steps.split(";")]
    last = lines[-1].partition(" =")[0]
    whole = program("\n".join([*inputs, *lines, f"return {last}"]))
    return estimate(whole, tensors)[last]


def test_every_correct_arithmetic_is_within_the_bounds_and_some_are_near_them():
    steps, worst = table(100)
    assert steps.total() > 1000
    assert max(worst.values()) <= 1
    for operation in TIGHT:
        assert worst[operation, "perturbed"] > 0.3, operation


@pytest.mark.deep
@pytest.mark.parametrize("seed", range(1, 9))
def test_every_correct_arithmetic_is_within_the_bounds_of_100_000_steps(seed):
    steps, worst = table(1500, seed)
    assert steps.total() > 13_000
    assert max(worst.values()) <= 1


@pytest.mark.parametrize("name", PROGRAMS)
def test_named_programs_and_their_gradients_are_within_the_bounds(name):
    case = ProgramCase(PROGRAMS[name](), gradient_order=1)
    assert max(ratio for _, _, ratio in ratios(case)) <= 1


@pytest.mark.parametrize("dim", ["None", "'b'", "('a', 'b')", "()"])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_the_bound_of_one_dot_is_that_of_a_case(dim, dtype):
    text = f"x: {dtype}(a: 3, b: 4)\ny: {dtype}(b: 4, c: 2)\nr = dot(x, y, dim={dim})\nreturn r"
    case = ProgramCase(program(text))
    values = case.values(case.program)
    result = case.estimates(case.program)["r"]
    own = np.finfo(dtype)
    correct = correct_answers(values["x"], values["y"], case.program.steps[0].parameter)
    expected = correct.bound(own)
    assert result.bound.astype(float) == pytest.approx(expected.astype(float), rel=1e-3)
    assert result.value.astype(float) == pytest.approx(correct.reference.astype(float))


# Exact programs


def test_a_program_of_small_integers_is_exact():
    text = """
    x: float64(a: 3, b: 4)
    w: float64(b: 4, c: 2)
    h = dot(x, w)
    g = add(h, x)
    s = power(g, 2)
    q = scale(s, 0.25)
    n = negative(q)
    r = sum(n, dim="b")
    return r
    """
    case = ProgramCase(program(text), "exact")
    result = case.estimates(case.program)["r"]
    assert not result.bound.any()
    answer = run(case.program, case.values(case.program), Plain())["r"]
    assert not result.wrong(answer).any()
    assert result.wrong(np.nextafter(answer, np.inf)).all()


def test_integers_that_need_more_bits_than_there_are_round():
    assert of("r = multiply(x, y)", x=[2.0**27 + 1], y=[2.0**25]).bound.tolist() == [0]
    assert of("r = multiply(x, y)", x=[2.0**27 + 1], y=[2.0**27 + 1]).bound[0] > 0
    assert of("r = sum(x)", x=[2.0**53, 1.0]).bound > 0
    assert of("r = scale(x, 0.1)", x=[10.0]).bound[0] > 0


def test_an_integer_dtype_wraps_and_is_exact():
    largest = np.iinfo("int64").max
    result = of("r = add(x, y)", x=np.array([largest]), y=np.array([1]))
    assert result.value.tolist() == [-largest - 1]
    assert not result.wrong(np.array([-largest - 1])).any()
    assert result.wrong(np.array([-largest])).all()


def test_a_byte_swapped_integer_is_computed_with():
    result = of("s = add(x, x); r = sum(s)", x=np.array([1, 2], "int64"))
    swapped = {"x": NamedTensor(np.array([1, 2], ">i8"), "a")}
    text = program("x: int64(a: 2)\ns = add(x, x)\nr = sum(s)\nreturn r")
    assert estimate(text, swapped)["r"].value == result.value == 6


def test_an_integer_is_rounded_when_it_becomes_floating_point():
    assert of("r = scale(x, 1.0)", x=np.array([2**53, 2**53 + 1])).bound.tolist()[0] == 0
    assert of("r = scale(x, 1.0)", x=np.array([2**53, 2**53 + 1])).bound[1] >= 1


# Softmax


@pytest.mark.parametrize("scores", [[600, 598.5, 0.1], [700, 1, 2], [-600, -799, -602]])
def test_both_formulas_of_softmax_are_correct_while_exp_does_not_overflow(scores):
    text = program("x: float64(a: 3)\nr = softmax(x)\nreturn r")
    values = {"x": NamedTensor(np.array(scores, float), "a")}
    for arithmetic in (Plain(), Unstable()):
        assert not estimate(text, values)["r"].wrong(run(text, values, arithmetic)["r"]).any()


@pytest.mark.parametrize("scores", [[710.0, 709.5, 1.0], [-750.0, -800.0, -746.0]])
def test_past_the_point_where_exp_overflows_only_the_stable_softmax_is_correct(scores):
    text = program("x: float64(a: 3)\nr = softmax(x)\nreturn r")
    values = {"x": NamedTensor(scores, "a")}
    result = estimate(text, values)["r"]
    assert result.judged.all()
    assert not result.wrong(run(text, values, Plain())["r"]).any()
    assert result.wrong(run(text, values, Unstable())["r"]).any()


def test_softmax_of_masked_scores_keeps_its_digits():
    assert of("r = softmax(x)", x=[1.0, 2.0, -1e9]).bound.max() < 1e-14


# Rearrangements


def test_a_sum_that_cancels_may_be_added_in_another_order():
    result = of("s = add(x, y); r = add(s, z)", x=[1e16], y=[-1e16], z=[1.2])
    assert not result.wrong(np.array([(1e16 + 1.2) - 1e16])).any()
    assert not result.wrong(np.array([1.2])).any()
    assert result.wrong(np.array([7.2])).all()


def test_a_dot_may_be_added_to_as_its_first_term():
    x, y, start = [0.1] * 8, [0.3] * 8, 1e5
    total = start
    for one, other in zip(x, y, strict=True):
        total += one * other
    result = of("d = dot(x, y); r = add(d, z)", x=x, y=y, z=start)
    assert not result.wrong(np.array(total)).any()


def test_exponentials_may_be_merged():
    result = of("p = exp(x); q = exp(y); r = multiply(p, q)", x=[300.3], y=[-299.9])
    assert not result.wrong(np.exp(np.array([300.3 - 299.9]))).any()


def test_an_exact_factor_may_be_multiplied_last():
    x = np.array([0.6232450604438782, 0.1, 0.7], "float32")
    product = of("y = scale(s, 3.0); r = dot(y, x)", s=np.float32(5), x=x)
    first, last = (x * np.float32(3)) * np.float32(5), x * np.float32(15)
    assert (first != last).any()
    assert not product.wrong(first).any()
    assert not product.wrong(last).any()
    assert product.wrong(last * np.float32(1 + 1e-6)).all()


def test_a_factor_may_be_moved_into_a_sum():
    x, y, z = 1.1e10, -1.1e10 + 3.3, 3.7
    result = of("s = add(x, y); r = multiply(s, z)", x=[x], y=[y], z=[z])
    assert x * z + y * z != (x + y) * z
    assert not result.wrong(np.array([x * z + y * z])).any()
    assert result.wrong(np.array([12.2101])).all()


# What is not judged


@pytest.mark.parametrize(
    ("steps", "values"),
    {
        "r = exp(x)": [710.0],
        "r = exp(x) ": [np.nan],
        "r = scale(x, 2)": [np.inf],
        "r = scale(x, 4)": [1e308],
        "r = power(x, -1)": [0.0],
        "r = power(x, -0.5)": [-1.0],
        "y = scale(x, 0); r = divide(x, y)": [1.0],
        "y = negative(x); z = scale(x, 1.1); w = scale(y, 1.1); d = add(z, w); r = divide(x, d)": [
            0.3
        ],
        "r = softmax(x)": [np.nan],
    }.items(),
)
def test_what_may_overflow_or_divide_by_0_is_not_judged(steps, values):
    result = of(steps, x=values)
    assert not result.judged.any()
    for answer in (np.nan, np.inf, 0.0):
        assert not result.wrong(np.array([answer])).any()


def test_only_the_elements_that_depend_on_a_nan_are_not_judged():
    result = of("y = multiply(x, x); r = exp(y)", x=[1.0, np.nan, 2.0])
    assert result.judged.tolist() == [True, False, True]


def test_an_answer_that_is_not_finite_is_wrong_where_a_number_is_expected():
    for answer in (np.nan, np.inf, -np.inf):
        assert of("r = exp(x)", x=[1.0]).wrong(np.array([answer])).all()


# Precision


def test_float32_is_judged_by_its_own_precision():
    result = of("r = multiply(x, x)", x=np.array([0.1], "float32"))
    exact = float(np.float32(0.1)) ** 2
    assert not result.wrong(np.array([exact * (1 + 2.0**-25)], "float64")).any()
    assert result.wrong(np.array([exact * (1 + 2.0**-22)])).all()


def test_an_answer_in_a_narrower_dtype_may_be_rounded_once_more():
    result = of("r = multiply(x, x)", x=[0.1])
    assert not result.wrong(np.array([0.1 * 0.1], "float32")).any()
    assert result.wrong(np.array([0.1 * 0.1 + 1e-8], "float32")).all()


def test_a_backend_of_less_precision_has_larger_bounds():
    text = program("x: float64(a: 2)\nr = dot(x, x)\nreturn r")
    values = {"x": NamedTensor([0.1, 0.2], "a")}
    fine, coarse = (estimate(text, values, unit)["r"].bound for unit in (0.0, 2.0**-11))
    assert coarse > 1e12 * fine
    assert Precision.of(np.dtype("float32"), 2.0**-11).digits == 11


def test_the_inputs_are_not_written_to():
    case = program_at(0, 3)
    values = case.values(case.program)
    before = {name: tensor.data.copy() for name, tensor in values.items()}
    estimate(case.program, values)
    for name, tensor in values.items():
        np.testing.assert_array_equal(tensor.data, before[name])
