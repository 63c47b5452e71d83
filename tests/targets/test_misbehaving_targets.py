"""Targets whose exceptions, answers and gradients are none: each gets a mismatch."""

import asyncio
import sys
from functools import partial

import numpy as np
import pytest

import refdot as rd
from refdot.cases.notation import dot_case
from refdot.check.batch import judge
from refdot.check.plan import Configuration
from refdot.targets.callable import CallableTarget
from refdot.tensor import NamedTensor

VALID = dot_case("a:2 b:3", "b:3 c:4", "b", gradient_order=1)
INVALID = dot_case("a:2 b:3", "b:4 c:4", "b")
CALL = Configuration("call", "stock")
RIGHT = np.ones((2, 4))


def returns(value):
    """Return a function that returns a value, made at each call if it is a function."""
    return lambda x, y, dim: value() if callable(value) else value


def holds(data, dims=("a", "c")):
    """Return a function that returns a tensor made without any check."""
    return lambda x, y, dim: NamedTensor.trusted(data, dims)


def raises(error):
    def dot(x, y, dim):
        raise error() if callable(error) else error

    return dot


# Exceptions


class TextRaisesError(Exception):
    def __str__(self):
        raise RuntimeError("no text")


class TextExitsError(Exception):
    def __str__(self):
        raise SystemExit(0)


class TextIsANumberError(Exception):
    def __str__(self):
        return 5


class LiarStr(str):
    def __str__(self):
        return self

    def splitlines(self, keepends=False):
        raise RuntimeError

    def partition(self, separator):
        raise RuntimeError


class TextIsALiarError(Exception):
    def __str__(self):
        return LiarStr("liar")


class NotesAreANumberError(Exception):
    __notes__ = 5


class NotesRaiseError(Exception):
    @property
    def __notes__(self):
        raise RuntimeError


class NoteHasNoTextError(Exception):
    __notes__ = (TextRaisesError(),)


class NotesNeverEndError(Exception):
    __notes__ = None

    def __getattribute__(self, name):
        raise RuntimeError(name)


class UnpickledError(Exception):
    def __reduce__(self):
        raise RuntimeError


def recursive(*arguments):
    return recursive(*arguments)


def cause_in_a_circle():
    error = ValueError("circle")
    error.__cause__ = error
    return error


EXCEPTIONS = {
    "text raises": (TextRaisesError, "TextRaisesError: …"),
    "text exits": (TextExitsError, "TextExitsError: …"),
    "text is a number": (TextIsANumberError, "TextIsANumberError: …"),
    "text is a liar": (TextIsALiarError, "TextIsALiarError: liar"),
    "text is hostile": (partial(Exception, "\x1b[2J\ud800\n[red]"), "Exception: \x1b[<n>J\ud800"),
    "text is long": (partial(Exception, "[" * 10_000_000), "Exception: " + "[" * 120),
    "text is empty": (Exception, "Exception: "),
    "text is no text": (partial(Exception, b"\xff", None), "Exception: …"),
    "notes are a number": (NotesAreANumberError, "NotesAreANumberError: "),
    "notes raise": (NotesRaiseError, "NotesRaiseError: "),
    "a note has no text": (NoteHasNoTextError, "NoteHasNoTextError: "),
    "no attributes": (NotesNeverEndError, "NotesNeverEndError: "),
    "not pickled": (UnpickledError, "UnpickledError: "),
    "a group": (partial(ExceptionGroup, "two", [OSError(), KeyError()]), "ExceptionGroup: two"),
    "a circle": (cause_in_a_circle, "ValueError: circle"),
    "an exit": (partial(SystemExit, 0), "SystemExit: <n>"),
    "an empty exit": (SystemExit, "SystemExit: "),
    "the end of a generator": (GeneratorExit, "GeneratorExit: "),
    "the end of an iterator": (StopIteration, "StopIteration: "),
    "a cancelled task": (asyncio.CancelledError, "CancelledError: "),
    "no memory": (MemoryError, "MemoryError: "),
    "a warning": (partial(RuntimeWarning, "warn"), "RuntimeWarning: warn"),
    "an error of refdot": (partial(rd.DimNotFoundError, ["z"], ["a"]), "DimNotFoundError: "),
    "no exception": (5, "TypeError: exceptions must derive from BaseException"),
}


