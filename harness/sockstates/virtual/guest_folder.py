"""Where a guest has its files on the machine: its own folder, and the file that is its memory.

A folder is locked (flock(2)) by the process that made it, and lives no longer than it. Who is
killed with SIGKILL removes nothing; so everybody who makes a folder first removes those that nobody
has locked any more.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from sockstates.virtual import init
from sockstates.virtual.errors import GuestFailed

PREFIX: Final = "sockstates-guest-"
ROOM: Final = 512
"""MiB that have to be free for a guest's memory."""
MEMORY_FOLDER: Final = "/dev/shm"  # noqa: S108 (a guest's memory has no name there)
_MIB = 1 << 20
_AWKWARD = re.compile(r"[\s,:\\\"']")
"""What neither a kernel's command line nor a mount's options can name."""


class GuestFolder:
    """A new folder with all that a guest needs of its own; only the user can read it.

    Raises GuestFailed when there can be none.
    """

    def __init__(self) -> None:
        base = Path(tempfile.gettempdir()).resolve()
        if found := _AWKWARD.search(str(base)):
            character = found.group()
            named = "a space" if character.isspace() else f"a {character}"
            raise GuestFailed(
                f"the temporary folder has {named} in its name: {base}\n"
                "A kernel's command line cannot name it; set TMPDIR to another one."
            )
        _sweep(base)
        try:
            self.path, self._lock = _locked(base)
        except OSError as error:
            raise GuestFailed(_no_folder(base, error)) from error
        try:
            self._fill()
        except OSError as error:
            self.remove()
            raise GuestFailed(_no_folder(base, error)) from error

    def _fill(self) -> None:
        for name in ("memory", "root"):
            (self.path / name).mkdir()
        for name in (init.OUTPUT, init.ERRORS):
            (self.path / name).touch()
        shutil.copyfile(Path(init.__file__), self.path / "init.py")
        interpreter = Path(getattr(sys, "_base_executable", sys.executable)).resolve()
        (self.path / "python").symlink_to(interpreter)

    def remove(self) -> None:
        """Remove it with all that is in it; once more does nothing."""
        shutil.rmtree(self.path, ignore_errors=True)
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


def _no_folder(base: Path, error: OSError) -> str:
    return (
        f"a guest's files cannot be written to {base}: {error.strerror}.\n"
        "Make room there, or set TMPDIR to another folder."
    )


def _locked(base: Path) -> tuple[Path, int | None]:
    """A new folder and its lock; another one when somebody swept it away before it was locked."""
    while True:
        path = Path(tempfile.mkdtemp(prefix=PREFIX, dir=base))
        with suppress(FileNotFoundError, BlockingIOError):
            lock = _lock(path)
            if path.exists():
                return path, lock
            os.close(lock)


def _lock(path: Path) -> int:
    """Lock a folder; raises BlockingIOError when somebody has."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def _sweep(base: Path) -> None:
    """Remove the folders of this user whose makers are dead."""
    for path in base.glob(f"{PREFIX}*"):
        with suppress(OSError):
            if path.lstat().st_uid != os.getuid():
                continue
            lock = _lock(path)
            shutil.rmtree(path, ignore_errors=True)
            os.close(lock)


def memory_folder() -> tuple[str, int]:
    """The folder for the file that is a guest's memory, and how many MiB are free there.

    The first that serves of the machine's memory, TMPDIR, and the temporary folder: on a disk every
    page that a guest writes costs several times as much. A guest maps the file to execute it.
    Raises GuestFailed with what is wrong with each.
    """
    candidates = [MEMORY_FOLDER, os.environ.get("TMPDIR", ""), tempfile.gettempdir()]
    lacks = []
    for candidate in dict.fromkeys(filter(None, candidates)):
        lack = ", ".join(_lacks(candidate))
        if not lack:
            return candidate, _free(os.statvfs(candidate))
        lacks.append(f"  {candidate} {lack}")
    raise GuestFailed(
        "\n".join(
            [
                f"a guest's memory is a file, and no folder serves for it; {ROOM} MiB are needed:",
                *lacks,
                "Make room, or set TMPDIR to a folder that has it and is not mounted noexec.",
            ]
        )
    )


def _free(found: os.statvfs_result) -> int:
    return found.f_bavail * found.f_frsize // _MIB


def _lacks(folder: str) -> Iterator[str]:
    try:
        found = os.statvfs(folder)
    except OSError as error:
        yield f"cannot be used: {error.strerror}"
        return
    if not os.access(folder, os.W_OK | os.X_OK):
        yield "cannot be written to"
    if found.f_flag & os.ST_NOEXEC:
        yield "is mounted noexec"
    if _free(found) < ROOM:
        yield f"has {_free(found)} MiB free"


def full(folder: str | Path) -> bool:
    """Whether nothing more can be written there."""
    try:
        return not _free(os.statvfs(folder))
    except OSError:
        return False
