"""Fingerprints: messages without the parts that vary from case to case."""

import re

import numpy as np
import pytest

from refdot.cases.case import DimArgument, DotCase, Operand
from refdot.judging.fingerprints import fingerprint, normalise
from refdot.targets.outcome import Raised


def test_a_fingerprint_leaves_out_the_names_of_both_operands():
    case = DotCase(Operand(("odd",), (2,)), Operand(("odd-er",), (3,)))
    message = Raised("run", "ValueError", "odd, odd-er and odder", True)
    assert fingerprint(message, case) == "…, … and odder"


FINGERPRINTS = {
    "shapes (2, 3) and [4] differ by 1.5": "shapes … and … differ by <n>",
    "float32 and uint8 and bool": "<dtype> and <dtype> and <dtype>",
    "name 'a' at 0x7f12ab\nand the rest": "name … at …",
    "\n  the first line that says something": "the first line that says something",
    "nested ((1, 2), [3]) {a: b} <x>": "nested … … …",
    "input0 of <Op of 'a' at 0x7f12> is 2D": "input<n> of … is <n>D",
    "sizes 2 < 3": "sizes <n> < <n>",
    "": "",
    "Dimension b not found beside time_k, but banana": "Dimension … not found beside …, but banana",
    "a name of the case, weird": "… name of the case, …",
    "long " * 100: ("long " * 24).rstrip(),
}


@pytest.mark.parametrize(("message", "left"), FINGERPRINTS.items())
def test_a_fingerprint_leaves_out_the_parts_that_vary(message, left):
    case = DotCase(Operand(("weird", "b"), (2, 3)), Operand(("b", "c"), (3, 4)))
    assert fingerprint(Raised("run", "ValueError", message, True), case) == left


# Normalised messages

CASE = DotCase(
    Operand(("time", "n", ""), (2, 3, 1)), Operand(("time", 5), (3, 4)), DimArgument("str", ("e",))
)
# Each: a message, and the same message normalised.
NORMALISED = {
    "Size of dim 'time' does not match": "Size of dim '<dim>' does not match",
    "times, timer and some-time": "times, timer and some-<dim>",
    "Dimension e not found": "Dimension <dim> not found",
    "Dimension 5 not found": "Dimension <n> not found",
    "(n?,k),(k,m?)->(n?,m?)": "(<dim>?,k),(k,m?)->(<dim>?,m?)",
    "shapes (2,3) and (4,) not aligned: 3 (dim 1)": (
        "shapes <shape> and <shape> not aligned: <n> (dim <n>)"
    ),
    "shape () of (2, 3)": "shape <shape> of <shape>",
    "input[0].shape[10] = 3": "input[<n>].shape[<n>] = <n>",
    "Inputs [[[ 6.]\n  [-2.5e+10]]], [1 2], [] must": "Inputs <array> must",
    "[nan, inf] and [True False] and [0]": "<array> and <array> and [<n>]",
    "one\n  two\tthree ": "one two three",
    "<Op object at 0x7fA0>": "<Op object at <address>>",
    "float64 int8 1e-5 -3.25 x1": "float64 int8 <n> <n> x1",
    "[not an array] [a, 1]": "[not an array] [a, <n>]",
    "": "",
}


@pytest.mark.parametrize(("text", "expected"), NORMALISED.items(), ids=NORMALISED)
def test_varying_parts_become_placeholders(text, expected):
    assert normalise(text, CASE) == expected


def test_case_without_names_has_no_dim_placeholder():
    case = DotCase(Operand((), ()), Operand(("",), (2,)))
    assert normalise("a e b", case) == "a e b"


@pytest.mark.parametrize("array", [np.arange(24.0).reshape(2, 3, 4) - 7, np.ones((3, 1)) / 3])
@pytest.mark.parametrize("write", [str, repr, np.ndarray.tolist])
def test_arrays_become_placeholders_in_every_notation(array, write):
    text = f"got {write(array)} there"
    assert re.fullmatch(r"got (array\()?<array>\)? there", normalise(text, CASE))
