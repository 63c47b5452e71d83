"""Cases: conversion to JSON and back, text, `dim` arguments and values."""

import json
import re
from copy import deepcopy
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from refdot.cases.case import (
    CONTENTS,
    DTYPES,
    LAYOUTS,
    ORIGINS,
    REGIMES,
    DimArgument,
    DotCase,
    Operand,
)
from refdot.cases.codec import case_from_json, case_to_json
from refdot.cases.strategies import dot_cases
from refdot.cases.values import content_values, random_values

MATRIX = Operand(("a", "b"), (2, 3))
CASE = DotCase(MATRIX, Operand(("b",), (3,)))
JSON = case_to_json(CASE)
CONSTANT = {"origin": "constant", "known": []}
quickly = settings(max_examples=100, database=None, deadline=None, derandomize=True)

# JSON


@given(dot_cases())
@quickly
def test_a_case_survives_a_round_trip_through_json(case):
    text = json.dumps(case_to_json(case))
    assert case_from_json(text) == case_from_json(json.loads(text)) == case
    assert "\n" not in str(case)


def test_every_field_of_a_case_is_in_its_json():
    case = DotCase(
        Operand(("a",), (2,), "int8", (True,), "strided", "shared", "ones"),
        Operand((), ()),
        DimArgument("list", ("a", "a")),
        regime="special",
        seed=7,
        same_variable=False,
        gradient_order=2,
        call="method",
        same_array=False,
    )
    assert case_to_json(case) == {
        "x": {
            "dims": ["a"],
            "shape": [2],
            "dtype": "int8",
            "known": [True],
            "layout": "strided",
            "origin": "shared",
            "content": "ones",
        },
        "y": {
            "dims": [],
            "shape": [],
            "dtype": "float64",
            "known": [],
            "layout": "c",
            "origin": "input",
            "content": "drawn",
        },
        "dim": {"spelling": "list", "items": ["a", "a"]},
        "tier": "special",
        "seed": 7,
        "same_variable": False,
        "gradient_order": 2,
        "call": "method",
        "same_array": False,
    }


def test_only_dims_and_shapes_are_required_in_json():
    x, y = ({"dims": list(o.dims), "shape": list(o.shape)} for o in (CASE.x, CASE.y))
    assert case_from_json({"x": x, "y": y}) == CASE


