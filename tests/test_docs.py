"""The documentation: its commands print what it shows, and it builds without a warning."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from doctest import ELLIPSIS, OutputChecker
from html import unescape
from html.parser import HTMLParser
from importlib.util import find_spec
from pathlib import Path
from pkgutil import resolve_name
from urllib.parse import unquote, urlsplit

import pytest
import yaml
from browsers import needs_browser, started_browser
from processes import run_python

from refdot.cli.parser import parser

ROOT = Path(__file__).parent.parent
PAGES = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/*.md")]
EXTENDING = sorted((ROOT / "docs" / "extending").glob("*.md"))
FOLLOWED = [
    *EXTENDING,
    *(ROOT / "docs" / f"{name}.md" for name in ("scale", "testing", "command-line")),
]
BLOCK = re.compile(
    r'^```(python|json|console)(?: title="(.*?)")?\n(.*?)^```$', re.MULTILINE | re.DOTALL
)
LINK = re.compile(r"\]\((?!https?:)(.*?)\)")
PATH_NAME = re.compile(r"(?<![\w/])(?:refdot|tests|docs|examples)/[\w./-]*\w")
DOTTED_NAME = re.compile(r"\brefdot(?:\.[A-Za-z_]\w*)+")

every_page = pytest.mark.parametrize(
    "page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix()
)


@every_page
def test_paths_in_a_page_exist(page):
    text = page.read_text("utf-8")
    links = LINK.findall(text)
    paths = [ROOT / name for name in PATH_NAME.findall(LINK.sub("]", text))]
    if not page.is_relative_to(ROOT / "docs"):  # in docs, mkdocs checks the links
        paths += [page.parent / link for link in links]
    assert [str(path) for path in paths if not path.exists()] == []


@every_page
def test_dotted_names_in_a_page_exist(page):
    for name in DOTTED_NAME.findall(page.read_text("utf-8")):
        resolve_name(name)


@every_page
def test_refdot_is_installed_from_a_clone(page):
    """No package index has it."""
    installed = re.findall(r"install [^`\n]*?([\w/.]*\[[\w,-]+\])", page.read_text("utf-8"))
    assert {place.partition("[")[0] for place in installed} <= {"path/to/refdot", "./refdot", "."}


def run_command(command, folder):
    """Run a command line in a folder, and return the output on both streams."""
    program, *arguments = shlex.split(command)
    assert program in ("refdot", "python")
    module = ["-m", "refdot"] if program == "refdot" else []
    completed = run_python(*module, *arguments, folder=folder, COLUMNS="80")
    return completed.stderr + completed.stdout


@pytest.mark.parametrize("page", FOLLOWED, ids=lambda page: page.stem)
def test_the_commands_of_a_page_print_the_output_that_it_shows(page, tmp_path):
    """Write each file that a page shows, run each command, and compare the output."""
    blocks = BLOCK.findall(page.read_text("utf-8"))
    assert blocks
    for language, title, content in blocks:
        if language != "console":
            (tmp_path / title).write_text(content, encoding="utf-8")
            continue
        assert content.startswith("$ ")
        command, _, expected = content.removeprefix("$ ").partition("\n")
        printed = run_command(command, tmp_path)
        assert OutputChecker().check_output(expected, printed, ELLIPSIS), printed


def recipes(language: str) -> list[str]:
    """Return the code of a language on the page about many machines."""
    text = (ROOT / "docs" / "scale.md").read_text("utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


LOOK, NIGHTLY = map(yaml.safe_load, recipes("yaml"))
(SLURM,) = recipes("sh")


def test_the_commands_of_recipes_are_accepted_and_excuse_nothing():
    jobs = [job for recipe in (LOOK, NIGHTLY) for job in recipe["jobs"].values()]
    commands = [step["run"] for job in jobs for step in job["steps"] if "run" in step]
    assert not any("||" in command for command in (*commands, SLURM))
    words = [shlex.split(each.replace("${{ matrix.shard }}", "1")) for each in commands]
    arguments = [parser().parse_args(each[1:]) for each in words if each[0] == "refdot"]
    assert [each.command.__name__ for each in arguments] == ["run_check", "run_check", "run_merge"]
    assert [each.effort for each in arguments[:2]] == ["quick", "standard"]


def run_job(job: dict, shard: int, folder: Path) -> None:
    """Run the commands of a job as GitHub does, but for the installation and a shorter check.

    A step for artifacts takes its folder from, or to, the folder above.
    """
    folder.mkdir()
    (folder / "refdot").symlink_to(ROOT)
    bin_folder = folder.parent / "bin"
    for step in job["steps"]:
        options = {
            name: str(value).replace("${{ matrix.shard }}", str(shard))
            for name, value in step.get("with", {}).items()
        }
        action = step.get("uses", "").partition("@")[0]
        if action == "actions/upload-artifact":
            shutil.copytree(folder / options["path"], folder.parent / "stored" / options["name"])
        elif action == "actions/download-artifact":
            shutil.copytree(folder.parent / "stored", folder, dirs_exist_ok=True)
        if "run" in step:
            command = step["run"].replace("${{ matrix.shard }}", str(shard))
            command = command.replace("--effort standard", "--quick --backend python")
            completed = subprocess.run(
                ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", command],
                cwd=folder,
                env=os.environ | {"PATH": f"{bin_folder}{os.pathsep}{os.environ['PATH']}"},
                capture_output=True,
                text=True,
                check=False,
            )
            assert completed.returncode == 0, completed.stdout + completed.stderr


@pytest.fixture
def programs(tmp_path):
    """Put a `refdot` that is this one, and a `python` that installs nothing, into a folder."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name, command in {
        "refdot": f'PYTHONPATH="{ROOT}" exec "{sys.executable}" -m refdot "$@"',
        "python": '[ "$*" = "-m pip install ./refdot[check]" ]',
    }.items():
        (folder / name).write_text(f"#!/bin/sh\n{command}\n", encoding="utf-8")
        (folder / name).chmod(0o755)


