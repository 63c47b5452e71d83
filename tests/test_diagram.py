"""A lowering as text: golden explanations, operands of no dims included."""

import pytest

from refdot.diagram import explain, parse_operands
from refdot.lowering import lower_dot

# Each: the operands, the `dim` argument, sizes, and the text.
EXPLAINED = {
    "a matrix product": (
        "time embd, embd head",
        None,
        {"time": 2000, "embd": 3, "head": 4},
        """\
x    (time, embd)
y    (embd, head)
out  (time, head)

a  time = 2000  free        in one, kept
b  embd = 3     contracted  in both, summed over
c  head = 4     free        in one, kept

np.einsum("ab,bc->ac", x, y)

for time:
    for head:
        out[time, head] = 0
        for embd:
            out[time, head] += x[time, embd] * y[embd, head]

24,000 multiplications""",
    ),
    "every role": (
        "free batch alone both, own both batch",
        ("both", "own", "alone"),
        {"batch": 2},
        """\
x    (free, batch, alone, both)
y    (own, both, batch)
out  (free, batch)

a  free       free        in one, kept
b  batch = 2  batch       in both, kept
c  alone      summed      in one, summed over alone
d  both       contracted  in both, summed over
e  own        summed      in one, summed over alone

np.einsum("abcd,edb->ab", x, y)

for free:
    for batch:
        out[free, batch] = 0
        for alone:
            for both:
                for own:
                    out[free, batch] += x[free, batch, alone, both] * y[own, both, batch]""",
    ),
    "two scalars": (
        ",",
        None,
        {},
        """\
x    ()
y    ()
out  ()

np.einsum(",->", x, y)

out = 0
out += x * y""",
    ),
    "a scale": (
        "a,",
        None,
        {"a": 0},
        """\
x    (a)
y    ()
out  (a)

a  a = 0  free        in one, kept

np.einsum("a,->a", x, y)

for a:
    out[a] = 0
    out[a] += x[a] * y

0 multiplications""",
    ),
    "summed alone beside a scalar": (
        ", a",
        ...,
        {},
        """\
x    ()
y    (a)
out  ()

a  a  summed      in one, summed over alone

np.einsum(",a->", x, y)

out = 0
for a:
    out += x * y[a]""",
    ),
    "an inner product": (
        "é, é",
        None,
        {"é": 1},
        """\
x    (é)
y    (é)
out  ()

a  é = 1  contracted  in both, summed over

np.einsum("a,a->", x, y)

out = 0
for é:
    out += x[é] * y[é]

1 multiplications""",
    ),
}


@pytest.mark.parametrize(("operands", "dim", "sizes", "text"), EXPLAINED.values(), ids=EXPLAINED)
def test_a_lowering_is_explained(operands, dim, sizes, text):
    assert explain(lower_dot(*parse_operands(operands), dim), sizes) == text


def test_sizes_may_be_left_out():
    low = lower_dot("a", "ab")
    assert explain(low) == explain(low, {}) == explain(low, {"z": 3})


PARSED = {
    "a b, b c": (("a", "b"), ("b", "c")),
    "  a   b ,b": (("a", "b"), ("b",)),
    ",": ((), ()),
    "a,": (("a",), ()),
    "batch time,\tembd\n": (("batch", "time"), ("embd",)),
}


@pytest.mark.parametrize(("text", "dims"), PARSED.items(), ids=repr)
def test_operands_are_names_between_spaces_and_one_comma(text, dims):
    assert parse_operands(text) == dims


@pytest.mark.parametrize("text", ["", "a b", "a, b, c", ",,"], ids=repr)
def test_just_one_comma_is_needed(text):
    with pytest.raises(ValueError, match=r"^two operands with one") as caught:
        parse_operands(text)
    assert str(caught.value).endswith(f"such as 'a b, b c', not {text!r}")
