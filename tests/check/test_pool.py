"""Tasks in other processes: in order, with a second attempt, and without those that were lost."""

import os
import pickle
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import closing, nullcontext, suppress
from itertools import count, repeat
from multiprocessing import active_children, get_context
from pathlib import Path

import pytest

import refdot as rd
from refdot.check.pool import OutOfTimeError, ProcessDied, WorkerPool, run_tasks, with_time_limit
from refdot.targets.callable import CallableTarget
from refdot.targets.protocol import TargetError
from refdot.targets.registry import find_target

DOT = CallableTarget(rd.dot, "dot")
needs_alarm = pytest.mark.skipif(not hasattr(signal, "SIGALRM"), reason="no time limit here")


# Tasks: other processes import them by name.


def doubled(target, number):
    return target.name, 2 * number


def slower_the_earlier(target, number):
    time.sleep(0.02 * (5 - number))
    return number


def dies_once(target, marker):
    if not marker.exists():
        marker.touch()
        os._exit(3)
    return marker.name


def dies_at_3(target, number):
    if number == 3:
        os._exit(3)
    return number


def leaves_at_3(target, number):
    if number == 3:
        os._exit(0)
    return number


def divides(target, number):
    return 1 / number


class UnreadableError(Exception):
    """An exception that cannot be unpickled."""

    def __init__(self, first, second):
        super().__init__(first)


def raises_unreadable(target, local):
    class LocalUnreadableError(Exception):
        """An exception that cannot be pickled."""

    raise LocalUnreadableError if local else UnreadableError(1, 2)


def returns_a_lambda(target, number):
    return lambda: number


def process_id(target, number):
    return os.getpid()


def temporary_file(target, number):
    return tempfile.mkstemp()[1]


def hangs(target, way):
    (folder, way) = way
    for _ in with_time_limit([1], 0.5):
        (folder / str(os.getpid())).touch()
        if way == "sleep":
            time.sleep(3600)
        elif way == "loop":
            while True:
                pass
        all(repeat(True))  # a loop in C, which signals do not end and which keeps the GIL


def remaining_times(target, limit):
    """Return the time to the limit at the start and the end of each item, and after them."""
    times = []
    for _ in with_time_limit(range(2), limit):
        times.append(signal.getitimer(signal.ITIMER_REAL)[0])
        time.sleep(0.2)
        times.append(signal.getitimer(signal.ITIMER_REAL)[0])
    return *times, signal.getitimer(signal.ITIMER_REAL)[0]


def sleeps(seconds):
    time.sleep(seconds)


def tells_its_folder_and_sleeps(folder):
    partial = folder / f"{os.getpid()}.partial"
    partial.write_text(tempfile.gettempdir(), encoding="utf-8")
    partial.rename(partial.with_suffix(".folder"))
    time.sleep(600)


def tells_its_id_and_sleeps(folder):
    (folder / str(os.getpid())).touch()
    time.sleep(600)


def ignores_termination(folder):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    (folder / str(os.getpid())).touch()
    time.sleep(600)


def wait_until(condition):
    """Wait until a condition holds; the deadline only ends a test that hangs."""
    deadline = time.monotonic() + 300
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.fixture(scope="module")
def pool():
    with WorkerPool(2) as started:
        yield started


def test_without_an_executor_each_task_runs_when_its_result_is_requested():
    items = count()
    results = run_tasks(doubled, DOT, items)
    assert [next(results) for _ in range(3)] == [(n, ("dot", 2 * n)) for n in range(3)]
    assert next(items) == 3


@pytest.mark.parametrize(
    "task", [slower_the_earlier, dies_at_3, leaves_at_3], ids=lambda task: task.__name__
)
def test_results_are_in_the_order_of_their_items(task, pool):
    dies = task is not slower_the_earlier
    expected = [(n, ProcessDied() if dies and n == 3 else n) for n in range(6)]
    assert list(run_tasks(task, DOT, range(6), pool)) == expected


def test_tasks_run_in_as_many_other_processes_as_the_pool_has(pool):
    ids = {process for _, process in run_tasks(process_id, DOT, range(40), pool)}
    assert len(ids) <= 2
    assert os.getpid() not in ids


def test_a_task_whose_process_dies_gets_a_second_attempt(pool, tmp_path):
    markers = [tmp_path / str(number) for number in range(3)]
    expected = [(marker, marker.name) for marker in markers]
    assert list(run_tasks(dies_once, DOT, markers, pool)) == expected


def test_a_dying_process_loses_only_its_own_task(pool):
    numbers = [3, 1, 3, 2, 3, 4]
    results = [result for _, result in run_tasks(dies_at_3, DOT, numbers, pool)]
    assert results == [ProcessDied(), 1, ProcessDied(), 2, ProcessDied(), 4]