@pytest.mark.skipif(not shutil.which("bash"), reason="GitHub runs the commands in bash")
@pytest.mark.usefixtures("programs")
def test_the_jobs_of_recipes_for_github_pass_and_merge_their_reports(tmp_path):
    run_job(LOOK["jobs"]["look"], 0, tmp_path / "look")
    check, merge = NIGHTLY["jobs"]["check"], NIGHTLY["jobs"]["merge"]
    shards = check["strategy"]["matrix"]["shard"]
    for shard in shards:
        run_job(check, shard, tmp_path / f"check-{shard}")
    assert merge["needs"] == "check"
    run_job(merge, 0, tmp_path / "merge")
    assert {path.name for path in (tmp_path / "stored").iterdir()} == {
        "whole",
        *(f"part-{shard}" for shard in shards),
    }


def test_the_recipe_for_slurm_is_a_check_of_a_shard():
    command = SLURM.rpartition("#SBATCH")[2].partition("\n")[2].replace("\\\n", " ")
    command = re.sub(r"\$\w+COUNT", "100", command)
    words = shlex.split(re.sub(r"\$\w+ID", "7", command))
    arguments = parser().parse_args(words[1:])
    assert (words[0], str(arguments.shard), str(arguments.report)) == ("refdot", "7/100", "part-7")


def test_the_readme_shows_the_output_and_the_picture_of_explain(tmp_path):
    ((command, shown),) = re.findall(
        r"^```\n\$ (refdot explain .*?)\n(.*?)^```$",
        (ROOT / "README.md").read_text("utf-8"),
        re.MULTILINE | re.DOTALL,
    )
    assert run_command(command, tmp_path) == shown
    committed = ROOT / "docs" / "lowering.svg"
    assert (tmp_path / "lowering.svg").read_text("utf-8") == committed.read_text("utf-8")


def test_the_page_of_programs_shows_the_picture_of_explain(tmp_path):
    run_command("refdot explain attention --svg attention.svg", tmp_path)
    committed = ROOT / "docs" / "attention.svg"
    assert (tmp_path / "attention.svg").read_text("utf-8") == committed.read_text("utf-8")


def test_there_is_a_page_for_each_kind_of_extension():
    assert [page.stem for page in EXTENDING] == ["backend", "lowering", "rule", "target"]


# The site

needs_docs = pytest.mark.skipif(
    not all(map(find_spec, ("mkdocs", "material", "mkdocstrings", "jupytext", "nbclient"))),
    reason="the extra docs is not installed: pip install 'refdot[docs]'",
)


