"""Operands are read from text; other notations are refused with the right form."""

import shlex
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from refdot.display.notations import quoted
from refdot.display.operands import message_with_underline, parse_operands, read_names, underline
from refdot.errors import DimNameError, DimNotFoundError, DotError, SizeMismatchError

PARSED = {
    "a b, b c": (("a", "b"), ("b", "c")),
    "  a   b ,b": (("a", "b"), ("b",)),
    ",": ((), ()),
    "a,": (("a",), ()),
    "batch time,\tembd\n": (("batch", "time"), ("embd",)),
    "'batch size' k, k": (("batch size", "k"), ("k",)),
    "\"a, b\" 'c(d) = e', '->'": (("a, b", "c(d) = e"), ("->",)),
    "t' u', u' it's": (("t'", "u'"), ("u'", "it's")),
    "é 時間, a-b c.d": (("é", "時間"), ("a-b", "c.d")),
}


@pytest.mark.parametrize(("text", "dims"), PARSED.items(), ids=repr)
def test_operands_are_parsed(text, dims):
    assert parse_operands(text) == dims


EINSUM = "{!r} is an einsum string; write the dims of both operands, and what is summed with --dim"
BRACKETS = "names have no brackets unless in quotes"
COMMA = "expected two operands separated by one comma, such as 'a b, b c', got {!r}"
SIZES = "sizes are given with --sizes"
# The text, what is wrong, and the right command; empty if what is meant is unclear.
REFUSED = {
    "ij,jk->ik": (EINSUM, '"i j, j k" --dim j'),
    "ijk,jkl->il": (EINSUM, '"i j k, j k l" --dim "j k"'),
    "ij , jk→ik": (EINSUM, '"i j, j k" --dim j'),
    "b h t d, b h s d -> b h t s": (EINSUM, '"b h t d, b h s d" --dim d'),
    "time embd, embd head -> time head": (EINSUM, '"time embd, embd head" --dim embd'),
    "ij,j->": (EINSUM, '"i j, j" --dim "i j"'),
    "ij,ij->ij": (EINSUM, '"i j, i j" --dim ""'),
    "i,j->ij": (EINSUM, '"i, j"'),
    ",i->i": (EINSUM, '", i"'),
    "np.einsum('ij,jk->ik', x, y)": (EINSUM, '"i j, j k" --dim j'),
    "ii,i->i": (EINSUM, ""),
    "ij->jk,kl": (EINSUM, ""),
    "ij,jk->iz": (EINSUM, ""),
    "ij,jk,kl->il": (EINSUM, ""),
    "ij->i": (EINSUM, ""),
    "...ij,...jk->...ik": (EINSUM, ""),
    "b (h d), d -> b h": (EINSUM, ""),
    "(a b), (b c)": (BRACKETS, '"a b, b c"'),
    "('a', 'b'), ('b', 'c')": (BRACKETS, '"a b, b c"'),
    '["batch size", "b"], ["b"]': (BRACKETS, "\"'batch size' b, b\""),
    "(a b, b c)": (BRACKETS, '"a b, b c"'),
    "((a, b), (b, c))": (BRACKETS, '"a b, b c"'),
    "x[a, b] * y[b, c]": (BRACKETS, '"a b, b c"'),
    "dot(a b, b c)": (BRACKETS, '"a b, b c"'),
    "{'a': 2, 'b': 3}, {'b': 3}": (BRACKETS, '"a b, b" --sizes "a=2 b=3"'),
    "(a b) (b c) (c d)": (BRACKETS, ""),
    "(": (BRACKETS, ""),
    "a:2 b:3?, b:4 c:5": (SIZES, '"a b, b c" --sizes "a=2 b=3 b=4 c=5"'),
    "a=2 b = 3, b=3": (SIZES, '"a b, b" --sizes "a=2 b=3"'),
    "a:, b": (SIZES, '"a, b"'),
    "a b; b c": (COMMA, '"a b, b c"'),
    "a b @ b c": (COMMA, '"a b, b c"'),
    "a, b | b, c": (COMMA, '"a b, b c"'),
    "a,b b,c": (COMMA, '"a b, b c"'),
    "a, b, c": (COMMA, ""),
    ",,": (COMMA, ""),
    "a b": (COMMA, ""),
    "": (COMMA, ""),
}


@pytest.mark.parametrize(("text", "problem", "command"), [(t, *v) for t, v in REFUSED.items()])
def test_another_notation_is_refused_with_the_right_form(text, problem, command):
    with pytest.raises(ValueError, match=r"^.*$") as caught:
        parse_operands(text)
    right_form = f": refdot explain {command}" if command else ""
    assert str(caught.value) == problem.format(text) + right_form
    if command:
        parse_operands(shlex.split(command)[0])


@pytest.mark.parametrize("text", ["'a b, c", '"', "a, 'b", "'' , a"], ids=repr)
def test_a_quote_without_an_end_is_refused(text):
    with pytest.raises(ValueError, match=r"^a quote has no end: ['\"]"):
        parse_operands(text)


@given(st.lists(st.text(min_size=1), min_size=1, max_size=4))
def test_quoted_names_can_be_read_again(names):
    printed = [name for name in names if name.isprintable() and not {"'", '"'} <= {*name}]
    text = " ".join(map(quoted, printed))
    assert parse_operands(f"{text}, {text}") == (tuple(printed), tuple(printed))


@given(st.text(alphabet="ab '\",()[]{}->:=;1.é\n", max_size=30))
def test_any_text_is_read_or_refused(text):
    for read in (parse_operands, read_names):
        with suppress(ValueError):
            read(text)


def test_names_to_sum_over_have_no_brackets():
    assert read_names("a, 'b (c)' d") == ("a", "b (c)", "d")
    with pytest.raises(ValueError, match=r"^names have no brackets unless in quotes: 'a, b'$"):
        read_names("('a', 'b')")


UNDERLINED = {
    "a name in --dim": (
        DimNotFoundError({"z", "q"}, ("a",)),
        {"--dim": "a, z,q"},
        "  --dim a, z,q\n             ^",
    ),
    "the second in x": (
        DimNameError("Dim 'ab' appears twice", "x", ("ab", "a", "ab")),
        {"operands": "ab a ab, ab"},
        "  ab a ab, ab\n       ^^",
    ),
    "the second in y, though x has it too": (
        DimNameError("Dim 'ab' appears twice", "y", ("ab", "ab")),
        {"operands": "c ab, ab ab"},
        "  c ab, ab ab\n           ^^",
    ),
    "a name in quotes": (
        DimNotFoundError({"b c"}, ("a",)),
        {"--dim": "a 'b c'"},
        "  --dim a 'b c'\n          ^^^^^",
    ),
    "a second size": (
        SizeMismatchError({"a": 2, "b": 3}, {"b": 4}),
        {"--sizes": "a=2,b=3,b=4"},
        "  --sizes a=2,b=3,b=4\n                  ^",
    ),
}


@pytest.mark.parametrize(("error", "texts", "shown"), UNDERLINED.values(), ids=UNDERLINED)
def test_the_wrong_name_is_underlined(error, texts, shown):
    assert message_with_underline(error, texts) == f"{error}\n{shown}"


def test_an_error_without_a_name_is_shown_without_an_underline():
    assert message_with_underline(DotError("of another kind"), {}) == "of another kind"


def test_an_underline_is_as_wide_as_its_name():
    assert underline("", "時間 b", "b") == "  時間 b\n       ^"
    assert underline("--dim", "時間", "時間") == "  --dim 時間\n        ^^^^"
