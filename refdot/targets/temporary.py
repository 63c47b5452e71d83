"""A temporary folder of this process, which is removed when the process ends."""

import atexit
import os
import tempfile
from functools import cache
from shutil import rmtree

__all__ = ["process_folder"]

# The shell waits until this process ends, in whatever way, and then removes the folder.
_WATCH = """
trap '' HUP INT TERM; exec >/dev/null 2>&1; read -r _
rm -rf -- "$1" || { sleep 1; rm -rf -- "$1"; }
"""


@cache
def process_folder() -> str:
    """Return a folder that exists as long as this process, even if the process is killed."""
    folder, process = tempfile.mkdtemp(prefix="refdot-"), os.getpid()

    def remove() -> None:
        if os.getpid() == process:  # and not a copy of it
            rmtree(folder, ignore_errors=True)

    atexit.register(remove)
    if hasattr(os, "posix_spawn"):
        end_of_shell, _ = os.pipe()  # the other end closes when this process ends
        standard_input = (os.POSIX_SPAWN_DUP2, end_of_shell, 0)
        arguments = ["sh", "-c", _WATCH, "sh", folder]
        os.posix_spawn("/bin/sh", arguments, os.environ, file_actions=[standard_input])
        os.close(end_of_shell)
    return folder
