"""A socket on which the kernel tells what netfilter does: read to its end, losses counted.

Lives in a host's agent, for the witnesses that listen so. Changes nothing; knows no message.
"""

from __future__ import annotations

import errno
import socket
import struct
from collections.abc import Iterator
from typing import Final

from sockstates.sandbox.network import gate
from sockstates.sandbox.witnesses.netlink_attributes import Message, messages

BUFFER: Final = 1 << 16
SO_MEMINFO: Final = 55
"""socket(7): the memory of a socket, as eleven numbers or fewer (linux/sock_diag.h)."""
_NUMBERS = struct.Struct("=9I")
_DROPS: Final = 8


class NetfilterEvents:
    """Multicast groups of nfnetlink, heard from now on in the present namespace."""

    def __init__(self, *groups: int) -> None:
        self.socket: socket.socket = gate.netfilter_events(*groups)
        self._lost = 0

    def fileno(self) -> int:
        """The descriptor that is readable when there is something to read."""
        return self.socket.fileno()

    def read(self) -> Iterator[Message]:
        """Every message that is there; never waits."""
        while True:
            try:
                datagram = self.socket.recv(BUFFER)
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno != errno.ENOBUFS:  # which says that there were losses: see below
                    raise
                continue
            yield from messages(datagram)

    def count_losses(self) -> int:
        """Messages for which the socket had no room, since the last time that this was asked."""
        data = self.socket.getsockopt(socket.SOL_SOCKET, SO_MEMINFO, _NUMBERS.size)
        lost: int = _NUMBERS.unpack(data)[_DROPS]
        before, self._lost = self._lost, lost
        return lost - before