@pytest.mark.parametrize(("error", "shown"), EXCEPTIONS.values(), ids=EXCEPTIONS)
def test_an_exception_is_a_mismatch(error, shown):
    (mismatch,) = judge(CallableTarget(raises(error), "fn"), VALID, CALL)
    assert mismatch.signature.startswith(f"R6 rejected-valid at run: {shown}")
    assert len(str(mismatch)) < 300_000
    judge(CallableTarget(raises(error), "fn"), INVALID, CALL)


# Answers


class Stranger:
    """An object that fails wherever it is looked at."""

    def __getattribute__(self, name):
        raise RuntimeError(name)


class Attributes(NamedTensor):
    """A tensor whose attributes are computed."""

    def __init__(self, data, dims):
        pass

    @property
    def data(self):
        raise RuntimeError("no data")


class Changing(NamedTensor):
    """A tensor whose data differ at each access."""

    def __init__(self):
        pass

    @property
    def data(self):
        return np.ones((2, 4)) if next(self.numbers) % 2 else "gone"

    @property
    def dims(self):
        return ("a", "c")

    numbers = iter(range(10**9))


class Unequal:
    def __eq__(self, other):
        raise RuntimeError

    __hash__ = None


async def coroutine_dot(x, y, dim):
    return rd.dot(x, y, dim)


def generator_dot(x, y, dim):
    yield rd.dot(x, y, dim)


def in_place(change):
    """Return a dot that changes the array that it returned, at its next call."""
    given = []

    def dot(x, y, dim):
        for array in given:
            change(array)
        out = rd.dot(x, y, dim)
        given.append(out.data)
        return out

    return dot


INVALID_TENSOR = "\n{} at run: returned an invalid NamedTensor: {}"
NO_TENSOR = "\n{0} at run: returned an object of type {0}, not a NamedTensor"


def of_type(name):
    return INVALID_TENSOR.format("NamedTensor", f"its data is of type {name}, not ndarray")


