"""Render a lowering as a tensor network, in SVG.

The edges are in two columns with the output between them, so that no two edges cross:

    x ──────── contracted ──────── y
    x ── batch ──── out ── batch ── y
    x ── free ───── out ── free ─── y
    x ── summed ●          ● summed ── y

The picture has its own background, light or dark as the reader prefers, and light on paper. Each
role has its own line style, and a colour that colour-blind readers can distinguish from the others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

from refdot.display.letters import letters_of, subscripts_of
from refdot.lowering import Dims, Lowering
from refdot.text import printable, text_width

__all__ = ["COLOURS", "MEANING", "document", "dot_element", "render", "text_element"]

MEANING = {
    "contracted": "in both, summed over",
    "batch": "in both, kept",
    "free": "in one, kept",
    "summed": "in one, summed over",
}
# The tests simulate how colour-blind readers see these.
COLOURS = {
    "light": {
        "page": "#ffffff",
        "box": "#eef1f5",
        "ink": "#1b1f24",
        "contracted": "#d04a00",
        "batch": "#1a4fa3",
        "free": "#008a5e",
        "summed": "#8e3b70",
    },
    "dark": {
        "page": "#1b1f24",
        "box": "#2d333b",
        "ink": "#e6edf3",
        "contracted": "#ff7b2e",
        "batch": "#5a9bff",
        "free": "#3ddc84",
        "summed": "#e39bc6",
    },
}
_LINES = {
    "contracted": "stroke-width: 4",
    "batch": "stroke-width: 2.5",
    "free": "stroke-width: 2.5; stroke-dasharray: 9 3",
    "summed": "stroke-width: 2.5; stroke-dasharray: 2 3",
}
# Lengths in pixels; _CHARACTER is the width of a character in a monospaced font of 12 pixels.
_MARGIN, _BOX, _ROW, _GAP, _LINE, _CHARACTER, _SHORTEST_EDGE = 14, 72, 32, 10, 18, 7.3, 74
# Lengths in characters.
_LONGEST_NAME, _BOX_LETTERS, _LEGEND = 32, 8, 36


def render(lowering: Lowering, sizes: Mapping[str, int | str]) -> str:
    """Return a lowering as an SVG document. `Lowering.to_svg` is the public entry point."""
    layout = Layout.of(lowering, sizes)
    caption_top = layout.bottom + _MARGIN
    width = layout.y_left + _BOX + _MARGIN
    line_length = int((width - 2 * _MARGIN) / _CHARACTER)
    caption = _in_lines(f'einsum "{subscripts_of(lowering)}"', line_length)
    legend_top = caption_top + _LINE * len(caption) + _GAP
    roles = [role for role in MEANING if role in map(lowering.role, lowering.all_dims)]
    elements = [*_boxes(lowering, layout), *_edges(lowering, sizes, layout)]
    for number, line in enumerate(caption):
        elements.append(text_element(_MARGIN, caption_top + _LINE * (number + 0.7), line))
    for number, role in enumerate(roles):
        elements += _legend_entry(role, legend_top + _LINE * (number + 0.5))
    height = legend_top + _LINE * len(roles) + (_MARGIN if roles else 0)
    dims = ", ".join(f"{printable(dim)} is {lowering.role(dim)}" for dim in lowering.all_dims)
    title = f"{subscripts_of(lowering)}. {dims}".rstrip(". ") + "."
    return document(width, height, title, elements)


@dataclass(frozen=True)
class Layout:
    """The positions of boxes and edges."""

    out_left: float
    y_left: float
    out_top: float
    kept_top: float  # of the rows of batch and free dims
    summed_top: float
    bottom: float  # of the last row

    @classmethod
    def of(cls, lowering: Lowering, sizes: Mapping[str, int | str]) -> Layout:
        # The width follows from the longest labels, and the height from the number of dims.
        def longest(dims: Sequence[str]) -> float:
            labels = [2 + text_width(_label(dim, sizes)) for dim in dims]
            return max(labels, default=0) * _CHARACTER + 2 * _GAP

        left = max(_SHORTEST_EDGE, longest(lowering.batch + lowering.x_free + lowering.x_summed))
        right = max(_SHORTEST_EDGE, longest(lowering.y_free + lowering.y_summed))
        # A contracted edge passes the output, and the legend needs a minimum width.
        missing = longest(lowering.contracted) - (left + _BOX + right)
        missing = max(missing, _LEGEND * _CHARACTER - (left + right + 3 * _BOX))
        left, right = left + max(0, missing / 2), right + max(0, missing / 2)
        out_left = _MARGIN + _BOX + left
        out_top = _MARGIN + _ROW * len(lowering.contracted) + _GAP
        kept_top = out_top + _LINE * (1 + len(_letters(lowering, lowering.out_dims))) + _GAP
        rows = len(lowering.batch) + max(len(lowering.x_free), len(lowering.y_free))
        summed_top = kept_top + _ROW * rows + _GAP
        return cls(
            out_left=out_left,
            y_left=out_left + _BOX + right,
            out_top=out_top,
            kept_top=kept_top,
            summed_top=summed_top,
            bottom=summed_top + _ROW * max(len(lowering.x_summed), len(lowering.y_summed)) + _GAP,
        )


def _boxes(lowering: Lowering, layout: Layout) -> list[str]:
    """Render the operands and the output, each with its letters in the order of its axes."""
    elements = []
    for name, dims, left, top, bottom in (
        ("x", lowering.x_dims, _MARGIN, _MARGIN, layout.bottom),
        ("y", lowering.y_dims, layout.y_left, _MARGIN, layout.bottom),
        ("out", lowering.out_dims, layout.out_left, layout.out_top, layout.summed_top - _GAP / 2),
    ):
        place = f'x="{left:g}" y="{top:g}" width="{_BOX}" height="{bottom - top:g}"'
        elements.append(f'<rect class="box" {place} rx="8"/>')
        lines = _letters(lowering, dims)
        # Batch edges may cross the output, so its name is above them.
        first = top + _LINE if name == "out" else (top + bottom - _LINE * len(lines)) / 2 + 4
        elements.append(text_element(left + _BOX / 2, first, name, "name"))
        for number, line in enumerate(lines, 1):
            elements.append(text_element(left + _BOX / 2, first + _LINE * number, line, "middle"))
    return elements


def _edges(lowering: Lowering, sizes: Mapping[str, int | str], layout: Layout) -> list[str]:
    x, y, out_left = _MARGIN + _BOX, layout.y_left, layout.out_left
    out_right = out_left + _BOX
    x_end, y_end = out_left - _GAP, out_right + _GAP
    left, middle, right = (x + out_left) / 2, (x + y) / 2, (out_right + y) / 2
    free_top = layout.kept_top + _ROW * len(lowering.batch)
    # For each group: its dims, its top, the ends of its edges, and where the labels and dots are.
    groups: list[tuple[Dims, float, float, float, float, float | None]] = [
        (lowering.contracted, _MARGIN, x, y, middle, None),
        (lowering.batch, layout.kept_top, x, y, left, (out_left + out_right) / 2),
        (lowering.x_free, free_top, x, out_left, left, None),
        (lowering.y_free, free_top, out_right, y, right, None),
        (lowering.x_summed, layout.summed_top, x, x_end, (x + x_end) / 2, x_end),
        (lowering.y_summed, layout.summed_top, y_end, y, (y_end + y) / 2, y_end),
    ]
    symbol = letters_of(lowering)
    elements = []
    for dims, top, start, end, label_at, dot_at in groups:
        for number, dim in enumerate(dims):
            # An edge is below the middle of its row, since its label is above it.
            role, height = lowering.role(dim), top + _ROW * (number + 0.7)
            # The letter of a dim that is one letter is its name.
            letter = f'<tspan class="letter">{escape(symbol[dim])}</tspan> '
            letter = "" if symbol[dim] == dim else letter
            elements += [
                f"<g><title>{escape(printable(dim))}: {role}, {MEANING[role]}</title>",
                _line(role, start, end, height),
                "" if dot_at is None else dot_element(role, dot_at, height),
                text_element(label_at, height - 6, _label(dim, sizes), "middle", letter),
                "</g>",
            ]
    return elements


def _line(role: str, start: float, end: float, height: float) -> str:
    return f'<path class="{role}" d="M{start:g} {height:g}H{end:g}"/>'


def dot_element(role: str, x: float, y: float) -> str:
    """Return a filled circle in the colour of a role."""
    return f'<circle class="{role}" cx="{x:g}" cy="{y:g}" r="5"/>'


def text_element(x: float, y: float, content: str, kind: str = "", prefix: str = "") -> str:
    """Return a text whose baseline starts at a point."""
    kind = f' class="{kind}"' if kind else ""
    return f'<text{kind} x="{x:g}" y="{y:g}">{prefix}{escape(content)}</text>'


def _label(dim: str, sizes: Mapping[str, int | str]) -> str:
    name = printable(dim)
    if len(name) > _LONGEST_NAME:
        half = _LONGEST_NAME // 2
        name = f"{name[:half]}…{name[1 - half :]}"
    return f"{name} = {sizes[dim]}" if dim in sizes else name


def _letters(lowering: Lowering, dims: Sequence[str]) -> list[str]:
    """Return the letters of an operand, in lines that fit into its box."""
    symbol = letters_of(lowering)
    return _in_lines("".join(symbol[dim] for dim in dims), _BOX_LETTERS)


def _in_lines(content: str, length: int) -> list[str]:
    return [content[start : start + length] for start in range(0, len(content), length)]


def _legend_entry(role: str, height: float) -> list[str]:
    """Render a sample edge of a role, and the meaning of the role."""
    end = _MARGIN + 34
    sample = [_line(role, _MARGIN, end, height)]
    if role in ("batch", "summed"):
        sample.append(dot_element(role, _MARGIN + 17 if role == "batch" else end, height))
    return [*sample, text_element(end + 12, height + 4, f"{role}: {MEANING[role]}")]


def document(width: float, height: float, title: str, elements: Sequence[str]) -> str:
    """Return an SVG document of some elements, with colours for light and dark pages."""
    body = "\n".join(filter(None, elements))
    lines = "\n".join(f".refdot path.{role} {{ {kind} }}" for role, kind in _LINES.items())
    return f"""\
