"""Each error has one message, its rule, and the contents of the message as attributes."""

import copy
import pickle
import re

import numpy as np
import pytest

import refdot as rd
from refdot.errors import (
    CotangentError,
    DimNameError,
    DimNotFoundError,
    DimTypeError,
    DotError,
    DTypeError,
    NoGradientError,
    SizeMismatchError,
)
from refdot.text import nearest_name, one_line

# The error, its rule, its built-in base class, its message and its attributes.
ERRORS = {
    "an empty dim": (
        DimNameError("Dim '' is empty", "x", ["a", ""]),
        "R1",
        ValueError,
        "Dim '' is empty in x: ('a', '')",
        {"operand": "x", "dims": ("a", "")},
    ),
    "a repeated dim": (
        DimNameError("'a' appears twice", "y", ["a", "b", "a"], "Found duplicates in"),
        "R1",
        ValueError,
        "Found duplicates in ('a', 'b', 'a'): 'a' appears twice in y",
        {"operand": "y", "dims": ("a", "b", "a")},
    ),
    "a dim of the wrong type": (
        DimTypeError(5),
        "R2",
        TypeError,
        "dim must be None, ..., a str or an iterable of str, got 5",
        {"dim": 5},
    ),
    "a member of the wrong type": (
        DimTypeError(["a", 5], 5),
        "R2",
        TypeError,
        "dim must be None, ..., a str or an iterable of str, got ['a', 5]: 5 is not a str",
        {"dim": ["a", 5]},
    ),
    "a member that is None": (
        DimTypeError([None], None),
        "R2",
        TypeError,
        "dim must be None, ..., a str or an iterable of str, got [None]: None is not a str",
        {"dim": [None]},
    ),
    "an unknown dim": (
        DimNotFoundError(["e"], ("a", "b")),
        "R3",
        ValueError,
        "Dimension e not found in either input; the dims are a, b",
        {"missing": ("e",), "dims": ("a", "b")},
    ),
    "an unknown dim of two scalars": (
        DimNotFoundError(["e"], ()),
        "R3",
        ValueError,
        "Dimension e not found in either input; there are no dims",
        {"missing": ("e",), "dims": ()},
    ),
    "a misspelt dim": (
        DimNotFoundError(["ebmd"], ("batch", "embd", "head")),
        "R3",
        ValueError,
        "Dimension ebmd not found in either input; the dims are batch, embd, head; "
        "did you mean embd?",
        {"missing": ("ebmd",), "dims": ("batch", "embd", "head")},
    ),
    "several unknown dims, in order": (
        DimNotFoundError({"z", "x", "y"}, ("a",)),
        "R3",
        ValueError,
        "Dimension x not found in either input (also not found: y, z); the dims are a",
        {"missing": ("x", "y", "z"), "dims": ("a",)},
    ),
    "several misspelt dims": (
        DimNotFoundError(["zone", "tiem", "ebmd", "embt"], ("time", "embd")),
        "R3",
        ValueError,
        "Dimension ebmd not found in either input (also not found: embt, tiem, zone); "
        "the dims are time, embd; did you mean embd, time?",
        {"missing": ("ebmd", "embt", "tiem", "zone"), "dims": ("time", "embd")},
    ),
    "one size differs": (
        SizeMismatchError({"a": 2, "b": 3}, {"b": 4, "c": 5}),
        "R4",
        ValueError,
        "Size of dim 'b' does not match: 3 in x, 4 in y",
        {"dims": ("b",), "sizes": {"b": (3, 4)}},
    ),
    "every size that differs, in the order of x": (
        SizeMismatchError({"c": 2, "a": 3, "b": 5}, {"a": 1, "b": 5, "c": 0}),
        "R4",
        ValueError,
        "Size of dim 'c' does not match: 2 in x, 0 in y; "
        "size of dim 'a' does not match: 3 in x, 1 in y",
        {"dims": ("c", "a"), "sizes": {"c": (2, 0), "a": (3, 1)}},
    ),
    "not numeric": (
        DTypeError("y", np.dtype(object)),
        "R7",
        TypeError,
        "dot needs numbers or bools, but the dtype of y is object",
        {"operand": "y", "dtype": np.dtype(object)},
    ),
    "a discrete dtype": (
        NoGradientError("x", np.dtype("int8")),
        "R8",
        TypeError,
        "x has no gradient: its dtype int8 is not continuous",
        {"operand": "x", "dtype": np.dtype("int8")},
    ),
    "a cotangent of another shape": (
        CotangentError("the cotangent", {"a": 2}, "the output", {"a": 3, "b": 5}),
        "R8",
        ValueError,
        "the cotangent must have the shape of the output, (a: 3, b: 5), but it is (a: 2)",
        {"name": "the cotangent", "sizes": {"a": 2}, "expected": {"a": 3, "b": 5}},
    ),
}
each_error = pytest.mark.parametrize(
    ("error", "rule", "base", "message", "fields"), ERRORS.values(), ids=ERRORS
)


