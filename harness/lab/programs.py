"""The commands that run on a host: started, written to, interrupted, reaped, their output kept.

Lives in the host's agent, which is process 1 of the host: every process that loses its parent
becomes the agent's, and all of them end with it.
"""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import psutil

from harness.evidence.events import Event, ProgramEnded, ProgramStarted, ProgramWrote

LARGEST_READ = 1 << 16


@dataclass(slots=True, eq=False)
class Stream:
    """One output of a program, as the selector knows it."""

    program: int
    name: str
    pipe: IO[bytes]


@dataclass(slots=True)
class _Program:
    number: int
    process: subprocess.Popen[bytes]
    streams: list[Stream]


@dataclass
class Programs:
    """Every command started on one host."""

    host: str
    selector: selectors.BaseSelector
    record: Callable[[Event], None]
    _running: dict[int, _Program] = field(default_factory=dict)
    _next: int = 1

    def start(
        self, command: tuple[str, ...], environment: dict[str, str], directory: str | None
    ) -> tuple[int, int]:
        """Run a command in a session of its own; its number and its process id."""
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=os.environ | environment,
            cwd=directory,
            start_new_session=True,
        )
        number, self._next = self._next, self._next + 1
        self.record(ProgramStarted(time.time_ns(), self.host, number, process.pid, command))
        program = _Program(number, process, [])
        for name, pipe in (("stdout", process.stdout), ("stderr", process.stderr)):
            if pipe is not None:
                os.set_blocking(pipe.fileno(), False)
                stream = Stream(number, name, pipe)
                program.streams.append(stream)
                self.selector.register(pipe, selectors.EVENT_READ, stream)
        self._running[number] = program
        return number, process.pid

    def write(self, number: int, data: bytes) -> None:
        """Type into the program's standard input."""
        stdin = self._running[number].process.stdin
        if stdin is None or stdin.closed:
            raise ValueError("its standard input is closed")
        stdin.write(data)
        stdin.flush()

    def close_input(self, number: int) -> None:
        """End of file on the program's standard input."""
        stdin = self._running[number].process.stdin
        if stdin is not None:
            stdin.close()

    def send_signal(self, number: int, signal_number: int) -> None:
        """A signal to the program's whole process group, as a terminal's Ctrl-C is."""
        os.killpg(self._running[number].process.pid, signal.Signals(signal_number))

    def processes(self, number: int) -> tuple[int, ...]:
        """The program's process and its descendants that are alive."""
        program = self._running.get(number)
        if program is None:
            return ()
        try:
            process = psutil.Process(program.process.pid)
            return (process.pid, *(child.pid for child in process.children(recursive=True)))
        except psutil.NoSuchProcess:
            return ()

    def read(self, stream: Stream) -> None:
        """The selector says that a program wrote, or closed, one of its outputs."""
        data = os.read(stream.pipe.fileno(), LARGEST_READ)
        if data:
            self.record(ProgramWrote(time.time_ns(), self.host, stream.program, stream.name, data))
        else:
            self._close(stream)

    def reap(self) -> None:
        """Collect every child that has ended, adopted orphans too."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            for program in list(self._running.values()):
                if program.process.pid == pid:
                    self._ended(program, os.waitstatus_to_exitcode(status))

    def _ended(self, program: _Program, status: int) -> None:
        program.process.returncode = status
        for stream in program.streams:
            if not stream.pipe.closed:
                self._read_rest(stream)
        if program.process.stdin is not None:
            _close_quietly(program.process.stdin)
        del self._running[program.number]
        self.record(ProgramEnded(time.time_ns(), self.host, program.number, status))

    def _read_rest(self, stream: Stream) -> None:
        """What a program wrote last is read before its end is recorded."""
        try:
            while not stream.pipe.closed:
                self.read(stream)
        except BlockingIOError:
            return  # a descendant still has it open: the selector goes on

    def _close(self, stream: Stream) -> None:
        self.selector.unregister(stream.pipe)
        stream.pipe.close()


def _close_quietly(pipe: IO[bytes]) -> None:
    try:
        pipe.close()
    except BrokenPipeError:
        return


def command_name(pid: int) -> str:
    """The name of a process as the kernel has it; empty when it is gone; proc_pid_comm(5)."""
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""
