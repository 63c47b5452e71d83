"""The commands check and merge, called in this process."""

import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from itertools import count
from xml.etree import ElementTree

import pytest

from refdot import check
from refdot.check import plan as batches
from refdot.check.plan import LOOK, PROFILES, Profile
from refdot.cli import main
from refdot.cli.check import _cpus, _jobs
from refdot.cli.parser import parser
from refdot.targets.registry import find_target


@pytest.mark.parametrize("target", ["xarray", "right_dot:dot"])
def test_a_correct_target_exits_0(target, capsys):
    assert main(["check", target, "--quick"]) == 0
    assert "\nno mismatch\n" in capsys.readouterr().out


def test_piped_output_is_plain_text(capsys):
    assert main(["check", "wrong_dot:dot", "--quick", "--cases", "20", "--seed", "3"]) == 1
    out, err = capsys.readouterr()
    assert err == ""
    # The numbers of occurrences, of judged and of unsupported cases, and the time.
    left_out = r"^(not judged:|quick look only,) .*\n"
    changing = rf"\d+(?= times)|\d+(?= cases)|\d+(?= s$)|{left_out}"
    out = re.sub(r"(?<=Python )[\d.]+", "3", re.sub(changing, "", out, flags=re.MULTILINE))
    assert (
        out
        == """\
judging smoke cases: 1 of 1
NEW: R5 wrong-dims at run: dims
   dot(float64(a: 1?), float64(b: 1?), dim=None)
   expected  ('a', 'b')
   got       ('b', 'a')
   seen  times; NEW

judging random cases: 4 of 20
judging random cases: 8 of 20
judging random cases: 12 of 20
judging random cases: 16 of 20
judging random cases: 20 of 20
1. R5 wrong-dims at run: dims,  times; NEW
wrong_dot:dot on Python 3:  cases judged, seed 3,  s
judged:  cases
1 distinct mismatch: 1 new, 0 known
"""
    )


def test_the_quiet_output_is_the_verdict(capsys):
    assert main(["check", "wrong_dot:dot", "--quick", "-q"]) == 1
    first, second = capsys.readouterr().out.splitlines()
    assert first == "1 distinct mismatch: 1 new, 0 known"
    assert second.startswith("quick look only, not tried: ")


def test_a_run_stops_at_the_first_new_mismatch(capsys):
    assert main(["check", "wrong_dot:dot", "-x"]) == 1
    out = capsys.readouterr().out
    assert "\nNEW: R5 wrong-dims at run: dims\n" in out
    assert "judging kernels" not in out
    assert "\nstopped by -x or --maxfail: the rest was not judged\n" in out


