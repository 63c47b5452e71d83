"""The command line judges programs, and replays them."""

import json
import re

import pytest

from refdot.check import plan
from refdot.cli import main
from refdot.programs.case import ProgramCase
from refdot.programs.codec import program_case_to_json
from refdot.programs.notation import program
from refdot.programs.smoke import smoke_programs
from refdot.pytensor.programs import graph as graphs

SOFTMAX = ProgramCase(
    program("x: float64(a: 3)\ny = scale(x, 10)\nz = softmax(y)\nreturn z"), "large", 0, 1
)
WRONG = """\
  R8 wrong-gradient: NaN; softmax-overflows
    gradient of x
    expected  a=0: 0.0
    got       a=0: nan
"""


@pytest.fixture(autouse=True)
def _only_programs(monkeypatch):
    """Leave out the smoke cases, which are dots."""
    monkeypatch.setattr(plan, "smoke_cases", tuple)


def check(*options: str) -> int:
    return main(["check", "--quick", "--backend", "python", *options])


def test_named_programs_are_judged(capsys):
    assert check("--program", "gram", "--program", "chain:layers=2", "--lowering", "inlined") == 0
    out = capsys.readouterr().out
    assert ": 0 cases and 4 programs judged, seed 0, backend python, lowering inlined, " in out
    assert "\nno mismatch\n" in out


def test_known_mismatches_exit_1_only_if_strict(capsys):
    arguments = ["--program", "gram", "--lowering", "stock"]
    assert check(*arguments) == 0
    out = capsys.readouterr().out
    assert "\nknown: gradients-in-an-inner-graph, 2 times on python\n" in out
    assert "\n1 distinct mismatch: 0 new, 1 known\n" in out
    assert check(*arguments, "--strict") == 1


def test_a_finding_is_in_the_report_and_its_program_can_be_replayed(tmp_path, capsys):
    folder = ["--report", str(tmp_path)]
    assert check("--programs", "2", "--lowering", "inlined", *folder, "--strict") == 1
    report = json.loads((tmp_path / "report.json").read_text("utf-8"))
    assert report["programs"] == 2 + len(smoke_programs())
    [found] = [
        each
        for each in report["program_mismatches"]
        if each["signature"] == "R8 wrong-gradient: NaN"
    ]
    assert (found["backends"], found["lowerings"]) == (["python"], ["inlined"])
    assert found["known"] == "softmax-overflows"
    script = (tmp_path / found["reproducer"]).read_text("utf-8")
    assert re.search("^# gradient of .*: R8 wrong-gradient: expected ", script, re.MULTILINE)
    page = (tmp_path / "report.html").read_text("utf-8")
    assert "known: softmax-overflows" in page
    assert "A softmax of numbers above about 700, " in page
    number = str(1 + report["program_mismatches"].index(found))
    capsys.readouterr()
    words = [str(tmp_path / "report.json"), number, "--lowering", "inlined", "--backend", "python"]
    assert main(["replay", *words]) == 0
    assert "R8 wrong-gradient: NaN; softmax-overflows\n" in capsys.readouterr().out


def test_a_new_finding_is_shrunk_and_exits_1(monkeypatch, capsys):
    monkeypatch.setitem(graphs._XTENSOR, "negative", lambda x: x)
    assert check("--program", "mlp:layers=1", "--lowering", "direct") == 1
    out = capsys.readouterr().out
    assert "\nNEW: R6 wrong-value: a number\n" in out
    assert "v0 = negative(x0)\n   return v0\n" in out


def test_shards_of_programs_are_judged_in_other_processes_and_merged(tmp_path, capsys):
    arguments = ["--program", "gram", "--program", "chain", "--lowering", "stock", "--jobs", "1"]
    paths = []
    for number in (1, 2):
        part = tmp_path / str(number)
        assert check(*arguments, "--shard", f"{number}/2", "--report", str(part)) == 0
        paths.append(str(part / "report.json"))
    capsys.readouterr()
    assert main(["merge", *paths]) == 0
    out = capsys.readouterr().out
    assert ": 0 cases and 4 programs judged, seed 0" in out
    assert "known: gradients-in-an-inner-graph, 4 times on python\n" in out


def test_a_new_finding_of_the_second_shard_is_merged(tmp_path, monkeypatch, capsys):
    paths = []
    for number, code in ((1, 0), (2, 1)):
        if number == 2:
            monkeypatch.setitem(graphs._XTENSOR, "negative", lambda x: x)
        part = tmp_path / str(number)
        arguments = ["--program", "mlp:layers=1", "--program", "gram", "--lowering", "direct"]
        arguments += ["--shard", f"{number}/2", "--report", str(part), "--jobs", "0"]
        assert check(*arguments) == code
        paths.append(str(part / "report.json"))
    capsys.readouterr()
    merged = tmp_path / "merged"
    assert main(["merge", *paths, "--report", str(merged)]) == 1
    assert "NEW" in capsys.readouterr().out
    report = json.loads((merged / "report.json").read_text("utf-8"))
    new = [each for each in report["program_mismatches"] if each["known"] is None]
    assert new
    assert all((merged / each["reproducer"]).is_file() for each in new)


