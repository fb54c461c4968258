"""The test process' side of the sandbox: starts it once, asks it for labs, sees it end.

One sandbox serves all labs of one test process; what it is stands in `sandbox_process`. When this
process ends, however it ends, the sandbox and all that is in it end too.
"""

from __future__ import annotations

import errno
import os
import pickle
import socket
import subprocess
import sys
from itertools import count
from pathlib import Path
from typing import Any

from sockstates.sandbox.client.errors import LabError, SandboxUnavailable
from sockstates.sandbox.client.kernel_watch import KernelWatch
from sockstates.sandbox.network.topology import Plan
from sockstates.sandbox.request import MESSAGE_SIZE, MOST_DESCRIPTORS, LabRequest
from sockstates.sandbox.witnesses.tracing import TURNED_OFF, Watched
from sockstates.tcp.dissect import prepare

SOURCES = Path(__file__).parents[3]
NAMESPACES_REFUSED = (errno.ENOSPC, errno.EINVAL, errno.ENOSYS)
"""What unshare(2) says, apart from EPERM: a limit is reached; not in this kernel; a container's
system call filter answers as if it were not."""

BORN = "import sys; from sockstates.sandbox.process import main; sys.exit(main())"
"""What the interpreter of a sandbox is started with."""


class Sandbox:
    """The process that holds this process' labs, and a new one where it was ended meanwhile."""

    def __init__(self, *, tracepoints: bool = True, ring: int = 0) -> None:
        """Without `tracepoints` the kernel's own word on states is not asked for.

        `ring` bytes has each processor's ring for it; 0: as many as the machine's size suggests.
        """
        self._labs = count(1)
        self._tracepoints, self._ring = tracepoints, ring
        self._watches: list[KernelWatch] = []
        self._start()

    def _start(self) -> None:
        self._requests, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._lifeline, guard = socket.socketpair()
        search = os.pathsep.join([str(SOURCES), os.environ.get("PYTHONPATH", "")])
        self._process = subprocess.Popen(
            [
                sys.executable,
                "-c",
                BORN,
                str(theirs.fileno()),
                str(guard.fileno()),
            ],
            pass_fds=(theirs.fileno(), guard.fileno()),
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            env=os.environ | {"PYTHONPATH": search, "PYTHONDONTWRITEBYTECODE": "1"},
        )
        theirs.close()
        guard.close()
        prepare()  # meanwhile: later it would hold up the first scenario, but not its kernel
        try:
            answer, _ = self._answer()
        except LabError:
            self.close()
            raise
        self.user: int = answer[1]
        """Who we are in the sandbox: 0, as the machine's root or as root of a user namespace."""
        self._watches.append(self._watch())

    def _watch(self) -> KernelWatch:
        if not self._tracepoints:
            return KernelWatch(Watched(missing=TURNED_OFF), [])
        self._requests.send(pickle.dumps(("trace", self._ring)))
        return KernelWatch(*self._answer())

    @property
    def kernel_watch(self) -> KernelWatch:
        """What reads the kernel's tracepoints for the labs that are opened now."""
        return self._watches[-1]

    @property
    def pid(self) -> int:
        """The sandbox's outermost process, in the machine's numbering."""
        return self._process.pid

    def open(self, request: LabRequest, descriptors: list[int]) -> tuple[Plan, list[int]]:
        """Have a lab made: its plan, and the packet sockets of its hosts, to be closed after it.

        The hosts report on their own control sockets when they are ready.
        """
        if self._process.poll() is not None:
            self._let_go()
            self._start()
        socket.send_fds(self._requests, [pickle.dumps(("open", request))], descriptors)
        plan, captures = self._answer()
        assert isinstance(plan, Plan)
        return plan, captures

    def close_lab(self, lab: int) -> None:
        """End every process of a lab; returns when they are gone."""
        try:
            self._requests.send(pickle.dumps(("close", lab)))
            self._answer()
        except (ConnectionError, LabError):
            self._process.wait()  # the sandbox has ended, and every lab with it

    def next_lab(self) -> int:
        """A number for the next lab of this process."""
        return next(self._labs)

    def close(self) -> None:
        """End the sandbox with all that is in it; returns when it is gone."""
        self._let_go()
        self._process.wait()
        for watch in self._watches:
            watch.close()
        self._watches.clear()

    def _let_go(self) -> None:
        self._requests.close()
        self._lifeline.close()

    def _answer(self) -> tuple[Any, list[int]]:
        """What the sandbox says, and the descriptors that come with it."""
        data, descriptors, _, _ = socket.recv_fds(self._requests, MESSAGE_SIZE, MOST_DESCRIPTORS)
        if not data:
            raise LabError(
                f"the sandbox ended unexpectedly (exit status {self._process.wait()}); "
                "see what it wrote on standard error"
            )
        answer = pickle.loads(data)
        if _is_refusal(answer):
            raise SandboxUnavailable(_advice(answer)) from answer
        if isinstance(answer, Exception):
            raise LabError(f"the lab could not be made: {_reason(answer)}") from answer
        return answer, descriptors


def _is_refusal(answer: object) -> bool:
    """Whether the kernel refused to make a lab; a file of ours that is closed to us is no refusal.

    Errors of a system call have no file name; /proc has the maps of a user namespace, and settings.
    """
    if not isinstance(answer, OSError):
        return False
    ours = answer.filename is not None and not str(answer.filename).startswith("/proc/")
    permission = isinstance(answer, PermissionError)
    return not ours and (permission or answer.errno in NAMESPACES_REFUSED)


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}: {error.filename}" if error.filename else error.strerror
    return str(error)


def _advice(error: OSError) -> str:
    return (
        f"this process is not allowed to make a lab: {_reason(error)}.\n"
        "Run `sockstates doctor`: it says which permission is missing and how to give it."
    )
