"""Calls of targets do not end or change the process, whatever they do to it."""

import io
import os
import signal
import sys
import tempfile
import threading
import warnings
from contextlib import suppress

import numpy as np
import pytest

import refdot as rd
from refdot.cases.notation import dot_case
from refdot.check.batch import judge
from refdot.check.plan import Configuration
from refdot.cli.interruption import signals_as_interrupt
from refdot.targets.callable import CallableTarget
from refdot.tensor import NamedTensor

VALID = dot_case("a:2 b:3", "b:3 c:4", "b", gradient_order=1)
CALL = Configuration("call", "stock")


def after(act):
    """Return a dot that does something else first; its answers are right."""

    def dot(x, y, dim):
        act(x)
        return rd.dot(x, y, dim)

    return dot


def raises(error):
    def dot(x, y, dim):
        raise error

    return dot


class TextIsInterruptedError(Exception):
    def __str__(self):
        raise KeyboardInterrupt


def forks(x):
    """Return twice, once in a copy of the process."""
    if os.fork():
        os.wait()


def exits_at_once_in_a_copy(x):
    if not os.fork():
        os._exit(0)
    os.wait()


def catches_an_exit_at_once(x):
    with suppress(SystemExit):
        os._exit(0)


def replaces_streams(x):
    sys.stdout = sys.stderr = None


def closes_streams(x):
    sys.stdout.close()
    sys.stderr.close()
    print("still open")


def closes_buffers(x):
    sys.stdout.buffer.close()
    sys.stdout.buffer.raw.close()
    print("still open")


def wraps_the_output(x):
    print("still open", file=io.TextIOWrapper(sys.stdout.detach(), encoding="utf-16"))


def removes_the_folder(x):
    folder = tempfile.mkdtemp()
    os.chdir(folder)
    os.rmdir(folder)


def ignores_interrupts(x):
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def starts_a_thread(x):
    threading.Thread(target=lambda: None).start()


RIGHT_DOTS = {
    "replaces the streams": replaces_streams,
    "closes the streams": closes_streams,
    "removes the folder": removes_the_folder,
    "clears the path of modules": lambda x: sys.path.clear(),
    "makes files that nobody can read": lambda x: os.umask(0o777),
    "ignores interrupts": ignores_interrupts,
    "starts a thread": starts_a_thread,
    "limits recursion": lambda x: sys.setrecursionlimit(200),
    "changes the folder": lambda x: os.chdir("/"),
    "turns warnings into errors": lambda x: warnings.simplefilter("error"),
    "turns floating-point warnings into errors": lambda x: np.seterr(all="raise"),
    "forks": forks,
    "exits at once in a copy": exits_at_once_in_a_copy,
    "catches an exit at once": catches_an_exit_at_once,
}


def umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask


def process_state():
    return (
        *(sys.stdout, sys.stderr, sys.getrecursionlimit(), os.getcwd(), os._exit),
        *(warnings.filters[:], np.geterr(), signal.getsignal(signal.SIGINT)),
        *(sys.path[:], umask()),
    )


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:.*fork.*:RuntimeWarning")  # of JAX
@pytest.mark.parametrize("act", RIGHT_DOTS.values(), ids=RIGHT_DOTS)
def test_the_process_is_as_before(act):
    before = process_state()
    assert judge(CallableTarget(after(act), "fn"), VALID, CALL) == ()
    assert process_state() == before


def changes_x(change):
    """Return a dot that changes x after it has computed the answer."""

    def dot(x, y, dim):
        out = rd.dot(x, y, dim)
        change(x)
        return out

    return dot


def test_a_target_may_print_where_there_is_no_output(monkeypatch):
    monkeypatch.setattr(sys, "stdout", None)
    assert judge(CallableTarget(after(lambda x: print("text")), "fn"), VALID, CALL) == ()


