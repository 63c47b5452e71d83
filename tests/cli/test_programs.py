"""The command line judges programs, and replays them."""

import json
import re

import pytest

from refdot.cli import main, programs
from refdot.cli.parser import parser
from refdot.cli.programs import has_programs, print_program_deviations, run_programs_of_profile
from refdot.programs import smoke
from refdot.programs.case import ProgramCase
from refdot.programs.codec import program_case_to_json
from refdot.programs.notation import program
from refdot.pytensor.programs import graph as graphs
from refdot.targets import Target, find_target

SOFTMAX = ProgramCase(
    program("x: float64(a: 3)\ny = scale(x, 10)\nz = softmax(y)\nreturn z"), "large", 0, 1
)
WRONG = "gradient of x: R8 wrong-gradient: expected a=0: 0.0, got a=0: nan"


def test_named_programs_are_judged(capsys):
    named = ["--program", "gram", "--program", "chain:layers=2"]
    assert main(["check", *named, "--lowering", "inlined"]) == 0
    assert capsys.readouterr().out.endswith("4 programs: 0 new and 0 known kinds of mismatch\n")


def test_known_mismatches_exit_1_only_if_strict(capsys):
    arguments = ["check", "--program", "gram", "--lowering", "stock"]
    assert main(arguments) == 0
    out = capsys.readouterr().out
    assert out.endswith("2 programs: 0 new and 1 known kinds of mismatch\n")
    assert "[known: gradients-in-an-inner-graph]\n   2 times on python; stock\n   x: float" in out
    assert main([*arguments, "--strict"]) == 1


def test_a_finding_is_printed_and_its_program_can_be_replayed(tmp_path, capsys):
    arguments = ["check", "--programs", "2", "--lowering", "inlined", "--report", str(tmp_path)]
    assert main([*arguments, "--strict"]) == 1
    out = capsys.readouterr().out
    assert ". R8 wrong-gradient: NaN  [known: softmax-overflows]\n" in out
    assert f"report in {tmp_path / 'programs.json'}\n" in out
    findings = json.loads((tmp_path / "programs.json").read_text("utf-8"))
    [found] = [each for each in findings if each["signature"] == "R8 wrong-gradient: NaN"]
    assert (found["backends"], found["lowerings"]) == (["python"], ["inlined"])
    assert found["known"] == "softmax-overflows"
    script = (tmp_path / found["reproducer"]).read_text("utf-8")
    assert re.match("# gradient of .*: R8 wrong-gradient: expected ", script.splitlines()[3])
    (tmp_path / "case.json").write_text(json.dumps(found["case"]), encoding="utf-8")
    assert main(["replay", str(tmp_path / "case.json"), "--lowering", "inlined"]) == 1


def test_a_new_finding_is_shrunk_and_exits_1(monkeypatch, capsys):
    monkeypatch.setitem(graphs._XTENSOR, "negative", lambda x: x)
    assert main(["check", "--program", "mlp:layers=1", "--lowering", "direct"]) == 1
    assert "v0 = negative(x0)\n   return v0\n" in capsys.readouterr().out


def test_parts_of_the_programs_can_be_judged_in_other_processes(capsys):
    arguments = ["check", "--program", "gram", "--program", "chain", "--lowering", "inlined"]
    assert main([*arguments, "--jobs", "1", "--shard", "2/3"]) == 0
    assert capsys.readouterr().out.endswith("1 program: 0 new and 0 known kinds of mismatch\n")


def test_the_statistics_of_programs_are_printed(capsys):
    assert main(["check", "--statistics", "--programs", "20"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == "of 20 programs"
    assert any(line.endswith("%  operation: dot") for line in lines)


def test_a_check_of_a_profile_judges_programs_too():
    pytensor = find_target("pytensor")

    def judges_programs(*options: str, target: Target = pytensor) -> bool:
        return has_programs(parser().parse_args(["check", *options]), target)

    assert judges_programs()
    assert judges_programs("--profile", "deep", "--backend", "python")
    assert not judges_programs("--backend", "numba")
    assert not judges_programs("--cases", "30")
    assert not judges_programs("--only", "errors")
    assert not judges_programs("--shard", "1/2")
    assert not judges_programs(target=find_target("xarray"))


def test_the_programs_of_a_profile_come_first_and_on_python(monkeypatch, capsys):
    monkeypatch.setattr(smoke, "smoke_programs", lambda: (SOFTMAX,))
    monkeypatch.setitem(programs._IN_PROFILE, "quick", 0)
    arguments = parser().parse_args(["check", "--lowering", "inlined"])
    assert run_programs_of_profile(arguments, find_target("pytensor")) == 0
    out = capsys.readouterr().out
    assert "[known: softmax-overflows]\n   1 time on python; inlined\n" in out


def test_a_program_is_replayed_with_each_lowering(tmp_path, capsys):
    path = tmp_path / "case.json"
    path.write_text(json.dumps(program_case_to_json(SOFTMAX)), encoding="utf-8")
    assert main(["replay", str(path), "--lowering", "inlined", "--lowering", "direct"]) == 1
    assert capsys.readouterr().out == (
        f"{SOFTMAX}\npytensor, python, inlined: wrong\n  {WRONG}\npytensor, python, direct: right\n"
    )
    assert main(["replay", str(path), "--lowering", "direct"]) == 0


def test_a_program_is_explained(tmp_path, capsys):
    assert main(["explain", "gram:rows=2"]) == 0
    named = capsys.readouterr().out
    assert "gram = dot(x, y, dim='column')  float64(row: 2?, row_2: 2?)" in named
    path = tmp_path / "case.json"
    path.write_text(json.dumps(program_case_to_json(SOFTMAX)), encoding="utf-8")
    assert main(["explain", str(path)]) == 0
    assert "z = softmax(y)    float64(a: 3)" in capsys.readouterr().out


def test_the_deviations_that_only_programs_show_are_listed(capsys):
    print_program_deviations(find_target("pytensor"))
    out = capsys.readouterr().out
    assert "## softmax-overflows\n\n**A softmax of numbers above some 700, " in out
    assert "z = softmax(y)\nreturn z  [large, gradient]\n```\n" in out
    assert "## reshape-of-nothing-dropped" not in out  # a dot shows it too


def test_the_phases_of_a_program_are_timed(capsys):
    arguments = ["compile-time", "--program", "gram", "--lowering", "inlined", "--repeats", "2"]
    assert main(arguments) == 0
    heading, row = capsys.readouterr().out.splitlines()
    assert heading.split() == [
        *("program", "backend", "lowering", "build", "lower"),
        *("gradient", "compile", "first", "call", "call"),
    ]
    assert row.split()[:3] == ["gram", "python", "inlined"]
    assert all(float(seconds) >= 0 for seconds in row.split()[3:])


BAD_USAGE = {
    "check xarray --programs 3": "programs need the target pytensor, not xarray",
    "check --programs 0": "argument --programs: expected a whole number from 1, got '0'",
    "check --programs 3 --cases 2": "--cases is not for programs",
    "check --programs 3 --hours 2": "--hours is not for programs",
    "compile-time --program gramm": "--program gramm: Program 'gramm' not found; there are chain, "
    "gram, quadratic-form, normal, mlp, attention, transformer",
    "explain gram:row=2": "gram:row=2: gram has no size 'row', only rows, columns, static",
    "check --program gramm": "--program gramm: Program 'gramm' not found; there are chain, gram, "
    "quadratic-form, normal, mlp, attention, transformer",
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