INVALID_JSON = {
    "malformed": ("nothing", "JSON is malformed: invalid character (byte 4)"),
    "a list": ([], "Expected `object`, got `array`"),
    "an empty object": ({}, "Object missing required field `x`"),
    "no y": ({"x": JSON["x"]}, "Object missing required field `y`"),
    "unknown fields": (JSON | {"z": 1, "w": 2}, "Object contains unknown field `z`"),
    "an operand that is a list": (JSON | {"x": [1]}, "Expected `object`, got `array` - at `$.x`"),
    "an operand without a shape": (
        JSON | {"y": {"dims": []}},
        "Object missing required field `shape` - at `$.y`",
    ),
    "an operand with an unknown field": (
        JSON | {"y": JSON["y"] | {"data": []}},
        "Object contains unknown field `data` - at `$.y`",
    ),
    "a dim argument without a spelling": (
        JSON | {"dim": {}},
        "Object missing required field `spelling` - at `$.dim`",
    ),
    "an unknown tier": (
        JSON | {"tier": "fast"},
        "tier must be one of exact, rounding, special, got 'fast'",
    ),
    "a list for a tier": (
        JSON | {"tier": ["exact"]},
        "Expected `str`, got `array` - at `$.tier`",
    ),
    "a gradient order of 3": (
        JSON | {"gradient_order": 3},
        "Expected `int` <= 2 - at `$.gradient_order`",
    ),
    "a fraction for a seed": (JSON | {"seed": 1.5}, "Expected `int`, got `float` - at `$.seed`"),
    "a bool for a seed": (JSON | {"seed": True}, "Expected `int`, got `bool` - at `$.seed`"),
    "a negative seed": (JSON | {"seed": -1}, "Expected `int` >= 0 - at `$.seed`"),
    "an unknown call": (
        JSON | {"call": "shout"},
        "call must be one of function, method, operator, got 'shout'",
    ),
    "an operator with a dim": (
        JSON | {"call": "operator", "dim": {"spelling": "tuple", "items": ["b"]}},
        "the operator takes no dim, got the spelling 'tuple'",
    ),
    "a number for a bool": (
        JSON | {"same_variable": 1},
        "Expected `bool`, got `int` - at `$.same_variable`",
    ),
    "text for a bool": (
        JSON | {"same_variable": "no"},
        "Expected `bool`, got `str` - at `$.same_variable`",
    ),
    "one variable of two shapes": (
        JSON | {"same_variable": True},
        "same_variable requires y to equal x, except for its dims",
    ),
    "one variable in two layouts": (
        JSON | {"same_variable": True, "y": JSON["x"] | {"layout": "fortran"}},
        "same_variable requires y to equal x, except for its dims",
    ),
    "one array of two shapes": (
        JSON | {"same_array": True},
        "same_array requires y to equal x, except for its dims and known",
    ),
    "one array in a constant": (
        JSON | {"same_array": True, "x": JSON["x"] | CONSTANT, "y": JSON["x"] | CONSTANT},
        "same_array requires two inputs",
    ),
    "one variable and one array": (
        JSON | {"same_array": True, "same_variable": True, "y": JSON["x"]},
        "same_variable and same_array exclude each other",
    ),
    "a constant with a size that is not known": (
        JSON | {"x": JSON["x"] | {"origin": "constant", "known": [True, False]}},
        "the sizes of a constant are known - at `$.x`",
    ),
    "no item for a str": (
        JSON | {"dim": {"spelling": "str", "items": []}},
        "wrong items for the spelling 'str': [] - at `$.dim`",
    ),
    "a str for items": (
        JSON | {"dim": {"spelling": "tuple", "items": "ab"}},
        "Expected `array`, got `str` - at `$.dim.items`",
    ),
}
INVALID_OPERANDS = {
    "dims": ("ab", "Expected `array`, got `str` - at `$.x.dims`"),
    "shape": (3, "Expected `array`, got `int` - at `$.x.shape`"),
    "known": (True, "Expected `array`, got `bool` - at `$.x.known`"),
    "dtype": ("float", f"dtype must be one of {', '.join(DTYPES)}, got 'float' - at `$.x`"),
    "layout": ("C", f"layout must be one of {', '.join(LAYOUTS)}, got 'C' - at `$.x`"),
    "origin": ("file", "origin must be one of input, constant, shared, got 'file' - at `$.x`"),
    "content": (2, "Expected `str`, got `int` - at `$.x.content`"),
}
INVALID_JSON |= {
    f"operand {key}": (JSON | {"x": JSON["x"] | {key: value}}, message)
    for key, (value, message) in INVALID_OPERANDS.items()
} | {
    "a negative size": (
        JSON | {"x": JSON["x"] | {"shape": [2, -1]}},
        "Expected `int` >= 0 - at `$.x.shape[1]`",
    ),
    "a bool for a size": (
        JSON | {"x": JSON["x"] | {"shape": [2, True]}},
        "Expected `int`, got `bool` - at `$.x.shape[1]`",
    ),
    "a list for a name": (
        JSON | {"x": JSON["x"] | {"dims": ["a", []]}},
        "Expected `int | str`, got `array` - at `$.x.dims[1]`",
    ),
    "an unknown content": (
        JSON | {"x": JSON["x"] | {"content": "twos"}},
        "content must be one of drawn, zeros, ones, identity, got 'twos' - at `$.x`",
    ),
    "too few sizes": (
        JSON | {"x": JSON["x"] | {"shape": [2]}},
        "dims, shape and known differ in length - at `$.x`",
    ),
}


@pytest.mark.parametrize(("data", "message"), INVALID_JSON.values(), ids=INVALID_JSON)
def test_invalid_json_is_rejected_with_its_location(data, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        case_from_json(data)


def test_an_unknown_spelling_is_rejected_with_a_list_of_spellings():
    with pytest.raises(
        ValueError, match=r"^spelling must be one of none, .*, got 'any' - at `\$\.dim`$"
    ):
        case_from_json(JSON | {"dim": {"spelling": "any"}})


LOCATIONS = [
    *[(key,) for key in JSON],
    *[("x", key) for key in JSON["x"]],
    *[("x", key, 0) for key in ("dims", "shape", "known")],
    ("dim", "spelling"),
    ("dim", "items"),
    ("dim", "items", 0),
]
anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-2, 2**70)
    | st.floats()
    | st.sampled_from(["", "a", "set", "bytes", "array", "str"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.just("a"), inner, max_size=1),
    max_leaves=3,
)


