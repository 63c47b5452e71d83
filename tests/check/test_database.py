"""What is kept: of each target its own, in an order of its own, and all of it readable."""

from hypothesis.database import DirectoryBasedExampleDatabase

from refdot.cases.case import DotCase, Operand
from refdot.check.database import keep, kept_cases

CASES = [DotCase(Operand(("a",), (size,)), Operand((), ())) for size in (5, 0, 2)]


def test_what_is_kept_is_given_back_once_whatever_the_order(tmp_path):
    for folder, cases in (("a", CASES), ("b", CASES[::-1] + CASES)):
        for case in cases:
            keep(tmp_path / folder, "dot", case)
    assert kept_cases(tmp_path / "a", "dot") == kept_cases(tmp_path / "b", "dot")
    assert {*kept_cases(tmp_path / "a", "dot")} == {*CASES}


def test_another_target_has_nothing_of_it(tmp_path):
    keep(tmp_path, "dot", CASES[0])
    assert kept_cases(tmp_path, "another") == ()
    assert kept_cases(tmp_path / "missing", "dot") == ()


def test_what_cannot_be_read_is_left_out(tmp_path):
    keep(tmp_path, "dot", CASES[0])
    for value in (b"", b"\xff", b"{}", b"null"):
        DirectoryBasedExampleDatabase(tmp_path).save(b"dot", value)
    assert kept_cases(tmp_path, "dot") == (CASES[0],)
