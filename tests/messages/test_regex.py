"""Tests of the judgement of a regex and of the suggestion of a correct one."""

import re
import signal
import subprocess
from itertools import chain, combinations
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import refdot as rd
from refdot.judging.fingerprints import normalise
from refdot.messages import search as searching
from refdot.messages.alternatives import alternatives, without_nested
from refdot.messages.regex import PatternError, check_pattern, judge
from refdot.messages.scenarios import SCENARIOS
from refdot.messages.search import search
from refdot.messages.suggestion import (
    distinctive_fragments,
    escaped,
    shortest_cover,
    split_by_scenario,
    stable_runs,
    suggest_pattern,
)
from refdot.messages.survey import Message, Survey, survey
from refdot.targets.callable import CallableTarget
from refdot.targets.outcome import Raised, qualified_name

UNKNOWN = "contracted-unknown"


def survey_of(**answers_by_scenario) -> Survey:
    """Return a survey with some messages for each scenario.

    An answer is the text of a ValueError, an exception, a pair of a text and the notes appended
    to it, or None for no error.
    """
    messages = []
    for name, answers in answers_by_scenario.items():
        scenario = SCENARIOS[name.replace("_", "-")]
        for number, answer in enumerate(answers):
            raised = None
            if answer is not None:
                text, appended = answer if isinstance(answer, tuple) else (answer, "")
                error = text if isinstance(text, Exception) else ValueError(text)
                bases = tuple(map(qualified_name, type(error).__mro__))
                kind = type(error).__name__
                raised = Raised("run", kind, str(error), True, appended, bases)
            case = scenario.cases[0]
            line = normalise(raised.message, case) if raised else ""
            messages.append(Message(scenario, case, f"backend{number}", "stock", raised, line))
    return Survey("scripted", "1.2", "3.12.0", ("backend0",), ("stock",), {}, tuple(messages))


FOUND = survey_of(
    contracted_unknown=["shapes (2,3) and (4,5) not aligned", "gemm: operands have sizes 3 and 4"],
    batch_unknown=["Inputs have to be of one size", None],
    contracted_1_unknown=["shapes (2,1) and (4,5) not aligned", TypeError("no gemm for int8")],
    dim_not_found=["Dimension e not found"],
    dims_too_many=["more than 26 letters", None],
)


def reasons(verdict):
    return [(miss.message.backend, miss.reason) for miss in verdict.unmatched]


def texts(messages):
    return [message.raised.message for message in messages]


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


# Catastrophic patterns


@pytest.mark.parametrize("pattern", ["(a+)+$", r"(\w+\s?)+\d$", "(.*)*x$", "(0|00)+!", "(ab?b?)*c"])
def test_catastrophic_pattern_is_stopped(pattern, monkeypatch):
    monkeypatch.setattr("refdot.messages.search.TIME_LIMIT", 1)
    verdict = judge(pattern, FOUND, [UNKNOWN])
    assert verdict.timed_out_on
    assert not verdict.is_correct
    assert verdict.suggestion.pattern == "gemm: operands have|not aligned"


def test_search_can_time_out_on_a_message_itself(monkeypatch):
    monkeypatch.setattr("refdot.messages.search.TIME_LIMIT", 3)
    text = "7" * 60 + "!"
    verdict = judge("(7+)+$", survey_of(contracted_unknown=["no", text]), [UNKNOWN])
    assert verdict.timed_out_on == text
    assert reasons(verdict) == [("backend0", "no match")]
    assert (verdict.also_matched, verdict.unused_alternatives) == ((), ())


LARGE = [
    " ".join(f"w{number}" for number in range(810)),
    f"[{''.join(map(chr, range(1000, 4990)))}]",
]
LARGE += ["|".join(f"{number} not aligned" for number in range(100))]
SOUND = [
    *LARGE,
    ".*",
    ".*not.*aligned.*",
    r"\w+ \w+|\s*x",
    "(a|b)*",
    "a+b+c+",
    "^.*$",
    r"(?s).*\d.*",
]


@pytest.mark.parametrize("pattern", SOUND)
def test_sound_pattern_does_not_time_out(pattern):
    assert judge(pattern, FOUND, [UNKNOWN]).timed_out_on == ""


def test_search_returns_the_results_found_in_time(monkeypatch):
    found = search([("é|x", "né"), ("^a", "ba"), ("", "")])
    assert found == {("é|x", "né"): True, ("^a", "ba"): False, ("", ""): True}
    monkeypatch.setattr("refdot.messages.search.TIME_LIMIT", 3)
    found = search([("a", "a"), ("(a+)+$", "a" * 60 + "!"), ("b", "b")])
    assert found == {("a", "a"): True}


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="no timer of processor time")
def test_search_is_limited_by_processor_time_not_by_waiting(monkeypatch):
    monkeypatch.setattr(searching, "TIME_LIMIT", 0.5)
    monkeypatch.setattr(
        searching, "_SEARCHER", f"import time; time.sleep(1)\n{searching._SEARCHER}"
    )
    assert search([("a", "a")]) == {("a", "a"): True}


def test_failure_of_the_search_is_not_a_timeout(monkeypatch):
    monkeypatch.setattr(searching, "_SEARCHER", "raise SystemExit(3)")
    with pytest.raises(subprocess.CalledProcessError):
        search([("a", "a")])


# Suggestions

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


# The oracle


@pytest.mark.parametrize("name", [name for name in SCENARIOS if SCENARIOS[name].rule == "R4"])
def test_suggestion_for_the_oracle_is_correct(name):
    found = survey(CallableTarget(rd.dot, "dot"))
    assert judge(suggest_pattern(found, [name]), found, [name]).is_correct