@given(
    dot_cases(), st.lists(st.tuples(st.sampled_from(LOCATIONS), anything), min_size=1, max_size=2)
)
@settings(quickly, max_examples=300)
def test_changed_json_is_rejected_or_gives_a_usable_case(case, changes):
    data = deepcopy(case_to_json(case))
    for (*path, last), value in changes:
        part = data
        for key in path:
            assume(isinstance(part, dict) and key in part)
            part = part[key]
        assume(isinstance(part, dict) or (isinstance(part, list) and part and last == 0))
        part[last] = value
    try:
        read = case_from_json(data)
    except ValueError:
        return
    assert case_from_json(json.loads(json.dumps(case_to_json(read)))) == read
    assert hash(read) == hash(replace(read))
    assert str(read)
    assert read.dim.spelling in ("none", "object") or read.dim.value is not None
    for array, operand in zip(read.arrays(), (read.x, read.y), strict=True):
        assert array.shape == (read.x if read.same_variable else operand).shape


# Text

TEXTS = {
    "dot(float64(a: 2?, b: 3?), float64(b: 3?), dim=None)": CASE,
    "dot(float64(a: 2?, b: 3?), x, dim=())": replace(
        CASE, y=MATRIX, same_variable=True, dim=DimArgument("tuple")
    ),
    "dot(int8 strided(a: 2, b: 3?), float64(), dim='a')  "
    "[special, seed 9, second gradient, as a method]": DotCase(
        Operand(("a", "b"), (2, 3), "int8", (True, False), "strided"),
        Operand((), ()),
        DimArgument("str", ("a",)),
        "special",
        9,
        gradient_order=2,
        call="method",
    ),
    "dot(float64(a: 2?, b: 3?), float64(b: 3?), dim=...)  [rounding, gradient]": replace(
        CASE, dim=DimArgument("ellipsis"), regime="rounding", gradient_order=1
    ),
    "dot(float64(a: 2?, b: 3?), x.rename(a='b', b='c'), dim=None)": replace(
        CASE, y=replace(MATRIX, dims=("b", "c")), same_variable=True
    ),
    "dot(float64(class: 2?, b: 3?), x.rename({'class': ''}), dim=None)": DotCase(
        replace(MATRIX, dims=("class", "b")), replace(MATRIX, dims=("", "b")), same_variable=True
    ),
    "dot(float64(self: 2?, é: 3?), x.rename({'self': 'a', 'é': 'b'}), dim=None)": DotCase(
        replace(MATRIX, dims=("self", "é")), MATRIX, same_variable=True
    ),
    "dot(float64 slice shared identity(a: 2?, b: 3?), float64 constant(b: 3), dim=None)": replace(
        CASE,
        x=replace(MATRIX, layout="slice", origin="shared", content="identity"),
        y=replace(CASE.y, origin="constant"),
    ),
    "dot(float64(a: 2?, b: 3?), float64(c: 2?, b: 3?), dim=None)  [same array]": replace(
        CASE, y=replace(MATRIX, dims=("c", "b")), same_array=True
    ),
}


@pytest.mark.parametrize(("text", "case"), TEXTS.items())
def test_a_case_is_printed_as_an_expression(text, case):
    assert str(case) == text


# The `dim` argument

ARGUMENTS = {
    "none": ((), None, "None"),
    "ellipsis": ((), ..., "..."),
    "str": (("a",), "a", "'a'"),
    "tuple": (("b", "a"), ("b", "a"), "('b', 'a')"),
    "list": (("b", "b"), ["b", "b"], "['b', 'b']"),
    "set": (("b", "a"), {"a", "b"}, "set(['b', 'a'])"),
    "frozenset": (("a",), frozenset("a"), "frozenset(['a'])"),
    "keys": (("a", "b"), {"a": None, "b": None}, "dict.fromkeys(['a', 'b'])"),
    "object": ((5,), 5, "5"),
    "bytes": (("a",), b"a", "'a'.encode()"),
}


@pytest.mark.parametrize(("spelling", "expected"), ARGUMENTS.items(), ids=ARGUMENTS)
def test_a_dim_argument_is_printed_as_code_for_its_value(spelling, expected):
    items, value, text = expected
    argument = DimArgument(spelling, items)
    assert str(argument) == text
    assert argument.value == eval(text) == value
    assert type(argument.value) is type(value)


def test_iterators_and_arrays_are_created_at_each_access():
    iterator, array = DimArgument("iterator", ("a", "b")), DimArgument("array", ("a",))
    assert [list(iterator.value), list(iterator.value)] == [["a", "b"]] * 2
    assert list(eval(str(iterator))) == ["a", "b"]
    assert isinstance(array.value, np.ndarray)
    assert eval(str(array)).tolist() == array.value.tolist() == ["a"]