ANSWERS = {
    "None": (returns(None), NO_TENSOR.format("NoneType")),
    "a class": (returns(lambda: NamedTensor), NO_TENSOR.format("type")),
    "an array": (returns(RIGHT), NO_TENSOR.format("ndarray")),
    "a stranger": (returns(Stranger), INVALID_TENSOR.format("Stranger", "")),
    "a coroutine": (coroutine_dot, NO_TENSOR.format("coroutine")),
    "a generator": (generator_dot, NO_TENSOR.format("generator")),
    "a list inside": (holds([[1.0] * 4] * 2), of_type("list")),
    "None inside": (holds(None), of_type("NoneType")),
    "a number inside": (holds(1.0), of_type("float")),
    "a masked array": (holds(np.ma.masked_array(RIGHT, mask=True)), of_type("MaskedArray")),
    "a matrix": (holds(RIGHT.view(np.matrix)), of_type("matrix")),
    "a record array": (holds(RIGHT.view(np.recarray)), of_type("recarray")),
    "a tensor inside": (holds(NamedTensor(RIGHT, ("a", "c"))), of_type("NamedTensor")),
    "nothing inside": (
        returns(lambda: NamedTensor.__new__(NamedTensor)),
        INVALID_TENSOR.format("NamedTensor", ""),
    ),
    "failing attributes": (
        returns(lambda: Attributes(RIGHT, "ac")),
        INVALID_TENSOR.format("Attributes", "no data"),
    ),
    "changing attributes": (
        returns(Changing),
        INVALID_TENSOR.format("Changing", "its data is of type str, not ndarray"),
    ),
    "too many axes": (
        holds(np.ones((2, 4, 1))),
        INVALID_TENSOR.format("NamedTensor", "Number of dims (2) differs from number of axes (3)"),
    ),
    "too few axes": (holds(np.ones(2)), INVALID_TENSOR.format("NamedTensor", "Number of dims")),
    "no dims": (holds(RIGHT, None), INVALID_TENSOR.format("NamedTensor", "")),
    "dims that are numbers": (holds(RIGHT, (0, 1)), INVALID_TENSOR.format("NamedTensor", "")),
    "repeated dims": (holds(RIGHT, ("a", "a")), INVALID_TENSOR.format("NamedTensor", "")),
    "dims without end": (holds(RIGHT, iter(int, 1)), INVALID_TENSOR.format("NamedTensor", "")),
    "terabytes": (
        holds(np.broadcast_to(1.0, (10**6, 10**6))),
        INVALID_TENSOR.format("NamedTensor", "it has 1,000,000,000,000 elements"),
    ),
    "megabytes": (holds(np.broadcast_to(1.0, (1000, 1000))), "R9 wrong-shape at run: shape"),
    "many axes": (
        holds(np.ones((1,) * 64), tuple(f"d{axis}" for axis in range(64))),
        "R5 wrong-dims at run: dims",
    ),
    "objects": (holds(RIGHT.astype(object)), "R7 wrong-dtype at run: float gave "),
    "objects that are unequal": (
        holds(np.array([[Unequal()] * 4] * 2)),
        "R7 wrong-dtype at run: float gave object",
    ),
    "texts": (holds(RIGHT.astype(str)), "R7 wrong-dtype at run: float gave <U"),
    "times": (holds(RIGHT.astype("m8[s]")), "R7 wrong-dtype at run: float gave "),
    "records": (holds(np.zeros((2, 4), "f8,i4")), "R7 wrong-dtype at run: float gave "),
    "raw memory": (holds(np.zeros((2, 4), "V8")), "R7 wrong-dtype at run: float gave "),
    "long floats": (
        holds(np.full((2, 4), 1.0, "longdouble")),
        "R7 wrong-dtype at run: float gave ",
    ),
    "swapped bytes": (holds(RIGHT.astype(">f8")), "R6 wrong-value at run: float wrong by more "),
    "itself": (lambda x, y, dim: x, "R5 wrong-dims at run: dims"),
    "a changed array": (in_place(lambda array: array.fill(5)), "R12 side-effect at run: a second "),
    "a changed shape": (
        in_place(lambda array: setattr(array, "shape", (8,))),
        "R12 side-effect at run: a second call changed the first answer",
    ),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("fn", "shown"), ANSWERS.values(), ids=ANSWERS)
def test_an_answer_that_is_none_is_a_mismatch(fn, shown):
    found = judge(CallableTarget(fn, "fn"), VALID, CALL)
    assert any(shown in f"{mismatch.signature}\n{mismatch.got}" for mismatch in found)
    judge(CallableTarget(fn, "fn"), INVALID, CALL)


GRADIENTS = {
    "None": lambda *_: None,
    "one": lambda x, y, *_: (x,),
    "arrays": lambda x, y, *_: (x.data, y.data),
    "masked": lambda x, y, *_: [holds(np.ma.masked_array(t.data), t.dims)(0, 0, 0) for t in (x, y)],
    "huge": lambda x, y, *_: [holds(np.broadcast_to(0.0, (10**6, 10**6)))(0, 0, 0)] * 2,
    "objects": lambda x, y, *_: [holds(t.data.astype(object), t.dims)(0, 0, 0) for t in (x, y)],
    "other shapes": lambda x, y, *_: (y, x),
    "lists": lambda x, y, *_: [holds([[1]])(0, 0, 0)] * 2,
    "an exit": lambda *_: sys.exit(0),
}


@pytest.mark.parametrize("vjp", GRADIENTS.values(), ids=GRADIENTS)
def test_a_gradient_that_is_none_is_a_mismatch(vjp):
    def dot(x, y, dim):
        return rd.dot(x, y, dim)

    dot.vjp = vjp
    found = judge(CallableTarget(dot, "fn", gradients=True), VALID, CALL)
    assert {mismatch.kind for mismatch in found} == {"wrong-gradient"}
