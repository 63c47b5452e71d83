"""Writes what a campaign found as a page of HTML, and dresses every page that refdot writes.

A page is one file: its style, script and pictures are in it, and it asks no network. All that it
quotes is escaped, for a dim may have any name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from importlib.resources import files

import numpy as np

from refdot import __version__
from refdot.cases.case import REGIMES, DotCase
from refdot.check.findings import Finding, Report
from refdot.display import svg as diagram
from refdot.errors import DotError
from refdot.lowering import lower_dot
from refdot.reporting.terminal import covered, limit_lines
from refdot.rules import ASPECTS, RULES
from refdot.targets.mismatch import Deviation, picture_of
from refdot.targets.protocol import Target
from refdot.text import counted, listed, printable

__all__ = ["COLOURS", "document", "report_html"]


# By scheme: what is added to the colours of the pictures that the page shows.
COLOURS = {
    "light": {
        "quiet": "#57606a",
        "line": "#d0d7de",
        "link": "#0b57c4",
        "new": "#b3261e",
        "known": "#855300",
        "nothing": "#0b6b3a",
    },
    "dark": {
        "quiet": "#a3adb8",
        "line": "#444c56",
        "link": "#7db7ff",
        "new": "#ff8a80",
        "known": "#f0b429",
        "nothing": "#5fd38d",
    },
}
# So that nothing is said by colour alone.
SIGNS = {"new": "✗", "known": "●", "nothing": "✓", "unjudged": "−"}
FEW = 3  # mismatches that need no table of contents


@dataclass(frozen=True)
class _Entry:
    """One finding with its script, and the known deviation that it is, if that is on record."""

    finding: Finding
    file: str
    script: str
    deviation: Deviation | None

    @property
    def anchor(self) -> str:
        """Its place in the page: the same in the page of every run that finds it."""
        return self.file.removeprefix("reproducer_").removesuffix(".py")

    @property
    def state(self) -> str:
        """Whether it is "new" or "known"."""
        return "new" if self.finding.known is None else "known"


def report_html(
    report: Report, target: Target, scripts: Mapping[str, str], command: str = ""
) -> str:
    """Give what a campaign found as a page of HTML that needs nothing else.

    Parameters
    ----------
    report : Report
    target : Target
        The one that the report is about.
    scripts : mapping of str to str
        The reproducer of each finding, in their order, by the name of its file.
    command : str, optional
        The command line that makes this page again.

    Returns
    -------
    str
    """
    on_record = {deviation.id: deviation for deviation in target.deviations}
    entries = [
        _Entry(finding, file, script, on_record.get(finding.known or ""))
        for finding, (file, script) in zip(report.findings, scripts.items(), strict=True)
    ]
    entries.sort(key=lambda entry: entry.state == "known")
    title = f"{report.target} {report.target_version}".strip()
    body = "\n".join(
        [
            _verdict_html(report, title, entries),
            _facts_html(report, command),
            _grid_html(report, target, entries),
            _unjudged_html(report, target),
            _contents_html(entries),
            *map(_entry_html, entries),
        ]
    )
    return document(f"{title} held against refdot", body, script=_resource("page.js"))


def document(title: str, body: str, script: str = "") -> str:
    """Put a page together: its head, its style, and what is in it.

    Parameters
    ----------
    title : str
        Plain text.
    body : str
        HTML.
    script : str, optional
        JavaScript that the page runs.
    """
    style = f"""\
:root {{ color-scheme: light dark; {_variables("light")} }}
@media screen and (prefers-color-scheme: dark) {{ :root {{ {_variables("dark")} }} }}
{_resource("page.css")}"""
    return f"""\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)}</title>
