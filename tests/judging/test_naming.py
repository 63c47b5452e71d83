"""A message names the dim that is wrong, and not by accident."""

import pytest
from outcomes import CONTRACTED, MISSING, PLAIN, STAGED, case

import refdot as rd
from refdot.cases.case import DimArgument
from refdot.cases.notation import dot_case
from refdot.judging.comparison import compare
from refdot.judging.expected import expected_error
from refdot.judging.naming import names_dim, with_rare_names, wrong_and_right_names
from refdot.targets.callable import CallableTarget
from refdot.testing import check_dot

TWO_SHARED = case(x="n a b", y="n b", x_shape=(2, 3, 4), y_shape=(2, 5))

# Each: a message, the wrong names, the right ones, and whether it says which is wrong.
MESSAGES = {
    "in quotes": ("Size of dim 'b' differs", "b", "", True),
    "before a colon": ("b: 3, 4", "b", "", True),
    "in brackets": ("(b)", "b", "", True),
    "parts of words": ("ab and b2 and b_", "b", "", False),
    "empty": ("", "b", "", False),
    "the right name": ("Size of dim 'a' differs", "b", "a", False),
    "one of two": ("Size of dim 'c' differs", "bc", "a", True),
    "with both shapes": ("b differs: (a: 2, b: 3) and (b: 4, a: 2)", "b", "a", True),
    "the right name with both shapes": ("a differs: (a: 2, b: 3), (b: 4)", "b", "a", False),
    "both shapes": ("(a: 2, b: 3) and (a: 2, b: 4) do not match", "b", "a", False),
    "special characters": ("a.b? (x)", ["a.b?"], "", True),
    "the same pattern": ("a_b", ["a.b"], "", False),
}


@pytest.mark.parametrize(("message", "wrong", "right", "expected"), MESSAGES.values(), ids=MESSAGES)
def test_a_message_says_which_dim_is_wrong(message, wrong, right, expected):
    assert names_dim(message, wrong, right) is expected


def test_rare_names_keep_the_case_and_the_order_of_its_names():
    of = dot_case("time:2 a:3", "a:3 b:4", ("a", "zone"))
    renamed = with_rare_names(of)
    assert renamed == dot_case("named02:2 named00:3", "named00:3 named01:4", ("named00", "named03"))
    assert with_rare_names(renamed) == renamed
    assert type(expected_error(renamed)) is type(expected_error(of))


def test_the_names_that_a_message_contains_or_not():
    sizes, missing = (with_rare_names(of) for of in (TWO_SHARED, MISSING))
    assert wrong_and_right_names(sizes, expected_error(sizes)) == (
        ("named01",),
        ("named02", "named00"),
    )
    assert wrong_and_right_names(missing, expected_error(missing)) == (("named03",), ())
    # An ordinary name may be a word of the message.
    assert wrong_and_right_names(TWO_SHARED, expected_error(TWO_SHARED)) == (("b",), ())
    assert wrong_and_right_names(MISSING, rd.DimTypeError(5)) == ((), ())


def raising(message):
    """Return a target that raises the oracle's error with another message."""

    def dot(x, y, dim):
        try:
            return rd.dot(x, y, dim)
        except (rd.SizeMismatchError, rd.DimNotFoundError) as error:
            raise ValueError(message(x, y, dim, error)) from None

    return dot


def listing(x, y, dim, error):
    """Return a message that lists the dims of both operands."""
    return f"cannot combine {x.dims} and {y.dims} over {dim}"


def detail(of, message):
    """Return the details of the mismatches of such a target in a case."""
    target = CallableTarget(raising(message), "dot")

    def run(again):
        return target.run(again, "call", "stock")

    return [mismatch.detail for mismatch in compare(of, run(of), target, run)]


SIZES_DIFFER = "contracted, sizes differ: the message does not "
ERRORS = {
    "the oracle's message": (CONTRACTED, lambda x, y, dim, error: error, []),
    "the sizes only": (CONTRACTED, lambda x, y, dim, e: "3 and 5", [SIZES_DIFFER + "name the dim"]),
    "the name as a word": (
        case(x="c a", y="a b", x_shape=(2, 3), y_shape=(5, 4)),
        lambda x, y, dim, error: "there is a mismatch",
        [SIZES_DIFFER + "name the dim"],
    ),
    "another dim": (
        case(x="c a", y="a b", x_shape=(2, 3), y_shape=(5, 4)),
        lambda x, y, dim, error: f"a mismatch in {x.dims[0]}",
        [SIZES_DIFFER + "name the dim"],
    ),
    "all dims, one of them shared": (CONTRACTED, listing, []),
    "all dims": (TWO_SHARED, listing, [SIZES_DIFFER + "say which dim"]),
    "the wrong one among all dims": (
        TWO_SHARED,
        lambda x, y, dim, error: f"size of {x.dims[0]}: {x.dims} and {y.dims}",
        [SIZES_DIFFER + "say which dim"],
    ),
    "the right one among all dims": (
        TWO_SHARED,
        lambda x, y, dim, error: f"size of {error.dims[0]}: {x.dims} and {y.dims}",
        [],
    ),
    "an unknown name in the argument": (MISSING, listing, []),
    "an unknown name as a word": (
        case(dim=DimArgument("str", ("is",))),
        lambda x, y, dim, error: "dim is not there",
        ["unknown name: the message does not name the dim"],
    ),
}


@pytest.mark.parametrize(("of", "message", "details"), ERRORS.values(), ids=ERRORS)
def test_an_error_must_say_which_dim_is_wrong(of, message, details):
    assert detail(of, message) == details


def test_the_mismatch_has_the_case_that_shows_it():
    of = case(x="a", y="a", x_shape=(3,), y_shape=(5,))
    target = CallableTarget(raising(lambda *_: "a mismatch"), "dot")

    def run(again):
        return target.run(again, "call", "stock")

    (mismatch,) = compare(of, run(of), target, run)
    assert mismatch.case == with_rare_names(of)
    assert mismatch.expected.endswith("Size of dim 'named00' does not match: 3 in x, 5 in y")


def test_nothing_runs_again_without_need():
    outcome = CallableTarget(rd.dot, "dot").run(CONTRACTED, "call", "stock")
    assert compare(CONTRACTED, outcome, PLAIN) == ()

    def run(again):
        raise AssertionError

    renamed = with_rare_names(CONTRACTED)
    outcome = CallableTarget(rd.dot, "dot").run(renamed, "call", "stock")
    assert compare(renamed, outcome, STAGED, run) == ()


def test_check_dot_sees_a_name_that_is_there_by_accident():
    with pytest.raises(AssertionError, match=SIZES_DIFFER + "name the dim"):
        check_dot(raising(lambda *_: "a b c d e f mismatch"), cases=60)
