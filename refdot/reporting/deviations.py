"""A known deviation as an issue for a tracker, in Markdown."""

from __future__ import annotations

from refdot.judging.comparison import compare
from refdot.targets.mismatch import Deviation, Mismatch
from refdot.targets.protocol import Target, deviation_of

__all__ = ["deviation_text"]


def deviation_text(deviation: Deviation, target: Target) -> str:
    """Write a known deviation as an issue for the target's tracker, in Markdown.

    Its witness is run, and shown with what is expected and what the target gives, and as a
    script; or, where none of its backends can run, the witness alone.
    """
    where = f"on {', '.join(deviation.backends)}" if deviation.backends else "on every backend"
    breaks = f"Breaks {', '.join(deviation.rules)} ({', '.join(deviation.kinds)}) {where}"
    record = f"In the tracker: <{deviation.upstream}>" if deviation.upstream else ""
    lines = [str(deviation.example)]
    script = ""
    if witnessed := _shown_by_example(deviation, target):
        mismatch, backend, lowering = witnessed
        lines += [f"expected  {mismatch.expected}", f"got       {mismatch.got}"]
        script = target.reproducer(mismatch, backend, lowering)
    parts = [
        f"## {deviation.id}",
        f"**{deviation.title}** {breaks}, {target.name} {deviation.versions}.",
        deviation.cause,
        record,
        _fenced("\n".join(lines), "text"),
        script
        and f"<details><summary>Script</summary>\n\n{_fenced(script, 'python')}\n\n</details>",
    ]
    return "\n\n".join(filter(None, parts)) + "\n"


def _shown_by_example(deviation: Deviation, target: Target) -> tuple[Mismatch, str, str] | None:
    """Run a deviation's witness; give what shows it, and the backend and lowering that do."""
    there = [backend.name for backend in target.backends() if not backend.absent]
    backend = next((name for name in deviation.backends or there if name in there), None)
    if backend is None:
        return None
    for lowering in target.default_lowerings:
        outcome = target.run(deviation.example, backend, lowering)
        for mismatch in compare(deviation.example, outcome, target):
            if deviation_of(target, mismatch, outcome, backend) is deviation:
                return mismatch, backend, lowering
    return None


def _fenced(text: str, language: str) -> str:
    """Write a block of code in Markdown."""
    return f"```{language}\n{text.rstrip()}\n```"
