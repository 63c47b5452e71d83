"""Tables: one row for each distinct message, whatever is in it, and silence in red."""

import io
import json
import re
from html.parser import HTMLParser

from rich.console import Console

import refdot as rd
from refdot.messages.scenarios import SCENARIOS
from refdot.messages.suggestion import Miss, Verdict
from refdot.messages.survey import Message, Survey, changes
from refdot.reporting.messages import (
    as_text,
    change_lines,
    print_lines,
    survey_lines,
    verdict_lines,
)
from refdot.reporting.messages_html import errors_html
from refdot.targets.outcome import Raised

BATCH = SCENARIOS["batch-unknown"]
TOO_MANY = SCENARIOS["dims-too-many"]


def message(situation, case, backend, lowering, said=None, stage="run", **fields):
    raised = None if said is None else Raised(stage, "ValueError", said, True, "\nnoted: <b>")
    return Message(situation, situation.cases[case], backend, lowering, raised, **fields)


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


def test_a_survey_has_a_block_for_each_situation_and_a_row_for_each_message():
    assert as_text(survey_lines(FOUND)) == (
        f"""\
batch-unknown  R4  a batch dim of two sizes, neither static
  -       -                   NOTHING RAISED
                              two stock (1 of 2)
                              dot(float64(b: 3?, r: 2), float64(b: 4?, c: 5), dim=())
  build   ValueError          <script>
                              two stock (1 of 2)
                              dot(float64(b: 3?), float64(b: 4?), dim=())
  run     ValueError          sizes <array> & '<dim>'
                              one stock

dims-too-many  R11  {TOO_MANY.meaning}
  -       -                   nothing raised, which is right
                              on every backend and lowering

dims-repeated  R1  an operand has a dim twice
  -       -                   not asked: R1 cannot reach it
                              one stock

<dim>, <n>, <shape>, <array> and <address> stand for what varies from case to case
fn 1.2 on Python 3.12.1, backends one, two, lowerings stock
backend three is absent: 3 is <not> here
asked 6 times; nothing raised 1 time where an error is due"""
    )


def test_silence_alone_is_red():
    styles = dict(survey_lines(FOUND))
    assert styles["  -       -                   NOTHING RAISED"] == "bold red"
    assert styles["  -       -                   nothing raised, which is right"] == ""
    stream = io.StringIO()
    print_lines(survey_lines(FOUND), Console(file=stream, force_terminal=True, width=40))
    (line,) = [line for line in stream.getvalue().splitlines() if "NOTHING" in line]
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


def test_changes_are_listed_by_situation_with_both_messages():
    lines = change_lines(changes(FOUND, AFTER), FOUND, AFTER)
    assert as_text(lines) == (
        """\
- fn 1.2 on Python 3.12.1, backends one, two, lowerings stock
+ fn 1.3 on Python 3.12.1, backends one, two, lowerings stock

batch-unknown
- run     ValueError          sizes <array> & '<dim>'
+ build   ValueError          sizes <array> & '<dim>'
                              one stock (2 cases)
- -       -                   NOTHING RAISED
+ build   ValueError          sizes <array> & '<dim>'
                              two stock
- build   ValueError          <script>
+ -       -                   NOTHING RAISED
                              two stock

dims-too-many
- -       -                   nothing raised, which is right
+ run     ValueError          no letter left
                              two stock

5 messages changed"""
    )


def test_what_becomes_silent_is_red():
    styles = [line for line in change_lines(changes(FOUND, AFTER), FOUND, AFTER) if line[1]]
    assert ("+ -       -                   NOTHING RAISED", "bold red") in styles
    assert ("+ run     ValueError          no letter left", "green") in styles


def test_no_change_and_one_change_are_said_so():
    assert as_text(change_lines((), FOUND, FOUND)).endswith("\n\n0 messages changed")
    one = changes(FOUND, AFTER)[:1]
    assert as_text(change_lines(one, FOUND, AFTER)).endswith("\n\n1 message changed")


# Verdicts

MATCHED, SILENT, _, OTHER = FOUND.messages[:4]


def shown(suggested=None, **fields):
    named = {
        "pattern": "a|'b'",
        "exception": "ValueError",
        "situations": ("batch-unknown",),
        "asked": 4,
    }
    return as_text(verdict_lines(Verdict(**(named | fields)), suggested, FOUND))


HEADING = """\
pytest.raises(ValueError, match="a|'b'")
for batch-unknown of fn 1.2 on Python 3.12.1, backends one, two, lowerings stock

"""


def test_what_is_right_is_said_so():
    assert shown() == f"{HEADING}right: matches all 4 messages and no other error"
    assert shown(asked=1) == f"{HEADING}right: matches the one message and no other error"
    assert shown(dead=("'b'", "")) == (
        f"{HEADING}dead alternative, no message matches it: 'b'\n"
        "dead alternative, no message matches it: \n"
        "right: matches all 4 messages and no other error"
    )


def test_what_is_wrong_is_shown_with_its_messages_and_a_suggestion():
    missed = (
        Miss(MATCHED, "no match"),
        Miss(MATCHED, "no match"),
        Miss(SILENT, "nothing is raised"),
    )
    best = Verdict("sizes", "ValueError", ("batch-unknown",), 4, missed[2:])
    assert shown(best, missed=missed, too_wide=(OTHER,)) == (
        f"""{HEADING}\
misses 3 of 4 messages
  batch-unknown: no match
    run     ValueError          sizes <array> & '<dim>'
                                one stock (2 cases)
  batch-unknown: nothing is raised
                                two stock
also matches 1 message of other errors
  batch-unknown
    build   ValueError          <script>
                                two stock
suggestion, matches 3 of 4 messages:
  sizes
no pattern matches the rest: nothing is raised (1 time)"""
    )


def test_what_never_ends_is_shown_with_the_text():
    assert shown(endless="a" * 253 + "\n") == (
        f"{HEADING}catastrophic: no end within 5 s\n"
        f"  on a text of 254 characters that begins '{'a' * 40}'\n"
        "no suggestion: no fragment of these messages is in no other error"
    )


def test_what_is_not_asked_of_a_target_is_said_so():
    assert shown(asked=0) == (
        f"{HEADING}no message to match: the target is not asked, or raises nothing and is right"
    )


def test_a_suggestion_is_never_cut():
    best = Verdict("x" * 900, "ValueError", ("batch-unknown",), 1)
    assert f"\n  {'x' * 900}" in shown(best, endless="a")


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
    silent = [row for row in rows if 'class="silent"' in row]
    assert [re.search(r"NOTHING RAISED", row) is not None for row in silent] == [True]


def test_a_page_of_nothing_is_a_page():
    assert Page(errors_html(survey_of(version="", absent={}))).open == []


def test_what_is_shown_can_be_stored():
    read = Survey.from_json(json.dumps(FOUND.to_json()))
    assert list(survey_lines(read)) == list(survey_lines(FOUND))
