"""The built-in endpoints of a host: real sockets, driven one call at a time by the scenario.

Lives in the host's agent. A call that may wait is the real system call, in a thread of its own
(`blocking_calls`), so that it waits as long, and ends as, the kernel says; none blocks
the agent. When each began and when it ended is recorded, with its errno. Nothing here knows what a
scenario expects.
"""

from __future__ import annotations

import errno
import os
import select
import selectors
import socket
import sys
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Generic, NamedTuple, TypeVar, cast

from sockstates.record.events import CallBegan, CallEnded, Event
from sockstates.sandbox.agent.blocking_calls import BlockingCall, can_be_interrupted
from sockstates.sandbox.protocol import SocketClosedError, SocketInUseError
from sockstates.tcp.segment import Address

POLL_EVENTS = ("POLLIN", "POLLPRI", "POLLOUT", "POLLERR", "POLLHUP", "POLLRDHUP")
"""poll(2): the last three but POLLRDHUP come also to who has not asked for them."""
MESSAGE_FLAGS = ("MSG_OOB", "MSG_PEEK", "MSG_WAITALL", "MSG_DONTWAIT", "MSG_MORE")
"""What is named where a call is recorded: send(2), recv(2)."""
SO_COOKIE = 57
"""socket(7): the number that tells this socket from every other that there ever was."""


Value = TypeVar("Value")


class Later(NamedTuple, Generic[Value]):
    """An answer that can be given when `ready` says so; what it is, `value` says then."""

    ready: Callable[[], bool]
    value: Callable[[], Value]

    def given(self) -> Value:
        """The answer, or this again while it cannot be given."""
        return self.value() if self.ready() else self.answer()

    def answer(self) -> Value:
        """This, typed as what whoever asked gets: the agent sends an answer when it is there."""
        return cast("Value", self)


@dataclass(slots=True)
class OpenSocket:
    """A socket of ours, and the calls that wait for it."""

    number: int
    real: socket.socket
    local: Address
    remote: Address | None
    reader: BlockingCall | None = None
    writer: BlockingCall | None = None

    @property
    def waiting(self) -> tuple[BlockingCall, ...]:
        """The calls that have not been seen to end."""
        return tuple(call for call in (self.reader, self.writer) if call is not None)


