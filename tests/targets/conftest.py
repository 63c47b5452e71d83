import sys
import types

import pytest

import refdot as rd


@pytest.fixture
def module(monkeypatch):
    """Create a module `made_up` that has callables, and restore `sys.path` afterwards."""
    made_up = types.ModuleType("made_up")
    made_up.dot = rd.dot
    made_up.Room = type("Room", (), {"dot": staticmethod(rd.dot), "number": 5})
    made_up.with_vjp = lambda x, y, dim=None: rd.dot(x, y, dim)
    made_up.with_vjp.vjp = rd.dot_vjp
    monkeypatch.setitem(sys.modules, "made_up", made_up)
    monkeypatch.setattr(sys, "path", list(sys.path))
    return made_up
