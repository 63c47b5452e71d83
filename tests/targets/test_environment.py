"""The environment of a verdict."""

import numpy as np
import pytest

import refdot
from refdot.targets.callable import CallableTarget
from refdot.targets.environment import blas_of, environment_of

TARGET = CallableTarget(refdot.dot, "dot")


def test_a_target_without_an_environment_has_that_of_numpy(monkeypatch):
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    found = environment_of(TARGET)
    assert found["numpy"] == np.__version__
    assert found["threads"].endswith("CPUs, OMP_NUM_THREADS=3")


def test_a_target_adds_its_own():
    target = CallableTarget(refdot.dot, "dot")
    target.environment = lambda: {"numpy": "patched", "linker": "none"}
    found = environment_of(target)
    assert (found["numpy"], found["linker"]) == ("patched", "none")


@pytest.mark.parametrize("package", ["no_such_package", "json"])
def test_the_blas_of_a_package_may_be_unknown(package):
    assert blas_of(package) == "unknown"