@dataclass
class Sockets:
    """Every built-in socket of one host."""

    host: str
    selector: selectors.BaseSelector
    record: Callable[[Event], None]
    _open: dict[int, OpenSocket] = field(default_factory=dict)
    _next: int = 1
    _under_way: dict[BlockingCall, Callable[[BlockingCall], None]] = field(default_factory=dict)
    """Every call that has not been seen to end, and what is to be done then."""
    _over: deque[BlockingCall] = field(default_factory=deque)
    """Calls that have ended, and are still to be recorded; their threads put them here."""
    _bell: int = field(default_factory=lambda: os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC))

    def __post_init__(self) -> None:
        can_be_interrupted()
        self.selector.register(self._bell, selectors.EVENT_READ, self)

    def ready(self) -> None:
        """Record the calls that have ended."""
        with suppress(BlockingIOError):
            os.eventfd_read(self._bell)
        while self._over:
            call = self._over.popleft()
            self._under_way.pop(call)(call)

    def rest(self) -> bool:
        """Whether every call has been recorded or waits in the kernel for what has not happened."""
        return all(self._is_told(call) for call in tuple(self._under_way))

    def _is_told(self, call: BlockingCall) -> bool:
        """Whether a call has been recorded, or waits in the kernel."""
        self.ready()
        return call not in self._under_way or (call.rests() and not call.ended_at)

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
    ) -> tuple[int, tuple[str, int], int]:
        """socket, setsockopt, bind, listen; the socket's number, its address, its cookie."""
        real = _bound(address, family, options)
        try:
            real.listen(backlog)
        except OSError:
            real.close()
            raise
        opened = self._adopt(real)
        return opened.number, opened.local, cookie_of(real)

    def connect(
        self,
        call: int,
        address: tuple[str, int],
        family: int,
        source: tuple[str, int] | None,
        options: tuple[tuple[int, int, Any], ...],
        *,
        blocking: bool = True,
    ) -> tuple[int, tuple[str, int], int]:
        """Begin to connect; the answer is the socket's number and its own address.

        The socket is bound first, so that its port is known also when the connection is refused
        before connect(2) returns. With no `source` it is not, and connect(2) itself finds a port.
        Not blocking: the call ends with EINPROGRESS.
        """
        real = _bound(source, family, options)
        cookie = cookie_of(real)
        real.setblocking(blocking)
        opened = self._adopt(real, address)
        text, began = f"{address[0]} port {address[1]}", time.time_ns()

        def record_began() -> None:
            opened.local = Address(*real.getsockname()[:2])
            ends = opened.local, opened.remote
            self.record(CallBegan(began, self.host, call, "connect", text, *ends))

        if opened.local.port:
            record_began()
            attempt = partial(real.connect, address)
        else:  # which port it has, connect(2) has found when it returns at once
            real.setblocking(False)
            code = real.connect_ex(address)
            record_began()
            real.setblocking(blocking)
            attempt = partial(_go_on_connecting, real, address, code, blocking=blocking)
        return self._start(
            opened,
            BlockingCall(call, "connect", attempt),
            lambda: (opened.number, opened.local, cookie),
            writing=True,
        ).answer()

    def accept(self, call: int, number: int) -> None:
        """Wait for a completed connection; the result is (socket number, peer address)."""
        listener = self._opened(number)

        def adopted(result: Any) -> tuple[int, tuple[str, int]]:
            real, peer = result
            return self._adopt(real, peer[:2]).number, peer[:2]

        return self._begin(call, listener, "accept", "", listener.real.accept, made_of=adopted)

    def receive(self, call: int, number: int, size: int, flags: int) -> None:
        """recv(2) of at most `size` bytes; the result is the bytes, empty at the end of file."""
        opened = self._opened(number)
        attempt = partial(opened.real.recv, size, flags)
        return self._begin(call, opened, "recv", f"{size} bytes{_flag_words(flags)}", attempt)

    def send(self, call: int, number: int, data: bytes, flags: int) -> None:
        """send(2) of `data`; the result is how many bytes the socket took.

        All of them where nothing ends the call before: where it blocks, it waits until they fit.
        """
        opened = self._opened(number)
        attempt = partial(opened.real.send, data, flags | socket.MSG_NOSIGNAL)
        detail = f"{len(data)} bytes{_flag_words(flags)}"
        return self._begin(call, opened, "send", detail, attempt, writing=True)

    def poll(self, call: int, number: int, events: int) -> None:
        """poll(2) for these events, or for what nobody has to ask for; the result names them."""
        opened, poll = self._opened(number), select.poll()
        poll.register(opened.real, events)

        def attempt() -> str:
            ready = poll.poll()
            if opened.real.fileno() < 0:  # closed meanwhile
                raise OSError(errno.EBADF, "poll")
            return poll_words(ready[0][1])

        writing = bool(events & select.POLLOUT)
        return self._begin(call, opened, "poll", poll_words(events), attempt, writing=writing)

    def close(self, call: int, number: int) -> None:
        """close(2); with SO_LINGER it waits. What waits on the socket is interrupted first."""
        opened = self._opened(number)
        del self._open[number]
        self._began(opened, call, "close", "")
        closing = BlockingCall(call, "close", lambda: _close(opened))
        self._start(opened, closing, lambda: None, tracked=False).answer()

    def descriptor(self, number: int) -> int:
        """The file descriptor of an open socket."""
        return self._opened(number).real.fileno()

    def at_once(self, call: int, number: int, name: str, arguments: tuple[Any, ...]) -> None:
        """A call that never waits: shutdown, setsockopt, getsockopt, or fcntl of O_NONBLOCK."""
        opened = self._opened(number)
        attempt: dict[str, Callable[[], object]] = {
            "shutdown": lambda: opened.real.shutdown(*arguments),
            "setsockopt": lambda: opened.real.setsockopt(*arguments),
            "getsockopt": lambda: opened.real.getsockopt(*arguments),
            "SO_ERROR": lambda: _take_error(opened.real),
            "O_NONBLOCK": lambda: opened.real.setblocking(not arguments[0]),
        }
        self._began(opened, call, name, ", ".join(str(value) for value in arguments))
        try:
            self._ended(call, name, 0, attempt[name]())
        except OSError as error:
            self._ended(call, name, error.errno or errno.EIO)

    def _opened(self, number: int) -> OpenSocket:
        try:
            return self._open[number]
        except KeyError:
            raise SocketClosedError(number) from None

    def _adopt(self, real: socket.socket, remote: tuple[str, int] | None = None) -> OpenSocket:
        local = Address(*real.getsockname()[:2])
        opened = OpenSocket(self._next, real, local, Address(*remote) if remote else None)
        self._open[self._next] = opened
        self._next += 1
        return opened

    def _begin(
        self,
        number: int,
        opened: OpenSocket,
        name: str,
        detail: str,
        attempt: Callable[[], object],
        *,
        writing: bool = False,
        made_of: Callable[[object], object] = lambda result: result,
    ) -> None:
        """Make a call, once an earlier one of its direction that is about to end has ended.

        A connection can be seen ESTABLISHED before our own connect(2) has returned.
        """
        earlier = opened.writer if writing else opened.reader
        begun: list[Later[None]] = []

        def ready() -> bool:
            if not begun:
                if earlier is not None and not self._is_told(earlier):
                    return False
                if (opened.writer if writing else opened.reader) is not None:
                    return True
                self._began(opened, number, name, detail)
                call = BlockingCall(number, name, attempt)
                begun.append(
                    self._start(opened, call, lambda: None, writing=writing, made_of=made_of)
                )
            return begun[0].ready()

        def value() -> None:
            if not begun:
                raise SocketInUseError(errno.EALREADY, f"{name}: an earlier call is still waiting")

        return Later(ready, value).answer()

    def _start(
        self,
        opened: OpenSocket,
        call: BlockingCall,
        answer: Callable[[], Value],
        *,
        writing: bool = False,
        tracked: bool = True,
        made_of: Callable[[object], object] = lambda result: result,
    ) -> Later[Value]:
        """Have a call made; what it returned is recorded when it ends.

        The request is answered when the call has ended or waits: what it does by itself is done.
        """

        def over(ended: BlockingCall) -> None:
            if opened.writer is ended:
                opened.writer = None
            if opened.reader is ended:
                opened.reader = None
            result = None if ended.error else made_of(ended.result)
            self.record(
                CallEnded(ended.ended_at, self.host, ended.number, ended.name, ended.error, result)
            )

        def has_ended(ended: BlockingCall) -> None:
            self._over.append(ended)
            os.eventfd_write(self._bell, 1)

        if tracked and writing:
            opened.writer = call
        elif tracked:
            opened.reader = call
        self._under_way[call] = over
        call.start(has_ended)
        return Later(lambda: self._is_told(call), answer)

    def _began(self, opened: OpenSocket, call: int, name: str, detail: str) -> None:
        ends = opened.local, opened.remote
        self.record(CallBegan(time.time_ns(), self.host, call, name, detail, *ends))

    def _ended(self, call: int, name: str, error: int, result: object = None) -> None:
        self.record(CallEnded(time.time_ns(), self.host, call, name, error, result))


