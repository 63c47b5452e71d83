"""Run Python in a separate process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
# In seconds. Only a process that hangs takes so long, however busy the machine is.
HANGS = 1200


def run_python(
    *arguments: object, folder: Path | None = None, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run Python with arguments in a folder, and return its output.

    The process imports this refdot, wherever it runs.
    """
    paths = [str(ROOT), *filter(None, [environment.pop("PYTHONPATH", "")])]
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        cwd=folder,
        env=os.environ | environment | {"PYTHONPATH": os.pathsep.join(paths)},
        capture_output=True,
        text=True,
        timeout=HANGS,
        check=False,
    )
