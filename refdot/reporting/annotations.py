"""Reports for continuous integration: annotations of GitHub, and JUnit's XML."""

from collections.abc import Iterator
from xml.etree import ElementTree

from refdot.check.baseline import Comparison
from refdot.check.findings import Report
from refdot.reporting.entries import Entry, entries_of
from refdot.reporting.not_tried import judged_rules
from refdot.rules import RULES
from refdot.targets.protocol import Target
from refdot.text import printable

__all__ = ["github_annotations", "junit_xml"]


def github_annotations(report: Report, comparison: Comparison) -> Iterator[str]:
    """Yield a workflow command of GitHub for each new mismatch: it shows as an error.

    The source is GitHub's documentation, "Workflow commands for GitHub Actions".
    """
    for entry in entries_of(report):
        if comparison.states[entry.key] == "new":
            title = (
                _escaped(f"refdot {printable(entry.signature)}")
                .replace(",", "%2C")
                .replace(":", "%3A")
            )
            yield f"::error title={title}::{_escaped(_text(entry))}"


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("\n", "%0A")


def _text(entry: Entry) -> str:
    about = [entry.about] if entry.about else []
    lines = [*entry.case.splitlines(), *about, f"expected {entry.expected}", f"got {entry.got}"]
    return "\n".join(map(printable, [*lines, f"seen {entry.seen}"]))


def junit_xml(report: Report, comparison: Comparison, target: Target | None = None) -> str:
    """Return a report as JUnit's XML, which services of continuous integration show.

    Each rule is a test of each backend. It fails if it has a new mismatch. It is skipped if it has
    only others, which are known, expected or in the baseline too, or if it was not judged.
    """
    judged = judged_rules(report, target)
    entries = entries_of(report)
    failures = [each for each in entries if comparison.states[each.key] == "new"]
    suite = ElementTree.Element(
        "testsuite",
        name=printable(f"refdot check {report.target} {report.target_version}".strip()),
        tests=str(len(RULES) * len(report.backends)),
        time=f"{report.seconds:.3f}",
    )
    counts = dict.fromkeys(("failures", "skipped"), 0)
    for backend in report.backends:
        for number, rule in RULES.items():
            test = ElementTree.SubElement(
                suite,
                "testcase",
                classname=printable(f"{report.target}.{backend}"),
                name=f"{number} {rule.name}",
            )
            own = [e for e in entries if e.rule == number and backend in e.backends]
            failed = [each for each in own if each in failures]
            if failed:
                counts["failures"] += 1
                message = "; ".join(printable(each.signature) for each in failed)
                failure = ElementTree.SubElement(test, "failure", message=message)
                failure.text = "\n\n".join(map(_text, failed))
            elif own:
                counts["skipped"] += 1
                message = ", ".join(
                    dict.fromkeys(each.known or comparison.states[each.key] for each in own)
                )
                ElementTree.SubElement(test, "skipped", message=printable(message))
            elif number not in judged:
                counts["skipped"] += 1
                ElementTree.SubElement(test, "skipped", message="not judged")
    for name, count in counts.items():
        suite.set(name, str(count))
    ElementTree.indent(suite)
    declaration = '<?xml version="1.0" encoding="utf-8"?>\n'
    return declaration + ElementTree.tostring(suite, encoding="unicode") + "\n"
