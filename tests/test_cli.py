"""The command line, called in this process: exit codes, one line for bad usage, plain output."""

import json
import os
import re
import subprocess
import sys
from itertools import count

import pytest

import refdot
from refdot import check
from refdot.cli import main

# Modules that somebody may point refdot at, one file each.
MODULES = {
    "right_dot": "from refdot import dot\nnumber = 5\n",
    "wrong_dot": "import refdot\n\n\ndef dot(x, y, dim=None):\n    return refdot.dot(y, x, dim)\n",
    "raises_at_import": "import no_such_module\n",
    "leaves_at_import": "raise SystemExit(3)\n",
    "two_lines_at_import": "raise RuntimeError('one line\\nand another')\n",
    "guarded": "def __getattr__(name):\n    raise RuntimeError(f'{name} is not for you')\n",
}
CASE = {"x": {"dims": ["b"], "shape": [1]}, "y": {"dims": ["a"], "shape": [1]}}
FILES = {
    "broken.json": '{"x": ',
    "empty.json": "{}",
    "latin.json": '"é"'.encode("latin-1"),
    "case.json": json.dumps(CASE),
}


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Stand in a folder with the modules and files above, and import nothing for good."""
    for name, source in MODULES.items():
        (tmp_path / f"{name}.py").write_text(source, encoding="utf-8")
    for name, text in FILES.items():
        (tmp_path / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", ["", *filter(None, sys.path)])
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    yield tmp_path
    for name in MODULES:
        sys.modules.pop(name, None)


TARGETS = "it must be pytensor, xarray or module:function"
OPERANDS = "two operands with one comma between them, such as 'a b, b c', not"
BAD_USAGE = {
    "check nosuch": f"no target 'nosuch': {TARGETS}",
    "check right_dot:": f"no target 'right_dot:': {TARGETS}",
    "check :dot": f"no target ':dot': {TARGETS}",
    "check no_such_module:dot": "cannot import no_such_module: "
    "ModuleNotFoundError: No module named 'no_such_module'",
    "check raises_at_import:dot": "cannot import raises_at_import: "
    "ModuleNotFoundError: No module named 'no_such_module'",
    "check leaves_at_import:dot": "cannot import leaves_at_import: SystemExit: 3",
    "check two_lines_at_import:dot": "cannot import two_lines_at_import: "
    "RuntimeError: one line and another",
    "check guarded:dot": "cannot import guarded:dot: RuntimeError: dot is not for you",
    "check right_dot:nosuch": "right_dot has no nosuch",
    "check right_dot:dot.nosuch": "right_dot has no dot.nosuch",
    "check right_dot:number": "right_dot:number is not callable",
    "check xarray --backend nosuch": "--backend nosuch: there is only call",
    "check xarray --backend cal": "--backend cal: there is only call (did you mean call?)",
    "check xarray --lowering inlined": "--lowering inlined: there is only stock",
    "check xarray --only value": "--only value: there is only values, gradients, errors, structure "
    "(did you mean values?)",
    "check xarray --cases -1": "argument --cases: a whole number from 1 on, not '-1'",
    "check xarray --cases 0": "argument --cases: a whole number from 1 on, not '0'",
    "check xarray --cases many": "argument --cases: a whole number from 1 on, not 'many'",
    "check xarray --seed 1e3": "argument --seed: a whole number from 0 on, not '1e3'",
    "check xarray --cases": "argument --cases: expected one argument",
    "check xarray --report case.json": "--report case.json: not a folder",
    "check xarray --nosuch": "unrecognized arguments: --nosuch",
    "replay missing.json xarray": "missing.json: No such file or directory",
    "replay . xarray": ".: Is a directory",
    "replay broken.json xarray": "broken.json: not JSON: Expecting value: line 1 column 7 (char 6)",
    "replay empty.json xarray": "empty.json: a case lacks x, y",
    "replay latin.json xarray": "latin.json: 'utf-8' codec can't decode byte 0xe9 in position 1: "
    "invalid continuation byte",
    "replay case.json nosuch": f"no target 'nosuch': {TARGETS}",
    "replay case.json xarray --backend nosuch": "--backend nosuch: there is only call",
    "explain|a b": f"{OPERANDS} 'a b'",
    "explain|a, b, c": f"{OPERANDS} 'a, b, c'",
    "explain|a a, b": "Dim 'a' comes twice in x: ('a', 'a')",
    "explain|a b, b c|--dim|z": "Dimension z not found in either input; the dims are a, b, c",
    "explain|a, b|--sizes|a": "--sizes takes name=size with commas between, not 'a'",
    "explain|a, b|--sizes|a=-1": "--sizes takes name=size with commas between, not 'a=-1'",
    "explain|a, b|--sizes|z=2": "--sizes z: there is only a, b",
    "": "the following arguments are required: COMMAND",
}


def words(command: str) -> list[str]:
    """Split a command at its bars, or where it has none at its spaces."""
    return command.split("|" if "|" in command else None)


@pytest.mark.parametrize(("command", "said"), BAD_USAGE.items(), ids=BAD_USAGE)
def test_bad_usage_is_one_line_on_stderr_and_exit_code_2(command, said, capsys):
    assert main(words(command)) == 2
    out, err = capsys.readouterr()
    assert (out, err) == ("", f"refdot: {said}\n")


def test_an_unknown_command_is_answered_with_those_there_are(capsys):
    assert main(["nosuch"]) == 2
    line = r"refdot: argument COMMAND: invalid choice: 'nosuch' \(choose from .*\)\n"
    error = capsys.readouterr().err
    assert re.fullmatch(line, error)
    commands = re.findall(r"[\w-]+", error.partition("choose from")[2])
    assert commands == ["check", "replay", "explain", "compile-time"]


def test_a_command_needs_what_it_is_made_of(monkeypatch, capsys):
    monkeypatch.setattr("refdot.cli.find_spec", lambda name: None)
    for command in (["check"], ["replay", "case.json"]):
        assert main(command) == 2
        assert capsys.readouterr().err == (
            "refdot: hypothesis and rich not installed; pip install 'refdot[check]'\n"
        )
    assert main(["explain", "a, b"]) == 0


@pytest.mark.parametrize("command", ["--help", "check --help", "replay --help", "explain --help"])
def test_help_is_not_an_error(command, capsys):
    assert main(command.split()) == 0
    out, err = capsys.readouterr()
    assert out.startswith("usage: refdot")
    assert err == ""


def test_version(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"refdot {refdot.__version__}\n"


# check


@pytest.mark.parametrize("target", ["xarray", "right_dot:dot"])
def test_what_is_right_exits_0(target, capsys):
    assert main(["check", target, "--cases", "50"]) == 0
    assert capsys.readouterr().out.endswith("\nno mismatch\n")


def test_output_that_is_piped_is_plain_lines(capsys):
    assert main(["check", "wrong_dot:dot", "--cases", "20", "--seed", "3"]) == 1
    out, err = capsys.readouterr()
    assert err == ""
    # How often it was seen, how many cases the target does not claim to do, and how long it took.
    changing = r"(?<=seen ).*(?= on)|\d+(?= cases judged)|^\d+ more .*\n|\d+(?= s$)"
    out = re.sub(r"(?<=Python )[\d.]+", "3", re.sub(changing, "", out, flags=re.MULTILINE))
    assert (
        out
        == """\
