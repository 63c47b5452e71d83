"""What a run did not try: the limits of its verdict."""

from collections.abc import Iterator, Mapping

from refdot.check.findings import Coverage, Report
from refdot.check.plan import Profile
from refdot.rules import ASPECTS, RULES
from refdot.targets.protocol import Target
from refdot.text import counted, listed, named

__all__ = ["judged_rules", "limits", "lost_text", "never_used", "not_tried"]


def not_tried(report: Report) -> str:
    """Return in one line what a run did not try; empty if there is nothing of that kind.

    Examples
    --------
    >>> report = Report(
    ...     target="fn",
    ...     target_version="",
    ...     seed=0,
    ...     backends=("c",),
    ...     lowerings=("stock",),
    ...     absent_backends={"jax": "jax is not installed"},
    ...     skipped=2,
    ...     coverage={"c": Coverage(7, [(1, 1), (2, 10)], kernels={"Dot": 3, "Gemm": 0})},
    ... )
    >>> not_tried(report)
    'not tried: backend jax (jax is not installed); 8 of 11 dim patterns on c; 1 kernel (Gemm on c);
    2 cases that no backend supports'
    """
    parts = "; ".join(limits(report))
    look = "quick look only, " if report.profile.look else ""
    return f"{look}not tried: {parts}" if parts else ""


def judged_rules(report: Report, target: Target | None) -> set[str]:
    """Return the rules that a report judges, of a target if there is one."""
    kinds = {kind for aspect in report.only or ASPECTS for kind in ASPECTS[aspect]}
    judged = kinds - (target.not_checked.keys() if target else set())
    return {number for number, rule in RULES.items() if not judged.isdisjoint(rule.kinds)}


def lost_text(report: Report) -> str:
    """Return the number of cases that were given up, and why."""
    return f"{counted(report.lost, 'case')} in batches that crashed too many processes"


def never_used(coverage: Mapping[str, Coverage], kind: str) -> dict[str, list[str]]:
    """Return the kernels, or the rewrites, that were never used on some backends, with these."""
    found: dict[str, list[str]] = {}
    for backend, each in coverage.items():
        for name, graphs in getattr(each, kind).items():
            if not graphs:
                found.setdefault(name, []).append(backend)
    return found


def limits(report: Report) -> Iterator[str]:
    """Yield what a run did not try."""
    if report.stopped:
        yield "the rest of the run"
    if report.profile.look:
        yield ", ".join(_left_out_of_a_look(report.profile))
    for name, reason in report.absent_backends.items():
        yield f"backend {name} ({reason})"
    for noun, names in (("backend", report.other_backends), ("lowering", report.other_lowerings)):
        if names:
            yield f"{named(noun, names)} (not selected)"
    if report.only:
        yield f"aspects other than {listed(report.only)}"
    if not report.stopped:
        yield from _patterns_left_out(report)
    if not report.stopped and not report.profile.look:
        yield from _unused_code(report)
    if report.skipped:
        unsupported = "no backend supports" if report.has_choice else "the target does not support"
        yield f"{counted(report.skipped, 'case')} that {unsupported}"
    if report.lost:
        yield lost_text(report)


def _unused_code(report: Report) -> Iterator[str]:
    if unused := never_used(report.coverage, "kernels"):
        where = ", ".join(f"{name} on {'/'.join(names)}" for name, names in unused.items())
        yield f"{counted(len(unused), 'kernel')} ({where})"
    if unused := never_used(report.coverage, "rewrites"):
        used = {
            name
            for each in report.coverage.values()
            for name, graphs in each.rewrites.items()
            if graphs
        }
        yield counted(len(unused.keys() - used), "rewrite")


def _left_out_of_a_look(profile: Profile) -> Iterator[str]:
    yield from ("kernel cases", "boundary cases")
    for name, amount in (
        ("random cases", profile.cases),
        ("dim patterns", profile.exhaustive),
        ("programs", profile.programs),
    ):
        if not amount:
            yield name


def _patterns_left_out(report: Report) -> Iterator[str]:
    backends: dict[str, list[str]] = {}
    for backend, coverage in report.coverage.items():
        total = sum(exist for _, exist in coverage.patterns)
        if left_out := total - sum(judged for judged, _ in coverage.patterns):
            text = f"{left_out:,} of {counted(total, 'dim pattern')}"
            backends.setdefault(text, []).append(backend)
    for text, names in backends.items():
        yield f"{text} on {'/'.join(names)}" if report.has_choice else text