def test_the_tests_above_cover_every_spelling():
    assert {*ARGUMENTS, "iterator", "array"} == set(DimArgument.SPELLINGS)


def test_names_do_not_depend_on_the_spelling():
    assert DimArgument().names is None
    assert DimArgument("ellipsis").names is ...
    assert DimArgument("iterator", ("b", "a", "b")).names == {"a", "b"}


def test_renaming_changes_only_names():
    case = replace(CASE, dim=DimArgument("list", ("b", "z")), seed=3, regime="special")
    renamed = case.renamed({"a": "b", "b": "a"})
    assert (renamed.x.dims, renamed.y.dims, renamed.dim.items) == (("b", "a"), ("a",), ("a", "z"))
    assert renamed.renamed({"a": "b", "b": "a"}) == case
    for before, after in zip(case.arrays(), renamed.arrays(), strict=True):
        assert np.array_equal(before, after, equal_nan=True)


# Values

# The first three values. They must never change, because reports refer to cases by seed.
GOLDEN = {
    ("float64", "exact"): [2.0, 7.0, -4.0],
    ("float64", "rounding"): [5454.452899711348, 0.000624058806446342, -0.0008276938001999957],
    ("float32", "rounding"): [5454.453125, 0.0006240588263608515, -0.000827693787869066],
    ("float16", "exact"): [-2.0, 3.0, -1.0],
    ("float16", "rounding"): [-0.666015625, 2.556640625, -0.84765625],
    ("float16", "special"): [-2.0, -0.0, -1.0],
    ("int64", "exact"): [-6, 7, -4],
    ("int64", "rounding"): [7216705794420289729, -6412304658497338546, 4022630999536234692],
    ("int64", "special"): [-(2**63), 2, -(2**63) + 1],
    ("int8", "rounding"): [-63, -80, -20],
    ("int8", "special"): [-128, 2, -127],
    ("uint8", "exact"): [2, 7, 4],
    ("uint8", "special"): [0, 2, 1],
    ("bool", "exact"): [True, True, False],
    ("complex64", "exact"): [2 + 1j, 7 + 2j, -4 + 4j],
    ("complex64", "special"): [complex(2, np.inf), 7 - 3j, complex(-4, 2.0**-149)],
}


@pytest.mark.parametrize(("dtype", "regime"), GOLDEN)
def test_a_seed_gives_the_same_values_everywhere(dtype, regime):
    assert random_values((3,), dtype, regime, (5, 0, 0)).tolist() == GOLDEN[dtype, regime]


def test_every_replicate_and_operand_has_different_values():
    case = DotCase(Operand(("a",), (50,)), Operand(("a",), (50,)))
    pairs = [case.arrays(replicate) for replicate in range(3)] + [replace(case, seed=1).arrays()]
    cotangents = [tensor.data for tensor in replace(case, dim=DimArgument("tuple")).cotangents()]
    arrays = [array for pair in pairs for array in pair] + cotangents
    assert len({array.tobytes() for array in arrays}) == len(arrays)
    assert all(np.array_equal(*pair) for pair in zip(case.arrays(), case.arrays(), strict=True))


def many_values(dtype: str, regime: str) -> np.ndarray:
    """Return enough values that every kind of value of the regime occurs."""
    return random_values((40, 50), dtype, regime, (1, 0, 0))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("regime", REGIMES)
def test_every_regime_has_its_kinds_of_values_in_every_dtype(dtype, regime):
    values = many_values(dtype, regime)
    assert values.dtype == dtype
    kind = values.dtype.kind
    for part in [values.real, values.imag] if kind == "c" else [values]:
        if kind == "b":
            assert set(part.ravel().tolist()) == {True, False}
        elif regime == "exact":
            assert (part == np.rint(part)).all()
            assert (part != 0).all()
            assert np.abs(part.astype(float)).max() <= 7
            assert (part.min() < 0) == (kind != "u")
        elif regime == "rounding" and kind in "fc":
            assert np.isfinite(part).all()
            assert (part != np.rint(part)).any()
            assert np.abs(part).max() / np.abs(part).min() > 10
        elif kind in "fc":
            limits = np.finfo(part.dtype)
            for special in (np.inf, -np.inf, limits.smallest_subnormal, limits.max, 0.0):
                assert (part == special).any()
            assert np.isnan(part).any()
            assert np.signbit(part[part == 0]).any()
            assert (np.abs(part) == 1).mean() > 0.05
        else:
            limits, fraction = np.iinfo(dtype), {"rounding": 0.9, "special": 0.999}[regime]
            span = float(part.max()) - float(part.min())
            assert span >= fraction * (float(limits.max) - float(limits.min))


