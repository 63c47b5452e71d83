"""Known deviations as issues in Markdown."""

from refdot.judging.comparison import compare
from refdot.programs.findings import ProgramDeviation
from refdot.targets.mismatch import Deviation, Mismatch
from refdot.targets.protocol import Target, deviation_of

__all__ = ["deviation_markdown", "program_deviation_markdown"]


def deviation_markdown(deviation: Deviation, target: Target) -> str:
    """Return a known deviation as an issue for the target's tracker, in Markdown.

    The example of the deviation runs, and the issue shows the expected and the actual answer and
    a script. If none of its backends can run here, the issue shows only the case.
    """
    backends = f"on {', '.join(deviation.backends)}" if deviation.backends else "on every backend"
    if deviation.lowerings:
        backends += f" with the lowering {', '.join(deviation.lowerings)}"
    rules = f"Breaks {', '.join(deviation.rules)} ({', '.join(deviation.kinds)}) {backends}"
    lines = [str(deviation.example)]
    script = ""
    if found := _run_example(deviation, target):
        mismatch, backend, lowering = found
        lines += [f"expected  {mismatch.expected}", f"got       {mismatch.got}"]
        script = _code_block(target.reproducer(mismatch, backend, lowering), "python")
    parts = [
        f"## {deviation.id}",
        f"**{deviation.title}** {rules}, {f'{target.name} {deviation.versions}'.rstrip()}.",
        deviation.cause,
        deviation.upstream and f"Upstream: <{deviation.upstream}>",
        _code_block("\n".join(lines), "text"),
        script and f"<details><summary>Script</summary>\n\n{script}\n\n</details>",
    ]
    return "\n\n".join(filter(None, parts)) + "\n"


def program_deviation_markdown(deviation: ProgramDeviation, target: Target) -> str:
    """Return a known deviation that only programs show as an issue, in Markdown."""
    backends = f" on {', '.join(deviation.backends)}" if deviation.backends else ""
    where = f"{', '.join(deviation.kinds)}{backends}, {target.name} {deviation.versions}"
    parts = [
        f"## {deviation.id}",
        f"**{deviation.title}** In programs: {where}.",
        deviation.cause,
        _code_block(str(deviation.example), "text"),
    ]
    return "\n\n".join(parts) + "\n"


def _run_example(deviation: Deviation, target: Target) -> tuple[Mismatch, str, str] | None:
    """Return the mismatch that shows a deviation, with its backend and lowering."""
    available = [backend.name for backend in target.backends() if not backend.absent]
    backend = next((name for name in deviation.backends or available if name in available), None)
    if backend is None:
        return None
    for lowering in deviation.lowerings or target.default_lowerings:
        outcome = target.run(deviation.example, backend, lowering)
        for mismatch in compare(deviation.example, outcome, target):
            if deviation_of(target, mismatch, outcome, backend, lowering) is deviation:
                return mismatch, backend, lowering
    return None


def _code_block(text: str, language: str) -> str:
    return f"```{language}\n{text.rstrip()}\n```"
