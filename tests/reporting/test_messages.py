"""Messages, changes and verdicts on regexes: as lines of text, and the page of a survey."""

import io
import json
import re
from dataclasses import replace
from html.parser import HTMLParser

from rich.console import Console

import refdot as rd
from refdot.judging.fingerprints import normalise
from refdot.messages.codec import survey_from_json, survey_to_json
from refdot.messages.regex import Unmatched, Verdict
from refdot.messages.scenarios import SCENARIOS
from refdot.messages.survey import Message, Survey, changes
from refdot.reporting.html import errors_html
from refdot.reporting.messages import (
    change_lines,
    plain_text,
    survey_lines,
    verdict_lines,
)
from refdot.reporting.terminal import print_lines
from refdot.targets.outcome import Raised

BATCH = SCENARIOS["batch-unknown"]
TOO_MANY = SCENARIOS["dims-too-many"]


def message(scenario, case, backend, lowering, said=None, stage="run", **fields):
    raised = None if said is None else Raised(stage, "ValueError", said, True, "\nnoted: <b>")
    line = normalise(said, scenario.cases[case]) if said else ""
    return Message(scenario, scenario.cases[case], backend, lowering, raised, line, **fields)


def survey_of(*messages, **fields):
    named = {
        "target": "fn",
        "version": "1.2",
        "python": "3.12.1",
        "backends": ("one", "two"),
        "lowerings": ("stock",),
        "absent": {"three": "3 is <not> here"},
    }
    return Survey(**(named | fields), messages=messages)


SURVEY = survey_of(
    message(BATCH, 0, "one", "stock", "sizes [1 2] & 'b'"),
    message(BATCH, 0, "two", "stock"),
    message(BATCH, 1, "one", "stock", "sizes [3 4] & 'b'"),
    message(BATCH, 1, "two", "stock", "<script>", "build"),
    message(TOO_MANY, 0, "one", "stock"),
    message(TOO_MANY, 0, "two", "stock"),
    message(SCENARIOS["dims-repeated"], 0, "one", "stock", not_checked="R1 cannot reach it"),
)


def test_survey_lines_have_a_block_for_each_scenario_and_a_row_for_each_message():
    assert plain_text(survey_lines(SURVEY)) == (
        f"""\
batch-unknown  R4  {BATCH.meaning}
  -       -                   NO ERROR RAISED
                              two stock (1 of 2)
                              dot(float64(b: 3?, r: 2), float64(b: 4?, c: 5), dim=())
  build   ValueError          <script>
                              two stock (1 of 2)
                              dot(float64(b: 3?), float64(b: 4?), dim=())
  run     ValueError          sizes <array> & '<dim>'
                              one stock

dims-too-many  R11  {TOO_MANY.meaning}
  -       -                   no error raised (correct)
                              on every backend and lowering

dims-repeated  R1  an operand has the same dim twice
  -       -                   not run: R1 cannot reach it
                              one stock

<dim>, <n>, <shape>, <array> and <address> stand for the parts that vary between cases
fn 1.2 on Python 3.12.1, backends one, two, lowering stock
backend three is absent: 3 is <not> here
6 calls, 1 error missing"""
    )


def test_the_only_backend_is_named_once():
    one = replace(SURVEY, backends=("two",), messages=SURVEY.messages[1:2])
    lines = plain_text(survey_lines(one)).splitlines()
    assert [line for line in lines if "two" in line] == [
        "fn 1.2 on Python 3.12.1, backend two, lowering stock"
    ]
    assert "two stock" not in errors_html(one)
    assert "two stock" in errors_html(SURVEY)


def test_only_missing_errors_are_red():
    styles = dict(survey_lines(SURVEY))
    assert styles["  -       -                   NO ERROR RAISED"] == "bold red"
    assert styles["  -       -                   no error raised (correct)"] == ""
    stream = io.StringIO()
    print_lines(survey_lines(SURVEY), Console(file=stream, force_terminal=True, width=40))
    (line,) = [line for line in stream.getvalue().splitlines() if "NO ERROR" in line]
    assert line.startswith("\x1b[1;31m")


def test_lines_are_printed_without_markup_or_wrapping():
    stream = io.StringIO()
    lines = [("[bold]not markup[/] :smile: 3.5 'x'", ""), ("x" * 200, "green")]
    print_lines(iter(lines), Console(file=stream, width=40))
    assert stream.getvalue() == f"[bold]not markup[/] :smile: 3.5 'x'\n{'x' * 200}\n"


def test_long_message_is_shortened_in_the_middle():
    found = survey_of(message(BATCH, 0, "one", "stock", f"begin {'x' * 500} end"))
    (row,) = [line for line, _ in survey_lines(found) if "begin" in line]
    assert row.endswith("x end")
    assert " … " in row
    assert len(row) < 350


# Changes

AFTER = survey_of(
    message(BATCH, 0, "one", "stock", "sizes [1 2] & 'b'", "build"),
    message(BATCH, 0, "two", "stock", "sizes [1 2] & 'b'", "build"),
    message(BATCH, 1, "one", "stock", "sizes [3 4] & 'b'", "build"),
    message(BATCH, 1, "two", "stock"),
    message(TOO_MANY, 0, "one", "stock"),
    message(TOO_MANY, 0, "two", "stock", "no letter left"),
    version="1.3",
)


