"""Programs run with NumPy's operations, and with another dim."""

import numpy as np
import pytest
from arithmetic import Plain, run

from refdot.programs.case import ProgramCase
from refdot.programs.interpretation import NUMPY, interpret
from refdot.programs.judgement import differences
from refdot.programs.named import PROGRAMS
from refdot.programs.notation import program
from refdot.programs.operations import OPERATIONS
from refdot.programs.random_programs import program_at
from refdot.programs.vectorization import vectorized
from refdot.tensor import NamedTensor

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")


def test_numpy_has_every_operation():
    assert NUMPY.keys() == OPERATIONS.keys()


@pytest.mark.parametrize("index", range(60))
def test_the_values_of_numpy_have_the_declared_types_and_are_correct(index):
    case = program_at(8, index)
    for whole in (case.program, *case.derivatives):
        values = case.values(whole)
        found = interpret(whole, values, NUMPY)
        names = [step.name for step in whole.steps]
        estimates = case.estimates(whole)
        assert not list(differences(names, estimates, [found[name] for name in names]))
        for name in names:
            operand = whole.types[name]
            assert found[name].dims == operand.dims
            assert found[name].shape == operand.shape
            assert found[name].dtype == operand.dtype


@pytest.mark.parametrize("index", range(40))
def test_a_vectorized_program_does_the_same_for_each_index(index):
    case = program_at(12, index)
    for whole in (case.program, *case.derivatives):
        together = vectorized(whole, "n", 3)
        replicates = [case.values(whole, replicate) for replicate in range(3)]
        stacked = {
            name: NamedTensor(np.stack([each[name].data for each in replicates]), operand.dims)
            for name, operand in together.inputs
        }
        found = run(together, stacked, Plain())
        for number, values in enumerate(replicates):
            alone = run(whole, values, Plain())
            for name in whole.outputs:
                np.testing.assert_allclose(found[name][number], alone[name], rtol=1e-6)


@pytest.mark.parametrize("name", PROGRAMS)
def test_some_inputs_of_a_program_may_get_a_dim(name):
    case = ProgramCase(PROGRAMS[name]())
    (first, _), *_ = case.program.inputs
    together = vectorized(case.program, "n", 3, [first])
    values = case.values(case.program)
    stacked = np.stack([values[first].data * factor for factor in (1, 2, 3)])
    more = {first: NamedTensor(stacked, together.types[first].dims)}
    found = interpret(together, values | more, NUMPY)
    (output,) = together.outputs
    rest = tuple(dim for dim in together.types[output].dims if dim != "n")
    assert rest == case.program.types[output].dims
    alone = interpret(case.program, values, NUMPY)[output].data
    np.testing.assert_allclose(found[output].isel(n=0).data, alone, rtol=1e-12)


def test_a_new_dim_is_static_where_all_others_are():
    text = program("x: float64(a: 2, b: 3?)\ny: float64(b: 3)\nr = dot(x, y)\nreturn r")
    types = vectorized(text, "n", 4).types
    assert (types["x"].static, types["y"].static) == ((False, True, False), (True, True))


def test_differences_name_the_rule_and_the_first_wrong_element():
    text = program("x: float64(a: 2, b: 3)\ny = scale(x, 2.0)\nreturn y")
    case = ProgramCase(text, "exact")
    estimates = case.estimates(text)
    right = interpret(text, case.values(text), NUMPY)["y"]
    wrong = right.data.copy()
    wrong[1, 2] += 1
    narrow = NamedTensor(right.data[:, :1], ("a", "b"))
    answers = {
        "y: R5 wrong-dims: expected ('a', 'b'), got ('b', 'a')": right.transpose("b", "a"),
        "y: R9 wrong-shape: expected (2, 3), got (2, 1)": narrow,
        "y: R7 wrong-dtype: expected float64, got float32": NamedTensor(
            right.data.astype("float32"), ("a", "b")
        ),
        f"y: R6 wrong-value: expected a=1, b=2: {right.data[1, 2]}, got a=1, b=2: {wrong[1, 2]}": (
            NamedTensor(wrong, ("a", "b"))
        ),
    }
    for expected, answer in answers.items():
        assert [str(each) for each in differences(["y"], estimates, [answer])] == [expected]
    assert not list(differences(["y"], estimates, [right]))


def test_a_softmax_of_integers_is_floating_point():
    values = {"x": NamedTensor(np.array([1, 1 + 2**62, 2**62]), "a")}
    found = interpret(program("x: int64(a: 3)\ny = softmax(x)\nreturn y"), values, NUMPY)
    assert found["y"].dtype == "float64"
    assert found["y"].data[0] == 0
