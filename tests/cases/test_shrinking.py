"""Steps to a simpler case: what each gives, and that they end where none helps."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings

from refdot.cases.case import DimArgument, DotCase, Operand
from refdot.cases.shrinking import STEPS, simplified
from refdot.cases.strategies import dot_cases
from refdot.judging.expected import expected_error

STEP = {step.__name__.removeprefix("_"): step for step in STEPS}
X = Operand(("time", "embd"), (2, 5), "float32", (True, False), "strided")
Y = Operand(("embd", "time"), (5, 3))
CASE = DotCase(X, Y, DimArgument("set", ("embd", "time")), "special", 7, gradient_order=2)

GIVEN = {
    "in_plain_words": [
        "dot(float64(time: 2?, embd: 5?), float64(embd: 5?, time: 3?), "
        "dim=set(['embd', 'time']))  [second gradient]"
    ],
    "with_fewer_gradients": [
        str(replace(CASE, gradient_order=0)),
        str(replace(CASE, gradient_order=1)),
    ],
    "without_dims": [
        "dot(float32 strided(embd: 5?), float64(embd: 5?), dim=set(['embd']))"
        "  [special, seed 7, second gradient]",
        "dot(float32 strided(time: 2), float64(time: 3?), dim=set(['time']))"
        "  [special, seed 7, second gradient]",
    ],
    "in_one_order": [
        "dot(float32 strided(time: 2, embd: 5?), float64(time: 3?, embd: 5?), "
        "dim=set(['embd', 'time']))  [special, seed 7, second gradient]"
    ],
    "in_letters": [
        f"dot(float32 strided({a}: 2, {b}: 5?), float64({b}: 5?, {a}: 3?), "
        f"dim=set(['{b}', '{a}']))  [special, seed 7, second gradient]"
        for a, b in ("ab", "ij")
    ],
}


@pytest.mark.parametrize(("name", "texts"), GIVEN.items(), ids=GIVEN)
def test_a_step_gives_just_these(name, texts):
    assert [str(case) for case in STEP[name](CASE)] == texts


def test_a_dim_of_one_operand_can_go():
    shapes = [(case.x.dims, case.y.dims) for case in STEP["without_a_dim_of_one_operand"](CASE)]
    assert shapes == [
        (("embd",), ("embd", "time")),
        (("time", "embd"), ("embd",)),
        (("time",), ("embd", "time")),
        (("time", "embd"), ("time",)),
    ]


def test_sizes_become_simpler_alone_and_in_pairs():
    sizes = [
        (case.x.shape, case.y.shape)
        for case in STEP["with_simpler_sizes"](CASE)
        if case.y.sizes["embd"] == 5
    ]
    assert sizes == []  # 2 against 3 is the simplest pair
    ninths = replace(CASE, y=replace(CASE.y, shape=(5, 9)))
    pairs = [(case.x.sizes, case.y.sizes) for case in STEP["with_simpler_sizes"](ninths)]
    times = [(x["time"], y["time"]) for x, y in pairs if x["embd"] == 5]
    assert times == [(2, 3), (1, 2), (2, 1), (3, 2), (0, 2), (2, 0)]
    assert [x["embd"] for x, _ in pairs if x["embd"] != 5] == [1, 2, 3, 0]


@pytest.mark.parametrize(
    ("dim", "texts"),
    {
        DimArgument(): [],
        DimArgument("tuple"): ["None"],
        DimArgument("str", ("b",)): ["None", "()"],
        DimArgument("tuple", ("a", "b")): ["None", "()", "'a'"],
        DimArgument("list", ("b", "a", "b")): ["None", "()", "'b'", "('b', 'a')"],
        DimArgument("ellipsis"): ["None", "()", "()"],
        DimArgument("tuple", (5,)): ["None", "()"],
    }.items(),
    ids=str,
)
def test_dim_is_spelt_more_plainly(dim, texts):
    step = STEP["with_a_plainer_dim_argument"]
    assert [str(case.dim) for case in step(replace(CASE, dim=dim))] == texts


def test_many_dims_go_by_halves():
    dims = tuple(f"p{number}" for number in range(53))
    case = DotCase(Operand(dims, (1,) * 53), Operand((), ()))
    asked = []

    def has_27(other: DotCase) -> bool:
        asked.append(other)
        return len(other.x.dims) >= 27

    assert len(simplified(case, has_27).x.dims) == 27
    assert len(asked) < 200


def test_what_cannot_be_simpler_stays():
    case = DotCase(Operand((), ()), Operand((), ()))
    assert simplified(case, lambda other: True) == case


@settings(max_examples=60)
@given(dot_cases())
def test_it_ends_at_a_case_that_no_step_keeps_as_wrong(case):
    def same_rule(other: DotCase) -> bool:
        return rule(other) == rule(case)

    smallest = simplified(case, same_rule)
    assert same_rule(smallest)
    for step in STEPS:
        assert [
            str(other) for other in step(smallest) if other != smallest and same_rule(other)
        ] == []


def rule(case: DotCase) -> str | None:
    """Give the rule that a case breaks."""
    error = expected_error(case)
    return error and error.rule
