"""What mkdocs does beside rendering: pages that are made, not written.

Each example becomes a page: it is run as a notebook, and shown with what it printed and drew. The
specification and the changes are taken from the project's root, and the command line's help is
what `--help` prints.
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

Where PyTensor's dot breaks a rule, the oracle keeps the rule. What is understood is on record in
`refdot/pytensor/deviations.py`: {count} causes, each with the smallest case that shows it, run here
with PyTensor {version}. `refdot check` counts what they explain as known, and anything else as new;
with `--strict`, known ones count too. `refdot check --list` prints this list.

"""


def on_files(files: Any, config: Any) -> Any:
    """Add the pages that are made."""
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
    """Append each command's help to the page of the command line."""
    return markdown + command_help() if page.file.src_uri == "command-line.md" else markdown


def command_help() -> str:
    """Give what `--help` prints of each command."""
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
    """List the known deviations of the PyTensor that is installed, each as an issue for it."""
    from refdot.pytensor.target.target import PyTensorTarget
    from refdot.reporting.deviations import deviation_text

    target = PyTensorTarget()
    texts = [deviation_text(deviation, target) for deviation in target.deviations]
    return DEVIATIONS_HEAD.format(count=len(texts), version=target.version) + "\n".join(texts)


def example_page(path: Path) -> tuple[str, dict[str, bytes]]:
    """Run an example as a notebook: give its page, and the pictures that it draws."""
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
        # No BLAS and no compiler: PyTensor would warn that it looked for them in vain.
        flags = {"PYTENSOR_FLAGS": "cxx=,blas__ldflags="}
        # What goes wrong in a cell is raised here; on its own stderr a kernel has but last words,
        # if it is shut down in the middle of something.
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
    """Give an output of a cell as Markdown; a figure is added to the pictures."""
    if output.output_type == "stream":
        return f"```text\n{output.text.rstrip()}\n```" if output.name == "stdout" else ""
    if "text/html" in output.data:
        return f'<div class="output">{output.data["text/html"]}</div>'
    if "image/png" in output.data:
        pictures[Path(name).name] = base64.b64decode(output.data["image/png"])
        return f"![What this cell draws]({name})"
    return f"```text\n{output.data['text/plain']}\n```"


def gallery_entry(stem: str, page: str, pictures: Iterable[str]) -> str:
    """Give an example's title, which leads to it, its first words and its first picture."""
    title, words, *_ = page.removeprefix("# ").split("\n\n")
    first = next(iter(pictures), None)
    picture = f"\n\n![{title}]({stem}/{first})" if first else ""
    return f"## [{title}]({stem}.md)\n\n{words}{picture}"
