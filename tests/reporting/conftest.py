"""A module with a faulty dot, for tests that need a target in a file."""

import sys

import pytest

MODULE = '''\
import refdot


def dot(x, y, dim=None):
    """Return a correct answer only if it has fewer than two dims."""
    out = refdot.dot(x, y, dim)
    return out.transpose(*reversed(out.dims))
'''


@pytest.fixture
def module(tmp_path, monkeypatch):
    """Write a module with a faulty dot to the current folder."""
    (tmp_path / "planted_dot.py").write_text(MODULE, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield "planted_dot:dot"
    sys.modules.pop("planted_dot", None)
