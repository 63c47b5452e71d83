"""Names that are probably one dim get a hint; names that differ on purpose get none."""

import pytest

from refdot.display.hints import hints
from refdot.lowering import lower_dot

MISSPELT = [
    "emdb embd",
    "time tiem",
    "head heads",
    "batch bach",
    "embd embed",
    "embeding embedding",
    "features featurse",
    "feature fiature",
    "embd embdd",
    "head_dim haed_dim",
    "row rwo",
]


@pytest.mark.parametrize("names", MISSPELT)
@pytest.mark.parametrize("order", [1, -1])
def test_a_misspelt_name_gets_a_hint(names, order):
    x, y = names.split()[::order]
    expected = [f"{x} in x and {y} in y are two dims; is one of them misspelt?"]
    assert hints(lower_dot(("a", x), (y, "b"))) == expected


DIFFERENT = [
    "time time_k",
    "time time2",
    "time_q time_k",
    "d1 d2",
    "xpos ypos",
    "lat lon",
    "row col",
    "query key",
    "ab ba",
    "i j",
    "dim_ij dim_ji",
    "x_q_dim x_k_dim",
    "head head_dim",
    "tmie_k time_q",
    "row raw",
]


@pytest.mark.parametrize("names", DIFFERENT)
def test_names_that_differ_on_purpose_get_no_hint(names):
    x, y = names.split()
    assert hints(lower_dot(("a", x), (y, "b"))) == []
    assert hints(lower_dot((x, y), ("b",))) == []


def test_a_name_that_both_operands_have_gets_no_hint():
    assert hints(lower_dot(("emdb", "embd"), ("embd", "head"))) == []


FORMS = {
    ("TIME", "time"): "TIME in x and time in y are two dims, whose names differ only in case",
    ("Straße", "STRASSE"): "Straße in x and STRASSE in y are two dims, whose names differ only "
    "in case",
    ("e\u0301", "\xe9"): "'e\\u0301' in x and '\\xe9' in y are two dims, whose names look alike",
    ("\uff41", "a"): "'\\uff41' in x and 'a' in y are two dims, whose names look alike",
    ("Batch Size", "batch size"): "'Batch Size' in x and 'batch size' in y are two dims, whose "
    "names differ only in case",
}


@pytest.mark.parametrize(("names", "hint"), FORMS.items())
def test_another_case_or_unicode_form_gets_a_hint(names, hint):
    x, y = names
    assert hints(lower_dot((x,), (y,))) == [hint]


SUBSCRIPTS = {
    "ijk jkl": ["each word is one dim; if each letter is, write i j k, j k l"],
    "ab bc": ["each word is one dim; if each letter is, write a b, b c"],
    "time embd": [],
    "lat tal": [],
    "ij kl": [],
    "ij ij": [],
}


@pytest.mark.parametrize(("names", "expected"), SUBSCRIPTS.items())
def test_words_that_look_like_subscripts_get_a_hint(names, expected):
    x, y = names.split()
    assert hints(lower_dot((x,), (y,))) == expected
