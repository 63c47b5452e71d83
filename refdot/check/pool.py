"""Where tasks are done: in this process, in others of our own, or by anybody's executor."""

from __future__ import annotations

import os
import pickle
import signal
import traceback
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from functools import cache
from multiprocessing import get_context
from queue import SimpleQueue
from typing import Any, TypeVar

from refdot.targets.protocol import Target, TargetError

__all__ = ["WorkerPool", "results"]


# How many tasks wait for a process at most: enough for any cluster, and few enough for memory.
_AHEAD = 1000
Item = TypeVar("Item")
Result = TypeVar("Result")


def results(
    task: Callable[[Target, Item], Result],
    target: Target,
    items: Iterable[Item],
    executor: Executor | None = None,
) -> Iterator[tuple[Item, Result | None]]:
    """Do a task for each item, and give what comes of it in the order of the items.

    Parameters
    ----------
    task : callable
        Given the target and an item.
    target : Target
    items : iterable
    executor : Executor, optional
        Without one, everything is done in this process, when the result is asked for.

    Yields
    ------
    item, result
        None if the process that did the task died, and another one after it.

    Raises
    ------
    TargetError
        The target cannot be sent to another process.
    """
    if executor is None:
        yield from ((item, task(target, item)) for item in items)
        return
    sent = _pickled(target)
    waiting: deque[tuple[Item, Future[Any]]] = deque()
    try:
        for item in items:
            waiting.append((item, _submitted(executor, task, sent, item)))
            while len(waiting) > _AHEAD or (waiting and waiting[0][1].done()):
                item, future = waiting[0]
                yield item, _result_of(future, executor, task, sent, item)
                waiting.popleft()
        while waiting:
            item, future = waiting[0]
            yield item, _result_of(future, executor, task, sent, item)
            waiting.popleft()
    finally:
        for _, future in waiting:
            future.cancel()


def _pickled(target: Target) -> bytes:
    """Write a target for other processes."""
    try:
        return pickle.dumps(target)
    except Exception as error:  # whatever it holds may refuse in its own way
        said = f"{target.name} cannot be sent to other processes: {error}"
        raise TargetError(" ".join(said.split())) from None


def _submitted(executor: Executor, task: Any, sent: bytes, item: Any) -> Future[Any]:
    """Hand a task to an executor; one that is broken gives a future that says so."""
    try:
        return executor.submit(_done, task, sent, item)
    except RuntimeError as error:
        refused: Future[Any] = Future()
        refused.set_exception(error)
        return refused


def _result_of(future: Future[Any], executor: Executor, task: Any, sent: bytes, item: Any) -> Any:
    """Wait for the result of a task; if its process dies, for that of a second try."""
    for second in (False, True):
        waited_for = _submitted(executor, task, sent, item) if second else future
        wait([waited_for])
        # `_done` raises nothing: its process did not live to the end. The error is not raised here,
        # or it would hold this frame, which holds its future, and with it what has died.
        if waited_for.cancelled() or waited_for.exception() is not None:
            continue
        result, error = waited_for.result()
        if error is not None:
            raise error
        return result
    return None


def _done(
    task: Callable[[Target, Item], Result], sent: bytes, item: Item
) -> tuple[Result | None, Exception | None]:
    """Do a task in the process that this is called in, and give its result or its error."""
    try:
        return task(_unpickled(sent), item), None
    except Exception as error:
        error.add_note(traceback.format_exc())
        return None, error


@cache
def _unpickled(sent: bytes) -> Target:
    """Read the target, once in each process, so that what it compiles is kept."""
    target: Target = pickle.loads(sent)
    return target


class WorkerPool(ThreadPoolExecutor):
    """An executor with processes of its own, each of which is replaced when it dies.

    In a `ProcessPoolExecutor` all tasks are lost with one process. Here each process is a pool of
    its own, and a thread waits for it.

    Parameters
    ----------
    size : int
        How many processes.
    """

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self.idle: SimpleQueue[ProcessPoolExecutor] = SimpleQueue()
        self.ids: dict[ProcessPoolExecutor, Future[int]] = {}
        self.busy: set[ProcessPoolExecutor] = set()
        for _ in range(size):
            self.idle.put(self.new_process())

    def new_process(self) -> ProcessPoolExecutor:
        """Start one that inherits nothing of this process, on every system."""
        process = ProcessPoolExecutor(1, get_context("spawn"), _heed_the_crew_alone)
        self.ids[process] = process.submit(os.getpid)
        return process

    def submit(self, task: Any, /, *arguments: Any, **options: Any) -> Future[Any]:
        """Have a thread wait for a process, and for what it makes of a task."""
        return super().submit(self.wait, task, *arguments, **options)

    def wait(self, task: Any, *arguments: Any, **options: Any) -> Any:
        """Have the next process that is idle do a task."""
        process = self.idle.get()
        self.busy.add(process)
        try:
            return process.submit(task, *arguments, **options).result()
        except BrokenProcessPool:
            del self.ids[process]
            self.busy.remove(process)
            process = self.new_process()
            raise
        finally:
            self.busy.discard(process)
            self.idle.put(process)

    def __exit__(self, *raised: object) -> None:
        """End the processes, and what they are still doing."""
        self.shutdown(wait=False, cancel_futures=True)
        for process in tuple(self.busy):
            with suppress(BrokenProcessPool, ProcessLookupError):
                os.kill(self.ids[process].result(), signal.SIGTERM)
        self.shutdown()
        for process in self.ids:
            process.shutdown()


def _heed_the_crew_alone() -> None:
    """Have an interrupt from the keyboard reach the crew, which then interrupts this process."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
