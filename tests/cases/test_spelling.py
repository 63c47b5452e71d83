"""The spelling cases: names that some code takes for one, and that are distinct."""

from __future__ import annotations

from unicodedata import normalize

from refdot.cases.spelling import spelling_cases
from refdot.judging.expected import expected_error

CASES = list(spelling_cases())


def test_two_of_three_are_valid_and_one_has_a_name_that_is_not_there():
    errors = [expected_error(case) for case in CASES]
    assert [type(error).__name__ for error in errors[:3]] == [
        "NoneType",
        "NoneType",
        "DimNotFoundError",
    ]
    assert list(map(type, errors)) == len(CASES) // 3 * list(map(type, errors[:3]))


def test_their_names_are_equal_without_case_spaces_or_unicode_forms_or_at_the_start():
    pairs = [case.x.dims for case in CASES[::3]]
    changes = (str.lower, str.strip, lambda name: normalize("NFC", name))
    changes += (lambda name: normalize("NFKC", name), lambda name: name[:64])
    for change in changes:
        assert any(change(first) == change(second) for first, second in pairs)
