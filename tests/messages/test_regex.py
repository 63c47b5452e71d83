"""Tests of the judgement of a regex."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from surveys import FOUND, UNKNOWN, reasons, survey_of, texts

import refdot as rd
from refdot.messages.alternatives import alternatives, without_nested
from refdot.messages.regex import PatternError, check_pattern, judge
from refdot.messages.suggestion import (
    suggest_pattern,
)
from refdot.messages.survey import survey
from refdot.targets.callable import CallableTarget

# Each: a pattern, its scenarios, the messages it misses, the messages it should not match.
VERDICTS = {
    "correct": ("not aligned|gemm: operands", [UNKNOWN], [], []),
    "too narrow": ("not aligned", [UNKNOWN], [("backend1", "no match")], []),
    "too wide": ("aligned|gemm", [UNKNOWN], [], ["no gemm for int8"]),
    "both": (
        "not",
        [UNKNOWN],
        [("backend1", "no match")],
        ["Dimension e not found"],
    ),
    "an equal message of another scenario does not count": (
        "shapes .* not|: op",
        [UNKNOWN],
        [],
        [],
    ),
    "case-sensitive": (
        "Gemm: |Not",
        [UNKNOWN],
        [("backend0", "no match"), ("backend1", "no match")],
        [],
    ),
    "case-insensitive": ("(?i)Gemm: |not al", [UNKNOWN], [], []),
    "a missing error is unmatched": (
        "have to",
        ["batch-unknown"],
        [("backend1", "no error raised")],
        [],
    ),
    "no error is due for a valid case": ("letters", ["dims-too-many"], [], []),
    "several scenarios": (
        "not|gemm",
        [UNKNOWN, "dim-not-found", "contracted-1-unknown"],
        [],
        [],
    ),
    "anchors": ("^shapes|4$", [UNKNOWN], [], []),
    "everything": (
        ".*",
        [UNKNOWN],
        [],
        [
            "Inputs have to be of one size",
            "no gemm for int8",
            "Dimension e not found",
            "more than 26 letters",
        ],
    ),
}


@pytest.mark.parametrize(
    ("pattern", "scenarios", "unmatched", "also_matched"), VERDICTS.values(), ids=VERDICTS
)
def test_pattern_is_judged_on_every_message(pattern, scenarios, unmatched, also_matched):
    verdict = judge(pattern, FOUND, scenarios)
    assert reasons(verdict) == unmatched
    assert texts(verdict.also_matched) == also_matched
    assert verdict.is_correct is not (unmatched or also_matched)
    assert (verdict.pattern, verdict.exception) == (pattern, "Exception")
    assert (verdict.scenarios, verdict.timed_out_on) == (tuple(scenarios), "")


@pytest.mark.parametrize("kind", [LookupError, TypeError, KeyboardInterrupt])
def test_exception_of_another_type_is_unmatched(kind):
    verdict = judge("letters", FOUND, ["dims-too-many"], kind)
    assert reasons(verdict) == [("backend0", f"ValueError instead of {kind.__name__}")]
    assert (verdict.exception, verdict.suggestion) == (kind.__name__, None)


def test_other_error_of_another_type_may_match():
    assert texts(judge("aligned|gemm", FOUND, [UNKNOWN]).also_matched) == ["no gemm for int8"]
    assert judge("aligned|gemm", FOUND, [UNKNOWN], ValueError).is_correct


def test_subclass_counts_as_its_base_class():
    found = survey(CallableTarget(rd.dot, "dot"))
    for kind in (rd.SizeMismatchError, rd.DotError, ValueError, Exception):
        assert judge("does not match", found, [UNKNOWN], kind).is_correct
    assert not judge("does not match", found, [UNKNOWN], rd.DimNotFoundError).is_correct


def test_notes_are_searched_too():
    found = survey_of(contracted_unknown=[("no", "\nApply node: Dot22")], batch_unknown=["none"])
    assert judge("Dot22", found, [UNKNOWN]).is_correct
    assert not judge("no$", found, [UNKNOWN]).is_correct


def test_message_that_contains_an_expected_one_may_match():
    found = survey_of(
        contracted_unknown=["size of dim 3"], batch_unknown=["size of dim 4, and more"]
    )
    assert judge("of dim", found, [UNKNOWN]).is_correct
    assert suggest_pattern(found, [UNKNOWN]) == "size of dim"
    # The rule does not hold for a message of which nothing is stable: any could contain it.
    found = survey_of(contracted_unknown=["7"], batch_unknown=["7 of 8"], dim_misspelt=["8"])
    assert texts(judge("7", found, [UNKNOWN]).also_matched) == ["7 of 8"]


def test_no_pattern_is_correct_without_messages():
    found = survey_of(batch_unknown=["no"])
    verdict = judge("no", found, [UNKNOWN])
    assert (verdict.message_count, verdict.unmatched, verdict.suggestion) == (0, (), None)
    assert not verdict.is_correct


@pytest.mark.parametrize("call", [lambda *_: judge("x", *_), suggest_pattern])
def test_unknown_scenario_is_rejected(call):
    with pytest.raises(ValueError, match=r"^unknown error scenario 'batch'"):
        call(FOUND, ["batch"])


# Alternatives

UNUSED = {
    "not aligned|gemm": (),
    "not aligned|gemm: x|: op": ("gemm: x",),
    "nothing": (),
    "(not|never) aligned": ("never",),
    "(not (ever|yet)|never) aligned|gemm": ("(not (ever|yet)|never) aligned",),
    "(no(t|w) al|never a(x|y)) *igned": ("w", "never a(x|y)"),
    "(?:shapes|sizes?) (3|4|5)": ("shapes", "4", "5"),
    r"(?i)NOT|NEVER|\|": ("NEVER", r"\|"),
    "[|]|not": ("[|]",),
    "(?!not|never)shapes|x(?<!a|b)": ("x(?<!a|b)",),
    "(?x) shapes  # not | a bar \n | never": (" never",),
    r"(s)hape(?(1)s|t)|(?P<q>')\w+(?P=q)": (r"(?P<q>')\w+(?P=q)",),
    "|never": ("never",),
    "(?x: never # or | not ) \n ) | (?-x:#|not)": ("(?x: never # or | not ) \n ) ", "#"),
    r"(?#(a\)b|c)not|never": ("never",),
    "(?x) not # \\\n | a bar \n | never": (" never",),
    "(?x) (?-x:#|no t) # | \n |(?i: NOT | N )": (" (?-x:#|no t) # | \n ",),
}


@pytest.mark.parametrize(("pattern", "unused"), UNUSED.items(), ids=UNUSED)
def test_unused_alternatives_are_reported(pattern, unused):
    assert judge(pattern, FOUND, [UNKNOWN]).unused_alternatives == unused


ATOMS = st.sampled_from(["a", "b", "ab", r"\|", "[|a]", "[]|]", "(?:b)", "", "a?", r"\(", "[^)]"])
GROUPS = st.sampled_from(["({})", "(?:{})", "(?P<x>{})", "(?i:{})", "(?={})", "(?<!{})"])


@st.composite
def simple_patterns(draw):
    """Draw patterns with alternatives at the top level and in one group."""
    inner = draw(st.lists(st.sampled_from("abc"), min_size=1, max_size=3))
    group = draw(GROUPS).format("|".join(inner))
    pieces = draw(st.lists(st.lists(ATOMS | st.just(group), max_size=2), min_size=1, max_size=3))
    if sum(piece.count(group) for piece in pieces) > 1 and "(?P<" in group:
        group = pieces = [["a"]]
    return "|".join("".join(piece) for piece in pieces)


@settings(max_examples=150, deadline=None)
@given(simple_patterns(), st.text("ab|()c", max_size=4))
def test_pattern_matches_if_one_of_its_alternatives_matches(pattern, text):
    parts = alternatives(pattern)
    top = [part for part in parts if part in without_nested(parts) and is_top_level(part, pattern)]
    for part in parts:
        assert pattern[part.start : part.end] == part.text
        re.compile(part.isolated)
    if top:
        matched = any(re.search(part.isolated, text) for part in top)
        assert matched == bool(re.search(pattern, text))


def is_top_level(part, pattern):
    """Return whether an alternative is outside all groups: the pattern before it compiles."""
    try:
        re.compile(pattern[: part.start].removesuffix("|"))
    except re.error:
        return False
    return part.end == len(pattern) or pattern[part.end] == "|"


# Malformed patterns

MALFORMED = {
    "[": "malformed pattern, unterminated character set at position 0: >>>[",
    "dim (3|4": "malformed pattern, missing ), unterminated subpattern at position 4: dim >>>(3|4",
    "size 3)": "malformed pattern, unbalanced parenthesis at position 6: size 3>>>)",
    "*": "malformed pattern, nothing to repeat at position 0: >>>*",
    "a\n(": "malformed pattern, missing ), unterminated subpattern at position 2: a\\n>>>(",
    "a\\": "malformed pattern, bad escape (end of pattern) at position 1: a>>>\\",
    "a{99999999999999999999}": "malformed pattern, the repetition number is too large",
}


@pytest.mark.parametrize(("pattern", "message"), MALFORMED.items(), ids=MALFORMED)
def test_malformed_pattern_is_rejected_with_its_position(pattern, message):
    for call in (lambda: check_pattern(pattern), lambda: judge(pattern, FOUND, [UNKNOWN])):
        with pytest.raises(PatternError) as caught:
            call()
        assert str(caught.value) == message


TOO_LARGE = "not judged: too large; at most 4,000 characters and 100 alternatives are judged"


@pytest.mark.parametrize(
    "pattern",
    [
        " ".join(f"word{number}" for number in range(2000)),
        " ".join(f"word{number}" for number in range(20_000)),
        f"[{''.join(map(chr, range(1000, 31_000)))}]",
        "|".join("ab" * 51),
        "(" * 50_000,
        "(?:" * 900 + ")" * 900,
        "a" * 4001,
    ],
    ids=["2000 words", "20000 words", "a set", "alternatives", "groups", "nested", "letters"],
)
def test_large_pattern_is_not_judged(pattern):
    for call in (lambda: check_pattern(pattern), lambda: judge(pattern, FOUND, [UNKNOWN])):
        with pytest.raises(PatternError) as caught:
            call()
        assert str(caught.value) == TOO_LARGE


def test_pattern_with_a_future_warning_is_accepted():
    check_pattern("[[a]")
    assert judge("[[s]hapes", FOUND, [UNKNOWN]).unmatched