def cookie_of(real: socket.socket) -> int:
    """The kernel's number for a socket; socket(7), SO_COOKIE."""
    return int.from_bytes(real.getsockopt(socket.SOL_SOCKET, SO_COOKIE, 8), sys.byteorder)


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


def _take_error(real: socket.socket) -> None:
    code = real.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if code:
        raise OSError(code, "SO_ERROR")


def _go_on_connecting(
    real: socket.socket, address: tuple[str, int], code: int, *, blocking: bool
) -> None:
    """Wait for what a connect(2) that did not block has begun, as it would have waited itself."""
    if code == errno.EINPROGRESS and blocking:
        code = real.connect_ex(address)
        if code == errno.EALREADY:  # SO_SNDTIMEO is over: what a first call calls EINPROGRESS
            code = errno.EINPROGRESS
    if code:
        raise OSError(code, "connect")


def _close(opened: OpenSocket) -> None:
    """close(2), after the calls that wait have been interrupted: they would keep it open.

    As in a program whose threads are told to stop before it closes. The descriptor leads to
    /dev/null meanwhile, so that none of them can begin anew.
    """
    descriptor = opened.real.detach()
    if opened.waiting:
        socket_itself = os.dup(descriptor)
        with open(os.devnull, "rb") as nothing:
            os.dup2(nothing.fileno(), descriptor, inheritable=False)
        for call in opened.waiting:
            call.interrupt()
        os.close(descriptor)
        descriptor = socket_itself
    os.close(descriptor)


def _flag_words(flags: int) -> str:
    return "".join(f", {name}" for name in MESSAGE_FLAGS if flags & getattr(socket, name))
