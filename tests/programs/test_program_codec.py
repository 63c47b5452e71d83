"""The test cases of programs as JSON."""

import json
import re

import pytest

from refdot.programs.case import ProgramCase
from refdot.programs.codec import program_case_from_json, program_case_to_json
from refdot.programs.named import PROGRAMS
from refdot.programs.random_programs import program_at
from refdot.programs.smoke import smoke_programs

DATA = {
    "inputs": {"x": {"dims": ["a"], "shape": [2]}, "w": {"dims": ["a"], "shape": [3]}},
    "steps": ["y = exp(x)"],
    "outputs": ["y"],
}


def test_cases_survive_a_round_trip():
    cases = [program_at(4, index) for index in range(50)]
    cases += [ProgramCase(make(), "large", 5, 1) for make in PROGRAMS.values()]
    cases += smoke_programs()
    for case in cases:
        text = json.dumps(program_case_to_json(case))
        assert program_case_from_json(text) == case
        assert program_case_from_json(json.loads(text)) == case


def test_fields_have_defaults():
    case = program_case_from_json(DATA)
    assert (case.regime, case.seed, case.gradient_order) == ("unit", 0, 0)
    assert case.program.types["x"].static == (False,)


ERRORS = {
    "regime must be one of unit, exact, rounding, special, large, got 'huge'": {"regime": "huge"},
    "Expected `int` >= 0 - at `$.seed`": {"seed": -1},
    "Object contains unknown field `tier`": {"tier": "exact"},
    "Not a step: y": {"steps": ["y"]},
    "Value 'z' not found; there are only x, w": {"steps": ["y = exp(z)"]},
    "Size of dim 'a' does not match: 2 in x, 3 in y; x is (a: 2), y is (a: 3); "
    "in the step y = dot(x, w)": {"steps": ["y = dot(x, w)"]},
    "dtype must be one of float64, float32, float16, int64, int32, int16, int8, uint8, uint16, "
    "uint32, uint64, bool, complex128, complex64, got 'real' - at `$.inputs[...]`": {
        "inputs": {"x": {"dims": [], "shape": [], "dtype": "real"}}
    },
    "y has more than 10,000,000 elements: [10000, 10000]": {
        "inputs": {name: {"dims": [name], "shape": [10_000]} for name in "xw"},
        "steps": ["y = dot(x, w)"],
    },
}


@pytest.mark.parametrize(("message", "change"), ERRORS.items(), ids=ERRORS)
def test_what_is_not_a_case_is_rejected_with_the_reason(message, change):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        program_case_from_json(DATA | change)
