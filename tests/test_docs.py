"""The documentation: its pages are followed to the letter, and it builds without a warning."""

import os
import re
import shlex
import subprocess
import sys
from doctest import ELLIPSIS, OutputChecker
from html.parser import HTMLParser
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

ROOT = Path(__file__).parent.parent
PAGES = sorted((ROOT / "docs" / "extending").glob("*.md"))
BLOCK = re.compile(r'^```(python|console)(?: title="(.*?)")?\n(.*?)^```$', re.MULTILINE | re.DOTALL)


def python(folder, *arguments):
    """Run Python in a folder, as if refdot was installed."""
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT), "COLUMNS": "80"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
    )


def followed(command, folder):
    """Do what a line of a console says, and give what that prints."""
    program, *arguments = shlex.split(command)
    assert program in ("refdot", "python")
    module = ["-m", "refdot"] if program == "refdot" else []
    return python(folder, *module, *arguments).stdout


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_is_true_to_the_letter(page, tmp_path):
    """Write each file that a page shows, type each command, and see what it shows."""
    blocks = BLOCK.findall(page.read_text("utf-8"))
    assert blocks
    for language, title, content in blocks:
        if language == "python":
            (tmp_path / title).write_text(content, encoding="utf-8")
            continue
        assert content.startswith("$ ")
        command, _, expected = content.removeprefix("$ ").partition("\n")
        printed = followed(command, tmp_path)
        assert OutputChecker().check_output(expected, printed, ELLIPSIS), printed


def test_there_is_a_page_for_each_thing_to_add():
    assert [page.stem for page in PAGES] == ["backend", "lowering", "rule", "target"]
