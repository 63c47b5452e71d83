"""Tests of the search with a regex within a time limit."""

import signal
import subprocess

import pytest
from surveys import FOUND, UNKNOWN, reasons, survey_of

from refdot.messages import search as searching
from refdot.messages.regex import judge
from refdot.messages.search import search


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