def test_the_reproducer_of_a_new_mismatch_is_written_at_once(folder, monkeypatch, capsys):
    def stopped(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(batches, "kernel_cases_of", stopped)
    assert main(["check", "wrong_dot:dot", "--report", "found"]) == 1
    [script] = (folder / "found").glob("reproducer_*.py")
    assert f"\n   reproducer {script.relative_to(folder)}\n" in capsys.readouterr().out


def test_known_deviations_take_a_line_each(capsys):
    arguments = ["check", "pytensor", "--quick", "--only", "errors", "--backend", "python"]
    assert main(arguments) == 0
    out = capsys.readouterr().out
    assert re.search(r"^known: sizes-without-names, \d+ times on python$", out, re.MULTILINE)
    assert "   expected  " not in out
    assert main([*arguments, "-v"]) == 0
    out = capsys.readouterr().out
    assert re.search(r"^   seen .*; sizes-without-names$", out, re.MULTILINE)


DIMS = "R5 wrong-dims at run: dims"


def test_a_mismatch_of_the_baseline_does_not_fail(folder, capsys):
    command = ["check", "wrong_dot:dot", "--quick"]
    assert main([*command, "--report", "before"]) == 1
    capsys.readouterr()
    assert main([*command, "--baseline", "before/report.json"]) == 0
    out = capsys.readouterr().out
    assert "\n1 distinct mismatch: 0 new, 1 unchanged, 0 known\n" in out
    assert main(["check", "right_dot:dot", "--quick", "--baseline", "before/report.json"]) == 0
    assert f"\nno mismatch\nfixed: {DIMS}\n" in capsys.readouterr().out


def test_an_expected_mismatch_does_not_fail(folder, capsys):
    lines = ["# until 2.0", "", f"{DIMS} # the order of 1.0", "R6 wrong # another one"]
    (folder / "expected.txt").write_text("\n".join(lines), encoding="utf-8")
    command = ["check", "wrong_dot:dot", "--quick", "--expect", "expected.txt"]
    assert main(command) == 0
    out = capsys.readouterr().out
    assert f"\nexpected: {DIMS}, " in out
    assert "\n1 distinct mismatch: 0 new, 1 expected, 0 known\n" in out
    assert "\nexpected, but not seen: R6 wrong (another one)\n" in out
    assert main([*command, "--strict"]) == 1


def test_new_mismatches_are_annotated_for_github(capsys):
    assert main(["check", "wrong_dot:dot", "--quick", "--format", "github"]) == 1
    [line] = re.findall("^::.*", capsys.readouterr().out, re.MULTILINE)
    assert line.startswith("::error title=refdot R5 wrong-dims at run%3A dims::dot(float64(a: 1?)")
    assert "%0Aexpected ('a', 'b')%0Agot ('b', 'a')%0Aseen " in line


def test_a_report_for_junit_is_written(folder, capsys):
    assert main(["check", "wrong_dot:dot", "--quick", "--junitxml", "junit.xml"]) == 1
    suite = ElementTree.parse(folder / "junit.xml").getroot()
    skipped = [test.get("name").split()[0] for test in suite if test.find("skipped") is not None]
    assert (suite.get("failures"), suite.get("skipped")) == ("1", "4")
    assert skipped == ["R8", "R10", "R14", "R15"]  # the target has no gradient and no graph
    [failed] = [test for test in suite if test.find("failure") is not None]
    assert (failed.get("classname"), failed.get("name")) == ("wrong_dot:dot.call", "R5 Output dims")


def test_the_quick_look_says_what_it_leaves_out(capsys):
    assert main(["check", "right_dot:dot", "--quick"]) == 0
    *_, last = capsys.readouterr().out.splitlines()
    assert last == (
        "quick look only, not tried: kernel cases, boundary cases, random cases, dim patterns, "
        "programs; 1 case that the target does not support"
    )


def test_only_the_requested_aspects_are_judged(capsys):
    command = ["check", "wrong_dot:dot", "--quick"]
    assert main([*command, "--only", "errors"]) == 0
    assert main([*command, "--only", "errors", "--only", "structure"]) == 0
    assert main([*command, "--only", "errors", "--only", "values"]) == 1


def test_the_report_folder_is_created(folder, capsys):
    command = ["check", "wrong_dot:dot", "--quick", "--report", "new/report"]
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
    assert main(["check", "right_dot:dot", "--quick", "--report", "case.json/report"]) == 2
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
    assert main(["check", "wrong_dot:dot", "--quick", *options]) == code
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
    command = ["check", "wrong_dot:dot", "--quick", "--exhaustive", "1", "--report"]
    assert main([*command, "whole"]) == 1
    whole = capsys.readouterr().out.partition("\n1. R5 ")[2].partition("\n")[2]
    parts = [f"part{number}/report.json" for number in (1, 2, 3)]
    for number in (1, 2, 3):
        assert main([*command, f"part{number}", "--shard", f"{number}/3"]) in (0, 1)
        assert f"\nthis is shard {number}/3\n" in capsys.readouterr().out
    again = ["merge", *parts, "--report", "whole-again", "--target", "wrong_dot:dot"]
    assert main(again) == 1
    merged = capsys.readouterr().out.partition("\n\n")[2]
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
    assert main(["check", "wrong_dot:dot", "--quick", "--report", "part"]) == 1
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
    assert main(["check", "xarray", "--quick", "--report", "part"]) == 0
    assert main(["merge", "part/report.json", "--report", "whole"]) == 0
    assert (folder / "whole/report.html").exists()


def test_worker_processes_find_the_target_by_name(capsys):
    assert main(["check", "wrong_dot:dot", "--quick", "--jobs", "2"]) == 1
    assert "1 distinct mismatch: 1 new, 0 known\n" in capsys.readouterr().out


# Each: options, whether PyTensor was imported before, and the number of workers.
DEFAULT_JOBS = [
    ((), False, 3),
    (("pytensor",), False, 3),
    (("pytensor", "-x", "--backend", "c"), False, 3),
    # A quick look would wait for the workers to import PyTensor.
    (("--quick",), False, 0),
    # Workers do not see what is patched here.
    ((), True, 0),
    (("xarray",), False, 0),
    (("--jobs", "0"), False, 0),
    (("xarray", "--jobs", "2"), True, 2),
]


@pytest.mark.parametrize(("options", "is_imported", "jobs"), DEFAULT_JOBS)
def test_a_check_of_pytensor_has_a_worker_for_each_processor(
    monkeypatch, options, is_imported, jobs
):
    monkeypatch.setattr("refdot.cli.check._cpus", lambda: 3)
    monkeypatch.setattr("refdot.cli.check.find_spec", lambda name: object())
    monkeypatch.setattr("sys.modules", {"pytensor": object()} if is_imported else {})
    assert _jobs(parser().parse_args(["check", *options])) == jobs


@pytest.mark.parametrize(("cpus", "jobs"), [(1, 0), (2, 2), (64, 4)])
def test_there_are_four_workers_at_most(monkeypatch, cpus, jobs):
    monkeypatch.setattr("refdot.cli.check._cpus", lambda: cpus)
    monkeypatch.setattr("refdot.cli.check.find_spec", lambda name: object())
    monkeypatch.setattr("sys.modules", {})
    assert _jobs(parser().parse_args(["check"])) == jobs


def test_the_processors_are_those_that_this_process_may_use():
    assert 1 <= _cpus() <= os.cpu_count()


def test_failing_cases_are_kept_for_the_next_run(folder, capsys):
    command = ["check", "wrong_dot:dot", "--quick", "--database", "kept"]
    saved = "judging saved counterexamples: 1 of 1\n"
    assert main(command) == 1
    assert saved not in capsys.readouterr().out
    assert main(command) == 1
    assert capsys.readouterr().out.startswith(saved)


QUICK = Profile(2000, 2, thorough=False, sample=3, programs=6)
DEEP = Profile(400_000, 3, sample=300, programs=600)
# Each: options, and the profile that they give.
AMOUNTS = {
    "": QUICK,
    "--quick": LOOK,
    "--effort deep --backend call": DEEP,
    "--cases 20": replace(QUICK, cases=2020, sample_cases=3),
    "--cases 2000": replace(QUICK, cases=4000, sample_cases=43),
    "--quick --cases 20": replace(LOOK, cases=20, sample_cases=0),
    "--cases 2000 --effort deep": replace(DEEP, cases=402_000, sample_cases=340),
    "--cases 20 --backend call": replace(QUICK, cases=2020, sample_cases=23),
    "--exhaustive 1": replace(QUICK, thorough=True),
    "--exhaustive 3": replace(QUICK, exhaustive=3, thorough=True),
    "--quick --exhaustive 1 --backend call": replace(
        LOOK, exhaustive=1, thorough=True, sample=None
    ),
}


@pytest.mark.parametrize(("options", "profile"), AMOUNTS.items(), ids=AMOUNTS)
def test_options_add_to_the_profile(options, profile, monkeypatch, capsys):
    def run(target, **options):
        assert {name: options[name] for name in vars(profile)} == vars(profile)
        return campaign(target, cases=1, fixed=False)

    campaign = check.run
    monkeypatch.setattr(check, "run", run)
    assert main(["check", "right_dot:dot", *options.split()]) == 0


def test_programs_are_added_to_the_profile(monkeypatch, capsys):
    def run(target, **options):
        assert options["programs"] == PROFILES["quick"].programs + 3
        assert options["program_backends"] == ["numba"]
        assert [str(each.regime) for each in options["named_programs"]] == ["unit", "large"]
        return campaign(target, cases=1, fixed=False, backends=["python"])

    campaign = check.run
    monkeypatch.setattr(check, "run", run)
    options = ["--programs", "3", "--program", "gram", "--backend", "numba"]
    assert main(["check", "pytensor", *options]) == 0


@pytest.mark.parametrize(
    ("aspect", "reason"),
    {
        "gradients": "the target has no gradient",
        "structure": "the target builds no graph",
        "resources": "the target builds no graph",
    }.items(),
)
def test_a_check_that_judges_nothing_is_bad_usage(aspect, reason, capsys):
    assert main(["check", "wrong_dot:dot", "--quick", "--only", aspect]) == 2
    assert capsys.readouterr().err == f"refdot: nothing was judged: {reason}\n"


def test_a_check_counts_only_cases_of_the_aspects_that_it_judges(capsys):
    command = ["check", "xarray", "--quick", "--only", "structure", "--only", "values"]
    assert main(command) == 0
    all_of_them = re.search(r": (\d+) cases judged", capsys.readouterr().out)[1]
    assert main(["check", "xarray", "--quick", "--only", "errors"]) == 0
    errors = re.search(r": (\d+) cases judged", capsys.readouterr().out)[1]
    assert 0 < int(errors) < int(all_of_them)


def test_python_m_refdot_is_the_command():
    completed = subprocess.run(
        [sys.executable, "-m", "refdot", "check", "wrong_dot:dot", "--quick"],
        env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert completed.returncode == 1
    assert completed.stderr == ""
    assert "1 distinct mismatch: 1 new, 0 known\n" in completed.stdout


def test_statistics_count_random_cases(capsys):
    assert main(["check", "--statistics", "--cases", "4"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == "of 4 cases"
    shares = [float(line.split("%")[0]) for line in lines[:-1]]
    assert shares == sorted(shares)
    assert set(shares) <= {0.0, 25.0, 50.0, 75.0, 100.0}
    assert sum(line.endswith("0-d operand") for line in lines) == 1


def test_the_known_deviations_are_listed_on_a_line_each(capsys):
    assert main(["check", "--list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    listed = [line.split()[0] for line in lines]
    assert listed == sorted({*listed})
    assert {deviation.id for deviation in find_target("pytensor").deviations} < {*listed}
    assert "softmax-overflows" in listed  # only programs show it


@pytest.mark.parametrize("wanted", ["sizes-without-names", "softmax-overflows"])
def test_one_known_deviation_is_printed_in_full(wanted, capsys):
    assert main(["check", "--list", wanted]) == 0
    out = capsys.readouterr().out
    assert out.startswith(f"## {wanted}\n\n**")
    assert re.search(r"\n```text\n[^`]*\nexpected  .*\ngot       .*\n```\n", out)
    assert out.endswith("\n```\n\n</details>\n\n")
    script = out.partition("<summary>Script</summary>\n\n```python\n")[2].partition("```")[0]
    compile(script, wanted, "exec")


def test_statistics_need_no_target(monkeypatch, capsys):
    installed = {"hypothesis": True, "rich": True}
    monkeypatch.setattr("refdot.cli.targets.find_spec", installed.get)
    assert main(["check", "--statistics", "--cases", "2"]) == 0
    assert capsys.readouterr().out.endswith("of 2 cases\n")


def test_a_target_without_known_deviations_has_none_to_list(capsys):
    assert main(["check", "xarray", "--list"]) == 0
    assert capsys.readouterr().out == "xarray has no known deviations\n"
