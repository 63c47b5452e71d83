"""Explanations are compared with stored texts, and their einsums and loops are run."""

import re

import numpy as np
import pytest
from hypothesis import assume, given, settings

import refdot as rd
from refdot.cases.patterns import patterns
from refdot.cases.strategies import dot_cases
from refdot.display.explanation import explain
from refdot.display.operands import parse_operands
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

x_bar = np.einsum("ac,bc->ab", out_bar, y)  # summed over head
y_bar = np.einsum("ac,ab->bc", out_bar, x)  # summed over time""",
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

x_bar = np.broadcast_to(np.einsum("ab,edb->abd", out_bar, y)[:, :, None, :], x.shape)  \
# summed over own, broadcast over alone
y_bar = np.broadcast_to(np.einsum("ab,abcd->db", out_bar, x), y.shape)                 \
# summed over free alone, broadcast over own""",
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
y_bar = np.einsum("a,a->", out_bar, x)  # summed over a""",
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

x_bar = np.einsum(",a->", out_bar, y)                           # summed over a
y_bar = np.broadcast_to(np.einsum(",->", out_bar, x), y.shape)  # broadcast over a""",
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


def executable_loops(explanation, sizes):
    """Return the loops of an explanation as Python code."""
    loops = next(part for part in explanation.split("\n\n") if " += " in part)
    names = "|".join(map(re.escape, sorted(sizes, key=len, reverse=True)))
    return re.sub(
        rf"for ({names}):", lambda found: f"for {found[1]} in range({sizes[found[1]]}):", loops
    )


def calls(explanation):
    """Return the line after `out =`, `x_bar =` and `y_bar =`, with its comment."""
    called = dict(re.findall(r"^(out|x_bar|y_bar) = (np\..*)$", explanation, re.MULTILINE))
    assert set(called) == {"out", "x_bar", "y_bar"}
    return called


@pytest.mark.parametrize("rank", [0, 1, 2])
def test_printed_lines_give_the_dot_and_its_gradients_for_every_dim_pattern(rank):
    ranks = [pattern for pattern in patterns(rank) if rank in map(len, pattern[:2])]
    assert len(ranks) == [1, 10, 96][rank]
    for pattern in ranks:
        sizes = pattern.distinct_sizes
        x, y = (
            rd.NamedTensor(np.arange(1.0, 1 + np.prod(shape)).reshape(shape), dims)
            for dims in pattern[:2]
            for shape in [[sizes[dim] for dim in dims]]
        )
        out = rd.dot(x, y, pattern.summed_over)
        out_bar = rd.NamedTensor(1 + np.arange(out.data.size).reshape(out.shape), out.dims)
        bars = rd.dot_vjp(x, y, out_bar, pattern.summed_over)
        arrays = {"np": np, "x": x.data, "y": y.data, "out_bar": out_bar.data}
        printed = calls(explain(lower_dot(x.dims, y.dims, pattern.summed_over)))
        for name, expected in zip(("out", "x_bar", "y_bar"), (out, *bars), strict=True):
            got = eval(printed[name], dict(arrays))
            assert np.shape(got) == expected.shape, (pattern, printed[name])
            np.testing.assert_array_equal(got, expected.data)


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

    for name, call in calls(explanation).items():
        arrays[name] = eval(call, dict(arrays))
    np.testing.assert_array_equal(arrays["out"], out.data)
    x_bar, y_bar = rd.dot_vjp(x, y, out_bar, case.dim.names)
    np.testing.assert_array_equal(arrays["x_bar"], x_bar.data)
    np.testing.assert_array_equal(arrays["y_bar"], y_bar.data)

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


def test_dims_with_the_names_of_arrays_have_other_indices_in_the_loops():
    low = lower_dot(("x", "y"), ("y", "out", "x_"))
    loops = explain(low).split("\n\n")[3]
    assert (
        loops
        == """\
for x__:
    for out_:
        for x_:
            out[x__, out_, x_] = 0
            for y_:
                out[x__, out_, x_] += x[x__, y_] * y[y_, out_, x_]"""
    )


def test_dims_with_the_names_of_keywords_have_other_indices_in_the_loops():
    loops = explain(lower_dot(("class", "lambda"), ("lambda", "lambda_"))).split("\n\n")[3]
    assert loops.splitlines()[0] == "for class_:"
    assert loops.endswith("out[class_, lambda_] += x[class_, lambda__] * y[lambda__, lambda_]")


def test_names_with_spaces_are_in_quotes_everywhere():
    explanation = explain(lower_dot(("batch size", "k"), ("k", "a, b")), {"batch size": 2})
    assert (
        explanation
        == """\
x    'batch size'  k
     a             k         ak
y    k  'a, b'
     k  b                    ak,kb
out  'batch size'  'a, b'
     a             b         ak,kb->ab

a  'batch size' = 2  free        in one, kept
k  k                 contracted  in both, summed over
b  'a, b'            free        in one, kept

out = np.einsum("ak,kb->ab", x, y)

for 'batch size':
    for 'a, b':
        out['batch size', 'a, b'] = 0
        for k:
            out['batch size', 'a, b'] += x['batch size', k] * y[k, 'a, b']

x_bar = np.einsum("ab,kb->ak", out_bar, y)  # summed over 'a, b'
y_bar = np.einsum("ab,ak->kb", out_bar, x)  # summed over 'batch size'"""
    )


def test_hints_are_the_last_lines():
    assert explain(lower_dot(("emdb",), ("embd",))).splitlines()[-2:] == [
        "",
        "hint: emdb in x and embd in y are two dims; is one of them misspelt?",
    ]


def test_an_explanation_has_a_font_of_fixed_width_in_a_notebook():
    html = explain(lower_dot(("<b>",), ("<b>",)))._repr_html_()
    assert html.startswith('<pre style="font-family: monospace">x    &lt;b&gt;\n')
    assert html.endswith("</pre>")


def test_wide_characters_are_aligned():
    lines = explain(lower_dot(["時間", "e"], ["e"])).splitlines()
    assert lines[:2] == ["x    時間  e", "     a     e    ae"]
