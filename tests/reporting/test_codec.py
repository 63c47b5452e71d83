"""Reports as JSON."""

import json
import re

import pytest
from reports import PROGRAM, SMALL, WRONG_DIMS, WRONG_VALUE, report_of

import refdot as rd
from refdot.cases.codec import case_to_json
from refdot.check.findings import Coverage
from refdot.check.plan import Shard
from refdot.reporting.codec import report_from_json, report_to_json
from refdot.reporting.names import reproducer_name


def test_json_has_exactly_these_fields():
    assert report_to_json(report_of(WRONG_DIMS)) == {
        "refdot": rd.__version__,
        "target": "fn",
        "target_version": "1.2",
        "python": "3.11.9",
        "seed": 5,
        "profile": {
            "cases": 100,
            "exhaustive": 1,
            "thorough": False,
            "sample": 5,
            "fixed": True,
            "programs": 0,
            "sample_cases": None,
            "look": False,
        },
        "only": [],
        "shard": "1/1",
        "cases": 20,
        "skipped": 3,
        "lost": 0,
        "backends": ["c", "py"],
        "lowerings": ["stock", "inlined"],
        "absent_backends": {"jax": "jax is not installed"},
        "limits": {"c": {"no float16": 3}, "py": {"no float16": 3, "no int8": 1}},
        "coverage": {
            "c": {
                "cases": 20,
                "thorough": True,
                "ranks": [
                    {"rank": 0, "patterns": 1, "of": 1},
                    {"rank": 1, "patterns": 10, "of": 10},
                ],
                "kernels": {},
                "rewrites": {},
            },
            "py": {
                "cases": 19,
                "thorough": False,
                "ranks": [
                    {"rank": 0, "patterns": 1, "of": 1},
                    {"rank": 1, "patterns": 2, "of": 10},
                ],
                "kernels": {"Dot": 5, "Gemm": 0},
                "rewrites": {"lower_dot": 4, "to_gemm": 0},
            },
        },
        "seconds": 1.235,
        "interrupted": False,
        "mismatches": [
            {
                "signature": "R5 wrong-dims at run: dims",
                "rule": "R5",
                "kind": "wrong-dims",
                "stage": "run",
                "detail": "dims",
                "backends": ["c", "py"],
                "lowerings": ["stock", "inlined"],
                "count": 3,
                "known": None,
                "configuration": {"backend": "c", "lowering": "stock"},
                "case": case_to_json(SMALL),
                "expected": "('b', 'a')",
                "got": "('a', 'b')",
                "earliest_stage": "",
                "draw": 0,
                "order": 0,
                "operand": "",
                "reproducer": reproducer_name(report_of(WRONG_DIMS).findings[0]),
                "also_on": [],
            }
        ],
        "environment": {"numpy": "2.5", "BLAS": "none"},
        "other_backends": ["mlx"],
        "other_lowerings": ["direct"],
        "stopped": False,
        "gone": [],
        "programs": 0,
        "program_mismatches": [],
    }


def test_json_is_equal_after_reading():
    data = report_to_json(report_of(WRONG_DIMS, WRONG_VALUE, interrupted=True))
    assert json.loads(json.dumps(data)) == data
    assert report_to_json(report_from_json(data)) == data


NEWER = (
    *("environment", "other_backends", "other_lowerings"),
    *("stopped", "gone", "programs", "program_mismatches"),
)


def test_a_report_without_the_newer_fields_is_read():
    data = report_to_json(report_of())
    for name in NEWER:
        del data[name]
    for coverage in data["coverage"].values():
        del coverage["kernels"], coverage["rewrites"]
    read = report_from_json(data)
    assert (read.environment, read.other_backends, read.other_lowerings) == ({}, (), ())
    assert read.coverage["py"] == Coverage(19, [(1, 1), (2, 10)])


def test_report_is_equal_after_reading():
    report = report_of(WRONG_DIMS, WRONG_VALUE, shard=Shard(2, 3), only=("values",))
    report.findings[0].known = "dims-of-y-first"
    report.seconds = 1.25
    assert report_from_json(report_to_json(report)) == report


