"""Known deviations as issues in Markdown."""

from refdot.judging.comparison import compare
from refdot.programs.findings import ProgramDeviation, ProgramFinding
from refdot.targets.mismatch import Deviation, Mismatch
from refdot.targets.protocol import ProgramTarget, Target, deviation_of

__all__ = ["deviation_markdown", "finding_of_example", "program_deviation_markdown"]


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
        script = target.reproducer(mismatch, backend, lowering)
    parts = [
        f"## {deviation.id}",
        f"**{deviation.title}** {rules}, {f'{target.name} {deviation.versions}'.rstrip()}.",
        deviation.cause,
        deviation.upstream and f"Upstream: <{deviation.upstream}>",
        _code_block("\n".join(lines), "text"),
        script and _hidden(script),
    ]
    return "\n\n".join(filter(None, parts)) + "\n"


def program_deviation_markdown(
    deviation: ProgramDeviation, target: ProgramTarget, finding: ProgramFinding | None = None
) -> str:
    """Return a known deviation that only programs show as an issue, in Markdown.

    With a finding that shows it, the issue has the expected and the actual answer and a script.
    """
    backends = f" on {', '.join(deviation.backends)}" if deviation.backends else ""
    where = f"{', '.join(deviation.kinds)}{backends}, {target.name} {deviation.versions}"
    lines, script = [str(deviation.example)], ""
    if finding is not None:
        wrong = finding.observation.difference
        lines += [
            f"{wrong.name}: {wrong.rule} {wrong.kind}",
            f"expected  {wrong.expected}",
            f"got       {wrong.got}",
        ]
        script = target.program_reproducer(finding)
    parts = [
        f"## {deviation.id}",
        f"**{deviation.title}** In programs: {where}.",
        deviation.cause,
        _code_block("\n".join(lines), "text"),
        script and _hidden(script),
    ]
    return "\n\n".join(filter(None, parts)) + "\n"


def finding_of_example(deviation: ProgramDeviation, target: ProgramTarget) -> ProgramFinding | None:
    """Judge the example of a deviation, and return the finding that shows it.

    Return None if no backend that has it can run here, or if the example does not show it.
    """
    backend = _backend_of(deviation, target)
    if backend is None:
        return None
    for lowering in deviation.lowerings or target.default_lowerings:
        for finding in target.judge_program(deviation.example, backend, lowering).findings:
            if finding.known == deviation.id:
                return finding
    return None


def _backend_of(deviation: Deviation | ProgramDeviation, target: Target) -> str | None:
    """Return the first backend that has a deviation and can run here."""
    available = [backend.name for backend in target.backends() if not backend.absent]
    return next((name for name in deviation.backends or available if name in available), None)


def _run_example(deviation: Deviation, target: Target) -> tuple[Mismatch, str, str] | None:
    """Return the mismatch that shows a deviation, with its backend and lowering."""
    backend = _backend_of(deviation, target)
    if backend is None:
        return None
    for lowering in deviation.lowerings or target.default_lowerings:
        outcome = target.run(deviation.example, backend, lowering)
        for mismatch in compare(deviation.example, outcome, target):
            if deviation_of(target, mismatch, outcome, backend, lowering) is deviation:
                return mismatch, backend, lowering
    return None


def _hidden(script: str) -> str:
    """Return a script as a folded block of Markdown."""
    block = _code_block(script, "python")
    return f"<details><summary>Script</summary>\n\n{block}\n\n</details>"


def _code_block(text: str, language: str) -> str:
    return f"```{language}\n{text.rstrip()}\n```"
