"""Targets by name: functions and targets of modules, of files and of installed packages."""

import pickle
import sys
from importlib.metadata import PackageNotFoundError, entry_points

import numpy as np
import pytest

import refdot as rd
from refdot.cases.notation import dot_case
from refdot.targets import CallableTarget, TargetError, find_target
from refdot.targets.protocol import Backend, TargetNameError


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


INSTALLED = ", ".join(sorted(entry_points(group="refdot.targets").names))
CHOICES = f"choose from {INSTALLED}, module:object or path/to/file.py:object"
OBJECT = "with the name of a function or a target"
ERRORS = {
    "nosuch": f"unknown target 'nosuch': {CHOICES}",
    "xaray": f"unknown target 'xaray': {CHOICES}; did you mean xarray?",
    "made_up.dot": f"unknown target 'made_up.dot': {CHOICES}; for dot in made_up, write "
    "made_up:dot",
    "": f"no target '': {CHOICES}",
    ":": f"no target ':': {CHOICES}",
    ":dot": f"no module in ':dot': {CHOICES}",
    "made_up:": f"no object in 'made_up:': write made_up:NAME, {OBJECT}",
    "my.py": f"'my.py' is a file: write my.py:NAME, {OBJECT}",
    "folder/my": f"'folder/my' is a file: write folder/my:NAME, {OBJECT}",
    "dot:my.py": "'dot:my.py' names the object first: write my.py:dot",
    "made_up::dot": "'made_up::dot' has too many colons: write made_up:dot",
    "my.py::Room::dot": "'my.py::Room::dot' has too many colons: write my.py:Room.dot",
    "made_up:Room:dot": "'made_up:Room:dot' has too many colons: write made_up:Room.dot",
    "made_up:dot()": "'made_up:dot()' is a call: write made_up:dot",
    "folder/my:dot": "'folder/my' is not a Python file: write folder/my.py:dot",
    "nosuch.py:dot": "no file 'nosuch.py'",
    "made_up:no": "module 'made_up' has no attribute 'no'",
    "made_up:dto": "module 'made_up' has no attribute 'dto'; did you mean made_up:dot?",
    "made_up:Room.no": "module 'made_up' has no attribute 'Room.no'",
    "made_up:Room.number": "made_up:Room.number is of type int: write the name of a function or a "
    "target",
    "made_up:array": "made_up:array is of type ndarray: write the name of a function or a target",
    "made_up:Room": "made_up:Room is a class: write the name of a function or of an instance, such "
    "as room = Room() in made_up",
    "made_up:half": "made_up:half is not a target: it has no stages, lowerings, default_lowerings, "
    "unsupported, not_checked, deviations, run_all, reproducer",
    "made_up:binary": "made_up:binary cannot be called with x, y and dim: too many positional "
    "arguments",
    "made_up:broken": "cannot import made_up:broken: RuntimeError: one and two",
    "no_such_module:dot": "cannot import no_such_module: "
    "ModuleNotFoundError: No module named 'no_such_module'",
}


@pytest.mark.parametrize(("name", "message"), ERRORS.items())
def test_a_wrong_name_gets_one_line_that_says_what_to_write(name, message, module):
    assert message_of(name) == message


def test_a_wrong_name_differs_from_a_target_that_cannot_be_imported(module):
    for name, kind in (("made_up:no", TargetNameError), ("no_such_module:dot", TargetError)):
        with pytest.raises(TargetError) as caught:
            find_target(name)
        assert caught.type is kind


# Targets


def test_a_target_is_found_with_its_limits_and_known_deviations(module):
    target = find_target("made_up:target")
    assert target.name == "made_up:target"
    for attribute in ("version", "unsupported", "not_checked", "deviations"):
        assert getattr(target, attribute) is getattr(module.target, attribute)
    assert module.target.name == "own name"
    assert isinstance(target, CallableTarget)
    case = dot_case("a", "a")
    assert target.run(case, "call", "stock") == module.target.run(case, "call", "stock")


def test_a_found_target_is_pickled_by_its_name(module):
    again = pickle.loads(pickle.dumps(find_target("made_up:target")))
    assert (again.name, again.deviations) == ("made_up:target", module.target.deviations)


# Files


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Return a function that writes a file in a folder of its own, and returns its path."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "modules", dict(sys.modules))

    def write(name: str, source: str) -> str:
        path = tmp_path / name
        path.write_text(source, encoding="utf-8")
        return str(path)

    return write


DOT = "import refdot as rd\n\n\ndef dot(x, y, dim=None):\n    return rd.dot(x, y, dim)\n"


def test_a_function_is_found_in_a_file(write):
    name = f"{write('my_dot.py', DOT)}:dot"
    target = find_target(name)
    assert target.name == name
    assert target.run(dot_case("a", "a"), "call", "stock").raised is None
    assert pickle.loads(pickle.dumps(target)).name == name


def test_a_file_may_have_the_name_of_a_module_and_import_the_files_beside_it(write):
    write("beside_numpy.py", DOT)
    path = write("numpy.py", "from beside_numpy import dot")
    assert find_target(f"{path}:dot").function.__module__ == "beside_numpy"
    assert sys.modules["numpy"] is np


def test_a_module_needs_the_name_of_an_object(write, tmp_path, monkeypatch):
    write("my_dot.py", DOT)
    monkeypatch.chdir(tmp_path)
    assert message_of("my_dot") == f"'my_dot' is a module: write my_dot:NAME, {OBJECT}"


def test_a_file_that_fails_is_an_error_of_one_line(write):
    path = write("my_dot.py", "import refdot\n1 / 0")
    assert message_of(f"{path}:dot") == f"cannot import {path}: ZeroDivisionError: division by zero"
    path = write("my_dot.py", DOT)
    assert message_of(f"{path}:dots") == (
        f"file {path!r} has no attribute 'dots'; did you mean {path}:dot?"
    )


def test_the_package_of_a_target_may_be_missing(monkeypatch):
    def version(name):
        raise PackageNotFoundError(name)

    monkeypatch.setattr("refdot.targets.xarray.version", version)
    assert message_of("xarray") == (
        "cannot import the target 'xarray': xarray is not installed; "
        'python -m pip install "path/to/refdot[xarray]"'
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
        f"unknown target 'amce': choose from acme, {CHOICES.removeprefix('choose from ')}; did you "
        "mean acme?"
    )


CANNOT_IMPORT = "cannot import the target 'acme':"
AT_IMPORT = [
    ("import nosuch", "", f"{CANNOT_IMPORT} nosuch is not installed"),
    (
        "import nosuch",
        "[fast,gpu]",
        f'{CANNOT_IMPORT} nosuch is not installed; python -m pip install "acme[fast,gpu]"',
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
