"""A folder with targets and files, for the tests of the command line."""

import sys

import pytest

# Modules with targets, one file each.
MODULES = {
    "right_dot": "from refdot import dot\nnumber = 5\n",
    "wrong_dot": "import refdot\n\n\ndef dot(x, y, dim=None):\n    return refdot.dot(y, x, dim)\n",
    "raises_at_import": "import no_such_module\n",
    "leaves_at_import": "raise SystemExit(3)\n",
    "two_lines_at_import": "raise RuntimeError('one line\\nand another')\n",
    "leaves_at_use": "class Target:\n    def __getattribute__(self, name):\n"
    "        raise SystemExit(0)\n\n\ntarget = Target()\n",
    "guarded": "def __getattr__(name):\n    raise RuntimeError(f'{name} is not for you')\n",
}
FILES = {
    "broken.json": '{"x": ',
    "empty.json": "{}",
    "latin.json": '"é"'.encode("latin-1"),
    "case.json": '{"x": {"dims": ["b"], "shape": [1]}, "y": {"dims": ["a"], "shape": [1]}}',
}


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Change to a folder with these modules and files; forget imported modules afterwards."""
    for name, source in MODULES.items():
        (tmp_path / f"{name}.py").write_text(source, encoding="utf-8")
    for name, text in FILES.items():
        (tmp_path / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", ["", *filter(None, sys.path)])
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    yield tmp_path
    for name in MODULES:
        sys.modules.pop(name, None)
