"""Targets by name: functions, targets of installed packages, and the messages of errors."""

import pickle
import sys
from importlib.metadata import PackageNotFoundError

import pytest

import refdot as rd
from refdot.targets import CallableTarget, TargetError, find_target
from refdot.targets.protocol import Backend


def message_of(name: str) -> str:
    """Return the message of the error that finding a target raises."""
    with pytest.raises(TargetError) as caught:
        find_target(name)
    return str(caught.value)


# Functions


def test_a_callable_is_found_by_its_module_and_path(module):
    for name, function in (("made_up:dot", rd.dot), ("made_up:Room.dot", rd.dot)):
        target = find_target(name)
        assert (target.name, target.function, target.gradients) == (name, function, False)
        assert target.backends() == (Backend("call"),)
    assert find_target("made_up:with_vjp").gradients
    assert sys.path[0] == ""


def test_a_found_callable_is_pickled_by_its_name(module):
    target = pickle.loads(pickle.dumps(find_target("made_up:with_vjp")))
    assert (target.name, target.function) == ("made_up:with_vjp", module.with_vjp)


CHOICES = "choose from pytensor, xarray or module:function"
ERRORS = {
    "nosuch": f"unknown target 'nosuch': {CHOICES}",
    "": f"unknown target '': {CHOICES}",
    "made_up:": f"unknown target 'made_up:': {CHOICES}",
    ":dot": f"unknown target ':dot': {CHOICES}",
    "made_up:no": "module 'made_up' has no attribute 'no'",
    "made_up:Room.no": "module 'made_up' has no attribute 'Room.no'",
    "made_up:Room.number": "made_up:Room.number is not callable",
    "no_such_module:dot": "cannot import no_such_module: "
    "ModuleNotFoundError: No module named 'no_such_module'",
}


@pytest.mark.parametrize(("name", "message"), ERRORS.items())
def test_a_callable_that_cannot_be_found_is_an_error_of_one_line(name, message, module):
    assert message_of(name) == message


def test_the_package_of_a_target_may_be_missing(monkeypatch):
    def version(name):
        raise PackageNotFoundError(name)

    monkeypatch.setattr("refdot.targets.xarray.version", version)
    assert message_of("xarray") == (
        "cannot import the target 'xarray': No package metadata was found for xarray; "
        "pip install 'refdot[xarray]'"
    )


# Targets of other packages

ACME_TARGET = """
import refdot as rd
from refdot.targets import CallableTarget


def acme():
    return CallableTarget(rd.dot, "acme")
"""


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Return a function that installs a package with one module and one target."""
    monkeypatch.syspath_prepend(tmp_path)

    def install(package: str, source: str, entry_point: str) -> None:
        monkeypatch.delitem(sys.modules, f"{package}_module", raising=False)
        (tmp_path / f"{package}_module.py").write_text(source, encoding="utf-8")
        metadata = tmp_path / f"{package}-1.0.dist-info"
        metadata.mkdir()
        (metadata / "METADATA").write_text(f"Name: {package}\nVersion: 1.0\n", encoding="utf-8")
        lines = f"[refdot.targets]\n{entry_point}\n"
        (metadata / "entry_points.txt").write_text(lines, encoding="utf-8")

    return install


def test_an_installed_package_provides_a_target_by_an_entry_point(install):
    install("acme", ACME_TARGET, "acme = acme_module:acme")
    target = find_target("acme")
    assert isinstance(target, CallableTarget)
    assert (target.name, target.function) == ("acme", rd.dot)
    assert message_of("amce") == (
        "unknown target 'amce': choose from acme, pytensor, xarray or module:function"
    )


CANNOT_IMPORT = "cannot import the target 'acme':"
AT_IMPORT = [
    ("import nosuch", "", f"{CANNOT_IMPORT} No module named 'nosuch'"),
    (
        "import nosuch",
        "[fast,gpu]",
        f"{CANNOT_IMPORT} No module named 'nosuch'; pip install 'acme[fast,gpu]'",
    ),
    ("raise SystemExit(3)", "", f"{CANNOT_IMPORT} SystemExit: 3"),
    ("raise RuntimeError('one\\nand two')", "[fast]", f"{CANNOT_IMPORT} RuntimeError: one and two"),
    ("acme = None", "", f"{CANNOT_IMPORT} TypeError: 'NoneType' object is not callable"),
    (
        "",
        "",
        f"{CANNOT_IMPORT} AttributeError: module 'acme_module' has no attribute 'acme'",
    ),
]


@pytest.mark.parametrize(("source", "extras", "message"), AT_IMPORT)
def test_a_target_that_fails_at_import_is_an_error_of_one_line(source, extras, message, install):
    install("acme", source, f"acme = acme_module:acme {extras}")
    assert message_of("acme") == message


def test_a_keyboard_interrupt_at_import_is_not_caught(install):
    install("acme", "raise KeyboardInterrupt", "acme = acme_module:acme")
    with pytest.raises(KeyboardInterrupt):
        find_target("acme")


def test_two_packages_must_not_provide_the_same_target(install):
    for package in ("acme", "acne"):
        install(package, ACME_TARGET, f"acme = {package}_module:acme")
    assert message_of("acme") == "several packages provide the target 'acme': acme, acne"
