"""Explanations are compared with stored texts, and their einsums and loops are run."""

import re

import numpy as np
import pytest
from hypothesis import assume, given, settings

import refdot as rd
from refdot.cases.strategies import dot_cases
from refdot.display.explanation import explain, message_with_underline, parse_operands, underline
from refdot.errors import DimNameError, DimNotFoundError, DotError, SizeMismatchError
from refdot.lowering import lower_dot

# The operands, the `dim` argument, the sizes and the text.
EXPLAINED = {
    "a matrix product": (
        "time embd, embd head",
        None,
        {"time": 2000, "embd": 3, "head": 4},
        """\
x    time  embd
     a     b       ab
y    embd  head
     b     c       ab,bc
out  time  head
     a     c       ab,bc->ac

a  time = 2000  free        in one, kept
b  embd = 3     contracted  in both, summed over
c  head = 4     free        in one, kept

out = np.einsum("ab,bc->ac", x, y)

for time:
    for head:
        out[time, head] = 0
        for embd:
            out[time, head] += x[time, embd] * y[embd, head]

24,000 multiplications + 16,000 additions = 40,000 FLOPs
6,000 elements in x, 12 in y, 8,000 in out: 112,096 bytes in float64

x_bar = np.einsum("ac,bc->ab", out_bar, y)  summed over head
y_bar = np.einsum("ac,ab->bc", out_bar, x)  summed over time""",
    ),
    "every role": (
        "free batch alone both, own both batch",
        ("both", "own", "alone"),
        {"batch": 2},
        """\
x    free  batch  alone  both
     a     b      c      d       abcd
y    own  both  batch
     e    d     b                abcd,edb
out  free  batch
     a     b                     abcd,edb->ab

a  free       free        in one, kept
b  batch = 2  batch       in both, kept
c  alone      summed      in one, summed over
d  both       contracted  in both, summed over
e  own        summed      in one, summed over

out = np.einsum("abcd,edb->ab", x, y)

for free:
    for batch:
        out[free, batch] = 0
        for alone:
            for both:
                for own:
                    out[free, batch] += x[free, batch, alone, both] * y[own, both, batch]

x_bar = np.einsum("ab,edb->abd", out_bar, y)  summed over own, broadcast over alone
y_bar = np.einsum("ab,abcd->db", out_bar, x)  summed over free alone, broadcast over own""",
    ),
    "two scalars": (
        ",",
        None,
        {},
        """\
x    (no dims)

y    (no dims)
                  ,
out  (no dims)
                  ,->

out = np.einsum(",->", x, y)

out = 0
out += x * y

1 multiplication + 0 additions = 1 FLOP
1 element in x, 1 in y, 1 in out: 24 bytes in float64

x_bar = np.einsum(",->", out_bar, y)
y_bar = np.einsum(",->", out_bar, x)""",
    ),
    "a scale": (
        "a,",
        None,
        {"a": 0},
        """\
x    a
     a            a
y    (no dims)
                  a,
out  a
     a            a,->a

a  a = 0  free        in one, kept

out = np.einsum("a,->a", x, y)

for a:
    out[a] = 0
    out[a] += x[a] * y

0 multiplications + 0 additions = 0 FLOPs
0 elements in x, 1 in y, 0 in out: 8 bytes in float64

x_bar = np.einsum("a,->a", out_bar, y)
y_bar = np.einsum("a,a->", out_bar, x)  summed over a""",
    ),
    "summed alone beside a scalar": (
        ", a",
        ...,
        {},
        """\
x    (no dims)

y    a
     a            ,a
out  (no dims)
                  ,a->

a  a  summed      in one, summed over

out = np.einsum(",a->", x, y)

out = 0
for a:
    out += x * y[a]

x_bar = np.einsum(",a->", out_bar, y)  summed over a
y_bar = np.einsum(",->", out_bar, x)   broadcast over a""",
    ),
    "an inner product": (
        "é, é",
        None,
        {"é": 1},
        """\
x    é
     a            a
y    é
     a            a,a
out  (no dims)
                  a,a->

a  é = 1  contracted  in both, summed over

out = np.einsum("a,a->", x, y)

out = 0
for é:
    out += x[é] * y[é]

1 multiplication + 0 additions = 1 FLOP
1 element in x, 1 in y, 1 in out: 24 bytes in float64

x_bar = np.einsum(",a->a", out_bar, y)
y_bar = np.einsum(",a->a", out_bar, x)""",
    ),
}


