"""The command line, called in this process: exit codes, one line for bad usage, plain output."""

import json
import os
import re
import subprocess
import sys
from importlib.metadata import entry_points
from itertools import count

import pytest

import refdot
from refdot import check
from refdot.check import plan as batches
from refdot.check.plan import Profile
from refdot.cli import main
from refdot.messages.scenarios import SCENARIOS
from refdot.targets.registry import find_target

# Modules with targets, one file each.
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
    """Change to a folder with these modules and files; forget imported modules afterwards."""
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


COMMANDS = ["check", "merge", "replay", "errors", "regex", "explain", "compile-time"]
INSTALLED = ", ".join(sorted(entry_points(group="refdot.targets").names))
TARGETS = f"choose from {INSTALLED}, module:object or path/to/file.py:object"
BAD_USAGE = {
    "check nosuch": f"unknown target 'nosuch': {TARGETS}",
    "check right_dot:": "no object in 'right_dot:': write right_dot:NAME, with the name of a "
    "function or a target",
    "check :dot": f"no module in ':dot': {TARGETS}",
    "check no_such_module:dot": "cannot import no_such_module: "
    "ModuleNotFoundError: No module named 'no_such_module'",
    "check raises_at_import:dot": "cannot import raises_at_import: "
    "ModuleNotFoundError: No module named 'no_such_module'",
    "check leaves_at_import:dot": "cannot import leaves_at_import: SystemExit: 3",
    "check two_lines_at_import:dot": "cannot import two_lines_at_import: "
    "RuntimeError: one line and another",
    "check guarded:dot": "cannot import guarded:dot: RuntimeError: dot is not for you",
    "check right_dot:nosuch": "module 'right_dot' has no attribute 'nosuch'",
    "check right_dot:dot.nosuch": "module 'right_dot' has no attribute 'dot.nosuch'",
    "check right_dot:number": "right_dot:number is of type int: write the name of a function or a "
    "target",
    "check xarray --backend nosuch": "--backend nosuch: choose from call",
    "check xarray --backend cal": "--backend cal: choose from call; did you mean call?",
    "check xarray --lowering inlined": "--lowering inlined: choose from stock",
    "check xarray --only value": "--only value: choose from values, gradients, errors, structure, "
    "resources; did you mean values?",
    "check xarray --cases -1": "argument --cases: expected a whole number from 1, got '-1'",
    "check xarray --cases 0": "argument --cases: expected a whole number from 1, got '0'",
    "check xarray --cases many": "argument --cases: expected a whole number from 1, got 'many'",
    "check xarray --seed 1e3": "argument --seed: expected a whole number from 0, got '1e3'",
    "check xarray --shard 0/3": "argument --shard: expected I/N with I from 1 to N, got '0/3'",
    "check xarray --shard 4/3": "argument --shard: expected I/N with I from 1 to N, got '4/3'",
    "check xarray --shard 2": "argument --shard: expected I/N with I from 1 to N, got '2'",
    "check xarray --shard=-1/3": "argument --shard: expected I/N with I from 1 to N, got '-1/3'",
    "check xarray --jobs 0": "argument --jobs: expected a whole number from 1, got '0'",
    "check right_dot:dot --cases 1 --database case.json": "--database case.json: not a folder",
    "merge": "the following arguments are required: REPORT.json",
    "merge missing.json": "missing.json: No such file or directory",
    "merge broken.json": "broken.json: Expecting value: line 1 column 7 (char 6)",
    "merge latin.json": "latin.json: 'utf-8' codec can't decode byte 0xe9 in position 1: "
    "invalid continuation byte",
    "merge case.json": "case.json: not written by refdot check",
    "check xarray --cases": "argument --cases: expected one argument",
    "check xarray --report case.json": "--report case.json: not a folder",
    "check xarray --nosuch": "unrecognized arguments: --nosuch",
    "replay missing.json xarray": "missing.json: No such file or directory",
    "replay . xarray": ".: Is a directory",
    "replay broken.json xarray": "broken.json: Input data was truncated",
    "replay empty.json xarray": "empty.json: Object missing required field `x`",
    "replay latin.json xarray": "latin.json: 'utf-8' codec can't decode byte 0xe9 in position 1: "
    "invalid continuation byte",
    "replay case.json nosuch": f"unknown target 'nosuch': {TARGETS}",
    "replay case.json xarray --backend nosuch": "--backend nosuch: choose from call",
    "errors nosuch": f"unknown target 'nosuch': {TARGETS}",
    "errors xarray --backend nosuch": "--backend nosuch: choose from call",
    "errors xarray --lowering inlined": "--lowering inlined: choose from stock",
    "errors xarray --situation batch-sttaic": f"--situation batch-sttaic: choose from "
    f"{', '.join(SCENARIOS)}; did you mean batch-static?",
    "errors xarray --situation z*": f"--situation z*: choose from {', '.join(SCENARIOS)}",
    "errors right_dot:dot --situation batch-static --json no/file": "--json no/file: "
    "No such file or directory",
    "errors right_dot:dot --situation batch-static --json .": "--json .: Is a directory",
    "errors right_dot:dot --report case.json": "--report case.json: not a folder",
    "errors --diff case.json": "argument --diff: expected 2 arguments",
    "errors --diff missing.json case.json": "missing.json: No such file or directory",
    "errors --diff broken.json case.json": "broken.json: not written by refdot errors: "
    "Input data was truncated",
    "errors --diff case.json empty.json": "case.json: not written by refdot errors: "
    "Object missing required field `target`",
    "errors --diff latin.json case.json": "latin.json: 'utf-8' codec can't decode byte 0xe9 in "
    "position 1: invalid continuation byte",
    "errors xarray --diff case.json case.json": "--diff compares two files and takes "
    "no other option",
    "errors --diff case.json case.json --backend call": "--diff compares two files and takes "
    "no other option",
    "regex": "give a PATTERN to judge, or --suggest",
    "regex --suggest x xarray": "--suggest takes no PATTERN, only a target",
    "regex --suggest nosuch": f"unknown target 'nosuch': {TARGETS}",
    f"regex|{'a' * 4001}|xarray": "not judged: too large; at most 4,000 characters and 100 "
    "alternatives are judged",
    "regex|[|xarray": "malformed pattern, unterminated character set at position 0: >>>[",
    "regex|size (3|xarray": "malformed pattern, missing ), unterminated subpattern at position 5: "
    "size >>>(3",
    "regex|a\n)|xarray": "malformed pattern, unbalanced parenthesis at position 2: a\\n>>>)",
    "regex x nosuch": f"unknown target 'nosuch': {TARGETS}",
    "regex x xarray --type Error": "argument --type: no exception 'Error'; did you mean OSError?",
    "regex x xarray --type int": "argument --type: no exception 'int'",
    "regex x xarray --type refdot.errors.NoError": "argument --type: "
    "no exception 'refdot.errors.NoError'",
    "regex x xarray --type no_such_module.Error": "argument --type: "
    "no exception 'no_such_module.Error'",
    "regex x xarray --situation zebra": f"--situation zebra: choose from {', '.join(SCENARIOS)}",
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


def test_an_unknown_command_lists_the_commands(capsys):
    assert main(["nosuch"]) == 2
    line = r"refdot: argument COMMAND: invalid choice: 'nosuch' \(choose from .*\)\n"
    error = capsys.readouterr().err
    assert re.fullmatch(line, error)
    assert re.findall(r"[\w-]+", error.partition("choose from")[2]) == COMMANDS


def test_a_command_names_the_packages_that_are_missing(monkeypatch, capsys):
    monkeypatch.setattr("refdot.cli.targets.find_spec", lambda name: None)
    every = "hypothesis, jinja2, msgspec and rich"
    for command, missing in {
        "check": "hypothesis and rich",
        "check right_dot:dot --report out": every,
        "errors --json errors.json": every,
        "replay case.json": every,
    }.items():
        assert main(command.split()) == 2
        line = f"refdot: {missing} not installed; pip install 'refdot[check]'\n"
        assert capsys.readouterr().err == line
    assert main(["explain", "a, b"]) == 0


@pytest.mark.parametrize("command", ["--help", *(f"{name} --help" for name in COMMANDS)])
def test_help_exits_0(command, capsys):
    assert main(command.split()) == 0
    out, err = capsys.readouterr()
    assert out.startswith("usage: refdot")
    assert err == ""


def test_version(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"refdot {refdot.__version__}\n"


# check


@pytest.mark.parametrize("target", ["xarray", "right_dot:dot"])
def test_a_correct_target_exits_0(target, capsys):
    assert main(["check", target, "--cases", "50"]) == 0
    assert "\nno mismatch\n" in capsys.readouterr().out


def test_piped_output_is_plain_text(capsys):
    assert main(["check", "wrong_dot:dot", "--cases", "20", "--seed", "3"]) == 1
    out, err = capsys.readouterr()
    assert err == ""
    # The numbers of occurrences, of judged and of unsupported cases, the time and the environment.
    left_out = r"^(not judged|environment:|not tried:) .*\n"
    changing = rf"(?<=seen ).*(?= on)|\d+(?= cases)|\d+(?= s$)|{left_out}"
    out = re.sub(r"(?<=Python )[\d.]+", "3", re.sub(changing, "", out, flags=re.MULTILINE))
    assert (
        out
        == """\
judging smoke cases: 1 of 1
judging kernels: 2 of 9
judging kernels: 4 of 9
judging kernels: 6 of 9
judging kernels: 8 of 9
judging kernels: 9 of 9
judging boundary cases: 2 of 10
judging boundary cases: 4 of 10
judging boundary cases: 6 of 10
judging boundary cases: 8 of 10
judging boundary cases: 10 of 10
judging random cases: 4 of 20
judging random cases: 8 of 20
judging random cases: 12 of 20
judging random cases: 16 of 20
judging random cases: 20 of 20
shrinking counterexamples: 1 of 1
1. R5 wrong-dims at run: dims
   dot(float64(a: 1?), float64(b: 1?), dim=None)
   expected  ('a', 'b')
   got       ('b', 'a')
   seen  on call; stock; NEW

wrong_dot:dot on Python 3:  cases judged, seed 3, backends call, lowerings stock,  s
backend call:  cases
1 distinct mismatch: 1 new, 0 known
"""
    )


def test_only_the_requested_aspects_are_judged(capsys):
    command = ["check", "wrong_dot:dot", "--cases", "20"]
    assert main([*command, "--only", "errors"]) == 0
    assert main([*command, "--only", "errors", "--only", "structure"]) == 0
    assert main([*command, "--only", "errors", "--only", "values"]) == 1


def test_the_report_folder_is_created(folder, capsys):
    command = ["check", "wrong_dot:dot", "--cases", "20", "--report", "new/report"]
    assert main(command) == 1
    assert capsys.readouterr().out.endswith("\nreport in new/report\n")
    report = json.loads((folder / "new/report/report.json").read_text("utf-8"))
    written = {path.name for path in (folder / "new/report").iterdir()}
    scripts = {found["reproducer"] for found in report["mismatches"]}
    assert written == {"report.json", "report.html"} | scripts
    page = (folder / "new/report/report.html").read_text("utf-8")
    assert f">refdot {' '.join(command)}</code>" in page
    assert len(written) == 3


def test_a_report_that_cannot_be_written_is_bad_usage(capsys):
    assert main(["check", "right_dot:dot", "--cases", "1", "--report", "case.json/report"]) == 2
    assert capsys.readouterr().err == "refdot: --report case.json/report: Not a directory\n"


@pytest.mark.parametrize(("known", "strict", "code"), [(True, False, 0), (True, True, 1)])
def test_known_deviations_fail_only_with_strict(known, strict, code, monkeypatch, capsys):
    def run(target, **options):
        report = campaign(target, **options)
        for finding in report.findings:
            finding.known = "a-known-one"
        return report

    campaign = check.run
    monkeypatch.setattr(check, "run", run)
    options = ["--strict"] if strict else []
    assert main(["check", "wrong_dot:dot", "--cases", "20", *options]) == code
    assert "1 distinct mismatch: 0 new, 1 known\n" in capsys.readouterr().out


@pytest.mark.parametrize(("target", "code"), [("right_dot:dot", 130), ("wrong_dot:dot", 1)])
def test_an_interrupt_prints_the_findings_so_far(target, code, monkeypatch, capsys):
    numbers, case_at = count(), batches.case_at

    def interrupted(seed, index):
        if next(numbers) == 15:
            raise KeyboardInterrupt
        return case_at(seed, index)

    monkeypatch.setattr(batches, "case_at", interrupted)
    assert main(["check", target]) == code
    out = capsys.readouterr().out
    assert "interrupted: the results are incomplete\n" in out
    assert ("R5 wrong-dims at run" in out) == (code == 1)


def test_merged_shards_equal_the_report_of_one_run(folder, capsys):
    command = ["check", "wrong_dot:dot", "--cases", "20", "--exhaustive", "1", "--report"]
    assert main([*command, "whole"]) == 1
    whole = capsys.readouterr().out.partition("shrinking counterexamples: 1 of 1\n")[2]
    parts = [f"part{number}/report.json" for number in (1, 2, 3)]
    for number in (1, 2, 3):
        assert main([*command, f"part{number}", "--shard", f"{number}/3"]) in (0, 1)
        assert f"\nthis is shard {number}/3\n" in capsys.readouterr().out
    again = ["merge", *parts, "--report", "whole-again", "--target", "wrong_dot:dot"]
    assert main(again) == 1
    merged = capsys.readouterr().out
    seconds = r"\d+ s$|whole(-again)?$"
    assert re.sub(seconds, "", merged, flags=re.M) == re.sub(seconds, "", whole, flags=re.M)
    # The page shows the command and the time.
    for name in {path.name for path in (folder / "whole").iterdir()} - {"report.html"}:
        texts = [(folder / there / name).read_text("utf-8") for there in ("whole", "whole-again")]
        texts = [re.sub(r'"seconds": [\d.]+', "", text) for text in texts]
        assert texts[0] == texts[1]

    assert main(["merge", *parts[:2]]) == 2
    assert capsys.readouterr() == ("", "refdot: missing shards: 3/3\n")
    assert main(["merge", *parts[:2], parts[0]]) == 2
    assert capsys.readouterr() == ("", "refdot: shard 1/3 is given twice\n")


def test_merge_imports_no_module_that_only_a_report_names(folder, capsys):
    assert main(["check", "wrong_dot:dot", "--cases", "1", "--report", "part"]) == 1
    text = (folder / "part/report.json").read_text("utf-8")
    text = text.replace("wrong_dot:dot", "raises_at_import:dot")
    (folder / "other.json").write_text(text, encoding="utf-8")
    capsys.readouterr()
    assert main(["merge", "other.json"]) == 1
    capsys.readouterr()
    for target, message in {
        (): "--report also needs --target raises_at_import:dot, which writes the reproducers",
        ("--target", "xarray"): "--target xarray: the reports are about raises_at_import:dot",
    }.items():
        assert main(["merge", "other.json", "--report", "whole", *target]) == 2
        assert capsys.readouterr() == ("", f"refdot: {message}\n")
    assert not (folder / "whole").exists()
    assert "raises_at_import" not in sys.modules


def test_merge_needs_no_name_for_a_built_in_target(folder, capsys):
    assert main(["check", "xarray", "--cases", "1", "--report", "part"]) == 0
    assert main(["merge", "part/report.json", "--report", "whole"]) == 0
    assert (folder / "whole/report.html").exists()


def test_worker_processes_find_the_target_by_name(capsys):
    assert main(["check", "wrong_dot:dot", "--cases", "20", "--jobs", "2"]) == 1
    assert "1 distinct mismatch: 1 new, 0 known\n" in capsys.readouterr().out


def test_failing_cases_are_kept_for_the_next_run(folder, capsys):
    command = ["check", "wrong_dot:dot", "--cases", "1", "--database", "kept"]
    saved = "judging saved counterexamples: 1 of 1\n"
    assert main(command) == 1
    assert saved not in capsys.readouterr().out
    assert main(command) == 1
    assert capsys.readouterr().out.startswith(saved)


# Each: options, and the profile that they give.
AMOUNTS = {
    "": Profile(2000, 2, thorough=False, sample=3),
    "--profile deep --backend call": Profile(400_000, 3, sample=300),
    "--cases 20": Profile(20, None, thorough=False, sample=3),
    "--cases 2000": Profile(2000, None, thorough=False, sample=40),
    "--cases 2000 --profile deep": Profile(2000, None, sample=300),
    "--cases 20 --backend call": Profile(20, None, thorough=False),
    "--exhaustive 1": Profile(2000, 1, sample=3),
    "--exhaustive 1 --cases 3 --profile deep": Profile(3, 1, sample=300),
    "--exhaustive 0 --backend call": Profile(2000, 0),
}


@pytest.mark.parametrize(("options", "profile"), AMOUNTS.items(), ids=AMOUNTS)
def test_specific_options_override_the_profile(options, profile, monkeypatch, capsys):
    def run(target, **options):
        assert {name: options[name] for name in vars(profile)} == vars(profile)
        return campaign(target, cases=1)

    campaign = check.run
    monkeypatch.setattr(check, "run", run)
    assert main(["check", "right_dot:dot", *options.split()]) == 0


def test_python_m_refdot_is_the_command():
    completed = subprocess.run(
        [sys.executable, "-m", "refdot", "check", "wrong_dot:dot", "--cases", "40"],
        env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert completed.returncode == 1
    assert completed.stderr == ""
    assert "1 distinct mismatch: 1 new, 0 known\n" in completed.stdout


# replay


@pytest.mark.parametrize(("target", "code"), [("xarray", 0), ("right_dot:dot", 0)])
def test_a_case_is_replayed(target, code, capsys):
    assert main(["replay", "case.json", target]) == code
    assert capsys.readouterr().out == (
        f"dot(float64(b: 1?), float64(a: 1?), dim=None)\n{target}, call, stock: right\n"
    )


def test_replaying_a_mismatch_exits_1(capsys):
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


def test_an_unsupported_case_is_not_checked(folder, capsys):
    case = CASE | {"dim": {"spelling": "object", "items": [5]}}
    (folder / "case.json").write_text(json.dumps(case), encoding="utf-8")
    assert main(["replay", "case.json", "xarray"]) == 2
    assert capsys.readouterr() == (
        "dot(float64(b: 1?), float64(a: 1?), dim=5)\n",
        "refdot: not judged on xarray: "
        "xarray accepts any hashable as a dim, and arrays and mappings as lists of dims\n",
    )


@pytest.mark.parametrize(
    ("aspect", "reason"),
    {
        "gradients": "the target has no gradient",
        "structure": "the target builds no graph",
        "resources": "the target builds no graph",
    }.items(),
)
def test_a_check_that_judges_nothing_is_bad_usage(aspect, reason, capsys):
    assert main(["check", "wrong_dot:dot", "--cases", "20", "--only", aspect]) == 2
    assert capsys.readouterr().err == f"refdot: nothing was judged: {reason}\n"


def test_a_check_counts_only_cases_of_the_aspects_that_it_judges(capsys):
    command = ["check", "xarray", "--cases", "20", "--only", "structure", "--only", "values"]
    assert main(command) == 0
    all_of_them = re.search(r": (\d+) cases judged", capsys.readouterr().out)[1]
    assert main(["check", "xarray", "--cases", "20", "--only", "errors"]) == 0
    errors = re.search(r": (\d+) cases judged", capsys.readouterr().out)[1]
    assert 0 < int(errors) < int(all_of_them)


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


# errors

# A correct dot with its own error message, and one that never raises an error.
OTHER_DOTS = """\
import numpy as np
import refdot


def own_message(x, y, dim=None):
    try:
        return refdot.dot(x, y, dim)
    except refdot.SizeMismatchError as error:
        raise ValueError(f"operands are of {len(error.dims)} sizes too many") from None


def never_raises(x, y, dim=None):
    return refdot.dot(x, x, ...)
"""


@pytest.fixture
def _other_dots(folder):
    (folder / "other_dots.py").write_text(OTHER_DOTS, encoding="utf-8")
    yield
    sys.modules.pop("other_dots", None)


def test_errors_are_listed_by_scenario(capsys):
    command = "errors right_dot:dot --situation contracted-1-* --situation dims-repeated"
    assert main(command.split()) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert out.startswith("surveying: 2 of 7\n")
    assert re.findall(r"^([a-z0-9-]+)  R\d", out, flags=re.MULTILINE) == [
        "contracted-1-static",
        "contracted-1-mixed",
        "contracted-1-unknown",
        "dims-repeated",
    ]
    assert (
        "  run     SizeMismatchError   Size of dim '<dim>' does not match: <n> in x, <n> in y\n"
    ) in out
    assert out.endswith("\n5 calls, 0 errors missing\n")


@pytest.mark.usefixtures("_other_dots")
def test_missing_errors_are_shown_and_counted(capsys):
    assert main(["errors", "other_dots:never_raises", "--situation", "batch-static"]) == 0
    out = capsys.readouterr().out
    assert "  -       -                   NO ERROR RAISED\n" in out
    assert out.endswith("\n1 call, 1 error missing\n")


@pytest.mark.usefixtures("_other_dots")
def test_errors_are_written_and_compared(folder, capsys):
    assert main(["errors", "right_dot:dot", "--json", "a.json", "--report", "new/report"]) == 0
    assert capsys.readouterr().out.endswith("errors missing\nreport in new/report\n")
    page = (folder / "new/report/errors.html").read_text("utf-8")
    assert page.startswith("<!DOCTYPE html>")
    assert all(name in page for name in SCENARIOS)
    assert main(["errors", "other_dots:own_message", "--json", "-"]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["target"] == "other_dots:own_message"
    assert err.startswith("surveying: ")
    (folder / "b.json").write_text(out, encoding="utf-8")
    assert main(["errors", "--diff", "a.json", "a.json"]) == 0
    assert capsys.readouterr().out.endswith("\n0 messages changed\n")
    assert main(["errors", "--diff", "a.json", "b.json"]) == 1
    out = capsys.readouterr().out
    assert (
        "- run     SizeMismatchError   Size of dim '<dim>' does not match: <n> in x, <n> in y\n"
        "+ run     ValueError          operands are of <n> sizes too many\n"
    ) in out
    assert "dim-not-found" not in out


def test_surveys_without_common_messages_are_bad_usage(folder, capsys):
    for name in ("batch-static", "batch-unknown"):
        command = ["errors", "right_dot:dot", "--situation", name, "--json", f"{name}.json"]
        assert main(command) == 0
    capsys.readouterr()
    assert main(["errors", "--diff", "batch-static.json", "batch-unknown.json"]) == 2
    assert capsys.readouterr().err == (
        "refdot: batch-static.json, batch-unknown.json: no case, backend and lowering in common\n"
    )


@pytest.mark.parametrize("command", [["errors"], ["regex", "x"]])
def test_an_interrupt_ends_a_survey(command, monkeypatch, capsys):
    def survey(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr("refdot.messages.survey.survey", survey)
    assert main([*command, "right_dot:dot"]) == 130
    assert capsys.readouterr().err == "refdot: interrupted\n"


# regex

PATTERNS = {
    "does not match": ([], 0, "correct: matches all 5 messages and no other error"),
    "Size of dim": ([], 0, "correct: matches all 5 messages and no other error"),
    "does not match|mismatch": ([], 0, "unused alternative, matches no message: mismatch"),
    "mismatch": ([], 1, "misses 5 of 5 messages"),
    "": ([], 1, "of other errors"),
    "Size": (["--type", "ValueError"], 0, "pytest.raises(ValueError, match='Size')"),
    "Siz": (["--type", "refdot.SizeMismatchError"], 0, "right"),
    "Si": (["--type", "TypeError"], 1, "SizeMismatchError instead of TypeError"),
    "not": (["--situation", "dim-*"], 1, "of other errors"),
    "not found": (["--situation", "dim-not-found", "--situation", "dim-misspelt"], 0, "right"),
    "x": (["--situation", "dims-repeated"], 1, "no message to match"),
}


@pytest.mark.parametrize(("pattern", "expected"), PATTERNS.items(), ids=PATTERNS)
def test_a_pattern_is_judged(pattern, expected, capsys):
    options, code, said = expected
    assert main(["regex", pattern, "right_dot:dot", *options]) == code
    out, err = capsys.readouterr()
    assert err == ""
    assert said in out


def test_a_catastrophic_pattern_is_stopped(capsys, monkeypatch):
    for module in ("messages.search", "reporting.messages"):
        monkeypatch.setattr(f"refdot.{module}.TIME_LIMIT", 1)
    assert main(["regex", "(a+)+$", "right_dot:dot"]) == 1
    assert "catastrophic: not finished after 1 s\n" in capsys.readouterr().out


# Each: the command, its exit code, and what it prints below the environment.
SUGGESTED = {
    "regex --suggest right_dot:dot": (0, "suggestion, matches 5 of 5 messages:\n  Size of dim\n"),
    "regex right_dot:dot --suggest --situation dim-misspelt": (
        0,
        "suggestion, matches 1 of 1 message:\n  did you mean\n",
    ),
    "regex --suggest right_dot:dot --type TypeError": (
        1,
        "no suggestion: no error is raised, or no pattern without sizes is correct\n",
    ),
}


@pytest.mark.parametrize(("command", "expected"), SUGGESTED.items(), ids=SUGGESTED)
def test_a_pattern_is_suggested_without_another(command, expected, capsys):
    code, said = expected
    assert main(words(command)) == code
    assert capsys.readouterr().out.endswith(f"\n\n{said}")


def test_the_help_lists_the_error_scenarios(capsys):
    for command in ("errors", "regex"):
        assert main([command, "--help"]) == 0
        help_words = re.split(r"[,\s;]+", capsys.readouterr().out)
        assert set(SCENARIOS) <= set(help_words)


@pytest.mark.usefixtures("_other_dots")
@pytest.mark.parametrize("target", ["right_dot:dot", "other_dots:own_message", "xarray"])
def test_the_suggested_pattern_is_correct(target, capsys):
    assert main(["regex", "no such words", target]) == 1
    lines = capsys.readouterr().out.splitlines()
    suggested = lines[lines.index("suggestion, matches 5 of 5 messages:") + 1].strip()
    assert main(["regex", suggested, target]) == 0
    assert "correct: matches all 5 messages and no other error" in capsys.readouterr().out


@pytest.mark.usefixtures("_other_dots")
def test_no_pattern_is_correct_without_an_error(capsys):
    assert main(["regex", "x", "other_dots:never_raises"]) == 1
    out = capsys.readouterr().out
    assert "contracted-unknown: no error raised\n" in out
    assert "no suggestion: " in out


def test_statistics_count_random_cases(capsys):
    assert main(["check", "--statistics", "--cases", "4"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == "of 4 cases"
    shares = [float(line.split("%")[0]) for line in lines[:-1]]
    assert shares == sorted(shares)
    assert set(shares) <= {0.0, 25.0, 50.0, 75.0, 100.0}
    assert sum(line.endswith("0-d operand") for line in lines) == 1


def test_the_known_deviations_are_listed(capsys):
    assert main(["check", "--list"]) == 0
    headings = re.findall(r"^## (\S+)$", capsys.readouterr().out, re.MULTILINE)
    of_dots = [deviation.id for deviation in find_target("pytensor").deviations]
    assert headings[: len(of_dots)] == of_dots
    assert "softmax-overflows" in headings[len(of_dots) :]  # those of programs come after
    assert len(set(headings)) == len(headings)
