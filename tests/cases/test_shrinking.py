"""Shrinking: the cases that each edit gives, and where shrinking ends."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings

from refdot.cases.case import DimArgument, DotCase, Operand
from refdot.cases.codec import case_from_json, case_to_json
from refdot.cases.notation import dot_case
from refdot.cases.shrinking import EDITS, shrink_case
from refdot.cases.strategies import dot_cases
from refdot.check.categories import broken_rule

EDIT = {edit.__name__: edit for edit in EDITS}
X = Operand(("time", "embd"), (2, 5), "float32", (True, False), "strided")
Y = Operand(("embd", "time"), (5, 3))
CASE = DotCase(X, Y, DimArgument("set", ("embd", "time")), "special", 7, gradient_order=2)

EDITED = {
    "simplify_all_but_shapes": [
        "dot(float64(time: 2?, embd: 5?), float64(embd: 5?, time: 3?), "
        "dim=set(['embd', 'time']))  [second gradient]"
    ],
    "lower_gradient_order": [
        str(replace(CASE, gradient_order=0)),
        str(replace(CASE, gradient_order=1)),
    ],
    "remove_dims": [
        "dot(float32 strided(embd: 5?), float64(embd: 5?), dim=set(['embd']))"
        "  [special, seed 7, second gradient]",
        "dot(float32 strided(time: 2), float64(time: 3?), dim=set(['time']))"
        "  [special, seed 7, second gradient]",
    ],
    "sort_dims_of_y": [
        "dot(float32 strided(time: 2, embd: 5?), float64(time: 3?, embd: 5?), "
        "dim=set(['embd', 'time']))  [special, seed 7, second gradient]"
    ],
    "rename_dims_to_letters": [
        f"dot(float32 strided({a}: 2, {b}: 5?), float64({b}: 5?, {a}: 3?), "
        f"dim=set(['{b}', '{a}']))  [special, seed 7, second gradient]"
        for a, b in ("ab", "ij")
    ],
}


@pytest.mark.parametrize(("name", "texts"), EDITED.items(), ids=EDITED)
def test_an_edit_gives_exactly_these_cases(name, texts):
    assert [str(case) for case in EDIT[name](CASE)] == texts


def test_a_dim_can_be_removed_from_one_operand():
    shapes = [(case.x.dims, case.y.dims) for case in EDIT["remove_dim_from_one_operand"](CASE)]
    assert shapes == [
        (("embd",), ("embd", "time")),
        (("time", "embd"), ("embd",)),
        (("time",), ("embd", "time")),
        (("time", "embd"), ("time",)),
    ]


def test_agreeing_and_disagreeing_sizes_are_simplified():
    sizes = [
        (case.x.shape, case.y.shape)
        for case in EDIT["simplify_sizes"](CASE)
        if case.y.sizes["embd"] == 5
    ]
    assert sizes == []  # 2 vs 3 is the simplest pair
    case = replace(CASE, y=replace(CASE.y, shape=(5, 9)))
    pairs = [(case.x.sizes, case.y.sizes) for case in EDIT["simplify_sizes"](case)]
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
def test_the_dim_argument_is_simplified(dim, texts):
    edit = EDIT["simplify_dim_argument"]
    assert [str(case.dim) for case in edit(replace(CASE, dim=dim))] == texts


def test_origins_and_contents_are_simplified():
    x = replace(X, origin="constant", content="ones")
    words = {
        (case.x.origin, case.x.content)
        for case in EDIT["simplify_one_property"](replace(CASE, x=x))
    }
    assert words == {
        ("constant", "ones"),
        ("input", "ones"),
        ("constant", "zeros"),
        ("constant", "drawn"),
    }


@pytest.mark.parametrize("same", ["same_variable", "same_array"])
def test_an_edit_of_operands_that_share_memory_changes_both(same):
    y = replace(X, dims=("embd", "head"))
    case = replace(CASE, x=X, y=y, **{same: True}, dim=DimArgument())
    for edit in EDITS:
        for edited in edit(case):
            if getattr(edited, same):
                assert case_from_json(case_to_json(edited)) == edited


def test_the_dims_of_the_same_variable_get_the_same_names():
    case = dot_case("a b c", "a d:3 c", "d", same_variable=True)
    edited = [(other.y.dims, str(other.dim)) for other in EDIT["name_dims_of_y_as_in_x"](case)]
    assert edited[0] == (("a", "b", "c"), "()")
    assert (("a", "b", "c"), "()") in edited[1:]


def test_a_dim_of_the_same_variable_is_removed_from_both_operands():
    case = dot_case("a b", "b c:3", same_variable=True)
    shapes = {(other.x.dims, other.y.dims) for other in EDIT["remove_dims"](case)}
    assert shapes == {((), ()), (("a",), ("b",)), (("b",), ("c",))}


def test_many_dims_are_removed_by_halves():
    dims = tuple(f"p{number}" for number in range(53))
    case = DotCase(Operand(dims, (1,) * 53), Operand((), ()))
    tried = []

    def has_27_dims(other: DotCase) -> bool:
        tried.append(other)
        return len(other.x.dims) >= 27

    assert len(shrink_case(case, has_27_dims).x.dims) == 27
    assert len(tried) < 200


def test_the_simplest_case_does_not_shrink():
    case = DotCase(Operand((), ()), Operand((), ()))
    assert shrink_case(case, lambda other: True) == case


@settings(max_examples=60)
@given(dot_cases())
def test_shrinking_ends_at_a_case_that_no_edit_can_simplify(case):
    def breaks_the_same_rule(other: DotCase) -> bool:
        return broken_rule(other) == broken_rule(case)

    smallest = shrink_case(case, breaks_the_same_rule)
    assert breaks_the_same_rule(smallest)
    for edit in EDITS:
        simpler = [other for other in edit(smallest) if other != smallest]
        assert list(filter(breaks_the_same_rule, simpler)) == []
