"""Cases: text, `dim` arguments and values."""

from dataclasses import replace

import numpy as np
import pytest

from refdot.cases.case import (
    CONTENTS,
    DTYPES,
    ORIGINS,
    REGIMES,
    DimArgument,
    DotCase,
    Operand,
)
from refdot.cases.values import NEAR_CONTENTS, content_values, random_values

MATRIX = Operand(("a", "b"), (2, 3))
CASE = DotCase(MATRIX, Operand(("b",), (3,)))

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


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(), (3,), (3, 3), (2, 3), (4, 2, 3), (0, 2), (2, 0), (140, 139)])
def test_diagonals_and_one_hot_arrays(shape, dtype):
    identity, diagonal = (content_values(name, shape, dtype) for name in ("identity", "diagonal"))
    assert ((diagonal != 0) == (identity != 0)).all()
    one_hot = content_values("one-hot", shape, dtype)
    assert one_hot.dtype == diagonal.dtype == dtype
    if shape:
        assert (np.count_nonzero(one_hot, axis=0) == min(shape[0], 1)).all()
    assert {*one_hot.ravel().tolist()} <= {0, 1}
    if dtype != "bool" and shape == (3, 3):
        assert (np.diag(diagonal) == [2, 3, 4]).all()
        assert (one_hot == np.roll(np.eye(3), 1, axis=0)).all()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(5, 5), (5, 3), (2, 3), (4, 2, 3), (140, 139)])
def test_near_contents_differ_by_little(shape, dtype):
    for near in NEAR_CONTENTS:
        content = near.removeprefix("nearly-")
        values, exact = (content_values(name, shape, dtype) for name in (near, content))
        assert values.dtype == exact.dtype == dtype
        changed = values != exact
        if content in ("zeros", "ones"):
            assert changed.all()
            assert (values == values.flat[0]).all()
        else:
            assert 0 < np.count_nonzero(changed) <= 2
        if values.dtype.kind in "fc":
            least = 2 * np.finfo(dtype).eps
            assert (least < abs(values - exact)[changed]).all()
            assert np.allclose(values, exact, rtol=0, atol=max(2**-19, 8 * np.finfo(dtype).eps))


@pytest.mark.parametrize("dtype", [each for each in DTYPES if np.dtype(each).kind in "ifc"])
@pytest.mark.parametrize("shape", [(5, 5), (5, 3), (2, 3), (3,), (4, 2, 3)])
def test_columns_that_are_nearly_one_hot_have_the_sum_one(shape, dtype):
    values = content_values("nearly-one-hot", shape, dtype)
    assert (values.sum(axis=0) == 1).all()
    assert not ((values == 0) | (values == 1)).all()
    assert (values.real >= 0).all() or values.dtype.kind in "ic"


@pytest.mark.parametrize("content", CONTENTS + NEAR_CONTENTS)
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
