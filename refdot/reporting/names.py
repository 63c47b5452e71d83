"""The file names of the scripts that reproduce findings."""

import re
from hashlib import sha256

from refdot.check.findings import Finding
from refdot.programs.findings import ProgramFinding

__all__ = ["is_script_name", "program_script_name", "reproducer_name"]


def reproducer_name(finding: Finding) -> str:
    """Return the file name of a finding's script: readable, and different for each finding."""
    return _script_name(finding.mismatch.rule, finding.mismatch.kind, finding.key)


def program_script_name(finding: ProgramFinding) -> str:
    """Return the file name of the script of a finding of a program."""
    difference = finding.observation.difference
    return _script_name(f"program {difference.rule}", difference.kind, finding.key)


def is_script_name(text: str) -> bool:
    """Return whether a text is the file name of a script, and not that of another file.

    Examples
    --------
    >>> is_script_name("reproducer_r6_wrong_value_839ec4.py"), is_script_name("reproducer_mine.py")
    (True, False)
    """
    return re.fullmatch(r"reproducer_[a-z0-9_]+_[0-9a-f]{6}\.py", text) is not None


def _script_name(rule: str, kind: str, key: tuple[str, str | None]) -> str:
    """Return the file name of a script: it has the rule, the kind and a hash of the key.

    Examples
    --------
    >>> _script_name("R6", "wrong-value", ("R6 wrong-value: NaN", None))
    'reproducer_r6_wrong_value_839ec4.py'
    """
    signature, known = key
    digest = sha256((signature + (known or "")).encode(errors="backslashreplace")).hexdigest()[:6]
    words = re.sub(r"\W+", "_", f"{rule} {kind} {digest}".lower())
    return f"reproducer_{words}.py"
