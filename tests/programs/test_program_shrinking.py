"""Shrinking of programs: to no more steps, dims and sizes than a failure needs."""

import pytest

from refdot.programs.case import ProgramCase
from refdot.programs.named import named_program
from refdot.programs.notation import program
from refdot.programs.random_programs import program_at
from refdot.programs.shrinking import PROGRAM_EDITS, shrink_program

EDIT = {edit.__name__: edit for edit in PROGRAM_EDITS}
TEXT = """
x: float32 shared(time: 5, embd: 3?)
w: float64 constant ones(embd: 3, head: 4)
h = dot(x, w, dim=('embd',))
k = rename(h, time='time_k')
s = dot(h, k, dim='head')
m = scale(s, 0.1)
p = softmax(m, dim='time_k')
r = dot(p, k, dim='time_k')
return r
"""


def case(text: str = TEXT, **fields: object) -> ProgramCase:
    return ProgramCase(program(text), **fields)


def has(*operations: str):
    """Return a predicate: whether a program has these operations, one after the other."""

    def predicate(found: ProgramCase) -> bool:
        steps = found.program.step_of

        def chain(name: str, rest: tuple[str, ...]) -> bool:
            if not rest:
                return True
            step = steps.get(name)
            if step is None or step.operation != rest[-1]:
                return False
            return any(chain(argument, rest[:-1]) for argument in step.arguments)

        return any(chain(name, operations) for name in steps)

    return predicate


@pytest.mark.parametrize("operations", [("dot",), ("softmax", "dot"), ("dot", "scale", "softmax")])
def test_only_the_steps_that_a_failure_needs_are_left(operations):
    smallest = shrink_program(case(regime="large", seed=7, gradient_order=2), has(*operations))
    assert [step.operation for step in smallest.program.steps] == list(operations)
    assert [str(operand) for _, operand in smallest.program.inputs] == ["float64()"]
    assert (smallest.regime, smallest.seed, smallest.gradient_order) == ("unit", 0, 0)


def test_a_failure_under_two_names_keeps_one_name_more():
    def renames(found: ProgramCase) -> bool:
        return any(step.operation == "rename" and step.parameter for step in found.program.steps)

    smallest = shrink_program(case(), renames)
    assert str(smallest) == "x0: float64(a: 1?)\nv0 = rename(x0, a='b')\nreturn v0"


def test_a_failure_of_an_output_keeps_a_size():
    def is_large(found: ProgramCase) -> bool:
        return any(2 in found.program.types[name].shape for name in found.program.outputs)

    def of_dots(found: ProgramCase) -> bool:
        return has("dot", "dot")(found) and is_large(found)

    smallest = shrink_program(case(), of_dots)
    assert [step.operation for step in smallest.program.steps] == ["dot", "dot"]
    sizes = [size for _, operand in smallest.program.inputs for size in operand.shape]
    assert sizes == [2]


def test_a_failure_of_a_gradient_keeps_the_gradient():
    smallest = shrink_program(
        case(gradient_order=2, regime="rounding"),
        lambda found: found.gradient_order >= 1 and found.regime == "rounding",
    )
    assert smallest.gradient_order == 1
    assert smallest.regime == "rounding"
    assert not smallest.program.steps[1:]


def test_a_large_named_program_shrinks_to_its_fault():
    whole = ProgramCase(named_program("transformer:layers=2"), gradient_order=1)
    smallest = shrink_program(whole, has("power", "multiply"))
    assert [step.operation for step in smallest.program.steps] == ["power", "multiply"]


def test_shrinking_a_shrunk_case_changes_nothing():
    smallest = shrink_program(case(), has("softmax", "dot"))
    assert shrink_program(smallest, has("softmax", "dot")) == smallest


@pytest.mark.parametrize("index", range(25))
def test_every_edit_gives_valid_programs(index):
    drawn = program_at(6, index)
    for edit in PROGRAM_EDITS:
        for other in edit(drawn):
            assert program(str(other.program)) == other.program
            assert len(other.program.steps) <= len(drawn.program.steps)


def test_a_dim_is_removed_under_all_its_names():
    shorter = [str(each.program) for each in EDIT["remove_dims"](case())]
    assert any("time" not in text for text in shorter)


def test_a_size_is_simplified_under_all_its_names():
    for other in EDIT["simplify_sizes"](case()):
        types = other.program.types
        assert types["h"].sizes["time"] == types["k"].sizes["time_k"]
