"""Runs tasks in this process, in worker processes, or on any other executor."""

import gc
import os
import pickle
import shutil
import signal
import tempfile
import traceback
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache, partial
from importlib import import_module
from multiprocessing import get_context, parent_process, resource_tracker
from multiprocessing.connection import Connection
from threading import TIMEOUT_MAX, Lock, Thread, current_thread, main_thread
from typing import Any, NoReturn, TypeVar
from uuid import uuid4

from refdot.targets.protocol import Target, TargetError
from refdot.targets.temporary import process_folder

__all__ = [
    "OutOfTimeError",
    "ProcessDied",
    "WorkerDiedError",
    "WorkerPool",
    "run_tasks",
    "with_time_limit",
]


# The number of tasks submitted ahead: enough for any cluster, and few enough for memory.
_MAX_PENDING = 1000
# Windows has neither this signal nor the timer that sends it.
_ALARM = getattr(signal, "SIGALRM", None)
_SPAWN = get_context("spawn")
# These may reach all processes. The pool's process reacts, and stops the workers.
_REQUESTS = (signal.SIGINT, signal.SIGTERM)
_CAN_BLOCK = hasattr(signal, "pthread_sigmask")
_exit_at_once = os._exit  # a target cannot end its process by `os._exit`
_IMPORT = uuid4().hex  # copies of this process have the same one, but another number
# A worker of a cluster may have several threads.
_ONE_TASK = Lock()
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
    """Run a task for each item, and yield each item with its result, in order.

    Without an executor, each task runs in this process when its result is requested. A task whose
    process dies runs once more, unless it exceeded its time limit.

    Raises
    ------
    TargetError
        The target cannot be sent to another process.
    ValueError
        The executor runs tasks in this process.
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
    call = pickle.dumps(partial(_run_task, task, target, item, _this_process()))
    try:
        return executor.submit(_outcome_of, call)
    except RuntimeError as error:  # the executor is broken
        failed: Future[bytes] = Future()
        failed.set_exception(error)
        return failed


def _result_of(future: Future[bytes], resubmit: Callable[[], Future[bytes]] | None) -> Any:
    try:
        outcome = future.result()
    except Exception as death:  # the errors of the task are in the outcome
        timed_out = isinstance(death, WorkerDiedError) and -death.exitcode == _ALARM
        if timed_out or resubmit is None:
            return ProcessDied(timed_out)
        return _result_of(resubmit(), None)
    return _result_in(outcome)


def _run_task(
    task: Callable[[Target, Any], Any], target: bytes, item: Any, submitted_by: tuple[str, int]
) -> Any:
    if submitted_by == _this_process():
        raise ValueError(
            "the executor runs tasks in threads of this process, which share PyTensor's "
            "configuration and the streams: use one that runs them in other processes"
        )
    with _ONE_TASK:
        return task(_unpickled(target), item)


def _this_process() -> tuple[str, int]:
    """Return what only this process has, on all machines."""
    return _IMPORT, os.getpid()


@cache
def _unpickled(target: bytes) -> Target:
    """Load the target once in each process, so that it keeps what it compiles."""
    loaded: Target = pickle.loads(target)
    if parent_process() is not None:
        # As in `refdot.check.run`: what a target has imported stays until this process ends.
        gc.freeze()
    return loaded


def _outcome_of(call: bytes) -> bytes:
    """Run a pickled call, and return its pickled result and error.

    An error that cannot be sent to another process becomes a RuntimeError with its traceback.
    """
    try:
        return pickle.dumps((pickle.loads(call)(), None))
    except Exception as error:
        trace = traceback.format_exc()
        error.add_note(trace)
        try:
            outcome = pickle.dumps((None, error))
            pickle.loads(outcome)
        except Exception:
            return pickle.dumps((None, RuntimeError(trace)))
        return outcome


def _result_in(outcome: bytes) -> Any:
    """Return the result in an outcome, or raise its error."""
    result, error = pickle.loads(outcome)
    if error is not None:
        raise error
    return result


def with_time_limit(items: Iterable[Item], seconds: float | None) -> Generator[Item, None, None]:
    """Yield the items, and stop if one of them takes longer than `seconds`.

    The timer restarts with each item, and ends with the generator. In a process that
    `multiprocessing` started, the system kills the process, even in a loop in C code. Elsewhere, an
    `OutOfTimeError` is raised in the main thread as soon as Python code runs there, and again each
    second in which the code goes on. There is no limit without `seconds` and on Windows, nor in
    another thread of such a process, nor where the timer is in use, as by pytest-timeout.
    """
    is_worker = parent_process() is not None
    if seconds is None or _ALARM is None or not (is_worker or _has_free_timer()):
        yield from items
        return
    before = signal.getsignal(_ALARM)
    try:
        for item in items:
            if not is_worker:
                signal.signal(_ALARM, partial(_raise_out_of_time, item, seconds))
            signal.setitimer(signal.ITIMER_REAL, min(seconds, TIMEOUT_MAX), 1.0)
            yield item
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        if not is_worker:
            signal.signal(_ALARM, before)


def _has_free_timer() -> bool:
    is_running = signal.getitimer(signal.ITIMER_REAL)[0] > 0
    return current_thread() is main_thread() and not is_running


class OutOfTimeError(BaseException):
    """An item takes too long; code that catches every `Exception` does not stop it."""

    def __init__(self, item: Any, seconds: float) -> None:
        super().__init__(f"no answer within {seconds:g} s")
        self.item = item


def _raise_out_of_time(item: Any, seconds: float, *_: object) -> NoReturn:
    raise OutOfTimeError(item, seconds)


class WorkerPool(ThreadPoolExecutor):
    """An executor with `size` worker processes, each of which is replaced when it dies.

    Unlike a `ProcessPoolExecutor`, it loses only the task of the process that died: each thread
    sends its tasks to a process and waits for the answer. The processes inherit nothing from this
    one, and end when it ends. The end of a `with` statement stops the tasks that still run. Each
    imports the module `preload` at once, if there is one, while it waits for its first task.
    """

    def __init__(self, size: int, preload: str = "") -> None:
        super().__init__(size)
        # A worker that is killed does not remove its temporary files.
        self._folder = tempfile.TemporaryDirectory(
            prefix="jobs-", dir=process_folder(), ignore_cleanup_errors=True
        )
        self._workers = [_Worker(self._folder.name, preload) for _ in range(size)]
        self._idle = deque(self._workers)  # one for each thread that has no call

    def submit(self, task: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Schedule `task(*args, **kwargs)` and return its future."""
        return super().submit(self._run, pickle.dumps(partial(task, *args, **kwargs)))

    def _run(self, call: bytes) -> Any:
        worker = self._idle.popleft()
        try:
            return _result_in(worker.run(call))
        finally:
            self._idle.append(worker)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Accept no more tasks, and stop the workers after the submitted ones."""
        super().shutdown(wait, cancel_futures=cancel_futures)
        if wait:
            for worker in self._workers:
                worker.stop()
            self._folder.cleanup()

    def __exit__(self, *_: object) -> None:
        super().shutdown(wait=False, cancel_futures=True)
        for worker in self._workers:
            worker.stop()
        self.shutdown()


class WorkerDiedError(Exception):
    """A worker died before it answered."""

    def __init__(self, exitcode: int) -> None:
        super().__init__(f"a worker process died with exit code {exitcode}")
        self.exitcode = exitcode


class _Worker:
    """A process that runs one call at a time, and is replaced when it dies."""

    def __init__(self, folder: str, preload: str) -> None:
        self._arguments = folder, preload
        self._stopped = False
        self._start()

    def _start(self) -> None:
        connection, other_end = _SPAWN.Pipe()
        process = _SPAWN.Process(target=_serve, args=(other_end, *self._arguments), daemon=True)
        with _requests_blocked():
            process.start()
        # Only the worker holds the other end, so that its death closes the connection.
        other_end.close()
        # Another thread can call `stop`, which needs a process that has started.
        self._connection, self._process = connection, process

    def run(self, call: bytes) -> bytes:
        """Return the outcome of a pickled call in the process."""
        try:
            self._connection.send_bytes(call)
            return self._connection.recv_bytes()
        except (EOFError, OSError):
            self._process.join()
            exitcode = self._process.exitcode or 0
            if not self._stopped:
                self._start()
            raise WorkerDiedError(exitcode) from None

    def stop(self) -> None:
        """Stop the process, even in the middle of a call."""
        self._stopped = True
        process = self._process  # another thread can replace it
        process.kill()
        process.join()


@contextmanager
def _requests_blocked() -> Iterator[None]:
    """Block the requests to end in this thread, and in a process until it can ignore them."""
    if not _CAN_BLOCK:
        yield
        return
    resource_tracker.ensure_running()  # its start unblocks them
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _REQUESTS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _serve(connection: Connection, folder: str, preload: str) -> None:
    """Run the calls that come through a connection, until the pool's process ends."""
    tempfile.tempdir = folder
    for number in _REQUESTS:
        signal.signal(number, signal.SIG_IGN)
    if _CAN_BLOCK:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _REQUESTS)
    if _ALARM is not None:
        signal.signal(_ALARM, signal.SIG_DFL)
    watch = Thread(target=_end_with_parent, args=(folder,), daemon=True)
    watch.start()
    if preload:
        with suppress(Exception):  # a task that needs the module gets the error
            import_module(preload)
    with suppress(EOFError, OSError):
        while True:
            connection.send_bytes(_outcome_of(connection.recv_bytes()))
    watch.join()


def _end_with_parent(folder: str) -> None:
    """Wait until the pool's process ends, even by a signal; then clean up and end this one."""
    if parent := parent_process():
        parent.join()
        shutil.rmtree(folder, ignore_errors=True)
        _exit_at_once(1)
