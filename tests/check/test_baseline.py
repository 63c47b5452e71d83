"""A report compared with an earlier one, and with a list of expected mismatches."""

from dataclasses import replace

import pytest
from faulty_dots import FAULTS
from running import campaign

import refdot as rd
from refdot.check.baseline import Expectation, compare, read_expectations
from refdot.check.findings import Report

REVERSED = "R5 wrong-dims at run: dims"
BEFORE = campaign(FAULTS["dims reversed"][0], cases=20)
NOW = campaign(rd.dot, cases=20)


def test_a_mismatch_of_the_baseline_is_unchanged():
    assert list(compare(BEFORE).states.values()) == ["new"]
    comparison = compare(BEFORE, BEFORE)
    assert list(comparison.states.values()) == ["unchanged"]
    assert (comparison.fixed, comparison.differences) == ([], [])


def test_a_mismatch_that_is_gone_is_fixed():
    assert compare(NOW, BEFORE).fixed == [REVERSED]


NOT_JUDGED = {
    "interrupted": replace(NOW, interrupted=True),
    "stopped": replace(NOW, stopped=True),
    "another seed": replace(NOW, seed=1),
    "another profile": replace(NOW, profile=replace(NOW.profile, cases=3)),
    "other aspects": replace(NOW, only=("errors",)),
    "another backend": replace(NOW, backends=("c",)),
    "another lowering": replace(NOW, lowerings=("direct",)),
}


@pytest.mark.parametrize("report", NOT_JUDGED.values(), ids=NOT_JUDGED)
def test_a_mismatch_whose_case_was_not_judged_is_not_fixed(report: Report):
    assert compare(report, BEFORE).fixed == []


def test_the_differences_name_what_the_baseline_judged():
    report = replace(NOW, seed=1, profile=replace(NOW.profile, cases=3), only=("errors",))
    report = replace(report, backends=("c",))
    assert compare(report, BEFORE).differences == [
        "seed 0",
        "another number of cases",
        "backends call",
        "aspects all",
    ]


def test_an_expected_mismatch_is_not_new_and_another_one_is_unseen():
    here, gone = Expectation(REVERSED, "until 2.0"), Expectation("R6 wrong-value", "a bug")
    comparison = compare(BEFORE, expectations=[here, gone])
    assert list(comparison.states.values()) == ["expected"]
    assert comparison.unseen == [gone]
    assert compare(replace(BEFORE, stopped=True), expectations=[gone]).unseen == []


def test_the_id_of_a_known_deviation_can_be_expected():
    report = replace(BEFORE, findings=[replace(each, known="its-id") for each in BEFORE.findings])
    comparison = compare(report, expectations=[Expectation("its-id", "a reason")])
    assert list(comparison.states.values()) == ["known"]
    assert comparison.unseen == []


def test_a_line_without_a_reason_is_an_error():
    message = "^line 2 needs a reason: SIGNATURE # REASON$"
    with pytest.raises(ValueError, match=message):
        read_expectations(f"# a comment\n{REVERSED}\n")
