"""Reports as JSON and on the terminal, reproducers that run, and deviations as issues."""

import io
import json
import re
import subprocess
import sys
from dataclasses import replace

import pytest
from rich.console import Console

import refdot as rd
from refdot import check
from refdot.cases.case import DimArgument, DotCase, Operand
from refdot.cases.codec import case_to_json
from refdot.check.findings import Coverage, Finding, Report
from refdot.check.plan import Configuration, Profile, Shard
from refdot.programs.case import ProgramCase
from refdot.programs.findings import Observation, ProgramFinding
from refdot.programs.judgement import Difference
from refdot.programs.named import named_program
from refdot.reporting.codec import report_from_json, report_to_json
from refdot.reporting.deviations import deviation_markdown
from refdot.reporting.files import write_report
from refdot.reporting.names import reproducer_name
from refdot.reporting.terminal import print_report
from refdot.targets.callable import CallableTarget
from refdot.targets.mismatch import Deviation, Mismatch
from refdot.targets.registry import find_target
from refdot.text import shortened

SMALL = DotCase(Operand(("b",), (1,)), Operand(("a",), (1,)), DimArgument("tuple"))
WRONG_DIMS = Mismatch("R5", "wrong-dims", "run", "dims", "('b', 'a')", "('a', 'b')", SMALL)
WRONG_VALUE = Mismatch("R6", "wrong-value", "run", "float [wrong]", "1.0", "2.0", SMALL)


def report_of(*mismatches: Mismatch, **fields) -> Report:
    """Return a report in which each mismatch was found three times."""
    findings = []
    for mismatch in mismatches:
        where = Configuration("c", "stock")
        findings.append(Finding(mismatch, where, ["c", "py"], ["stock", "inlined"], count=3))
    return Report(
        target="fn",
        target_version="1.2",
        seed=5,
        backends=("c", "py"),
        lowerings=("stock", "inlined"),
        absent_backends={"jax": "jax is not installed"},
        python="3.11.9",
        environment={"numpy": "2.5", "BLAS": "none"},
        other_backends=("mlx",),
        other_lowerings=("direct",),
        profile=Profile(100, 1, thorough=False, sample=5),
        cases=20,
        skipped=3,
        unsupported={"c": {"no float16": 3}, "py": {"no float16": 3, "no int8": 1}},
        coverage={
            "c": Coverage(20, [(1, 1), (10, 10)], thorough=True),
            "py": Coverage(
                19,
                [(1, 1), (2, 10)],
                kernels={"Dot": 5, "Gemm": 0},
                rewrites={"lower_dot": 4, "to_gemm": 0},
            ),
        },
        **{"seconds": 1.23456, "findings": findings} | fields,
    )


def printed(report: Report, **options) -> str:
    """Return the printed text of a report."""
    stream = io.StringIO()
    print_report(report, Console(file=stream, width=120, color_system=None), **options)
    return stream.getvalue()


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


PROGRAM = ProgramFinding(
    Observation(
        ProgramCase(named_program("gram")),
        Difference("gram", "R6", "wrong-value", "a=0: 1.0", "a=0: 2.0", replicate=1),
        "py",
        "stock",
    ),
    count=2,
)


def test_findings_of_programs_are_equal_after_reading():
    report = report_of(program_findings=[PROGRAM], programs=7, stopped=True, seconds=1.25)
    assert report_from_json(report_to_json(report)) == report


def test_a_report_in_a_notebook_has_each_finding_and_the_first_new_one_unfolded():
    report = report_of(WRONG_DIMS, WRONG_VALUE, program_findings=[PROGRAM], programs=7)
    report.findings[0].known = "dims-<swapped>"
    head, *details = report._repr_html_().split("<details")
    assert head == (
        "<p><b>fn 1.2</b>: 20 cases and 7 programs judged;\nmismatches: 2 new, 1 known</p>\n"
    )
    known, new, of_program = details
    assert known.startswith(
        "><summary>dims-&lt;swapped&gt; <code>R5 wrong-dims at run: dims</code>, 3 times on c, py"
    )
    assert new.startswith(" open><summary><b>NEW</b> <code>R6 wrong-value at run: float [wrong]")
    assert "<code>1.0</code>" in new
    assert "<svg" in new
    assert of_program.startswith("><summary><b>NEW</b>")
    assert "gram = dot(x, y, dim=&#39;column&#39;)" in of_program
    assert "expected  a=0: 1.0\ngot       a=0: 2.0</pre>" in of_program


def test_a_report_in_a_notebook_without_findings_is_one_line():
    assert report_of()._repr_html_() == (
        "<p><b>fn 1.2</b>: 20 cases judged;\nmismatches: 0 new, 0 known</p>\n"
    )


