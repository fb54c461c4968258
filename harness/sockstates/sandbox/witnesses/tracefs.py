"""Reading the kernel's tracefs without mounting it anywhere; changes nothing.

fsopen(2) and fsmount(2) give a file system that hangs in no directory: only its descriptor leads
to it, and with the descriptor it is gone. So no mount of the machine is touched, nobody else sees
one, and a killed process leaves none. Only the machine's root may (CAP_SYS_ADMIN in the first user
namespace); Linux 5.2 or later.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager

SYS_FSOPEN, SYS_FSCONFIG, SYS_FSMOUNT = 430, 431, 432
"""The same numbers on every architecture of Linux."""
CLOSE_ON_EXEC = 1
CONFIG_CREATE = 6
MOUNT_READ_ONLY = 1

_libc = ctypes.CDLL(None, use_errno=True)


def _call(name: str, number: int, *arguments: bytes | int | None) -> int:
    result = int(_libc.syscall(number, *arguments))
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, f"{name}: {os.strerror(error)}")
    return result


@contextmanager
def tracefs() -> Iterator[int]:
    """A descriptor of tracefs' top directory, for `dir_fd`; OSError names the call refused."""
    opened = _call("fsopen(tracefs)", SYS_FSOPEN, b"tracefs", CLOSE_ON_EXEC)
    try:
        _call("fsconfig(tracefs)", SYS_FSCONFIG, opened, CONFIG_CREATE, None, None, 0)
        top = _call("fsmount(tracefs)", SYS_FSMOUNT, opened, CLOSE_ON_EXEC, MOUNT_READ_ONLY)
    finally:
        os.close(opened)
    try:
        yield top
    finally:
        os.close(top)


def read_format(top: int, event: str) -> str | None:
    """The `format` file of an event (``sock:inet_sock_set_state``); None if there is none."""
    path = f"events/{event.replace(':', '/')}/format"
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC, dir_fd=top)
    except FileNotFoundError:
        return None
    with open(descriptor, encoding="ascii") as file:
        return file.read()