<svg xmlns="http://www.w3.org/2000/svg" class="refdot" role="img" \
viewBox="0 0 {width:g} {height:g}" width="{width:g}" height="{height:g}" \
style="max-width: 100%; height: auto">
<title>{escape(title)}</title>
<style>
{_style("light")}
@media screen and (prefers-color-scheme: dark) {{
{_style("dark")}
}}
.refdot text {{ font: 12px ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace }}
.refdot .name {{ font-size: 16px; font-weight: bold }}
.refdot .letter {{ font-weight: bold }}
.refdot .name, .refdot .middle {{ text-anchor: middle }}
.refdot path {{ fill: none }}
{lines}
</style>
<rect class="page" width="100%" height="100%" rx="10"/>
{body}
</svg>
"""


def _style(scheme: str) -> str:
    """Return the colours of a scheme as CSS rules."""
    colours = COLOURS[scheme]
    rules = [
        f".refdot .page {{ fill: {colours['page']} }}",
        f".refdot text {{ fill: {colours['ink']} }}",
        f".refdot .box {{ fill: {colours['box']}; stroke: {colours['ink']} }}",
        f".refdot .flow {{ stroke: {colours['ink']}; stroke-width: 1.5 }}",
    ]
    for role in MEANING:
        rules.append(f".refdot path.{role} {{ stroke: {colours[role]} }}")
        rules.append(f".refdot circle.{role} {{ fill: {colours[role]} }}")
    return "\n".join(rules)