class Page(HTMLParser):
    """The links, the link targets and the number of pictures of a page."""

    def __init__(self, path):
        super().__init__()
        self.links, self.ids, self.svgs = set(), set(), 0
        self.feed(path.read_text("utf-8"))

    def handle_starttag(self, tag, attributes):
        """Record the links and ids of a tag."""
        values = dict(attributes)
        self.links |= {values[name] for name in ("href", "src") if name in values}
        self.ids |= {values[name] for name in ("id", "name") if name in values}
        self.svgs += tag == "svg" and values.get("class") == "refdot"


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Build the site, with warnings as errors, and read every page."""
    folder = tmp_path_factory.mktemp("pages") / "site"
    command = ["-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", folder]
    # Otherwise Material for MkDocs prints a note about its own future.
    built = run_python(*command, folder=ROOT, NO_MKDOCS_2_WARNING="1")
    assert (built.returncode, built.stdout, built.stderr) == (0, "", "")
    return {path: Page(path) for path in folder.rglob("*.html") if path.name != "404.html"}


@needs_docs
def test_no_link_is_dead(site):
    dead = []
    for path, page in site.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme:  # an external link; there may be no network
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
def test_pages_load_nothing_from_the_network(site):
    loaded = re.compile(r"""(?:src=|rel="?stylesheet"? href=|@import |url\()["']?(?:https?:)?//""")
    assert not [path.name for path in site if loaded.search(path.read_text("utf-8"))]


@needs_docs
def test_the_home_page_says_how_to_install_and_to_check_a_working_copy(site):
    (home,) = (path for path in site if path.name == "index.html" and path.parent.name == "site")
    text = home.read_text("utf-8")
    assert 'pip install "path/to/refdot[check]"' in unescape(re.sub(r"<.*?>", "", text))
    assert '<h2 id="with-a-working-copy-of-pytensor">' in text


@needs_docs
@needs_browser
def test_the_search_works_on_a_disk(site, tmp_path):
    from selenium.webdriver.common.by import By
    from selenium.webdriver.support.wait import WebDriverWait

    (gallery,) = (path for path in site if path.parts[-2:] == ("examples", "index.html"))
    with started_browser(tmp_path) as browser:
        browser.get(gallery.as_uri())
        box = browser.find_element(By.CSS_SELECTOR, "[data-md-component=search-query]")
        browser.execute_script("arguments[0].focus()", box)
        box.send_keys("cotangent")
        links = WebDriverWait(browser, 60).until(
            lambda _: browser.find_elements(By.CSS_SELECTOR, ".md-search-result__link")
        )
        found = {link.get_attribute("href") for link in links}
        assert f"{(gallery.parents[1] / 'api.html').as_uri()}#refdot.dot_vjp" in found
        assert browser.get_log("browser") == []


@needs_docs
def test_examples_are_shown_with_their_output_and_pictures(site):
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
def test_a_notebook_displays_what_has_a_picture_or_a_table():
    import nbformat
    from nbclient import NotebookClient

    cells = [
        "import refdot as rd\nrd.NamedTensor([[1, 2]], ('time', 'embd'))",
        "rd.lower_dot(('time', 'embd'), ('embd',))",
        "from refdot import check\nfrom refdot.targets import CallableTarget\n"
        "twice = CallableTarget(lambda x, y, dim=None: rd.dot(x, rd.dot(y, y, ()), dim), 'twice')\n"
        "report = check.run(twice, cases=20, only=['values'])\nreport.findings[0].mismatch",
        "report",
        "from refdot.display.explanation import explain\nexplain(rd.lower_dot('a', 'a'))",
    ]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    client = NotebookClient(notebook, kernel_name="python3", extra_arguments=["--log-level=ERROR"])
    client.execute(env=os.environ | {"PYTHONPATH": str(ROOT)})
    tensor, lowering, mismatch, report, explanation = (
        cell.outputs[-1].data["text/html"] for cell in notebook.cells
    )
    assert "<th>time</th><td>1</td>" in tensor
    assert lowering.startswith("<svg")
    assert "<th" in mismatch
    assert "<svg" in mismatch
    assert "<details open>" in report
    assert explanation.startswith("<pre")
