"""Messages between the test process and a host's agent: whole Python objects over a stream socket.

A message is a four-byte length and a pickle. Both ends are our own processes on one machine, of
one user. Nothing here blocks: what the other side does not take yet waits in a queue.
"""

from __future__ import annotations

import pickle
import socket
import struct
from collections import deque
from typing import Any

_LENGTH = struct.Struct("<I")


class ChannelClosedError(ConnectionError):
    """The other end of a channel is gone."""


class Channel:
    """One end of a message stream. Never blocks; the caller waits for `fileno` to be ready."""

    def __init__(self, stream: socket.socket) -> None:
        stream.setblocking(False)
        self._stream = stream
        self._incoming = bytearray()
        self._outgoing: deque[memoryview] = deque()

    def fileno(self) -> int:
        """The descriptor to wait on."""
        return self._stream.fileno()

    @property
    def wants_to_write(self) -> bool:
        """True while something waits for the other side to read."""
        return bool(self._outgoing)

    def send(self, message: object) -> None:
        """Queue a message and write what the socket takes at once."""
        body = pickle.dumps(message, protocol=pickle.HIGHEST_PROTOCOL)
        self._outgoing.append(memoryview(_LENGTH.pack(len(body)) + body))
        self.flush()

    def flush(self) -> None:
        """Write what the socket takes now; raises :class:`ChannelClosedError` if nobody reads."""
        while self._outgoing:
            try:
                written = self._stream.send(self._outgoing[0])
            except BlockingIOError:
                return
            except OSError as error:
                raise ChannelClosedError(str(error)) from error
            if written == len(self._outgoing[0]):
                self._outgoing.popleft()
            else:
                self._outgoing[0] = self._outgoing[0][written:]

    def receive(self) -> list[Any]:
        """Every whole message that has arrived; raises :class:`ChannelClosedError` at the end."""
        messages: list[Any] = []
        ended = False
        while True:
            try:
                chunk = self._stream.recv(1 << 18)
            except BlockingIOError:
                break
            except OSError:
                chunk = b""
            if not chunk:
                ended = True
                break
            self._incoming += chunk
        while len(self._incoming) >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(self._incoming)
            if len(self._incoming) < _LENGTH.size + length:
                break
            body = bytes(self._incoming[_LENGTH.size : _LENGTH.size + length])
            del self._incoming[: _LENGTH.size + length]
            messages.append(pickle.loads(body))
        if ended and not messages:
            raise ChannelClosedError("the other process has ended")
        return messages

    def close(self) -> None:
        """Close this end; the other one reads the end of the stream."""
        self._stream.close()
