"""A survey of messages as a page of HTML."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from refdot.messages.survey import Message, Survey, by_stage
from refdot.reporting.html import document
from refdot.reporting.messages import LEGEND, by_situation, summary, where

__all__ = ["errors_html"]


def errors_html(survey: Survey) -> str:
    """Give the messages of a survey as a page of HTML that needs nothing else.

    Parameters
    ----------
    survey : Survey

    Returns
    -------
    str
        What a target said is escaped. Each message has its whole text folded away behind it.
    """
    blocks = "\n".join(map(_situation_html, by_situation(survey.messages)))
    title = f"Error messages of {survey.target} {survey.version}".strip()
    absent = "".join(
        f"<p>backend {escape(name)} is absent: {escape(reason)}</p>\n"
        for name, reason in survey.absent.items()
    )
    body = _PAGE.format(
        title=escape(title),
        survey=escape(str(survey)),
        summary=escape(summary(survey)),
        legend=escape(LEGEND),
        absent=absent,
        blocks=blocks,
    )
    return document(title, body)


def _situation_html(messages: list[Message]) -> str:
    """Give one situation as rows of a table."""
    situation = messages[0].situation
    rows = [
        f'<tr class="situation"><th colspan="4" id="{escape(situation.name)}">'
        f"{escape(situation.name)} <small>{escape(situation.rule)}: "
        f"{escape(situation.meaning)}</small></th></tr>"
    ]
    for (stage, exception, line), group in by_stage(messages):
        silent = ' class="silent"' if group[0].is_silent else ""
        rows.append(
            f"<tr{silent}><td>{escape(stage)}</td><td>{escape(exception)}</td>"
            f"<td>{escape(line)}{_details_html(group)}</td>"
            f"<td>{escape(where(group, messages))}</td></tr>"
        )
    return "\n".join(rows)


def _details_html(group: Sequence[Message]) -> str:
    """Give the whole text of each case of a message, folded away behind the first of them."""
    # Of those that say the same of one case the first is kept.
    distinct = {(message.case, message.text): message for message in reversed(group)}
    shown = list(reversed(distinct.values()))
    more = f", and {len(shown) - 1} more" if len(shown) > 1 else ""
    texts = "".join(
        f"<p>{_case_html(message)}</p><pre>{escape(message.text)}</pre>" for message in shown
    )
    return f"<details><summary>{_case_html(shown[0])}{more}</summary>{texts}</details>"


def _case_html(message: Message) -> str:
    """Name a case, and where it was asked."""
    return escape(f"{message.case}, {message.backend} {message.lowering}")


_PAGE = """\
<h1>{title}</h1>
<p>{survey}<br><strong>{summary}</strong></p>
<p><small>{legend}; unfold a case to see its message whole.</small></p>
{absent}<div class="scroll" role="region" aria-label="Messages" tabindex="0">
<table class="messages">
<thead><tr><th>stage</th><th>type</th><th>message</th><th>where</th></tr></thead>
<tbody>
{blocks}
</tbody>
</table>
</div>
"""