IDENTITIES = {
    (): 1,
    (2,): [1, 1],
    (2, 3): [[1, 0, 0], [0, 1, 0]],
    (2, 1, 2): [[[1, 0]], [[0, 0]]],
    (0, 2): [],
}


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_contents_that_are_not_drawn(dtype):
    for shape, identity in IDENTITIES.items():
        assert content_values("zeros", shape, dtype).tolist() == np.zeros(shape).tolist()
        assert content_values("ones", shape, dtype).tolist() == np.ones(shape).tolist()
        values = content_values("identity", shape, dtype)
        assert (values.tolist(), values.dtype) == (identity, dtype)
    assert content_values("identity", (2,) * 6 + (1,) * 58, dtype).sum() == 1


@pytest.mark.parametrize("content", CONTENTS)
def test_an_operand_has_its_content_in_every_replicate(content):
    x = Operand(("a", "b"), (2, 3), content=content)
    case = DotCase(x, x, regime="special")
    for replicate in range(2):
        for values in case.arrays(replicate):
            if content != "drawn":
                assert np.array_equal(values, content_values(content, (2, 3), "float64"))


@pytest.mark.parametrize("regime", REGIMES)
@pytest.mark.parametrize("origin", ORIGINS)
def test_only_a_constant_has_the_same_numbers_in_every_replicate(origin, regime):
    matrix = Operand(("a", "b"), (20, 30), "int64")
    case = DotCase(replace(matrix, origin=origin), matrix, regime=regime)
    (x, y), (next_x, next_y) = case.arrays(0), case.arrays(1)
    assert np.array_equal(x, next_x) == (origin == "constant")
    assert not np.array_equal(y, next_y)


def test_sums_of_integers_overflow_only_in_the_first_replicate():
    matrix = Operand(("a", "b"), (4, 5), "int64")
    case = DotCase(matrix, matrix, regime="rounding")
    (large, other_large), (small, other_small) = (
        [array.astype(object) for array in case.arrays(replicate)] for replicate in range(2)
    )
    assert abs(large * other_large).sum() > 2**63
    assert 2**24 < abs(small * other_small).sum() < 2**53


def test_all_sizes_of_a_constant_are_static():
    assert Operand(("a", "b"), (2, 3), origin="constant").static == (True, True)
    assert replace(MATRIX, origin="constant").static == (True, True)
    assert Operand(("a", "b"), (2, 3), origin="shared").static == (False, False)


def test_the_same_variable_has_the_same_array():
    case = DotCase(MATRIX, MATRIX, same_variable=True)
    x, y = case.arrays()
    assert x is y
    x, y = case.tensors()
    assert x.data is y.data
    assert x.dims == y.dims == ("a", "b")
    x, y = replace(case, same_variable=False, same_array=True).arrays()
    assert x is y
    first, second = replace(case, same_variable=False).arrays()
    assert not np.array_equal(first, second)


def test_a_tangent_of_the_same_variable_has_the_dims_of_each_operand():
    case = DotCase(MATRIX, replace(MATRIX, dims=("b", "c")), same_variable=True)
    _, v, w = replace(case, y=replace(case.y, dims=("d", "c"))).cotangents()
    assert (v.dims, w.dims) == (("a", "b"), ("d", "c"))
    assert np.array_equal(v.data, w.data)


def test_tangents_of_the_same_array_differ():
    _, v, w = DotCase(MATRIX, MATRIX, same_array=True).cotangents()
    assert not np.array_equal(v.data, w.data)


@pytest.mark.parametrize("regime", REGIMES)
def test_cotangents_are_finite_in_every_regime(regime):
    x = Operand(("a", "b"), (30, 20), "float32")
    cotangent, _, _ = DotCase(x, x, DimArgument("tuple"), regime=regime).cotangents()
    assert (cotangent.dims, cotangent.shape) == (("a", "b"), (30, 20))
    assert cotangent.dtype == "float32"
    assert np.isfinite(cotangent.data).all()


def test_static_sizes_are_the_sizes_marked_as_static():
    operand = Operand(("a", "b"), (2, 3), static=(False, True))
    assert (operand.static_shape, operand.static_sizes) == ((None, 3), {"a": None, "b": 3})
    assert (operand.sizes, MATRIX.static_shape) == ({"a": 2, "b": 3}, (None, None))
