"""The built-in endpoints of a host: real sockets, driven one call at a time by the scenario.

Lives in the host's agent. No call blocks the agent: what cannot finish at once waits for its
descriptor, as an event-driven program would, and is recorded when it began and when it ended, with
its errno. Nothing here knows what a scenario expects.
"""

from __future__ import annotations

import errno
import select
import selectors
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from harness.evidence.events import CallBegan, CallEnded, Event
from harness.tcp.segment import Address

IN_PROGRESS = (errno.EINPROGRESS, errno.EAGAIN, errno.EINTR)
POLL_EVENTS = ("POLLIN", "POLLPRI", "POLLOUT", "POLLERR", "POLLHUP", "POLLRDHUP")
"""poll(2): the last three but POLLRDHUP come also to who has not asked for them."""


@dataclass(slots=True)
class _Call:
    """A call that waits for its descriptor; `attempt` returns the result or raises."""

    number: int
    name: str
    attempt: Callable[[], object]


@dataclass(slots=True)
class OpenSocket:
    """A socket of ours, and the calls that wait for it."""

    number: int
    real: socket.socket
    local: Address
    remote: Address | None
    reader: _Call | None = None
    writer: _Call | None = None
    sent: int = 0


class SocketInUseError(OSError):
    """A second call of the same direction while the first one still waits."""


