"""Reports on the terminal."""

import io
from dataclasses import replace

from reports import PROGRAM, WRONG_DIMS, WRONG_VALUE, report_of
from rich.console import Console

from refdot.check.findings import Report
from refdot.check.plan import Shard
from refdot.reporting.codec import report_to_json
from refdot.reporting.terminal import print_lines, print_report
from refdot.text import shortened


def printed(report: Report, **options) -> str:
    """Return the printed text of a report."""
    stream = io.StringIO()
    print_report(report, Console(file=stream, width=120, color_system=None), **options)
    return stream.getvalue()


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
        "backend supports", "backend supports; 2 cases in batches that crashed too many processes"
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


def test_the_environment_is_printed_if_asked():
    assert "\nenvironment: numpy 2.5, BLAS none\n" in printed(report_of(), verbosity=1)


def test_a_target_without_a_choice_of_backends_names_none():
    report = report_of(WRONG_DIMS, WRONG_VALUE)
    report.findings[0].known = "dims-of-y-first"
    report = replace(
        report,
        backends=("call",),
        lowerings=("stock",),
        other_backends=(),
        other_lowerings=(),
        absent_backends={},
        coverage={"call": report.coverage["c"]},
        unsupported={"call": {"no float16": 3}},
    )
    lines = printed(report).splitlines()
    assert lines[4:] == [
        "   seen 3 times; NEW",
        "",
        "known: dims-of-y-first, 3 times",
        "fn 1.2 on Python 3.11.9: 20 cases judged, seed 5, 1 s",
        "judged: 20 cases, every dim pattern up to rank 1 (thorough)",
        "not judged: 3 cases, no float16",
        "2 distinct mismatches: 1 new, 1 known",
        "not tried: 3 cases that the target does not support",
    ]


def test_backends_that_were_not_selected_are_one_entry():
    report = replace(report_of(), other_backends=("mlx", "torch"), other_lowerings=())
    *_, limits = printed(report).splitlines()
    assert "; backends mlx, torch (not selected); 8 of 11 dim patterns on py; " in limits


def test_a_run_that_was_stopped_says_so():
    report = report_of(WRONG_DIMS, stopped=True)
    report.coverage["py"].cases = 0
    *_, judged, _, _, stopped, _, limits = printed(report).splitlines()
    assert judged.startswith("backend c: 20 cases")
    assert stopped == "stopped by -x or --maxfail: the rest was not judged"
    assert limits == (
        "not tried: the rest of the run; backend jax (jax is not installed); backend mlx (not "
        "selected); lowering direct (not selected); 3 cases that no backend supports"
    )


def test_a_terminal_gets_lines_wrapped_at_spaces_below_their_last_column():
    stream = io.StringIO()
    console = Console(file=stream, width=40, color_system=None, force_terminal=True)
    lines = [
        "NEW: R13 wrong-error at run: the message does not name the dim",
        "   expected  Size of dim 'a' does not match: 2 in x, 3 in y",
        "  run     ValueError          incomparable incomprehensibilities",
        "- run     TypeError    incomparable sizes",
        "",
        "   reproducer out/" + "a" * 40 + ".py",
    ]
    print_lines([(line, "") for line in lines], console)
    assert [line.rstrip() for line in stream.getvalue().splitlines()] == [
        "NEW: R13 wrong-error at run: the message",
        "   does not name the dim",
        "   expected  Size of dim 'a' does not",
        "             match: 2 in x, 3 in y",
        "  run     ValueError",
        "     incomparable incomprehensibilities",
        "- run     TypeError    incomparable",
        "   sizes",
        "",
        "   reproducer",
        "      out/" + "a" * 40 + ".py",
    ]
    assert printed(report_of(WRONG_DIMS)).count("\n") == 13  # a file gets them whole


def test_long_lines_are_shortened_in_the_middle():
    assert shortened("a" * 300) == "a" * 300
    assert shortened("a" * 400 + "b" * 50) == "a" * 240 + " … " + "b" * 50
