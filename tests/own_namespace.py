"""Run a piece of a test in network namespaces that are not the machine's. Kernel side.

The one place in these tests that unshares. A child process leaves the namespace it started in, and
proves that it did, before the test's own code runs; what it makes there dies with it.
"""

import ctypes
import os
import pickle
import select
import signal
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

Result = TypeVar("Result")

# linux/sched.h
_NEW_MOUNTS, _NEW_USER, _NEW_NETWORK = 0x0002_0000, 0x1000_0000, 0x4000_0000
_OWN = "/proc/self/ns/net"
_libc = ctypes.CDLL(None, use_errno=True)


def in_own_namespace(body: Callable[[], Result], deadline: float = 120) -> Result:
    """Call ``body`` in a child process in a new network namespace; give back what it returned.

    What ``body`` raises comes back as an AssertionError that holds the child's traceback.
    """
    started_in = os.stat(_OWN).st_ino
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        with os.fdopen(writing, "wb") as answer:
            answer.write(_outcome(body, started_in))
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as answer:
        ready, _, _ = select.select([answer], [], [], deadline)
        if not ready:
            os.kill(child, signal.SIGKILL)
        data = answer.read()
    os.waitpid(child, 0)
    assert data, f"the child died without a word, or had none within {deadline} s"
    result, failure = pickle.loads(data)
    if failure is not None:
        raise AssertionError(f"in the namespace's process:\n{failure}")
    value: Result = result
    return value


def _outcome(body: Callable[[], Result], started_in: int) -> bytes:
    try:
        _leave(started_in)
        return pickle.dumps((body(), None))
    except BaseException:
        return pickle.dumps((None, traceback.format_exc()))


def _leave(started_in: int) -> None:
    user, group = os.getuid(), os.getgid()
    if user == 0:
        _checked(_libc.unshare(_NEW_MOUNTS | _NEW_NETWORK))
    else:
        _checked(_libc.unshare(_NEW_USER | _NEW_MOUNTS | _NEW_NETWORK))
        for name, text in (
            ("setgroups", "deny"),
            ("uid_map", f"0 {user} 1"),
            ("gid_map", f"0 {group} 1"),
        ):
            with open(f"/proc/self/{name}", "w") as file:
                file.write(text)
    assert os.stat(_OWN).st_ino != started_in, "still in the namespace the process started in"


def new_namespace() -> int:
    """Make a further network namespace, without staying in it; a descriptor that keeps it."""
    here = os.open(_OWN, os.O_RDONLY | os.O_CLOEXEC)
    try:
        _checked(_libc.unshare(_NEW_NETWORK))
        return os.open(_OWN, os.O_RDONLY | os.O_CLOEXEC)
    finally:
        _checked(_libc.setns(here, _NEW_NETWORK))
        os.close(here)


@contextmanager
def inside(namespace: int) -> Iterator[None]:
    """Be in a namespace for a while; sockets opened there stay there."""
    here = os.open(_OWN, os.O_RDONLY | os.O_CLOEXEC)
    _checked(_libc.setns(namespace, _NEW_NETWORK))
    try:
        yield
    finally:
        _checked(_libc.setns(here, _NEW_NETWORK))
        os.close(here)


def _checked(result: int) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
