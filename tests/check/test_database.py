"""The database of counterexamples: by target, ordered, and without unreadable entries."""

import pytest
from hypothesis.database import DirectoryBasedExampleDatabase

from refdot.cases.case import DotCase, Operand
from refdot.check.database import load_cases, save_case

CASES = [DotCase(Operand(("a",), (size,)), Operand((), ())) for size in (5, 0, 2)]


def test_saved_cases_are_loaded_once_and_in_the_same_order(tmp_path):
    for folder, cases in (("a", CASES), ("b", CASES[::-1] + CASES)):
        for case in cases:
            save_case(tmp_path / folder, "dot", case)
    assert load_cases(tmp_path / "a", "dot") == load_cases(tmp_path / "b", "dot")
    assert {*load_cases(tmp_path / "a", "dot")} == {*CASES}


def test_cases_of_another_target_are_not_loaded(tmp_path):
    save_case(tmp_path, "dot", CASES[0])
    assert load_cases(tmp_path, "another") == ()
    assert load_cases(tmp_path / "missing", "dot") == ()


def test_unreadable_cases_are_left_out(tmp_path):
    save_case(tmp_path, "dot", CASES[0])
    for value in (b"", b"\xff", b"{}", b"null"):
        DirectoryBasedExampleDatabase(tmp_path).save(b"dot", value)
    assert load_cases(tmp_path, "dot") == (CASES[0],)


@pytest.mark.parametrize("name", ["./\udcff.py:dot", "\ud800", "é"])
def test_a_target_of_any_name_has_cases(name, tmp_path):
    save_case(tmp_path, name, CASES[0])
    assert load_cases(tmp_path, name) == (CASES[0],)
