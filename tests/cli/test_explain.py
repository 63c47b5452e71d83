"""The command explain: what is printed, and one line for operands in another form."""

import json

import pytest

import refdot
from refdot.cases.codec import case_to_json
from refdot.cases.notation import dot_case
from refdot.cli import main
from refdot.display.explanation import explain
from refdot.lowering import lower_dot
from refdot.programs.explanation import explain_program
from refdot.programs.named import PROGRAMS, named_program
from refdot.programs.picture import program_svg

OPERANDS = "expected two operands separated by one comma, such as 'a b, b c', got"
SIZES = "--sizes takes name=size separated by commas or spaces, not"
BAD_USAGE = {
    "explain|a b": f"{OPERANDS} 'a b'",
    "explain|a b|b c": f"{OPERANDS} 'a b b c'",
    "explain|a, b, c": f"{OPERANDS} 'a, b, c'",
    "explain|ij,jk->ik": "'ij,jk->ik' is an einsum string; write the dims of both operands, and "
    'what is summed with --dim: refdot explain "i j, j k" --dim j',
    "explain|(a b), (b c)": 'names have no brackets unless in quotes: refdot explain "a b, b c"',
    "explain|a b, b c|--dim|['b']": "--dim ['b']: names have no brackets unless in quotes: 'b'",
    "explain|a b, b|--dim|'a": "--dim 'a: a quote has no end: 'a",
    "explain|attention:layers=2|--dim|time": "--dim is only for the operands of a dot",
    "explain|attention|--sizes|time=2": "--sizes is only for the operands of a dot",
    "explain|atention:layers=2": "atention:layers=2: Program 'atention' not found; there are "
    f"{', '.join(PROGRAMS)}; did you mean attention?",
    "explain|... a, a b": "... stands for no dim; write every dim of both operands",
    "explain|missing.json": "missing.json: No such file or directory",
    "explain|a, b|--sizes|=2": f"{SIZES} '=2'",
    "explain|a, b|--sizes|a": f"{SIZES} 'a'",
    "explain|a, b|--sizes|a=-1": f"{SIZES} 'a=-1'",
    "explain|a, b|--sizes|a=2 b": f"{SIZES} 'b'",
    "explain|a, b|--sizes|a 2": f"{SIZES} 'a 2'",
    "explain|a b, c|--sizes|batch size=2": f"{SIZES} 'batch size='",
    "explain|a, b|--sizes|'a=2": "a quote has no end: 'a=2",
    "explain|a, b|--svg|missing/a.svg": "--svg missing/a.svg: No such file or directory",
}


@pytest.mark.parametrize(("command", "said"), BAD_USAGE.items(), ids=BAD_USAGE)
def test_bad_usage_is_one_line_on_stderr_and_exit_code_2(command, said, capsys):
    assert main(command.split("|")) == 2
    assert capsys.readouterr() == ("", f"refdot: {said}\n")


# Each: the command, the call whose error it is, and the lines below that error.
CARETS = {
    "explain|a a, b": (lambda: refdot.lower_dot(("a", "a"), "b"), "  a a, b\n    ^"),
    "explain|a, b b": (lambda: refdot.lower_dot("a", ("b", "b")), "  a, b b\n       ^"),
    "explain|a b, b c|--dim|z": (
        lambda: refdot.lower_dot(("a", "b"), ("b", "c"), "z"),
        "  --dim z\n        ^",
    ),
    "explain|a, a|--sizes|a=2,a=3": (
        lambda: refdot.dot(refdot.NamedTensor([1, 2], "a"), refdot.NamedTensor([1, 2, 3], "a")),
        "  --sizes a=2,a=3\n              ^",
    ),
}


@pytest.mark.parametrize(("command", "call", "below"), [(c, *v) for c, v in CARETS.items()])
def test_a_wrong_name_shows_the_error_and_a_caret(command, call, below, capsys):
    with pytest.raises(refdot.DotError) as caught:
        call()
    assert main(command.split("|")) == 2
    assert capsys.readouterr() == ("", f"refdot: {caught.value}\n{below}\n")


WRONG_SIZES = {
    "explain|a, b|--sizes|z=2": "--sizes z: choose from a, b\n  --sizes z=2\n          ^",
    "explain|,|--sizes|z=2": "--sizes z: choose from nothing\n  --sizes z=2\n          ^",
    "explain|A, b|--sizes|a=2": "--sizes a: choose from A, b; did you mean A?\n"
    "  --sizes a=2\n          ^",
    "explain|'a b', c|--sizes|c=1 'a c'=2": "--sizes a c: choose from a b, c; did you mean a b?\n"
    "  --sizes c=1 'a c'=2\n              ^^^^^",
    "explain|a, b|--sizes|a=2,a=3": "--sizes gives a two sizes\n  --sizes a=2,a=3\n              ^",
}


