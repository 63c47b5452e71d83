"""Assertions about regexes for errors, and correct regexes."""

import re

import pytest

import refdot as rd
from refdot.messages.regex import PatternError
from refdot.targets.callable import CallableTarget
from refdot.testing import assert_error_pattern, mismatch_pattern


def dot_with_own_message(x, y, dim=None):
    """Raise its own error for sizes that differ."""
    try:
        return rd.dot(x, y, dim)
    except rd.SizeMismatchError as error:
        raise ValueError(f"operands of {len(error.dims)} wrong sizes") from None


def test_correct_pattern_passes():
    assert_error_pattern("Size of dim .* does not match", target=rd.dot)
    assert_error_pattern("wrong sizes", target=dot_with_own_message, exception=ValueError)
    assert_error_pattern("not found", ["dim-not-found", "dim-misspelt"], target="refdot:dot")
    assert_error_pattern("Size", ["batch-static"], CallableTarget(rd.dot, "dot"), backends=["call"])


WRONG_PATTERNS = {
    "too narrow": ("3 in x", {}, "misses 1 of 5 messages"),
    "too wide": ("Size|found", {}, "also matches 4 messages of other errors"),
    "wrong type": ("Size", {"exception": TypeError}, "SizeMismatchError instead of TypeError"),
    "another scenario": ("Size", {"situations": ["dim-not-found"]}, "misses 3 of 3 messages"),
    "not run": ("x", {"situations": ["dims-repeated"]}, "no message to match"),
}


@pytest.mark.parametrize(
    ("pattern", "options", "shown"), WRONG_PATTERNS.values(), ids=WRONG_PATTERNS
)
def test_wrong_pattern_is_shown_with_the_reason(pattern, options, shown):
    with pytest.raises(AssertionError, match=re.escape(shown)) as caught:
        assert_error_pattern(pattern, target=rd.dot, **options)
    first = f"pytest.raises({options.get('exception', Exception).__name__}, match='{pattern}')\n"
    assert str(caught.value).startswith(first)


def test_malformed_pattern_is_rejected():
    message = "malformed pattern, nothing to repeat at position 0: >>>*"
    with pytest.raises(PatternError, match=f"^{re.escape(message)}$"):
        assert_error_pattern("*", target=rd.dot)


def test_unknown_scenario_is_rejected():
    for call in (lambda *_: assert_error_pattern("x", *_), lambda *_: mismatch_pattern(*_[::-1])):
        with pytest.raises(ValueError, match=r"^unknown error scenario 'batch'"):
            call(["batch"], rd.dot)


@pytest.mark.parametrize(
    "target", [rd.dot, dot_with_own_message, "xarray", CallableTarget(rd.dot, "dot")]
)
def test_suggested_pattern_is_correct(target):
    pattern = mismatch_pattern(target)
    assert_error_pattern(pattern, target=target)
    with pytest.raises(AssertionError, match=r"misses 5 of 5 messages"):
        assert_error_pattern(pattern, target=lambda x, y, dim=None: rd.dot(x, x, ...))


def test_no_pattern_without_errors():
    def never_raises(x, y, dim=None):
        return rd.dot(x, x, ...)

    with pytest.raises(LookupError, match=r"^no pattern for contracted-unknown of "):
        mismatch_pattern(never_raises)


def test_suggested_pattern_for_pytensor_is_correct():
    pattern = mismatch_pattern(backends=["python"])
    assert_error_pattern(pattern, exception=ValueError, backends=["python"])


def test_patched_target_is_surveyed_again(monkeypatch):
    import pytensor.xtensor

    def refuse(x, y, dim=None):
        raise ValueError("nothing fits anything")

    assert_error_pattern("in its core", backends=["python"], lowerings=["stock"])
    monkeypatch.setattr(pytensor.xtensor, "dot", refuse)
    assert_error_pattern("nothing fits", backends=["python"], lowerings=["stock"])
