"""A report does not depend on where the cases are judged; a fatal case is a finding."""

import signal
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from distributed import Client, LocalCluster
from running import signatures

from refdot import check
from refdot.cases.case import LAYOUTS, DotCase, Operand
from refdot.check.batch import judge_individually
from refdot.check.database import save_case
from refdot.check.findings import Report
from refdot.check.merge import merge_reports
from refdot.check.plan import Batch, Configuration, Shard
from refdot.check.pool import WorkerPool
from refdot.targets.registry import find_target

CALL = Configuration("call", "stock")

SOURCE = """
import os
import signal
import time
from pathlib import Path

import refdot


def wrong(x, y, dim=None):
    return refdot.dot(y, x, dim)


def dies_once(x, y, dim=None):
    if not Path("died").exists():
        Path("died").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return wrong(x, y, dim)


def dies_of_uint8(x, y, dim=None):
    if x.dtype == "uint8":
        os.kill(os.getpid(), signal.SIGKILL)
    return wrong(x, y, dim)


def hangs_on_uint8(x, y, dim=None):
    if x.dtype == "uint8":
        time.sleep(3600)
    return wrong(x, y, dim)
"""


@pytest.fixture(scope="module")
def _importable(tmp_path_factory):
    """Change to a folder with a module that other processes can import."""
    folder = tmp_path_factory.mktemp("importable")
    (folder / "some_dots.py").write_text(SOURCE, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.syspath_prepend(str(folder))
        yield
    sys.modules.pop("some_dots", None)


@pytest.fixture(scope="module")
def pool(_importable):
    with WorkerPool(2) as started:
        yield started


def report_of(name: str, **options) -> Report:
    """Return the report of a dot in that module, without its seconds."""
    options = {"cases": 40, "exhaustive": 1, "thorough": False, "fixed": False} | options
    return replace(check.run(find_target(f"some_dots:{name}"), **options), seconds=0.0)


@pytest.mark.usefixtures("_importable")
def test_threads_of_this_process_are_rejected():
    message = (
        "the executor runs tasks in threads of this process, which share PyTensor's "
        "configuration and the streams: use one that runs them in other processes"
    )
    with (
        ThreadPoolExecutor(3) as executor,
        pytest.raises(ValueError, match=f"^{message}\n"),
    ):
        report_of("wrong", executor=executor)


def test_processes_give_the_same_report_as_one(pool):
    assert report_of("wrong", executor=pool) == report_of("wrong")


@pytest.mark.usefixtures("_importable")
@pytest.mark.parametrize("of", [2, 5])
def test_merged_shards_give_the_same_report_as_one_process(of):
    shards = [report_of("wrong", shard=Shard(number, of)) for number in range(of, 0, -1)]
    assert replace(merge_reports(shards), seconds=0.0) == report_of("wrong")


@pytest.mark.usefixtures("_importable")
def test_a_dask_cluster_gives_the_same_report_as_one_process():
    with (
        LocalCluster(
            n_workers=2, threads_per_worker=2, dashboard_address="127.0.0.1:0", host="127.0.0.1"
        ) as cluster,
        Client(cluster) as client,
    ):
        found = report_of("wrong", executor=client.get_executor())
    assert found == report_of("wrong")


# Fatal cases

FLOATS = DotCase(Operand(("a", "b"), (2, 3)), Operand(("c",), (5,)))
UINT8 = [
    replace(FLOATS, x=replace(FLOATS.x, dtype="uint8", layout=layout)) for layout in LAYOUTS[:5]
]


def test_a_process_that_dies_once_does_not_change_the_report(pool):
    died = report_of("dies_once", executor=pool)
    assert replace(died, target="some_dots:wrong") == report_of("wrong")


def test_a_case_that_kills_its_process_is_a_finding_and_the_others_are_judged(pool):
    options = {"cases": 60, "exhaustive": None}
    fatal = report_of("dies_of_uint8", executor=pool, **options)
    wrong = report_of("wrong", **options)
    found = {finding.mismatch.signature: finding for finding in fatal.findings}
    finding = found.pop("R6 rejected-valid at run: the process died")
    assert finding.mismatch.case.x.dtype == "uint8"
    assert (finding.mismatch.expected, finding.mismatch.got) == (
        "an answer or an error",
        "the process died",
    )
    assert [*found] == signatures(wrong)
    assert (fatal.cases, fatal.lost) == (wrong.cases, 0)


@pytest.mark.skipif(not hasattr(signal, "SIGALRM"), reason="no time limit here")
def test_a_case_that_hangs_is_a_finding_and_the_others_of_its_batch_are_judged(pool, tmp_path):
    others = [replace(FLOATS, seed=seed) for seed in (1, 2)]
    for case in (UINT8[0], *others):
        save_case(tmp_path, "some_dots:hangs_on_uint8", case)
    # The limit is long enough for the others on a busy machine.
    options = {"cases": 1, "exhaustive": None, "database": tmp_path, "timeout": 5}
    report = report_of("hangs_on_uint8", executor=pool, **options)
    died, wrong = sorted(report.findings, key=lambda finding: finding.count)
    assert died.mismatch.signature == "R6 rejected-valid at run: no answer within 5 s"
    assert died.mismatch.got == "no answer within 5 s"
    assert (died.mismatch.case, died.count) == (UINT8[0], 1)
    assert (wrong.mismatch.signature, wrong.count) == ("R5 wrong-dims at run: dims", 2)
    assert (report.cases, report.lost) == (4, 0)


def test_after_three_fatal_cases_the_rest_of_a_batch_is_lost(pool):
    batch = Batch(((CALL, (FLOATS, *UINT8)),))
    judged = judge_individually(find_target("some_dots:dies_of_uint8"), batch)
    assert (judged.cases, judged.lost) == (6, 2)
    assert [finding.mismatch.case for finding in judged.findings] == [FLOATS, *UINT8[:3]]


def test_a_dead_process_is_no_finding_when_values_are_not_judged(pool):
    options = {"executor": pool, "cases": 12, "exhaustive": None, "only": ["errors"]}
    assert report_of("dies_of_uint8", **options).findings == []
