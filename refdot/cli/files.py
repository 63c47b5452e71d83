"""Files that the command line reads and writes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from refdot.cli.arguments import UsageError
from refdot.reporting.writing import write_file
from refdot.text import printable

if TYPE_CHECKING:
    from refdot.cases.case import DotCase
    from refdot.programs.case import ProgramCase

__all__ = ["case_in", "make_folder", "read_text", "usage_errors", "write_text"]


@contextmanager
def usage_errors(label: object) -> Iterator[None]:
    """Turn errors of files and of their content into a `UsageError` that names the file."""
    try:
        yield
    except FileExistsError:
        raise UsageError(f"{label}: not a folder") from None
    except OSError as error:
        raise UsageError(f"{label}: {error.strerror}") from None
    except RecursionError:
        raise UsageError(f"{label}: nested too deeply") from None
    except ValueError as error:
        raise UsageError(printable(f"{label}: {error}")) from None


def read_text(path: Path) -> str:
    """Return the text of a file in UTF-8."""
    with usage_errors(path):
        return path.read_text(encoding="utf-8")


def case_in(data: object) -> DotCase | ProgramCase:
    """Return the case, of a dot or of a program, in what `json.loads` returns."""
    from refdot.cases.codec import case_from_json
    from refdot.programs.codec import program_case_from_json

    if isinstance(data, dict) and "steps" in data:
        return program_case_from_json(data)
    return case_from_json(data)


def write_text(path: Path, text: str, option: str) -> None:
    """Write a file that an option names."""
    with usage_errors(f"{option} {path}"):
        write_file(path, text)


def make_folder(path: Path | None, option: str = "--report") -> None:
    """Make the folder that an option names, unless the option is absent."""
    if path is not None:
        with usage_errors(f"{option} {path}"):
            path.mkdir(parents=True, exist_ok=True)
