"""A command that runs on a host, as the scenario holds it: its output, its signals, its sockets.

A program is its first process and all that descends from it, daemons too. What it does by itself
is waited for: `listens`, `connects`, `prints`, `ends`.
"""

from __future__ import annotations

import signal
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from sockstates.evidence.expectations import endpoint_text
from sockstates.evidence.verdicts import ExpectationFailed
from sockstates.lab.words import HasWords
from sockstates.record.events import NANOSECONDS, ProgramEnded, ProgramWrote, SocketSeen
from sockstates.sandbox.client.errors import LabError
from sockstates.sandbox.program_texts import command_text, output_text, status_text
from sockstates.tcp.states import State

if TYPE_CHECKING:
    from sockstates.lab.connection import Connection
    from sockstates.lab.host import Host
    from sockstates.lab.listener import Listener

MOST_SOCKETS = 6
"""Sockets of a program that a message shows: the newest."""
STREAMS = ("stdout", "stderr")
Found = TypeVar("Found")


class Program(HasWords):
    """A running command; `pid` is its first process in the host's own numbering."""

    def __init__(self, host: Host, number: int, pid: int, command: tuple[str, ...]) -> None:
        self.host = host
        self.number = number
        self.pid = pid
        self.command = command
        self._processes: dict[int, bool] = {pid: True}
        self._written = {name: bytearray() for name in STREAMS}
        self._cut: set[str] = set()
        self._ended: ProgramEnded | None = None
        self._taken_in = 0

    def __str__(self) -> str:
        return f"{command_text(self.command)!r} on {self.host.name}"

    @property
    def output(self) -> bytes:
        """What it wrote to standard output so far; errors: LabError beyond what is kept."""
        return self._whole("stdout")

    @property
    def errors(self) -> bytes:
        """What it wrote to standard error so far; errors: LabError beyond what is kept."""
        return self._whole("stderr")

    def _whole(self, stream: str) -> bytes:
        self.host.lab.settle()
        self._take_in()
        if stream in self._cut:
            raise LabError(
                f"{self} wrote more to {stream} than the {len(self._written[stream])} bytes that "
                "are kept, so its output is not known to the end.\n"
                "Have it write to a file instead, or write less."
            )
        return bytes(self._written[stream])

    def _take_in(self) -> None:
        """Read what the timeline has that is new about this program."""
        events = self.host.lab.timeline.events
        new, self._taken_in = events[self._taken_in :], len(events)
        for event in new:
            if not isinstance(event, (ProgramWrote, ProgramEnded)):
                continue
            if (event.host, event.program) != (self.host.name, self.number):
                continue
            if isinstance(event, ProgramEnded):
                self._ended = event
            elif event.cut:
                self._cut.add(event.stream)
            else:
                self._written[event.stream] += event.data

    @property
    def ended(self) -> ProgramEnded | None:
        """The end of its first process, once it has come."""
        if self._ended is None:
            self._take_in()
        return self._ended

    @property
    def _is_over(self) -> bool:
        """Whether nothing of it is left that could still do something."""
        return self.ended is not None and not self.ended.left

    @property
    def processes(self) -> tuple[int, ...]:
        """Its processes that are alive, in the host's own numbering."""
        return self.host.agent.programs.processes(self.number)

    def has_process(self, pid: int | None) -> bool:
        """Whether this process id is, or was, the program's or a descendant's."""
        if pid is None:
            return False
        if pid not in self._processes:
            owner = self.host.program_of(pid)
            self._processes[pid] = owner is not None and owner[0] == self.number
        return self._processes[pid]

    def listens(self, port: int) -> Listener:
        """Wait until the program listens on `port` for the lab's address family; that socket."""
        from sockstates.lab.listener import Listener

        lab = self.host.lab

        def find() -> SocketSeen | None:
            found = [
                seen
                for key in tuple(lab.timeline.endpoints())
                if (key[0], key[1].port, key[2]) == (self.host.name, port, None)
                for one in lab.timeline.sockets_at(key)
                if (seen := lab.timeline.latest(one)) and seen.state is State.LISTEN
                if self._can_serve(seen.local.ip) and self.has_process(seen.owner)
            ]
            # "::" may serve IPv4 too, but a listener of its own goes before, also somebody else's.
            first = min(found, key=lambda seen: ":" in seen.local.ip, default=None)
            return first if first is None or self._is_served_by(first) else None

        what = f"to listen on port {port}" + (" with IPv6" if lab.family == "ipv6" else "")
        seen = self._wait_for(find, what)
        if seen is None:
            raise self._failure(what, self._sockets_text(), self.host.users_of(port))
        listener = Listener(self.host, seen.local)
        listener.cookie = seen.cookie
        return listener

    def _can_serve(self, ip: str) -> bool:
        return ":" in ip if self.host.lab.family == "ipv6" else ":" not in ip or ip == "::"

    def _is_served_by(self, listener: SocketSeen) -> bool:
        """Whether connections of the lab's family come to this listener and to no other one."""
        lab, port = self.host.lab, listener.local.port
        if lab.family == "ipv6" or ":" not in listener.local.ip:
            return True
        latest = (lab.timeline.latest(key) for key in tuple(lab.timeline.endpoints()))
        return not any(
            (seen.host, seen.local.port, seen.state) == (self.host.name, port, State.LISTEN)
            and ":" not in seen.local.ip
            for seen in latest
            if seen is not None
        )

    def connects(self, listener: Listener, *, at: tuple[Host, int] | None = None) -> Connection:
        """Wait until the program has a socket that is connected, or connecting, to `listener`.

        The latest one, when it has had several. One that comes and goes within a millisecond may
        not be seen: let the other end hold it open. `at`: as in :meth:`Host.connect`.
        """
        from sockstates.lab.connection import Connection
        from sockstates.lab.endpoint import Endpoint
        from sockstates.lab.listener import PassiveEnd

        asked, port = (listener.host, listener.local.port) if at is None else at
        timeline = self.host.lab.timeline

        def find() -> SocketSeen | None:
            found = [
                seen
                for host, local, remote in tuple(timeline.endpoints())
                if host == self.host.name and remote is not None
                if remote.port == port and remote.ip in asked.addresses
                for seen in timeline.history((host, local, remote))
                if self.has_process(seen.owner)
            ]
            return max(found, key=lambda seen: seen.time, default=None)

        what = f"to connect to {asked.name} port {port}"
        seen = self._wait_for(find, what)
        if seen is None or seen.remote is None:
            raise self._failure(what, self._sockets_text())
        client = Endpoint(self.host, seen.local, seen.remote)
        client.cookie = seen.cookie
        return Connection(
            client,
            PassiveEnd(
                listener,
                seen.remote if at is None else self.host.target_at(listener),
                seen.local,
            ),
        )

    def prints(self, text: str | bytes) -> None:
        """Wait until this has been written to its standard output or standard error."""
        data = text.encode() if isinstance(text, str) else text

        def find() -> bool | None:
            self._take_in()
            return any(data in each for each in self._written.values()) or None

        if self._wait_for(find, f"to print {text!r}") is None:
            raise self._failure(f"to print {text!r}")

    def _wait_for(self, find: Callable[[], Found | None], what: str) -> Found | None:
        events = self.host.lab.timeline.events

        def look() -> Found | None:
            # To find it, the host may be asked whose a process is. What comes before its answer
            # has been taken in then, so nobody would wake us for it: look again.
            while True:
                known = len(events)
                found = find()
                if found is not None or len(events) == known:
                    return found

        self.host.lab.wait_until(
            lambda: self._is_over or look() is not None, f"{self} {what}", None
        )
        return look()

    def _failure(self, what: str, *more: str) -> ExpectationFailed:
        parts = (f"{self} was expected {what}", self._circumstances(), *more)
        return ExpectationFailed("\n".join(part for part in parts if part))

    def _circumstances(self) -> str:
        ended = self.ended
        lab = self.host.lab
        since = (ended.time if ended else lab.now()) - lab.origin
        state = f"it ended: {status_text(ended.status)}" if ended else "it was still running"
        state += f" at {since / NANOSECONDS:.3f} s"
        if ended and ended.left:
            state += (
                f"; processes that it started are still running: {', '.join(map(str, ended.left))}"
            )
        lab.settle()
        self._take_in()
        lines = ["", f"  seen      {state}"]
        for name in STREAMS:
            lines.append(f"  {name}    {output_text(bytes(self._written[name]))}")
            if name in self._cut:
                lines.append("            (it wrote more, which was not kept)")
        return "\n".join(lines)

    def _sockets_text(self) -> str:
        timeline = self.host.lab.timeline
        own = [
            f"{endpoint_text(timeline, key)} {timeline.history(key)[-1].state}"
            for key in tuple(timeline.endpoints())
            if key[0] == self.host.name
            if any(self.has_process(seen.owner) for seen in timeline.history(key))
        ]
        shown = own[-MOST_SOCKETS:] or ["(none was seen)"]
        return "  sockets   " + "\n            ".join(shown)

    def type(self, text: str | bytes) -> None:
        """Write to its standard input; returns at once, also when the program does not read it.

        Errors: LabError when nobody can read it any more.
        """
        data = text.encode() if isinstance(text, str) else text
        try:
            self.host.agent.programs.write(self.number, data)
        except ValueError as error:
            raise LabError(
                f"{self} cannot be written to: {error}\n{self._circumstances()}"
            ) from error

    def close_input(self) -> None:
        """End of file on its standard input, as Ctrl-D on an empty line, once all is read."""
        self.host.agent.programs.close_input(self.number)

    def interrupt(self) -> None:
        """SIGINT to the program, as Ctrl-C in its terminal."""
        self.send_signal(signal.SIGINT)

    def kill(self) -> None:
        """SIGKILL to every process of the program, whatever session it is in."""
        self.host.agent.programs.kill(self.number)

    def send_signal(self, number: signal.Signals) -> None:
        """Any signal to the program's process group, or to what it has left running.

        Nothing happens when all of it has ended already.
        """
        self.host.agent.programs.send_signal(self.number, int(number))

    def ends(self, status: int | None = None, *, seconds: float | None = None) -> int:
        """Wait until it has ended (with this status, if one is given; -N: by signal N).

        Its first process, that is: a daemon goes on (`processes`).
        """
        lab = self.host.lab
        lab.wait_until(lambda: self.ended is not None, f"{self} to end", seconds)
        ended = self.ended
        if ended is None or (status is not None and ended.status != status):
            raise self._failure("to end" + ("" if status is None else f": {status_text(status)}"))
        return ended.status
