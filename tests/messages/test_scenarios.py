"""Tests of the error scenarios: the oracle confirms what each is about."""

from math import prod

import pytest

import refdot as rd
from refdot.cases.codec import case_from_json, case_to_json
from refdot.judging.expected import expected_answer, expected_error
from refdot.messages.scenarios import DEFAULT_SCENARIOS, SCENARIOS, check_scenarios

CASES = [(name, case) for name, scenario in SCENARIOS.items() for case in scenario.cases]
each_case = pytest.mark.parametrize(
    ("name", "case"), CASES, ids=[f"{name}: {case}" for name, case in CASES]
)


def differing_sizes(case):
    """Return the dims whose sizes differ, each with both sizes."""
    y_sizes = case.y.sizes
    return {
        dim: (size, y_sizes[dim])
        for dim, size in case.x.sizes.items()
        if y_sizes.get(dim, size) != size
    }


@each_case
def test_case_breaks_the_rule_of_its_scenario(name, case):
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
def test_case_survives_json(name, case):
    assert case_from_json(case_to_json(case)) == case


@pytest.mark.parametrize("name", [name for name in SCENARIOS if SCENARIOS[name].rule == "R4"])
def test_name_matches_the_roles_and_the_static_sizes(name):
    for case in SCENARIOS[name].cases:
        pairs = differing_sizes(case)
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
            is_static
            for operand in (case.x, case.y)
            for dim, is_static in zip(operand.dims, operand.static, strict=True)
            if dim in pairs
        }
        expected = {"static": {True}, "mixed": {True, False}}
        assert static == expected.get(name.split("-")[-1], {False})


def test_scenarios_are_distinct():
    assert len({case for _, case in CASES}) == len(CASES)
    assert len({scenario.meaning for scenario in SCENARIOS.values()}) == len(SCENARIOS)
    assert set(DEFAULT_SCENARIOS) <= set(SCENARIOS)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (
            ["batch-unknown", "batch-unknow"],
            "unknown error scenario 'batch-unknow'; did you mean batch-unknown?",
        ),
        (["zebra"], "unknown error scenario 'zebra'"),
    ],
)
def test_unknown_scenario_is_rejected_with_a_suggestion(names, message):
    with pytest.raises(ValueError, match=r"^unknown error scenario") as caught:
        check_scenarios(names)
    assert str(caught.value) == message
