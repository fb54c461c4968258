"""A command that runs on a host, as the scenario holds it: its output, its signals, its sockets."""

from __future__ import annotations

import errno
import signal
from typing import TYPE_CHECKING

from harness.evidence.events import ProgramEnded, ProgramWrote, SocketSeen
from harness.evidence.verdicts import ExpectationFailed
from harness.lab.errors import LabError
from harness.tcp.states import State

if TYPE_CHECKING:
    from harness.lab.endpoint import Connection, Listener
    from harness.lab.host import Host


class Program:
    """A running command; `pid` is its process id in the host's own numbering."""

    def __init__(self, host: Host, number: int, pid: int, command: tuple[str, ...]) -> None:
        self.host = host
        self.number = number
        self.pid = pid
        self.command = command
        self._processes: set[int] = {pid}

    def __str__(self) -> str:
        return f"{' '.join(self.command)!r} on {self.host.name}"

    @property
    def output(self) -> bytes:
        """What it wrote to standard output so far."""
        return self._written("stdout")

    @property
    def errors(self) -> bytes:
        """What it wrote to standard error so far."""
        return self._written("stderr")

    def _written(self, stream: str) -> bytes:
        self.host.lab.settle()
        return b"".join(
            event.data
            for event in self.host.lab.timeline.events
            if isinstance(event, ProgramWrote)
            and (event.host, event.program, event.stream) == (self.host.name, self.number, stream)
        )

    @property
    def ended(self) -> ProgramEnded | None:
        """Its end, once it has come."""
        return next(
            (
                event
                for event in self.host.lab.timeline.events
                if isinstance(event, ProgramEnded)
                and (event.host, event.program) == (self.host.name, self.number)
            ),
            None,
        )

    def has_process(self, pid: int | None) -> bool:
        """Whether this process id is the program's or a descendant's."""
        if pid is None:
            return False
        if pid not in self._processes:
            self._processes.update(self.host.ask("program", number=self.number, what="processes"))
        return pid in self._processes

    def listens(self, port: int) -> Listener:
        """Wait until the program listens on `port`; its listening socket."""
        from harness.lab.endpoint import Listener

        seen = self._wait_for(
            lambda each: each.state is State.LISTEN and each.local.port == port,
            f"to listen on port {port}",
        )
        return Listener(self.host, seen.local)

    def connects(self, listener: Listener) -> Connection:
        """Wait until the program has a socket that is connected, or connecting, to `listener`."""
        from harness.lab.endpoint import Endpoint, PassiveEnd, Connection

        port = listener.local.port
        addresses = listener.host.addresses
        seen = self._wait_for(
            lambda each: (
                each.remote is not None and each.remote.port == port and each.remote.ip in addresses
            ),
            f"to connect to {listener.host.name} port {port}",
        )
        assert seen.remote is not None
        return Connection(
            Endpoint(self.host, seen.local, seen.remote),
            PassiveEnd(listener, seen.remote, seen.local),
        )

    def _wait_for(self, fits: object, what: str) -> SocketSeen:
        lab = self.host.lab

        def find() -> SocketSeen | None:
            return next(
                (
                    event
                    for event in reversed(lab.timeline.events)
                    if isinstance(event, SocketSeen)
                    and event.host == self.host.name
                    and fits(event)  # type: ignore[operator]
                    and self.has_process(event.owner)
                ),
                None,
            )

        lab.wait_until(lambda: bool(self.ended or find()), f"{self} {what}", None)
        seen = find()
        if seen is None:
            raise ExpectationFailed(f"{self} was expected {what}\n{self._circumstances()}")
        return seen

    def _circumstances(self) -> str:
        ended = self.ended
        state = f"it ended: {status_text(ended.status)}" if ended else "it is still running"
        lines = [f"\n  seen      {state}"]
        for name in ("stdout", "stderr"):
            text = self._written(name).decode(errors="replace").strip()
            lines.append(f"  {name}    " + (text.replace("\n", "\n            ") or "(nothing)"))
        return "\n".join(lines)

    def type(self, text: str | bytes) -> None:
        """Write to its standard input."""
        data = text.encode() if isinstance(text, str) else text
        self.host.ask("program", number=self.number, what="write", arguments=(data,))

    def close_input(self) -> None:
        """End of file on its standard input, as Ctrl-D on an empty line."""
        self.host.ask("program", number=self.number, what="close_input")

    def interrupt(self) -> None:
        """SIGINT to the program, as Ctrl-C in its terminal."""
        self.send_signal(signal.SIGINT)

    def kill(self) -> None:
        """SIGKILL to the program and its process group."""
        self.send_signal(signal.SIGKILL)

    def send_signal(self, number: signal.Signals) -> None:
        """Any signal to the program's process group; nothing happens when it has ended already."""
        try:
            self.host.ask(
                "program", number=self.number, what="send_signal", arguments=(int(number),)
            )
        except ProcessLookupError as error:
            if error.errno != errno.ESRCH or self.ended is None:
                raise LabError(f"{self}: {error}") from error

    def ends(self, status: int | None = None, *, seconds: float | None = None) -> int:
        """Wait until it has ended (with this status, if one is given; -N: by signal N)."""
        lab = self.host.lab
        lab.wait_until(lambda: self.ended is not None, f"{self} to end", seconds)
        ended = self.ended
        if ended is None or (status is not None and ended.status != status):
            wish = "" if status is None else f" with {status_text(status)}"
            raise ExpectationFailed(f"{self} was expected to end{wish}\n{self._circumstances()}")
        return ended.status


def status_text(status: int) -> str:
    """An exit status as people read it."""
    if status < 0:
        return f"ended by {signal.Signals(-status).name}"
    return f"exit status {status}"
