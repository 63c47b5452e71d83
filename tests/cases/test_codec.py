"""Cases as JSON: round trips, and the place of each error."""

import json
import re
from copy import deepcopy
from dataclasses import replace

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from refdot.cases.case import (
    DTYPES,
    LAYOUTS,
    DimArgument,
    DotCase,
    Operand,
)
from refdot.cases.codec import case_from_json, case_to_json
from refdot.cases.strategies import dot_cases

MATRIX = Operand(("a", "b"), (2, 3))
CASE = DotCase(MATRIX, Operand(("b",), (3,)))
JSON = case_to_json(CASE)
CONSTANT = {"origin": "constant", "known": []}
quickly = settings(max_examples=100, database=None, deadline=None, derandomize=True)


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


def large(x_dims, x_shape, y_dims, y_shape):
    """Return the JSON of a case of zeros."""
    x, y = {"dims": list(x_dims), "shape": x_shape}, {"dims": list(y_dims), "shape": y_shape}
    return {"x": x, "y": y}


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
        "content must be one of drawn, zeros, ones, identity, diagonal, one-hot, nearly-zeros, "
        "nearly-ones, nearly-identity, nearly-diagonal, nearly-one-hot, got 'twos' - at `$.x`",
    ),
    "too few sizes": (
        JSON | {"x": JSON["x"] | {"shape": [2]}},
        "dims, shape and known differ in length - at `$.x`",
    ),
    "an operand that is too large": (
        large("a", [10_000_001], "a", [10_000_001]),
        "an operand has more than 10,000,000 elements: [10000001] - at `$.x`",
    ),
    "an empty operand with a size that is too large": (
        large("ab", [2**63, 0], "a", [1]),
        f"an operand has more than 10,000,000 elements: [{2**63}, 0] (a size of 0 counts as 1)"
        " - at `$.x`",
    ),
    "an answer that is too large": (
        large("a", [10_000], "b", [10_000]),
        "the answer has more than 10,000,000 elements: [10000, 10000]",
    ),
    "too many products": (
        large("ab", [1000, 10_000], "bc", [10_000, 1000]),
        "the dot has more than 1,000,000,000 products: {'a': 1000, 'b': 10000, 'c': 1000}",
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


def test_the_largest_cases_are_read():
    assert case_from_json(large("a", [10_000_000], "a", [10_000_000]))
    assert case_from_json(large("a", [10_000], "b", [1000]))