<style>
{style}</style>
</head>
<body>
<main>
{body}
</main>
<footer>Written by refdot {__version__}.</footer>
{f"<script>{script}</script>" if script else ""}</body>
</html>
"""


def _variables(scheme: str) -> str:
    """Give the colours of a scheme to the style."""
    colours = diagram.COLOURS[scheme] | COLOURS[scheme]
    return " ".join(f"--{name}: {colour};" for name, colour in colours.items())


def _resource(name: str) -> str:
    """Read a file that is installed beside this module."""
    return files("refdot").joinpath(name).read_text(encoding="utf-8")


def _verdict_html(report: Report, title: str, entries: Sequence[_Entry]) -> str:
    """Say in one sentence how it went."""
    state = entries[0].state if entries else "nothing"
    interrupted = (
        "<p>The run was interrupted: this is what was found until then.</p>\n"
        if report.interrupted
        else ""
    )
    return (
        f"<h1>{escape(title)} held against the oracle</h1>\n"
        f'<p class="verdict {state}">{_sign(state)}{_verdict(report, entries)}</p>\n{interrupted}'
    )


def _verdict(report: Report, entries: Sequence[_Entry]) -> str:
    """Give the sentence that the page begins with."""
    cases = counted(report.cases, "case")
    known = sum(entry.state == "known" for entry in entries)
    new = len(entries) - known
    deviations = counted(known, "known deviation")
    if new:
        mismatches = "1 new mismatch" if new == 1 else f"{new} new mismatches"
        beside = f" beside {deviations}" if known else ""
        return f"{mismatches}{beside} in {cases}."
    return f"Nothing but {deviations} in {cases}." if known else f"Nothing wrong in {cases}."


def _sign(state: str) -> str:
    """Give the sign of a state, for the eye alone: words beside it say the same."""
    return f'<span class="sign" aria-hidden="true">{SIGNS[state]}</span> '


def _facts_html(report: Report, command: str) -> str:
    """Say what was run, and how to run it again."""
    judged = [covered(name, coverage) for name, coverage in report.coverage.items()]
    facts = {
        "target": f"{report.target} {report.target_version}",
        "with": f"Python {report.python}, NumPy {np.__version__}, refdot {__version__}",
        "backends": "; ".join(line.removeprefix("backend ") for line in judged),
        "lowerings": ", ".join(report.lowerings),
        "cases": counted(report.cases, "case") + " judged",
        "seed": str(report.seed),
        "took": counted(round(report.seconds), "second"),
    }
    rows = "\n".join(
        f"<div><dt>{name}</dt><dd>{escape(fact)}</dd></div>" for name, fact in facts.items()
    )
    again = ""
    if command:
        again = (
            "<div><dt>made by</dt><dd>"
            f'<code id="command">{escape(command)}</code> {_copy_button("command", "command")}'
            "</dd></div>"
        )
    return f'<dl class="facts">\n{rows}\n{again}</dl>'


def _copy_button(element: str, what: str) -> str:
    """Give a button that copies the text of an element; the script shows it."""
    return (
        f'<button type="button" data-copies="{element}" hidden>'
        f'<span aria-live="polite">Copy</span> <span class="unseen">the {what}</span></button>'
    )


def _unjudged_html(report: Report, target: Target) -> str:
    """Say what the report is silent about, and why."""
    reasons = [f"backend {name}: {reason}" for name, reason in report.absent_backends.items()]
    if report.only:
        reasons.append(f"all but {listed(report.only)}: nothing else was asked for")
    reasons += [f"{kind}: {reason}" for kind, reason in target.not_checked.items()]
    reasons += limit_lines(report.unsupported)
    if report.lost:
        reasons.append(
            f"{counted(report.lost, 'case')} in batches with others that kill the process"
        )
    if not reasons:
        return ""
    items = "\n".join(f"<li>{escape(reason)}</li>" for reason in reasons)
    return f"<h2>Not judged</h2>\n<ul>\n{items}\n</ul>"


def _grid_html(report: Report, target: Target, entries: Sequence[_Entry]) -> str:
    """Give the verdict on each rule, on each backend."""
    heads = "".join(f'<th scope="col">{escape(backend)}</th>' for backend in report.backends)
    kinds = {kind for aspect in report.only or ASPECTS for kind in ASPECTS[aspect]}
    judged = kinds - target.not_checked.keys()
    rows = []
    for number, rule in RULES.items():
        of_rule = [entry for entry in entries if entry.finding.mismatch.rule == number]
        cells = "".join(
            _cell(
                [entry for entry in of_rule if backend in entry.finding.backends],
                not judged.isdisjoint(rule.kinds),
            )
            for backend in report.backends
        )
        rows.append(
            f'<tr><th scope="row"><span class="number">{number}</span> {rule.name}</th>{cells}</tr>'
        )
    body = "\n".join(rows)
    return f"""\
