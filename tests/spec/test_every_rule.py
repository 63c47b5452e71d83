"""SPEC.md has an example for every rule, and lists the tests of the rule."""

import re
from pathlib import Path

from refdot.rules import RULES

ROOT = Path(__file__).parents[2]
SECTIONS = re.split(r"^## (?=R\d+ )", (ROOT / "SPEC.md").read_text("utf-8"), flags=re.MULTILINE)[1:]
TESTS = "".join(path.read_text("utf-8") for path in sorted((ROOT / "tests" / "spec").glob("*.py")))


def test_every_rule_lists_its_tests_and_has_an_example():
    assert [section.split()[0] for section in SECTIONS] == list(RULES)
    for number, section in enumerate(SECTIONS, 1):
        listed = re.findall(r"`(test_r\d\d_\w+)`", section)
        tests = re.findall(rf"^def (test_r{number:02}_\w+)", TESTS, flags=re.MULTILINE)
        assert tests, f"R{number} has no test"
        assert listed == tests, f"SPEC.md does not list the tests of R{number} in order"
        assert ">>> " in section, f"R{number} has no example"
