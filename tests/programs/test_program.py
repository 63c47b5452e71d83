"""Programs as data: their types, and the errors of steps that break a rule."""

import pytest

from refdot.cases.case import Operand
from refdot.cases.notation import operand
from refdot.errors import DimNameError, DimNotFoundError, DimTypeError, SizeMismatchError
from refdot.programs.notation import program
from refdot.programs.operations import OPERATIONS, ProgramError
from refdot.programs.program import Program, Step

INPUTS = """
x: float64(batch: 2?, time: 3)
y: float64(time: 3?, head: 4)
w: float64(batch: 5, time: 3)
n: int64(time: 3)
"""

# For each step: the type of its result.
TYPES = {
    "dot(x, y)": "float64(batch: 2?, head: 4)",
    "dot(x, y, dim=())": "float64(batch: 2?, time: 3, head: 4)",
    "dot(y, x, dim=('batch', 'time'))": "float64(head: 4)",
    "add(x, y)": "float64(batch: 2?, time: 3, head: 4)",
    "subtract(x, y)": "float64(batch: 2?, time: 3, head: 4)",
    "multiply(y, x)": "float64(time: 3, head: 4, batch: 2?)",
    "divide(n, n)": "float64(time: 3)",
    "negative(n)": "int64(time: 3)",
    "exp(n)": "float64(time: 3)",
    "power(x, -0.5)": "float64(batch: 2?, time: 3)",
    "scale(n, 2)": "int64(time: 3)",
    "scale(n, 0.5)": "float64(time: 3)",
    "sum(x)": "float64()",
    "sum(n)": "int64()",
    "sum(x, dim='batch')": "float64(time: 3)",
    "softmax(x, dim='time')": "float64(batch: 2?, time: 3)",
    "transpose(x, 'time', 'batch')": "float64(time: 3, batch: 2?)",
    "rename(x, time='t')": "float64(batch: 2?, t: 3)",
    "rename(x, time='batch', batch='time')": "float64(time: 2?, batch: 3)",
    "isel(x, time=-1)": "float64(batch: 2?)",
    "isel(x, time=0, batch=1)": "float64()",
    "broadcast_like(n, x)": "int64(batch: 2?, time: 3)",
    "place(n, x, batch=1)": "int64(batch: 2?, time: 3)",
}


def with_step(text: str) -> Program:
    """Return the program of one step on the inputs."""
    return program(f"{INPUTS}\nz = {text}\nreturn z")


@pytest.mark.parametrize(("text", "expected"), TYPES.items(), ids=TYPES)
def test_the_type_of_a_result_follows_from_the_types_of_the_arguments(text, expected):
    assert str(with_step(text).types["z"]) == expected


def test_every_operation_has_a_type():
    assert {text.partition("(")[0] for text in TYPES} == set(OPERATIONS)


def test_a_size_is_static_in_the_result_if_one_argument_knows_it():
    for text in ("dot(y, x, dim=())", "add(y, x)"):
        assert with_step(text).types["z"].static_sizes["time"] == 3


