"""Situations: each goes wrong in the way it says, which the oracle confirms."""

from math import prod

import pytest

import refdot as rd
from refdot.cases.codec import case_from_json, case_to_json
from refdot.judging.expected import expected_answer, expected_error
from refdot.messages.scenarios import DEFAULT, SCENARIOS, check_scenarios

CASES = [(name, case) for name, situation in SCENARIOS.items() for case in situation.cases]
each_case = pytest.mark.parametrize(
    ("name", "case"), CASES, ids=[f"{name}: {case}" for name, case in CASES]
)


def wrong(case):
    """Give the names of the dims of two sizes, each with both sizes."""
    y_sizes = case.y.sizes
    return {
        dim: (size, y_sizes[dim])
        for dim, size in case.x.sizes.items()
        if y_sizes.get(dim, size) != size
    }


@each_case
def test_a_case_breaks_the_rule_of_its_situation(name, case):
    rule = SCENARIOS[name].rule
    if rule == "R8":
        x, y = case.tensors()
        with pytest.raises(rd.NoGradientError, match=r"x has no gradient: its dtype (int64|bool) "):
            rd.dot_vjp(x, y, rd.dot(x, y))
    elif rule == "R11":
        assert SCENARIOS[name].is_valid
        assert expected_answer(case).dims == case.x.dims[:-3] + case.y.dims[3:]
    else:
        assert expected_error(case).rule == rule


@each_case
def test_a_case_can_be_written_and_read(name, case):
    assert case_from_json(case_to_json(case)) == case


@pytest.mark.parametrize("name", [name for name in SCENARIOS if SCENARIOS[name].rule == "R4"])
def test_a_name_says_what_is_of_two_sizes_and_what_is_static(name):
    for case in SCENARIOS[name].cases:
        pairs = wrong(case)
        roles = {rd.lower_dot(case.x.dims, case.y.dims, case.dim.names).role(dim) for dim in pairs}
        role = name.split("-")[0]
        assert roles == {
            "both": {"contracted", "batch"},
            "several": {"contracted"},
            "products": {"contracted"},
        }.get(role, {role})
        assert (len(pairs) > 1) is (role in ("both", "several", "products"))
        assert all(1 in pair for pair in pairs.values()) is ("-1-" in name)
        products = [prod(sizes) for sizes in zip(*pairs.values(), strict=True)]
        assert (products[0] == products[1]) is (role == "products")
        static = {
            known
            for operand in (case.x, case.y)
            for dim, known in zip(operand.dims, operand.static, strict=True)
            if dim in pairs
        }
        told = {"static": {True}, "mixed": {True, False}}
        assert static == told.get(name.split("-")[-1], {False})


def test_situations_are_distinct():
    assert len({case for _, case in CASES}) == len(CASES)
    assert len({situation.meaning for situation in SCENARIOS.values()}) == len(SCENARIOS)
    assert set(DEFAULT) <= set(SCENARIOS)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (
            ["batch-unknown", "batch-unknow"],
            "no situation 'batch-unknow'; did you mean batch-unknown?",
        ),
        (["zebra"], "no situation 'zebra'"),
    ],
)
def test_an_unknown_situation_is_refused_with_the_nearest(names, message):
    with pytest.raises(ValueError, match=r"^no situation") as caught:
        check_scenarios(names)
    assert str(caught.value) == message