def test_an_executor_that_breaks_loses_its_tasks():
    with ProcessPoolExecutor(1, get_context("spawn")) as executor:
        found = [result for _, result in run_tasks(dies_at_3, DOT, range(3, 5), executor)]
    assert found == [ProcessDied(), ProcessDied()]


def test_an_error_of_a_task_is_raised_with_its_traceback(pool):
    results = run_tasks(divides, DOT, [2, 0], pool)
    assert next(results) == (2, 0.5)
    with pytest.raises(ZeroDivisionError, match=r"(?s)^division by zero\n.*in divides"):
        next(results)


@pytest.mark.parametrize("local", [False, True], ids=["pickled", "not pickled"])
def test_an_error_that_cannot_be_sent_is_raised_as_its_traceback(local, pool):
    with pytest.raises(RuntimeError, match=r"(?s)in raises_unreadable.*UnreadableError"):
        next(run_tasks(raises_unreadable, DOT, [local], pool))
    assert list(run_tasks(doubled, DOT, [1], pool)) == [(1, ("dot", 2))]


def test_a_result_that_cannot_be_pickled_is_an_error(pool):
    with pytest.raises((AttributeError, pickle.PicklingError), match="returns_a_lambda"):
        next(run_tasks(returns_a_lambda, DOT, [1], pool))


def test_an_item_that_cannot_be_pickled_is_an_error(pool):
    with pytest.raises((AttributeError, pickle.PicklingError), match="lambda"):
        next(run_tasks(doubled, DOT, [lambda: None], pool))


def waits(target, number):
    time.sleep(0.5)
    return number


def test_pending_tasks_are_cancelled_when_results_are_no_longer_requested():
    with WorkerPool(1) as executor:
        results = run_tasks(waits, find_target("xarray"), iter(range(5)), executor)
        assert next(results) == (0, 0)
        results.close()
        assert executor.submit(len, "ab").result() == 2


# The pool


def test_leaving_a_pool_stops_its_running_tasks():
    with WorkerPool(1) as pool:
        running, waiting = pool.submit(sleeps, 600), pool.submit(sleeps, 600)
        wait_until(running.running)
    assert running.exception() is not None
    assert waiting.cancelled()


def test_leaving_a_pool_stops_a_process_that_does_not_react(tmp_path):
    with WorkerPool(1) as pool:
        pool.submit(ignores_termination, tmp_path)
        wait_until(lambda: any(tmp_path.iterdir()))
    (marker,) = tmp_path.iterdir()
    assert int(marker.name) not in {process.pid for process in active_children()}


def test_an_interrupt_stops_the_processes():
    with pytest.raises(KeyboardInterrupt), WorkerPool(2) as pool:  # noqa: PT012
        ids = {process for _, process in run_tasks(process_id, DOT, range(20), pool)}
        raise KeyboardInterrupt
    assert not ids & {process.pid for process in active_children()}


IN_ANOTHER_PROCESS = """
import signal
from pathlib import Path
from test_pool import WorkerPool, tells_its_folder_and_sleeps
signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background ignores it
with WorkerPool(2) as pool:
    for _ in range(2):
        pool.submit(tells_its_folder_and_sleeps, Path())
    pool.shutdown()
"""


@pytest.mark.skipif(os.name == "nt", reason="no such signals")
@pytest.mark.parametrize("number", ["SIGINT", "SIGTERM", "SIGKILL"])
def test_a_pool_whose_process_is_killed_leaves_no_process_and_no_folder(number, tmp_path):
    path = os.pathsep.join([str(Path(__file__).parent), *sys.path])
    pool = subprocess.Popen(
        [sys.executable, "-c", IN_ANOTHER_PROCESS],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": path},
        stderr=subprocess.DEVNULL,
    )
    wait_until(lambda: len([*tmp_path.glob("*.folder")]) == 2)
    pool.send_signal(getattr(signal, number))
    pool.wait(300)
    for marker in tmp_path.glob("*.folder"):
        wait_until(lambda process=int(marker.stem): not is_running(process))
        assert not Path(marker.read_text(encoding="utf-8")).exists()


def is_running(process: int) -> bool:
    """Return whether there is a process with an id; one that nobody waits for has ended, too."""
    status = subprocess.run(
        ["ps", "-o", "stat=", "-p", str(process)], capture_output=True, text=True, check=False
    )
    return status.stdout.strip()[:1] not in ("", "Z")


