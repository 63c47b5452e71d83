"""Render a program as a network, in SVG: a row for each value, and lines along which values flow.

A value has a lane from its row to the last step that uses it, so that lanes are few and no line
runs through another value. Inputs are rectangles, dots are discs in the colour of contracted dims,
and other operations are rings. An input has its row just before the first step that uses it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from itertools import accumulate

from refdot.display.svg import document, dot_element, text_element
from refdot.programs.explanation import cost_of, row_of
from refdot.programs.program import Program
from refdot.text import text_width

__all__ = ["program_svg"]

# In pixels; _CHARACTER is the width of a character in a monospaced font of 12 pixels.
_MARGIN, _ROW, _LANE, _CHARACTER, _GAP, _LEGEND_WIDTH = 14, 24, 18, 7.3, 10, 300


def program_svg(program: Program) -> str:
    """Return a program as an SVG document.

    Examples
    --------
    >>> from refdot.programs.named import named_program
    >>> program_svg(named_program("chain"))[:4]
    '<svg'
    """
    names = list(_in_rows(program))
    lanes = _lanes(names, program)
    points = {
        name: (_MARGIN + _LANE * (lanes[name] + 0.5), _MARGIN + _ROW * (row + 0.5))
        for row, name in enumerate(names)
    }
    left = _MARGIN + _LANE * (max(lanes.values(), default=0) + 1) + _GAP
    rows = [_cells(name, program) for name in names]
    widths = [_CHARACTER * max(map(text_width, column)) for column in zip(*rows, strict=True)]
    *starts, right = accumulate((width + 2 * _GAP for width in widths), initial=left)
    cost = cost_of(program)
    width = max(right, _MARGIN + _CHARACTER * text_width(cost), _LEGEND_WIDTH) + _MARGIN
    bottom = _MARGIN + _ROW * len(names) + _GAP
    elements = [
        _flow(points[argument], points[step.name])
        for step in program.steps
        for argument in dict.fromkeys(step.arguments)
    ]
    for name, cells in zip(names, rows, strict=True):
        x, y = points[name]
        title = escape(" ".join(filter(None, cells)))
        columns = zip(starts, cells, strict=True)
        texts = [text_element(start, y + 4, cell) for start, cell in columns if cell]
        elements += [
            f"<g><title>{title}</title>",
            _node(_kind(name, program), x, y),
            *texts,
            "</g>",
        ]
    elements.append(text_element(_MARGIN, bottom + _ROW * 0.6, cost))
    elements += _legend(bottom + _ROW * 1.6)
    return document(width, bottom + _ROW * 2 + _MARGIN, f"A program of {cost}.", elements)


def _in_rows(program: Program) -> Iterator[str]:
    """Yield the name of each value: steps in order, and inputs before their first use."""
    inputs = dict(program.inputs)
    for step in program.steps:
        for name in step.arguments:
            if inputs.pop(name, None) is not None:
                yield name
        yield step.name
    yield from inputs


def _lanes(names: Sequence[str], program: Program) -> dict[str, int]:
    """Return the lane of each value: the first that is free from its row to its last use."""
    steps = program.step_of
    last_use = {name: row for row, name in enumerate(names)}
    for row, name in enumerate(names):
        last_use |= dict.fromkeys(steps[name].arguments if name in steps else (), row)
    lanes: dict[str, int] = {}
    for row, name in enumerate(names):
        taken = {lane for other, lane in lanes.items() if last_use[other] > row}
        lanes[name] = next(lane for lane in range(len(names)) if lane not in taken)
    return lanes


def _cells(name: str, program: Program) -> tuple[str, ...]:
    """Return the texts beside a value, one for each column."""
    step = program.step_of.get(name)
    first, *others = row_of(step, program) if step else (name, str(program.types[name]), "", "")
    return (f"return {first}" if name in program.outputs else first, *others)


def _flow(start: tuple[float, float], end: tuple[float, float]) -> str:
    """Render a line that leaves its lane in the last row before its end."""
    (x, y), (end_x, end_y) = start, end
    turn = end_y - _ROW
    curve = f"C{x:g} {turn + _ROW * 0.6:g} {end_x:g} {turn + _ROW * 0.4:g} {end_x:g} {end_y:g}"
    return f'<path class="flow" d="M{x:g} {y:g}V{turn:g}{curve}"/>'


def _kind(name: str, program: Program) -> str:
    step = program.step_of.get(name)
    return "input" if step is None else "dot" if step.operation == "dot" else "operation"


def _node(kind: str, x: float, y: float) -> str:
    if kind == "input":
        return f'<rect class="box" x="{x - 5:g}" y="{y - 5:g}" width="10" height="10"/>'
    if kind == "dot":
        return dot_element("contracted", x, y)
    return f'<circle class="box" cx="{x:g}" cy="{y:g}" r="5"/>'


def _legend(y: float) -> Iterator[str]:
    for place, kind in enumerate(("input", "dot", "operation")):
        x = _MARGIN + place * _LEGEND_WIDTH / 3
        yield _node(kind, x + 5, y - 4)
        yield text_element(x + 16, y, "another operation" if kind == "operation" else kind)
