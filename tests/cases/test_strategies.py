"""Strategies: the smallest examples, validity, and how often each kind of case is drawn."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from functools import cache
from math import prod

import pytest
from hypothesis import HealthCheck, Phase, find, given, settings
from hypothesis import strategies as st
from hypothesis.errors import NoSuchExample

from refdot.cases.case import DimArgument, DotCase
from refdot.cases.codec import case_to_json
from refdot.cases.random_cases import case_at
from refdot.cases.strategies import choices, dim_arguments, dot_cases, invalid_dim_arguments
from refdot.check.categories import (
    broken_rule,
    count_by_category,
    dtypes,
    roles,
    sizes,
    valid,
)
from refdot.judging.expected import expected_error
from refdot.lowering import dim_set, lower_dot

quickly = settings(max_examples=150, database=None, deadline=None, derandomize=True)
# Without the explain phase, which draws many variations of the smallest example.
searching = settings(
    quickly,
    max_examples=2000,
    phases=(Phase.generate, Phase.shrink),
    suppress_health_check=list(HealthCheck),
)


def smallest(strategy, condition=lambda drawn: True):
    """Return the example that a strategy shrinks to among those that satisfy a condition."""
    return find(strategy, condition, settings=searching)


# Smallest examples

A, A_AND_Y = "float64(a: 1?)", "float64(a: 1?), float64(a: 1?)"
SMALLEST = {
    "anything": (lambda case: True, "dot(float64(), float64(), dim=None)"),
    "a contracted dim": (
        valid(lambda case: roles(case) == {"contracted"}),
        f"dot({A_AND_Y}, dim=None)",
    ),
    "a batch dim": (valid(lambda case: "batch" in roles(case)), f"dot({A_AND_Y}, dim=())"),
    "a free dim of x": (
        valid(lambda case: "x_free" in roles(case)),
        f"dot({A}, float64(), dim=None)",
    ),
    "a summed dim of x": (
        valid(lambda case: "x_summed" in roles(case)),
        f"dot({A}, float64(), dim=...)",
    ),
    "a summed dim of y": (
        valid(lambda case: "y_summed" in roles(case)),
        f"dot(float64(), {A}, dim=...)",
    ),
    "contracted and batch": (
        valid(lambda case: roles(case) == {"contracted", "batch"} and len(case.x.dims) < 6),
        "dot(float64(a: 1?, b: 1?), float64(a: 1?, b: 1?), dim='a')",
    ),
    "int8": (lambda case: dtypes(case) == {"int8"}, "dot(int8(), int8(), dim=None)"),
    "two dtypes": (
        lambda case: len(dtypes(case)) == 2,
        "dot(float64(), float32(), dim=None)",
    ),
    "size 0": (
        valid(lambda case: 0 in sizes(case)),
        "dot(float64(a: 0?), float64(a: 0?), dim=None)",
    ),
    "a regime": (
        lambda case: case.regime == "special",
        "dot(float64(), float64(), dim=None)  [special]",
    ),
    "a gradient": (
        lambda case: case.gradient_order == 2,
        "dot(float64(), float64(), dim=None)  [second gradient]",
    ),
    "a method": (
        lambda case: case.call == "method",
        "dot(float64(), float64(), dim=None)  [as a method]",
    ),
    "an operator": (
        lambda case: case.call == "operator",
        "dot(float64(), float64(), dim=None)  [as x @ y]",
    ),
    "a static size": (
        lambda case: True in case.x.static,
        "dot(float64(a: 1), float64(a: 1), dim=None)",
    ),
    "one variable": (lambda case: case.same_variable, "dot(float64(), x, dim=None)"),
    "one variable with another name": (
        lambda case: case.same_variable and case.new_names,
        "dot(float64(a: 1?), x.rename(a='b'), dim=...)",
    ),
    "one array": (
        lambda case: case.same_array,
        "dot(float64(), float64(), dim=None)  [same array]",
    ),
    "a constant": (
        lambda case: case.y.origin == "constant" and not case.share_memory,
        "dot(float64(), float64 constant(), dim=None)",
    ),
    "a large size": (
        valid(lambda case: max(sizes(case), default=0) > 1000),
        "dot(float64(a: 1025?), float64(a: 1025?), dim=None)",
    ),
    "a set": (
        valid(lambda case: case.dim.spelling == "set"),
        "dot(float64(), float64(), dim=set([]))",
    ),
    "R2": (lambda case: broken_rule(case) == "R2", "dot(float64(), float64(), dim=5)"),
    "R3": (lambda case: broken_rule(case) == "R3", "dot(float64(), float64(), dim='z')"),
    "R4": (
        lambda case: broken_rule(case) == "R4",
        "dot(float64(a: 1?), float64(a: 2?), dim=None)",
    ),
}


@pytest.mark.parametrize(("condition", "text"), SMALLEST.values(), ids=SMALLEST)
def test_cases_shrink_to_few_dims_of_size_1_and_default_options(condition, text):
    assert str(smallest(dot_cases(), condition)) == text


def test_cases_that_break_r1_shrink_to_a_repeated_dim():
    case = smallest(dot_cases(), lambda case: broken_rule(case) == "R1")
    assert (case.x.dims, case.y.dims) == (("a", "a"), ())


def test_many_dims_shrink_to_27_of_size_1_in_one_operand():
    case = smallest(dot_cases(), lambda case: len(case.dims) > 26)
    assert (len(case.x.dims), case.y.dims, sizes(case)) == (27, (), {1})


def test_choices_shrink_to_the_first_option():
    options = ["first", "second", "third", "second"]
    assert smallest(choices(options)) == "first"
    assert smallest(choices(options), lambda drawn: drawn != "first") == "second"
    assert [smallest(choices(options), options[n].__eq__) for n in range(3)] == options[:3]
    with pytest.raises(NoSuchExample):
        smallest(choices(options), lambda drawn: drawn not in options)


EVERY = ("a", "b", "c")
# The dims to sum over, the shared dims, and the shortest spelling.
SHORTEST = {
    "the shared": (("b", "a"), ("a", "b"), DimArgument("none")),
    "nothing shared": ((), (), DimArgument("none")),
    "all": (("c", "a", "b"), ("b",), DimArgument("ellipsis")),
    "one": (("c",), ("a", "b"), DimArgument("str", ("c",))),
    "two": (("c", "a"), ("b",), DimArgument("tuple", ("c", "a"))),
    "none of the shared": ((), ("a",), DimArgument("tuple")),
}


@pytest.mark.parametrize(("over", "shared", "shortest"), SHORTEST.values(), ids=SHORTEST)
def test_dim_arguments_shrink_to_the_shortest_spelling(over, shared, shortest):
    assert smallest(dim_arguments(over, shared, EVERY)) == shortest


@given(st.data(), st.lists(st.sampled_from(EVERY), unique=True), st.sets(st.sampled_from(EVERY)))
@quickly
def test_dim_arguments_sum_over_exactly_the_given_dims(data, over, shared):
    argument = data.draw(dim_arguments(over, sorted(shared), EVERY))
    names = dim_set(argument.value)
    meant = {None: shared, ...: set(EVERY)}.get(names, names)
    assert meant == set(over)
    assert argument.names == names


@given(st.data(), st.lists(st.sampled_from(["a", "time", "z", "w"]), unique=True))
@quickly
def test_invalid_dim_arguments_are_rejected(data, every):
    argument = data.draw(invalid_dim_arguments(every))
    with pytest.raises((TypeError, ValueError)):
        lower_dot(every, every, argument.value)


@pytest.mark.parametrize("every", [(), ("a",), ("z", "w")])
def test_invalid_dim_arguments_shrink_to_a_name_that_is_not_there(every):
    argument = smallest(invalid_dim_arguments(every))
    assert argument.spelling == "str"
    assert argument.items[0] not in every


# Valid and invalid


@given(dot_cases(valid=True))
@quickly
def test_valid_cases_never_raise(case):
    assert expected_error(case) is None


@given(dot_cases(valid=False))
@quickly
def test_invalid_cases_always_break_r1_to_r4(case):
    assert broken_rule(case) in {"R1", "R2", "R3", "R4"}


@given(dot_cases())
@quickly
def test_cases_are_consistent(case):
    if case.share_memory:
        assert case.y == replace(case.x, dims=case.y.dims)
    if case.same_array:
        assert (case.x.origin, case.same_variable) == ("input", False)
    assert len(case.x.shape) == len(case.x.dims) == len(case.x.static)
    assert len(case.dims) <= 64


# Frequencies


@cache
def drawn(count: int = 400) -> list[DotCase]:
    """Return the first random cases of seed 0."""
    return [case_at(0, index) for index in range(count)]


def test_no_category_is_rarer_than_1_in_100_or_1_in_200_for_a_number_of_dims():
    counts = count_by_category(drawn(1000))
    least = {name: 5 if name.startswith("number of dims") else 10 for name in counts}
    assert {name: count for name, count in counts.items() if count < least[name]} == {}


def test_every_spelling_is_drawn():
    assert {case.dim.spelling for case in drawn()} == set(DimArgument.SPELLINGS)


def test_two_of_three_cases_are_valid():
    assert 0.58 < sum(broken_rule(case) is None for case in drawn()) / 400 < 0.85


def test_no_valid_case_has_many_products():
    """A size of 0 and other names of the same dims do not hide that an output is large."""
    valid = [case for case in drawn(1000) if broken_rule(case) is None]
    products = [prod(max(1, size) for size in (c.x.sizes | c.y.sizes).values()) for c in valid]
    assert 10_000 < max(products) < 1_000_000


def test_cases_are_distinct_enough():
    first = drawn()[:300]
    assert len(set(first)) >= 290
    problems = {(str(case.x.sizes), str(case.y.sizes), str(case.dim)) for case in first}
    assert len(problems) >= 200


# Reproducibility

PRINT_CASES = """
import json
from refdot.cases.codec import case_to_json
from refdot.cases.random_cases import case_at

