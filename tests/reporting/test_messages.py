"""Tables: one row for each distinct message, whatever is in it, and silence in red."""

import io
import json
import re
from html.parser import HTMLParser

from rich.console import Console

import refdot as rd
from refdot.messages.codec import survey_from_json, survey_to_json
from refdot.messages.regex import Unmatched, Verdict
from refdot.messages.scenarios import SCENARIOS
from refdot.messages.survey import Message, Survey, changes
from refdot.reporting.html import errors_html
from refdot.reporting.messages import (
    change_lines,
    plain_text,
    print_lines,
    survey_lines,
    verdict_lines,
)
from refdot.targets.outcome import Raised

BATCH = SCENARIOS["batch-unknown"]
TOO_MANY = SCENARIOS["dims-too-many"]


def message(scenario, case, backend, lowering, said=None, stage="run", **fields):
    raised = None if said is None else Raised(stage, "ValueError", said, True, "\nnoted: <b>")
    return Message(scenario, scenario.cases[case], backend, lowering, raised, **fields)


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


FOUND = survey_of(
    message(BATCH, 0, "one", "stock", "sizes [1 2] & 'b'"),
    message(BATCH, 0, "two", "stock"),
    message(BATCH, 1, "one", "stock", "sizes [3 4] & 'b'"),
    message(BATCH, 1, "two", "stock", "<script>", "build"),
    message(TOO_MANY, 0, "one", "stock"),
    message(TOO_MANY, 0, "two", "stock"),
    message(SCENARIOS["dims-repeated"], 0, "one", "stock", not_checked="R1 cannot reach it"),
)


