"""The command replay, called in this process."""

import json
import re
import sys

import pytest
from hostile import HOSTILE

from refdot.cases.codec import case_to_json
from refdot.cases.notation import dot_case
from refdot.cli import main

CASE = {"x": {"dims": ["b"], "shape": [1]}, "y": {"dims": ["a"], "shape": [1]}}


@pytest.mark.parametrize(("target", "code"), [("xarray", 0), ("right_dot:dot", 0)])
def test_a_case_is_replayed(target, code, capsys):
    assert main(["replay", "case.json", target]) == code
    assert capsys.readouterr().out == (
        f"dot(float64(b: 1?), float64(a: 1?), dim=None)\n{target}: right\n"
    )


def test_replaying_a_mismatch_exits_1(capsys):
    assert main(["replay", "case.json", "wrong_dot:dot", "--backend", "call"]) == 1
    assert (
        capsys.readouterr().out
        == """\
dot(float64(b: 1?), float64(a: 1?), dim=None)
wrong_dot:dot: wrong
  R5 wrong-dims at run: dims; NEW
    expected  ('b', 'a')
    got       ('a', 'b')
"""
    )


def test_an_error_that_is_judged_under_other_names_is_shown_with_its_case(folder, capsys):
    case = dot_case("b:3? a:2?", "a:3?")
    (folder / "words.json").write_text(json.dumps(case_to_json(case)), encoding="utf-8")
    (folder / "words.py").write_text(
        "import refdot\n\n\ndef dot(x, y, dim=None):\n"
        "    try:\n        return refdot.dot(x, y, dim)\n"
        "    except ValueError:\n        raise ValueError('a size is wrong') from None\n",
        encoding="utf-8",
    )
    assert main(["replay", "words.json", "words.py:dot", "--backend", "call"]) == 1
    assert capsys.readouterr().out.splitlines()[2:] == [
        "  R13 wrong-error at run: contracted, sizes differ: the message does not name the dim"
        "; NEW",
        "    as dot(float64(named01: 3?, named00: 2?), float64(named00: 3?), dim=None)",
        "    expected  ValueError at run: Size of dim 'named00' does not match: 2 in x, 3 in y",
        "    got       ValueError at run: a size is wrong",
    ]


def test_the_case_of_a_report_can_be_replayed(folder, capsys):
    assert main(["check", "wrong_dot:dot", "--quick", "--report", "."]) == 1
    (found,) = json.loads((folder / "report.json").read_text("utf-8"))["mismatches"]
    (folder / "found.json").write_text(json.dumps(found["case"]), encoding="utf-8")
    for words in (["found.json"], ["report.json", "1"], ["report.json"]):
        capsys.readouterr()
        assert main(["replay", *words, "wrong_dot:dot"]) == 1
        assert found["signature"] in capsys.readouterr().out


def test_a_mismatch_of_a_report_is_replayed_where_it_was_seen(folder, capsys):
    seen = ["--backend", "python", "--lowering", "stock"]
    assert main(["check", "--quick", "--only", "errors", *seen, "--report", "."]) == 0
    capsys.readouterr()
    assert main(["replay", "report.json", "1"]) == 0
    places = re.findall(r"^pytensor, (.*): wrong$", capsys.readouterr().out, re.MULTILINE)
    assert places == ["python, stock"]


QUOTES = """\
def dot(x, y, dim=None):
    raise ValueError("no, not " + x.dims[0])
"""


@pytest.mark.parametrize("name", HOSTILE)
def test_a_replay_prints_no_line_of_a_name(name, folder, monkeypatch, capsys):
    monkeypatch.setattr(sys, "modules", {**sys.modules})
    (folder / "quotes.py").write_text(QUOTES, encoding="utf-8")
    case = {"x": {"dims": [name], "shape": [1]}, "y": {"dims": [name], "shape": [1]}}
    (folder / "case.json").write_text(json.dumps(case), encoding="utf-8")
    assert main(["replay", "case.json", "quotes:dot"]) == 1
    out = capsys.readouterr().out
    assert len(out.splitlines()) == 5
    assert all(map(str.isprintable, out.splitlines()))


BAD_WORDS = {
    "report.json 2": "report.json: add the number of one of its mismatches, from 1 to 1",
    "report.json 0": "report.json: add the number of one of its mismatches, from 1 to 1",
    "report.json 1": "report.json: add the target, which was wrong_dot:dot",
    "case.json 1": "case.json: a number is for a report, and this is a case",
    "case.json right_dot:dot more": "unrecognized arguments: more",
}


@pytest.mark.parametrize(("words", "message"), BAD_WORDS.items(), ids=BAD_WORDS)
def test_a_wrong_number_is_bad_usage(words, message, capsys):
    assert main(["check", "wrong_dot:dot", "--quick", "--report", "."]) == 1
    capsys.readouterr()
    assert main(["replay", *words.split()]) == 2
    assert capsys.readouterr().err == f"refdot: {message}\n"


def test_a_known_deviation_exits_0(folder, capsys):
    case = json.dumps(case_to_json(dot_case("a:2?", "a:3?")))
    (folder / "case.json").write_text(case, encoding="utf-8")
    assert main(["replay", "case.json", "pytensor", "--backend", "python"]) == 0
    assert "; sizes-without-names\n" in capsys.readouterr().out


def test_an_unsupported_case_is_not_checked(folder, capsys):
    case = CASE | {"dim": {"spelling": "object", "items": [5]}}
    (folder / "case.json").write_text(json.dumps(case), encoding="utf-8")
    assert main(["replay", "case.json", "xarray"]) == 2
    assert capsys.readouterr() == (
        "dot(float64(b: 1?), float64(a: 1?), dim=5)\n",
        "refdot: not judged on xarray: "
        "xarray accepts any hashable as a dim, and arrays and mappings as lists of dims\n",
    )


UNUSABLE = {
    "a seed that is too large": CASE | {"seed": 2**40},
    "a dim argument that is no set": CASE | {"dim": {"spelling": "set", "items": [[1]]}},
    "bytes of a number": CASE | {"dim": {"spelling": "bytes", "items": [5]}},
    "more values than memory holds": CASE | {"x": {"dims": ["b"], "shape": [10**30]}},
    "more axes than arrays have": CASE
    | {"x": {"dims": [f"b{i}" for i in range(65)], "shape": [1] * 65}},
    "one variable of two shapes": CASE
    | {"same_variable": True, "y": {"dims": ["a"], "shape": [2]}},
}


@pytest.mark.parametrize("case", UNUSABLE.values(), ids=UNUSABLE)
def test_an_invalid_case_is_bad_usage(case, folder, capsys):
    (folder / "case.json").write_text(json.dumps(case), encoding="utf-8")
    assert main(["replay", "case.json", "right_dot:dot"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert re.fullmatch(r"refdot: case\.json: .+\n", err)
