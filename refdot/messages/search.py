"""Search with a regex within a time limit, and find out whether it is catastrophic."""

import json
import re
import signal
import subprocess
import sys
from collections.abc import Sequence

__all__ = ["TIME_LIMIT", "probe_texts", "search"]

# Seconds of processor time for all searches together. A sound regex takes a few thousandths of it.
TIME_LIMIT = 5.0
# Python itself starts slowly on a busy machine, so the limit of wall time is larger. Windows has
# no timer of processor time, and so only a limit of wall time.
_HAS_TIMER = hasattr(signal, "setitimer")
_WALL_FACTOR = 12 if _HAS_TIMER else 1
# Long enough that a regex with exponentially many ways to match never ends, and short enough
# that one with cubically many ways ends at once.
_PROBE_LENGTH = 250
_LONG_MESSAGE = 2000

# `re.search` holds the interpreter until it ends: no thread and no handler of a signal can stop it.
# The default action of the timer's signal can: it ends the process.
_SEARCHER = """
import json, re, signal, sys
if hasattr(signal, "setitimer"):
    signal.setitimer(signal.ITIMER_VIRTUAL, float(sys.argv[1]))
patterns, texts, pairs = json.load(sys.stdin)
for pattern, text in pairs:
    found = re.search(patterns[pattern], texts[text])
    sys.stdout.write("0" if found is None else "1")
    sys.stdout.flush()
"""


def search(searches: Sequence[tuple[str, str]]) -> dict[tuple[str, str], bool]:
    """Return whether each pattern matches its text, for as many searches as time allows.

    Examples
    --------
    >>> search([("a+", "baa"), ("c", "baa")])
    {('a+', 'baa'): True, ('c', 'baa'): False}
    """
    command = [sys.executable, "-I", "-S", "-W", "ignore", "-c", _SEARCHER, str(TIME_LIMIT)]
    # Each pattern and each text is sent once.
    patterns, texts = (
        {each: n for n, each in enumerate(dict.fromkeys(side))}
        for side in zip(*searches, strict=True)
    )
    pairs = [(patterns[pattern], texts[text]) for pattern, text in searches]
    data = json.dumps([[*patterns], [*texts], pairs]).encode()
    wall_limit = TIME_LIMIT * _WALL_FACTOR
    try:
        printed = subprocess.run(
            command, input=data, capture_output=True, timeout=wall_limit, check=True
        ).stdout
    except subprocess.TimeoutExpired as stopped:
        printed = stopped.stdout or b""
    except subprocess.CalledProcessError as ended:
        if not _HAS_TIMER or ended.returncode != -signal.SIGVTALRM:
            raise
        printed = ended.stdout
    # The output is shorter than `searches` if one of them did not end in time.
    return dict(zip(searches, (result == "1" for result in printed.decode()), strict=False))


def probe_texts(pattern: str, texts: Sequence[str]) -> list[str]:
    """Return long texts on which a catastrophic pattern does not end.

    Each repeats something that the pattern may repeat, and ends with something that it may not
    expect.
    """
    words = re.findall(r"\w+", pattern)
    pieces = dict.fromkeys([*pattern, *"a0_ .", *words, *(f"{word} " for word in words)])
    repeated = [piece * (1 + _PROBE_LENGTH // len(piece)) + "\n\0\n" for piece in pieces]
    longest = sorted(texts, key=len)[-3:]
    return repeated + [
        (text * (1 + _LONG_MESSAGE // max(1, len(text))))[:_LONG_MESSAGE] for text in longest
    ]
