"""The command line, called in this process: exit codes, one line for bad usage, plain output."""

import json
import re
import sys
from importlib.metadata import entry_points

import pytest

import refdot
from refdot.cli import main
from refdot.messages.scenarios import SCENARIOS

COMMANDS = ["check", "merge", "replay", "errors", "regex", "explain", "compile-time"]
INSTALLED = ", ".join(sorted(entry_points(group="refdot.targets").names))
TARGETS = f"choose from {INSTALLED}, module:object or path/to/file.py:object"
NOT_IMPORTED = {
    "check no_such_module:dot": "cannot import no_such_module: "
    "ModuleNotFoundError: No module named 'no_such_module'",
    "check raises_at_import:dot": "cannot import raises_at_import: "
    "ModuleNotFoundError: No module named 'no_such_module'",
    "check leaves_at_import:dot": "cannot import leaves_at_import: SystemExit: 3",
    "check leaves_at_use:target": "cannot import leaves_at_use:target: SystemExit: 0",
    "check two_lines_at_import:dot": "cannot import two_lines_at_import: "
    "RuntimeError: one line and another",
    "check guarded:dot": "cannot import guarded:dot: RuntimeError: dot is not for you",
}
BAD_USAGE = {
    "check nosuch": f"unknown target 'nosuch': {TARGETS}",
    "check right_dot:": "no object in 'right_dot:': write right_dot:NAME, with the name of a "
    "function or a target",
    "check :dot": f"no module in ':dot': {TARGETS}",
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
    "check xarray --effort quik": "--effort quik: choose from quick, standard, deep; did you mean "
    "quick?",
    "check xarray --quick --effort deep": "argument --effort: not allowed with argument --quick",
    "check xarray -q -v": "argument -v: not allowed with argument -q",
    "check xarray --maxfail 0": "argument --maxfail: expected a whole number from 1, got '0'",
    "check xarray --format html": "argument --format: invalid choice: 'html' (choose from 'text', "
    "'github')",
    "check xarray --baseline case.json": "case.json: not written by refdot check",
    "check xarray --expect missing.txt": "missing.txt: No such file or directory",
    "check xarray --expect case.json": "case.json: line 1 needs a reason: SIGNATURE # REASON",
    "check xarray --programs 2": "xarray cannot run programs",
    "check xarray --list nosuch": "--list nosuch: choose from nothing",
    "check xarray --shard 0/3": "argument --shard: expected I/N with I from 1 to N, got '0/3'",
    "check xarray --shard 4/3": "argument --shard: expected I/N with I from 1 to N, got '4/3'",
    "check xarray --shard 2": "argument --shard: expected I/N with I from 1 to N, got '2'",
    "check xarray --shard=-1/3": "argument --shard: expected I/N with I from 1 to N, got '-1/3'",
    "check xarray --jobs -1": "argument --jobs: expected a whole number from 0, got '-1'",
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
    "replay broken.json xarray": "broken.json: Expecting value: line 1 column 7 (char 6)",
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
    "": "no command; there are check, merge, replay, errors, regex, explain and compile-time",
    "chekc": f"command chekc: choose from {', '.join(COMMANDS)}; did you mean check?",
    "check --quik": "unrecognized arguments: --quik; did you mean --quick?",
    "replay": "the following arguments are required: CASE.json",
}


def words(command: str) -> list[str]:
    """Split a command at its bars, or where it has none at its spaces."""
    return command.split("|" if "|" in command else None)


@pytest.mark.parametrize(("command", "said"), BAD_USAGE.items(), ids=BAD_USAGE)
def test_bad_usage_is_one_line_on_stderr_and_exit_code_2(command, said, capsys):
    assert main(words(command)) == 2
    out, err = capsys.readouterr()
    assert (out, err) == ("", f"refdot: {said}\n")


def test_a_terminal_gets_an_error_wrapped_at_spaces(monkeypatch, capsys):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "40")
    assert main(["explain", "a b, b c", "--dim", "A"]) == 2
    assert capsys.readouterr().err.splitlines() == [
        "refdot: Dimension A not found in either",
        "   input; the dims are a, b, c; did you",
        "   mean a?",
        "  --dim A",
        "        ^",
    ]


@pytest.mark.parametrize(("command", "said"), NOT_IMPORTED.items(), ids=NOT_IMPORTED)
def test_a_target_that_cannot_be_imported_exits_3(command, said, capsys):
    assert main(words(command)) == 3
    assert capsys.readouterr() == ("", f"refdot: {said}\n")


@pytest.mark.parametrize(
    ("error", "shown"),
    [
        (ZeroDivisionError("division by zero"), "ZeroDivisionError: division by zero"),
        (SystemExit(0), "SystemExit: 0"),
        (BaseException(), "BaseException"),
    ],
)
def test_a_failure_of_refdot_exits_3_with_its_traceback(error, shown, monkeypatch, capsys):
    def fails(*_, **__):
        raise error

    monkeypatch.setattr("refdot.check.run", fails)
    assert main(["check", "right_dot:dot", "--quick"]) == 3
    error = capsys.readouterr().err
    assert error.startswith("Traceback (most recent call last):\n")
    assert error.endswith(
        f"{shown}\nrefdot: an internal error; please report it with the lines above\n"
    )


def test_an_unknown_command_lists_the_commands(capsys):
    assert main(["nosuch"]) == 2
    choices = ", ".join(COMMANDS)
    assert capsys.readouterr().err == f"refdot: command nosuch: choose from {choices}\n"


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
        hint = 'python -m pip install "path/to/refdot[check]"'
        line = f"refdot: {missing} are not installed; {hint}\n"
        assert capsys.readouterr().err == line
    assert main(["explain", "a, b"]) == 0


def test_without_a_target_the_user_is_told_what_can_be_one(monkeypatch, capsys):
    installed = {"hypothesis": True, "rich": True}
    monkeypatch.setattr("refdot.cli.targets.find_spec", installed.get)
    assert main(["check"]) == 3
    assert capsys.readouterr().err == (
        "refdot: PyTensor is not installed; name a function to judge, such as "
        'my_dot.py:dot, or python -m pip install "path/to/refdot[check]"\n'
    )


@pytest.mark.parametrize("command", ["--help", *(f"{name} --help" for name in COMMANDS)])
def test_help_exits_0(command, capsys):
    assert main(command.split()) == 0
    out, err = capsys.readouterr()
    assert out.startswith("usage: refdot")
    assert err == ""


def test_version(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"refdot {refdot.__version__}\n"


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
        "no suggestion: no TypeError is raised\n",
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
    assert "no suggestion: no error is raised\n" in out
