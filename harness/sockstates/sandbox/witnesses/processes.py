"""Which processes of a host have a socket open, and what they call themselves.

For what netstat(8) tells beside a socket: psutil names the last process that has it open, netstat
the first, and beside it the name by which that process goes at the moment, which a program may
change (nginx does). Reads the host's /proc only, and records only what has changed.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Mapping

import psutil

from sockstates.record.events import ProcessSeen

AGENT = 1
"""The host's own process: it has no parent to share sockets with, and keeps its name."""


class Processes:
    """The processes of one host that have sockets open; lives in the host's agent."""

    def __init__(self, host: str, record: Callable[[ProcessSeen], None]) -> None:
        self._host = host
        self._record = record
        self._commands: dict[int, tuple[str, ...]] = {}

    def notice(self, pids: Iterable[int]) -> None:
        """Record what these processes call themselves, where that is new."""
        for pid in pids:
            if pid == AGENT and pid in self._commands:
                continue
            command = _command(pid)
            if command is not None and command != self._commands.get(pid):
                self._commands[pid] = command
                self._record(ProcessSeen(time.time_ns(), self._host, pid, command))


def first_owners(known: Mapping[int, int]) -> dict[int, int]:
    """By a socket's inode: the lowest process that has it open. `known`: one that has, by inode."""
    first = dict(known)
    highest = max(known.values(), default=0)
    for pid in psutil.pids():
        if not AGENT < pid < highest:
            continue
        for inode in _sockets_of(pid) & first.keys():
            first[inode] = min(first[inode], pid)
    return first


def _sockets_of(pid: int) -> set[int]:
    """The inodes of the sockets that a process has open; none when it is gone; proc_pid_fd(5)."""
    folder = f"/proc/{pid}/fd"
    found = set()
    try:
        for descriptor in os.listdir(folder):
            kind, _, inode = os.readlink(f"{folder}/{descriptor}").partition(":")
            if kind == "socket":
                found.add(int(inode.strip("[]")))
    except OSError:  # it ends, or closes a descriptor, while it is looked at
        return found
    return found


def _command(pid: int) -> tuple[str, ...] | None:
    """The words of a process' command line, as it has it now; proc_pid_cmdline(5)."""
    try:
        descriptor = os.open(f"/proc/{pid}/cmdline", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        text = os.read(descriptor, 1 << 12).decode(errors="replace")
    except OSError:
        return None
    finally:
        os.close(descriptor)
    return tuple(text.rstrip("\0").split("\0"))
