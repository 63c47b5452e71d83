"""Write the list of rooms and modules in CONTRIBUTING.md, from the docstrings of the modules.

python docs/house.py
"""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "CONTRIBUTING.md"
BLOCK = re.compile(
    r"(?<=<!-- written by docs/house\.py -->\n\n```\n).*?(?=```\n\n<!-- end -->)", re.DOTALL
)
INDENT, COLUMN = "  ", 27


def layers() -> Iterator[str]:
    """Yield the rooms and modules of the layered import contract, the lowest first."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]
    for layer in reversed(contracts["contracts"][0]["layers"]):
        yield from (name.strip().removeprefix("refdot.") for name in layer.split("|"))


def summary(path: Path) -> str:
    """Return the first line of a module's docstring."""
    return (ast.get_docstring(ast.parse(path.read_text("utf-8"))) or "").partition("\n")[0]


def lines(path: Path, depth: int = 0) -> Iterator[str]:
    """Yield a line for a module, or for a package and all its modules."""
    indent = depth * INDENT
    if path.is_file():
        yield f"{indent + path.name:<{COLUMN}}{summary(path)}"
        return
    yield f"{indent + path.name + '/':<{COLUMN}}{summary(path / '__init__.py')}"
    modules = (each for each in path.glob("*.py") if each.name != "__init__.py")
    packages = (each.parent for each in path.glob("*/__init__.py"))
    for each in (*sorted(modules), *sorted(packages)):
        yield from lines(each, depth + 1)


def house() -> str:
    """Return the whole list."""
    package = ROOT / "refdot"
    rooms = [package / name for name in layers()]
    paths = [room if room.is_dir() else room.with_suffix(".py") for room in rooms]
    return "\n".join(line for path in paths for line in lines(path)) + "\n"


if __name__ == "__main__":
    PAGE.write_text(BLOCK.sub(lambda _: house(), PAGE.read_text("utf-8")), "utf-8")