def test_a_worker_ignores_an_interrupt_from_the_keyboard_also_while_it_starts(capfd):
    with WorkerPool(1) as pool:
        process = pool._workers[0]._process
        for _ in range(2):
            os.kill(process.pid, signal.SIGINT)
            assert list(run_tasks(process_id, DOT, [0], pool)) == [(0, process.pid)]
    assert capfd.readouterr().err == ""


def test_a_killed_worker_is_replaced(pool, tmp_path):
    future = pool.submit(tells_its_id_and_sleeps, tmp_path)
    wait_until(lambda: any(tmp_path.iterdir()))
    (marker,) = tmp_path.iterdir()
    # SIGTERM is for the process of the pool, which then stops its workers.
    os.kill(int(marker.name), signal.SIGTERM)
    os.kill(int(marker.name), signal.SIGKILL)
    assert future.exception(timeout=300) is not None
    assert list(run_tasks(doubled, DOT, range(4), pool)) == [(n, ("dot", 2 * n)) for n in range(4)]


def test_shutdown_waits_for_the_tasks():
    pool = WorkerPool(1)
    future = pool.submit(sleeps, 0.1)
    pool.shutdown()
    assert future.result(timeout=0) is None
    with pytest.raises(RuntimeError):
        pool.submit(sleeps, 0)


def test_temporary_files_of_workers_are_removed_with_the_pool():
    with WorkerPool(1) as pool:
        ((_, path),) = run_tasks(temporary_file, DOT, [0], pool)
        assert Path(path).exists()
    assert not Path(path).exists()


# The time limit


@needs_alarm
@pytest.mark.parametrize("way", ["sleep", "loop", "loop in C"])
def test_a_task_that_exceeds_the_time_limit_is_killed_and_not_repeated(way, pool, tmp_path):
    ((_, result),) = run_tasks(hangs, DOT, [(tmp_path, way)], pool)
    assert result == ProcessDied(timed_out=True)
    assert len(list(tmp_path.iterdir())) == 1


@needs_alarm
def test_the_time_limit_restarts_with_each_item_and_ends_with_the_last(pool):
    ((_, times),) = run_tasks(remaining_times, DOT, [3600], pool)
    first, first_end, second, second_end, after = times
    assert first_end < first <= 3600
    assert second_end < second <= 3600
    assert second > first_end
    assert after == 0


def sleeps_at(name: str, caught: list[str]) -> None:
    """Sleep at an item; the first error at "b" does not stop it."""
    with closing(with_time_limit("ab", 0.01)) as items:
        for item in items:
            if item == name:
                with suppress(OutOfTimeError) if item == "b" else nullcontext():
                    time.sleep(10)
                caught.append(item)
                time.sleep(10)


@needs_alarm
@pytest.mark.parametrize(("name", "caught_first"), [("a", []), ("b", ["b"])])
def test_in_this_process_an_item_that_exceeds_the_time_limit_raises_an_error(name, caught_first):
    before, caught = signal.getsignal(signal.SIGALRM), []
    with pytest.raises(OutOfTimeError, match=r"^no answer within 0\.01 s$") as stopped:
        sleeps_at(name, caught)
    assert (stopped.value.item, caught) == (name, caught_first)
    assert signal.getsignal(signal.SIGALRM) == before
    assert signal.getitimer(signal.ITIMER_REAL)[0] == 0


@needs_alarm
def test_a_timer_that_is_in_use_stays_as_it_is():
    signal.setitimer(signal.ITIMER_REAL, 3600)
    try:
        for _ in with_time_limit("ab", 1e-3):
            time.sleep(0.05)
        assert signal.getitimer(signal.ITIMER_REAL)[0] > 3500
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def test_in_another_thread_of_this_process_there_is_no_time_limit():
    with ThreadPoolExecutor(1) as threads:
        task = threads.submit(lambda: [time.sleep(0.05) for _ in with_time_limit("ab", 1e-3)])
        assert task.result() == [None, None]


# Targets

LOCAL = CallableTarget(lambda x, y, dim=None: rd.dot(x, y, dim), "local")


def test_a_target_that_cannot_be_pickled_is_rejected_in_one_line():
    with ThreadPoolExecutor(1) as executor:
        results = run_tasks(doubled, LOCAL, [1], executor)
        line = r"^local cannot be sent to other processes: .*<lambda>.*$"
        with pytest.raises(TargetError, match=line):
            next(results)


def is_imported(name):
    return name in sys.modules


@pytest.mark.parametrize(("preload", "expected"), [("wave", True), ("no_such_module", False)])
def test_workers_import_a_module_before_their_first_task(preload, expected):
    with WorkerPool(1, preload) as pool:
        assert pool.submit(is_imported, "wave").result() == expected
