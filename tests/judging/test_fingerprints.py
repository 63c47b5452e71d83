"""Fingerprints: messages without the parts that vary from case to case."""

import pytest

from refdot.cases.case import DotCase, Operand
from refdot.judging.fingerprints import fingerprint
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