judging: 4 of 20
judging: 8 of 20
judging: 12 of 20
judging: 16 of 20
judging: 20 of 20
shrinking: 1 of 1
1. R5 wrong-dims at run: dims
   dot(float64(a: 1?), float64(b: 1?), dim=None)
   expected  ('a', 'b')
   got       ('b', 'a')
   seen  on call; stock; NEW

wrong_dot:dot on Python 3:  cases judged, seed 3, backends call, lowerings stock,  s
1 distinct mismatch: 1 new, 0 known
"""
    )


def test_only_the_aspects_asked_for_are_judged(capsys):
    command = ["check", "wrong_dot:dot", "--cases", "20"]
    assert main([*command, "--only", "errors"]) == 0
    assert main([*command, "--only", "errors", "--only", "structure"]) == 0
    assert main([*command, "--only", "errors", "--only", "values"]) == 1


def test_a_report_is_a_folder_that_is_made(folder, capsys):
    command = ["check", "wrong_dot:dot", "--cases", "20", "--report", "new/report"]
    assert main(command) == 1
    assert capsys.readouterr().out.endswith("\nreport in new/report\n")
    report = json.loads((folder / "new/report/report.json").read_text("utf-8"))
    written = {path.name for path in (folder / "new/report").iterdir()}
    assert written == {"report.json", *(found["reproducer"] for found in report["mismatches"])}
    assert len(written) == 2


def test_a_report_that_cannot_be_written_is_bad_usage(capsys):
    assert main(["check", "right_dot:dot", "--cases", "1", "--report", "case.json/report"]) == 2
    assert capsys.readouterr().err == "refdot: --report case.json/report: Not a directory\n"


@pytest.mark.parametrize(("known", "strict", "code"), [(True, False, 0), (True, True, 1)])
def test_known_deviations_count_with_strict_alone(known, strict, code, monkeypatch, capsys):
    def run(target, **options):
        report = campaign(target, **options)
        for finding in report.findings:
            finding.known = "a-known-one"
        return report

    campaign = check.run
    monkeypatch.setattr(check, "run", run)
    options = ["--strict"] if strict else []
    assert main(["check", "wrong_dot:dot", "--cases", "20", *options]) == code
    assert capsys.readouterr().out.endswith("1 distinct mismatch: 0 new, 1 known\n")


@pytest.mark.parametrize(("target", "code"), [("right_dot:dot", 130), ("wrong_dot:dot", 1)])
def test_an_interrupt_prints_what_was_found_so_far(target, code, monkeypatch, capsys):
    numbers, case_at = count(), check.case_at

    def interrupted(seed, index):
        if next(numbers) == 15:
            raise KeyboardInterrupt
        return case_at(seed, index)

    monkeypatch.setattr(check, "case_at", interrupted)
    assert main(["check", target]) == code
    out = capsys.readouterr().out
    assert "interrupted: this is what was found until then\n" in out
    assert ("R5 wrong-dims at run" in out) == (code == 1)


def test_the_module_is_the_command():
    completed = subprocess.run(
        [sys.executable, "-m", "refdot", "check", "wrong_dot:dot", "--cases", "40"],
        env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert completed.returncode == 1
    assert completed.stderr == ""
    assert completed.stdout.endswith("1 distinct mismatch: 1 new, 0 known\n")


# replay


@pytest.mark.parametrize(("target", "code"), [("xarray", 0), ("right_dot:dot", 0)])
def test_a_case_is_replayed(target, code, capsys):
    assert main(["replay", "case.json", target]) == code
    assert capsys.readouterr().out == (
        f"dot(float64(b: 1?), float64(a: 1?), dim=None)\n{target}, call, stock: right\n"
    )


def test_a_case_that_is_replayed_wrongly_exits_1(capsys):
    assert main(["replay", "case.json", "wrong_dot:dot", "--backend", "call"]) == 1
    assert (
        capsys.readouterr().out
        == """\
