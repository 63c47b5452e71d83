"""The notation for cases."""

import pytest

from refdot.cases import DimArgument, DotCase, Operand
from refdot.cases.notation import dot_case, operand


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
