"""Cases: JSON both ways, short text, and values that are the same everywhere."""

import json
import re
from copy import deepcopy
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from refdot.cases.case import DTYPES, LAYOUTS, REGIMES, DimArgument, DotCase, Operand
from refdot.cases.codec import case_from_json, case_to_json
from refdot.cases.strategies import dot_cases
from refdot.cases.values import random_values, with_layout

MATRIX = Operand(("a", "b"), (2, 3))
CASE = DotCase(MATRIX, Operand(("b",), (3,)))
JSON = case_to_json(CASE)
quickly = settings(max_examples=100, database=None, deadline=None, derandomize=True)

# JSON


@given(dot_cases())
@quickly
def test_a_case_goes_through_json_unchanged(case):
    text = json.dumps(case_to_json(case))
    assert case_from_json(text) == case_from_json(json.loads(text)) == case
    assert "\n" not in str(case)


def test_a_case_is_all_of_this_json():
    case = DotCase(
        Operand(("a",), (2,), "int8", (True,), "strided"),
        Operand((), ()),
        DimArgument("list", ("a", "a")),
        regime="special",
        seed=7,
        same_variable=False,
        gradient_order=2,
        call="method",
    )
    assert case_to_json(case) == {
        "x": {
            "dims": ["a"],
            "shape": [2],
            "dtype": "int8",
            "known": [True],
            "layout": "strided",
        },
        "y": {"dims": [], "shape": [], "dtype": "float64", "known": [], "layout": "c"},
        "dim": {"spelling": "list", "items": ["a", "a"]},
        "tier": "special",
        "seed": 7,
        "same_variable": False,
        "gradient_order": 2,
        "call": "method",
    }


def test_dims_and_shapes_are_enough():
    x, y = ({"dims": list(o.dims), "shape": list(o.shape)} for o in (CASE.x, CASE.y))
    assert case_from_json({"x": x, "y": y}) == CASE


REFUSED = {
    "no JSON": ("nothing", "JSON is malformed: invalid character (byte 4)"),
    "a list": ([], "Expected `object`, got `array`"),
    "nothing": ({}, "Object missing required field `x`"),
    "no y": ({"x": JSON["x"]}, "Object missing required field `y`"),
    "more": (JSON | {"z": 1, "w": 2}, "Object contains unknown field `z`"),
    "an operand that is a list": (JSON | {"x": [1]}, "Expected `object`, got `array` - at `$.x`"),
    "an operand without a shape": (
        JSON | {"y": {"dims": []}},
        "Object missing required field `shape` - at `$.y`",
    ),
    "an operand that holds more": (
        JSON | {"y": JSON["y"] | {"data": []}},
        "Object contains unknown field `data` - at `$.y`",
    ),
    "a dim argument without a spelling": (
        JSON | {"dim": {}},
        "Object missing required field `spelling` - at `$.dim`",
    ),
    "tier": (
        JSON | {"tier": "fast"},
        "tier must be one of exact, rounding, special, got 'fast'",
    ),
    "tier of a kind of its own": (
        JSON | {"tier": ["exact"]},
        "Expected `str`, got `array` - at `$.tier`",
    ),
    "gradient order": (
        JSON | {"gradient_order": 3},
        "Expected `int` <= 2 - at `$.gradient_order`",
    ),
    "a fraction for a seed": (JSON | {"seed": 1.5}, "Expected `int`, got `float` - at `$.seed`"),
    "a bool for a seed": (JSON | {"seed": True}, "Expected `int`, got `bool` - at `$.seed`"),
    "a negative seed": (JSON | {"seed": -1}, "Expected `int` >= 0 - at `$.seed`"),
    "a call": (
        JSON | {"call": "shout"},
        "call must be one of function, method, operator, got 'shout'",
    ),
    "an operator with a dim": (
        JSON | {"call": "operator", "dim": {"spelling": "tuple", "items": ["b"]}},
        "the operator has no dim, got the spelling 'tuple'",
    ),
    "a number for a bool": (
        JSON | {"same_variable": 1},
        "Expected `bool`, got `int` - at `$.same_variable`",
    ),
    "text for a bool": (
        JSON | {"same_variable": "no"},
        "Expected `bool`, got `str` - at `$.same_variable`",
    ),
    "items": (
        JSON | {"dim": {"spelling": "str", "items": []}},
        "items do not suit the spelling 'str': [] - at `$.dim`",
    ),
    "items that are no list": (
        JSON | {"dim": {"spelling": "tuple", "items": "ab"}},
        "Expected `array`, got `str` - at `$.dim.items`",
    ),
}
OPERAND_REFUSED = {
    "dims": ("ab", "Expected `array`, got `str` - at `$.x.dims`"),
    "shape": (3, "Expected `array`, got `int` - at `$.x.shape`"),
    "known": (True, "Expected `array`, got `bool` - at `$.x.known`"),
    "dtype": ("float", f"dtype must be one of {', '.join(DTYPES)}, got 'float' - at `$.x`"),
    "layout": ("C", f"layout must be one of {', '.join(LAYOUTS)}, got 'C' - at `$.x`"),
}
REFUSED |= {
    f"operand {key}": (JSON | {"x": JSON["x"] | {key: value}}, message)
    for key, (value, message) in OPERAND_REFUSED.items()
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
    "a size less": (
        JSON | {"x": JSON["x"] | {"shape": [2]}},
        "dims, shape and known differ in length - at `$.x`",
    ),
}


