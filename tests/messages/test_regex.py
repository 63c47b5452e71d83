"""Verdicts on regexes: missed, too wide, dead, endless, malformed; and the shortest right one."""

import re
from itertools import chain, combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import refdot as rd
from refdot.messages import regex as regexes
from refdot.messages.alternatives import alternatives, outermost
from refdot.messages.regex import check_pattern, judge, search
from refdot.messages.scenarios import SCENARIOS
from refdot.messages.suggestion import (
    PatternError,
    fragments,
    literal,
    shortest_cover,
    stable_runs,
    suggestion,
)
from refdot.messages.survey import Message, Survey, survey
from refdot.targets.callable import CallableTarget
from refdot.targets.outcome import Raised, qualified_name

UNKNOWN = "contracted-unknown"


def said(**texts) -> Survey:
    """Give a survey in which each situation has some messages; None is silence.

    A message is a text, which is a ValueError's, or an exception, or a pair of a text and what is
    appended to it.
    """
    messages = []
    for name, answers in texts.items():
        situation = SCENARIOS[name.replace("_", "-")]
        for number, answer in enumerate(answers):
            raised = None
            if answer is not None:
                text, appended = answer if isinstance(answer, tuple) else (answer, "")
                error = text if isinstance(text, Exception) else ValueError(text)
                bases = tuple(map(qualified_name, type(error).__mro__))
                kind = type(error).__name__
                raised = Raised("run", kind, str(error), True, appended, bases)
            messages.append(
                Message(situation, situation.cases[0], f"backend{number}", "stock", raised)
            )
    return Survey("speaking", "1.2", "3.12.0", ("backend0",), ("stock",), {}, tuple(messages))


FOUND = said(
    contracted_unknown=["shapes (2,3) and (4,5) not aligned", "gemm: operands have sizes 3 and 4"],
    batch_unknown=["Inputs have to be of one size", None],
    contracted_1_unknown=["shapes (2,1) and (4,5) not aligned", TypeError("no gemm for int8")],
    dim_not_found=["Dimension e not found"],
    dims_too_many=["more than 26 letters", None],
)


def whys(verdict):
    return [(miss.message.backend, miss.why) for miss in verdict.missed]


def texts(messages):
    return [message.raised.message for message in messages]


