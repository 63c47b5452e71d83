"""Labels of cases, for the ids of tests."""

import pytest
from hypothesis import given

from refdot.cases.dim_argument import DimArgument
from refdot.cases.labels import case_id
from refdot.cases.notation import dot_case
from refdot.cases.smoke import smoke_cases
from refdot.cases.strategies import dot_cases

LABELS = {
    "ab,bc": dot_case("a? b?", "b? c?"),
    ",-over-none": dot_case("", "", ()),
    "time.b,b-over-all-static-y": dot_case("time? b?", "b", ...),
    "ab,b-over-b-int8.bool": dot_case("a? b?", "b?", "b", ("int8", "bool")),
    "ab,b-over-list-bb-fortran": dot_case("a? b?", "b?", ["b", "b"], layout="fortran"),
    "a,a-over-z-R3": dot_case("a?", "a?", "z"),
    "a,a-over-5-R2": dot_case("a?", "a?", 5),
    "a,a-over-array-a-R2": dot_case("a?", "a?", DimArgument("array", ("a",))),
    "aa,-R1": dot_case("a? a?", ""),
    "ab,ab-R4-a-2-vs-1-b-0-vs-3-static": dot_case("a b:0", "a:1 b"),
    "a,a-a-0-special-same-array": dot_case("a:0?", "a:0?", same_array=True, regime="special"),
    "ab,a-b-70-constant.input-static-x": dot_case("a? b:70?", "a?", origin=("constant", "input")),
}


@pytest.mark.parametrize(("label", "case"), LABELS.items(), ids=LABELS)
def test_a_label_says_what_sets_a_case_apart(label, case):
    assert sorted(case_id(case).split("-")) == sorted(label.split("-"))
    assert case_id(case).partition("-")[0] == label.partition("-")[0]


def test_the_labels_of_smoke_cases_are_distinct():
    labels = [case_id(case) for case in smoke_cases()]
    assert len({*labels}) == len(labels)


@given(dot_cases())
def test_every_case_has_a_label(case):
    assert case_id(case)
