"""The numbers in the pages are correct, and the sample run of the README looks like a real one."""

from __future__ import annotations

import re
import runpy
from io import StringIO
from pathlib import Path

import pytest
from planted import FAULTS
from rich.console import Console

import refdot as rd
from refdot import check
from refdot.check.plan import PROFILES, pattern_counts
from refdot.pytensor.target import PyTensorTarget
from refdot.reporting.terminal import print_report
from refdot.rules import RULES
from refdot.targets import CallableTarget

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text("utf-8")
TABLE = (ROOT / "docs" / "planted-faults.md").read_text("utf-8")
SAMPLE_RUN = runpy.run_path(str(ROOT / "docs" / "sample_run.py"))
WORDS = {12: "twelve", 15: "fifteen"}
# A run ends with its findings, separated by empty lines, and a summary.
FINDING = re.compile(
    r"\d+\. R\d+ [a-z-]+ at [a-z]+: .+\n"
    r"   dot\(.+\n"
    r"   expected  .+\n"
    r"   got       .+\n"
    r"   seen (once|\d+ times) on .+; .+; (?P<known>.+)"
)
SUMMARY = re.compile(
    r".+ on Python .+: [\d,]+ cases( and [\d,]+ programs)? judged, .+\n"
    r"(backend \S+: [\d,]+ cases.*\n)+"
    r"((not judged|backend) .+\n)*"
    r"environment: .+\n"
    r"\d+ distinct mismatch(es)?: \d+ new, \d+ known"
    r"(\nnot tried: .+)?"
)


def text_in(text: str, pattern: str) -> str:
    """Return the part of a text that matches the group of a pattern."""
    found = re.search(re.sub(r" ", r"\\s+", pattern), text)
    assert found is not None, f"no text matches {pattern!r}"
    return found[1]


def known_in_run(output: str) -> list[str]:
    """Return for each finding in the output of a run its known deviation, or NEW."""
    *findings, summary = output.strip().split("\n\n")
    assert SUMMARY.fullmatch(summary), summary
    known = []
    for finding in findings:
        found = FINDING.fullmatch(finding)
        assert found is not None, finding
        known.append(found["known"])
    return known


def test_the_number_of_planted_faults() -> None:
    assert len(FAULTS) > int(text_in(README, r"`tests/faults/planted` has more than (\d+) faults"))


def test_the_numbers_of_caught_faults_in_the_readme_are_those_of_the_docs() -> None:
    rows = re.findall(r"^\| `refdot check` \| (.*) \| (\d+) \| (\d+) \|$", TABLE, re.MULTILINE)
    said = re.search(
        r"it finds (\d+) of (\d+) on PyTensor (\S+), and (\d+) of (\d+) on (\S+)\.",
        " ".join(README.split()),
    )
    assert said is not None
    newest, newest_of, newest_version, oldest, oldest_of, oldest_version = said.groups()
    assert rows == [(oldest_version, oldest_of, oldest), (newest_version, newest_of, newest)]


def test_the_number_of_dim_patterns() -> None:
    rank = PROFILES["quick"].exhaustive
    assert rank is not None
    assert text_in(README, r"rank (\d) or lower") == str(rank)
    assert text_in(README, r"\((\d+) patterns\)") == str(sum(pattern_counts(rank)))


@pytest.mark.parametrize("page", ["README.md", "CHANGELOG.md"])
def test_the_number_of_rules(page: str) -> None:
    text = " ".join((ROOT / page).read_text("utf-8").split())
    assert f"{WORDS[len(RULES)]} rules" in text


def test_the_number_of_examples() -> None:
    examples = list((ROOT / "examples").glob("[0-9]*.py"))
    assert f"has {WORDS[len(examples)]} scripts" in README


def test_the_sample_run_of_the_readme_shows_known_deviations_of_pytensor() -> None:
    block = SAMPLE_RUN["BLOCK"].search(README)
    assert block is not None
    _, output, _ = block[0].split("```")
    shown = known_in_run(output)
    assert shown == list(SAMPLE_RUN["SHOWN"])
    assert set(shown) <= {deviation.id for deviation in PyTensorTarget().deviations}
    explained = text_in(README, r"finding above begins with `(.*?)`")
    assert f". {explained}\n" in output


def test_the_sample_run_has_the_form_that_the_terminal_prints() -> None:
    swapped = CallableTarget(lambda x, y, dim=None: rd.dot(y, x, dim), "swapped")
    console = Console(file=StringIO(), width=1000)
    report = check.run(swapped, cases=20, fixed=False)
    # The sample run is one of PyTensor, which has a choice of backends.
    report.other_backends = ("another",)
    print_report(report, console, verbosity=1)
    assert "NEW" in known_in_run(console.file.getvalue())
