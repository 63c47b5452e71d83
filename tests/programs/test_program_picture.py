"""Pictures of programs: a row for each value, and lines that pass no other value."""

import re
from itertools import pairwise
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings

from refdot.programs.named import PROGRAMS, named_program
from refdot.programs.notation import program
from refdot.programs.picture import program_svg
from refdot.programs.strategies import program_cases

SVG = "{http://www.w3.org/2000/svg}"


def rows_of(tree):
    """Return the texts of each row, from the top."""
    return [[text.text for text in group.iter(f"{SVG}text")] for group in tree.iter(f"{SVG}g")]


def nodes_of(tree):
    """Return the centre of each value, from the top."""
    centres = []
    for group in tree.iter(f"{SVG}g"):
        _, node, *_ = group
        if node.tag == f"{SVG}rect":
            centres.append((float(node.get("x")) + 5, float(node.get("y")) + 5))
        else:
            centres.append((float(node.get("cx")), float(node.get("cy"))))
    return centres


def flows_of(tree):
    """Return the start, the end of the straight part and the end of each line."""
    flows = []
    for path in tree.iter(f"{SVG}path"):
        numbers = map(float, re.findall(r"[\d.]+", path.get("d")))
        x, y, turn, *_, end_x, end_y = numbers
        flows.append(((x, y), (x, turn), (end_x, end_y)))
    return flows


def check_picture(model):
    tree = ElementTree.fromstring(program_svg(model))
    nodes, flows = nodes_of(tree), flows_of(tree)
    assert len(nodes) == len(model.inputs) + len(model.steps)
    assert len(flows) == sum(len({*step.arguments}) for step in model.steps)
    assert all(above[1] < below[1] for above, below in pairwise(nodes))
    for start, (x, turn), end in flows:
        assert {start, end} <= {*nodes}
        passed = [node for node in nodes if node[0] == x and start[1] < node[1] <= turn]
        assert passed == [], "a line runs through another value"
    right = max(float(text.get("x")) + 7.3 * len(text.text) for text in tree.iter(f"{SVG}text"))
    assert right <= float(tree.get("width"))


@pytest.mark.parametrize("name", [*PROGRAMS, "attention:layers=3", "chain:layers=0"])
def test_a_named_program_has_a_row_for_each_value(name):
    check_picture(named_program(name))


@settings(max_examples=50)
@given(program_cases())
def test_any_program_has_a_row_for_each_value(case):
    check_picture(case.program)


def test_a_row_has_the_step_its_type_its_einsum_and_its_cost():
    tree = ElementTree.fromstring(program_svg(named_program("quadratic-form")))
    assert rows_of(tree) == [
        ["x", "float64(a: 4?)"],
        ["y = rename(x, a='b')", "float64(b: 4?)"],
        ["matrix", "float64(a: 4?, b: 4?)"],
        ["product = dot(matrix, y)", "float64(a: 4?)", "ab,b->a", "16 multiplications"],
        ["return form = dot(x, product)", "float64()", "a,a->", "4 multiplications"],
    ]
    texts = [text.text for text in tree.iter(f"{SVG}text")]
    assert texts[-4:] == [
        "3 steps, 2 dots, 20 multiplications; the largest result has 4 elements",
        "input",
        "dot",
        "another operation",
    ]


def test_an_unused_input_is_the_last_row():
    tree = ElementTree.fromstring(
        program_svg(program("y: float64(b: 3)\nx: float64(a: 2)\nz = exp(x)\nreturn z, x"))
    )
    assert [texts[0] for texts in rows_of(tree)] == ["return x", "return z = exp(x)", "y"]
