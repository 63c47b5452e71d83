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
FOLLOWED = [*PAGES, ROOT / "docs" / "scale.md"]
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


@pytest.mark.parametrize("page", FOLLOWED, ids=lambda page: page.stem)
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


def test_the_readme_shows_what_explain_prints_and_draws(tmp_path):
    ((command, shown),) = re.findall(
        r"^```\n\$ (refdot explain .*?)\n(.*?)^```$",
        (ROOT / "README.md").read_text("utf-8"),
        re.MULTILINE | re.DOTALL,
    )
    assert followed(command, tmp_path) == shown
    committed = ROOT / "docs" / "lowering.svg"
    assert (tmp_path / "lowering.svg").read_text("utf-8") == committed.read_text("utf-8")


def test_there_is_a_page_for_each_thing_to_add():
    assert [page.stem for page in PAGES] == ["backend", "lowering", "rule", "target"]


# What is built

needs_docs = pytest.mark.skipif(
    not all(map(find_spec, ("mkdocs", "material", "mkdocstrings", "jupytext", "nbclient"))),
    reason="the extra docs is not installed: pip install 'refdot[docs]'",
)


class Page(HTMLParser):
    """What a page links to, and what can be linked to in it."""

    def __init__(self, path):
        super().__init__()
        self.links, self.ids, self.svgs = set(), set(), 0
        self.feed(path.read_text("utf-8"))

    def handle_starttag(self, tag, attributes):
        """Collect links and ids."""
        values = dict(attributes)
        self.links |= {values[name] for name in ("href", "src") if name in values}
        self.ids |= {values[name] for name in ("id", "name") if name in values}
        self.svgs += tag == "svg" and values.get("class") == "refdot"


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Build the site, with warnings for errors, and read every page of it."""
    folder = tmp_path_factory.mktemp("site")
    built = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", folder],
        cwd=ROOT,
        # Material for MkDocs says of itself for how long it is going to be maintained.
        env=os.environ | {"PYTHONPATH": str(ROOT), "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert (built.returncode, built.stdout, built.stderr) == (0, "", "")
    return {path: Page(path) for path in folder.rglob("*.html") if path.name != "404.html"}


@needs_docs
def test_every_link_leads_somewhere(site):
    dead = []
    for path, page in site.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme:  # to elsewhere: there may be no network
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            if target.is_dir():
                target /= "index.html"
            if not target.exists() or (
                parts.fragment and unquote(parts.fragment) not in site[target].ids
            ):
                dead.append(f"{path.name}: {link}")
    assert dead == []
    assert sum(len(page.links) for page in site.values()) > 200


@needs_docs
def test_nothing_is_loaded_from_elsewhere(site):
    loaded = re.compile(r"""(?:src=|rel="?stylesheet"? href=|@import |url\()["']?(?:https?:)?//""")
    assert not [path.name for path in site if loaded.search(path.read_text("utf-8"))]


@needs_docs
def test_examples_are_shown_with_what_they_print_and_draw(site):
    pages = {path.stem: path.read_text("utf-8") for path in site}
    examples = [path.stem for path in sorted((ROOT / "examples").glob("*.py"))]
    assert set(examples) <= set(pages)
    assert "Dimension days not found in either input" in pages["01_names_instead_of_axes"]
    drawn = {path.stem: page.svgs for path, page in site.items() if page.svgs}
    assert drawn["02_the_four_roles"] == 2
    assert drawn["08_attention_is_four_dots"] == 4
    assert "PyTensor agrees" in pages["08_attention_is_four_dots"]
    assert 'src="10_what_inlining_does_to_compile_time/cell' in pages[examples[9]]


@needs_docs
def test_a_notebook_shows_tensors_lowerings_and_mismatches():
    import nbformat
    from nbclient import NotebookClient

    cells = [
        "import refdot as rd\nrd.NamedTensor([[1, 2]], ('time', 'embd'))",
        "rd.lower_dot(('time', 'embd'), ('embd',))",
        "from refdot import check\nfrom refdot.targets import CallableTarget\n"
        "twice = CallableTarget(lambda x, y, dim=None: rd.dot(x, rd.dot(y, y, ()), dim), 'twice')\n"
        "check.run(twice, cases=20, only=['values']).findings[0].mismatch",
    ]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    client = NotebookClient(notebook, kernel_name="python3", extra_arguments=["--log-level=ERROR"])
    client.execute(env=os.environ | {"PYTHONPATH": str(ROOT)})
    tensor, lowering, mismatch = (cell.outputs[-1].data["text/html"] for cell in notebook.cells)
    assert "<th>time</th><td>1</td>" in tensor
    assert lowering.startswith("<svg")
    assert "<th" in mismatch
    assert "<svg" in mismatch
