"""Run the commands that read files on mutated files: each is accepted, or rejected in one line.

`python tests/fuzz/bad_input.py COMMAND --seconds 60 --seed 0`, where COMMAND is replay, merge, diff
or database, prints how many files were tried. It stops at a file that ends in a traceback, in
another exit code or in more than one line, or takes longer than `LIMIT` seconds, and keeps it.
"""

from __future__ import annotations

import argparse
import io
import json
import random
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))
from hostile import HOSTILE

import refdot as rd
from refdot import check
from refdot.cases.codec import case_to_json
from refdot.cases.random_cases import case_at
from refdot.check.database import save_case
from refdot.cli import main
from refdot.cli.output import INTERRUPTED
from refdot.messages.codec import survey_to_json
from refdot.messages.survey import survey
from refdot.programs.codec import program_case_to_json
from refdot.programs.random_programs import program_at
from refdot.reporting.codec import report_to_json
from refdot.targets.callable import CallableTarget

LIMIT = 60
DEEP = 100_000
VALUES = (
    *(None, True, False, 0, 1, -1, 2, 1.0, 0.5, -0.0, 1e308, float("nan"), float("inf")),
    *(2**31, 2**63, 2**64, 10**30, "", "a", "x", "0", "1/1", "3/2", "stock", "float16", "none"),
    *(*HOSTILE, "a" * 100_000, [], [[]], {}, {"": {}}, [0] * 65, ["a"] * 65, list("abc")),
    *("y = f(" * DEEP, "-" * DEEP, "y = rename(x, **5)", "y = isel(x, a=1if 1 else 2)"),
    *([f"d{axis}" for axis in range(65)], [1] * 64, [0, 10**9], [10**9, 10**9], [True] * 3),
)


def copied(data: Any) -> Any:
    return json.loads(json.dumps(data))


def places(node: Any) -> Iterator[tuple[Any, Any]]:
    """Yield each list or object within some JSON, with each of its keys."""
    items = node.items() if isinstance(node, dict) else enumerate(node)
    for key, value in items:
        yield node, key
        if isinstance(value, dict | list):
            yield from places(value)


def with_other_data(data: Any, random: random.Random) -> str:
    """Return JSON with one to three values replaced, removed, added or repeated."""
    data = copied(data)
    for _ in range(random.randint(1, 3)):
        found = list(places(data))
        if not found:
            break
        (node, key), (other, other_key) = random.choice(found), random.choice(found)
        action = random.randrange(5)
        if action == 0:
            del node[key]
        elif action == 1:
            node[key] = copied(other[other_key])
        elif action == 2 and isinstance(node, list):
            node.insert(key, copied(random.choice(VALUES)))
        elif action == 3 and isinstance(node, dict):
            node[random.choice([*HOSTILE, "a", str(key)])] = copied(node.get(key))
        else:
            node[key] = copied(random.choice(VALUES))
    return json.dumps(data, ensure_ascii=random.random() < 0.5)


def with_other_bytes(text: str, random: random.Random) -> bytes:
    """Return a text as bytes, some of them changed, or cut, or nested deeply."""
    content = bytearray(text.encode("utf-8", "surrogatepass"))
    action, place = random.randrange(6), random.randrange(len(content) + 1)
    if action == 0:
        return bytes(content[:place])
    if action == 1:
        return b"[" * DEEP + bytes(content)
    if action == 2:
        content[place:place] = b'{"a":' * DEEP
    elif action == 3:
        content[place:place] = random.choice(
            [b"\x00", b"\xff\xfe", b"\xef\xbb\xbf", b"\xed\xa0\x80"]
        )
    elif action == 4:
        content[place:place] = b"9" * 5000
    else:
        for _ in range(random.randint(1, 4)):
            content[random.randrange(len(content))] = random.randrange(256)
    return bytes(content)


def mutated(data: Any, random: random.Random) -> bytes:
    if random.random() < 0.25:
        return with_other_bytes(json.dumps(data), random)
    return with_other_data(data, random).encode("utf-8", "surrogatepass")


def wrong(x, y, dim=None):
    return rd.dot(y, x, dim)


