"""An end of a connection, or a listening socket: what it does, and what it reads.

Verbs do something on the host (`send`, `shutdown`, `close`); words in the third person expect
something of the evidence (`reaches`, `stays`, `receives`): those about states are
`sockstates.lab.observed`'s and `sockstates.lab.witnessed`'s.

Each call of an end waits for the connect(2) that opens it, as in a program whose socket blocks, so
that ``connection.client.close()`` right after `Host.connect` closes a connection. Two things begin
at once instead: a call on a socket that does not block, and a call after the scenario has expected
one of the two ends in SYN_SENT or SYN_RECV. That is how an open is taken back.
"""

from __future__ import annotations

import socket
from functools import partial
from typing import Any

from sockstates.evidence.verdicts import ExpectationFailed
from sockstates.lab.arguments import in_bytes
from sockstates.lab.call import Call
from sockstates.lab.socket_options import check_flags, longest_wait, packed_option
from sockstates.lab.witnessed import WitnessedSocket
from sockstates.sandbox.client.errors import LabError
from sockstates.sandbox.protocol import SocketInUseError, SocketRequest

READ, WRITE, BOTH = socket.SHUT_RD, socket.SHUT_WR, socket.SHUT_RDWR
LARGEST_RECEIVE = 1 << 16


class Endpoint(WitnessedSocket):
    """A socket known by its addresses, whoever has it open."""

    @property
    def descriptor(self) -> int:
        """The file descriptor that the host's process has for this socket."""
        return self.host.sockets.descriptor(number=self._open_socket())

    def accept(self) -> None:
        """For the passive end: take this connection out of the listener's queue; accept(2)."""
        raise LabError(f"{self!r} is not the passive end of a built-in connection")

    def send(
        self,
        data: bytes | int,
        *,
        urgent: bool = False,
        more: bool = False,
        flags: int = 0,
        wait: bool = True,
    ) -> Call:
        """One send(2) of `data`, or of so many zero bytes; returns when the call has.

        Its result is how many bytes the socket took: all of them, unless O_NONBLOCK, SO_SNDTIMEO,
        a reset or a close ends the call before; then fewer, or an errno where it took none.
        `urgent`: the last byte out of band (MSG_OOB). `more`: more is to come (MSG_MORE), so that
        the kernel sends full segments only, and none with PSH. `flags`: others of send(2), such as
        ``socket.MSG_DONTWAIT``. With wait=False it returns at once: for more than the socket takes.
        """
        self.wait_for_connect()
        content = bytes(data) if isinstance(data, int) else data
        flags |= socket.MSG_OOB * urgent | socket.MSG_MORE * more
        check_flags("send", flags)
        call = self._call(
            "send",
            partial(self.host.sockets.send, data=content, flags=int(flags)),
        )
        return self._succeeds(call) if wait else call

    def receive(self, size: int = LARGEST_RECEIVE, *, urgent: bool = False, flags: int = 0) -> Call:
        """Begin recv(2) of at most `size` bytes; returns at once, also when nothing is there.

        `urgent`: of the one that is out of band (MSG_OOB); EINVAL when there is none. `flags`:
        others of recv(2): ``socket.MSG_PEEK``, ``MSG_WAITALL``, ``MSG_DONTWAIT``.
        """
        flags |= socket.MSG_OOB * urgent
        check_flags("receive", flags)
        # Python before 3.11.4 cannot pickle two of socket.MsgFlag in one.
        return self._call("recv", partial(self.host.sockets.receive, size=size, flags=int(flags)))

    def receives(self, expected: bytes) -> None:
        """Expect to read exactly these bytes next, in as many recv(2) as it takes."""
        if not isinstance(expected, bytes):
            raise LabError(f"{self!r} receives bytes, not {expected!r}{in_bytes(expected)}")
        received = b""
        while len(received) < len(expected):
            part = self.receive(len(expected) - len(received)).returns()
            assert isinstance(part, bytes)
            received += part
            if not part:
                break
        if received != expected:
            raise ExpectationFailed(
                f"{self!r} received something else\n\n"
                f"  expected  {expected!r}\n  seen      {received!r}"
            )

    def receives_end(self) -> None:
        """Expect the end of the peer's data: recv(2) returns nothing."""
        self.receive().returns(b"")

    def poll(self, events: int) -> Call:
        """Begin poll(2) for POLLIN or for POLLOUT (of :mod:`select`); returns at once.

        Its result names what there is, asked for or not: ``POLLOUT|POLLERR|POLLHUP``.
        """
        return self._call("poll", partial(self.host.sockets.poll, events=events))

    def error(self) -> Call:
        """getsockopt(2) of SO_ERROR: fails with what the socket kept for it, and forgets it."""
        return self._at_once("SO_ERROR")

    def shutdown(self, how: int = WRITE) -> Call:
        """shutdown(2): WRITE (a FIN goes out, reading goes on), READ or BOTH."""
        return self._at_once("shutdown", how)

    def close(self, *, wait: bool = True) -> Call:
        """close(2): orderly, unless unread data makes the kernel send RST.

        With SO_LINGER and a time it waits for the peer, and so does this; not with wait=False.
        Calls that wait on this socket are interrupted first, and fail with EBADF; a send that was
        taken in part returns how much.
        """
        call = self._call("close", self.host.sockets.close)
        return self._succeeds(call) if wait else call

    def abort(self) -> Call:
        """close(2) with SO_LINGER on and zero: RST instead of FIN; socket(7)."""
        self.set_option(socket.SOL_SOCKET, socket.SO_LINGER, 0)
        return self.close()

    def set_option(self, level: int, name: int, value: int | float | bytes) -> Call:
        """setsockopt(2). SO_LINGER, SO_RCVTIMEO and SO_SNDTIMEO may be seconds, a number.

        Errors: LabError for an option that cannot do here what it does in a program.
        """
        packed = packed_option(level, name, value)
        self.options_set[level, name] = packed
        return self._at_once("setsockopt", level, name, packed)

    def set_blocking(self, blocking: bool) -> Call:
        """fcntl(2) of O_NONBLOCK: whether calls of this socket wait from now on."""
        return self._at_once("O_NONBLOCK", not blocking)

    def get_option(self, level: int, name: int, size: int = 0) -> Any:
        """getsockopt(2): an int, or bytes when `size` is given."""
        return self._at_once("getsockopt", level, name, *([size] if size else [])).returns()

    def _at_once(self, name: str, *arguments: Any) -> Call:
        request = partial(self.host.sockets.at_once, name=name, arguments=arguments)
        return self._succeeds(self._call(name, request))

    def _call(self, name: str, request: SocketRequest) -> Call:
        if not self._is_expected_to_open():
            self.wait_for_connect()
        number = self._open_socket()
        call = Call(self.host, self.host.lab.next_call(), name)
        call.may_wait = longest_wait(name, self.options_set)
        try:
            request(call=call.number, number=number)
        except SocketInUseError as error:
            raise LabError(
                f"{self!r}: {name} cannot begin while an earlier call in that direction "
                "is still waiting; wait for that one first, with .returns() or .fails(errno)"
            ) from error
        return call

    def _open_socket(self) -> int:
        if self.number is None:
            self.accept()
        if self.number is None:
            raise LabError(f"{self!r} has no open socket of ours")
        return self.number

    @staticmethod
    def _succeeds(call: Call) -> Call:
        """Wait for the call; judging a failure is the scenario's part."""
        call.wait()
        return call