@pytest.mark.parametrize(("data", "message"), REFUSED.values(), ids=REFUSED)
def test_what_is_no_case_is_refused_with_its_place(data, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        case_from_json(data)


def test_spellings_are_listed_where_one_is_wrong():
    with pytest.raises(
        ValueError, match=r"^spelling must be one of none, .*, got 'any' - at `\$\.dim`$"
    ):
        case_from_json(JSON | {"dim": {"spelling": "any"}})


PLACES = [
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


@given(dot_cases(), st.lists(st.tuples(st.sampled_from(PLACES), anything), min_size=1, max_size=2))
@settings(quickly, max_examples=300)
def test_whatever_is_read_can_be_used(case, changes):
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

PRINTED = {
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
}


@pytest.mark.parametrize(("text", "case"), PRINTED.items())
def test_a_case_prints_as_a_short_expression(text, case):
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


@pytest.mark.parametrize(("spelling", "given"), ARGUMENTS.items(), ids=ARGUMENTS)
def test_a_dim_argument_is_its_spelling_and_prints_as_code(spelling, given):
    items, value, text = given
    argument = DimArgument(spelling, items)
    assert str(argument) == text
    assert argument.value == eval(text) == value
    assert type(argument.value) is type(value)


def test_an_iterator_and_an_array_are_made_anew_each_time():
    iterator, array = DimArgument("iterator", ("a", "b")), DimArgument("array", ("a",))
    assert [list(iterator.value), list(iterator.value)] == [["a", "b"]] * 2
    assert list(eval(str(iterator))) == ["a", "b"]
    assert isinstance(array.value, np.ndarray)
    assert eval(str(array)).tolist() == array.value.tolist() == ["a"]


def test_every_spelling_is_tested_above():
    assert {*ARGUMENTS, "iterator", "array"} == set(DimArgument.SPELLINGS)


def test_names_are_the_argument_without_its_spelling():
    assert DimArgument().names is None
    assert DimArgument("ellipsis").names is ...
    assert DimArgument("iterator", ("b", "a", "b")).names == {"a", "b"}


def test_renaming_changes_every_name_and_nothing_else():
    case = replace(CASE, dim=DimArgument("list", ("b", "z")), seed=3, regime="special")
    renamed = case.renamed({"a": "b", "b": "a"})
    assert (renamed.x.dims, renamed.y.dims, renamed.dim.items) == (("b", "a"), ("a",), ("a", "z"))
    assert renamed.renamed({"a": "b", "b": "a"}) == case
    for before, after in zip(case.arrays(), renamed.arrays(), strict=True):
        assert np.array_equal(before, after, equal_nan=True)


# Values

# The first three of each: these numbers are for good, since reports refer to cases by seed.
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


@pytest.mark.parametrize(("dtype", "tier"), GOLDEN)
def test_values_are_the_same_for_the_same_seed_everywhere(dtype, tier):
    drawn = random_values((3,), dtype, tier, (5, 0, 0))
    assert drawn.tolist() == GOLDEN[dtype, tier]


def test_every_draw_and_operand_has_its_own_values():
    case = DotCase(Operand(("a",), (50,)), Operand(("a",), (50,)))
    drawn = [case.arrays(draw) for draw in range(3)] + [replace(case, seed=1).arrays()]
    cotangents = [tensor.data for tensor in replace(case, dim=DimArgument("tuple")).cotangents()]
    every = [array for pair in drawn for array in pair] + cotangents
    assert len({array.tobytes() for array in every}) == len(every)
    assert all(np.array_equal(*pair) for pair in zip(case.arrays(), case.arrays(), strict=True))


def many(dtype: str, tier: str, layout: str = "c") -> np.ndarray:
    """Draw so many values that each kind occurs."""
    return with_layout(random_values((40, 50), dtype, tier, (1, 0, 0)), layout)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("tier", REGIMES)
def test_every_tier_keeps_its_promise_in_every_dtype(dtype, tier):
    drawn = many(dtype, tier)
    assert drawn.dtype == dtype
    kind, parts = drawn.dtype.kind, [drawn]
    if kind == "c":
        parts = [drawn.real, drawn.imag]
    for part in parts:
        if kind == "b":
            assert set(part.ravel().tolist()) == {True, False}
        elif tier == "exact":
            assert (part == np.rint(part)).all()
            assert (part != 0).all()
            assert np.abs(part.astype(float)).max() <= 7
            assert (part.min() < 0) == (kind != "u")
        elif tier == "rounding" and kind in "fc":
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
            limits, wanted = np.iinfo(dtype), {"rounding": 0.9, "special": 0.999}[tier]
            span = float(part.max()) - float(part.min())
            assert span >= wanted * (float(limits.max) - float(limits.min))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_layout_changes_where_values_lie_and_not_what_they_are(dtype, layout):
    drawn, plain = many(dtype, "exact", layout), many(dtype, "exact")
    assert np.array_equal(drawn, plain)
    assert drawn.dtype == plain.dtype
    size = drawn.itemsize
    strides = {"fortran": (size, 40 * size), "reversed": (-50 * size, -size)}
    strides["strided"] = (100 * size, 2 * size)
    assert drawn.strides == strides.get(layout, (50 * size, size))
    assert drawn.flags.writeable == (layout != "read-only")


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("shape", [(), (0,), (1, 1), (2, 0, 3)])
def test_every_shape_has_every_layout(layout, shape):
    drawn = with_layout(random_values(shape, "float64", "exact", (0, 0, 0)), layout)
    assert drawn.shape == shape
    assert drawn.flags.writeable == (layout != "read-only")


def test_one_variable_is_one_object():
    case = DotCase(MATRIX, MATRIX, same_variable=True)
    x, y = case.arrays()
    assert x is y
    x, y = case.tensors()
    assert x.data is y.data
    assert x.dims == y.dims == ("a", "b")
    first, second = replace(case, same_variable=False).arrays()
    assert not np.array_equal(first, second)


@pytest.mark.parametrize("tier", REGIMES)
def test_a_cotangent_is_finite_in_every_tier(tier):
    x = Operand(("a", "b"), (30, 20), "float32")
    drawn, _, _ = DotCase(x, x, DimArgument("tuple"), regime=tier).cotangents()
    assert (drawn.dims, drawn.shape, drawn.dtype) == (("a", "b"), (30, 20), "float32")
    assert np.isfinite(drawn.data).all()


def test_what_is_known_is_static():
    operand = Operand(("a", "b"), (2, 3), static=(False, True))
    assert operand.static_shape == (None, 3)
    assert (operand.sizes, MATRIX.static_shape) == ({"a": 2, "b": 3}, (None, None))
