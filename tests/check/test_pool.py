"""Tasks in other processes: in order, with a second try, and without what was lost."""

import gc
import os
import threading
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from itertools import count
from multiprocessing import get_context

import pytest

import refdot as rd
from refdot.check.pool import WorkerPool, results
from refdot.targets.callable import CallableTarget
from refdot.targets.protocol import TargetError
from refdot.targets.registry import find_target

DOT = CallableTarget(rd.dot, "dot")


# Tasks: other processes find them by their names.


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


def divides(target, number):
    return 1 / number


def process_id(target, number):
    return os.getpid()


def sleeps(target, seconds):
    time.sleep(seconds)


@pytest.fixture(scope="module")
def crew():
    with WorkerPool(2) as started:
        yield started


def test_without_an_executor_each_task_is_done_when_its_result_is_asked_for():
    asked = count()
    given = results(doubled, DOT, asked)
    assert [next(given) for _ in range(3)] == [(n, ("dot", 2 * n)) for n in range(3)]
    assert next(asked) == 3


@pytest.mark.parametrize("task", [slower_the_earlier, dies_at_3], ids=lambda task: task.__name__)
def test_results_come_in_the_order_of_their_items(task, crew):
    expected = [(n, None if task is dies_at_3 and n == 3 else n) for n in range(6)]
    assert list(results(task, DOT, range(6), crew)) == expected


def test_tasks_are_done_in_as_many_other_processes_as_the_crew_has(crew):
    found = {process for _, process in results(process_id, DOT, range(40), crew)}
    assert len(found) <= 2
    assert os.getpid() not in found


def test_a_process_that_dies_costs_its_own_task_a_second_try(crew, tmp_path):
    markers = [tmp_path / str(number) for number in range(3)]
    expected = [(marker, marker.name) for marker in markers]
    assert list(results(dies_once, DOT, markers, crew)) == expected


def test_processes_that_died_are_not_left_to_the_collector_of_garbage(crew):
    def alive() -> int:
        return sum(type(o) is ProcessPoolExecutor for o in gc.get_objects())

    gc.collect()
    gc.disable()
    try:
        before = alive()
        assert list(results(dies_at_3, DOT, [3, 3], crew)) == [(3, None), (3, None)]
        assert alive() == before
    finally:
        gc.enable()


def test_an_executor_that_breaks_gives_up_what_it_had(tmp_path):
    with ProcessPoolExecutor(1, get_context("spawn")) as executor:
        found = [result for _, result in results(dies_at_3, DOT, range(3, 5), executor)]
    assert found == [None, None]


@pytest.mark.parametrize("kind", [WorkerPool, ThreadPoolExecutor])
def test_an_error_of_a_task_is_raised_and_says_where_it_was(kind):
    with kind(1) as executor:
        given = results(divides, DOT, [2, 0], executor)
        assert next(given) == (2, 0.5)
        with pytest.raises(ZeroDivisionError, match=r"(?s)^division by zero\n.*in divides"):
            next(given)


def test_what_waits_is_cancelled_when_results_are_no_longer_asked_for():
    begun = threading.Event()

    def waits(target, number):
        begun.wait()
        return number

    with ThreadPoolExecutor(1) as executor:
        given = results(waits, find_target("xarray"), iter(range(5)), executor)
        threading.Timer(0.1, begun.set).start()
        assert next(given) == (0, 0)
        given.close()
        assert executor.submit(len, "ab").result() == 2


def test_leaving_a_crew_ends_what_it_is_doing():
    started = time.monotonic()
    with WorkerPool(1) as crew:
        crew.submit(sleeps, None, 0).result()
        future = crew.submit(sleeps, None, 600)
        while not future.running():
            time.sleep(0.01)
    assert future.exception(timeout=0) is not None
    assert time.monotonic() - started < 300


# Targets

REFUSED = CallableTarget(lambda x, y, dim=None: rd.dot(x, y, dim), "refused")


def test_a_target_that_cannot_be_sent_is_refused_in_one_line():
    with ThreadPoolExecutor(1) as executor:
        given = results(doubled, REFUSED, [1], executor)
        line = r"^refused cannot be sent to other processes: .*<lambda>.*$"
        with pytest.raises(TargetError, match=line):
            next(given)