@pytest.mark.parametrize("act", [closes_buffers, wraps_the_output])
def test_a_target_does_not_take_the_output(act, monkeypatch):
    raw = io.BytesIO()
    output = io.TextIOWrapper(io.BufferedWriter(raw), encoding="utf-8")
    monkeypatch.setattr(sys, "stdout", output)
    assert judge(CallableTarget(after(act), "fn"), VALID, CALL) == ()
    print("mine", flush=True)
    assert b"still open" in raw.getvalue().replace(b"\0", b"")
    assert raw.getvalue().endswith(b"mine\n")


def test_the_working_folder_may_be_gone(tmp_path, monkeypatch):
    folder = tmp_path / "folder"
    folder.mkdir()
    monkeypatch.chdir(folder)

    def act(x):
        os.chdir("/")
        folder.rmdir()

    assert judge(CallableTarget(after(act), "fn"), VALID, CALL)[0].got.startswith("FileNotFound")
    assert os.getcwd() == "/"


def test_a_path_of_modules_keeps_what_a_target_adds(monkeypatch):
    monkeypatch.setattr(sys, "path", [*sys.path])
    judge(CallableTarget(after(lambda x: sys.path.insert(0, "/new")), "fn"), VALID, CALL)
    assert sys.path[0] == "/new"


def test_a_warning_of_every_call_is_shown_once():
    def act(x):
        warnings.warn("again", UserWarning, stacklevel=1)

    with warnings.catch_warnings(record=True) as shown:
        warnings.simplefilter("default")
        judge(CallableTarget(after(act), "fn"), VALID, CALL)
    assert len(shown) == 1


WRITES = {
    "numbers": lambda x: x.data.fill(0),
    "shape": lambda x: setattr(x.data, "shape", x.data.shape[::-1]),
    "dtype": lambda x: setattr(x.data, "dtype", "V8"),
}


@pytest.mark.filterwarnings("ignore:Setting:DeprecationWarning")
@pytest.mark.parametrize("change", WRITES.values(), ids=WRITES)
def test_a_changed_operand_is_a_mismatch(change):
    (mismatch,) = judge(CallableTarget(changes_x(change), "fn"), VALID, CALL)
    assert mismatch.signature == "R12 side-effect at run: x was written to"


def test_an_operand_that_has_lost_its_array_is_no_concern():
    fn = changes_x(lambda x: NamedTensor.data.__set__(x, None))
    assert judge(CallableTarget(fn, "fn"), VALID, CALL) == ()


def press_ctrl_c(x):
    signal.raise_signal(signal.SIGINT)


def test_an_interrupt_that_a_target_raises_is_told_from_one_of_the_user():
    raised = CallableTarget(raises(KeyboardInterrupt), "fn")
    with signals_as_interrupt():
        (mismatch,) = judge(raised, VALID, CALL)
        assert mismatch.got == "KeyboardInterrupt at run: "
        (mismatch,) = judge(CallableTarget(raises(TextIsInterruptedError), "fn"), VALID, CALL)
        assert mismatch.got.endswith("<TextIsInterruptedError whose text raises KeyboardInterrupt>")
        with pytest.raises(KeyboardInterrupt):
            judge(CallableTarget(after(press_ctrl_c), "fn"), VALID, CALL)
    with pytest.raises(KeyboardInterrupt):  # Python's own handler raises the same
        judge(raised, VALID, CALL)


def test_an_interrupt_that_a_target_raises_again_is_one_of_the_user():
    def converts(x):
        try:
            press_ctrl_c(x)
        except KeyboardInterrupt:
            raise KeyboardInterrupt("cleaned up") from None

    with signals_as_interrupt(), pytest.raises(KeyboardInterrupt, match="cleaned up"):
        judge(CallableTarget(after(converts), "fn"), VALID, CALL)


def test_an_exit_at_once_is_an_error():
    (mismatch,) = judge(CallableTarget(after(lambda x: os._exit(0)), "fn"), VALID, CALL)
    assert mismatch.got == "SystemExit at run: os._exit(0)"
