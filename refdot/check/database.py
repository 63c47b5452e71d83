"""Saves counterexamples for later runs, in a database of Hypothesis."""

import json
from pathlib import Path

from hypothesis.database import DirectoryBasedExampleDatabase

from refdot.cases.case import DotCase

__all__ = ["load_cases", "save_case"]


def save_case(folder: Path, target: str, case: DotCase) -> None:
    """Save a case that the target of this name fails; create the folder if it does not exist."""
    from refdot.cases.codec import case_to_json  # msgspec is needed only where there is a database

    text = json.dumps(case_to_json(case), sort_keys=True)
    DirectoryBasedExampleDatabase(folder).save(_key(target), text.encode())


def load_cases(folder: Path, target: str) -> tuple[DotCase, ...]:
    """Return the saved cases of a target, in an order that does not depend on the file system.

    Cases that this version of refdot cannot read are left out.
    """
    from refdot.cases.codec import case_from_json

    cases = []
    for value in sorted(DirectoryBasedExampleDatabase(folder).fetch(_key(target))):
        try:
            cases.append(case_from_json(value.decode()))
        except (ValueError, RecursionError):
            continue
    return tuple(cases)


def _key(target: str) -> bytes:
    # The path of a file need not be in UTF-8.
    return target.encode(errors="surrogatepass")
