"""Hooks of mkdocs: pages that are generated.

Each example becomes a page with its output: it is run as a notebook. The specification and the
changelog come from the project's root, the home page has a section of README.md, and the page of
the command line shows `--help`.
"""

from __future__ import annotations

import argparse
import base64
import os
from collections.abc import Iterable
from pathlib import Path
from subprocess import DEVNULL
from tempfile import TemporaryDirectory
from typing import Any

ROOT = Path(__file__).parent.parent
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))

DEVIATIONS_HEAD = """\
# Known deviations of PyTensor

PyTensor's dot breaks some of the rules. These are {count} known deviations, each with its cause and
the smallest case that shows it; those that only programs show come last. They are in
`refdot/pytensor/deviations/` and `refdot/pytensor/programs/deviations.py`. The answers come from
PyTensor {version}.
`refdot check` reports mismatches with these causes as known, and all others as NEW. The command
`refdot check --list ID` prints one of them.

"""


def on_files(files: Any, config: Any) -> Any:
    """Add the generated pages."""
    from mkdocs.structure.files import File

    def add(uri: str, content: str | bytes) -> None:
        files.append(File.generated(config, uri, content=content))

    add("specification.md", (ROOT / "SPEC.md").read_text("utf-8"))
    add("changes.md", (ROOT / "CHANGELOG.md").read_text("utf-8"))
    add("deviations.md", deviations_page())
    gallery = [(ROOT / "examples" / "README.md").read_text("utf-8")]
    for path in EXAMPLES:
        page, pictures = example_page(path)
        add(f"examples/{path.stem}.md", page)
        for name, content in pictures.items():
            add(f"examples/{path.stem}/{name}", content)
        gallery.append(gallery_entry(path.stem, page, pictures))
    add("examples/index.md", "\n\n".join(gallery))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Append the help of each command to its page, and a section of README.md to the home page."""
    if page.file.src_uri == "command-line.md":
        markdown += command_help()
    if page.file.src_uri == "index.md":
        markdown += readme_section("With a working copy of PyTensor")
    if "\n## " not in markdown:  # the table of contents would be empty
        page.meta["hide"] = ["toc"]
    return markdown


def readme_section(title: str) -> str:
    """Return a section of README.md, with links that are right in the folder of the pages."""
    sections = (ROOT / "README.md").read_text("utf-8").split("\n## ")
    (section,) = (each for each in sections if each.startswith(f"{title}\n"))
    return f"\n\n## {section}".replace("](docs/", "](")


def command_help() -> str:
    """Return the output of `--help` for each command."""
    from refdot.cli.parser import parser

    os.environ["COLUMNS"] = "80"  # argparse fills lines up to the width of the terminal
    (commands,) = (
        action.choices
        for action in parser()._actions
        if isinstance(action, argparse._SubParsersAction)
    )
    return "".join(
        f"\n\n## refdot {name}\n\n```text\n{command.format_help()}```"
        for name, command in commands.items()
    )


def deviations_page() -> str:
    """Return the known deviations of the installed PyTensor, each as an issue."""
    from refdot.pytensor.programs.target import PyTensorProgramTarget
    from refdot.reporting.deviations import deviation_markdown, program_deviation_markdown

    target = PyTensorProgramTarget()
    texts = [deviation_markdown(deviation, target) for deviation in target.deviations]
    of_dots = {deviation.id for deviation in target.deviations}
    texts += [
        program_deviation_markdown(deviation, target)
        for deviation in target.program_deviations
        if deviation.id not in of_dots
    ]
    return DEVIATIONS_HEAD.format(count=len(texts), version=target.version) + "\n".join(texts)


def example_page(path: Path) -> tuple[str, dict[str, bytes]]:
    """Run an example as a notebook; return its page and its pictures."""
    import jupytext
    from nbclient import NotebookClient

    notebook = jupytext.read(path)
    with TemporaryDirectory() as folder:
        client = NotebookClient(
            notebook,
            kernel_name="python3",
            resources={"metadata": {"path": folder}},
            extra_arguments=["--log-level=ERROR"],
            coalesce_streams=True,
        )
        # Without these flags, PyTensor warns that it found no BLAS and no compiler.
        flags = {"PYTENSOR_FLAGS": "cxx=,blas__ldflags="}
        # An error in a cell is raised here. The stderr of the kernel has only messages about its
        # shutdown.
        client.execute(env=os.environ | flags, stderr=DEVNULL)
        pictures = {
            picture.name: picture.read_bytes()
            for picture in sorted(Path(folder).glob("output/*.svg"))
        }
    parts = []
    for number, cell in enumerate(notebook.cells):
        if cell.cell_type == "markdown":
            parts.append(cell.source)
            continue
        parts.append(f"```python\n{cell.source}\n```")
        for output in cell.outputs:
            parts.append(shown(output, f"{path.stem}/cell{number}.png", pictures))
    return "\n\n".join(filter(None, parts)), pictures


def shown(output: Any, name: str, pictures: dict[str, bytes]) -> str:
    """Return the output of a cell as Markdown; add a figure to the pictures."""
    if output.output_type == "stream":
        return f"```text\n{output.text.rstrip()}\n```" if output.name == "stdout" else ""
    if "text/html" in output.data:
        return f'<div class="output">{output.data["text/html"]}</div>'
    if "image/png" in output.data:
        pictures[Path(name).name] = base64.b64decode(output.data["image/png"])
        return f"![The figure of this cell]({name})"
    return f"```text\n{output.data['text/plain']}\n```"


def gallery_entry(stem: str, page: str, pictures: Iterable[str]) -> str:
    """Return the title of an example as a link, its first paragraph and its first picture."""
    title, words, *_ = page.removeprefix("# ").split("\n\n")
    first = next(iter(pictures), None)
    picture = f"\n\n![{title}]({stem}/{first})" if first else ""
    return f"## [{title}]({stem}.md)\n\n{words}{picture}"
