"""Writes files as a whole: the earlier ones stay until the new ones are complete."""

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from shutil import rmtree

__all__ = ["write_file", "write_files"]

_PREFIX = ".refdot-"


def write_files(folder: Path, contents: Mapping[str, str]) -> None:
    """Write files of a folder, given by name, in UTF-8. All are complete before one is replaced.

    A lone surrogate becomes an escape sequence, which in JSON stands for it. A link is replaced,
    and the file that it refers to is not.
    """
    for left in folder.glob(f"{_PREFIX}*"):  # by a process that was killed
        rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=_PREFIX) as new:
        for name, content in contents.items():
            path = Path(new, name)
            path.write_text(content, encoding="utf-8", errors="backslashreplace")
        for name in contents:
            os.replace(Path(new, name), folder / name)


def write_file(path: Path, content: str) -> None:
    """Write a file that a user names, through a link if it is one."""
    path = path.resolve()
    if path.exists() and not path.is_file():  # such as /dev/stdout
        path.write_text(content, encoding="utf-8", errors="backslashreplace")
    else:
        write_files(path.parent, {path.name: content})