def test_the_statistics_of_programs_are_printed(capsys):
    assert main(["check", "--statistics", "--programs", "20"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == "of 20 programs"
    assert any(line.endswith("%  operation: dot") for line in lines)


def test_a_program_is_replayed_with_each_lowering(tmp_path, capsys):
    path = tmp_path / "case.json"
    path.write_text(json.dumps(program_case_to_json(SOFTMAX)), encoding="utf-8")
    words = ["replay", str(path), "--backend", "python", "--lowering"]
    assert main([*words, "inlined", "--lowering", "direct"]) == 0
    assert capsys.readouterr().out == (
        f"{SOFTMAX}\npytensor, python, inlined: wrong\n{WRONG}pytensor, python, direct: right\n"
    )


def test_a_program_cannot_be_replayed_on_xarray(tmp_path, capsys):
    path = tmp_path / "case.json"
    path.write_text(json.dumps(program_case_to_json(SOFTMAX)), encoding="utf-8")
    assert main(["replay", str(path), "xarray"]) == 2
    assert capsys.readouterr().err == "refdot: not judged on xarray: it cannot run programs\n"


def test_a_program_is_explained(tmp_path, capsys):
    assert main(["explain", "gram:rows=2"]) == 0
    named = capsys.readouterr().out
    assert "gram = dot(x, y, dim='column')  float64(row: 2?, row_2: 2?)" in named
    path = tmp_path / "case.json"
    path.write_text(json.dumps(program_case_to_json(SOFTMAX)), encoding="utf-8")
    assert main(["explain", str(path)]) == 0
    assert "z = softmax(y)    float64(a: 3)" in capsys.readouterr().out


def test_the_phases_of_a_program_are_timed(capsys):
    arguments = ["compile-time", "--program", "gram", "--lowering", "inlined", "--repeats", "2"]
    assert main(arguments) == 0
    title, heading, *rows = capsys.readouterr().out.splitlines()
    assert title == "gram, backend python: the median of 2, in seconds of processor time"
    assert heading.split() == ["inlined"]
    phases, seconds = zip(*(row.rsplit(maxsplit=1) for row in rows), strict=True)
    assert phases == ("build", "lower", "gradient", "compile", "first call", "call")
    assert all(float(each) >= 0 for each in seconds)


def test_a_program_is_timed_with_each_number_of_layers(tmp_path, capsys):
    file = tmp_path / "times.json"
    arguments = ["--program", "chain:static=1", "--layers", "1,2", "--lowering", "direct"]
    assert main(["compile-time", *arguments, "--repeats", "1", "--json", str(file)]) == 0
    programs = ["chain:static=1,layers=1", "chain:static=1,layers=2"]
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition(", backend")[0] for line in lines if ", backend" in line] == programs
    found = json.loads(file.read_text("utf-8"))["results"]
    assert [each["program"] for each in found] == programs
    assert all(each["lowering"] == "direct" for each in found)
    assert all(each["seconds"]["compile"] > 0 for each in found)


def test_a_lowering_over_the_time_limit_is_stopped(tmp_path, capsys):
    file = tmp_path / "times.json"
    arguments = ["--program", "gram", "--lowering", "stock", "--limit", "0.0001"]
    assert main(["compile-time", *arguments, "--json", str(file)]) == 0
    _, heading, *rows, last = capsys.readouterr().out.splitlines()
    assert heading.split() == ["stock"]
    assert {row.split()[-1] for row in rows} == {"-"}
    assert last == "stock: over 0.0001 s"
    (result,) = json.loads(file.read_text("utf-8"))["results"]
    assert result["stopped"] == "over 0.0001 s"
    assert "seconds" not in result


@pytest.mark.parametrize(
    "option", ["weights unknown", "gradient weights", "memory", "profile", "dprint", "plot a.png"]
)
def test_options_for_layers_are_not_allowed_with_a_program(option, capsys):
    assert main(["compile-time", "--program", "gram", *f"--{option}".split()]) == 2
    name = option.split()[0]
    error = f"refdot: --{name} is for attention layers; not allowed with --program\n"
    assert capsys.readouterr().err == error


BAD_USAGE = {
    "check xarray --programs 3": "xarray cannot run programs",
    "check --programs 0": "argument --programs: expected a whole number from 1, got '0'",
    "compile-time --program gramm": "--program gramm: Program 'gramm' not found; there are chain, "
    "gram, quadratic-form, normal, mlp, attention, transformer; did you mean gram?",
    "compile-time --program gram --layers 2": "--program gram:layers=2: gram has no size "
    "'layers', only rows, columns, static",
    "compile-time --program chain:layers=1 --layers 2": "--program chain:layers=1,layers=2: The "
    "size layers of chain is given twice",
    "explain gram:row=2": "gram:row=2: gram has no size 'row', only rows, columns, static",
    "check --program gramm": "--program gramm: Program 'gramm' not found; there are chain, gram, "
    "quadratic-form, normal, mlp, attention, transformer; did you mean gram?",
    "check --program chain:layers=x": "--program chain:layers=x: The size layers of chain must be "
    "an integer, got 'x'",
}


@pytest.mark.parametrize(("command", "message"), BAD_USAGE.items(), ids=BAD_USAGE)
def test_bad_usage_is_one_line(command, message, capsys):
    assert main(command.split()) == 2
    assert capsys.readouterr().err == f"refdot: {message}\n"


def test_a_broken_program_is_bad_usage(tmp_path, capsys):
    path = tmp_path / "case.json"
    path.write_text(json.dumps({"steps": ["y = exp(x)"], "inputs": {}, "outputs": ["y"]}))
    assert main(["replay", str(path)]) == 2
    message = "Value 'x' not found; there are only "
    assert message in capsys.readouterr().err