def test_findings_of_programs_are_printed_with_the_value_that_is_wrong():
    text = printed(report_of(WRONG_DIMS, program_findings=[PROGRAM], programs=7))
    assert (
        """
2. R6 wrong-value: a number
   x: float64(row: 4?, column: 3?)
   y = rename(x, row='row_2')
   gram = dot(x, y, dim='column')
   return gram
   gram
   expected  a=0: 1.0
   got       a=0: 2.0
   seen 2 times on py; stock; NEW

fn 1.2 on Python 3.11.9: 20 cases and 7 programs judged"""
        in text
    )


def test_new_mismatches_that_are_printed_already_are_listed_on_a_line():
    lines = printed(report_of(WRONG_DIMS), new_is_printed=True).splitlines()
    assert lines[0] == "1. R5 wrong-dims at run: dims, 3 times on c, py; stock, inlined; NEW"
    assert lines[1].startswith("fn 1.2 on Python")


def test_the_quiet_report_is_the_verdict_and_its_limits():
    lines = printed(report_of(WRONG_DIMS), verbosity=-1).splitlines()
    assert lines[0] == "1 distinct mismatch: 1 new, 0 known"
    assert [line.partition(":")[0] for line in lines[1:]] == ["not tried"]


def test_known_mismatches_are_printed_in_full_if_asked():
    report = report_of(WRONG_DIMS)
    report.findings[0].known = "dims-of-y-first"
    lines = printed(report, verbosity=1).splitlines()
    assert lines[0] == "1. R5 wrong-dims at run: dims"
    assert lines[2] == "   expected  ('b', 'a')"
    assert lines[4] == "   seen 3 times on c, py; stock, inlined; dims-of-y-first"


def test_reproducer_names_are_unique():
    report = report_of(WRONG_DIMS, WRONG_VALUE)
    names = [reproducer_name(finding) for finding in report.findings]
    assert names[0].startswith("reproducer_r5_wrong_dims_")
    assert names[1].startswith("reproducer_r6_wrong_value_")
    assert len({*names}) == 2
    assert all(name.removesuffix(".py").isidentifier() for name in names)


PLAIN = """\
1. R5 wrong-dims at run: dims
   dot(float64(b: 1?), float64(a: 1?), dim=())
   expected  ('b', 'a')
   got       ('a', 'b')
   seen 3 times on c, py; stock, inlined; NEW

2. R6 wrong-value at run: float [wrong]
   dot(float64(b: 1?), float64(a: 1?), dim=())
   expected  1.0
   got       2.0
   seen 3 times on c, py; stock, inlined; NEW

fn 1.2 on Python 3.11.9: 20 cases judged, seed 5, backends c, py, lowerings stock, inlined, 1 s
backend c: 20 cases, every dim pattern up to rank 1 (thorough)
backend py: 19 cases, 3 of 11 dim patterns (sample)
not judged on c, py: 3 cases, no float16
not judged on py: 1 case, no int8
environment: numpy 2.5, BLAS none
2 distinct mismatches: 2 new, 0 known
not tried: backend jax (jax is not installed); backend mlx (not selected); lowering direct (not \
selected); 8 of 11 dim patterns on py; 1 kernel (Gemm on py); 1 rewrite; 3 cases that no backend \
supports
"""


def test_report_is_printed_as_plain_lines():
    assert printed(report_of(WRONG_DIMS, WRONG_VALUE)) == PLAIN


def test_interrupted_report_says_so():
    assert printed(report_of(WRONG_DIMS, WRONG_VALUE, interrupted=True)) == PLAIN.replace(
        "2 distinct", "interrupted: the results are incomplete\n2 distinct"
    ).replace("(sample)", "(interrupted)")


def test_lost_cases_and_the_shard_are_printed():
    text = printed(report_of(WRONG_DIMS, WRONG_VALUE, lost=2, shard=Shard(2, 3)))
    shard = PLAIN.replace("backend c:", "this is shard 2/3\nbackend c:").replace("sample", "shard")
    lost = "LOST: 2 cases in batches that crashed too many processes\n"
    assert text == shard.replace("2 distinct", f"{lost}2 distinct").replace(
        "backend supports", "backend supports; 2 cases that were lost"
    )


def test_report_without_findings_says_no_mismatch():
    *_, verdict, limits = printed(report_of()).splitlines()
    assert verdict == "no mismatch"
    assert limits.startswith("not tried: backend jax")


def test_known_deviations_are_named_and_counted_separately():
    report = report_of(WRONG_DIMS, WRONG_VALUE)
    report.findings[0].known = "dims-of-y-first"
    lines = printed(report).splitlines()
    assert lines[0] == "2. R6 wrong-value at run: float [wrong]"
    assert lines[6] == "known: dims-of-y-first, 3 times on c, py"
    assert lines[-2] == "2 distinct mismatches: 1 new, 1 known"
    assert report_to_json(report)["mismatches"][0]["known"] == "dims-of-y-first"