@pytest.mark.parametrize(("operands", "dim", "sizes", "text"), EXPLAINED.values(), ids=EXPLAINED)
def test_explanation_is_the_stored_text(operands, dim, sizes, text):
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
def test_operands_are_parsed(text, dims):
    assert parse_operands(text) == dims


@pytest.mark.parametrize("text", ["", "a b", "a, b, c", ",,"], ids=repr)
def test_operands_need_exactly_one_comma(text):
    with pytest.raises(ValueError, match=r"^expected two operands separated by one") as caught:
        parse_operands(text)
    assert str(caught.value).endswith(f"such as 'a b, b c', got {text!r}")


def executable_loops(explanation, sizes):
    """Return the loops of an explanation as Python code."""
    loops = next(part for part in explanation.split("\n\n") if " += " in part)
    names = "|".join(map(re.escape, sorted(sizes, key=len, reverse=True)))
    return re.sub(
        rf"for ({names}):", lambda found: f"for {found[1]} in range({sizes[found[1]]}):", loops
    )


@settings(max_examples=60)
@given(dot_cases(valid=True))
def test_explained_einsums_and_loops_compute_the_dot(case):
    """Running the einsums and the loops gives the dot and its gradients."""
    sizes = case.x.sizes | case.y.sizes
    assume(len(sizes) <= 6 and 0 < np.prod(list(sizes.values()), dtype=int) <= 500)
    letters = dict(zip(sizes, "pqrstu", strict=False))
    case = case.renamed(letters)
    random = np.random.RandomState(case.seed)
    x, y = (
        rd.NamedTensor(random.randint(-5, 6, operand.shape).astype(float), operand.dims)
        for operand in (case.x, case.y)
    )
    sizes = x.sizes | y.sizes
    low = lower_dot(x.dims, y.dims, case.dim.names)
    explanation = explain(low, sizes)
    out = rd.dot(x, y, case.dim.names)
    out_bar = rd.NamedTensor(random.randint(-5, 6, out.shape).astype(float), out.dims)
    arrays = {"np": np, "x": x.data, "y": y.data, "out_bar": out_bar.data}

    called = dict(re.findall(r"^(\w+) = (np\.einsum\(.*?\))", explanation, re.MULTILINE))
    assert set(called) == {"out", "x_bar", "y_bar"}
    results = {name: eval(call, dict(arrays)) for name, call in called.items()}
    np.testing.assert_array_equal(results["out"], out.data)
    for operand, bar in zip((x, y), rd.dot_vjp(x, y, out_bar, case.dim.names), strict=True):
        name = "x_bar" if operand is x else "y_bar"
        spread = low.x_summed if operand is x else low.y_summed
        axes = tuple(operand.dims.index(dim) for dim in spread)
        np.testing.assert_array_equal(
            np.broadcast_to(np.expand_dims(results[name], axes), operand.shape), bar.data
        )

    space = {**arrays, "out": np.full(out.shape, np.nan)}
    if not low.out_dims:
        space |= {"out": np.nan}
    for name, tensor in (("x", x), ("y", y)):
        space[name] = tensor.data if tensor.dims else tensor.data[()]
    exec(executable_loops(explanation, sizes), space)
    np.testing.assert_array_equal(space["out"], out.data)


def test_more_dims_than_letters_are_explained_without_a_call_of_einsum():
    dims = [f"d{number}" for number in range(53)]
    explanation = explain(lower_dot(dims, dims))
    assert "np.einsum" not in explanation
    assert "(more dims than einsum has letters)" in explanation


def test_line_breaks_in_names_are_escaped():
    explanation = explain(lower_dot(["a\nb"], ["a\nb"]))
    assert "a  a\\nb  contracted  in both, summed over" in explanation


def test_wide_characters_are_aligned():
    lines = explain(lower_dot(["時間", "e"], ["e"])).splitlines()
    assert lines[:2] == ["x    時間  e", "     a     b    ab"]


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