def test_a_survey_has_a_block_for_each_scenario_and_a_row_for_each_message():
    assert plain_text(survey_lines(FOUND)) == (
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
fn 1.2 on Python 3.12.1, backends one, two, lowerings stock
backend three is absent: 3 is <not> here
6 calls, 1 error missing"""
    )


def test_silence_alone_is_red():
    styles = dict(survey_lines(FOUND))
    assert styles["  -       -                   NO ERROR RAISED"] == "bold red"
    assert styles["  -       -                   no error raised (correct)"] == ""
    stream = io.StringIO()
    print_lines(survey_lines(FOUND), Console(file=stream, force_terminal=True, width=40))
    (line,) = [line for line in stream.getvalue().splitlines() if "NO ERROR" in line]
    assert line.startswith("\x1b[1;31m")


def test_lines_are_printed_as_they_are():
    stream = io.StringIO()
    lines = [("[bold]not markup[/] :smile: 3.5 'x'", ""), ("x" * 200, "green")]
    print_lines(iter(lines), Console(file=stream, width=40))
    assert stream.getvalue() == f"[bold]not markup[/] :smile: 3.5 'x'\n{'x' * 200}\n"


def test_a_long_message_is_cut_in_the_middle():
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


def test_changes_are_listed_by_scenario_with_both_messages():
    lines = change_lines(changes(FOUND, AFTER), FOUND, AFTER)
    assert plain_text(lines) == (
        """\
- fn 1.2 on Python 3.12.1, backends one, two, lowerings stock
+ fn 1.3 on Python 3.12.1, backends one, two, lowerings stock

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


def test_what_becomes_silent_is_red():
    styles = [line for line in change_lines(changes(FOUND, AFTER), FOUND, AFTER) if line[1]]
    assert ("+ -       -                   NO ERROR RAISED", "bold red") in styles
    assert ("+ run     ValueError          no letter left", "green") in styles


def test_no_change_and_one_change_are_said_so():
    assert plain_text(change_lines((), FOUND, FOUND)).endswith("\n\n0 messages changed")
    one = changes(FOUND, AFTER)[:1]
    assert plain_text(change_lines(one, FOUND, AFTER)).endswith("\n\n1 message changed")


# Verdicts

MATCHED, SILENT, _, OTHER = FOUND.messages[:4]


def shown(suggested=None, **fields):
    named = {
        "pattern": "a|'b'",
        "exception": "ValueError",
        "scenarios": ("batch-unknown",),
        "message_count": 4,
    }
    return plain_text(verdict_lines(Verdict(**(named | fields)), suggested, FOUND))


HEADING = """\
pytest.raises(ValueError, match="a|'b'")
for batch-unknown
on fn 1.2 on Python 3.12.1, backends one, two, lowerings stock

"""


def test_what_is_right_is_said_so():
    assert shown() == f"{HEADING}correct: matches all 4 messages and no other error"
    assert (
        shown(message_count=1) == f"{HEADING}correct: matches the only message and no other error"
    )
    assert shown(unused_alternatives=("'b'", "")) == (
        f"{HEADING}unused alternative, matches no message: 'b'\n"
        "unused alternative, matches no message: \n"
        "correct: matches all 4 messages and no other error"
    )


def test_what_is_wrong_is_shown_with_its_messages_and_a_suggestion():
    missed = (
        Unmatched(MATCHED, "no match"),
        Unmatched(MATCHED, "no match"),
        Unmatched(SILENT, "no error raised"),
    )
    best = Verdict("sizes", "ValueError", ("batch-unknown",), 4, missed[2:])
    assert shown(best, unmatched=missed, also_matched=(OTHER,)) == (
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
suggestion, matches 3 of 4 messages:
  sizes
no pattern matches the rest: no error raised (1 time)"""
    )


def test_what_never_ends_is_shown_with_the_text():
    assert shown(timed_out_on="a" * 253 + "\n") == (
        f"{HEADING}catastrophic: not finished after 5 s\n"
        f"  on a text of 254 characters that starts with '{'a' * 40}'\n"
        "no suggestion: other errors contain every fragment of these messages"
    )


def test_what_is_not_asked_of_a_target_is_said_so():
    assert shown(message_count=0) == (
        f"{HEADING}no message to match: no case was run, or all are valid and raise no error"
    )


def test_a_suggestion_is_never_cut():
    best = Verdict("x" * 900, "ValueError", ("batch-unknown",), 1)
    assert f"\n  {'x' * 900}" in shown(best, timed_out_on="a")


# HTML


class Page(HTMLParser):
    """Reads a page, and what its tags are."""

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


def test_the_page_is_whole_and_needs_nothing_else():
    text = errors_html(FOUND)
    page = Page(text)
    assert page.open == []
    assert "script" not in {tag for tag, _ in page.tags}
    assert not re.search(r"https?:|src=|url\(|@import", text)
    assert text.isascii() or 'charset="utf-8"' in text
    title = "Error messages of fn 1.2"
    assert f"<title>{title}</title>" in text


def test_the_page_shows_what_the_terminal_shows_and_each_message_whole():
    page = " ".join(" ".join(Page(errors_html(FOUND)).words).split())
    for line, _ in survey_lines(FOUND):
        for words in filter(None, re.split(r"\s{2,}", line)):
            assert words in page
    first, second = (f"{case}, one stock" for case in BATCH.cases)
    assert f"{first}, and 1 more {first} sizes [1 2] & 'b' noted: <b>" in page
    assert f"{second} sizes [3 4] & 'b' noted: <b>" in page
    assert "<script>" in page
    assert f"Written by refdot {rd.__version__}." in page


def test_silence_alone_is_marked_in_the_page():
    rows = re.findall(r"<tr.*?</tr>", errors_html(FOUND), flags=re.DOTALL)
    silent = [row for row in rows if 'class="missing"' in row]
    assert [re.search(r"NO ERROR RAISED", row) is not None for row in silent] == [True]


def test_a_page_of_nothing_is_a_page():
    assert Page(errors_html(survey_of(version="", absent={}))).open == []


def test_what_is_shown_can_be_stored():
    read = survey_from_json(json.dumps(survey_to_json(FOUND)))
    assert list(survey_lines(read)) == list(survey_lines(FOUND))