<h2 id="rules">Rules</h2>
<div class="scroll" role="region" aria-labelledby="rules" tabindex="0">
<table class="grid">
<caption>Distinct mismatches, by rule and backend</caption>
<thead><tr><th scope="col">rule</th>{heads}</tr></thead>
<tbody>
{body}
</tbody>
</table>
</div>"""


def _cell(entries: Sequence[_Entry], judged: bool) -> str:
    """Give one cell of the grid; counts lead to the first of those that they count."""
    parts = []
    for state in ("new", "known"):
        counting = [entry for entry in entries if entry.state == state]
        if counting:
            link = f'<a href="#{counting[0].anchor}">{len(counting)} {state}</a>'
            parts.append(f"{_sign(state)}{link}")
    if parts:
        return f'<td class="{entries[0].state}">{"<br>".join(parts)}</td>'
    if judged:
        return f'<td class="nothing">{_sign("nothing")}nothing</td>'
    return f'<td class="unjudged">{_sign("unjudged")}not judged</td>'


def _contents_html(entries: Sequence[_Entry]) -> str:
    """List the mismatches, if they are more than a few."""
    if not entries:
        return ""
    heading = "<h2>Mismatches</h2>"
    if len(entries) <= FEW:
        return heading
    items = "\n".join(
        f'<li><a href="#{entry.anchor}">{escape(entry.finding.mismatch.signature)}</a> '
        f"{_state_html(entry)}</li>"
        for entry in entries
    )
    return f'{heading}\n<nav aria-label="Mismatches"><ul>\n{items}\n</ul></nav>'


def _state_html(entry: _Entry) -> str:
    """Mark a finding as new, or name the known deviation that it is."""
    known = f"known: {escape(entry.finding.known)}" if entry.finding.known else "NEW"
    return f'<strong class="state {entry.state}">{_sign(entry.state)}{known}</strong>'


def _entry_html(entry: _Entry) -> str:
    """Show one finding."""
    mismatch, anchor = entry.finding.mismatch, entry.anchor
    picture = picture_of(mismatch.case)
    figure = f'<figure class="scroll" tabindex="0">{picture}</figure>\n' if picture else ""
    return f"""\
<article id="{anchor}" aria-labelledby="{anchor}-title">
<h3 id="{anchor}-title">{escape(mismatch.signature)} {_state_html(entry)}</h3>
<p class="where">{escape(_where(entry.finding))}</p>
{_deviation_html(entry.deviation)}<p><code>{escape(str(mismatch.case))}</code></p>
<p>{escape(in_words(mismatch.case))}</p>
{figure}<dl class="pair">
<div><dt>expected</dt><dd><code>{escape(mismatch.expected)}</code></dd></div>
<div><dt>got</dt><dd><code>{escape(mismatch.got)}</code></dd></div>
</dl>
<details>
<summary>Reproducer</summary>
<pre tabindex="0"><code id="{anchor}-script">{escape(entry.script)}</code></pre>
</details>
<p class="script">{_copy_button(f"{anchor}-script", "reproducer")} \
<a href="{entry.file}">{entry.file}</a></p>
</article>"""


def _where(finding: Finding) -> str:
    """Say how often a mismatch was seen, and where."""
    seen = "once" if finding.count == 1 else f"{finding.count:,} times"
    return f"Seen {seen} on {listed(finding.backends)}, lowered by {listed(finding.lowerings)}."


def _deviation_html(deviation: Deviation | None) -> str:
    """Say what is on record of a known deviation."""
    if deviation is None:
        return ""
    upstream = ""
    if deviation.upstream:
        address = escape(deviation.upstream)
        upstream = f'<br><a href="{address}">{address}</a>'
    return (
        f'<p class="deviation"><strong>{escape(deviation.title)}</strong> '
        f"{escape(deviation.cause)}{upstream}</p>\n"
    )


def in_words(case: DotCase) -> str:
    """Say in sentences what the notation of a case leaves unsaid.

    Examples
    --------
    >>> from refdot.cases.case import Operand
    >>> print(in_words(DotCase(Operand(("a", "b"), (2, 3)), Operand(("b",), (3,)))))
    Contracted: b. Free: a. A ? marks a size that is unknown until it is run. The numbers are small
    integers: every order of summation gives the same bits.
    """
    sentences = [f"{role.capitalize()}: {', '.join(dims)}." for role, dims in _roles(case).items()]
    if not all(case.x.static + case.y.static):
        sentences.append("A ? marks a size that is unknown until it is run.")
    if case.same_variable:
        sentences.append("Both operands are one variable.")
    sentences.append(f"The numbers are {REGIMES[case.regime]}.")
    if case.gradient_order:
        order = ["first", "first and second"][case.gradient_order - 1]
        sentences.append(f"Gradients of {order} order are asked for.")
    return " ".join(sentences)


def _roles(case: DotCase) -> dict[str, list[str]]:
    """Give the dims of each role that there is, if the case has a lowering."""
    try:
        lowering = lower_dot(case.x.dims, case.y.dims, case.dim.value)
    except DotError:
        return {}
    found = {
        role: [printable(dim) for dim in lowering.all_dims if lowering.role(dim) == role]
        for role in diagram.MEANING
    }
    return {role: dims for role, dims in found.items() if dims}
