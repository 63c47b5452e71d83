"""Files are replaced as a whole, and only those that refdot wrote."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import refdot as rd
from refdot.cases.notation import dot_case
from refdot.check.findings import Coverage, Finding, Report
from refdot.check.plan import Configuration
from refdot.reporting import writing
from refdot.reporting.files import write_report
from refdot.reporting.writing import write_file, write_files
from refdot.targets.callable import CallableTarget
from refdot.targets.mismatch import Mismatch

TARGET = CallableTarget(rd.dot, "dot")
WRONG_DIMS = Mismatch("R5", "wrong-dims", "run", "dims", "a", "b", dot_case("a", "b"))
WRONG_VALUE = Mismatch("R6", "wrong-value", "run", "float", "1", "2", dot_case("a", "b"))


def report_of(*mismatches: Mismatch) -> Report:
    return Report(
        target="fn",
        target_version="",
        seed=0,
        backends=("call",),
        lowerings=("stock",),
        absent_backends={},
        coverage={"call": Coverage(1)},
        findings=[Finding(each, Configuration("call", "stock")) for each in mismatches],
    )


WRITES_TO_OUTPUT = """
from pathlib import Path

from refdot.reporting.writing import write_file

write_file(Path("/dev/stdout"), "text")
"""


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_files_that_cannot_be_completed_leave_the_earlier_ones(tmp_path):
    write_files(tmp_path, {"a": "old a", "b": "old b"})
    with pytest.raises(TypeError):
        write_files(tmp_path, {"a": "new a", "b": None})
    assert names(tmp_path) == {"a", "b"}
    assert (tmp_path / "a").read_text() == "old a"


def test_a_full_disk_leaves_the_earlier_report(tmp_path, monkeypatch):
    write_report(report_of(WRONG_DIMS), TARGET, tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    write_text, written = Path.write_text, []

    def full_after_two(path, *arguments, **options):
        written.append(path)
        if len(written) > 2:
            raise OSError(28, "No space left on device")
        return write_text(path, *arguments, **options)

    monkeypatch.setattr(Path, "write_text", full_after_two)
    with pytest.raises(OSError, match="No space left on device"):
        write_report(report_of(WRONG_VALUE), TARGET, tmp_path)
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_link_is_replaced_and_not_followed(tmp_path):
    (tmp_path / "precious").write_text("mine")
    folder = tmp_path / "report"
    folder.mkdir()
    (folder / "report.json").symlink_to(tmp_path / "precious")
    write_report(report_of(WRONG_DIMS), TARGET, folder)
    assert (tmp_path / "precious").read_text() == "mine"
    assert json.loads((folder / "report.json").read_text())["target"] == "fn"


def test_only_the_scripts_of_the_earlier_report_are_removed(tmp_path):
    own = ["reproducer_of_my_own.py", "reproducer_r6_wrong_value_123abc.py", "reproducer_notes.txt"]
    for name in own:
        (tmp_path / name).touch()
    write_report(report_of(WRONG_DIMS), TARGET, tmp_path)
    first = names(tmp_path) - {*own}
    write_report(report_of(WRONG_VALUE), TARGET, tmp_path)
    second = names(tmp_path) - {*own}
    assert len(first) == len(second) == 3
    assert first & second == {"report.json", "report.html"}
    assert names(tmp_path) >= {*own}


@pytest.mark.parametrize(
    "data",
    [
        "not JSON",
        "[" * 100_000,
        "[]",
        '{"mismatches": 5}',
        '{"mismatches": [{"reproducer": "../precious.py"}], "program_mismatches": []}',
        '{"mismatches": [{"reproducer": "precious.py"}], "program_mismatches": []}',
        '{"mismatches": [{"reproducer": ["x"]}, {}], "program_mismatches": []}',
    ],
)
def test_another_report_removes_nothing(data, tmp_path):
    folder = tmp_path / "report"
    folder.mkdir()
    for path in (tmp_path / "precious.py", folder / "precious.py"):
        path.touch()
    (folder / "report.json").write_text(data)
    write_report(report_of(), TARGET, folder)
    assert names(tmp_path) == {"report", "precious.py"}
    assert names(folder) == {"report.json", "report.html", "precious.py"}


def test_a_script_that_is_now_a_link_is_kept(tmp_path):
    write_report(report_of(WRONG_DIMS), TARGET, tmp_path)
    (script,) = tmp_path.glob("reproducer_*.py")
    script.rename(tmp_path / "moved.py")
    script.symlink_to(tmp_path / "moved.py")
    write_report(report_of(), TARGET, tmp_path)
    assert script.is_symlink()
    assert (tmp_path / "moved.py").exists()


def test_what_a_killed_process_left_is_removed(tmp_path):
    left = tmp_path / f"{writing._PREFIX}abc"
    left.mkdir()
    (left / "report.json").touch()
    os.utime(left, (0, 0))
    write_files(tmp_path, {"a": "text"})
    assert names(tmp_path) == {"a"}


@pytest.mark.parametrize(
    ("name", "time"), {f"{writing._PREFIX}new": None, ".refdot-own": 0}.items()
)
def test_what_another_process_writes_and_what_users_have_stays(name, time, tmp_path):
    (tmp_path / name).mkdir()
    if time is not None:
        os.utime(tmp_path / name, (time, time))
    write_files(tmp_path, {"a": "text"})
    assert names(tmp_path) == {"a", name}


def test_a_file_that_a_user_names_is_written_through_a_link(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "file")
    write_file(tmp_path / "link", "text \ud800")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "file").read_text() == "text \\ud800"


def test_a_device_is_written_to():
    write_file(Path(os.devnull), "text")
    assert not Path(os.devnull).is_file()


@pytest.mark.skipif(not Path("/dev/stdout").exists(), reason="no such device")
@pytest.mark.parametrize("output", ["a pipe", "a file"])
def test_the_standard_output_is_written_to_whatever_it_is(output, tmp_path):
    with (tmp_path / "out").open("w+b") as file:
        stdout = file if output == "a file" else subprocess.PIPE
        command = [sys.executable, "-c", WRITES_TO_OUTPUT]
        ended = subprocess.run(command, stdout=stdout, check=True)
        file.seek(0)
        assert (ended.stdout or file.read()) == b"text"