# Each: a pattern, the situations, what it misses, what it is too wide for.
VERDICTS = {
    "right": ("not aligned|gemm: operands", [UNKNOWN], [], []),
    "too narrow": ("not aligned", [UNKNOWN], [("backend1", "no match")], []),
    "too wide": ("aligned|gemm", [UNKNOWN], [], ["no gemm for int8"]),
    "both": (
        "not",
        [UNKNOWN],
        [("backend1", "no match")],
        ["Dimension e not found"],
    ),
    "what says the same is no other error": ("shapes .* not|: op", [UNKNOWN], [], []),
    "case matters": (
        "Gemm: |Not",
        [UNKNOWN],
        [("backend0", "no match"), ("backend1", "no match")],
        [],
    ),
    "unless it does not": ("(?i)Gemm: |not al", [UNKNOWN], [], []),
    "silence is missed": ("have to", ["batch-unknown"], [("backend1", "nothing is raised")], []),
    "silence is right where nothing is wrong": ("letters", ["dims-too-many"], [], []),
    "several situations": (
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
    ("pattern", "situations", "missed", "too_wide"), VERDICTS.values(), ids=VERDICTS
)
def test_a_pattern_is_held_to_every_message(pattern, situations, missed, too_wide):
    verdict = judge(pattern, FOUND, situations)
    assert whys(verdict) == missed
    assert texts(verdict.too_wide) == too_wide
    assert verdict.is_right is not (missed or too_wide)
    assert (verdict.pattern, verdict.exception) == (pattern, "Exception")
    assert (verdict.situations, verdict.endless) == (tuple(situations), "")


@pytest.mark.parametrize("kind", [LookupError, TypeError, KeyboardInterrupt])
def test_another_type_than_asked_for_is_missed(kind):
    verdict = judge("letters", FOUND, ["dims-too-many"], kind)
    assert whys(verdict) == [("backend0", f"ValueError is no {kind.__name__}")]
    assert (verdict.exception, verdict.suggestion) == (kind.__name__, None)


def test_what_is_of_another_type_is_not_too_wide():
    assert texts(judge("aligned|gemm", FOUND, [UNKNOWN]).too_wide) == ["no gemm for int8"]
    assert judge("aligned|gemm", FOUND, [UNKNOWN], ValueError).is_right


def test_a_derived_type_is_of_its_bases_type():
    found = survey(CallableTarget(rd.dot, "dot"))
    for kind in (rd.SizeMismatchError, rd.DotError, ValueError, Exception):
        assert judge("does not match", found, [UNKNOWN], kind).is_right
    assert not judge("does not match", found, [UNKNOWN], rd.DimNotFoundError).is_right


def test_what_is_appended_to_a_message_is_searched_too():
    found = said(contracted_unknown=[("no", "\nApply node: Dot22")], batch_unknown=["none"])
    assert judge("Dot22", found, [UNKNOWN]).is_right
    assert not judge("no$", found, [UNKNOWN]).is_right


def test_a_longer_message_with_the_whole_of_an_asked_one_is_no_other_error():
    found = said(contracted_unknown=["size of dim 3"], batch_unknown=["size of dim 4, and more"])
    assert judge("of dim", found, [UNKNOWN]).is_right
    assert suggestion(found, [UNKNOWN]) == "size of dim"
    # Where nothing of a message is stable, everything would contain it.
    found = said(contracted_unknown=["7"], batch_unknown=["7 of 8"], dim_misspelt=["8"])
    assert texts(judge("7", found, [UNKNOWN]).too_wide) == ["7 of 8"]


def test_where_nothing_is_to_be_matched_nothing_is_right():
    found = said(batch_unknown=["no"])
    verdict = judge("no", found, [UNKNOWN])
    assert (verdict.asked, verdict.missed, verdict.suggestion) == (0, (), None)
    assert not verdict.is_right


@pytest.mark.parametrize("ask", [lambda *_: judge("x", *_), suggestion])
def test_an_unknown_situation_is_refused(ask):
    with pytest.raises(ValueError, match=r"^no situation 'batch'"):
        ask(FOUND, ["batch"])


# Dead alternatives

DEAD = {
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
    "(?x) (?-x:#|no t) # | \n |(?i: NOT | N )": (" (?-x:#|no t) # | \n ",),
}


@pytest.mark.parametrize(("pattern", "dead"), DEAD.items(), ids=DEAD)
def test_alternatives_that_match_no_message_are_dead(pattern, dead):
    assert judge(pattern, FOUND, [UNKNOWN]).dead == dead


ATOMS = st.sampled_from(["a", "b", "ab", r"\|", "[|a]", "[]|]", "(?:b)", "", "a?", r"\(", "[^)]"])
GROUPS = st.sampled_from(["({})", "(?:{})", "(?P<x>{})", "(?i:{})", "(?={})", "(?<!{})"])


@st.composite
def simple_patterns(draw):
    """Draw patterns with alternatives at the top and in one group."""
    inner = draw(st.lists(st.sampled_from("abc"), min_size=1, max_size=3))
    group = draw(GROUPS).format("|".join(inner))
    pieces = draw(st.lists(st.lists(ATOMS | st.just(group), max_size=2), min_size=1, max_size=3))
    if sum(piece.count(group) for piece in pieces) > 1 and "(?P<" in group:
        group = pieces = [["a"]]
    return "|".join("".join(piece) for piece in pieces)


@settings(max_examples=150, deadline=None)
@given(simple_patterns(), st.text("ab|()c", max_size=4))
def test_a_pattern_matches_what_one_of_its_alternatives_matches(pattern, text):
    parts = alternatives(pattern)
    top = [part for part in parts if part in outermost(parts) and is_at_the_top(part, pattern)]
    for part in parts:
        assert pattern[part.start : part.end] == part.text
        re.compile(part.alone)
    if top:
        matched = any(re.search(part.alone, text) for part in top)
        assert matched == bool(re.search(pattern, text))


def is_at_the_top(part, pattern):
    """Whether an alternative is one of the whole pattern: what is before it is whole, too."""
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
def test_a_malformed_pattern_is_marked_where_it_is(pattern, message):
    for refused in (lambda: check_pattern(pattern), lambda: judge(pattern, FOUND, [UNKNOWN])):
        with pytest.raises(PatternError) as caught:
            refused()
        assert str(caught.value) == message


def test_a_pattern_that_python_warns_of_is_not_malformed():
    check_pattern("[[a]")
    assert judge("[[s]hapes", FOUND, [UNKNOWN]).missed


# Patterns that do not end


@pytest.mark.parametrize("pattern", ["(a+)+$", r"(\w+\s?)+\d$", "(.*)*x$", "(0|00)+!", "(ab?b?)*c"])
def test_a_catastrophic_pattern_is_stopped(pattern, monkeypatch):
    monkeypatch.setattr(regexes, "TIME_LIMIT", 1)
    verdict = judge(pattern, FOUND, [UNKNOWN])
    assert verdict.endless
    assert not verdict.is_right
    assert verdict.suggestion == "gemm: operands have|not aligned"


def test_a_message_itself_may_be_what_it_does_not_get_through(monkeypatch):
    monkeypatch.setattr(regexes, "TIME_LIMIT", 3)
    text = "7" * 60 + "!"
    verdict = judge("(7+)+$", said(contracted_unknown=["no", text]), [UNKNOWN])
    assert verdict.endless == text
    assert whys(verdict) == [("backend0", "no match")]
    assert (verdict.too_wide, verdict.dead) == ((), ())


SOUND = [".*", ".*not.*aligned.*", r"\w+ \w+|\s*x", "(a|b)*", "a+b+c+", "^.*$", r"(?s).*\d.*"]


@pytest.mark.parametrize("pattern", SOUND)
def test_an_ordinary_pattern_ends(pattern):
    assert judge(pattern, FOUND, [UNKNOWN]).endless == ""


def test_a_search_gives_as_many_results_as_there_is_time_for(monkeypatch):
    assert search([("é|x", "né"), ("^a", "ba"), ("", "")]) == [True, False, True]
    monkeypatch.setattr(regexes, "TIME_LIMIT", 3)
    assert search([("a", "a"), ("(a+)+$", "a" * 60 + "!"), ("b", "b")]) == [True]


# The suggestion

SUGGESTIONS = {
    "the shortest": ({"contracted_unknown": ["one two three", "x one two three"]}, "one two three"),
    "one for both, if that is shorter": (
        {"contracted_unknown": ["zebra is it alas", "yak is it alas"]},
        "is it alas",
    ),
    "one for each, if that is shorter": (
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
    "not in what is appended to another error": (
        {"contracted_unknown": ["one two three four"], "batch_unknown": [("no", "one two three")]},
        "two three four",
    ),
    "with no numbers, shapes or dims": (
        {"contracted_unknown": ["size 3 of 'b' in (2, 3) is not that of it"]},
        "that of it",
    ),
    "of fewer words where there are no more": ({"contracted_unknown": ["no: 3 or 4"]}, "or"),
    "with a number where nothing else tells": (
        {"contracted_unknown": ["no 3 no"], "batch_unknown": ["no", "no 4 no"]},
        "no 3 no",
    ),
    "escaped": ({"contracted_unknown": ["x.y (z) [w]"]}, r"x\.y \(z\) \[w\]"),
    "not over the end of a line": (
        {"contracted_unknown": ["one two\nthree four five"]},
        "three four five",
    ),
    "of what is of the type": (
        {"contracted_unknown": ["one two three", TypeError("four five six")]},
        "one two three",
    ),
    "nothing of an empty message": ({"contracted_unknown": [""]}, None),
    "nothing of silence": ({"contracted_unknown": [None]}, None),
    "beside silence": ({"contracted_unknown": [None, "no"]}, "no"),
}


@pytest.mark.parametrize(("answers", "expected"), SUGGESTIONS.values(), ids=SUGGESTIONS)
def test_the_suggestion_is_the_shortest_that_is_right(answers, expected):
    found = said(**answers)
    assert suggestion(found, [UNKNOWN], ValueError) == expected


WORDS = st.lists(st.sampled_from(["ab", "c", "7", "d.", "b"]), min_size=1, max_size=5).map(" ".join)


@settings(max_examples=60, deadline=None)
@given(st.lists(WORDS, min_size=1, max_size=4), st.lists(WORDS, max_size=3))
def test_a_suggestion_is_exact(asked, others):
    found = said(contracted_unknown=asked, batch_unknown=others)
    messages, other_messages = regexes.split(found, [UNKNOWN])
    suggested = suggestion(found, [UNKNOWN])
    other_texts = [message.raised.text for message in other_messages]
    coverable = {
        message.raised.text
        for message in messages
        if fragments(message.raised.text, message, other_texts)
    }
    matched = {
        message.raised.text
        for message in messages
        if suggested is not None and re.search(suggested, message.raised.text)
    }
    assert coverable <= matched
    assert suggested is None or not any(re.search(suggested, text) for text in other_texts)


@settings(max_examples=100, deadline=None)
@given(
    st.dictionaries(
        st.text("abc", min_size=1, max_size=4),
        st.frozensets(st.sampled_from("vwxyz"), min_size=1),
        min_size=1,
        max_size=6,
    )
)
def test_a_cover_is_the_shortest_of_all(covers):
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


@pytest.mark.parametrize(
    "text", ["a b", "a\\ b", "(n?,k),(k,m?)->(n?,m?)", "a-b #c & ~d", "é|x", ""]
)
def test_a_literal_matches_itself(text):
    assert re.fullmatch(literal(text), text)
    assert "\\ " not in literal(text).replace("\\\\", "")


def test_runs_are_of_whole_words():
    line = "<n> is in[<n>] of x, '<dim>': <array>s are (n?,k) here"
    assert list(stable_runs(line)) == [["is"], ["of", "x,"], ["are", "(n?,k)", "here"]]


# On targets


@pytest.mark.parametrize("name", [name for name in SCENARIOS if SCENARIOS[name].rule == "R4"])
def test_what_is_suggested_for_the_oracle_is_right(name):
    found = survey(CallableTarget(rd.dot, "dot"))
    assert judge(suggestion(found, [name]), found, [name]).is_right
