import sys
import types

import numpy as np
import pytest

import refdot as rd
from refdot.targets import CallableTarget, Unsupported


def _fail(name):
    if name == "broken":
        raise RuntimeError("one\nand two")
    raise AttributeError(name)


@pytest.fixture
def module(monkeypatch):
    """Create a module `made_up` that has callables, and restore `sys.path` afterwards."""
    made_up = types.ModuleType("made_up")
    made_up.dot = rd.dot
    made_up.Room = type("Room", (), {"dot": staticmethod(rd.dot), "number": 5})
    made_up.with_vjp = lambda x, y, dim=None: rd.dot(x, y, dim)
    made_up.with_vjp.vjp = rd.dot_vjp
    made_up.array = np.zeros(2)
    made_up.binary = lambda x, y: rd.dot(x, y)
    limit = Unsupported("only matrices", lambda case: len(case.dims) != 3)
    made_up.target = CallableTarget(rd.dot, "own name", version="2", unsupported=(limit,))
    made_up.half = types.SimpleNamespace(name="half", version="1", run=None, backends=None)
    made_up.__getattr__ = _fail
    monkeypatch.setitem(sys.modules, "made_up", made_up)
    monkeypatch.setattr(sys, "path", list(sys.path))
    return made_up
