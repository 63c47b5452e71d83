"""The text form of programs, which reads like code."""

import ast
import re
import warnings
from collections.abc import Iterator, Mapping
from typing import Any

from refdot.cases.case import CONTENTS, LAYOUTS, ORIGINS, Operand
from refdot.cases.values import NEAR_CONTENTS
from refdot.programs.operations import OPERATIONS, Parameter, ProgramError
from refdot.programs.program import Program, Step
from refdot.text import shortened

__all__ = ["program", "step"]

_INPUT = re.compile(r"(?P<name>\w+): (?P<words>[\w -]+)\((?P<axes>.*)\)")
_AXIS = re.compile(r"(?P<dim>.+?): (?P<size>\d+)(?P<unknown>\??)(?:, |$)")
# The words before the dims of an input, after its dtype.
_WORDS = {"layout": LAYOUTS, "origin": ORIGINS, "content": CONTENTS + NEAR_CONTENTS}


def program(text: str) -> Program:
    """Return the program with a text form: a line for each input, for each step, and `return`.

    Blank lines and comments are skipped. The sizes of `a: 5?` are not static.

    Raises
    ------
    ProgramError, DotError
        A line is not in this form, or the program is wrong; see `Program`.

    Examples
    --------
    >>> text = '''
    ... x: float64(batch: 2?, embd: 3)
    ... w: float64(embd: 3, head: 4)
    ... h = dot(x, w)
    ... p = softmax(h, dim="head")
    ... return p
    ... '''
    >>> print(program(text).steps[1])
    p = softmax(h, dim='head')
    >>> program(str(program(text))) == program(text)
    True
    """
    inputs: list[tuple[str, Operand]] = []
    steps: list[Step] = []
    outputs: list[str] = []
    for line in _lines(text):
        if match := _INPUT.fullmatch(line):
            inputs.append((match["name"], _operand(match["words"], match["axes"])))
        elif line.startswith("return "):
            outputs += [name.strip() for name in line.removeprefix("return ").split(",")]
        else:
            steps.append(step(line))
    return Program(tuple(inputs), tuple(steps), tuple(outputs))


def _lines(text: str) -> Iterator[str]:
    lines = (line.strip() for line in text.splitlines())
    return (line for line in lines if line and not line.startswith("#"))


def _operand(words: str, axes: str) -> Operand:
    dtype, *others = words.split()
    fields = {field: word for word in others for field, known in _WORDS.items() if word in known}
    if len(fields) != len(others) or _AXIS.sub("", axes):
        raise ProgramError(f"Not an input: {shortened(f'{words}({axes})')}")
    matches = list(_AXIS.finditer(axes))
    return Operand(
        dims=tuple(match["dim"] for match in matches),
        shape=tuple(int(match["size"]) for match in matches),
        dtype=dtype,
        static=tuple(not match["unknown"] for match in matches),
        **fields,
    )


def step(line: str) -> Step:
    """Return the step with a text form.

    Examples
    --------
    >>> step("k = rename(k, time='time_k')")
    Step(name='k', operation='rename', arguments=('k',), parameter=(('time', 'time_k'),))
    """
    try:
        match _parsed(line):
            case [ast.Assign([ast.Name(name)], ast.Call(ast.Name(operation)) as call)]:
                return _step(name, operation, call)
    except (SyntaxError, ValueError, TypeError, MemoryError, RecursionError):  # of `ast`
        pass
    raise ProgramError(f"Not a step: {shortened(line)}")


def _parsed(line: str) -> list[ast.stmt]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of literals such as "\d"
        return ast.parse(line).body


def _step(name: str, operation: str, call: ast.Call) -> Step:
    arguments = tuple(each.id for each in call.args if isinstance(each, ast.Name))
    positional = [ast.literal_eval(each) for each in call.args if not isinstance(each, ast.Name)]
    keywords = _keywords(call)
    if operation not in OPERATIONS:
        return Step(name, operation, arguments)
    return Step(name, operation, arguments, _parameter(operation, positional, keywords))


def _keywords(call: ast.Call) -> dict[str, Any]:
    """Return the keyword arguments of a call, some of which may come from dicts, as in `**{}`."""
    keywords: dict[str, Any] = {}
    for keyword in call.keywords:
        value = ast.literal_eval(keyword.value)
        # Like a call, `dict` raises a TypeError for names that are not text, or come twice.
        keywords = dict(**keywords, **(value if keyword.arg is None else {keyword.arg: value}))
    return keywords


def _parameter(operation: str, positional: list[Any], keywords: Mapping[str, Any]) -> Parameter:
    kind = OPERATIONS[operation].parameter
    if kind in ("names", "indices") and not positional:
        return tuple(keywords.items())
    if kind == "dims" and not keywords:
        return tuple(positional)
    if kind == "number" and len(positional) == 1 and not keywords:
        return positional[0]
    if kind == "dim" and not positional and keywords.keys() <= {"dim"}:
        dim = keywords.get("dim")
        return (dim,) if isinstance(dim, str) else tuple(dim) if isinstance(dim, list) else dim
    if positional or keywords or kind == "number":
        raise ValueError("the parameter is in another form")
    return None
