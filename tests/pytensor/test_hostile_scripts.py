"""Scripts about hostile names and messages: their syntax is that of scripts about harmless ones."""

from __future__ import annotations

import ast
from dataclasses import replace

import pytest
from hostile import HOSTILE
from hypothesis import given, settings
from hypothesis import strategies as st
from test_program_campaign import TARGET
from test_programs import case_of
from test_reproducer import run_script

import refdot as rd
from refdot.cases.case import DotCase
from refdot.cases.notation import dot_case
from refdot.programs.case import ProgramCase
from refdot.programs.findings import Observation
from refdot.programs.judgement import Difference
from refdot.pytensor.programs.reproducer import program_reproducer
from refdot.targets.callable import CallableTarget
from refdot.targets.mismatch import Mismatch

# A name that is no identifier, since Python code has another form for keyword arguments.
NAMES = st.one_of(
    st.sampled_from(HOSTILE), st.text(st.characters(codec=None), min_size=1, max_size=30)
).filter(lambda name: not name.isidentifier())
TEXTS = st.one_of(st.sampled_from(HOSTILE), st.text(st.characters(codec=None), max_size=60))


class Masked(ast.NodeTransformer):
    """Replace the contents of strings, which are data."""

    def visit_Constant(self, node):
        return ast.Constant("text") if isinstance(node.value, str) else node


def syntax(script: str) -> str:
    """Return the syntax of a script as it is on disk, without the contents of its strings."""
    lines = script.split("\n")
    assert all(map(str.isprintable, lines))
    assert lines[0] == "# -*- coding: utf-8 -*-"
    code = script.encode("utf-8")
    compile(code, "reproducer.py", "exec")
    return ast.dump(Masked().visit(ast.parse(code)))


def harmless_names(names: list[str]) -> dict[str, str]:
    """Return other names for some, in the same order."""
    return {name: f"dim {rank}" for rank, name in enumerate(sorted(names))}


def distinct(count: int) -> st.SearchStrategy[list[str]]:
    return st.lists(NAMES, min_size=count, max_size=count, unique=True)


CASES = {
    "contracted": dot_case("a? b?", "b? c?", "b", gradient_order=1),
    "static": dot_case("a:2 b:3", "b:3 c:4", ("b", "a"), gradient_order=1),
    "a set": dot_case("a:2 b", "b c:3", {"b", "c"}, origin=("shared", "constant")),
    "other names": dot_case("a:3? b?", "b? c:3?", "b", same_variable=True),
    "not found": dot_case("a? b?", "b?", "c"),
    "other sizes": dot_case("a? b:2?", "b:3?", ["b"]),
}
ABOUT = {
    "wrong-value": ("R6", "run"),
    "wrong-dims": ("R5", "build"),
    "wrong-gradient": ("R8", "run"),
    "accepted-invalid": ("R3", "build"),
    "rejected-valid": ("R6", "compile"),
    "late-error": ("R13", "run"),
    "wrong-error": ("R13", "build"),
    "nondeterminism": ("R10", "build"),
    "side-effect": ("R12", "run"),
    "resources": ("R15", "lower"),
    "structure": ("R14", "compile"),
}
VALID = ["contracted", "static", "a set", "other names"]
# The cases that can have a mismatch of a kind.
CASES_OF = (
    dict.fromkeys(ABOUT, VALID)
    | {kind: [*CASES] for kind in ("accepted-invalid", "late-error", "wrong-error")}
    | {"resources": ["static"]}
)


def mismatch_about(kind: str, case: DotCase, text: str) -> Mismatch:
    rule, stage = ABOUT[kind]
    detail = f"{text} is left in the forward graph" if kind == "structure" else text
    order = 1 if kind == "wrong-gradient" else 0
    return Mismatch(
        rule, kind, stage, detail, text, text, case, earliest_stage="build", order=order
    )


