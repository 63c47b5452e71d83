"""Drawn programs: valid, the same on every machine, and of every kind."""

import pytest
from hypothesis import find, settings
from processes import run_python

from refdot.programs.case import ProgramCase
from refdot.programs.categories import count_programs_by_category
from refdot.programs.notation import program
from refdot.programs.random_programs import program_at
from refdot.programs.strategies import program_cases


@pytest.fixture(scope="module")
def drawn():
    return [program_at(2, index) for index in range(160)]


def test_a_program_has_2_to_6_steps_and_every_step_is_needed(drawn):
    for case in drawn:
        assert 2 <= len(case.program.steps) <= 6
        assert case.program == case.program.pruned()


def test_a_dim_has_one_size_in_a_whole_program(drawn):
    for case in drawn:
        sizes: dict[str, int] = {}
        for operand in case.program.types.values():
            assert all(sizes.setdefault(dim, size) == size for dim, size in operand.sizes.items())


def test_values_are_small(drawn):
    for case in drawn:
        for operand in case.program.types.values():
            assert len(operand.dims) <= 4
            assert max(operand.shape, default=1) <= 5


def test_a_program_prints_and_is_read_again(drawn):
    for case in drawn:
        assert program(str(case.program)) == case.program


def test_every_category_has_cases(drawn):
    counts = count_programs_by_category(drawn)
    not_drawn = ["built: vectorized-after-lowering", "built: intermediates"]
    assert [label for label, count in counts.items() if not count] == not_drawn


def test_most_programs_have_values_that_are_judged(drawn):
    judged = [
        all(case.estimates(case.program)[name].judged.all() for name in case.program.outputs)
        for case in drawn[:150]
    ]
    assert sum(judged) > 110


def test_only_programs_of_one_dtype_have_gradients(drawn):
    for case in drawn:
        if case.gradient_order:
            assert len({operand.dtype for _, operand in case.program.inputs}) == 1
            assert case.differentiable
            assert len(case.derivatives) == case.gradient_order


def test_the_same_seed_and_index_give_the_same_program_in_every_process():
    script = "from refdot.programs.random_programs import program_at; print(program_at(3, 14))"
    outputs = {run_python("-c", script, PYTHONHASHSEED=seed).stdout for seed in ("0", "1")}
    assert outputs == {f"{program_at(3, 14)}\n"}
    assert program_at(3, 14) != program_at(3, 15)


def test_hypothesis_shrinks_to_two_simple_steps():
    smallest = find(program_cases(), lambda case: True, settings=settings(database=None))
    assert str(smallest) == "x0: float64(a: 1?)\nv0 = dot(x0, x0)\nv1 = dot(v0, x0)\nreturn v1"
    assert isinstance(smallest, ProgramCase)
