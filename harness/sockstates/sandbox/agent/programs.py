"""The commands that run on a host: started, written to, interrupted, reaped, their output kept.

Lives in the host's agent, which is process 1 of the host: every process that loses its parent
becomes the agent's, and all of them end with it. Each program gets a UTS namespace of its own, for
one reason: all that descends from it stays in there, daemons with another session and another
parent too, so that every process on the host can be told to be whose. Nothing leaves it by
accident, as it would a process group.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import psutil

from sockstates.programs import search_path
from sockstates.record.events import Event, ProgramEnded, ProgramStarted
from sockstates.sandbox.agent.program_streams import Input, Output, recorder
from sockstates.sandbox.network import namespaces
from sockstates.sandbox.program_texts import command_text

PROXIES = frozenset({"http_proxy", "https_proxy", "ftp_proxy", "all_proxy", "no_proxy"})
"""Settings of the machine's own network, which a lab's hosts are not on."""
FROM_A_TERMINAL = (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP, signal.SIGTERM)
UTS = "/proc/{}/ns/uts"


@dataclass(slots=True)
class _Program:
    number: int
    command: tuple[str, ...]
    process: subprocess.Popen[bytes]
    namespace: int
    """Its UTS namespace, held open so that no other gets the same number."""
    mark: int
    """The namespace's inode: which processes are its."""
    input: Input | None = None
    outputs: list[Output] = field(default_factory=list)
    ended: bool = False


class Programs:
    """Every command started on one host."""

    def __init__(
        self, host: str, selector: selectors.BaseSelector, record: Callable[[Event], None]
    ) -> None:
        self._host = host
        self._selector = selector
        self._record = record
        self._programs: dict[int, _Program] = {}
        self._owners: dict[int, int | None] = {}
        self._own_namespace = os.open(UTS.format("self"), os.O_RDONLY | os.O_CLOEXEC)
        for number in FROM_A_TERMINAL:
            # Ignored signals stay ignored in a child, and shells ignore SIGINT for background jobs:
            # Ctrl-C would not reach a program. As process 1 we ourselves need not fear them.
            signal.signal(number, signal.SIG_DFL)

    def start(
        self, command: tuple[str, ...], environment: Mapping[str, str], directory: str | None
    ) -> tuple[int, int]:
        """Run a command in a session of its own; its number and its process id."""
        process, namespace = self._spawn(command, environment, directory)
        mark = os.fstat(namespace).st_ino
        program = _Program(len(self._programs) + 1, command, process, namespace, mark)
        self._programs[program.number] = program
        self._record(
            ProgramStarted(time.time_ns(), self._host, program.number, process.pid, command)
        )
        for name, pipe in (("stdout", process.stdout), ("stderr", process.stderr)):
            if pipe is not None:
                record = recorder(self._record, self._host, program.number, name)
                program.outputs.append(Output(pipe, self._selector, record))
        if process.stdin is not None:
            program.input = Input(process.stdin, self._selector)
        return program.number, process.pid

    def _spawn(
        self, command: tuple[str, ...], environment: Mapping[str, str], directory: str | None
    ) -> tuple[subprocess.Popen[bytes], int]:
        namespaces.unshare(namespaces.CLONE_NEWUTS)
        namespace = os.open(UTS.format("self"), os.O_RDONLY | os.O_CLOEXEC)
        try:
            process = subprocess.Popen(
                command,
                bufsize=0,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=program_environment(os.environ, environment),
                cwd=directory,
                start_new_session=True,
            )
        except OSError:
            os.close(namespace)
            raise
        finally:
            namespaces.enter(self._own_namespace, namespaces.CLONE_NEWUTS)
        return process, namespace

    def write(self, number: int, data: bytes) -> None:
        """Type into the program's standard input; errors: ValueError when it is closed."""
        program = self._programs[number]
        if program.input is None:
            raise ValueError("it has no standard input")
        if program.ended and (program.input.closed or not self.processes(number)):
            raise ValueError("it has ended")
        program.input.write(data)

    def close_input(self, number: int) -> None:
        """End of file on the program's standard input."""
        program = self._programs[number]
        if program.input is not None:
            program.input.end()

    def send_signal(self, number: int, signal_number: int) -> None:
        """A signal to the program's process group, as a terminal's Ctrl-C is.

        When its first process has ended, to what is left of it. SIGSTOP takes hold only when a
        process is given the processor again, and a call like accept(2) still returns what is there
        by then: it is waited for.
        """
        program = self._programs[number]
        if not program.ended:
            os.killpg(program.process.pid, signal.Signals(signal_number))
            if signal_number == signal.SIGSTOP:
                options = os.WSTOPPED | os.WEXITED | os.WNOWAIT
                os.waitid(os.P_PID, program.process.pid, options)
            return
        for pid in self.processes(number):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.Signals(signal_number))

    def kill(self, number: int) -> None:
        """SIGKILL to every process of the program, wherever it has gone."""
        for pid in self.processes(number):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def processes(self, number: int) -> tuple[int, ...]:
        """The program's process and its descendants that are alive."""
        mark = self._programs[number].mark
        return tuple(pid for pid in psutil.pids() if _mark(pid) == mark)

    def notice(self, pid: int) -> None:
        """Remember whose this process is, while it is alive."""
        if pid not in self._owners:
            mark = _mark(pid)
            found = (each.number for each in self._programs.values() if each.mark == mark)
            self._owners[pid] = next(found, None)

    def owner(self, pid: int) -> tuple[int, str] | None:
        """The program whose process this is or was, and its command line; None: no program's."""
        self.notice(pid)
        number = self._owners[pid]
        return None if number is None else (number, command_text(self._programs[number].command))

    def reap(self) -> None:
        """Collect every child that has ended, adopted orphans too."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            for program in self._programs.values():
                if program.process.pid == pid and not program.ended:
                    self._end(program, os.waitstatus_to_exitcode(status))

    def _end(self, program: _Program, status: int) -> None:
        program.process.returncode = status
        program.ended = True
        for output in program.outputs:
            output.read_rest()
        left = self.processes(program.number)
        if program.input is not None and not left:
            program.input.close()
        self._record(ProgramEnded(time.time_ns(), self._host, program.number, status, left))


def _mark(pid: int) -> int | None:
    """The inode of the process' UTS namespace; None when it is gone or a zombie."""
    try:
        return os.stat(UTS.format(pid)).st_ino
    except OSError:
        return None


def program_environment(ours: Mapping[str, str], wished: Mapping[str, str]) -> dict[str, str]:
    """What a program gets: the test process' environment, but none of the machine's proxies.

    PATH also has the folders for administrators' programs, which an unprivileged user's may lack.
    """
    kept = {name: value for name, value in ours.items() if name.lower() not in PROXIES}
    return kept | {"PATH": search_path(kept.get("PATH"))} | dict(wished)
