"""Runs tasks in this process, in worker processes, or on any other executor."""

from __future__ import annotations

import pickle
import signal
import tempfile
import traceback
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Executor, Future
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import cache, partial
from multiprocessing import parent_process
from multiprocessing.context import SpawnContext, SpawnProcess
from threading import TIMEOUT_MAX
from typing import Any, TypeVar

from pebble import ProcessExpired, ProcessPool

from refdot.targets.protocol import Target, TargetError

__all__ = ["ProcessDied", "WorkerPool", "run_tasks", "with_time_limit"]


# The number of tasks submitted ahead: enough for any cluster, and few enough for memory.
_MAX_PENDING = 1000
# Windows has neither this signal nor the timer that sends it.
_ALARM = getattr(signal, "SIGALRM", None)
Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True)
class ProcessDied:
    """The result of a task that killed its process, or that `with_time_limit` ended."""

    timed_out: bool = False


def run_tasks(
    task: Callable[[Target, Item], Result],
    target: Target,
    items: Iterable[Item],
    executor: Executor | None = None,
) -> Iterator[tuple[Item, Result | ProcessDied]]:
    """Run a task for each item, and yield the results in the order of the items.

    A task whose process dies runs once more, unless it exceeded its time limit.

    Parameters
    ----------
    task : callable
        Called with the target and an item.
    target : Target
    items : iterable
    executor : Executor, optional
        By default each task runs in this process when its result is requested.

    Yields
    ------
    item, result

    Raises
    ------
    TargetError
        The target cannot be sent to another process.
    """
    if executor is None:
        yield from ((item, task(target, item)) for item in items)
        return
    submit = partial(_submit, executor, task, _pickled(target))
    pending: deque[tuple[Item, Future[bytes]]] = deque()

    def first_result() -> tuple[Item, Result | ProcessDied]:
        item, future = pending[0]
        result = _result_of(future, partial(submit, item))
        pending.popleft()
        return item, result

    try:
        for item in items:
            pending.append((item, submit(item)))
            while len(pending) > _MAX_PENDING or (pending and pending[0][1].done()):
                yield first_result()
        while pending:
            yield first_result()
    finally:
        for _, future in pending:
            future.cancel()


def _pickled(target: Target) -> bytes:
    try:
        return pickle.dumps(target)
    except Exception as error:  # an attribute of any type can refuse in its own way
        message = f"{target.name} cannot be sent to other processes: {error}"
        raise TargetError(" ".join(message.split())) from None


def _submit(executor: Executor, task: Any, target: bytes, item: Any) -> Future[bytes]:
    try:
        return executor.submit(_run_task, task, target, item)
    except RuntimeError as error:  # the executor is broken
        failed: Future[bytes] = Future()
        failed.set_exception(error)
        return failed


def _result_of(future: Future[bytes], resubmit: Callable[[], Future[bytes]]) -> Any:
    for attempt in (1, 2):
        try:
            returned = future.result()
        except Exception as death:  # `_run_task` returns the errors of the task
            killed_by = -death.exitcode if isinstance(death, ProcessExpired) else 0
            if killed_by == _ALARM or attempt == 2:
                return ProcessDied(timed_out=killed_by == _ALARM)
            future = resubmit()
        else:
            result, error = pickle.loads(returned)
            if error is not None:
                raise error
            return result
    return None


def _run_task(task: Callable[[Target, Any], Any], target: bytes, item: Any) -> bytes:
    """Run a task in another process, and return its pickled result and error."""
    try:
        return pickle.dumps((task(_unpickled(target), item), None))
    except Exception as error:
        error.add_note(traceback.format_exc())
        return pickle.dumps((None, error))


@cache
def _unpickled(target: bytes) -> Target:
    """Load the target once in each process, so that it keeps what it compiles."""
    loaded: Target = pickle.loads(target)
    return loaded


def with_time_limit(items: Iterable[Item], seconds: float | None) -> Generator[Item, None, None]:
    """Yield the items, and kill this process if one of them takes longer than `seconds`.

    The timer restarts with each item, and stops when the generator ends or is closed. The system
    kills the process, even in a loop in C code. Without `seconds`, on Windows, and in a process
    that `multiprocessing` did not start, there is no limit.
    """
    if seconds is None or _ALARM is None or parent_process() is None:
        yield from items
        return
    try:
        for item in items:
            signal.setitimer(signal.ITIMER_REAL, min(seconds, TIMEOUT_MAX))
            yield item
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


class WorkerPool(Executor):
    """An executor with `size` worker processes, each of which is replaced when it dies.

    Unlike a `ProcessPoolExecutor`, it loses only the task of the process that died. The processes
    inherit nothing from this one. The end of a `with` statement stops the tasks that still run.
    """

    def __init__(self, size: int) -> None:
        # A worker that is killed does not remove its temporary files.
        self._folder = tempfile.TemporaryDirectory(
            prefix="refdot-jobs-", ignore_cleanup_errors=True
        )
        self._pool = ProcessPool(
            size,
            initializer=_initialize_worker,
            initargs=(self._folder.name,),
            context=_WorkerContext(),
        )
        self._futures: set[Future[Any]] = set()

    def submit(self, task: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Schedule `task(*args, **kwargs)` and return its future."""
        future: Future[Any] = self._pool.schedule(task, args, kwargs)
        self._futures.add(future)
        future.add_done_callback(self._on_done)
        return future

    def _on_done(self, future: Future[Any]) -> None:
        self._futures.discard(future)
        # A broken pool never finishes the tasks in its queue.
        if not future.cancelled() and isinstance(future.exception(), BrokenProcessPool):
            self._cancel_futures()

    def _cancel_futures(self) -> None:
        for future in tuple(self._futures):
            future.cancel()

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Accept no more tasks; finish the submitted ones, or cancel and stop them."""
        if cancel_futures:
            self._pool.stop()
            self._cancel_futures()
        else:
            self._pool.close()
        if wait:
            self._pool.join()
            self._folder.cleanup()

    def __exit__(self, *_: object) -> None:
        self.shutdown(cancel_futures=True)


class _WorkerProcess(SpawnProcess):
    """A process whose death pebble notices in time, and always takes for a failure.

    One thread of pebble looks for dead workers ten times a second; another one reads their
    messages. If the first one sees a death before the second one reads which task the worker had
    begun, that task never ends. The first checks after a death therefore find the process alive.
    """

    _hidden_checks = 5

    def is_alive(self) -> bool:
        if super().is_alive():
            return True
        self._hidden_checks -= 1
        return self._hidden_checks >= 0

    def terminate(self) -> None:
        self._hidden_checks = 0
        super().terminate()

    @property
    def exitcode(self) -> int | None:
        # For pebble, a worker that exits with 0 has left no task unfinished.
        code = super().exitcode
        return 1 if code == 0 else code


class _WorkerContext(SpawnContext):
    Process = _WorkerProcess


def _initialize_worker(folder: str) -> None:
    tempfile.tempdir = folder
    if _ALARM is not None:
        signal.signal(_ALARM, signal.SIG_DFL)
