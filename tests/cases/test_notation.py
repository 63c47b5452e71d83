"""The notation for cases, in which they are printed."""

import pytest
from hypothesis import given
from hypothesis.vendor.pretty import pretty

from refdot.cases import DimArgument, DotCase, Operand
from refdot.cases.notation import dot_case, operand
from refdot.cases.smoke import smoke_cases
from refdot.cases.strategies import dot_cases


@pytest.mark.parametrize(
    ("text", "dims", "sizes", "static"),
    [
        ("", (), (), ()),
        ("r:2", ("r",), (2,), (True,)),
        ("r:0? b:1", ("r", "b"), (0, 1), (False, True)),
        ("a? batch c", ("a", "batch", "c"), (2, 3, 4), (False, True, True)),
    ],
)
def test_text_gives_the_dims_and_sizes_of_an_operand(text, dims, sizes, static):
    parsed = operand(text, "int8", layout="fortran")
    assert parsed == Operand(dims, sizes, "int8", static, "fortran")


def test_two_texts_give_a_case():
    case = dot_case("a:2? b", "b", ["b"], ("int8", "bool"), layout="strided", seed=3)
    x = Operand(("a", "b"), (2, 3), "int8", (False, True), "strided")
    y = Operand(("b",), (3,), "bool", (True,), "strided")
    assert case == DotCase(x, y, DimArgument("list", ("b",)), seed=3)


def test_a_property_of_the_operands_is_one_value_or_a_pair():
    case = dot_case("a?", "a?", None, "int8", ("c", "slice"), ("shared", "constant"), "zeros")
    assert case.x == Operand(("a",), (2,), "int8", (False,), "c", "shared", "zeros")
    assert case.y == Operand(("a",), (2,), "int8", (True,), "slice", "constant", "zeros")


@pytest.mark.parametrize(
    "value", [None, ..., "a", ("a", "b"), ["a"], {"a"}, frozenset("a"), (), 5, True]
)
def test_a_dim_argument_keeps_the_value_and_type(value):
    assert DimArgument.of(value).value == value
    assert type(DimArgument.of(value).value) is type(value)


def test_names_with_spaces_are_in_a_list():
    case = dot_case(["dim 0:2?", "a:b:3", ":4"], [])
    assert case.x == Operand(("dim 0", "a:b", ""), (2, 3, 4), static=(False, True, True))
    assert case.y == Operand((), ())


PRINTED = {
    'dot_case("", "")': DotCase(Operand((), ()), Operand((), ())),
    'dot_case("a:2 b:3?", "b:3?", dim=(\'b\',))': dot_case("a b?", "b:3?", ("b",)),
    'dot_case("a:2", "a:2", dim=...)': dot_case("a", "a", ...),
    "dot_case(\"a:2\", \"a:2\", dim=DimArgument('set', ('a', 'b')))": dot_case(
        "a", "a", DimArgument("set", ("a", "b"))
    ),
    "dot_case(\"a:2\", \"a:2\", dtypes='int8', layout=('c', 'slice'), seed=3)": dot_case(
        "a", "a", dtypes="int8", layout=("c", "slice"), seed=3
    ),
    "dot_case(['dim 0:2'], \"a:2\")": dot_case(["dim 0"], "a"),
    """dot_case('":2', "\'é:2")""": dot_case('"', "'é"),
}


@pytest.mark.parametrize(("text", "case"), PRINTED.items(), ids=PRINTED)
def test_a_case_is_printed_as_an_expression(text, case):
    assert repr(case) == pretty(case) == text
    assert eval(text) == case


@given(dot_cases())
def test_every_case_is_printed_as_an_expression_on_one_line(case):
    text = repr(case)
    assert eval(text) == case
    assert len(text.splitlines()) == 1


@pytest.mark.parametrize("dim", [float("inf"), [-float("inf")], ("a", float("nan"))])
def test_a_dim_that_has_no_literal_is_printed_as_an_expression(dim):
    case = dot_case("a", "a", dim)
    assert repr(eval(repr(case))) == repr(case)
    assert str(eval(repr(case))) == str(case)


def test_smoke_cases_are_printed_as_expressions():
    for case in smoke_cases():
        assert eval(repr(case)) == case


def test_a_dim_argument_is_printed_without_the_table_of_spellings():
    assert pretty(DimArgument("str", ("a",))) == "DimArgument('str', ('a',))"
