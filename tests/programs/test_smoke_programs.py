"""The programs that are judged first are short, valid and varied."""

from refdot.programs.case import BUILDS
from refdot.programs.categories import count_programs_by_category
from refdot.programs.smoke import smoke_programs


def test_they_have_every_operation_but_those_of_gradients():
    counts = count_programs_by_category(smoke_programs())
    absent = {
        name for name, count in counts.items() if name.startswith("operation: ") and count == 0
    }
    assert absent == set()


def test_they_have_gradients_constants_and_large_numbers():
    counts = count_programs_by_category(smoke_programs())
    for name in (
        "value regime: large",
        "gradient order: 2",
        "origin: constant",
        "dtype: float32",
        "a value is used twice",
        "a value meets itself under another name",
        "a dot of a dot",
        "a softmax of a dot",
        "a dot of a softmax",
    ):
        assert counts[name], name


def test_four_programs_are_built_in_each_way():
    counts = count_programs_by_category(smoke_programs())
    assert min(counts[f"built: {way}"] for way in BUILDS) == 4


def test_they_are_distinct():
    assert len(set(smoke_programs())) == len(smoke_programs())