def test_change_lines_show_both_messages_by_scenario():
    lines = change_lines(changes(SURVEY, AFTER), SURVEY, AFTER)
    assert plain_text(lines) == (
        """\
- fn 1.2 on Python 3.12.1, backends one, two, lowering stock
+ fn 1.3 on Python 3.12.1, backends one, two, lowering stock

batch-unknown
- run     ValueError          sizes <array> & '<dim>'
+ build   ValueError          sizes <array> & '<dim>'
                              one stock (2 cases)
- -       -                   NO ERROR RAISED
+ build   ValueError          sizes <array> & '<dim>'
                              two stock
- build   ValueError          <script>
+ -       -                   NO ERROR RAISED
                              two stock

dims-too-many
- -       -                   no error raised (correct)
+ run     ValueError          no letter left
                              two stock

5 messages changed"""
    )


def test_change_to_a_missing_error_is_red():
    styles = [line for line in change_lines(changes(SURVEY, AFTER), SURVEY, AFTER) if line[1]]
    assert ("+ -       -                   NO ERROR RAISED", "bold red") in styles
    assert ("+ run     ValueError          no letter left", "green") in styles


def test_change_count_is_singular_or_plural():
    assert plain_text(change_lines((), SURVEY, SURVEY)).endswith("\n\n0 messages changed")
    one = changes(SURVEY, AFTER)[:1]
    assert plain_text(change_lines(one, SURVEY, AFTER)).endswith("\n\n1 message changed")


# Verdicts

MATCHED, MISSING, _, OTHER = SURVEY.messages[:4]


def verdict_text(**fields):
    named = {
        "pattern": "a|'b'",
        "exception": "ValueError",
        "scenarios": ("batch-unknown",),
        "message_count": 4,
    }
    return plain_text(verdict_lines(Verdict(**(named | fields)), SURVEY))


HEADING = """\
pytest.raises(ValueError, match="a|'b'")
for batch-unknown
on fn 1.2 on Python 3.12.1, backends one, two, lowering stock

"""


def test_correct_pattern():
    assert verdict_text() == f"{HEADING}correct: matches all 4 messages and no other error"
    assert (
        verdict_text(message_count=1)
        == f"{HEADING}correct: matches the only message and no other error"
    )
    assert verdict_text(unused_alternatives=("'b'", "")) == (
        f"{HEADING}unused alternative, matches no message: 'b'\n"
        "unused alternative, matches no message: \n"
        "correct: matches all 4 messages and no other error"
    )


def test_incorrect_pattern_shows_messages_and_a_suggestion():
    missed = (
        Unmatched(MATCHED, "no match"),
        Unmatched(MATCHED, "no match"),
        Unmatched(MISSING, "no error raised"),
    )
    best = Verdict("sizes", "ValueError", ("batch-unknown",), 4, missed[1:])
    assert verdict_text(suggestion=best, unmatched=missed, also_matched=(OTHER,)) == (
        f"""{HEADING}\
misses 3 of 4 messages
  batch-unknown: no match
    run     ValueError          sizes <array> & '<dim>'
                                one stock (2 cases)
  batch-unknown: no error raised
                                two stock
also matches 1 message of other errors
  batch-unknown
    build   ValueError          <script>
                                two stock
suggestion, matches 2 of 4 messages:
  sizes
no pattern matches the rest: only sizes or the like tell it from other errors (1 time), \
no error raised (1 time)"""
    )


def test_catastrophic_pattern_shows_its_text():
    assert verdict_text(timed_out_on="a" * 253 + "\n") == (
        f"{HEADING}catastrophic: not finished after 5 s\n"
        f"  on a text of 254 characters that starts with '{'a' * 40}'\n"
        "no suggestion: only sizes or the like tell the messages from those of other errors"
    )


def test_pattern_without_messages_to_match():
    assert verdict_text(message_count=0) == (
        f"{HEADING}no message to match: no case was run, or all are valid and raise no error"
    )


def test_suggestion_is_not_shortened():
    best = Verdict("x" * 900, "ValueError", ("batch-unknown",), 1)
    assert f"\n  {'x' * 900}" in verdict_text(suggestion=best, timed_out_on="a")


# HTML


class Page(HTMLParser):
    """Parses a page, and collects its tags and words."""

    VOID = ("meta", "br")

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.words = [], [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] not in ("style",):
            self.words.append(data)


def test_page_is_complete_and_needs_no_network():
    text = errors_html(SURVEY)
    page = Page(text)
    assert page.open == []
    assert "script" not in {tag for tag, _ in page.tags}
    assert not re.search(r"https?:|src=|url\(|@import", text)
    assert text.isascii() or 'charset="utf-8"' in text
    title = "Error messages of fn 1.2"
    assert f"<title>{title}</title>" in text


def test_page_shows_the_survey_lines_and_full_messages():
    page = " ".join(" ".join(Page(errors_html(SURVEY)).words).split())
    for line, _ in survey_lines(SURVEY):
        for words in filter(None, re.split(r"\s{2,}", line)):
            assert words in page
    first, second = (f"{case}, one stock" for case in BATCH.cases)
    assert f"{first}, and 1 more {first} sizes [1 2] & 'b' noted: <b>" in page
    assert f"{second} sizes [3 4] & 'b' noted: <b>" in page
    assert "<script>" in page
    assert f"Written by refdot {rd.__version__}." in page


def test_only_missing_errors_are_marked_in_the_page():
    rows = re.findall(r"<tr.*?</tr>", errors_html(SURVEY), flags=re.DOTALL)
    silent = [row for row in rows if 'class="missing"' in row]
    assert [re.search(r"NO ERROR RAISED", row) is not None for row in silent] == [True]


def test_page_of_an_empty_survey_is_complete():
    assert Page(errors_html(survey_of(version="", absent={}))).open == []


def test_survey_lines_are_equal_after_storing():
    read = survey_from_json(json.dumps(survey_to_json(SURVEY)))
    assert list(survey_lines(read)) == list(survey_lines(SURVEY))
