"""Pictures of lowerings have the right layout for any names, and accessible colours."""

import re
from itertools import combinations
from xml.etree import ElementTree

import numpy as np
import pytest
from colours import contrast, linear
from hypothesis import given, settings
from hypothesis import strategies as st

import refdot as rd
from refdot.cases.case import DimArgument, DotCase, Operand
from refdot.cases.strategies import dot_cases
from refdot.display.svg import COLOURS, MEANING, Layout
from refdot.lowering import lower_dot
from refdot.targets.mismatch import Mismatch
from refdot.text import text_width

SVG = "{http://www.w3.org/2000/svg}"


def parsed(low, sizes=None):
    """Return a picture as an XML tree."""
    return ElementTree.fromstring(low.to_svg(sizes))


def edges(tree):
    """Return the start, end, height and label of each edge, by its title."""
    read = {}
    for group in tree.iter(f"{SVG}g"):
        path, label = group.find(f"{SVG}path"), group.find(f"{SVG}text")
        start, height, end = map(float, re.fullmatch(r"M(\S+) (\S+)H(\S+)", path.get("d")).groups())
        title = group.find(f"{SVG}title").text
        read[title] = (start, end, height, "".join(label.itertext()))
    return read


EVERY_ROLE = lower_dot(
    ("batch", "free", "alone", "both"), ("both", "batch", "own"), ("both", "alone")
)


def test_edges_connect_the_boxes_of_their_role():
    layout = Layout.of(EVERY_ROLE, {})
    tree = parsed(EVERY_ROLE)
    boxes = [rect for rect in tree.iter(f"{SVG}rect") if rect.get("class") == "box"]
    sides = [(float(box.get("x")), float(box.get("x")) + float(box.get("width"))) for box in boxes]
    (_, x), (y, _), out = sides
    found = edges(tree)
    assert {title: (start, end) for title, (start, end, _, _) in found.items()} == {
        "both: contracted, in both, summed over": (x, y),
        "batch: batch, in both, kept": (x, y),
        "free: free, in one, kept": (x, out[0]),
        "own: free, in one, kept": (out[1], y),
        "alone: summed, in one, summed over": (x, out[0] - 10),
    }
    heights = {title.split(":")[0]: height for title, (_, _, height, _) in found.items()}
    assert heights["both"] < layout.out_top
    assert layout.kept_top < heights["batch"] < heights["free"] == heights["own"]
    assert layout.summed_top < heights["alone"] < layout.bottom


def test_labels_have_letter_name_and_size():
    labels = {
        label for *_, label in edges(parsed(EVERY_ROLE, {"free": 3, "own": "4 or 5"})).values()
    }
    assert labels == {"a batch", "b free = 3", "c alone", "d both", "e own = 4 or 5"}


def test_a_dim_that_is_one_letter_has_this_letter():
    low = lower_dot(("i", "j", "batch"), ("j", "a", "é"))
    tree = parsed(low)
    assert {label for *_, label in edges(tree).values()} == {"i", "j", "b batch", "a", "c é"}
    texts = ["".join(text.itertext()) for text in tree.iter(f"{SVG}text")]
    assert 'einsum "ijb,jac->ibac"' in texts


@settings(max_examples=40)
@given(dot_cases(valid=True), st.lists(st.text(min_size=1), min_size=60, max_size=60, unique=True))
def test_each_dim_has_an_edge_and_its_label_fits_for_any_name(case, names):
    dims = dict(zip({**case.x.sizes, **case.y.sizes}, names, strict=False))
    case = case.renamed(dims)
    low = lower_dot(case.x.dims, case.y.dims, case.dim.names)
    sizes = case.x.sizes | case.y.sizes
    layout = Layout.of(low, sizes)
    found = edges(parsed(low, sizes))
    assert len(found) == len(low.all_dims)
    for title, (start, end, _, label) in found.items():
        room = (layout.out_left if ": batch," in title else end) - start
        assert (text_width(label) - 1) * 7.3 < room, label
    assert low.to_svg(sizes) == low.to_svg(dict(reversed(sizes.items())))


def test_long_names_are_shortened_except_in_the_title():
    name = "a_name_of_a_dim_that_is_longer_than_most_names_are"
    ((title, (*_, label)),) = edges(parsed(lower_dot([name], [name]))).items()
    assert title == f"{name}: contracted, in both, summed over"
    assert label == "a a_name_of_a_dim_…_most_names_are"


# The effect of colour blindness on linear colours (Machado, Oliveira and Fernandes, 2009).
COLOUR_VISION = {
    "full": np.eye(3),
    "no red": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "no green": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "no blue": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}
XYZ = [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]


def lightness_and_hue(colour, vision):
    """Return a colour in CIELAB, where distances agree with perception."""
    seen = np.clip(np.array(vision) @ linear(colour), 0, 1)
    x, y, z = np.cbrt(np.array(XYZ) @ seen / [0.9505, 1, 1.089])
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize("vision", COLOUR_VISION)
@pytest.mark.parametrize("scheme", COLOURS)
def test_role_colours_are_distinct_for_colour_blind_readers(scheme, vision):
    seen = [lightness_and_hue(COLOURS[scheme][role], COLOUR_VISION[vision]) for role in MEANING]
    assert min(np.linalg.norm(one - other) for one, other in combinations(seen, 2)) > 20


@pytest.mark.parametrize("scheme", COLOURS)
def test_lines_and_text_have_enough_contrast(scheme):
    colours = COLOURS[scheme]
    assert all(contrast(colours[role], colours["page"]) >= 3 for role in MEANING)
    assert all(contrast(colours[role], colours["box"]) >= 3 for role in MEANING)
    assert contrast(colours["ink"], colours["page"]) >= 7
    assert contrast(colours["ink"], colours["box"]) >= 7


# In a notebook


def test_html_of_a_lowering_is_its_picture():
    assert EVERY_ROLE._repr_html_() == EVERY_ROLE.to_svg()


VALUES = '<pre style="font-family: monospace">'


@pytest.mark.parametrize(
    ("tensor", "html"),
    [
        (rd.NamedTensor(3, ()), f"<b>NamedTensor</b> of int64{VALUES}3</pre>"),
        (
            rd.NamedTensor([1.5], "<a\n>"),
            r"<b>NamedTensor</b> of float64<table><tr><th>&lt;a\n&gt;</th><td>1</td></tr></table>"
            f"{VALUES}[1.5]</pre>",
        ),
    ],
    ids=["no dims", "a name to escape"],
)
def test_html_of_a_tensor_has_dims_sizes_and_values(tensor, html):
    assert tensor._repr_html_() == html


PLAIN = DimArgument()


def mismatch(dim=PLAIN):
    case = DotCase(Operand(("a", "b"), (2, 3)), Operand(("b",), (4,)), dim)
    return Mismatch("R4", "accepted-invalid", "run", "contracted", "an <error>", "none", case)


def test_html_of_a_mismatch_has_a_picture_with_both_sizes():
    html = mismatch()._repr_html_()
    assert html.startswith("<b>R4 accepted-invalid at run: contracted</b><table>")
    assert "<code>an &lt;error&gt;</code>" in html
    picture = ElementTree.fromstring(html[html.index("<svg") :])
    labels = {label for *_, label in edges(picture).values()}
    assert labels == {"a = 2", "b = 3 in x, 4 in y"}


def test_html_of_a_case_without_a_lowering_has_no_picture():
    assert "<svg" not in mismatch(DimArgument("str", ("z",)))._repr_html_()