ERRORS = {
    "dot(x, w)": (SizeMismatchError, "Size of dim 'batch' does not match: 2 in x, 5 in y"),
    "add(x, w)": (SizeMismatchError, "Size of dim 'batch' does not match: 2 in x, 5 in y"),
    "broadcast_like(x, w)": (
        SizeMismatchError,
        "Size of dim 'batch' does not match: 2 in x, 5 in y",
    ),
    "dot(x, y, dim='tim')": (
        DimNotFoundError,
        "Dimension tim not found in either input; the dims are batch, time, head; "
        "did you mean time?",
    ),
    "sum(n, dim='head')": (
        DimNotFoundError,
        "Dimension head not found in either input; the dims are time",
    ),
    "softmax(n, dim='head')": (
        DimNotFoundError,
        "Dimension head not found in either input; the dims are time",
    ),
    "rename(n, head='a')": (
        DimNotFoundError,
        "Dimension head not found in either input; the dims are time",
    ),
    "isel(n, head=0)": (
        DimNotFoundError,
        "Dimension head not found in either input; the dims are time",
    ),
    "transpose(n, 'head')": (
        DimNotFoundError,
        "Dimension head not found in either input; the dims are time",
    ),
    "broadcast_like(x, n)": (
        DimNotFoundError,
        "Dimension batch not found in either input; the dims are time",
    ),
    "transpose(x, 'time')": (
        DimNameError,
        "transpose needs each dim once in tensor: ('time',)",
    ),
    "rename(x, time='batch')": (
        DimNameError,
        "Dimensions must be unique. Found duplicates in ('batch', 'batch'): "
        "'batch' appears twice in tensor",
    ),
    "rename(x, time='')": (DimNameError, "Dim '' is empty in tensor: ('batch', '')"),
    "dot(x, y, dim=5)": (
        DimTypeError,
        "dim must be None, ..., a str or an iterable of str, got 5",
    ),
    "sum(x, dim=(5, 'time'))": (
        DimTypeError,
        "dim must be None, ..., a str or an iterable of str, got (5, 'time'): 5 is not a str",
    ),
    "isel(x, time=3)": (ProgramError, "Index 3 is out of range for dim 'time' of size 3"),
    "isel(x, time='a')": (
        ProgramError,
        "isel takes an integer for each of some dims, got (('time', 'a'),)",
    ),
    "place(n, x, time=0)": (
        ProgramError,
        "place needs the dims and sizes of float64(batch: 2?), got int64(time: 3)",
    ),
    "dot(x)": (ProgramError, "dot takes 2 arguments, got 1"),
    "exp(x, y)": (ProgramError, "exp takes 1 argument, got 2"),
    "dott(x, y)": (ProgramError, "Operation 'dott' not found; did you mean 'dot'?"),
    "add(x, z)": (ProgramError, "Value 'z' not found; there are only x, y, w, n"),
    "power(x, 1)": (ProgramError, "power needs an exponent other than 0 and 1, got 1"),
    "scale(x, 1e+19)": (ProgramError, "scale takes a number below 2**63, got 1e+19"),
}


@pytest.mark.parametrize(("text", "expected"), ERRORS.items(), ids=ERRORS)
def test_a_step_that_is_wrong_gets_the_error_of_its_rule_and_a_note_with_the_step(text, expected):
    error_type, message = expected
    with pytest.raises(error_type) as caught:
        with_step(text)
    assert type(caught.value) is error_type
    assert str(caught.value) == message
    assert caught.value.__notes__[-1] == f"in the step z = {text}"


X = ("x", Operand(("a",), (2,)))
PROGRAM_ERRORS = {
    "A program returns at least one value": ((X,), (), ()),
    "Value 'y' not found; there are only x": ((X,), (), ("y",)),
    "Value 'x' already exists": ((X, X), (), ("x",)),
    "'x y' is not a name": ((("x y", X[1]),), (), ("x",)),
    "'for' is not a name": ((("for", X[1]),), (), ("x",)),
    "The dtype of z is bool, but a program takes only float64, float32, int64": (
        (("z", operand("a", "bool")),),
        (),
        ("z",),
    ),
    "Value 'xx' not found; did you mean 'x'?": ((X,), (Step("y", "exp", ("xx",)),), ("y",)),
}


@pytest.mark.parametrize(("message", "fields"), PROGRAM_ERRORS.items(), ids=PROGRAM_ERRORS)
def test_a_program_that_is_not_well_formed_is_rejected(message, fields):
    with pytest.raises(ProgramError) as caught:
        Program(*fields)
    assert str(caught.value) == message


def test_an_input_with_repeated_dims_breaks_r1():
    message = r"Found duplicates in \('a', 'a'\): 'a' appears twice in x$"
    with pytest.raises(DimNameError, match=message):
        Program((("x", Operand(("a", "a"), (2, 2))),), (), ("x",))


def test_pruned_drops_what_no_output_needs():
    whole = program(f"{INPUTS}\na = exp(x)\nb = exp(y)\nc = exp(a)\nreturn c")
    pruned = whole.pruned()
    assert [step.name for step in pruned.steps] == ["a", "c"]
    assert [name for name, _ in pruned.inputs] == ["x"]
    assert [name for name, _ in whole.pruned(keep_inputs=True).inputs] == ["x", "y", "w", "n"]


def test_programs_are_values():
    assert len({with_step("exp(x)"), with_step("exp(x)"), with_step("exp(y)")}) == 2
