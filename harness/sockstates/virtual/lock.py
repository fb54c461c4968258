"""One build of a kernel at a time."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sockstates.virtual.errors import BuildImpossible


@contextmanager
def only_one(path: Path, what: str) -> Iterator[int]:
    """Hold the lock file at ``path`` meanwhile, as the descriptor that is given.

    A process that is killed holds it no longer, unless a child has got the descriptor and goes on.

    Raises BuildImpossible at once when another process holds it; ``what`` says what that does.
    """
    descriptor = _held(path, what)
    try:
        yield descriptor
    finally:
        # Removed while it is held: whoever opened it before notices, and makes a new one.
        path.unlink(missing_ok=True)
        os.close(descriptor)


def _held(path: Path, what: str) -> int:
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(descriptor, 20, 0).decode(errors="replace").strip()
            os.close(descriptor)
            raise BuildImpossible(
                f"process {holder or 'unknown'} is {what} just now (it holds {path}).\n"
                "Wait for it, or end it and try again: what is done is kept"
            ) from None
        if _still_there(descriptor, path):
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
            return descriptor
        os.close(descriptor)


def _still_there(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False
