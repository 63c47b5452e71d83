"""Tests of the suggestion of a correct regex."""

import re
from itertools import chain, combinations
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from surveys import UNKNOWN, survey_of

import refdot as rd
from refdot.messages.regex import judge
from refdot.messages.scenarios import SCENARIOS
from refdot.messages.suggestion import (
    distinctive_fragments,
    escaped,
    shortest_cover,
    split_by_scenario,
    stable_runs,
    suggest_pattern,
)
from refdot.messages.survey import survey
from refdot.targets.callable import CallableTarget

SUGGESTIONS = {
    "the shortest": ({"contracted_unknown": ["one two three", "x one two three"]}, "one two three"),
    "one fragment for both messages if that is shorter": (
        {"contracted_unknown": ["zebra is it alas", "yak is it alas"]},
        "is it alas",
    ),
    "one fragment for each message if that is shorter": (
        {
            "contracted_unknown": [
                "k l m incomprehensibilities of it",
                "x y z incomprehensibilities of it",
            ]
        },
        "k l m|x y z",
    ),
    "not in another error": (
        {"contracted_unknown": ["one two three four five"], "batch_unknown": ["one two three"]},
        "two three four",
    ),
    "not in the notes of another error": (
        {"contracted_unknown": ["one two three four"], "batch_unknown": [("no", "one two three")]},
        "two three four",
    ),
    "with no numbers, shapes or dims": (
        {"contracted_unknown": ["size 3 of 'b' in (2, 3) is not that of it"]},
        "that of it",
    ),
    "fewer words if the message has no more": ({"contracted_unknown": ["no: 3 or 4"]}, "or"),
    "with a name of a dim if nothing else is distinctive": (
        {"contracted_unknown": ["no b no 3"], "batch_unknown": ["no", "no 4 no"]},
        "no b no",
    ),
    "none if only numbers are distinctive": (
        {"contracted_unknown": ["no 3 no"], "batch_unknown": ["no", "no 4 no"]},
        None,
    ),
    "no alternation of shapes": (
        {"contracted_unknown": ["(2, 3) and (4, 5)", "(3,) and (4,)"], "batch_unknown": ["and"]},
        None,
    ),
    "of the messages that can be told from other errors": (
        {"contracted_unknown": ["at 3", "far off"], "batch_unknown": ["4 at"]},
        "far off",
    ),
    "escaped": ({"contracted_unknown": ["x.y (z) [w]"]}, r"x\.y \(z\) \[w\]"),
    "not across lines": (
        {"contracted_unknown": ["one two\nthree four five"]},
        "three four five",
    ),
    "only messages of the given type": (
        {"contracted_unknown": ["one two three", TypeError("four five six")]},
        "one two three",
    ),
    "none for an empty message": ({"contracted_unknown": [""]}, None),
    "none without an error": ({"contracted_unknown": [None]}, None),
    "missing errors are left out": ({"contracted_unknown": [None, "no"]}, "no"),
}


@pytest.mark.parametrize(("answers", "expected"), SUGGESTIONS.values(), ids=SUGGESTIONS)
def test_suggestion_is_the_shortest_correct_pattern(answers, expected):
    found = survey_of(**answers)
    assert suggest_pattern(found, [UNKNOWN], ValueError) == expected


WORDS = st.lists(st.sampled_from(["ab", "c", "7", "d.", "b"]), min_size=1, max_size=5).map(" ".join)


@settings(max_examples=60, deadline=None)
@given(st.lists(WORDS, min_size=1, max_size=4), st.lists(WORDS, max_size=3))
def test_suggestion_matches_all_it_can_and_no_other_error(texts, other_texts):
    found = survey_of(contracted_unknown=texts, batch_unknown=other_texts)
    messages, other_messages = split_by_scenario(found, [UNKNOWN])
    suggested = suggest_pattern(found, [UNKNOWN])
    others = [message.text for message in other_messages]
    coverable = {message.text for message in messages if distinctive_fragments(message, others)}
    matched = {
        message.text
        for message in messages
        if suggested is not None and re.search(suggested, message.text)
    }
    assert coverable <= matched
    assert suggested is None or not any(re.search(suggested, text) for text in others)


@settings(max_examples=100, deadline=None)
@given(
    st.dictionaries(
        st.text("abc", min_size=1, max_size=4),
        st.frozensets(st.sampled_from("vwxyz"), min_size=1),
        min_size=1,
        max_size=6,
    )
)
def test_cover_is_the_shortest_of_all(covers):
    wanted = frozenset(chain.from_iterable(covers.values()))
    chosen = shortest_cover(covers, wanted)
    covering = [
        len("|".join(some))
        for size in range(1, len(covers) + 1)
        for some in combinations(covers, size)
        if frozenset(chain.from_iterable(covers[fragment] for fragment in some)) == wanted
    ]
    assert frozenset(chain.from_iterable(covers[fragment] for fragment in chosen)) == wanted
    assert len("|".join(chosen)) == min(covering)


def test_a_cover_of_very_many_choices_is_found_without_trying_them_all(monkeypatch):
    monkeypatch.setattr("refdot.messages.suggestion._MAX_CHOICES", 2000)
    texts = [f"text{number}" for number in range(60)]
    random = Random(0)
    covers = {f"f{number:04}": frozenset(random.sample(texts, 4)) for number in range(2000)}
    chosen = shortest_cover(covers, frozenset(texts))
    assert frozenset(texts) == frozenset().union(*(covers[fragment] for fragment in chosen))
    assert 15 <= len(chosen) <= 25


@pytest.mark.parametrize(
    "text", ["a b", "a\\ b", "(n?,k),(k,m?)->(n?,m?)", "a-b #c & ~d", "é|x", ""]
)
def test_escaped_text_matches_itself(text):
    assert re.fullmatch(escaped(text), text)
    assert "\\ " not in escaped(text).replace("\\\\", "")


def test_stable_runs_are_whole_words():
    line = "<n> is in[<n>] of x, '<dim>': <array>s are (n?,k) here"
    assert list(stable_runs(line)) == [["is"], ["of", "x,"], ["are", "(n?,k)", "here"]]


@pytest.mark.parametrize("name", [name for name in SCENARIOS if SCENARIOS[name].rule == "R4"])
def test_suggestion_for_the_oracle_is_correct(name):
    found = survey(CallableTarget(rd.dot, "dot"))
    assert judge(suggest_pattern(found, [name]), found, [name]).is_correct
