"""Hostile names and messages in reports: they stay text wherever they are shown or written."""

import io
import json
import re
from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest
from hostile import HOSTILE
from rich.console import Console

import refdot as rd
from refdot.cases.case import DimArgument, DotCase, Operand
from refdot.check.baseline import Comparison
from refdot.check.findings import Coverage, Finding, Report
from refdot.check.plan import Configuration, Profile
from refdot.reporting.annotations import github_annotations, junit_xml
from refdot.reporting.codec import report_from_json
from refdot.reporting.files import write_report
from refdot.reporting.terminal import print_report
from refdot.targets.callable import CallableTarget
from refdot.targets.mismatch import Mismatch

TARGET = CallableTarget(rd.dot, "m:dot")


def report_with(text: str) -> Report:
    """Return a report that has a text wherever a report can have foreign text."""
    dims = (text, "b")
    case = DotCase(Operand(dims, (2, 3)), Operand(("b",), (3,)), DimArgument("str", (text,)))
    mismatch = Mismatch("R6", "wrong-value", "run", text, text, text, case)
    return Report(
        target=f"m:{text}",
        target_version=text,
        seed=0,
        backends=("call",),
        lowerings=("stock",),
        profile=Profile(3, None, thorough=False, sample=3),
        absent_backends={"jax": text},
        environment={"numpy": text},
        unsupported={"call": {text: 3}},
        coverage={"call": Coverage(3, kernels={text: 1}, rewrites={text: 2})},
        findings=[Finding(mismatch, Configuration("call", "stock"), known=text)],
    )


def printed(text: str, **options) -> str:
    stream = io.StringIO()
    print_report(report_with(text), Console(file=stream, color_system=None, **options), verbosity=1)
    return stream.getvalue()


@pytest.mark.parametrize("text", HOSTILE)
def test_report_on_the_terminal_has_the_lines_of_a_harmless_one(text):
    lines, harmless = printed(text).splitlines(), printed("harmless").splitlines()
    assert len(lines) == len(harmless)
    assert all(map(str.isprintable, lines))


@pytest.mark.parametrize("text", HOSTILE)
def test_terminal_reads_no_markup(text):
    def commands(text):
        return re.findall(r"\x1b[^m]*m", printed(text, force_terminal=True, width=1000))

    assert commands(text) == commands("harmless")


class Structure(HTMLParser):
    """The tags of a page."""

    def __init__(self):
        super().__init__()
        self.tags = []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)


def written(text, folder):
    """Return the structure of the page, and the other files, of a report that is written."""
    write_report(report_with(text), TARGET, folder)
    page = Structure()
    page.feed((folder / "report.html").read_text(encoding="utf-8"))
    return page.tags, (folder / "report.json").read_text(encoding="utf-8")


@pytest.mark.parametrize("text", HOSTILE)
def test_files_of_a_report_have_the_structure_of_a_harmless_one(text, tmp_path):
    tags, data = written(text, tmp_path / "hostile")
    assert tags == written("harmless", tmp_path / "harmless")[0]
    assert report_from_json(json.loads(data)).findings == report_with(text).findings
    for path in (tmp_path / "hostile").iterdir():
        content = path.read_bytes().decode("utf-8")
        assert all(map(str.isprintable, content.split("\n")))


@pytest.mark.parametrize("text", HOSTILE)
def test_reports_for_continuous_integration_have_the_structure_of_harmless_ones(text):
    def annotations(text):
        report = report_with(text)
        return [*github_annotations(report, Comparison({report.findings[0].key: "new"}))]

    lines = annotations(text)
    assert len(lines) == len(annotations("harmless")) == 1
    assert lines[0].isprintable()
    report = report_with(text)
    for states in ("new", "known"):
        xml = junit_xml(report, Comparison({report.findings[0].key: states}))
        assert len([*ElementTree.fromstring(xml.encode("utf-8")).iter()]) == 17
