"""Foreign texts made printable."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from refdot.text import json_text, printable


@pytest.mark.parametrize("text", ["plain", "é", "時間", "a b", "a\\b", ""])
def test_printable_texts_are_unchanged(text):
    assert printable(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\nb", r"a\nb"),
        ("\x00", r"\x00"),
        ("\ud800", r"\ud800"),
        ("\x1b[2J", r"\x1b[2J"),
        ("\u202eab", r"\u202eab"),
        ("'\"\n", "'\"\\n"),
    ],
)
def test_other_characters_are_escaped(text, shown):
    assert printable(text) == shown


@given(st.text(st.characters(codec=None)))
def test_every_text_becomes_one_printable_line(text):
    shown = printable(text)
    assert shown.isprintable()
    shown.encode("utf-8")
    assert printable(shown) == shown


@given(st.dictionaries(st.text(st.characters(codec=None)), st.text(st.characters(codec=None))))
def test_every_text_becomes_printable_json(data):
    text = json_text(data)
    assert all(map(str.isprintable, text.split("\n")))
    assert json.loads(text) == json.loads(json.dumps(data))