for index in range(40):
    print(json.dumps(case_to_json(case_at(3, index))))
"""


def test_cases_depend_on_neither_the_hash_seed_nor_the_imported_modules(tmp_path):
    # Hypothesis mixes constants from the source of the loaded modules into its draws.
    constants = "\n".join(f"C{n} = {n * 7919}, {n / 7}, 'text {n}'" for n in range(300))
    (tmp_path / "constants.py").write_text(constants, encoding="utf-8")

    def printed(hash_seed: str, first: str) -> str:
        return subprocess.run(
            [sys.executable, "-c", first + PRINT_CASES],
            env=os.environ | {"PYTHONHASHSEED": hash_seed, "PYTHONDONTWRITEBYTECODE": "1"},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        ).stdout

    here = "".join(json.dumps(case_to_json(case_at(3, index))) + "\n" for index in range(40))
    assert printed("0", "") == printed("1", "import constants, xarray, colorsys") == here


def test_a_case_does_not_depend_on_earlier_cases():
    forwards = [case_at(1, index) for index in range(20)]
    backwards = [case_at(1, index) for index in reversed(range(20))]
    assert forwards == backwards[::-1]


@pytest.mark.parametrize("index", [1302, 1968, 2217])
def test_a_repeated_dim_is_not_large(index: int) -> None:
    case = case_at(4, index)
    assert broken_rule(case) == "R1"
    assert prod(case.x.shape) < 200_000
    assert prod(case.y.shape) < 200_000
    assert all(case.x.sizes[dim] == case.y.sizes[dim] for dim in {*case.x.dims} & {*case.y.dims})