def through_pickle(error):
    return pickle.loads(pickle.dumps(error))


@each_error
def test_an_error_has_its_message_rule_and_attributes(error, rule, base, message, fields):
    assert str(error) == message
    assert error.rule == rule
    assert isinstance(error, DotError)
    assert isinstance(error, base)
    assert {name: getattr(error, name) for name in fields} == fields


@each_error
@pytest.mark.parametrize("copied", [through_pickle, copy.copy, copy.deepcopy])
def test_an_error_can_be_copied_and_pickled(error, rule, base, message, fields, copied):
    twin = copied(error)
    assert type(twin) is type(error)
    assert str(twin) == message
    assert {name: getattr(twin, name) for name in fields} == fields
    assert getattr(twin, "__notes__", []) == getattr(error, "__notes__", [])


def test_every_error_class_is_in_the_table():
    assert {type(error) for error, *_ in ERRORS.values()} == set(DotError.__subclasses__())


def test_a_size_mismatch_has_a_note_with_both_named_shapes():
    error = SizeMismatchError({"a": 2, "b": 3}, {"b": 4})
    assert error.__notes__ == ["x is (a: 2, b: 3), y is (b: 4)"]


# The messages of PyTensor 3.0.7 and 3.3.8 while a graph is built.
PYTENSOR_MESSAGES = {
    "Dimensions must be unique. Found duplicates in ('b', 'b')": lambda x, y: rd.lower_dot(
        ("b", "b"), y.dims
    ),
    "Dimension e not found in either input": lambda x, y: rd.dot(x, y, "e"),
    "Size of dim 'b' does not match": rd.dot,
}


@pytest.mark.parametrize(("beginning", "wrong"), PYTENSOR_MESSAGES.items(), ids=PYTENSOR_MESSAGES)
def test_a_message_begins_with_pytensors_words(beginning, wrong):
    x = rd.NamedTensor(np.arange(6).reshape(2, 3), ("r", "b"))
    y = rd.NamedTensor(np.arange(20).reshape(4, 5), ("b", "c"))
    with pytest.raises(DotError, match=f"^{re.escape(beginning)}"):
        wrong(x, y)


@pytest.mark.parametrize("take", [rd.dot, lambda x, y, dim: rd.dot_vjp(x, y, x, dim)])
def test_a_dim_that_is_not_found_has_a_note_with_both_named_shapes(take):
    x, y = rd.NamedTensor([[0.5, 1.5]], ("a", "b")), rd.NamedTensor([2.5, 3.5, 4.5], "c")
    with pytest.raises(DimNotFoundError) as caught:
        take(x, y, dim="e")
    assert caught.value.__notes__ == ["x is (a: 1, b: 2), y is (c: 3)"]


@pytest.mark.parametrize(
    ("sizes", "text"), [({}, "()"), ({"a": 0}, "(a: 0)"), ({"b": 1, "a": 2}, "(b: 1, a: 2)")]
)
def test_a_named_shape_keeps_the_order_of_its_dims(sizes, text):
    error = CotangentError("the cotangent", sizes, "the output", {"c": 3})
    assert str(error).endswith(f"(c: 3), but it is {text}")


@pytest.mark.parametrize(
    ("name", "names", "nearest"),
    [
        ("tmie", ("batch", "time", "embd"), "time"),
        ("Time", ("batch", "time"), "time"),
        ("heads", ("head", "hand"), "head"),
        ("TIME", ("embd", "time"), "time"),
        ("B", ("a", "b"), "b"),
        ("e\u0301", ("e", "\xe9"), "\xe9"),
        ("e", ("a", "b"), None),
        ("time", (), None),
    ],
)
def test_nearest_name_is_none_if_no_name_is_similar(name, names, nearest):
    assert nearest_name(name, names) == nearest


def test_a_name_in_another_unicode_form_is_shown_in_ascii():
    assert str(DimNotFoundError(["e\u0301", "TIME"], ("\xe9", "time"))) == (
        "Dimension TIME not found in either input (also not found: e\u0301); the dims are \xe9, "
        "time; did you mean time, '\\xe9' instead of 'e\\u0301'?"
    )


def test_one_line_has_no_line_breaks():
    assert one_line(np.arange(4).reshape(2, 2)) == "array([[0, 1], [2, 3]])"
