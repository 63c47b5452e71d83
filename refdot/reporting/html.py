"""The HTML pages: a report, and a survey of error messages.

A page is a single file that needs no network: style, script and pictures are in it. The templates
escape every value, because a dim can have any name.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from jinja2 import Environment
from markupsafe import Markup, escape

from refdot import __version__
from refdot.cases.case import REGIMES, DotCase
from refdot.cases.layouts import layout_description
from refdot.check.baseline import STATES, Comparison, compare
from refdot.check.findings import Coverage, Finding, Report
from refdot.display import svg
from refdot.errors import DotError
from refdot.messages.survey import Message, Survey, group_by_summary
from refdot.programs.findings import ProgramDeviation
from refdot.reporting.entries import Entry, entry_of
from refdot.reporting.messages import (
    LEGEND,
    configurations_text,
    group_by_scenario,
    survey_summary,
)
from refdot.reporting.not_tried import judged_rules, limits
from refdot.reporting.terminal import coverage_texts, environment_text, unsupported_lines
from refdot.rules import RULES
from refdot.targets.mismatch import Deviation, Mismatch, picture_of
from refdot.targets.protocol import ProgramTarget, Target
from refdot.targets.rendering import environment
from refdot.text import counted, listed, printable

__all__ = ["SIGNS", "case_description", "errors_html", "report_html"]

# Each state has a sign as well as a colour, for readers who cannot tell the colours apart.
SIGNS = {
    "new": "✗",
    "unchanged": "◐",
    "expected": "○",
    "known": "●",
    "passed": "✓",
    "not-judged": "−",
}


@cache
def _environment() -> Environment:
    jinja = environment("refdot.reporting")
    jinja.globals |= {
        "version": __version__,
        "colours": svg.COLOURS,
        "signs": SIGNS,
        "case_description": case_description,
        "picture_of": picture_of,
    }
    jinja.filters["code"] = _code
    jinja.filters["environment_text"] = environment_text
    return jinja


def _code(text: str) -> Markup:
    """Return a text as HTML, with the words in backticks as code."""
    return Markup(re.sub("`([^`]*)`", r"<code>\1</code>", str(escape(printable(text)))))


def _render(template: str, **values: Any) -> str:
    return _environment().get_template(template).render(values)


# The page of a report


@dataclass(frozen=True)
class _Article:
    """A finding as the page shows it: with its script, and its known deviation if there is one."""

    entry: Entry
    mismatch: Mismatch | None  # of a dot
    state: str
    script: str
    deviation: Deviation | ProgramDeviation | None

    @property
    def anchor(self) -> str:
        return self.entry.script.removeprefix("reproducer_").removesuffix(".py")


def report_html(
    report: Report,
    target: Target,
    scripts: Mapping[str, str],
    command: str = "",
    comparison: Comparison | None = None,
) -> str:
    """Return a report as a page of HTML.

    `scripts` has the reproducer of each finding, by file name; `command` is the command line that
    produces the page.
    """
    comparison = comparison or compare(report)
    articles = _articles(report, target, scripts, comparison)
    return _render(
        "report.html.jinja",
        title=f"refdot report: {report.target} {report.target_version}".strip(),
        report=report,
        verdict=_verdict(report, articles),
        command=command,
        numpy=np.__version__,
        coverage=coverage_texts(report),
        rules=RULES,
        judged_rules=judged_rules(report, target),
        cells=_cells(articles),
        passed={backend: _passed(report, each) for backend, each in report.coverage.items()},
        not_judged=_not_judged(report, target),
        used={kind: _used(report, kind) for kind in ("kernels", "rewrites")},
        comparison=comparison,
        articles=articles,
    )


def _articles(
    report: Report, target: Target, scripts: Mapping[str, str], comparison: Comparison
) -> list[_Article]:
    """Return the articles of a page, new mismatches first."""
    on_record: dict[str, Deviation | ProgramDeviation] = {}
    if isinstance(target, ProgramTarget):
        on_record |= {deviation.id: deviation for deviation in target.program_deviations}
    on_record |= {deviation.id: deviation for deviation in target.deviations}
    articles = []
    for finding in report.all_findings:
        entry = entry_of(finding)
        mismatch = finding.mismatch if isinstance(finding, Finding) else None
        state, known = comparison.states[entry.key], on_record.get(entry.known or "")
        articles.append(_Article(entry, mismatch, state, scripts[entry.script], known))
    return sorted(articles, key=lambda article: STATES.index(article.state))


def _verdict(report: Report, articles: Sequence[_Article]) -> str:
    states = Counter(article.state for article in articles)
    cases = counted(report.cases, "case")
    if report.programs:
        cases += f" and {counted(report.programs, 'program')}"
    parts = []
    if new := states["new"]:
        parts.append("1 new mismatch" if new == 1 else f"{new} new mismatches")
    parts += [f"{states[state]} {state}" for state in ("unchanged", "expected") if states[state]]
    if known := states["known"]:
        parts.append("1 known mismatch" if known == 1 else f"{known} known mismatches")
    if not parts:
        return f"No mismatch in {cases}."
    return f"{'' if new else 'Only '}{listed(parts)} in {cases}."


def _passed(report: Report, coverage: Coverage) -> str:
    """Return the words for a rule without a mismatch: whether it was judged on a sample only."""
    left_out = any(judged < total for judged, total in coverage.patterns)
    is_partial = report.profile.look or report.stopped or report.interrupted
    return f"{coverage.cases:,} sampled" if left_out or is_partial else "passed"


def _used(report: Report, kind: str) -> dict[str, dict[str, int | None]]:
    """Return how many graphs used each kernel, or rewrite, by backend; None if it has none."""
    counts = {backend: getattr(each, kind) for backend, each in report.coverage.items()}
    names = sorted({name for each in counts.values() for name in each}, key=str.lower)
    return {name: {backend: each.get(name) for backend, each in counts.items()} for name in names}


def _cells(articles: Sequence[_Article]) -> dict[tuple[str, str], list[_Article]]:
    """Return the articles of each rule and backend."""
    cells = defaultdict(list)
    for article in articles:
        for backend in article.entry.backends:
            cells[article.entry.rule, backend].append(article)
    return cells


def _not_judged(report: Report, target: Target) -> list[str]:
    """Return a line for everything that the report does not cover, with the reason."""
    lines = [*limits(report)]
    lines += [f"{kind}: {reason}" for kind, reason in target.not_checked.items()]
    lines += unsupported_lines(report.unsupported, name_backends=report.has_choice)
    return lines


def case_description(case: DotCase) -> str:
    """Return sentences that add to the notation of a case what it does not say.

    Examples
    --------
    >>> from refdot.cases.case import Operand
    >>> print(case_description(DotCase(Operand(("a", "b"), (2, 3)), Operand(("b",), (3,)))))
    Contracted: b. Free: a. A ? marks a size that is not static. The numbers are small integers:
    every order of summation gives the same bits.
    """
    sentences = []
    with suppress(DotError):
        lowering = case.lowering
        for role in svg.MEANING:
            if dims := [printable(dim) for dim in lowering.all_dims if lowering.role(dim) == role]:
                sentences.append(f"{role.capitalize()}: {', '.join(dims)}.")
    if not all(case.x.static + case.y.static):
        sentences.append("A ? marks a size that is not static.")
    if case.same_variable:
        under = " under other names" if case.new_names else ""
        sentences.append(f"Both operands are the same variable{under}.")
    if case.same_array:
        sentences.append("Both operands are the same array.")
    for layout in dict.fromkeys([case.x.layout, case.y.layout]):
        if description := layout_description(layout):
            sentences.append(f"Layout {layout}: {description[0].lower()}{description[1:]}")
    sentences.append(f"The numbers are {REGIMES[case.regime]}.")
    if case.gradient_order:
        orders = ["First-order", "First- and second-order"][case.gradient_order - 1]
        sentences.append(f"{orders} gradients are checked.")
    return " ".join(sentences)


# The page of `refdot errors`


def errors_html(survey: Survey) -> str:
    """Return the messages of a survey as a page of HTML.

    Each row shows a distinct message in its normalised form, and unfolds to the full text of
    every case.
    """
    return _render(
        "errors.html.jinja",
        title=f"Error messages of {survey.target} {survey.version}".strip(),
        survey=survey,
        summary=survey_summary(survey),
        legend=LEGEND,
        scenarios=[
            (messages[0].scenario, _rows(messages))
            for messages in group_by_scenario(survey.messages)
        ],
    )


def _rows(messages: Sequence[Message]) -> list[tuple[tuple[str, str, str], str, list[Message]]]:
    """Return the distinct messages, each with its configurations and its cases."""
    rows = []
    for summary, group in group_by_summary(messages):
        # The first message of each case and text remains.
        distinct = {(message.case, message.text): message for message in reversed(group)}
        shown = [*reversed(distinct.values())]
        rows.append((summary, configurations_text(group, messages), shown))
    return rows