@pytest.mark.parametrize(("command", "said"), WRONG_SIZES.items(), ids=WRONG_SIZES)
def test_an_unknown_dim_in_sizes_shows_a_caret(command, said, capsys):
    assert main(command.split("|")) == 2
    assert capsys.readouterr() == ("", f"refdot: {said}\n")


def test_explain_prints_the_explanation(capsys):
    command = ["explain", "batch time embd, embd head", "--dim", "embd", "--sizes", "batch=2"]
    assert main(command) == 0
    low = refdot.lower_dot(("batch", "time", "embd"), ("embd", "head"), "embd")
    assert capsys.readouterr().out == explain(low, {"batch": 2}) + "\n"


def test_explain_writes_the_picture_to_a_file(tmp_path, capsys):
    picture = tmp_path / "dot.svg"
    assert main(["explain", "a b, b c", "--sizes", "a=2,b=3,b=3", "--svg", str(picture)]) == 0
    low = refdot.lower_dot(("a", "b"), ("b", "c"))
    assert picture.read_text("utf-8") == low.to_svg({"a": 2, "b": 3})


DIM_OPTIONS = {
    "without": ([], "ab,bc->ac"),
    "...": (["--dim", "..."], "ab,bc->"),
    "one": (["--dim", "a"], "ab,bc->bc"),
    "several, spaced": (["--dim", "a, b"], "ab,bc->c"),
    "several, without commas": (["--dim", "a b"], "ab,bc->c"),
    "none": (["--dim", ""], "ab,bc->abc"),
    "in quotes": (["--dim", "'a' \"b\""], "ab,bc->c"),
}


@pytest.mark.parametrize(("options", "subscripts"), DIM_OPTIONS.values(), ids=DIM_OPTIONS)
def test_explain_reads_dim_from_the_shell(options, subscripts, capsys):
    assert main(["explain", "a b, b c", *options]) == 0
    assert f'np.einsum("{subscripts}", x, y)' in capsys.readouterr().out


SIZES_OPTIONS = [
    "a=2,b=3,c=4",
    "a=2 b=3 c=4",
    "a = 2, b= 3 ,c =4",
    "'a'=2 \"b\"=3, c=4",
    "a=2,,b=3 c=4,",
]


@pytest.mark.parametrize("text", SIZES_OPTIONS)
def test_sizes_are_separated_by_commas_or_spaces(text, capsys):
    assert main(["explain", "a b, b c", "--sizes", text]) == 0
    expected = explain(lower_dot(("a", "b"), ("b", "c")), {"a": 2, "b": 3, "c": 4})
    assert capsys.readouterr().out == f"{expected}\n"


def test_operands_need_no_quotes_in_the_shell(capsys):
    assert main(["explain", "batch", "time,", "time", "head"]) == 0
    assert capsys.readouterr().out == f"{explain(lower_dot(('batch', 'time'), ('time', 'head')))}\n"


def test_names_with_spaces_are_in_quotes(capsys):
    low = lower_dot(("batch size", "k"), ("k",), "batch size")
    for dim in ("'batch size'", "batch size"):
        assert main(["explain", "'batch size' k, k", "--dim", dim]) == 0
        assert capsys.readouterr().out == f"{explain(low)}\n"


def test_the_picture_of_a_program_is_written(tmp_path, capsys):
    picture = tmp_path / "attention.svg"
    assert main(["explain", "attention:layers=2", "--svg", str(picture)]) == 0
    model = named_program("attention:layers=2")
    assert capsys.readouterr().out == f"{explain_program(model)}\n"
    assert picture.read_text("utf-8") == program_svg(model)


def test_the_case_of_a_dot_in_a_file_is_explained(tmp_path, capsys):
    case = dot_case("a:2 b:3", "b:3 c:4", ("a",))
    path = tmp_path / "case.json"
    path.write_text(json.dumps(case_to_json(case)), "utf-8")
    assert main(["explain", str(path), "--svg", str(tmp_path / "dot.svg")]) == 0
    low, sizes = lower_dot(("a", "b"), ("b", "c"), "a"), {"a": 2, "b": 3, "c": 4}
    assert capsys.readouterr().out == f"{explain(low, sizes)}\n"
    assert (tmp_path / "dot.svg").read_text("utf-8") == low.to_svg(sizes)
    assert main(["explain", str(path), "--dim", "b"]) == 2
    assert capsys.readouterr().err == "refdot: --dim is only for the operands of a dot\n"


def test_a_case_that_breaks_a_rule_is_bad_usage(tmp_path, capsys):
    path = tmp_path / "case.json"
    path.write_text(json.dumps(case_to_json(dot_case("a:2", "a:2", "z"))), "utf-8")
    assert main(["explain", str(path)]) == 2
    assert capsys.readouterr().err == (
        f"refdot: {path}: Dimension z not found in either input; the dims are a\n"
    )
