"""Writes files as a whole: the earlier ones stay until the new ones are complete."""

import os
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from shutil import rmtree

__all__ = ["write_file", "write_files"]

_PREFIX = ".refdot-unfinished-"
_SECONDS = 600.0  # longer than a process writes; an older folder is one that it left


def write_files(folder: Path, contents: Mapping[str, str]) -> None:
    """Write files of a folder, given by name, in UTF-8. All are complete before one is replaced.

    A lone surrogate becomes an escape sequence, which in JSON stands for it. A link is replaced,
    and the file that it refers to is not.
    """
    _remove_unfinished(folder)
    with tempfile.TemporaryDirectory(dir=folder, prefix=_PREFIX) as new:
        for name, content in contents.items():
            path = Path(new, name)
            path.write_text(content, encoding="utf-8", errors="backslashreplace")
        for name in contents:
            os.replace(Path(new, name), folder / name)


def write_file(path: Path, content: str) -> None:
    """Write a file that a user names, through a link if it is one."""
    is_device = path.is_relative_to("/dev") or (path.exists() and not path.is_file())
    if is_device:  # such as /dev/stdout, which may be a pipe or a file
        path.write_text(content, encoding="utf-8", errors="backslashreplace")
    else:
        path = path.resolve()
        write_files(path.parent, {path.name: content})


def _remove_unfinished(folder: Path) -> None:
    """Remove what processes left that were killed while they wrote to a folder."""
    for left in folder.glob(f"{_PREFIX}*"):
        with suppress(FileNotFoundError):  # another process has removed it
            if left.lstat().st_mtime < time.time() - _SECONDS:
                rmtree(left, ignore_errors=True)