@pytest.mark.parametrize("kind", ABOUT)
@settings(max_examples=8)
@given(data=st.data())
def test_script_about_a_dot(kind, data):
    case = CASES[data.draw(st.sampled_from(CASES_OF[kind]))]
    lowering = data.draw(st.sampled_from(TARGET.lowerings))
    hostile = dict(zip("abc", data.draw(distinct(3)), strict=True))
    text = data.draw(TEXTS)
    harmless = harmless_names([*hostile.values()])
    case = case.renamed(hostile)

    def script(case, text):
        return TARGET.reproducer(mismatch_about(kind, case, text), "python", lowering)

    assert syntax(script(case, text)) == syntax(script(case.renamed(harmless), "harmless"))


@given(distinct(3), TEXTS)
def test_script_about_a_function(names, text):
    target, harmless = CallableTarget(rd.dot, "m:dot"), harmless_names(names)
    case = CASES["contracted"].renamed(dict(zip("abc", names, strict=True)))

    def script(case, text):
        return target.reproducer(mismatch_about("wrong-value", case, text), text, text)

    assert syntax(script(case, text)) == syntax(script(case.renamed(harmless), "harmless"))


PROGRAMS = {
    "dots": "x: float64(a: 2, b: 3?); y: float64(b: 3, c: 4); z = dot(x, y, dim='b'); "
    "w = softmax(z, dim='a'); v = sum(w, dim='c'); return v",
    "moves": "x: float64(a: 2, b: 3); y = transpose(x, 'b', 'a'); z = rename(y, a='c'); "
    "w = isel(z, c=1); v = place(w, z, c=0); u = broadcast_like(w, v); return u",
}


def renamed(case: ProgramCase, names: dict[str, str]) -> ProgramCase:
    """Return a case of a program with other dims, such as its text form does not allow."""

    def other(value):
        if isinstance(value, tuple):
            return tuple(map(other, value))
        return names.get(value, value) if isinstance(value, str) else value

    program = case.program
    inputs = [(name, replace(each, dims=other(each.dims))) for name, each in program.inputs]
    steps = [replace(each, parameter=other(each.parameter)) for each in program.steps]
    return replace(case, program=replace(program, inputs=tuple(inputs), steps=tuple(steps)))


@pytest.mark.parametrize("kind", ["wrong-value", "wrong-dims", "structure", "rejected-valid"])
@pytest.mark.parametrize("program", PROGRAMS)
@settings(max_examples=15)
@given(
    names=distinct(3),
    text=TEXTS,
    lowering=st.sampled_from(TARGET.lowerings),
    built=st.sampled_from(["plain", "vectorized"]),
)
def test_script_about_a_program(program, kind, names, text, lowering, built):
    harmless = harmless_names(names)
    case = case_of(PROGRAMS[program], built=built)
    case = renamed(case, dict(zip("abc", names, strict=True)))
    rule, stage = ABOUT[kind]
    output = case.program.outputs[0]

    def script(case, text):
        got = f"{text} is left in the forward graph" if kind == "structure" else text
        difference = Difference(output, rule, kind, text, got, stage)
        return program_reproducer(Observation(case, difference, "python", lowering))

    assert syntax(script(case, text)) == syntax(script(renamed(case, harmless), "harmless"))


VARIABLES = (
    *("__debug__", "isinstance", "range", "max", "broadcast", "read_only", "with_inner_operations"),
    *("unlowered_nodes", "batched", "batched_x", "larger", "raised", "values", "values_", "np"),
)


@pytest.mark.parametrize("name", VARIABLES)
def test_names_of_values_replace_no_name_of_the_script(name, tmp_path):
    case = case_of(
        f"x: float64 read-only(a: 2); {name}: float64 broadcast(a: 2); "
        f"y = dot(x, {name}, dim=()); return y, {name}",
        built="vectorized",
    )
    wrong = Difference(case.program.outputs[0], "R6", "wrong-value", "1.0", "nan")
    path = tmp_path / "reproducer.py"
    text = program_reproducer(Observation(case, wrong, "python", "inlined"))
    path.write_text(text, encoding="utf-8")
    code, variables = run_script(path)
    assert (code, variables["raised"]) == (0, None)
