"""Numbers in prose are true."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from planted import FAULTS

from refdot.check.plan import PROFILES, pattern_counts
from refdot.rules import RULES

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text("utf-8")
TABLE = (ROOT / "docs" / "planted-faults.md").read_text("utf-8")
WORDS = {11: "eleven", 14: "fourteen"}


def in_words(pattern: str, text: str) -> str:
    """Return the number that a sentence has in the place of a group."""
    found = re.search(re.sub(r" ", r"\\s+", pattern), text)
    assert found is not None, f"no longer says {pattern!r}"
    return found[1]


def test_the_number_of_planted_faults() -> None:
    assert in_words(r"`tests/faults/planted\.py` has (\d+) faults", README) == str(len(FAULTS))


def test_the_kill_table_of_the_readme_is_that_of_the_docs() -> None:
    own, whole = (
        re.findall(r"^\| .* \| (\d+) \| (\d+) \|$", text, re.MULTILINE) for text in (README, TABLE)
    )
    assert own == whole[:3]
    assert {of for of, _ in own} == {str(len(FAULTS))}
    sentence = r"needs a median of fewer than 30 cases for (\d+)"
    assert in_words(sentence, README) == in_words(sentence, TABLE)
    assert in_words(r"median of ([\d.]+) at most", README) == in_words(r"at most ([\d.]+)\.", TABLE)


def test_the_number_of_dim_patterns() -> None:
    rank = PROFILES["quick"].exhaustive
    assert rank is not None
    assert in_words(r"rank (\d) or lower", README) == str(rank)
    assert in_words(r"\((\d+) patterns\)", README) == str(sum(pattern_counts(rank)))


@pytest.mark.parametrize("page", ["README.md", "CHANGELOG.md"])
def test_the_number_of_rules(page: str) -> None:
    text = " ".join((ROOT / page).read_text("utf-8").split())
    assert f"{WORDS[len(RULES)]} rules" in text


def test_the_number_of_examples() -> None:
    examples = list((ROOT / "examples").glob("[0-9]*.py"))
    assert f"has {WORDS[len(examples)]} scripts" in README