@dataclass
class Sockets:
    """Every built-in socket of one host."""

    host: str
    selector: selectors.BaseSelector
    record: Callable[[Event], None]
    _open: dict[int, OpenSocket] = field(default_factory=dict)
    _next: int = 1

    def bind(
        self,
        address: tuple[str, int],
        family: int,
        options: tuple[tuple[int, int, Any], ...],
    ) -> tuple[int, tuple[str, int]]:
        """socket, setsockopt, bind, and no more; the socket's number and its address."""
        real = _bound(address, family, options)
        return self._adopt(real).number, real.getsockname()[:2]

    def try_bind(
        self,
        call: int,
        address: tuple[str, int],
        family: int,
        options: tuple[tuple[int, int, Any], ...],
    ) -> None:
        """As `bind`, but recorded as a call: whether the port is free; the socket stays open."""
        began, text = time.time_ns(), f"port {address[1]}"
        self.record(CallBegan(began, self.host, call, "bind", text, Address(*address), None))
        try:
            _, local = self.bind(address, family, options)
        except OSError as error:
            self._ended(call, "bind", error.errno or errno.EIO)
        else:
            self._ended(call, "bind", 0, local)

    def listen(
        self,
        address: tuple[str, int],
        family: int,
        backlog: int,
        options: tuple[tuple[int, int, Any], ...],
    ) -> tuple[int, tuple[str, int]]:
        """socket, setsockopt, bind, listen; the socket's number and its address."""
        real = _bound(address, family, options)
        try:
            real.listen(backlog)
        except OSError:
            real.close()
            raise
        opened = self._adopt(real)
        return opened.number, opened.local

    def connect(
        self,
        call: int,
        address: tuple[str, int],
        family: int,
        source: tuple[str, int] | None,
        options: tuple[tuple[int, int, Any], ...],
        *,
        blocking: bool = True,
    ) -> tuple[int, tuple[str, int]]:
        """Begin to connect; returns at once with the socket's number and its own address.

        The socket is bound first, so that its port is known also when the connection is refused
        before connect(2) returns. With no `source` it is not, and connect(2) itself finds a port.
        Not blocking: the call ends with EINPROGRESS.
        """
        real = _bound(source, family, options)
        opened, began = self._adopt(real, address), time.time_ns()
        code = real.connect_ex(address)
        opened.local = Address(*real.getsockname()[:2])
        text = f"{address[0]} port {address[1]}"
        ends = opened.local, opened.remote
        self.record(CallBegan(began, self.host, call, "connect", text, *ends))
        if code in IN_PROGRESS and blocking:
            self._wait(opened, _Call(call, "connect", lambda: _connected(real)), writing=True)
        else:
            self._ended(call, "connect", code)
        return opened.number, opened.local

    def accept(self, call: int, number: int) -> None:
        """Wait for a completed connection; the result is (socket number, peer address)."""
        listener = self._open[number]

        def attempt() -> tuple[int, tuple[str, int]]:
            real, peer = listener.real.accept()
            return self._adopt(real, peer[:2]).number, peer[:2]

        self._begin(call, listener, "accept", "", attempt, writing=False)

    def receive(self, call: int, number: int, size: int, flags: int) -> None:
        """recv(2) of at most `size` bytes; the result is the bytes, empty at the end of file."""
        opened = self._open[number]
        detail = f"{size} bytes" + (", MSG_OOB" if flags & socket.MSG_OOB else "")
        self._begin(
            call, opened, "recv", detail, lambda: opened.real.recv(size, flags), writing=False
        )

    def send(self, call: int, number: int, data: bytes, flags: int) -> None:
        """send(2) until all of `data` is taken; the result is how many bytes that were."""
        opened = self._open[number]
        opened.sent = 0

        def attempt() -> int:
            while opened.sent < len(data):
                opened.sent += opened.real.send(
                    memoryview(data)[opened.sent :], flags | socket.MSG_NOSIGNAL
                )
            return opened.sent

        self._begin(call, opened, "send", f"{len(data)} bytes", attempt, writing=True)

    def poll(self, call: int, number: int, events: int) -> None:
        """poll(2) for these events, or for what nobody has to ask for; the result names them."""
        opened, poll = self._open[number], select.poll()
        poll.register(opened.real, events)

        def attempt() -> str:
            if ready := poll.poll(0):
                return poll_words(ready[0][1])
            raise BlockingIOError

        writing = bool(events & select.POLLOUT)
        self._begin(call, opened, "poll", poll_words(events), attempt, writing=writing)

    def descriptor(self, number: int) -> int:
        """The file descriptor of an open socket."""
        return self._open[number].real.fileno()

    def at_once(self, call: int, number: int, name: str, arguments: tuple[Any, ...]) -> None:
        """A call that never waits: shutdown, setsockopt, getsockopt, close or abort."""
        opened = self._open[number]
        attempt: dict[str, Callable[[], object]] = {
            "shutdown": lambda: opened.real.shutdown(*arguments),
            "setsockopt": lambda: opened.real.setsockopt(*arguments),
            "getsockopt": lambda: opened.real.getsockopt(*arguments),
            "close": lambda: self._close(opened),
            "SO_ERROR": lambda: _connected(opened.real),
        }
        self._began(opened, call, name, ", ".join(str(value) for value in arguments))
        try:
            self._ended(call, name, 0, attempt[name]())
        except OSError as error:
            self._ended(call, name, error.errno or errno.EIO)

    def ready(self, opened: OpenSocket, mask: int) -> None:
        """The selector says that a waiting call can go on."""
        if mask & selectors.EVENT_READ and opened.reader:
            self._attempt(opened, opened.reader, writing=False)
        if mask & selectors.EVENT_WRITE and opened.writer:
            self._attempt(opened, opened.writer, writing=True)

    def _adopt(self, real: socket.socket, remote: tuple[str, int] | None = None) -> OpenSocket:
        real.setblocking(False)
        local = Address(*real.getsockname()[:2])
        opened = OpenSocket(self._next, real, local, Address(*remote) if remote else None)
        self._open[self._next] = opened
        self._next += 1
        return opened

    def _close(self, opened: OpenSocket) -> None:
        for call, writing in ((opened.reader, False), (opened.writer, True)):
            if call is not None:
                self._wait(opened, None, writing=writing)
                self._ended(call.number, call.name, errno.EBADF)
        del self._open[opened.number]
        opened.real.close()

    def _begin(
        self,
        call: int,
        opened: OpenSocket,
        name: str,
        detail: str,
        attempt: Callable[[], object],
        *,
        writing: bool,
    ) -> None:
        if (opened.writer if writing else opened.reader) is not None:
            self._catch_up(opened, writing=writing)
        if (opened.writer if writing else opened.reader) is not None:
            raise SocketInUseError(errno.EALREADY, f"{name}: an earlier call still waits")
        self._began(opened, call, name, detail)
        self._attempt(opened, _Call(call, name, attempt), writing=writing)

    def _catch_up(self, opened: OpenSocket, *, writing: bool) -> None:
        """Let a waiting call go on if it can: the event loop may not have come to it yet.

        A connection can be seen ESTABLISHED before our own connect(2) has been told.
        """
        poll = select.poll()
        poll.register(opened.real, select.POLLOUT if writing else select.POLLIN)
        if poll.poll(0):
            self.ready(opened, selectors.EVENT_WRITE if writing else selectors.EVENT_READ)

    def _attempt(self, opened: OpenSocket, call: _Call, *, writing: bool) -> None:
        try:
            result = call.attempt()
        except BlockingIOError:
            self._wait(opened, call, writing=writing)
            return
        except OSError as error:
            self._wait(opened, None, writing=writing)
            self._ended(call.number, call.name, error.errno or errno.EIO)
            return
        self._wait(opened, None, writing=writing)
        self._ended(call.number, call.name, 0, result)

    def _wait(self, opened: OpenSocket, call: _Call | None, *, writing: bool) -> None:
        """Set or clear what the socket waits for, in the selector too."""
        before = bool(opened.reader), bool(opened.writer)
        if writing:
            opened.writer = call
        else:
            opened.reader = call
        after = bool(opened.reader), bool(opened.writer)
        if before == after:
            return
        mask = selectors.EVENT_READ * after[0] | selectors.EVENT_WRITE * after[1]
        if not any(before):
            self.selector.register(opened.real, mask, opened)
        elif mask:
            self.selector.modify(opened.real, mask, opened)
        else:
            self.selector.unregister(opened.real)

    def _began(self, opened: OpenSocket, call: int, name: str, detail: str) -> None:
        ends = opened.local, opened.remote
        self.record(CallBegan(time.time_ns(), self.host, call, name, detail, *ends))

    def _ended(self, call: int, name: str, error: int, result: object = None) -> None:
        self.record(CallEnded(time.time_ns(), self.host, call, name, error, result))


def poll_words(events: int) -> str:
    """poll(2)'s events by their names: ``POLLOUT|POLLERR|POLLHUP``."""
    return "|".join(name for name in POLL_EVENTS if events & getattr(select, name))


def _bound(
    address: tuple[str, int] | None, family: int, options: tuple[tuple[int, int, Any], ...]
) -> socket.socket:
    real = socket.socket(family, socket.SOCK_STREAM)
    try:
        for level, name, value in options:
            real.setsockopt(level, name, value)
        if address is not None:
            real.bind(address)
    except OSError:
        real.close()
        raise
    return real


def _connected(real: socket.socket) -> None:
    code = real.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if code:
        raise OSError(code, "connect")
