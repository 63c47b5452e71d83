"""Counterexamples that are kept for the next run, in a database of Hypothesis's own."""

from __future__ import annotations

import json
from pathlib import Path

from hypothesis.database import DirectoryBasedExampleDatabase

from refdot.cases.case import DotCase
from refdot.cases.codec import case_from_json, case_to_json

__all__ = ["keep", "kept_cases"]


def keep(folder: Path, target: str, case: DotCase) -> None:
    """Keep a case that a target fails.

    Parameters
    ----------
    folder : Path
        Made if it is not there.
    target : str
        Its name.
    case : DotCase
    """
    text = json.dumps(case_to_json(case), sort_keys=True)
    DirectoryBasedExampleDatabase(folder).save(target.encode(), text.encode())


def kept_cases(folder: Path, target: str) -> tuple[DotCase, ...]:
    """Give the cases that are kept of a target, in an order of their own.

    What another version of refdot kept, and this one cannot read, is left out.
    """
    cases = []
    for value in sorted(DirectoryBasedExampleDatabase(folder).fetch(target.encode())):
        try:
            cases.append(case_from_json(value.decode()))
        except ValueError:
            continue
    return tuple(cases)