class Attack:
    """The files that a command reads, and the command."""

    data: list[Any]  # what valid files hold

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / "input.json"

    def words(self) -> list[str]:
        """Return the command that reads the file."""
        raise NotImplementedError

    def problem_with(self, content: bytes) -> tuple[int, str]:
        """Return the exit code of the command on some content, and what is wrong with its end."""
        self.path.write_bytes(content)
        out, err = io.StringIO(), io.StringIO()
        try:
            with time_limit(), redirect_stdout(out), redirect_stderr(err):
                code = main(self.words())
            printed = out.getvalue().split("\n")
        except BaseException:
            return -1, traceback.format_exc()
        lines = err.getvalue().splitlines()
        if code not in (0, 1, 2, INTERRUPTED):  # the last one of a report that says so
            return code, f"exit code {code}: {lines}"
        if not all(map(str.isprintable, printed)):
            return code, "characters that cannot be printed"
        if len(lines) != (code == 2) or not all(map(str.isprintable, lines)):
            return code, f"{len(lines)} lines: {lines[:3]}"
        return code, ""


@contextmanager
def time_limit() -> Iterator[None]:
    def stop(*_: object) -> None:
        raise TimeoutError(f"not finished after {LIMIT} s")

    signal.signal(signal.SIGALRM, stop)
    signal.alarm(LIMIT)
    try:
        yield
    finally:
        signal.alarm(0)


class Replay(Attack):
    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.data = [case_to_json(case_at(0, index)) for index in range(50)]
        self.data += [program_case_to_json(program_at(0, index)) for index in range(25)]

    def words(self) -> list[str]:
        return ["replay", str(self.path), "xarray"]


class Merge(Attack):
    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        target = CallableTarget(wrong, "m:wrong", gradients=True)
        reports = [check.run(target, cases=5, exhaustive=0, fixed=False, seed=n) for n in (0, 1)]
        self.data = [report_to_json(report) for report in reports]

    def words(self) -> list[str]:
        return ["merge", str(self.path)]


class Diff(Attack):
    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        found = survey_to_json(survey(CallableTarget(wrong, "m:wrong")))
        self.data = [found | {"messages": found["messages"][::5]}]
        (folder / "before.json").write_text(json.dumps(self.data[0]))

    def words(self) -> list[str]:
        return ["errors", "--diff", str(self.folder / "before.json"), str(self.path)]


class Database(Attack):
    """Every entry of a database stays there, and every later run reads it again."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.data = [case_to_json(case_at(0, index)) for index in range(50)]
        self.target = CallableTarget(rd.dot, "m:dot")
        save_case(folder, self.target.name, case_at(0, 0))
        (self.path,) = (each for each in folder.rglob("*") if b'"x"' in contents(each))

    def problem_with(self, content: bytes) -> tuple[int, str]:
        self.path.write_bytes(content)
        try:
            with time_limit():
                check.run(self.target, cases=1, fixed=False, database=self.folder)
        except BaseException:
            return -1, traceback.format_exc()
        return 0, ""


def contents(path: Path) -> bytes:
    return path.read_bytes() if path.is_file() else b""


ATTACKS: dict[str, Callable[[Path], Attack]] = {
    "replay": Replay,
    "merge": Merge,
    "diff": Diff,
    "database": Database,
}


def run(command: str, seconds: float, seed: int) -> Counter[int]:
    """Return how often a command ended with each exit code; raise at the first problem."""
    chosen, counts, end = random.Random(seed), Counter[int](), time.monotonic() + seconds
    with tempfile.TemporaryDirectory() as folder:
        attack = ATTACKS[command](Path(folder))
        while time.monotonic() < end:
            content = mutated(chosen.choice(attack.data), chosen)
            code, problem = attack.problem_with(content)
            counts[code] += 1
            if problem:
                kept = Path(tempfile.gettempdir()) / f"bad-input-{command}.json"
                kept.write_bytes(content)
                raise AssertionError(f"{problem}\nfile number {counts.total()}, kept in {kept}")
    return counts


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("command", choices=ATTACKS)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    found = run(options.command, options.seconds, options.seed)
    refused = found[2]
    print(f"{options.command}: {found.total():,} files, {refused:,} refused in one line")
