"""Bad files are refused in one line, whatever is wrong with them."""

import json
import random
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from bad_input import ATTACKS, DEEP, Database, mutated

FILES = 12  # of each command; the script tries thousands


@pytest.fixture(scope="module", params=ATTACKS)
def attack(request, tmp_path_factory):
    return ATTACKS[request.param](tmp_path_factory.mktemp(request.param))


def test_mutated_files_are_accepted_or_refused_in_one_line(attack):
    chosen = random.Random(0)
    for _ in range(FILES):
        content = mutated(chosen.choice(attack.data), chosen)
        assert attack.problem_with(content)[1] == "", content[:2000]


NESTED = {
    "lists": b"[" * DEEP + b"]" * DEEP,
    "objects": b'{"x":' * DEEP + b"1" + b"}" * DEEP,
    "objects that do not end": b'{"x":' * DEEP,
    "digits": b'{"seed": ' + b"9" * 5000 + b"}",
    "no text": b"\xff\xfe\x00",
    "half a character": b'{"x": "\\ud800"}',
    "nothing": b"",
}


@pytest.mark.parametrize("content", NESTED.values(), ids=NESTED)
def test_a_file_that_decoders_fail_on_is_refused_in_one_line(attack, content):
    code, problem = attack.problem_with(content)
    assert problem == ""
    # A run leaves out the entries of a database that it cannot read.
    assert code == (0 if isinstance(attack, Database) else 2)


def outer_product(axes: int) -> dict:
    """Return a case whose answer has twice as many axes as an operand."""
    x, y = (
        {"dims": [f"{name}{axis}" for axis in range(axes)], "shape": [1] * axes} for name in "xy"
    )
    return {"x": x, "y": y}


VALID = {"x": {"dims": ["a"], "shape": [2]}, "y": {"dims": ["a"], "shape": [2]}}
CASES = {
    "an order that is no integer": VALID | {"gradient_order": 1.0},
    "an answer of more axes than arrays have": outer_product(40),
    "bytes that are no text": VALID | {"dim": {"spelling": "bytes", "items": ["\ud800"]}},
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_case_that_cannot_run_is_refused_in_one_line(case, tmp_path):
    replay = ATTACKS["replay"](tmp_path)
    assert replay.problem_with(json.dumps(case).encode()) == (2, "")