NOT_REPORTS = {
    "not written by refdot check": [],
    "written by refdot 0.0.1, and this is " + rd.__version__: {"refdot": "0.0.1"},
    "not written by refdot check: Object missing required field `target`": {
        "refdot": rd.__version__
    },
}


@pytest.mark.parametrize(("message", "data"), NOT_REPORTS.items(), ids=NOT_REPORTS)
def test_json_that_is_not_a_report_is_rejected(message, data):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        report_from_json(data)


INVALID = {
    "Expected `array`, got `int` - at `$.only`": ("only", 5),
    "Expected `str` matching regex '\\\\A(values|gradients|errors|structure|resources)\\\\Z'"
    " - at `$.only[0]`": ("only", ["speed"]),
    "Expected `str`, got `int` - at `$.shard`": ("shard", 5),
    "Expected `str` matching regex '\\\\A[1-9][0-9]*/[1-9][0-9]*\\\\Z' - at `$.shard`": (
        "shard",
        "0/0",
    ),
    "expected I/N with I from 1 to N, got 3/2": ("shard", "3/2"),
    "Expected `int` >= 0 - at `$.cases`": ("cases", -1),
    "Expected `int`, got `bool` - at `$.cases`": ("cases", True),
    "Expected `float` >= 0.0 - at `$.seconds`": ("seconds", float("nan")),
    "Expected `int` >= 0 - at `$.limits[...][...]`": ("limits", {"c": {"no float16": -3}}),
    "Object contains unknown field `speed`": ("speed", 1),
    "coverage must have one entry for each backend": ("coverage", {}),
    "the ranks of backend 'c' are not those of the profile": (
        "profile",
        {"cases": 1, "exhaustive": 2, "thorough": True, "sample": None},
    ),
    "a mismatch on a backend or lowering that the report does not have": ("lowerings", ["stock"]),
}


@pytest.mark.parametrize(("message", "change"), INVALID.items(), ids=INVALID)
def test_invalid_field_is_rejected_with_its_location(message, change):
    field, value = change
    with pytest.raises(ValueError, match=f"^not written by refdot check: {re.escape(message)}$"):
        report_from_json(report_to_json(report_of(WRONG_DIMS)) | {field: value})


INVALID_FINDINGS = {
    "rule": "R0",
    "kind": "wrong",
    "stage": "run\n",
    "earliest_stage": "later",
    "backends": [],
    "count": 0,
    "known": 5,
    "configuration": {"backend": "gpu", "lowering": "stock"},
    "draw": -1,
    "order": 3,
    "operand": "z",
    "case": {"x": {"dims": ["a"], "shape": [-1]}, "y": {"dims": [], "shape": []}},
}


@pytest.mark.parametrize(("field", "value"), INVALID_FINDINGS.items(), ids=INVALID_FINDINGS)
def test_invalid_finding_is_rejected(field, value):
    data = report_to_json(report_of(WRONG_DIMS))
    data["mismatches"][0][field] = value
    with pytest.raises(ValueError, match=r"^not written by refdot check: .*"):
        report_from_json(data)


RANKS = {
    "the ranks must be 0, 1, 2, … in this order - at `$.coverage[...]`": [
        {"rank": 1, "patterns": 1, "of": 1},
        {"rank": 0, "patterns": 10, "of": 10},
    ],
    "backend 'c' covers more patterns than exist": [
        {"rank": 0, "patterns": 1, "of": 1},
        {"rank": 1, "patterns": 11, "of": 10},
    ],
}


@pytest.mark.parametrize(("message", "ranks"), RANKS.items(), ids=RANKS)
def test_invalid_coverage_is_rejected(message, ranks):
    data = report_to_json(report_of())
    data["coverage"]["c"]["ranks"] = ranks
    with pytest.raises(ValueError, match=f"^not written by refdot check: {re.escape(message)}$"):
        report_from_json(data)


def test_findings_of_programs_are_equal_after_reading():
    report = report_of(program_findings=[PROGRAM], programs=7, stopped=True, seconds=1.25)
    assert report_from_json(report_to_json(report)) == report