def test_what_is_gone_and_what_other_backends_show_is_printed():
    report = report_of(WRONG_DIMS, gone=["dims-of-y-first"])
    report.findings[0].also_on = ["numba", "jax"]
    lines = printed(report).splitlines()
    assert lines[4] == "   seen 3 times on c, py (also on numba, jax); stock, inlined; NEW"
    assert lines[-2] == "known, but not there any more: dims-of-y-first"


def test_long_lines_are_shortened_in_the_middle():
    assert shortened("a" * 300) == "a" * 300
    assert shortened("a" * 400 + "b" * 50) == "a" * 240 + " … " + "b" * 50


# On disk

MODULE = '''\
import refdot


def dot(x, y, dim=None):
    """Return a correct answer only if it has fewer than two dims."""
    out = refdot.dot(x, y, dim)
    return out.transpose(*reversed(out.dims))
'''


@pytest.fixture
def module(tmp_path, monkeypatch):
    """Write a module with a faulty dot to the current folder."""
    (tmp_path / "planted_dot.py").write_text(MODULE, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield "planted_dot:dot"
    sys.modules.pop("planted_dot", None)


def run(script, folder) -> subprocess.CompletedProcess:
    """Run a script in a process of its own."""
    return subprocess.run(
        [sys.executable, script], cwd=folder, capture_output=True, text=True, timeout=60
    )


def test_reproducer_exits_1_until_the_defect_is_fixed(module, tmp_path):
    target = find_target(module)
    report = check.run(target, cases=20, fixed=False)
    write_report(report, target, tmp_path / "report")
    data = json.loads((tmp_path / "report/report.json").read_text("utf-8"))
    assert data == report_to_json(report)
    (found,) = data["mismatches"]
    script = tmp_path / "report" / found["reproducer"]

    there = run(script, tmp_path)
    assert (there.returncode, there.stderr) == (1, "")
    assert there.stdout == f"{report.findings[0].mismatch}\n"

    (tmp_path / "planted_dot.py").write_text("from refdot import dot\n", encoding="utf-8")
    fixed = run(script, tmp_path)
    assert (fixed.returncode, fixed.stdout, fixed.stderr) == (0, "", "")


# A script quotes text of a mismatch, which can contain backslashes, quotes and braces.
AWKWARD = ["back\\slash \\n", '"""', "{braces}", "'''", "é → ñ", 'ends with "']


@pytest.mark.parametrize("text", AWKWARD)
def test_reproducer_runs_with_awkward_text(text, module, tmp_path):
    mismatch = Mismatch("R5", "wrong-dims", "run", text, text, text, SMALL)
    target = find_target(module)
    write_report(report_of(mismatch), target, tmp_path)
    script = next(tmp_path.glob("reproducer_*.py"))
    completed = run(script, tmp_path)
    assert (completed.returncode, completed.stderr) == (1, "")


def doubled(x, y, dim=None):
    value = rd.dot(x, y, dim)
    return rd.NamedTensor(2 * value.data, value.dims)


def test_deviation_as_an_issue() -> None:
    deviation = Deviation(
        "twice-as-much",
        "Everything is doubled.",
        ("R6",),
        ("wrong-value",),
        ">=1",
        (),
        lambda mismatch, outcome: True,
        DotCase(Operand((), ()), Operand((), ())),
        "`doubled` multiplies by 2.",
        "https://example.org/1",
    )
    target = CallableTarget(doubled, "tests:doubled", deviations=(deviation,))
    text = deviation_markdown(deviation, target)
    head, rest = text.split("```text\n")
    assert head == (
        "## twice-as-much\n\n"
        "**Everything is doubled.** "
        "Breaks R6 (wrong-value) on every backend, tests:doubled >=1.\n\n"
        "`doubled` multiplies by 2.\n\n"
        "Upstream: <https://example.org/1>\n\n"
    )
    shown, script = rest.split("```\n\n<details><summary>Script</summary>\n\n```python\n")
    assert shown == "dot(float64(), float64(), dim=None)\nexpected  24.0\ngot       48.0\n"
    assert script.endswith("sys.exit(1 if mismatches else 0)\n```\n\n</details>\n")


def test_deviation_of_an_absent_backend_is_not_run() -> None:
    deviation = Deviation(
        "a-b", "A.", ("R6",), ("wrong-value",), ">=1", ("gpu",), lambda *_: True, SMALL, "B."
    )
    deviation = replace(deviation, lowerings=("fast",))
    text = deviation_markdown(deviation, CallableTarget(doubled, "tests:doubled"))
    assert text == (
        "## a-b\n\n**A.** Breaks R6 (wrong-value) on gpu with the lowering fast, "
        "tests:doubled >=1.\n\nB.\n\n"
        f"```text\n{SMALL}\n```\n"
    )