dot(float64(b: 1?), float64(a: 1?), dim=None)
wrong_dot:dot, call, stock: wrong
  R5 wrong-dims at run: dims
    expected  ('b', 'a')
    got       ('a', 'b')
"""
    )


def test_the_case_of_a_report_can_be_replayed(folder, capsys):
    assert main(["check", "wrong_dot:dot", "--cases", "20", "--report", "."]) == 1
    (found,) = json.loads((folder / "report.json").read_text("utf-8"))["mismatches"]
    (folder / "found.json").write_text(json.dumps(found["case"]), encoding="utf-8")
    assert main(["replay", "found.json", "wrong_dot:dot"]) == 1
    assert found["signature"] in capsys.readouterr().out


def test_a_case_beyond_a_targets_limits_is_not_judged(folder, capsys):
    case = CASE | {"dim": {"spelling": "object", "items": [5]}}
    (folder / "case.json").write_text(json.dumps(case), encoding="utf-8")
    assert main(["replay", "case.json", "xarray"]) == 0
    assert capsys.readouterr().out == (
        "dot(float64(b: 1?), float64(a: 1?), dim=5)\nxarray is not judged on this: "
        "in xarray any hashable is a dim, and an array or mapping a list of dims\n"
    )


UNUSABLE = {
    "a seed that is too large": CASE | {"seed": 2**40},
    "a dim argument that is no set": CASE | {"dim": {"spelling": "set", "items": [[1]]}},
    "bytes of a number": CASE | {"dim": {"spelling": "bytes", "items": [5]}},
    "more values than memory holds": CASE | {"x": {"dims": ["b"], "shape": [10**30]}},
    "more axes than arrays have": CASE
    | {"x": {"dims": [f"b{i}" for i in range(65)], "shape": [1] * 65}},
    "one variable of two shapes": CASE | {"same_variable": True},
}


@pytest.mark.parametrize("case", UNUSABLE.values(), ids=UNUSABLE)
def test_a_case_that_cannot_be_run_is_bad_usage(case, folder, capsys):
    (folder / "case.json").write_text(json.dumps(case), encoding="utf-8")
    assert main(["replay", "case.json", "right_dot:dot"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert re.fullmatch(r"refdot: case\.json: .+\n", err)


# explain


def test_explain_shows_names_roles_and_loops(capsys):
    command = ["explain", "batch time embd, embd head", "--dim", "embd", "--sizes", "batch=2"]
    assert main(command) == 0
    assert (
        capsys.readouterr().out
        == """\
x    (batch, time, embd)
y    (embd, head)
out  (batch, time, head)

a  batch = 2  free        in one, kept
b  time       free        in one, kept
c  embd       contracted  in both, summed over
d  head       free        in one, kept

np.einsum("abc,cd->abd", x, y)

for batch:
    for time:
        for head:
            out[batch, time, head] = 0
            for embd:
                out[batch, time, head] += x[batch, time, embd] * y[embd, head]
"""
    )


DIM_OPTIONS = {
    "without": ([], "ab,bc->ac"),
    "...": (["--dim", "..."], "ab,bc->"),
    "one": (["--dim", "a"], "ab,bc->bc"),
    "several, spaced": (["--dim", "a, b"], "ab,bc->c"),
    "none": (["--dim", ""], "ab,bc->abc"),
}


@pytest.mark.parametrize(("options", "subscripts"), DIM_OPTIONS.values(), ids=DIM_OPTIONS)
def test_explain_reads_dim_from_the_shell(options, subscripts, capsys):
    assert main(["explain", "a b, b c", *options]) == 0
    assert f'np.einsum("{subscripts}", x, y)' in capsys.readouterr().out
